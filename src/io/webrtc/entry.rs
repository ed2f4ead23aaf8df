//! **The question:** what does a net thread know of one peer? The connection, where its tracks go, and what it watches.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::base::media::{PeerId, RoomId, RungId, TrackKind};
use crate::core::ladder::RequestBudget;
use crate::engine::flow::{KeyframeRequest, OpusSender, TrackSender};
use crate::io::webrtc::hearing::Hearing;
use crate::io::webrtc::held::Held;
use crate::io::webrtc::own::OwnSocket;
use crate::io::webrtc::peer::Peer;
use crate::io::webrtc::reach::Reach;
use crate::io::webrtc::relay::RelaySink;
use crate::io::webrtc::saying::Saying;
use crate::io::webrtc::tcp::connection::Connection;

/// Every peer of one net thread.
pub(super) type Entries = HashMap<PeerId, Entry>;

/// Where the frames of one track go.
pub(super) enum Sink {
    /// To a decoder, which may wish for keyframes.
    Video(TrackSender, KeyframeRequest),
    /// To a mixer.
    Sound(OpusSender),
    /// To viewers, as they are.
    Relay(Box<RelaySink>),
}

impl Sink {
    /// What whoever reads it wishes of the sender.
    pub(super) fn keyframe_requests(&self) -> Option<&KeyframeRequest> {
        match self {
            Self::Video(_, keyframe_requests) => Some(keyframe_requests),
            Self::Relay(sink) => sink.keyframe_requests(),
            Self::Sound(_) => None,
        }
    }
}

/// One peer.
pub(super) struct Entry {
    /// The room it entered, if it did and that runs.
    pub(super) room: Option<RoomId>,
    /// The worker it was added at, to which its commands go.
    pub(super) home: usize,
    pub(super) peer: Box<Peer>,
    pub(super) sinks: Vec<(TrackKind, Sink)>,
    pub(super) held: Held,
    pub(super) watching: Watching,
    /// Something was written and not sent yet.
    pub(super) unsent: bool,
    /// How often it may still ask for keyframes.
    pub(super) requests: RequestBudget,
    /// The earliest entry in the thread's timers that stands for it.
    pub(super) timer: Option<Instant>,
    /// The `ice-ufrag` it is known by.
    pub(super) ufrag: String,
    /// Addresses it was seen to own, oldest first.
    pub(super) addresses: Vec<SocketAddr>,
    /// Which of them are its own, and how much the others may get.
    pub(super) reach: Reach,
    /// The socket that it alone has, where this side began the connection.
    pub(super) own: Option<Box<OwnSocket>>,
    /// Its TCP connections, oldest first.
    pub(super) streams: Vec<Connection>,
    /// What is said to it.
    pub(super) saying: Saying,
    /// How much of what it says is taken.
    pub(super) hearing: Hearing,
    /// Per cent of the mix that it lost of late.
    pub(super) sound_lost: f32,
}

/// Which rung a peer gets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Watching {
    /// Its frames follow: it got a keyframe of this rung.
    pub(super) current: Option<RungId>,
    /// The one it gets from that rung's next keyframe on.
    pub(super) next: Option<RungId>,
    /// It gets nothing until then.
    pub(super) halted: bool,
}

impl Watching {
    /// Chooses a rung; what is watched stays until that one's keyframe is there.
    pub(super) fn choose(&mut self, rung: RungId) {
        self.next = (self.current != Some(rung)).then_some(rung);
        // What was left out is missing: its rung goes on at a keyframe too.
        if self.halted && self.next.is_none() {
            self.next = Some(rung);
        }
    }

    /// It gets nothing until a rung is chosen.
    pub(super) fn hold(&mut self) {
        (self.next, self.halted) = (None, true);
    }

    /// Whether a frame of `rung` is for it; a keyframe of the chosen rung makes that the watched one.
    pub(super) fn takes(&mut self, rung: RungId, keyframe: bool) -> bool {
        if keyframe && self.next == Some(rung) {
            *self = Self { current: Some(rung), next: None, halted: false };
        }
        self.current == Some(rung) && !self.halted
    }

    /// The rung of which it needs a keyframe, if it has lost the picture.
    pub(super) fn wants(self) -> Option<RungId> {
        self.current.filter(|_| !self.halted).or(self.next)
    }

