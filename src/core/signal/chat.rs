//! **The question:** what do people say to each other beside picture and sound? A line of the chat, and the few
//! reactions there are.

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::ParticipantId;

// Escaped in JSON, a text takes at most twice its bytes, for it holds no control character but the line feed.
const _: () = assert!(limits::CHAT_TEXT_CHARS_MAX * 4 * 2 + limits::CHAT_MESSAGE_LEN_MAX * 2 < limits::SIGNAL_LEN_MAX);

/// One text that somebody wrote: words and nothing else, whatever they look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatLine {
    /// Counted from 1 in each room: a higher one came later.
    pub id: u64,
    /// Who wrote it.
    pub from: ParticipantId,
    /// Their name, which may be read when they have left.
    pub name: String,
    /// Who alone reads it, beside its writer; absent: everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ParticipantId>,
    /// What they wrote, without control characters but the line feed.
    pub text: String,
    /// When, by the room's clock: milliseconds since 1970.
    pub at_ms: u64,
}

/// What somebody may show for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// 👍
    ThumbsUp,
    /// ❤️
    Heart,
    /// 😂
    Laugh,
    /// 👏
    Clap,
    /// 🎉
    Party,
    /// 😮
    Surprise,
}
