//! **The question:** who, and which? Newtypes, so that one id is never taken for another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Empty, or longer than the limit.
    #[error("a room name has 1 to {} characters", limits::ROOM_NAME_LEN_MAX)]
    Length,
    /// A character that would not survive a URL path.
    #[error("a room name consists of letters, digits, '-', '_', '.' and '~'")]
    Character,
    /// Not the text form of a participant's id.
    #[error("a participant id is 'p' followed by 16 hexadecimal digits")]
    Participant,
    /// Not the text form of the id of somebody who waits.
    #[error("the id of somebody who waits is 'k' followed by 16 hexadecimal digits")]
    Knock,
}

/// The name of a room as it stands in URLs: 1 to 64 unreserved characters (RFC 3986 section 2.3).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomId(Arc<str>);

impl RoomId {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoomId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() || text.len() > limits::ROOM_NAME_LEN_MAX {
            return Err(IdError::Length);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        if !text.chars().all(allowed) || text.chars().all(|c| c == '.') {
            return Err(IdError::Character);
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for RoomId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RoomId> for String {
    fn from(id: RoomId) -> Self {
        id.0.to_string()
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoomId({})", self.0)
    }
}

/// One person in a room; public to the room, random, never reused. Text form: `p` and 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParticipantId(pub u64);

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:016x}", self.0)
    }
}

impl FromStr for ParticipantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.strip_prefix('p').filter(|d| d.len() == 16).ok_or(IdError::Participant)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(IdError::Participant);
        }
        u64::from_str_radix(digits, 16).map(Self).map_err(|_| IdError::Participant)
    }
}

impl TryFrom<String> for ParticipantId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<ParticipantId> for String {
    fn from(id: ParticipantId) -> Self {
        id.to_string()
    }
}

/// One WebRTC connection of this process: a participant's, a WHIP publisher's or a viewer's. Counted up, never on the
/// wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// One recording of one room in this process. Counted up, never used again, never on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingTicket(pub u64);

/// What a published track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    /// The person's picture.
    Camera,
    /// The person's voice.
    Microphone,
    /// A shared screen.
    Screen,
    /// The sound of a shared screen.
    ScreenSound,
}

impl TrackKind {
    /// Whether the track carries pictures.
    #[must_use]
    pub fn is_video(self) -> bool {
        matches!(self, Self::Camera | Self::Screen)
    }
}

/// One published medium of one participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId {
    /// Who publishes it.
    pub participant: ParticipantId,
    /// Which of the person's tracks it is.
    pub kind: TrackKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_names_are_parsed_not_validated() {
        assert_eq!("daily.stand-up".parse::<RoomId>().unwrap().as_str(), "daily.stand-up");
        assert_eq!("".parse::<RoomId>(), Err(IdError::Length));
        assert_eq!("a".repeat(65).parse::<RoomId>(), Err(IdError::Length));
        assert_eq!("../etc".parse::<RoomId>(), Err(IdError::Character));
        assert_eq!("..".parse::<RoomId>(), Err(IdError::Character));
    }

    #[test]
    fn participant_ids_survive_their_text_form() {
        let id = ParticipantId(0x0123_4567_89ab_cdef);
        assert_eq!(id.to_string().parse::<ParticipantId>(), Ok(id));
        assert_eq!("p123".parse::<ParticipantId>(), Err(IdError::Participant));
        assert_eq!("p+123456789abcdef".parse::<ParticipantId>(), Err(IdError::Participant));
    }
}
