//! **The question:** who is here, in what role, who speaks? Floor 2.
//!
//! Doors: [`RoomCore`] (`handle`, `deadline`, `stats`); [`Lobby`] (`ask`, `decide`) of those who wait to be let in. A
//! room's core keeps the roster and what `mix/` found out of who speaks; who is seen where is `scene/`'s question, what
//! is heard is `mix/`'s.

mod bucket;
mod captions;
mod chat;
mod lobby;
mod moderation;
mod roster;
mod speech;

use std::time::Instant;

pub use bucket::Bucket;
pub use captions::{CaptionRefused, CaptionerId, Captions};
pub use chat::{Chat, ChatRefused, Written};
pub use lobby::{KnockId, KnockKey, Lobby, Outside};
pub use moderation::Rules;
pub use roster::{Member, Refused, Role};

use crate::base::limits;
use crate::base::media::{Outbox, ParticipantId, PeerId, TrackKind};
use crate::core::room::moderation::{HostMuted, Moderation};
use crate::core::room::roster::Roster;
use crate::core::room::speech::Speech;

/// What happens to a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomInput {
    /// A person joins under a display name (cut to `limits::DISPLAY_NAME_LEN_MAX` bytes). Answered by
    /// `RoomOutput::Joined` or `RoomOutput::Refused`.
    Join(ParticipantId, String, Role),
    /// A person leaves. Unknown ones are ignored: two ways to leave may both be taken.
    Leave(ParticipantId),
    /// One who only watches comes. Answered by `RoomOutput::ViewerAdmitted` or `RoomOutput::ViewerRefused`.
    ViewerJoin(PeerId),
    /// One who only watches goes.
    ViewerLeave(PeerId),
    /// Whether a person's track comes in.
    Track(ParticipantId, TrackKind, bool),
    /// Whether what comes in of it cannot be shown.
    Refused(ParticipantId, TrackKind, bool),
    /// What a person says of their track: whether there is anything in it. A muted microphone goes on coming in.
    Stated(ParticipantId, TrackKind, bool),
    /// Who speaks and who has the word, as `mix::Dominance` found; people who are not here, or whose microphone is off,
    /// are left out.
    Speech {
        /// Everybody who speaks.
        speaking: Vec<ParticipantId>,
        /// Who has the word.
        dominant: Option<ParticipantId>,
    },
    /// A person raises a hand, or lowers it.
    Hand(ParticipantId, bool),
    /// A person wants to be heard, or lets the key go where one must be held.
    Talk(ParticipantId, bool),
    /// A person's connection broke, and their place is kept; or they are back.
    Away(ParticipantId, bool),
    /// A host mutes a person, or lets them speak again.
    Mute(ParticipantId, bool),
    /// A host sets the room's rules.
    Rules(Rules),
    /// The deadline came.
    Due,
}

/// What follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomOutput {
    /// The person is in.
    Joined(ParticipantId),
    /// The person is not let in.
    Refused(ParticipantId, Refused),
    /// The person is out.
    Left(ParticipantId),
    /// The viewer is in.
    ViewerAdmitted(PeerId),
    /// The viewer is not let in.
    ViewerRefused(PeerId, Refused),
    /// Members, names or their tracks changed: tell everybody `RoomCore::members`.
    RosterChanged,
    /// Nobody hears this person's microphone from now on, or everybody does again: tell the mix.
    HostMuted(ParticipantId, bool),
    /// The room's rules changed: tell everybody `RoomCore::rules`.
    RulesChanged,
    /// Who speaks changed: tell everybody `RoomCore::speaking` and `RoomCore::dominant`.
    SpeakingChanged,
    /// The last participant left: the room is over, viewers included.
    Ended,
}

/// How a room stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoomStats {
    /// Participants now.
    pub participants: usize,
    /// Viewers now.
    pub viewers: usize,
    /// Participants let in, ever.
    pub joined: u64,
    /// Participants gone, ever: `joined = left + participants`.
    pub left: u64,
    /// Participants and viewers not let in.
    pub refused: u64,
    /// How often the dominant speaker changed.
    pub dominant_changes: u64,
}

