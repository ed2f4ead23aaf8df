//! **The question:** what does a room take along that goes to another node? Whatever its people would miss: how it is
//! laid out, its rules, who is in it with their seats, what was written, and whether it is recorded. It is read as
//! what anybody might have sent.
//!
//! Doors: [`Baggage`] and what is in it. It names people, so it goes from node to node and is written nowhere.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::limits;
use crate::base::media::{ParticipantId, RoomId};
use crate::core::access::{self, BearerId};
use crate::core::fleet::Label;
use crate::core::room::Rules;
use crate::core::signal::ChatLine;

/// What goes with a room.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Baggage {
    /// Which room.
    pub room: RoomId,
    /// How it is laid out, as `docs/layout.md` describes it.
    pub layout: Value,
    /// The page shown, from 0.
    #[serde(default)]
    pub page: usize,
    /// Who joins is hushed until they ask to talk.
    #[serde(default)]
    pub mute_on_entry: bool,
    /// A microphone is heard only while its person talks.
    #[serde(default)]
    pub push_to_talk: bool,
    /// Nobody new comes in.
    #[serde(default)]
    pub locked: bool,
    /// Who comes without a host's right waits.
    #[serde(default)]
    pub lobby: bool,
    /// Whom hosts banned.
    #[serde(default)]
    pub banned: Vec<BearerId>,
    /// Regions that it may not leave, as tokens said of those who came.
    #[serde(default)]
    pub bound_to: Vec<Label>,
    /// Words along the lower edge; absent: as the node has it.
    #[serde(default)]
    pub banner: Option<String>,
    /// Whether the time of day is shown.
    #[serde(default)]
    pub clock: bool,
    /// Its people, in the order in which they joined.
    pub people: Vec<Traveller>,
    /// What they wrote.
    #[serde(default)]
    pub chat: Vec<ChatLine>,
    /// How many lines there were so far: ids go on.
    #[serde(default)]
    pub lines_so_far: u64,
    /// That it is recorded.
    #[serde(default)]
    pub recording: Option<Recorded>,
    /// Who may not come back: a host removed them.
    #[serde(default)]
    pub removed: Vec<(ParticipantId, String)>,
}

/// One of its people.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traveller {
    /// Who.
    pub id: ParticipantId,
    /// The name that others see.
    pub name: String,
    /// What names their seat, to them alone: the end of their connection's `Location`.
    pub seat: String,
    /// What their token made of them.
    #[serde(default)]
    pub standing: Option<access::Role>,
    /// By what they are known again, if by anything.
    #[serde(default)]
    pub bearer: Option<BearerId>,
    /// Their seat is kept when a connection breaks, as they asked.
    #[serde(default)]
    pub keeps_seat: bool,
    /// Their hand is up.
    #[serde(default)]
    pub hand: bool,
    /// A host muted them.
    #[serde(default)]
    pub muted_by_host: bool,
    /// They have not asked to talk since they were muted on entry.
    #[serde(default)]
    pub waits: bool,
    /// Recordings neither show nor sound them.
    #[serde(default)]
    pub unrecorded: bool,
    /// How loud others hear them, where a host said so.
    #[serde(default)]
    pub volume_percent: Option<u16>,
}

/// What is wished of a recording that goes on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Whose it is.
    #[serde(default)]
    pub owner: Option<String>,
    /// How long it is kept, seconds; absent: as long as the node keeps recordings.
    #[serde(default)]
    pub retention_s: Option<u64>,
}

// Names of rooms and people stay out of logs.
impl fmt::Debug for Baggage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Baggage").field("people", &self.people.len()).finish_non_exhaustive()
    }
}

