//! **The question:** whose microphone may be heard, and who raised a hand? Rules of the room, and what host and person
//! said.

use crate::base::media::ParticipantId;

/// What holds for everybody in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who joins is hushed until they ask to talk.
    pub mute_on_entry: bool,
    /// A microphone is heard only while its person talks, which their client says while a key is pressed.
    pub push_to_talk: bool,
    /// Nobody new comes in, to take part or to watch by WebRTC, but by a host's token or an operator's.
    pub locked: bool,
    /// Who is new waits until a host lets them in, unless they come by such a token themselves.
    pub lobby: bool,
}

/// One person's part.
#[derive(Debug, Clone, Copy)]
struct Manners {
    participant: ParticipantId,
    hand: bool,
    /// A host muted them; only a host ends it.
    muted_by_host: bool,
    /// They have not asked to talk since they were muted on entry.
    waits: bool,
    /// They hold the key, where one must be held.
    holds: bool,
    /// As last told.
    host_muted: bool,
}

/// Rules and people of one room.
#[derive(Debug, Default)]
pub(super) struct Moderation {
    rules: Rules,
    people: Vec<Manners>,
}

/// A change of somebody's mute_by_host: to be told to the mix.
pub(super) type HostMuted = (ParticipantId, bool);

impl Moderation {
    pub(super) fn rules(&self) -> Rules {
        self.rules
    }

    pub(super) fn join(&mut self, participant: ParticipantId) -> Vec<HostMuted> {
        let waits = self.rules.mute_on_entry;
        self.people.push(Manners {
            participant,
            hand: false,
            muted_by_host: false,
            waits,
            holds: false,
            host_muted: false,
        });
        self.apply_rules()
    }

    pub(super) fn leave(&mut self, participant: ParticipantId) {
        self.people.retain(|person| person.participant != participant);
    }

    /// Whether that changed anything.
    pub(super) fn raise_hand(&mut self, participant: ParticipantId, raised: bool) -> bool {
        self.person(participant).is_some_and(|person| std::mem::replace(&mut person.hand, raised) != raised)
    }

    pub(super) fn talk(&mut self, participant: ParticipantId, talks: bool) -> Vec<HostMuted> {
        let holds = talks && self.rules.push_to_talk;
        if let Some(person) = self.person(participant) {
            person.holds = holds;
            person.waits &= !talks;
        }
        self.apply_rules()
    }

    pub(super) fn mute(&mut self, participant: ParticipantId, muted: bool) -> Vec<HostMuted> {
        if let Some(person) = self.person(participant) {
            person.muted_by_host = muted;
            // A host who unmutes somebody lets them talk.
            person.waits &= muted;
        }
        self.apply_rules()
    }

    pub(super) fn set_rules(&mut self, rules: Rules) -> Vec<HostMuted> {
        self.rules = rules;
        if !rules.push_to_talk {
            self.people.iter_mut().for_each(|person| person.holds = false);
        }
        self.apply_rules()
    }

    pub(super) fn is_host_muted(&self, participant: ParticipantId) -> bool {
        self.people.iter().any(|person| person.participant == participant && person.host_muted)
    }

    /// Whether a host muted this person, and whether they have not asked to talk since they were muted on entry.
    pub(super) fn silenced(&self, participant: ParticipantId) -> (bool, bool) {
        let person = self.people.iter().find(|person| person.participant == participant);
        person.map_or((false, false), |person| (person.muted_by_host, person.waits))
    }

    pub(super) fn has_hand_up(&self, participant: ParticipantId) -> bool {
        self.people.iter().any(|person| person.participant == participant && person.hand)
    }

    fn person(&mut self, participant: ParticipantId) -> Option<&mut Manners> {
        self.people.iter_mut().find(|person| person.participant == participant)
    }

    /// Works out who is hushed now, and who is it or no longer is it since the last time.
    fn apply_rules(&mut self) -> Vec<HostMuted> {
        let rules = self.rules;
        let changed = |person: &mut Manners| {
            let host_muted = person.muted_by_host || person.waits || (rules.push_to_talk && !person.holds);
            (std::mem::replace(&mut person.host_muted, host_muted) != host_muted)
                .then_some((person.participant, host_muted))
        };
        self.people.iter_mut().filter_map(changed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: ParticipantId = ParticipantId(1);
    const BOB: ParticipantId = ParticipantId(2);

    #[test]
    fn a_host_mutes_and_only_a_host_unmutes() {
        let mut moderation = Moderation::default();
        assert_eq!(moderation.join(ADA), []);
        assert_eq!(moderation.mute(ADA, true), [(ADA, true)]);
        assert_eq!(moderation.talk(ADA, true), [], "asking does not help");
        assert!(moderation.is_host_muted(ADA));
        assert_eq!(moderation.mute(ADA, false), [(ADA, false)]);
        assert_eq!(moderation.mute(BOB, true), [], "not here");
    }

    #[test]
    fn muted_on_entry_lasts_until_one_asks_to_talk() {
        let mut moderation = Moderation::default();
        moderation.join(ADA);
        assert_eq!(moderation.set_rules(Rules { mute_on_entry: true, ..Rules::default() }), [], "Ada is in already");
        assert_eq!(moderation.join(BOB), [(BOB, true)]);
        assert_eq!(moderation.talk(BOB, true), [(BOB, false)]);
        assert_eq!(moderation.talk(BOB, false), [], "there is no key to hold");
    }

    #[test]
    fn push_to_talk_follows_the_key() {
        let mut moderation = Moderation::default();
        moderation.join(ADA);
        moderation.join(BOB);
        let rules = Rules { push_to_talk: true, ..Rules::default() };
        assert_eq!(moderation.set_rules(rules), [(ADA, true), (BOB, true)]);
        assert_eq!(moderation.talk(BOB, true), [(BOB, false)]);
        assert_eq!(moderation.talk(BOB, false), [(BOB, true)]);
        assert_eq!(moderation.set_rules(Rules::default()), [(ADA, false), (BOB, false)]);
    }

    #[test]
    fn who_asked_to_be_heard_holds_no_key_and_a_key_is_held_under_its_rule_alone() {
        let mut moderation = Moderation::default();
        let (entry, push) =
            (Rules { mute_on_entry: true, ..Rules::default() }, Rules { push_to_talk: true, ..Rules::default() });
        moderation.set_rules(entry);
        moderation.join(BOB);
        assert_eq!(moderation.talk(BOB, true), [(BOB, false)]);
        assert_eq!(moderation.set_rules(push), [(BOB, true)], "no key was pressed");
        assert_eq!(moderation.talk(BOB, true), [(BOB, false)]);
        assert_eq!(moderation.set_rules(Rules::default()), []);
        assert_eq!(moderation.set_rules(push), [(BOB, true)], "whoever pressed it before presses it again");
    }

    #[test]
    fn a_hand_is_up_until_it_is_lowered_or_its_person_leaves() {
        let mut moderation = Moderation::default();
        moderation.join(ADA);
        assert!(moderation.raise_hand(ADA, true) && !moderation.raise_hand(ADA, true));
        assert!(moderation.has_hand_up(ADA) && !moderation.raise_hand(BOB, true));
        moderation.leave(ADA);
        assert!(!moderation.has_hand_up(ADA));
    }
}