/// One room.
#[derive(Debug, Default)]
pub struct RoomCore {
    roster: Roster,
    viewers: Vec<PeerId>,
    speech: Speech,
    moderation: Moderation,
    ended: bool,
    stats: RoomStats,
}

impl RoomCore {
    /// An empty room, waiting for its first participant.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one input and pushes what follows from it.
    pub fn handle(&mut self, _now: Instant, input: RoomInput, out: &mut Outbox<RoomOutput>) {
        match input {
            RoomInput::Join(participant, name, role) => self.join(participant, &name, role, out),
            RoomInput::Leave(participant) => self.leave(participant, out),
            RoomInput::ViewerJoin(peer) => self.viewer_join(peer, out),
            RoomInput::ViewerLeave(peer) => self.viewers.retain(|known| *known != peer),
            RoomInput::Track(participant, kind, runs) => {
                let is_changed = self.roster.set_runs(participant, kind, runs);
                self.track_changed(participant, kind, is_changed, out);
            }
            RoomInput::Refused(participant, kind, refused) => {
                let is_changed = self.roster.set_refused(participant, kind, refused);
                self.track_changed(participant, kind, is_changed, out);
            }
            RoomInput::Stated(participant, kind, on) => {
                let is_changed = self.roster.set_said_off(participant, kind, !on);
                self.track_changed(participant, kind, is_changed, out);
            }
            RoomInput::Speech { speaking, dominant } => self.heard(speaking, dominant, out),
            RoomInput::Hand(participant, raised) => {
                if self.moderation.raise_hand(participant, raised) {
                    out.push(RoomOutput::RosterChanged);
                }
            }
            RoomInput::Talk(participant, talks) => {
                let host_muted = self.moderation.talk(participant, talks);
                self.mute_by_host(host_muted, out);
            }
            RoomInput::Away(participant, away) => self.away(participant, away, out),
            RoomInput::Mute(participant, muted) => {
                let host_muted = self.moderation.mute(participant, muted);
                self.mute_by_host(host_muted, out);
            }
            RoomInput::Rules(rules) => self.set_rules(rules, out),
            RoomInput::Due => {}
        }
    }

