//! **The question:** what happened, and in which words is it told?

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::media::{ParticipantId, RoomId, Wallclock};
use crate::core::record::utc_text;

/// A change of state that somebody may want to know of. What it serialises to is a message's `data`; it has no text
/// form, for it may hold a person's name.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub enum Happening {
    /// The first one is about to come in.
    RoomBegan {
        /// Which.
        room: RoomId,
    },
    /// It is over.
    RoomEnded {
        /// Which.
        room: RoomId,
        /// How long it was.
        duration_s: u64,
        /// Why, for people.
        reason: String,
    },
    /// Somebody is in.
    ParticipantJoined {
        /// Where.
        room: RoomId,
        /// Who.
        participant: ParticipantId,
        /// What they call themselves, if the operator wants to know.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Somebody is out; whose connection breaks keeps their place for a while first.
    ParticipantLeft {
        /// Where.
        room: RoomId,
        /// Who.
        participant: ParticipantId,
    },
    /// Something of the room is stored from now on.
    RecordingBegan {
        /// Which room.
        room: RoomId,
    },
    /// A recording that began is closed.
    RecordingEnded {
        /// Which room's.
        room: RoomId,
        /// What it is read by, if it can be.
        recording: Option<String>,
        /// How long it is.
        duration_s: u64,
        /// Of its files.
        bytes: u64,
    },
    /// What there was of a recording is deleted.
    RecordingErased {
        /// Which.
        recording: String,
        /// Whether its time was over, in place of somebody's asking.
        expired: bool,
    },
    /// A push came up, failed, or was ended.
    PushChanged {
        /// Which room's.
        room: RoomId,
        /// Which of its pushes.
        push: String,
        /// `live`, `waiting` for its next try, or `ended`.
        state: &'static str,
        /// Scheme, host and port of where it goes.
        target: String,
    },
    /// The node begins no room any more.
    DrainBegan {
        /// Whether the process ends with its last room.
        leaving: bool,
        /// Rooms that run.
        rooms: usize,
        /// How long they may.
        within_s: Option<u64>,
    },
    /// It begins rooms again.
    DrainRevoked {},
    /// Little is left of the machine, or no room can begin.
    CapacityLow {
        /// What it has, media units.
        units: u64,
        /// What its rooms take.
        reserved_units: u64,
    },
    /// There is enough again.
    CapacityRestored {
        /// What it has, media units.
        units: u64,
        /// What its rooms take.
        reserved_units: u64,
    },
}

/// A kind of happening, by which an operator chooses what to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum EventKind {
    /// See [`Happening::RoomBegan`].
    RoomBegan,
    /// See [`Happening::RoomEnded`].
    RoomEnded,
    /// See [`Happening::ParticipantJoined`].
    ParticipantJoined,
    /// See [`Happening::ParticipantLeft`].
    ParticipantLeft,
    /// See [`Happening::RecordingBegan`].
    RecordingBegan,
    /// See [`Happening::RecordingEnded`].
    RecordingEnded,
    /// See [`Happening::RecordingErased`].
    RecordingErased,
    /// See [`Happening::PushChanged`].
    PushChanged,
    /// See [`Happening::DrainBegan`].
    DrainBegan,
    /// See [`Happening::DrainRevoked`].
    DrainRevoked,
    /// See [`Happening::CapacityLow`].
    CapacityLow,
    /// See [`Happening::CapacityRestored`].
    CapacityRestored,
}

/// A word that names no kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventKindError;

impl fmt::Display for EventKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("events are")?;
        let last = EventKind::ALL.len() - 1;
        EventKind::ALL.iter().enumerate().try_for_each(|(at, kind)| match at {
            0 => write!(f, " {}", kind.name()),
            _ if at == last => write!(f, " and {}; an empty list means all of them", kind.name()),
            _ => write!(f, ", {}", kind.name()),
        })
    }
}

impl std::error::Error for EventKindError {}

impl EventKind {
    /// All there are.
    pub const ALL: [Self; 12] = [
        Self::RoomBegan,
        Self::RoomEnded,
        Self::ParticipantJoined,
        Self::ParticipantLeft,
        Self::RecordingBegan,
        Self::RecordingEnded,
        Self::RecordingErased,
        Self::PushChanged,
        Self::DrainBegan,
        Self::DrainRevoked,
        Self::CapacityLow,
        Self::CapacityRestored,
    ];

