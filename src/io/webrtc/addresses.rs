//! **The question:** which peer of this net thread is meant by an address or an `ice-ufrag`? What changes here is told
//! to the other workers' registry.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::limits;
use crate::base::media::PeerId;
use crate::io::webrtc::entry::Entry;
use crate::io::webrtc::registry::Registry;

/// One worker's peers by what names them on the wire.
pub(super) struct Addresses {
    worker: usize,
    registry: Arc<Registry>,
    by_address: HashMap<SocketAddr, PeerId>,
    by_ufrag: HashMap<String, PeerId>,
}

impl Addresses {
    /// Nobody yet at the worker of this number.
    pub(super) fn new(worker: usize, registry: Arc<Registry>) -> Self {
        Self { worker, registry, by_address: HashMap::new(), by_ufrag: HashMap::new() }
    }

    /// The peer at an address.
    pub(super) fn at(&self, address: SocketAddr) -> Option<PeerId> {
        self.by_address.get(&address).copied()
    }

    /// The peer of an `ice-ufrag`.
    pub(super) fn of_ufrag(&self, ufrag: &str) -> Option<PeerId> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// A peer lives here, by the names that it has. To one with a socket of its own nothing comes by another.
    pub(super) fn add(&mut self, id: PeerId, entry: &Entry) {
        if entry.own.is_none() {
            self.registry.note_ufrag(self.worker, &entry.ufrag);
            self.by_ufrag.insert(entry.ufrag.clone(), id);
        }
        self.by_address.extend(entry.addresses.iter().map(|address| (*address, id)));
    }

    /// A peer lives here no more. Its names are those of the worker that it moved to, if it moved.
    pub(super) fn remove(&mut self, id: PeerId, ufrag: &str, addresses: &[SocketAddr]) {
        self.by_ufrag.remove(ufrag);
        for address in addresses {
            if self.by_address.get(address) == Some(&id) {
                self.by_address.remove(address);
            }
        }
    }

    /// As `remove`, for a peer that is gone from the node.
    pub(super) fn forget(&mut self, id: PeerId, entry: &Entry) {
        self.remove(id, &entry.ufrag, &entry.addresses);
        self.registry.forget_ufrag(&entry.ufrag);
        for address in entry.addresses.iter().filter(|address| !self.by_address.contains_key(address)) {
            self.registry.forget_address(self.worker, *address);
        }
    }

    /// A peer's `ice-ufrag` is another after a restart of ICE.
    pub(super) fn rename(&mut self, id: PeerId, entry: &mut Entry) {
        if entry.ufrag != entry.peer.ufrag() {
            self.by_ufrag.remove(&entry.ufrag);
            self.registry.forget_ufrag(&entry.ufrag);
            entry.peer.ufrag().clone_into(&mut entry.ufrag);
            self.registry.note_ufrag(self.worker, &entry.ufrag);
            self.by_ufrag.insert(entry.ufrag.clone(), id);
        }
    }

    /// A peer proved that an address is its own. Returns the worker whose peer had it until now, if that is another
    /// worker.
    pub(super) fn prove(&mut self, id: PeerId, entry: &mut Entry, source: SocketAddr) -> Option<usize> {
        entry.addresses.push(source);
        if entry.addresses.len() > limits::PEER_ADDRESSES_MAX {
            let oldest = entry.addresses.remove(0);
            if self.by_address.get(&oldest) == Some(&id) {
                self.by_address.remove(&oldest);
                self.registry.forget_address(self.worker, oldest);
            }
        }
        self.by_address.insert(source, id);
        let before = self.registry.note_address(self.worker, source);
        before.filter(|before| *before != self.worker)
    }

    /// A peer of another worker proved that an address is its own.
    pub(super) fn yield_up(&mut self, address: SocketAddr) {
        if self.registry.owner(None, address) != Some(self.worker) {
            self.by_address.remove(&address);
        }
    }
}
