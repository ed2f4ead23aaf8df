//! Bounds of live HLS.

use std::time::Duration;

/// How long a part lasts. 400 ms hold whole ticks at 5, 10, 15, 20, 25, 30, 50 and 60 pictures a second and twenty
/// packets of sound, and ten of them make a segment.
pub const HLS_PART_SPAN: Duration = Duration::from_millis(400);
/// How long a segment lasts: from one regular keyframe to the next.
pub const HLS_SEGMENT_SPAN: Duration = Duration::from_secs(4);
/// How long a part waits for pictures or sound that are late.
pub const HLS_PATIENCE_SPAN: Duration = Duration::from_millis(1500);
/// How long a rung that nobody asks for any more goes on for HLS. A player that pauses for longer begins anew.
pub const HLS_IDLE_SPAN: Duration = Duration::from_secs(15);
/// How long a first request waits for its rung to begin: one that ended just now begins with the next segment.
pub const HLS_START_SPAN: Duration = Duration::from_secs(10);
/// How long a request for what is about to come waits: three segments (RFC 8216bis, section 6.2.5.2).
pub const HLS_BLOCK_SPAN: Duration = Duration::from_secs(12);
/// Requests of all viewers that wait at once; of one network no more than its share, `HTTP_ADDRESS_SHARE`.
pub const HLS_BLOCKED_MAX: usize = 4096;
/// Rooms that are over of which what was listed can still be had.
pub const HLS_ENDED_MAX: usize = 64;
/// How many rungs' windows they may fill, of the size that the operator allows one.
pub const HLS_ENDED_WINDOWS: usize = 6;
/// Frames or packets that wait for the packager.
pub const HLS_FAN_LEN: usize = 480;
/// Over how long viewers are counted.
pub const HLS_COUNT_SPAN: Duration = Duration::from_secs(4);
/// The shortest window that may be configured, seconds: what players of the usual latency need is three segments.
pub const HLS_WINDOW_SECONDS_MIN: u32 = 16;
/// The longest.
pub const HLS_WINDOW_SECONDS_MAX: u32 = 600;
/// The most memory that may be configured for one rung's window, MiB.
pub const HLS_WINDOW_MIB_MAX: u32 = 1024;
