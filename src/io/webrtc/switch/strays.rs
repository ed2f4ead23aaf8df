//! **The question:** what becomes of a datagram that came to another worker than its peer's, and of that peer?

use std::net::SocketAddr;
use std::time::Instant;

use crate::base::media::PeerId;
use crate::io::webrtc::entry::Entry;
use crate::io::webrtc::pass::{Pass, Stray};
use crate::io::webrtc::route::Route;
use crate::io::webrtc::stun;
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::udp::MediaSocket;

impl Switch {
    /// One datagram that strayed to another worker.
    pub(in crate::io::webrtc) fn stray(&mut self, socket: &MediaSocket, now: Instant, stray: &Stray) {
        let Stray { from, hops, source, destination, ref datagram } = *stray;
        let Some(id) = self.owner(now, source, destination, datagram) else {
            return self.pass_on(from, hops, (source, destination), datagram);
        };
        self.handle(socket, now, id, Route::udp(source, destination), datagram);
        // DTLS comes along the pair of addresses that the client has chosen, unlike the STUN before it.
        if stun::is_dtls(datagram) {
            self.move_peer(from, id);
        }
    }

    /// Hands a datagram of no peer here to the worker that holds its peer, if there is one. That may be this worker, of
    /// a peer that is still on its way here.
    pub(super) fn pass_on(
        &self,
        from: usize,
        hops: u32,
        (source, destination): (SocketAddr, SocketAddr),
        datagram: &[u8],
    ) {
        let ufrag = stun::ufrag(datagram);
        let registry = &self.seat.registry;
        // A request that names a peer here did not know its password.
        let forged = ufrag.is_some_and(|ufrag| self.addresses.of_ufrag(ufrag).is_some());
        let owner = (!forged && !registry.is_alone()).then(|| registry.owner(ufrag, source)).flatten();
        let passed = owner.is_some_and(|to| {
            registry.pass_stray(to, Stray { from, hops, source, destination, datagram: datagram.into() })
        });
        self.counters.datagrams_unknown.add(u64::from(!passed));
    }

    /// Moves a peer to the worker at whose socket its datagrams come in. Only before it is connected: nothing was sent
    /// to it yet, so nothing can be sent twice or be missing. And only once, so that its commands stay in order.
    fn move_peer(&mut self, to: usize, id: PeerId) {
        let here = self.seat.number;
        let may = |entry: &Entry| {
            let is_new = entry.home == here && !entry.peer.is_connected() && entry.peer.deadline().is_some();
            is_new && entry.own.is_none()
        };
        if to == here || self.neighbours.is_waiting() || !self.peers.get(&id).is_some_and(may) {
            return;
        }
        let Some(entry) = self.peers.remove(&id) else { return };
        if let Some(room) = &entry.room {
            self.rooms.leave(room, id, &self.peers);
        }
        let (ufrag, addresses) = (entry.ufrag.clone(), entry.addresses.clone());
        entry.streams.iter().for_each(|stream| self.polls.leave(stream));
        if let Err(entry) = self.seat.registry.move_peer(here, to, Box::new(entry)) {
            // There is no room; it stays, and its datagrams go on being passed to it.
            self.peers.insert(id, *entry);
            self.enter_streams(id);
            return self.rooms.join(id, &self.peers);
        }
        self.addresses.remove(id, &ufrag, &addresses);
        self.neighbours.note_moved(id, to);
        self.counters.peers_moved.add(1);
    }

    /// What another worker handed over.
    pub(in crate::io::webrtc) fn passed(&mut self, socket: &MediaSocket, now: Instant, pass: Pass) {
        match pass {
            Pass::Adopt(entry) => self.add_peer(socket, now, *entry),
            Pass::Command(command) => self.command(socket, now, command),
            Pass::Gone(peer) => self.neighbours.forget(peer),
            Pass::AddressTaken(address) => self.addresses.yield_up(address),
            Pass::Stream { ufrag, connection } => self.take_stream(socket, now, ufrag, connection),
        }
    }

    /// Whether something still waits to be handed to another worker.
    pub(in crate::io::webrtc) fn is_owing(&self) -> bool {
        self.neighbours.is_waiting()
    }
}
