//! **The question:** which peer does this datagram belong to, and which peers does this frame go to? Every peer and every
//! room's feed behind one socket; the socket itself is lent for each call.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::flow::{OpusSender, Pushed, TrackSender, WishCell};
use crate::ladder::RequestBudget;
use crate::media::{Outbox, PeerId, RoomId, TrackKind};
use crate::webrtc::feed::RoomFeed;
use crate::webrtc::net::{NetCommand, NetCounters, NetEvent, NetEvents};
use crate::webrtc::peer::{CloseReason, IceCredentials, Peer, PeerOutput};
use crate::webrtc::udp::{MediaSocket, SendBatch};

enum Sink {
    Video(TrackSender, WishCell),
    Sound(OpusSender),
}

struct Entry {
    room: RoomId,
    peer: Box<Peer>,
    sinks: HashMap<TrackKind, Sink>,
    /// Frames of the composite may follow: it got a keyframe.
    synchronised: bool,
    /// How often it may still ask for keyframes.
    requests: RequestBudget,
}

/// Peers, rooms, and what is on its way out.
pub(super) struct Switch {
    events: NetEvents,
    counters: NetCounters,
    peers: HashMap<PeerId, Entry>,
    rooms: HashMap<RoomId, RoomFeed>,
    by_source: HashMap<SocketAddr, PeerId>,
    by_ufrag: HashMap<String, PeerId>,
    send: SendBatch,
    outbox: Outbox<PeerOutput>,
    /// Peers that ended by themselves while others were being served.
    ended: Vec<(PeerId, CloseReason)>,
}

/// How long the thread sleeps at most.
const IDLE_ROUND: Duration = Duration::from_millis(500);

impl Switch {
    pub(super) fn new(events: NetEvents, counters: NetCounters) -> Self {
        Self {
            events,
            counters,
            peers: HashMap::new(),
            rooms: HashMap::new(),
            by_source: HashMap::new(),
            by_ufrag: HashMap::new(),
            send: SendBatch::default(),
            outbox: Outbox::new(),
            ended: Vec::new(),
        }
    }

    /// One datagram from the socket.
    pub(super) fn datagram(
        &mut self,
        socket: &MediaSocket,
        now: Instant,
        source: SocketAddr,
        destination: Option<IpAddr>,
        datagram: &[u8],
    ) {
        self.counters.datagrams_in.add(1);
        let Some(id) = self.owner(source, datagram) else {
            self.counters.datagrams_unknown.add(1);
            return;
        };
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let destination = socket.candidate_for(destination);
        if entry.peer.handle_datagram(now, source, destination, datagram, &mut self.outbox) {
            self.by_source.insert(source, id);
        } else {
            self.counters.datagrams_malformed.add(1);
        }
        self.settle(socket, now, id);
    }

    /// A known source, or a STUN request that names this side's `ice-ufrag` (RFC 8445 section 7.2.2).
    fn owner(&self, source: SocketAddr, datagram: &[u8]) -> Option<PeerId> {
        if let Some(username) = stun::username(datagram) {
            let (ours, _) = username.split_once(':')?;
            return self.by_ufrag.get(ours).copied();
        }
        self.by_source.get(&source).copied()
    }

    pub(super) fn command(&mut self, socket: &MediaSocket, now: Instant, command: NetCommand) {
        match command {
            NetCommand::AddRoom { room, epoch, video, rung, audio } => {
                self.rooms.insert(room, RoomFeed::new(epoch, video, audio, rung));
            }
            NetCommand::RemoveRoom(room) => drop(self.rooms.remove(&room)),
            NetCommand::AddPeer { room, peer } => self.add_peer(socket, now, room, peer),
            NetCommand::RemovePeer(id) => self.remove_peer(socket, now, id),
            NetCommand::AttachVideo { peer, kind, sink, wishes } => {
                self.attach(socket, now, peer, kind, Sink::Video(sink, wishes));
            }
            NetCommand::AttachSound { peer, kind, sink } => self.attach(socket, now, peer, kind, Sink::Sound(sink)),
            NetCommand::Trickle { peer, credentials, candidates } => {
                self.trickle(socket, now, peer, credentials, &candidates);
            }
            NetCommand::Renegotiate { peer, offer } => self.renegotiate(socket, now, peer, &offer),
            NetCommand::Signal { peer, text } => {
                let Some(entry) = self.peers.get_mut(&peer) else { return };
                let said = entry.peer.say(now, &text, &mut self.outbox);
                self.counters.signals_discarded.add(u64::from(!said));
                self.settle(socket, now, peer);
            }
            NetCommand::Stop => unreachable!("the loop ends before it hands this over"),
        }
    }

