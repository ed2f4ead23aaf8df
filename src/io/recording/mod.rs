//! **The question:** how does what a room shows and says become a stored recording? From the room's fans through
//! [`crate::core::record`] to [`crate::io::store`].
//!
//! Doors: [`RoomRecording`] (one that runs), [`ClosingRecording`] (one that ended), [`RecordingSummary`] (what became
//! of it). The package thread polls them and none of them waits: keepers, disk and store are asked, and wake it when
//! they have answered.

mod clear;
mod closing;
mod counters;
mod files;
mod peek;
mod rolling;
mod room;
mod sealed;
mod sealed_captions;
mod sealed_tracks;
mod setup;
mod sink;
mod summary;
mod tracks;

pub use closing::ClosingRecording;
pub use counters::RecordCounters;
pub use room::RoomRecording;
pub use setup::{Reads, RecordingPlace, RecordingSetup, RoomHold};
pub use summary::RecordingSummary;
pub use tracks::TrackSource;
