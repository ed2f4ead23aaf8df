//! **The question:** what comes and goes by the sockets of those connections that this side began? Datagrams, each of
//! the one peer whose socket it is; ICE, of which this side is the full agent, asks before anything else is sent.

use std::net::SocketAddr;
use std::time::Instant;

use crate::base::media::PeerId;
use crate::io::webrtc::entry::Entry;
use crate::io::webrtc::life::CloseReason;
use crate::io::webrtc::own::OwnSocket;
use crate::io::webrtc::peer::Peer;
use crate::io::webrtc::route::Route;
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::udp::{MediaSocket, ReceiveBatch};

impl Switch {
    /// A connection that this side began, and that was answered, lives here with its socket.
    pub(super) fn add_caller(&mut self, socket: &MediaSocket, now: Instant, peer: Box<Peer>, own: Box<OwnSocket>) {
        let id = peer.id;
        let entered = self.polls.enter_own(id, &own);
        let mut entry = Entry::new(now, self.seat.number, peer);
        entry.own = Some(own);
        self.add_peer(socket, now, entry);
        if !entered && let Some(entry) = self.peers.get_mut(&id) {
            tracing::warn!("a connection that this node began cannot be waited for, and ends");
            entry.peer.close(CloseReason::Broken, &mut self.outbox);
            self.drain_outputs(socket, now, id);
        }
    }

    /// Takes what came by a peer's own socket, as much as one batch holds; what is left is told of again.
    pub(super) fn read_own(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let Some(own) = self.peers.get(&id).and_then(|entry| entry.own.as_ref()) else { return };
        let batch = self.own_batch.get_or_insert_with(|| ReceiveBatch::new(&own.socket));
        let mut came: Vec<(SocketAddr, SocketAddr, Box<[u8]>)> = Vec::new();
        let count = batch.receive(&own.socket, |source, destination, datagram| {
            if own.expects(source.ip()) {
                came.push((source, own.socket.candidate_for(source, destination), datagram.into()));
            }
        });
        self.counters.datagrams_in.add(count as u64);
        self.counters.datagrams_unknown.add((count - came.len()) as u64);
        for (source, destination, datagram) in came {
            self.handle(socket, now, id, Route::udp(source, destination), &datagram);
        }
    }

    /// Sends what was written to peers with sockets of their own.
    pub(super) fn write_own(&mut self) {
        for id in std::mem::take(&mut self.unwritten_own) {
            let own = self.peers.get_mut(&id).and_then(|entry| entry.own.as_mut());
            let (sent, refused) = own.map(|own| own.flush()).unwrap_or_default();
            self.counters.datagrams_out.add(sent);
            self.counters.sends_refused.add(refused);
        }
    }
}
