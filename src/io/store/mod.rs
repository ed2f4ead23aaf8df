//! **The question:** where do sealed bytes and wrapped keys lie, and who still opens them?
//!
//! Doors: [`Archive`] (every recording of a node: reserve, begin, list, read, shred, sweep), [`SealedRecording`] (one
//! in the making), [`Reading`] (one as a file), [`KeyCustody`] (whom the node asks: its [`LocalKeeper`] or three
//! [`Keepers`]), [`Vault`] (objects in a folder or bucket); [`DiskStore`], [`DiskFile`], [`Ledger`] (a file in the
//! clear, for anyone who asked for exactly that file).
//!
//! Nothing here makes a worker thread wait. Keepers answer by a [`Reserving`] that is polled. A sealed recording's
//! objects wait in a bounded queue until they are stored, and on disk ([`SpoolPlace`]) while the store is slow or down;
//! [`Storing`] says when the last of them is safe. A file in the clear is written by a thread of its own
//! (`io/recording`).

mod archive;
mod clock;
mod credentials;
mod custody;
mod disk;
mod erased;
mod keeper_file;
mod keepers;
mod local_keeper;
mod participant;
mod read_error;
mod reading;
mod reserving;
mod secrecy;
mod spool;
mod sweeping;
mod underway;
mod upload;
mod upload_counters;
mod vault;
mod verify;
mod wraps;

pub use archive::{Archive, ArchiveCounters, ArchiveError, ArchivePlace, RecordingDetail, RecordingWish, Swept};
pub use credentials::Lacking;
pub use custody::KeyCustody;
pub use disk::{DiskFile, DiskStore, Ledger, StoreError};
pub use keeper_file::{KeeperFile, KeeperFileError, audit_path, is_keeper_in, look_at_keeper};
pub use keepers::Keepers;
pub use local_keeper::{KeyCustodyError, LocalKeeper};
pub use participant::{HeldCaption, HeldOf, HeldTrack};
pub use read_error::ReadError;
pub use reading::Reading;
pub use reserving::{ReservedRecording, Reserving};
pub use secrecy::{LockWatch, keep_out_of_dumps};
pub use spool::SpoolPlace;
pub use upload::{Behind, SealedRecording, Storing};
pub use upload_counters::UploadCounters;
pub use vault::{Listed, Vault, VaultError};
pub use verify::{Checking, Copies, PastKey, Verified, VerifyProgress, verify_expiry, verify_expiry_with};
