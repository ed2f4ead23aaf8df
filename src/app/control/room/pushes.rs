//! **The question:** which pushes does a room have, and what is there of each? `pushing` says what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::app::control::room::effect::PushOffer;
use crate::base::media::{PeerId, RungCodecs, RungName};
use crate::core::push::{Push, PushId, PushState};
use crate::engine::flow::Counter;
use crate::io::api::ResourceToken;
use crate::io::push::{PushCounters, PushSession, PushTarget, StreamEnd};

/// All pushes of a room, the oldest first.
#[derive(Default)]
pub struct Pushes(pub BTreeMap<u64, PushEntry>);

/// One push.
pub struct PushEntry {
    /// Where to.
    pub target: Arc<PushTarget>,
    /// The rung that is wished; `None`: the one that the link carries, of a stream the first.
    pub rung: Option<RungName>,
    /// What is offered.
    pub offer: PushOffer,
    /// How it stands.
    pub push: Push,
    /// The connection, while there is one.
    pub line: Option<Line>,
    /// Bytes sent, by all of its connections.
    pub sent: Counter,
    /// As it is counted.
    pub place: Place,
}

/// What the other server took.
pub enum Line {
    /// A connection of WebRTC.
    Peer(PeerLine),
    /// A stream, which ends when this is let go of.
    Stream(#[expect(dead_code, reason = "it is held, and nothing else")] StreamEnd),
}

impl Line {
    /// The connection's name on this side, if it is one.
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Peer(line) => Some(line.peer),
            Self::Stream(_) => None,
        }
    }
}

/// A connection that the other server answered.
pub struct PeerLine {
    /// Its name on this side.
    pub peer: PeerId,
    /// What could steer it; nobody is told.
    pub resource: ResourceToken,
    /// What the other server takes pictures in.
    pub watches: RungCodecs,
    /// What was made of it there, which ends when the line does.
    pub _session: Option<PushSession>,
}

/// A push's place among those of the node.
pub struct Place {
    /// Those of the node.
    pub counters: PushCounters,
    is_live: bool,
}

impl Place {
    /// One more.
    pub fn take(counters: &PushCounters) -> Self {
        counters.pushes.raise(1);
        Self { counters: counters.clone(), is_live: false }
    }

    /// Whether it is up.
    pub fn set_live(&mut self, is_live: bool) {
        let was = std::mem::replace(&mut self.is_live, is_live);
        self.counters.live.raise(u64::from(is_live && !was));
        self.counters.live.lower(u64::from(was && !is_live));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set_live(false);
        self.counters.pushes.lower(1);
    }
}

impl Pushes {
    /// When one of them wants to be called.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|entry| entry.push.deadline()).min()
    }

    /// Where those go that are up.
    pub fn live(&self) -> impl Iterator<Item = &str> {
        let live = self.0.values().filter(|entry| entry.push.stats().state == PushState::Live);
        live.map(|entry| entry.target.shown())
    }

    /// Whose connection it is.
    pub fn of(&self, peer: PeerId) -> Option<PushId> {
        let is_its = |entry: &PushEntry| entry.line.as_ref().and_then(Line::peer) == Some(peer);
        self.0.iter().find(|(_, entry)| is_its(entry)).map(|(id, _)| PushId(*id))
    }
}
