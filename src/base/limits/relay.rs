//! Bounds of relays: rooms of one node that are watched at others.

use std::time::Duration;

/// Rooms of other nodes that are watched here.
pub const RELAYS_MAX: usize = 64;
/// How many watch a room at its own node unless its operator says otherwise; its other places are for relays.
pub const VIEWERS_HERE: u32 = 300;
/// The most of them: one place is left for a node that shows it to others.
pub const VIEWERS_HERE_MAX: u32 = 399;
/// Other nodes that relay one room: each is a viewer of its own node.
pub const RELAYS_PER_ROOM_MAX: usize = 400;
/// Media units that have to be free on a node that is to relay one more room.
pub const RELAY_UNITS: u64 = 1;
/// How long a room's own node may take to answer a relay.
pub const RELAY_CALL_SPAN: Duration = Duration::from_secs(2);
/// How often a relay tells the room's own node how many watch, and hears how the room stands.
pub const RELAY_TELL_SPACING: Duration = Duration::from_secs(2);
/// How soon it asks again where that node said nothing, or that the room is not there.
pub const RELAY_RETRY_SPACING: Duration = Duration::from_millis(500);
/// A relay that told nothing for so long is none any more.
pub const RELAY_FORGET_SPAN: Duration = Duration::from_secs(10);
/// How long a relay goes on that neither hears the room's own node nor is sent anything.
pub const RELAY_PATIENCE_SPAN: Duration = Duration::from_secs(30);
/// How long a relay, or a line of it, that nobody watches goes on: people come and go.
pub const RELAY_LINGER: Duration = Duration::from_secs(3);
/// Bytes of what nodes say to each other of a relay: a description, escaped in JSON.
pub const RELAY_LEN_MAX: usize = 144 * 1024;
/// Rungs that a room may be told to have.
pub const RELAY_RUNGS_MAX: usize = 8;
/// Texts of the chat that a relay keeps for those who come.
pub const RELAY_CHATS_MAX: usize = 32;
/// Bytes of a pass by which a node sends somebody to a relay.
pub const RELAY_PASS_LEN_MAX: usize = 128;
/// How often in a row a room's own node may say that it is not there, before that is believed: it may just have moved.
pub const RELAY_GONE_MAX: u32 = 3;
