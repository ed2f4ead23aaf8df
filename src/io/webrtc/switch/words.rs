//! **The question:** what is said on one peer's data channel now, and what of the things it says is handed on?

use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::PeerId;
use crate::core::signal::{FromNode, ProblemKind, WordKind};
use crate::io::webrtc::event::NetEvent;
use crate::io::webrtc::hearing::Heard;
use crate::io::webrtc::saying::Put;
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::udp::MediaSocket;

impl Switch {
    /// Says a text now, or as soon as it may be said.
    pub(super) fn say(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, (kind, text): (WordKind, Arc<str>)) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        match entry.saying.put(now, kind, text) {
            Put::Waits => {}
            Put::Superseded => self.counters.signals_coalesced.add(1),
            Put::Discarded => self.counters.signals_discarded.add(1),
        }
        self.exchange_words(socket, now, id);
    }

    /// What a peer said.
    pub(super) fn hear(&mut self, now: Instant, id: PeerId, text: String) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        match entry.hearing.take(now, text) {
            Heard::Now(text) => self.hand_on(id, text),
            Heard::Waits => {}
            Heard::TooMuch(first) => {
                self.counters.signals_refused.add(1);
                if first {
                    let detail = format!(
                        "At most {} messages a second are taken; of those that come faster the newest of each type is.",
                        limits::SIGNALS_PER_SECOND
                    );
                    let problem = FromNode::problem(ProblemKind::TooOften, "You say too much", &detail);
                    entry.saying.put(now, problem.kind(), problem.encode().into());
                }
            }
        }
    }

    /// Says what may be said now, and hands on what waited to be heard.
    pub(super) fn exchange_words(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        while let Some(text) = entry.saying.next(now) {
            if !entry.peer.say(now, &text, &mut self.outbox) {
                entry.saying.hold(now);
                break;
            }
            entry.saying.said(now);
        }
        if let Some(text) = entry.hearing.due(now) {
            self.hand_on(id, text);
        }
        self.drain_outputs(socket, now, id);
    }

    /// Tells the control thread; if that has no room, the text waits again.
    fn hand_on(&mut self, id: PeerId, text: String) {
        let told = self.events.tell(NetEvent::Signal { peer: id, text: text.clone() });
        if let Some(entry) = self.peers.get_mut(&id).filter(|_| !told) {
            entry.hearing.hold(text);
        }
    }
}