    /// When `handle` must be called again at the latest: never by itself, for who speaks is told by `mix/`.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Everybody here, in the order in which they joined.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        self.roster.members()
    }

    /// Everybody who speaks now, in the order of their ids.
    pub fn speaking(&self) -> impl Iterator<Item = ParticipantId> {
        self.speech.speaking()
    }

    /// Who has the word: stays the last speaker in a pause, `None` before anybody spoke.
    #[must_use]
    pub fn dominant(&self) -> Option<ParticipantId> {
        self.speech.dominant()
    }

    /// What holds for everybody here.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.moderation.rules()
    }

    /// Whether nobody hears this person's microphone, by a host's word or the rules.
    #[must_use]
    pub fn is_host_muted(&self, participant: ParticipantId) -> bool {
        self.moderation.is_host_muted(participant)
    }

    /// Whether a host muted this person, and whether they have not asked to talk since they were muted on entry.
    #[must_use]
    pub fn silenced(&self, participant: ParticipantId) -> (bool, bool) {
        self.moderation.silenced(participant)
    }

    /// Whether this person's hand is raised.
    #[must_use]
    pub fn has_hand_up(&self, participant: ParticipantId) -> bool {
        self.moderation.has_hand_up(participant)
    }

    /// How the room stands.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        RoomStats {
            participants: self.roster.members().len(),
            viewers: self.viewers.len(),
            dominant_changes: self.speech.dominant_changes(),
            ..self.stats
        }
    }

    fn join(&mut self, participant: ParticipantId, name: &str, role: Role, out: &mut Outbox<RoomOutput>) {
        let admitted = if self.ended { Err(Refused::Ended) } else { self.roster.admit(participant, name, role) };
        match admitted {
            Ok(()) => {
                self.stats.joined += 1;
                out.push(RoomOutput::Joined(participant));
                out.push(RoomOutput::RosterChanged);
                let host_muted = self.moderation.join(participant);
                self.mute_by_host(host_muted, out);
            }
            Err(reason) => {
                self.stats.refused += 1;
                out.push(RoomOutput::Refused(participant, reason));
            }
        }
    }

    fn leave(&mut self, participant: ParticipantId, out: &mut Outbox<RoomOutput>) {
        if !self.roster.remove(participant) {
            return;
        }
        self.stats.left += 1;
        self.moderation.leave(participant);
        out.push(RoomOutput::Left(participant));
        out.push(RoomOutput::RosterChanged);
        if self.speech.forget(participant) {
            out.push(RoomOutput::SpeakingChanged);
        }
        if self.roster.members().is_empty() {
            self.ended = true;
            self.viewers.clear();
            out.push(RoomOutput::Ended);
        }
    }

    fn viewer_join(&mut self, peer: PeerId, out: &mut Outbox<RoomOutput>) {
        let refused = match () {
            () if self.ended => Some(Refused::Ended),
            () if self.viewers.contains(&peer) => Some(Refused::Present),
            () if self.viewers.len() >= limits::VIEWERS_MAX => Some(Refused::ViewersFull),
            () => None,
        };
        if let Some(reason) = refused {
            self.stats.refused += 1;
            return out.push(RoomOutput::ViewerRefused(peer, reason));
        }
        self.viewers.push(peer);
        out.push(RoomOutput::ViewerAdmitted(peer));
    }

    fn track_changed(
        &mut self,
        participant: ParticipantId,
        kind: TrackKind,
        is_changed: bool,
        out: &mut Outbox<RoomOutput>,
    ) {
        if !is_changed {
            return;
        }
        out.push(RoomOutput::RosterChanged);
        let is_on = self.roster.get(participant).is_some_and(|member| member.has(kind));
        if kind == TrackKind::Microphone && !is_on && self.speech.silence(participant) {
            out.push(RoomOutput::SpeakingChanged);
        }
    }

    fn away(&mut self, participant: ParticipantId, away: bool, out: &mut Outbox<RoomOutput>) {
        // Who held the key let it go with the connection: nothing else tells so any more.
        let host_muted = self.moderation.talk(participant, false);
        self.mute_by_host(host_muted, out);
        if !self.roster.set_away(participant, away) {
            return;
        }
        out.push(RoomOutput::RosterChanged);
        if away && self.speech.forget(participant) {
            out.push(RoomOutput::SpeakingChanged);
        }
    }

    fn set_rules(&mut self, rules: Rules, out: &mut Outbox<RoomOutput>) {
        if self.moderation.rules() != rules {
            let host_muted = self.moderation.set_rules(rules);
            out.push(RoomOutput::RulesChanged);
            self.mute_by_host(host_muted, out);
        }
    }

    fn mute_by_host(&mut self, changes: Vec<HostMuted>, out: &mut Outbox<RoomOutput>) {
        if changes.is_empty() {
            return;
        }
        let mut silenced = false;
        for (participant, host_muted) in changes {
            silenced |= host_muted && self.speech.silence(participant);
            out.push(RoomOutput::HostMuted(participant, host_muted));
        }
        out.push(RoomOutput::RosterChanged);
        if silenced {
            out.push(RoomOutput::SpeakingChanged);
        }
    }

    fn heard(
        &mut self,
        mut speaking: Vec<ParticipantId>,
        dominant: Option<ParticipantId>,
        out: &mut Outbox<RoomOutput>,
    ) {
        let on = |id: &ParticipantId| self.roster.get(*id).is_some_and(|member| member.has(TrackKind::Microphone));
        speaking.retain(on);
        let dominant = dominant.filter(|id| self.roster.get(*id).is_some());
        if self.speech.heard(speaking, dominant) {
            out.push(RoomOutput::SpeakingChanged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(room: &mut RoomCore, now: Instant, n: u64) -> Vec<RoomOutput> {
        let mut out = Outbox::new();
        room.handle(now, RoomInput::Join(ParticipantId(n), format!("Person {n}"), Role::Participant), &mut out);
        out.drain().collect()
    }

    #[test]
    fn a_room_begins_with_the_first_and_ends_with_the_last() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        assert_eq!(join(&mut room, now, 1)[0], RoomOutput::Joined(ParticipantId(1)));
        assert_eq!(join(&mut room, now, 1)[0], RoomOutput::Refused(ParticipantId(1), Refused::Present));
        join(&mut room, now, 2);
        room.handle(now, RoomInput::Leave(ParticipantId(1)), &mut out);
        room.handle(now, RoomInput::Leave(ParticipantId(1)), &mut out);
        assert!(!out.as_slice().contains(&RoomOutput::Ended));
        room.handle(now, RoomInput::Leave(ParticipantId(2)), &mut out);
        assert_eq!(out.as_slice().last(), Some(&RoomOutput::Ended));
        assert_eq!(join(&mut room, now, 3), [RoomOutput::Refused(ParticipantId(3), Refused::Ended)]);
        let stats = room.stats();
        assert_eq!((stats.joined, stats.left, stats.refused, stats.participants), (2, 2, 2, 0));
    }

    #[test]
    fn a_full_room_says_so() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        for n in 0..limits::PARTICIPANTS_MAX as u64 {
            join(&mut room, now, n);
        }
        assert_eq!(join(&mut room, now, 1000), [RoomOutput::Refused(ParticipantId(1000), Refused::ParticipantsFull)]);
        for n in 0..=limits::VIEWERS_MAX as u64 {
            room.handle(now, RoomInput::ViewerJoin(PeerId(n)), &mut out);
        }
        let last = RoomOutput::ViewerRefused(PeerId(limits::VIEWERS_MAX as u64), Refused::ViewersFull);
        assert_eq!(out.as_slice().last(), Some(&last));
        room.handle(now, RoomInput::ViewerLeave(PeerId(0)), &mut out);
        assert_eq!(room.stats().viewers, limits::VIEWERS_MAX - 1);
    }

    #[test]
    fn names_are_cut_at_a_character_and_tracks_change_the_roster_once() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        let name = format!("  {}\u{7}", "ä".repeat(limits::DISPLAY_NAME_LEN_MAX));
        room.handle(now, RoomInput::Join(ParticipantId(1), name, Role::Publisher), &mut out);
        assert_eq!(room.members()[0].name, "ä".repeat(limits::DISPLAY_NAME_LEN_MAX / 2));
        out.drain();
        for on in [true, true, false] {
            room.handle(now, RoomInput::Track(ParticipantId(1), TrackKind::Camera, on), &mut out);
        }
        assert_eq!(out.as_slice(), [RoomOutput::RosterChanged, RoomOutput::RosterChanged]);
        assert!(!room.members()[0].has(TrackKind::Camera));
    }

    #[test]
    fn who_says_that_they_are_muted_is_so_whether_their_sound_came_before_or_comes_after() {
        let now = Instant::now();
        let runs = RoomInput::Track(ParticipantId(1), TrackKind::Microphone, true);
        let muted = RoomInput::Stated(ParticipantId(1), TrackKind::Microphone, false);
        for inputs in [[runs.clone(), muted.clone()], [muted.clone(), runs.clone()]] {
            let (mut room, mut out) = (RoomCore::new(), Outbox::new());
            join(&mut room, now, 1);
            inputs.into_iter().for_each(|input| room.handle(now, input, &mut out));
            assert!(!room.members()[0].has(TrackKind::Microphone));
            room.handle(now, RoomInput::Stated(ParticipantId(1), TrackKind::Microphone, true), &mut out);
            assert!(room.members()[0].has(TrackKind::Microphone));
            room.handle(now, muted.clone(), &mut out);
            room.handle(now, RoomInput::Away(ParticipantId(1), false), &mut out);
            room.handle(now, runs.clone(), &mut out);
            assert!(room.members()[0].has(TrackKind::Microphone), "nothing was said on the new connection");
        }
    }

    #[test]
    fn a_screen_is_off_when_its_owner_says_so_and_a_new_one_is_not() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        join(&mut room, now, 1);
        let has = |room: &RoomCore| room.members()[0].has(TrackKind::Screen);
        let runs = |runs| RoomInput::Track(ParticipantId(1), TrackKind::Screen, runs);
        let off = RoomInput::Stated(ParticipantId(1), TrackKind::Screen, false);
        // As every client says that has not shared one yet.
        room.handle(now, off.clone(), &mut out);
        room.handle(now, runs(true), &mut out);
        assert!(has(&room), "what was said before it began is not of it");
        room.handle(now, off, &mut out);
        room.handle(now, runs(true), &mut out);
        assert!(!has(&room) && room.members()[0].says_off(TrackKind::Screen), "it did not begin anew");
        room.handle(now, runs(false), &mut out);
        room.handle(now, runs(true), &mut out);
        assert!(has(&room));
    }

    #[test]
    fn who_lost_the_connection_keeps_place_name_and_hand_and_is_not_heard() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        join(&mut room, now, 1);
        join(&mut room, now, 2);
        for input in
            [RoomInput::Track(ParticipantId(1), TrackKind::Microphone, true), RoomInput::Hand(ParticipantId(1), true)]
        {
            room.handle(now, input, &mut out);
        }
        let speech = RoomInput::Speech { speaking: vec![ParticipantId(1)], dominant: Some(ParticipantId(1)) };
        room.handle(now, speech.clone(), &mut out);
        out.drain();
        room.handle(now, RoomInput::Away(ParticipantId(1), true), &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [RoomOutput::RosterChanged, RoomOutput::SpeakingChanged]);
        room.handle(now, speech, &mut out);
        assert_eq!((room.speaking().count(), room.stats().participants), (0, 2));
        let member = room.members()[0].clone();
        assert!(member.away && !member.has(TrackKind::Microphone) && room.has_hand_up(ParticipantId(1)));
        assert_eq!(&*member.name, "Person 1");
        out.drain();
        room.handle(now, RoomInput::Away(ParticipantId(1), false), &mut out);
        room.handle(now, RoomInput::Away(ParticipantId(1), false), &mut out);
        room.handle(now, RoomInput::Away(ParticipantId(7), true), &mut out);
        assert_eq!(out.as_slice(), [RoomOutput::RosterChanged], "once, and of nobody who is not here");
        assert_eq!(room.members()[0].participant, ParticipantId(1), "the place is the same");
    }

    #[test]
    fn who_holds_the_key_lets_it_go_with_the_connection() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        let who = ParticipantId(1);
        room.handle(now, RoomInput::Rules(Rules { push_to_talk: true, ..Rules::default() }), &mut out);
        join(&mut room, now, 1);
        for away in [true, false] {
            room.handle(now, RoomInput::Talk(who, true), &mut out);
            assert!(!room.is_host_muted(who));
            out.drain();
            // Of the second, the old connection was not missed before the new one came.
            room.handle(now, RoomInput::Away(who, away), &mut out);
            assert!(room.is_host_muted(who) && out.as_slice().contains(&RoomOutput::HostMuted(who, true)));
            room.handle(now, RoomInput::Away(who, false), &mut out);
        }
    }

    #[test]
    fn a_muted_microphone_does_not_speak() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        join(&mut room, now, 1);
        room.handle(now, RoomInput::Track(ParticipantId(1), TrackKind::Microphone, true), &mut out);
        let speech = |n| RoomInput::Speech { speaking: vec![ParticipantId(n)], dominant: Some(ParticipantId(n)) };
        room.handle(now, speech(1), &mut out);
        assert_eq!(out.as_slice().last(), Some(&RoomOutput::SpeakingChanged));
        assert_eq!(room.speaking().collect::<Vec<_>>(), [ParticipantId(1)]);
        room.handle(now, RoomInput::Track(ParticipantId(1), TrackKind::Microphone, false), &mut out);
        assert_eq!(room.speaking().count(), 0);
        room.handle(now, speech(1), &mut out);
        assert_eq!(room.speaking().count(), 0, "whatever its sender says");
        room.handle(now, speech(77), &mut out);
        assert_eq!((room.speaking().count(), room.dominant()), (0, None), "not a member");
    }
}
