//! **The question:** which boxes, in which order, with which bytes? Fragmented MP4 (ISO/IEC 14496-12) with AV1 (av1-isobmff 1.3)
//! and Opus in ISOBMFF, as values: nothing here reads a clock or a file.
//!
//! Doors: [`InitSegment`] and [`sound_header`] (the header of a file), [`Fragment`] (up to two seconds of both tracks),
//! [`first_picture`] and [`codecs`] (what a stored piece says of itself).

mod fragment;
mod init;
mod look;

pub use fragment::{Fragment, SoundRun, VideoRun, VideoSample};
pub use init::{Header, InitSegment, sound_header};
pub use look::{FirstPicture, codecs, first_picture};

/// Timescale of the movie and of its video track, units a second.
pub const VIDEO_TIMESCALE: u32 = crate::base::limits::VIDEO_CLOCK;
/// Timescale of the sound track, units a second.
pub const SOUND_TIMESCALE: u32 = crate::base::limits::SAMPLE_RATE;
/// Number of the video track in every file.
pub const VIDEO_TRACK: u32 = 1;
/// Number of the sound track in every file.
pub const SOUND_TRACK: u32 = 2;

/// Decoding may start here: `sample_depends_on` = 2, `sample_is_non_sync_sample` = 0 (ISO/IEC 14496-12, 8.8.3.1).
const SYNC_FLAGS: u32 = 0x0200_0000;
/// It may not: `sample_depends_on` = 1, `sample_is_non_sync_sample` = 1.
const DELTA_FLAGS: u32 = 0x0101_0000;
