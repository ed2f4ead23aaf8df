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
/// How long the process waits for a node whose time is over to end by itself.
pub const DRAIN_OVERTIME: Duration = Duration::from_secs(1);
/// Bytes of what is said of a drain, JSON.
pub const DRAIN_ASKED_LEN_MAX: usize = 1024;
/// How often a command that waits for a node's last room asks it.
pub const DRAIN_POLL_SPACING: Duration = Duration::from_secs(1);
/// Times on end that the node may leave it without an answer.
pub const DRAIN_POLLS_FAILED_MAX: u32 = 10;
/// How long the process may go on for after rooms begin to move, of a node that was asked to end.
pub const MOVE_SPAN: Duration = Duration::from_secs(60);
/// Rooms that move at a time.
pub const MOVES_AT_ONCE: usize = 8;
/// How long a node may take to say whether it takes a room, and to take it.
pub const MOVE_CALL_SPAN: Duration = Duration::from_secs(2);
/// How long is waited before a room that stayed is moved again, or a node asked again that has it and says nothing.
pub const MOVE_RETRY_SPACING: Duration = Duration::from_secs(1);
/// The longest that is waited before a room that stayed is moved again.
pub const MOVE_RETRY_SPACING_MAX: Duration = Duration::from_secs(15);
/// How long the people of a room that moved may take to leave its former node.
pub const MOVE_FOLLOW_SPAN: Duration = Duration::from_secs(15);
/// How long a node that leaves answers after a room went: who was sent off asks again, and is led there.
pub const MOVE_LINGER_SPAN: Duration = Duration::from_secs(3);
/// Bytes of a room's settings and people: its chat, escaped, and a hundred names fit many times.
pub const MOVE_LEN_MAX: usize = 512 * 1024;
/// By how much the clocks of nodes may differ.
pub const MOVE_CLOCKS_SPAN: Duration = Duration::from_secs(60);
/// How long what a client is let in by may be used at the room's new node.
pub const MOVE_PASS_SPAN: Duration = Duration::from_secs(120);
/// Bytes of the secret that nodes share, at least.
pub const FLEET_SECRET_LEN_MIN: usize = 32;
/// Rooms that are asked to be moved and wait for their turn.
pub const FLEET_SHIFTS_LEN: usize = 64;

const _: () = assert!(DRAIN_SECONDS <= DRAIN_SECONDS_MAX);