    /// Sends what rooms have made, fulfils wishes, serves timers; says when to be called again.
    pub(super) fn advance(&mut self, socket: &MediaSocket, now: Instant) -> Instant {
        self.feed_rooms(socket, now);
        self.fulfil_wishes(socket, now);
        let due: Vec<PeerId> =
            self.peers.iter().filter(|(_, entry)| entry.peer.deadline() <= now).map(|(id, _)| *id).collect();
        for id in due {
            if let Some(entry) = self.peers.get_mut(&id) {
                entry.peer.handle_timeout(now, &mut self.outbox);
                self.settle(socket, now, id);
            }
        }
        for (peer, reason) in std::mem::take(&mut self.ended) {
            self.forget(peer);
            self.events.tell(NetEvent::Closed { peer, reason });
        }
        self.flush(socket);
        let next = self.peers.values().map(|entry| entry.peer.deadline()).min();
        next.map_or(now + IDLE_ROUND, |at| at.min(now + IDLE_ROUND))
    }

    /// Says goodbye to everyone.
    pub(super) fn stop(&mut self, socket: &MediaSocket) {
        let all: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in all {
            self.remove_peer(socket, Instant::now(), id);
        }
        self.flush(socket);
    }

    fn add_peer(&mut self, socket: &MediaSocket, now: Instant, room: RoomId, mut peer: Box<Peer>) {
        let id = peer.id;
        self.by_ufrag.insert(peer.ufrag().to_owned(), id);
        peer.handle_timeout(now, &mut self.outbox);
        let entry = Entry { room, peer, sinks: HashMap::new(), synchronised: false, requests: RequestBudget::new() };
        self.peers.insert(id, entry);
        self.settle(socket, now, id);
    }

    fn remove_peer(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.peer.close(CloseReason::Closed, &mut self.outbox);
            self.settle(socket, now, id);
            self.ended.retain(|(ended, _)| *ended != id);
            self.forget(id);
        }
    }

    fn forget(&mut self, id: PeerId) {
        self.peers.remove(&id);
        self.by_source.retain(|_, owner| *owner != id);
        self.by_ufrag.retain(|_, owner| *owner != id);
    }

    fn attach(&mut self, socket: &MediaSocket, now: Instant, peer: PeerId, kind: TrackKind, sink: Sink) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        let video = matches!(sink, Sink::Video(..));
        entry.sinks.insert(kind, sink);
        // What came before had nowhere to go, so decoding can only start at a fresh keyframe.
        if video && entry.peer.request_keyframe(now, kind, &mut self.outbox) {
            self.counters.keyframe_requests_out.add(1);
        }
        self.settle(socket, now, peer);
    }

    fn trickle(
        &mut self,
        socket: &MediaSocket,
        now: Instant,
        id: PeerId,
        credentials: Option<IceCredentials>,
        candidates: &[String],
    ) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let restart = credentials.filter(|new| new.ufrag != entry.peer.remote_ufrag());
        let answer = restart.map(|new| entry.peer.restart_ice(&new)).transpose();
        for candidate in candidates {
            entry.peer.add_candidate(candidate);
        }
        self.by_ufrag.insert(entry.peer.ufrag().to_owned(), id);
        self.refresh(socket, now, id);
        self.events.tell(NetEvent::Trickled { peer: id, answer });
    }

    fn renegotiate(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, offer: &str) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let answer = entry.peer.renegotiate(offer);
        self.by_ufrag.insert(entry.peer.ufrag().to_owned(), id);
        self.refresh(socket, now, id);
        self.events.tell(NetEvent::Renegotiated { peer: id, answer });
    }

    fn refresh(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.peer.handle_timeout(now, &mut self.outbox);
            self.settle(socket, now, id);
        }
    }

    /// Takes everything a peer answered.
    fn settle(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let mut outputs = std::mem::take(&mut self.outbox);
        for output in outputs.drain() {
            match output {
                PeerOutput::Transmit { source, destination, datagram } => {
                    self.counters.datagrams_out.add(1);
                    self.send.push(socket, source, destination, &datagram);
                }
                PeerOutput::Connected => {
                    self.events.tell(NetEvent::Connected(id));
                    self.welcome(socket, now, id);
                }
                PeerOutput::Closed(reason) => self.ended.push((id, reason)),
                PeerOutput::ChannelOpen => self.events.tell(NetEvent::ChannelOpen(id)),
                PeerOutput::TrackStarted(kind) => self.events.tell(NetEvent::TrackStarted { peer: id, kind }),
                PeerOutput::TrackEnded(kind) => {
                    if let Some(entry) = self.peers.get_mut(&id) {
                        entry.sinks.remove(&kind);
                    }
                    self.events.tell(NetEvent::TrackEnded { peer: id, kind });
                }
                PeerOutput::Frame(kind, frame) => {
                    self.counters.frames_in.add(1);
                    let sink = self.peers.get_mut(&id).and_then(|entry| entry.sinks.get_mut(&kind));
                    match sink {
                        Some(Sink::Video(sender, wishes)) => {
                            if sender.push(frame) == Pushed::DiscardedUntilKeyframe {
                                wishes.wish_keyframe();
                            }
                        }
                        Some(Sink::Sound(sender)) => drop(sender.push(frame)),
                        // Not attached yet; attaching asks for a keyframe.
                        None => {}
                    }
                }
                PeerOutput::KeyframeRequested => self.keyframe_requested(now, id),
                PeerOutput::Signal(text) => self.events.tell(NetEvent::Signal { peer: id, text }),
            }
        }
        // The box goes back, unless serving a newcomer filled another meanwhile.
        if self.outbox.is_empty() {
            self.outbox = outputs;
        }
        if self.send.is_large() {
            self.flush(socket);
        }
    }

    /// A newcomer sees the picture at once: everything since a young keyframe, or the next frame is made one.
    fn welcome(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let Some(feed) = self.rooms.get_mut(&entry.room) else { return };
        if !entry.peer.wants_video() {
            return;
        }
        let mut outbox = Outbox::new();
        let epoch = feed.epoch;
        for packetised in feed.replay_for_newcomer(now) {
            entry.synchronised = true;
            entry.peer.write_video(now, packetised, &epoch, &mut outbox);
        }
        for output in outbox.drain() {
            if let PeerOutput::Transmit { source, destination, datagram } = output {
                self.counters.datagrams_out.add(1);
                self.send.push(socket, source, destination, &datagram);
            }
        }
    }

    fn keyframe_requested(&mut self, now: Instant, id: PeerId) {
        self.counters.keyframe_requests_in.add(1);
        let Some(entry) = self.peers.get_mut(&id) else { return };
        if !entry.requests.grant(now) {
            self.counters.keyframe_requests_refused.add(1);
            return;
        }
        if let Some(feed) = self.rooms.get(&entry.room) {
            feed.wish_keyframe();
        }
    }

    fn feed_rooms(&mut self, socket: &MediaSocket, now: Instant) {
        let mut rooms = std::mem::take(&mut self.rooms);
        for (room, feed) in &mut rooms {
            let epoch = feed.epoch;
            while let Some(packetised) = feed.next_video(now) {
                self.to_room(socket, now, room, |entry, outbox| {
                    if entry.peer.wants_video() && (entry.synchronised || packetised.frame.keyframe) {
                        entry.synchronised = true;
                        entry.peer.write_video(now, &packetised, &epoch, outbox);
                    }
                });
            }
            while let Some(tick) = feed.next_sound() {
                self.to_room(socket, now, room, |entry, outbox| {
                    if entry.peer.wants_sound() {
                        let (frame, payload) = tick.for_listener(entry.peer.role.minus());
                        entry.peer.write_sound(now, frame, payload, &epoch, outbox);
                    }
                });
            }
        }
        self.rooms = rooms;
    }

    fn to_room(
        &mut self,
        socket: &MediaSocket,
        now: Instant,
        room: &RoomId,
        mut write: impl FnMut(&mut Entry, &mut Outbox<PeerOutput>),
    ) {
        let ids: Vec<PeerId> = self.peers.iter().filter(|(_, e)| e.room == *room).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(entry) = self.peers.get_mut(&id) else { continue };
            write(entry, &mut self.outbox);
            self.settle(socket, now, id);
        }
    }

    fn fulfil_wishes(&mut self, socket: &MediaSocket, now: Instant) {
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.peers.get_mut(&id) else { continue };
            let Entry { sinks, peer, .. } = entry;
            let mut asked = 0;
            for (kind, sink) in sinks.iter() {
                if let Sink::Video(_, wishes) = sink
                    && wishes.take_keyframe()
                    && peer.request_keyframe(now, *kind, &mut self.outbox)
                {
                    asked += 1;
                }
            }
            if asked > 0 {
                self.counters.keyframe_requests_out.add(asked);
                self.settle(socket, now, id);
            }
        }
    }

    fn flush(&mut self, socket: &MediaSocket) {
        let refused = self.send.flush(socket);
        self.counters.sends_refused.add(refused);
    }
}

