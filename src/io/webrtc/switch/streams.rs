//! **The question:** what comes and goes over clients' TCP connections? Datagrams, as over the socket. A connection
//! belongs to one peer, whose password its first check knew; it moves with that peer, and ends with it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::PeerId;
use crate::io::webrtc::pass::Pass;
use crate::io::webrtc::route::Route;
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::tcp::connection::{Chunk, Connection};
use crate::io::webrtc::tcp::polls::Polls;
use crate::io::webrtc::udp::MediaSocket;

impl Switch {
    /// What to sleep on: the media socket, and the connections if there are any.
    pub(in crate::io::webrtc) fn readable<'a>(&'a self, socket: &'a MediaSocket) -> BorrowedFd<'a> {
        if self.polls.is_empty() { socket.as_fd() } else { self.polls.as_fd() }
    }

    /// Reads the connections that have something, until none is left or others must have their turn.
    pub(in crate::io::webrtc) fn read_streams(&mut self, socket: &MediaSocket) {
        if self.polls.is_empty() {
            return;
        }
        let began = Instant::now();
        for (id, number) in self.polls.ready() {
            let now = Instant::now();
            if now - began >= limits::TURN_SPAN {
                // The kernel tells of the others first next time.
                return;
            }
            if Polls::is_own(number) {
                self.read_own(socket, now, id);
                continue;
            }
            self.read_stream(socket, now, id, number);
        }
    }

    fn read_stream(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, number: u64) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(limits::TCP_READ_LEN, 0);
        let read = self.stream(id, number).map(|stream| (stream.is_stuck, stream.read(&mut buffer)));
        match read {
            Some((_, Chunk::Bytes(count))) => self.take_bytes(socket, now, (id, number), &buffer[..count]),
            Some((_, Chunk::Ended)) => self.close_stream(id, number),
            // It may have been closed by what another one brought.
            Some((_, Chunk::Nothing)) | None => {}
        }
        self.buffer = buffer;
        if matches!(read, Some((true, _))) {
            self.unwritten.push((id, number));
        }
    }

    /// Takes the frames in what came of a connection.
    fn take_bytes(&mut self, socket: &MediaSocket, now: Instant, (id, number): (PeerId, u64), bytes: &[u8]) {
        let Some(stream) = self.stream(id, number) else { return };
        let (route, mut datagrams) = (stream.route(), Vec::new());
        let read = stream.unframe(bytes, |datagram| datagrams.push(Box::<[u8]>::from(datagram)));
        self.counters.datagrams_in.add(datagrams.len() as u64);
        for datagram in datagrams {
            self.handle(socket, now, id, route, &datagram);
        }
        if read.is_err() {
            self.counters.datagrams_malformed.add(1);
            self.close_stream(id, number);
        }
    }

    /// A connection came that named a peer of this thread. It is that one's if it knows the password.
    pub(super) fn take_stream(
        &mut self,
        socket: &MediaSocket,
        now: Instant,
        ufrag: String,
        mut connection: Box<Connection>,
    ) {
        let Some(id) = self.addresses.of_ufrag(&ufrag) else {
            let owner = self.seat.registry.owner(Some(&ufrag), connection.remote);
            match owner.filter(|owner| *owner != self.seat.number) {
                // It moved while the connection was on its way here.
                Some(to) => self.neighbours.hand(to, Pass::Stream { ufrag, connection }),
                None => self.counters.tcp_refused.add(1),
            }
            return;
        };
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let (route, number) = (connection.route(), connection.number);
        let knows = connection.hello().is_some_and(|hello| entry.peer.accepts(now, route, hello));
        if !knows || !self.polls.enter(id, &connection) {
            return self.counters.tcp_refused.add(1);
        }
        let early = connection.take_early();
        entry.streams.push(*connection);
        let oldest = (entry.streams.len() > limits::PEER_STREAMS_MAX).then(|| entry.streams[0].number);
        if let Some(oldest) = oldest {
            self.close_stream(id, oldest);
        }
        self.take_bytes(socket, now, (id, number), &early);
    }

    /// Has a datagram sent.
    pub(super) fn transmit(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, route: Route, datagram: &[u8]) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        if let Some(own) = entry.own.as_mut().filter(|_| route.is_udp()) {
            own.push(route.source, route.destination, datagram);
            if self.unwritten_own.last() != Some(&id) {
                self.unwritten_own.push(id);
            }
            return;
        }
        if route.is_udp() {
            if entry.reach.send(route.destination, datagram) {
                self.send.push(socket, route.source, route.destination, datagram);
            } else {
                self.counters.datagrams_withheld.add(1);
            }
            return;
        }
        let stream = entry.streams.iter_mut().rev().find(|stream| stream.is_way(&route));
        let taken = stream.and_then(|stream| stream.send(now, datagram).then_some(stream.number));
        match taken {
            Some(number) => {
                self.counters.datagrams_out.add(1);
                if self.unwritten.last() != Some(&(id, number)) {
                    self.unwritten.push((id, number));
                }
            }
            None => self.counters.tcp_discarded.add(1),
        }
    }

    /// Writes what waits for the connections that something was pushed for.
    pub(super) fn write_streams(&mut self) {
        for (id, number) in std::mem::take(&mut self.unwritten) {
            let Some(stream) = self.stream(id, number) else { continue };
            let was_stuck = stream.is_stuck;
            let written = stream.flush();
            let has_changed = was_stuck != stream.is_stuck;
            if written.is_err() {
                self.close_stream(id, number);
            } else if has_changed
                && let Some(entry) = self.peers.get(&id)
                && let Some(stream) = entry.streams.iter().find(|stream| stream.number == number)
            {
                self.polls.change(stream);
            }
        }
    }

    /// The connections of a peer that stayed after all.
    pub(super) fn enter_streams(&mut self, id: PeerId) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.streams.retain(|stream| self.polls.enter(id, stream));
        }
    }

    fn stream(&mut self, id: PeerId, number: u64) -> Option<&mut Connection> {
        self.peers.get_mut(&id)?.streams.iter_mut().find(|stream| stream.number == number)
    }

    fn close_stream(&mut self, id: PeerId, number: u64) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let Some(at) = entry.streams.iter().position(|stream| stream.number == number) else { return };
        let stream = entry.streams.remove(at);
        self.polls.leave(&stream);
        entry.peer.forget_stream(stream.remote);
    }
}