    /// Whether it needs `rung` to be read.
    pub(super) fn needs(self, rung: RungId) -> bool {
        self.current == Some(rung) || self.next == Some(rung)
    }

    /// A rung that ended is neither watched nor waited for.
    pub(super) fn forget(&mut self, rung: RungId) {
        self.current = self.current.filter(|watched| *watched != rung);
        if self.next == Some(rung) {
            // What was left out of the one watched is missing.
            self.next = self.current.filter(|_| self.halted);
        }
        self.halted &= self.current.is_some() || self.next.is_some();
    }
}

impl Entry {
    /// A peer that was just answered, added at the worker `home`.
    pub(super) fn new(now: Instant, home: usize, peer: Box<Peer>) -> Self {
        Self {
            room: None,
            home,
            ufrag: peer.ufrag().to_owned(),
            peer,
            sinks: Vec::new(),
            held: Held::default(),
            watching: Watching::default(),
            unsent: false,
            requests: RequestBudget::new(),
            timer: None,
            addresses: Vec::new(),
            reach: Reach::default(),
            own: None,
            streams: Vec::new(),
            saying: Saying::default(),
            hearing: Hearing::new(now),
            sound_lost: 0.0,
        }
    }

    /// When it is to be looked at again; `None` once it ended.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let connection = self.peer.deadline()?;
        let words = [self.saying.deadline(), self.hearing.deadline()];
        Some(words.into_iter().flatten().fold(connection, Instant::min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_rung_is_watched_from_its_keyframe_on_and_the_old_one_until_then() {
        let (small, large) = (RungId(1), RungId(2));
        let mut watching = Watching { next: Some(small), ..Watching::default() };
        assert!(!watching.takes(small, false), "nothing comes before a keyframe");
        assert!(watching.takes(small, true) && watching.takes(small, false));
        watching.choose(large);
        assert!(!watching.takes(large, false) && watching.takes(small, true) && watching.needs(small));
        assert!(watching.takes(large, true) && !watching.takes(small, true) && !watching.needs(small));
        watching.choose(small);
        watching.choose(large);
        let stays = Watching { current: Some(large), ..Watching::default() };
        assert_eq!(watching, stays, "it stays where it is");
        watching.forget(large);
        assert_eq!(watching, Watching::default());
    }

    #[test]
    fn who_is_halted_gets_nothing_before_a_keyframe_even_of_the_rung_that_was_watched() {
        let (small, large) = (RungId(1), RungId(2));
        let mut watching = Watching { current: Some(large), next: Some(small), halted: true };
        assert!(!watching.takes(large, false) && !watching.takes(large, true) && !watching.takes(small, false));
        assert_eq!(watching.wants(), Some(small), "nothing of the large one is for it");
        watching.choose(large);
        assert!(watching.needs(large) && !watching.takes(large, false), "it would refer to what was left out");
        assert!(watching.takes(large, true) && watching.takes(large, false) && !watching.halted);
    }

    #[test]
    fn who_is_held_gets_no_picture_and_asks_for_none_until_a_rung_is_chosen() {
        let (small, large) = (RungId(1), RungId(2));
        for chosen in [small, large] {
            let mut watching = Watching { current: Some(large), ..Watching::default() };
            watching.hold();
            assert!(!watching.takes(large, true) && !watching.takes(small, true) && watching.wants().is_none());
            watching.choose(chosen);
            assert!(watching.wants() == Some(chosen) && !watching.takes(chosen, false));
            assert!(watching.takes(chosen, true) && watching.takes(chosen, false) && !watching.halted);
        }
    }

    #[test]
    fn who_waits_for_a_rung_that_ends_goes_on_at_a_keyframe_of_the_one_before_and_who_is_held_stays_held() {
        let (small, large) = (RungId(1), RungId(2));
        let mut watching = Watching { current: Some(large), next: Some(small), halted: true };
        watching.forget(small);
        assert!(!watching.takes(large, false) && watching.wants() == Some(large) && watching.takes(large, true));
        watching.hold();
        watching.forget(small);
        assert!(!watching.takes(large, true), "{watching:?}");
        watching.forget(large);
        assert_eq!(watching, Watching::default());
    }
}