    /// As a message's `type` and the configuration have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoomBegan => "room.began",
            Self::RoomEnded => "room.ended",
            Self::ParticipantJoined => "participant.joined",
            Self::ParticipantLeft => "participant.left",
            Self::RecordingBegan => "recording.began",
            Self::RecordingEnded => "recording.ended",
            Self::RecordingErased => "recording.erased",
            Self::PushChanged => "push.changed",
            Self::DrainBegan => "drain.began",
            Self::DrainRevoked => "drain.revoked",
            Self::CapacityLow => "capacity.low",
            Self::CapacityRestored => "capacity.restored",
        }
    }
}

impl FromStr for EventKind {
    type Err = EventKindError;

    fn from_str(text: &str) -> Result<Self, EventKindError> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or(EventKindError)
    }
}

impl TryFrom<String> for EventKind {
    type Error = EventKindError;

    fn try_from(text: String) -> Result<Self, EventKindError> {
        text.parse()
    }
}

impl From<EventKind> for &'static str {
    fn from(kind: EventKind) -> Self {
        kind.name()
    }
}

impl Happening {
    /// Which kind it is of.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::RoomBegan { .. } => EventKind::RoomBegan,
            Self::RoomEnded { .. } => EventKind::RoomEnded,
            Self::ParticipantJoined { .. } => EventKind::ParticipantJoined,
            Self::ParticipantLeft { .. } => EventKind::ParticipantLeft,
            Self::RecordingBegan { .. } => EventKind::RecordingBegan,
            Self::RecordingEnded { .. } => EventKind::RecordingEnded,
            Self::RecordingErased { .. } => EventKind::RecordingErased,
            Self::PushChanged { .. } => EventKind::PushChanged,
            Self::DrainBegan { .. } => EventKind::DrainBegan,
            Self::DrainRevoked {} => EventKind::DrainRevoked,
            Self::CapacityLow { .. } => EventKind::CapacityLow,
            Self::CapacityRestored { .. } => EventKind::CapacityRestored,
        }
    }

    /// The room whose order it stands in; none: the node's own.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::RoomBegan { room }
            | Self::RoomEnded { room, .. }
            | Self::ParticipantJoined { room, .. }
            | Self::ParticipantLeft { room, .. }
            | Self::RecordingBegan { room }
            | Self::RecordingEnded { room, .. }
            | Self::PushChanged { room, .. } => Some(room),
            Self::RecordingErased { .. }
            | Self::DrainBegan { .. }
            | Self::DrainRevoked {}
            | Self::CapacityLow { .. }
            | Self::CapacityRestored { .. } => None,
        }
    }
}

/// Who says something, and how much they have said.
#[derive(Debug, Clone)]
pub struct Sender {
    /// What the operator calls the node.
    pub node: String,
    /// Which of its runs this is.
    pub run: String,
}

impl Sender {
    /// A message's bytes: JSON. `id` is the same at each try; `sequence` counts what this run says, from 0.
    #[must_use]
    pub fn body(&self, id: &str, at: Wallclock, sequence: u64, happening: &Happening) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            id: &'a str,
            #[serde(rename = "type")]
            kind: &'static str,
            timestamp: String,
            node: &'a str,
            run: &'a str,
            sequence: u64,
            data: &'a Happening,
        }
        let (kind, timestamp) = (happening.kind().name(), utc_text(at));
        let body = Body { id, kind, timestamp, node: &self.node, run: &self.run, sequence, data: happening };
        serde_json::to_string(&body).expect("words and numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::base::media::NANOS_PER_SECOND;

    fn body(happening: &Happening) -> Value {
        let sender = Sender { node: "a".into(), run: "r1".into() };
        let at = Wallclock(1_735_689_599 * NANOS_PER_SECOND);
        serde_json::from_str(&sender.body("msg_1", at, 7, happening)).unwrap()
    }

    #[test]
    fn a_message_says_what_happened_where_when_and_after_what() {
        let room: RoomId = "stage".parse().unwrap();
        let joined = Happening::ParticipantJoined { room, participant: ParticipantId(1), name: None };
        assert_eq!(
            body(&joined),
            json!({
                "id": "msg_1", "type": "participant.joined", "timestamp": "2024-12-31T23:59:59Z", "node": "a",
                "run": "r1", "sequence": 7, "data": { "room": "stage", "participant": "p0000000000000001" },
            })
        );
        assert_eq!(body(&Happening::DrainRevoked {})["data"], json!({}));
    }

    #[test]
    fn every_kind_has_a_name_of_its_own_and_another_word_is_told_all_of_them() {
        for kind in EventKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        let told = "room.renamed".parse::<EventKind>().unwrap_err().to_string();
        assert!(EventKind::ALL.iter().all(|kind| told.contains(kind.name())), "{told}");
    }
}
