//! **The question:** who of those here speaks, and who has the word? `mix/` finds it out tick by tick; the room
//! remembers it for the people it knows, and forgets it when somebody is muted or leaves.

use crate::base::media::ParticipantId;

/// The speakers of one room.
#[derive(Debug, Default)]
pub(super) struct Speech {
    /// Those who speak, in the order of their ids.
    speaking: Vec<ParticipantId>,
    dominant: Option<ParticipantId>,
    dominant_changes: u64,
}

impl Speech {
    /// What `mix/` says now; whether it is news.
    pub(super) fn heard(&mut self, mut speaking: Vec<ParticipantId>, dominant: Option<ParticipantId>) -> bool {
        speaking.sort_unstable();
        let word = self.dominant != dominant;
        self.dominant_changes += u64::from(word && dominant.is_some());
        self.dominant = dominant;
        std::mem::replace(&mut self.speaking, speaking) != self.speaking || word
    }

    /// A microphone was muted; whether it was speaking.
    pub(super) fn silence(&mut self, participant: ParticipantId) -> bool {
        let before = self.speaking.len();
        self.speaking.retain(|id| *id != participant);
        self.speaking.len() < before
    }

    /// A member left; whether they spoke or had the word.
    pub(super) fn forget(&mut self, participant: ParticipantId) -> bool {
        let had_word = self.dominant == Some(participant);
        self.dominant = self.dominant.filter(|_| !had_word);
        self.silence(participant) | had_word
    }

    pub(super) fn speaking(&self) -> impl Iterator<Item = ParticipantId> {
        self.speaking.iter().copied()
    }

    pub(super) fn dominant(&self) -> Option<ParticipantId> {
        self.dominant
    }

    pub(super) fn dominant_changes(&self) -> u64 {
        self.dominant_changes
    }
}
