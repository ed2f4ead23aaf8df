//! **The question:** how does each relay stand, and when is something due of it?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use crate::app::control::relay::words::Words;
use crate::app::control::trickling::Trickling;
use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, MixTick, PeerId, RoomEpoch, RoomId, RungCodecs, RungId, RungName};
use crate::core::fleet::{RelaySeen, RelayTerms};
use crate::core::ladder::ViewerRung;
use crate::core::push::Push;
use crate::engine::flow::{Fan, KeyframeRequest};
use crate::io::api::ResourceToken;
use crate::io::fleet::{Mover, Relayer};
use crate::io::push::PushSession;
use crate::io::webrtc::RelayClock;

/// All of them.
pub(in crate::app::control) struct Relays {
    /// Rooms of other nodes that are watched here.
    pub(super) rooms: HashMap<RoomId, Relay>,
    /// Of each of their connections, to the room's own node and to those who watch.
    pub(super) peers: HashMap<PeerId, RoomId>,
    /// At which nodes rooms of this one are watched, and when those last said so.
    pub(super) known: HashMap<RoomId, Vec<(RelaySeen, Instant)>>,
    pub(super) relayer: Relayer,
}

/// One room of another node.
pub(super) struct Relay {
    /// Where that one is reached, without a slash at its end.
    pub(super) owner: String,
    /// How the room stands there, once that was told.
    pub(super) terms: Option<RelayTerms>,
    /// How the room's clock goes here, from then on.
    pub(super) clock: Option<(RoomEpoch, i64)>,
    pub(super) audio: Fan<MixTick>,
    /// By their numbers.
    pub(super) lines: BTreeMap<u64, Line>,
    /// The line whose sound is heard.
    pub(super) heard: Option<u64>,
    pub(super) guests: BTreeMap<PeerId, Guest>,
    pub(super) words: Words,
    /// When the room's own node is asked next, and since when an answer of it is awaited.
    pub(super) ask_at: Instant,
    pub(super) asked: Option<Instant>,
    /// How often in a row that node said that the room is not there.
    pub(super) gone: u32,
    /// When that node, or anything of the room, was last heard of.
    pub(super) alive: Instant,
    /// Since when nobody watches, or is on the way.
    pub(super) idle_since: Option<Instant>,
}

/// One rung of a room of another node.
pub(super) struct Line {
    /// Its place among the rungs, from the largest.
    pub(super) at: usize,
    pub(super) codec: Codec,
    pub(super) fan: Fan<EncodedFrame>,
    pub(super) keyframe_requests: KeyframeRequest,
    /// How far the connection is.
    pub(super) push: Push,
    pub(super) peer: Option<PeerId>,
    /// What ends it there.
    pub(super) session: Option<PushSession>,
    /// Its sound comes.
    pub(super) sounds: bool,
    /// What is said comes by it, or would.
    pub(super) speaks: bool,
    pub(super) guests: BTreeSet<PeerId>,
    pub(super) idle_since: Option<Instant>,
}

/// Somebody who watches.
pub(super) struct Guest {
    pub(super) resource: ResourceToken,
    pub(super) trickling: Trickling,
    pub(super) takes: RungCodecs,
    /// The rung that they asked for.
    pub(super) wish: Option<RungName>,
    /// What their link carries, where they asked for none.
    pub(super) rung: Option<ViewerRung>,
    pub(super) line: Option<u64>,
    /// Their data channel is open.
    pub(super) hears: bool,
}

impl Relays {
    /// None; other nodes are asked as `mover` does.
    pub(in crate::app::control) fn new(mover: Mover) -> Self {
        let relayer = Relayer::new(mover);
        Self { rooms: HashMap::new(), peers: HashMap::new(), known: HashMap::new(), relayer }
    }

    /// Whether a connection is of one of them.
    pub(in crate::app::control) fn has(&self, peer: PeerId) -> bool {
        self.peers.contains_key(&peer)
    }

    /// When something is due.
    pub(in crate::app::control) fn deadline(&self) -> Option<Instant> {
        self.rooms.values().map(Relay::deadline).min()
    }
}

impl Relay {
    /// One that nobody watches yet, of a room of the node at `owner`.
    pub(super) fn new(now: Instant, owner: String, audio: Fan<MixTick>) -> Self {
        Self {
            owner,
            terms: None,
            clock: None,
            audio,
            lines: BTreeMap::new(),
            heard: None,
            guests: BTreeMap::new(),
            words: Words::default(),
            ask_at: now,
            asked: None,
            gone: 0,
            alive: now,
            idle_since: Some(now),
        }
    }

    /// The clock that its frames are placed by.
    pub(super) fn relay_clock(&self) -> Option<RelayClock> {
        self.clock.map(|(epoch, ahead_ms)| RelayClock::new(epoch, ahead_ms))
    }

    /// The line of a connection to the room's own node.
    pub(super) fn line_of(&self, peer: PeerId) -> Option<u64> {
        self.lines.iter().find(|(_, line)| line.peer == Some(peer)).map(|(id, _)| *id)
    }

    /// The rung that somebody gets, by its place, and in what.
    pub(super) fn wanted(&self, guest: &Guest) -> Option<(usize, Codec)> {
        let terms = self.terms.as_ref()?;
        let named = guest.wish.and_then(|wish| terms.rungs.iter().position(|rung| rung.size() == Some(wish.0)));
        let follows = guest.rung.as_ref().map_or(0, ViewerRung::at);
        let at = named.unwrap_or(follows).min(terms.rungs.len() - 1);
        Some((at, terms.codec_for(guest.takes)))
    }

    /// The line that brings this.
    pub(super) fn line(&self, (at, codec): (usize, Codec)) -> Option<u64> {
        self.lines.iter().find(|(_, line)| (line.at, line.codec) == (at, codec)).map(|(id, _)| *id)
    }

    /// Whether anything of the room comes.
    pub(super) fn is_live(&self) -> bool {
        self.lines.values().any(|line| line.peer.is_some())
    }

    /// Nobody watches by this line any more.
    pub(super) fn leave_line(&mut self, now: Instant, id: u64, peer: PeerId) {
        if let Some(line) = self.lines.get_mut(&id)
            && line.guests.remove(&peer)
            && line.guests.is_empty()
        {
            line.idle_since = Some(now);
        }
    }

    /// When something is due of it.
    pub(super) fn deadline(&self) -> Instant {
        let lines = self.lines.values().flat_map(|line| [line.push.deadline(), line.idle_since.map(|at| at + LINGER)]);
        let rungs = self.guests.values().filter_map(|guest| guest.rung.as_ref()?.deadline()).map(Some);
        let idle = [self.idle_since.map(|at| at + LINGER)];
        let late = self.asked.map(|at| at + limits::RELAY_CALL_SPAN * 3);
        let ask = late.unwrap_or(self.ask_at);
        lines.chain(rungs).chain(idle).flatten().fold(ask, Instant::min)
    }
}

const LINGER: Duration = limits::RELAY_LINGER;

/// A line's id among the net threads.
pub(super) const fn rung(id: u64) -> RungId {
    RungId(id)
}
