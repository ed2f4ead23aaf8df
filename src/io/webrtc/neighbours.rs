//! **The question:** what does this net thread owe the others? Where peers that were added here live now, and what
//! could not be handed over yet.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::base::media::PeerId;
use crate::io::webrtc::pass::Pass;
use crate::io::webrtc::registry::Registry;

/// One worker's dealings with the other workers.
pub(super) struct Neighbours {
    registry: Arc<Registry>,
    /// Peers that were added here and live elsewhere. A peer moves once, so that commands stay in order: they all come
    /// by here.
    moved: HashMap<PeerId, usize>,
    /// What did not fit, in order. While there is any, commands wait, which bounds it.
    waiting: VecDeque<(usize, Pass)>,
}

impl Neighbours {
    /// Nothing is owed yet.
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { registry, moved: HashMap::new(), waiting: VecDeque::new() }
    }

    /// Where a peer that was added here moved to.
    pub(super) fn moved_to(&self, peer: PeerId) -> Option<usize> {
        self.moved.get(&peer).copied()
    }

    /// A peer moved.
    pub(super) fn note_moved(&mut self, peer: PeerId, to: usize) {
        self.moved.insert(peer, to);
    }

    /// A peer that moved is gone.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.moved.remove(&peer);
    }

    /// Whether something waits for room in another worker's inbox.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands over what has to arrive, now or as soon as there is room.
    pub(super) fn hand(&mut self, to: usize, pass: Pass) {
        self.waiting.push_back((to, pass));
        self.retry();
    }

    /// Hands over what did not fit before.
    pub(super) fn retry(&mut self) {
        while let Some((to, pass)) = self.waiting.pop_front() {
            if let Err(pass) = self.registry.pass(to, pass) {
                self.waiting.push_front((to, pass));
                return;
            }
        }
    }
}
