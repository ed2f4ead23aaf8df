//! **The question:** who is here, in what role, who speaks? Floor 1.
//!
//! Doors: [`RoomCore`] (`handle`, `deadline`, `stats`). It keeps the roster and finds the dominant speaker; who is seen where is
//! `scene/`'s question, what is heard is `mix/`'s.

mod roster;
mod speech;

use std::time::Instant;

pub use roster::{Member, Refused, Role};

use crate::limits;
use crate::media::{AudioLevel, Outbox, ParticipantId, PeerId, TrackKind};
use crate::room::roster::Roster;
use crate::room::speech::Speech;

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
    /// Whether a person's track is on: a camera that shows something, a microphone that is not muted.
    Track(ParticipantId, TrackKind, bool),
    /// How loud a person is; several times a second for those who send sound.
    Level(ParticipantId, AudioLevel),
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
    pub fn handle(&mut self, now: Instant, input: RoomInput, out: &mut Outbox<RoomOutput>) {
        match input {
            RoomInput::Join(participant, name, role) => self.join(participant, &name, role, out),
            RoomInput::Leave(participant) => self.leave(participant, out),
            RoomInput::ViewerJoin(peer) => self.viewer_join(peer, out),
            RoomInput::ViewerLeave(peer) => self.viewers.retain(|known| *known != peer),
            RoomInput::Track(participant, kind, on) => self.track(participant, kind, on, out),
            RoomInput::Level(participant, level) => {
                if self.roster.get(participant).is_some() {
                    self.speech.level(now, participant, level);
                }
            }
            RoomInput::Due => {}
        }
        if self.speech.settle(now) {
            out.push(RoomOutput::SpeakingChanged);
        }
    }

    /// When `handle` must be called again at the latest: somebody may have stopped speaking.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.speech.deadline()
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
        self.speech.forget(participant);
        out.push(RoomOutput::Left(participant));
        out.push(RoomOutput::RosterChanged);
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

    fn track(&mut self, participant: ParticipantId, kind: TrackKind, on: bool, out: &mut Outbox<RoomOutput>) {
        if !self.roster.set_track(participant, kind, on) {
            return;
        }
        if kind == TrackKind::Microphone && !on {
            self.speech.silence(participant);
        }
        out.push(RoomOutput::RosterChanged);
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
    fn a_muted_microphone_does_not_speak() {
        let now = Instant::now();
        let (mut room, mut out) = (RoomCore::new(), Outbox::new());
        join(&mut room, now, 1);
        room.handle(now, RoomInput::Track(ParticipantId(1), TrackKind::Microphone, true), &mut out);
        room.handle(now, RoomInput::Level(ParticipantId(1), AudioLevel(20)), &mut out);
        assert_eq!(room.speaking().collect::<Vec<_>>(), [ParticipantId(1)]);
        room.handle(now, RoomInput::Track(ParticipantId(1), TrackKind::Microphone, false), &mut out);
        assert_eq!(room.speaking().count(), 0);
        room.handle(now, RoomInput::Level(ParticipantId(77), AudioLevel(20)), &mut out);
        assert_eq!(room.speaking().count(), 0, "not a member");
    }
}
