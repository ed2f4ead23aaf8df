//! **The question:** who was in the room while it was recorded, and when? By ids alone, which are new for each entry
//! and say nothing to whoever kept none: by them somebody's part of a recording is found again.

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::ParticipantId;

/// Somebody's stay. Times are milliseconds since the recording's zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Who.
    pub participant: ParticipantId,
    /// What chapters, captions and tracks call them, from 1; absent: there are none of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<u32>,
    /// From when on they were in it.
    pub from_ms: u64,
    /// Until when; absent: to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_ms: Option<u64>,
}

/// Somebody comes; false where the list is full.
pub(super) fn came(people: &mut Vec<Presence>, participant: ParticipantId, at_ms: u64) -> bool {
    if let Some(here) = people.iter_mut().find(|here| here.participant == participant) {
        // Back again, or recordable again: one stay, whatever was left out in between.
        here.to_ms = None;
        return true;
    }
    if people.len() >= limits::RECORD_PEOPLE_MAX {
        return false;
    }
    people.push(Presence { participant, person: None, from_ms: at_ms, to_ms: None });
    true
}

/// Somebody goes.
pub(super) fn went(people: &mut [Presence], participant: ParticipantId, at_ms: u64) {
    if let Some(here) = people.iter_mut().find(|here| here.participant == participant) {
        here.to_ms = Some(at_ms);
    }
}

/// Somebody is called by a number in this recording.
pub(super) fn called(people: &mut [Presence], participant: ParticipantId, person: u32) {
    if let Some(here) = people.iter_mut().find(|here| here.participant == participant) {
        here.person = Some(person);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stay_is_one_however_often_it_is_interrupted_and_the_list_is_bounded() {
        let (mut people, ada) = (Vec::new(), ParticipantId(1));
        assert!(came(&mut people, ada, 0));
        went(&mut people, ada, 500);
        assert_eq!(people[0].to_ms, Some(500));
        assert!(came(&mut people, ada, 900));
        called(&mut people, ada, 3);
        assert_eq!(people, [Presence { participant: ada, person: Some(3), from_ms: 0, to_ms: None }]);
        went(&mut people, ParticipantId(9), 1000);
        let all = (2..).map(|n| came(&mut people, ParticipantId(n), 0)).take_while(|fits| *fits).count();
        assert_eq!(all + 1, limits::RECORD_PEOPLE_MAX);
    }
}
