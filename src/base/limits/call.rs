//! Bounds of what people say to each other beside picture and sound, and of how long a seat is kept.

use std::time::Duration;

/// Characters of one text of the chat.
pub const CHAT_TEXT_CHARS_MAX: usize = 2_000;
/// Texts of the chat that a room keeps for those who come later.
pub const CHAT_LINES_MAX: usize = 200;
/// Bytes of names and texts that it keeps so.
pub const CHAT_HISTORY_LEN_MAX: usize = 64 * 1024;
/// Bytes of names and texts in one message of the chat; a single longer one still goes.
pub const CHAT_MESSAGE_LEN_MAX: usize = 8 * 1024;
/// Texts that one person may say at once after a pause, and then each [`CHAT_SPACING`].
pub const CHAT_BURST: u32 = 6;
/// How long after it another text is taken from one person, once the burst is used up; a long one counts as several.
pub const CHAT_SPACING: Duration = Duration::from_secs(1);
/// The same of a whole room: a hundred people hear each text.
pub const CHAT_ROOM_BURST: u32 = 60;
/// The same of a whole room.
pub const CHAT_ROOM_SPACING: Duration = Duration::from_millis(100);
/// Reactions that one person may show at once after a pause, and then each [`REACTION_SPACING`].
pub const REACTION_BURST: u32 = 5;
/// How long after it another reaction is taken from one person, once the burst is used up.
pub const REACTION_SPACING: Duration = Duration::from_millis(500);
/// The same of a whole room.
pub const REACTION_ROOM_BURST: u32 = 40;
/// The same of a whole room.
pub const REACTION_ROOM_SPACING: Duration = Duration::from_millis(50);
/// Messages of the chat that wait for one slow client; with them the whole history has room.
pub const CHATS_WAITING_MAX: usize = 64;
/// Reactions that wait for one slow client; they are of the moment.
pub const REACTIONS_WAITING_MAX: usize = 8;
/// How long somebody's seat is kept whose connection broke.
pub const SEAT_SPAN: Duration = Duration::from_secs(30);
/// Seats of a room whose people were removed, and do not come back to them.
pub const SEATS_REMOVED_MAX: usize = 128;

const _: () = assert!(CHAT_HISTORY_LEN_MAX / CHAT_MESSAGE_LEN_MAX * 2 < CHATS_WAITING_MAX);
