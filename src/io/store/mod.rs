//! **The question:** where do sealed bytes and wrapped keys lie, and who still opens them?
//!
//! Doors: [`Archive`] (every recording of a node: begin, list, read, shred, sweep), [`SealedRecording`] (one in the making),
//! [`Reading`] (one as a file), [`KeyCustody`] (whom the node asks: its [`LocalKeeper`] or three [`Keepers`]), [`Vault`] (objects in a folder or bucket);
//! [`DiskStore`], [`DiskFile`], [`Ledger`] (a file in the clear, for anyone who asked for exactly that file).
//!
//! A sealed recording never holds up the call: its objects wait in a bounded queue until they are stored, and on disk
//! ([`SpoolPlace`]) while the store is slow or down. A file in the clear is
//! written through the kernel's page cache; what that cannot take blocks the package thread, whose fans hold
//! `limits::RECORD_FAN_LEN` items meanwhile.

mod archive;
mod custody;
mod disk;
mod keeper_file;
mod keepers;
mod local_keeper;
mod reading;
mod spool;
mod upload;
mod vault;
mod verify;
mod wraps;

pub use archive::{
    Archive, ArchiveCounters, ArchiveError, ArchivePlace, ReadError, RecordingDetail, RecordingWish, Swept,
};
pub use custody::KeyCustody;
pub use disk::{DiskFile, DiskStore, Ledger, StoreError};
pub use keeper_file::{KeeperFile, KeeperFileError, audit_path, look_at_keeper};
pub use keepers::Keepers;
pub use local_keeper::{KeyCustodyError, LocalKeeper};
pub use reading::Reading;
pub use spool::SpoolPlace;
pub use upload::{Behind, SealedRecording, UploadCounters};
pub use vault::{Listed, Vault, VaultError};
pub use verify::{Verified, verify_expiry, verify_expiry_with};