/// Why something is no baggage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaggageError {
    /// More people than a room takes.
    #[error("{0} people; a room has {max} at most", max = limits::PARTICIPANTS_MAX)]
    People(usize),
    /// More lines than are kept.
    #[error("{0} lines of chat; {max} are kept", max = limits::CHAT_LINES_MAX)]
    Chat(usize),
    /// More who may not come back than are remembered.
    #[error("{0} who were removed; {max} are remembered", max = limits::SEATS_REMOVED_MAX)]
    Removed(usize),
    /// More who are banned, or more regions, than are remembered.
    #[error("{0} who are banned or regions that bind; {max} are remembered", max = limits::BANS_MAX)]
    Bound(usize),
    /// A name or a banner that is longer than any.
    #[error("a text of {0} bytes")]
    Text(usize),
    /// Two who are one.
    #[error("somebody is there twice")]
    Twice,
}

impl Baggage {
    /// What holds for everybody in the room.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        let Self { mute_on_entry, push_to_talk, locked, lobby, .. } = *self;
        Rules { mute_on_entry, push_to_talk, locked, lobby }
    }

    /// Whether it could be a room's.
    ///
    /// # Errors
    /// When there is more of something than a room has.
    pub fn check(&self) -> Result<(), BaggageError> {
        if self.people.len() > limits::PARTICIPANTS_MAX {
            return Err(BaggageError::People(self.people.len()));
        }
        if self.chat.len() > limits::CHAT_LINES_MAX {
            return Err(BaggageError::Chat(self.chat.len()));
        }
        if self.removed.len() > limits::SEATS_REMOVED_MAX {
            return Err(BaggageError::Removed(self.removed.len()));
        }
        if let Some(most) = Some(self.banned.len().max(self.bound_to.len())).filter(|most| *most > limits::BANS_MAX) {
            return Err(BaggageError::Bound(most));
        }
        let names = self.people.iter().map(|one| &one.name).chain(self.chat.iter().map(|line| &line.name));
        let long = names.map(String::len).find(|len| *len > limits::DISPLAY_NAME_LEN_MAX);
        let lines = self.chat.iter().map(|line| line.text.len());
        let long = long.or_else(|| lines.into_iter().find(|len| *len > limits::CHAT_TEXT_CHARS_MAX * 4));
        if let Some(len) = long {
            return Err(BaggageError::Text(len));
        }
        let mut ids: Vec<ParticipantId> = self.people.iter().map(|one| one.id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|two| two[0] == two[1]) { Err(BaggageError::Twice) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baggage() -> Baggage {
        serde_json::from_value(serde_json::json!({
            "room": "daily", "layout": {}, "locked": true,
            "people": [{ "id": ParticipantId(7), "name": "Ada", "seat": "0".repeat(32), "hand": true }],
        }))
        .unwrap()
    }

    #[test]
    fn what_is_not_said_is_as_a_room_begins_and_what_is_unknown_is_left_out() {
        let read = baggage();
        assert_eq!(read.rules(), Rules { locked: true, ..Rules::default() });
        assert!(read.people[0].hand && !read.people[0].unrecorded && read.recording.is_none());
        let mut value = serde_json::to_value(&read).unwrap();
        value["of_a_later_version"] = true.into();
        assert_eq!(serde_json::from_value::<Baggage>(value).unwrap(), read);
        assert!(!format!("{read:?}").contains("Ada"));
    }

    #[test]
    fn more_than_a_room_has_is_no_rooms() {
        assert_eq!(baggage().check(), Ok(()));
        let with = |change: fn(&mut Baggage)| {
            let mut changed = baggage();
            change(&mut changed);
            changed.check()
        };
        assert_eq!(with(|one| one.people.push(one.people[0].clone())), Err(BaggageError::Twice));
        assert!(matches!(with(|one| one.people = vec![one.people[0].clone(); 101]), Err(BaggageError::People(101))));
        assert!(matches!(with(|one| one.people[0].name = "x".repeat(9_999)), Err(BaggageError::Text(9_999))));
        assert_eq!(with(|one| one.banned = vec![BearerId([0; 32]); 1_025]), Err(BaggageError::Bound(1_025)));
        assert!(matches!(
            with(|one| one.removed = vec![(ParticipantId(1), String::new()); 999]),
            Err(BaggageError::Removed(999))
        ));
    }
}
