//! **The question:** who does not want to be recorded? They and, for a while, those of them who left or no longer mind:
//! until a tile that fades is gone, and so that nobody can have a recording cut to pieces.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::ParticipantId;

/// Those who do not want to be recorded.
#[derive(Debug, Default)]
pub struct Refusers {
    people: BTreeSet<ParticipantId>,
    /// Those of them who stay hidden only until then.
    leaving: Vec<(ParticipantId, Instant)>,
    /// Those who are hidden no longer, and until when they were: what they said may be written down only now.
    lifted: Vec<(ParticipantId, Instant)>,
}

impl Refusers {
    /// Everyone who is hidden.
    pub fn people(&self) -> &BTreeSet<ParticipantId> {
        &self.people
    }

    /// Whether somebody is hidden.
    pub fn contains(&self, participant: ParticipantId) -> bool {
        self.people.contains(&participant)
    }

    /// Somebody does not want to be recorded from now on; false if that is known.
    pub fn add(&mut self, participant: ParticipantId) -> bool {
        self.leaving.retain(|(leaving, _)| *leaving != participant);
        self.people.insert(participant)
    }

    /// Somebody left, or no longer minds.
    pub fn let_go(&mut self, now: Instant, participant: ParticipantId) {
        if self.people.contains(&participant) && !self.leaving.iter().any(|(leaving, _)| *leaving == participant) {
            self.leaving.push((participant, now + limits::UNRECORDED_LINGER));
        }
    }

    /// Those who are hidden no longer.
    pub fn lift(&mut self, now: Instant) -> Vec<ParticipantId> {
        let gone: Vec<ParticipantId> =
            self.leaving.extract_if(.., |(_, at)| *at <= now).map(|(participant, _)| participant).collect();
        self.people.retain(|participant| !gone.contains(participant));
        self.lifted.retain(|(_, at)| now.saturating_duration_since(*at) <= limits::CAPTION_AGE_MAX);
        self.lifted.extend(gone.iter().map(|participant| (*participant, now)));
        gone
    }

    /// Until when somebody was hidden who no longer is, of late: what they said before belongs in no recording.
    pub fn until(&self, participant: ParticipantId) -> Option<Instant> {
        self.lifted.iter().rev().find(|(one, _)| *one == participant).map(|(_, at)| *at)
    }

    /// When the next one is hidden no longer.
    pub fn deadline(&self) -> Option<Instant> {
        self.leaving.iter().map(|(_, at)| *at).min()
    }
}
