//! **The question:** which tracks has a file of ours, in which units are they timed, and how are keyframes flagged?

use crate::base::limits;

/// Timescale of the movie and of its video track, units a second.
pub const VIDEO_TIMESCALE: u32 = limits::VIDEO_CLOCK;
/// Timescale of the sound track, units a second.
pub const SOUND_TIMESCALE: u32 = limits::SAMPLE_RATE;
/// Number of the video track in every file.
pub const VIDEO_TRACK: u32 = 1;
/// Number of the sound track in every file.
pub const SOUND_TRACK: u32 = 2;

/// Decoding may start here: `sample_depends_on` = 2, `sample_is_non_sync_sample` = 0 (ISO/IEC 14496-12, 8.8.3.1).
pub(super) const SYNC_FLAGS: u32 = 0x0200_0000;
/// It may not: `sample_depends_on` = 1, `sample_is_non_sync_sample` = 1.
pub(super) const DELTA_FLAGS: u32 = 0x0101_0000;
