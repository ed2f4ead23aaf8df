//! Bounds of how a node comes to be without rooms.

use std::time::Duration;

/// How long its rooms may run on once a node was asked to end, seconds, unless its operator chooses otherwise.
pub const DRAIN_SECONDS: u32 = 480;
/// The longest that an operator may choose: a day.
pub const DRAIN_SECONDS_MAX: u32 = 86_400;
/// Times on end that a thread may say nothing before a node that was asked to end waits for nobody any more.
pub const PULSES_MISSED_MAX: u32 = 3;
/// Words to the control thread that it is to end: with its last room, and then at once.
pub const STOPS_LEN: usize = 2;
/// How often the log says how many rooms are waited for.
pub const DRAIN_WORD_SPACING: Duration = Duration::from_secs(60);
/// Bytes of what is said of a drain, JSON.
pub const DRAIN_ASKED_LEN_MAX: usize = 1024;
/// How often a command that waits for a node's last room asks it.
pub const DRAIN_POLL_SPACING: Duration = Duration::from_secs(1);
/// Times on end that the node may leave it without an answer.
pub const DRAIN_POLLS_FAILED_MAX: u32 = 10;

const _: () = assert!(DRAIN_SECONDS <= DRAIN_SECONDS_MAX);
