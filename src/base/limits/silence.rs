//! Bounds of how a client is heard that was silent for a while.

use std::time::Duration;

/// After how long a silence a client is sent a keyframe once it is heard again.
pub const SILENCE_SPAN: Duration = Duration::from_millis(1500);
/// Datagrams that follow each other within this time are of a client that is heard all the time.
pub const SILENCE_CLOSE_SPAN: Duration = Duration::from_millis(500);
/// So many of them in a row.
pub const SILENCE_RUN_MIN: u32 = 16;

const _: () = assert!(SILENCE_CLOSE_SPAN.as_millis() < SILENCE_SPAN.as_millis());
