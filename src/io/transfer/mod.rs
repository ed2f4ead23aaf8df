//! **The question:** how does a recording reach its owner's own file host, whole? Floor 4: from the sealed store to S3,
//! WebDAV or Dropbox, verified there by what the host gives back, and only then erased here.
//!
//! Doors: [`Destination`] (which host, with which [`Credentials`]), [`transfer`] (one recording, now), [`Transfers`] (a
//! node's: on request or all by themselves).
//!
//! A file is opened range by range and never lies on disk in the clear. Each try begins by asking the keepers again,
//! and the hour of expiry is looked at before anything is read and every second while anything moves: what runs then is
//! cut. What a host holds in the end is its owner's, and does not expire.

mod client;
mod copying;
mod credentials;
mod deadline;
mod destination;
mod dropbox;
mod error;
mod pause;
mod progress;
mod running;
mod s3;
mod source;
mod webdav;

pub use copying::{TransferredFile, transfer};
pub use credentials::Credentials;
pub use destination::{Destination, DestinationError};
pub use dropbox::{ContentHash, DropboxHosts};
pub use error::TransferError;
pub use progress::{Progress, Told};
pub use running::{Refused, TransferCounters, TransferState, Transfers};
pub use source::Checksum;
