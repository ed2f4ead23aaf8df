//! **The question:** where do recorded bytes lie? On local disk, for now; S3-compatible stores come with part 4.
//!
//! Doors: [`DiskStore`] (a folder), [`DiskFile`] (a file that grows by whole pieces), [`Ledger`] (a small file that can be
//! rewritten on a full disk).
//!
//! Writes go to the kernel's page cache, which is the write-behind; what the cache cannot take blocks the package thread, whose
//! fans hold `limits::RECORD_FAN_LEN` items meanwhile. A killed process loses nothing it had written; a power cut what the kernel
//! had not yet carried to the disk (30 s by Linux's default). Closing a file carries it all.

mod disk;

pub use disk::{DiskFile, DiskStore, Ledger, StoreError};