/// What the demultiplexer reads of STUN; everything else of it is str0m's.
mod stun {
    /// The fixed part (RFC 8489 section 5).
    const HEADER_LEN: usize = 20;
    const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
    const USERNAME: u16 = 0x0006;

    /// The `USERNAME` of a STUN message, if the datagram is one and has it.
    pub(super) fn username(datagram: &[u8]) -> Option<&str> {
        if datagram.len() < HEADER_LEN || datagram[0] > 3 || datagram[4..8] != COOKIE {
            return None;
        }
        let mut rest = &datagram[HEADER_LEN..];
        while rest.len() >= 4 {
            let kind = u16::from_be_bytes([rest[0], rest[1]]);
            let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let value = rest.get(4..4 + length)?;
            if kind == USERNAME {
                return std::str::from_utf8(value).ok();
            }
            rest = rest.get(4 + length.next_multiple_of(4)..)?;
        }
        None
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_username_is_found_and_truncation_is_no_panic() {
            let mut message = vec![0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42];
            message.extend([0; 12]);
            message.extend([0x80, 0x22, 0, 3, 1, 2, 3, 0]);
            message.extend([0, 6, 0, 7]);
            message.extend(*b"ab:cdef\0");
            assert_eq!(username(&message), Some("ab:cdef"));
            for length in 0..message.len() - 1 {
                assert_eq!(username(&message[..length]), None);
            }
        }
    }
}
