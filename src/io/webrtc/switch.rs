//! **The question:** which peer does this datagram belong to, and which peers does this frame go to? Every peer and
//! every room's feed behind one socket; the socket itself is lent for each call.

mod own;
mod strays;
mod streams;
mod words;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{Outbox, PeerId, ReceivedFrame, RoomId, RungId, TrackKind};
use crate::engine::flow::{Pushed, Waker};
use crate::io::webrtc::addresses::Addresses;
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::entry::{Entries, Entry, Sink};
use crate::io::webrtc::event::{NetEvent, NetEvents};
use crate::io::webrtc::life::{CloseReason, IceCredentials, PeerOutput};
use crate::io::webrtc::losses::Losses;
use crate::io::webrtc::neighbours::Neighbours;
use crate::io::webrtc::pass::Pass;
use crate::io::webrtc::registry::Registry;
use crate::io::webrtc::rooms::Rooms;
use crate::io::webrtc::route::Route;
use crate::io::webrtc::stun;
use crate::io::webrtc::tcp::polls::Polls;
use crate::io::webrtc::udp::{MediaSocket, ReceiveBatch, SendBatch};

/// A net thread's place among its kind.
pub(super) struct Seat {
    /// `net-n`.
    pub(super) number: usize,
    /// Which thread holds which peer.
    pub(super) registry: Arc<Registry>,
    /// What listeners of all threads lose.
    pub(super) losses: Arc<Losses>,
}

/// Peers, rooms, and what is on its way out.
pub(super) struct Switch {
    events: NetEvents,
    counters: NetCounters,
    peers: Entries,
    rooms: Rooms,
    addresses: Addresses,
    seat: Seat,
    neighbours: Neighbours,
    /// When peers want to be called. An entry that its peer's `timer` does not name is void.
    timers: BinaryHeap<Reverse<(Instant, PeerId)>>,
    /// When decoders' wishes are looked at next.
    wishes_at: Option<Instant>,
    /// When listeners' losses are told next.
    losses_at: Option<Instant>,
    /// Rooms whose losses were told last time.
    losses_of: Vec<RoomId>,
    send: SendBatch,
    polls: Polls,
    /// Connections for which something waits to be written.
    unwritten: Vec<(PeerId, u64)>,
    /// Peers for whose own socket something waits to be sent.
    unwritten_own: Vec<PeerId>,
    /// For what comes by peers' own sockets, once there is one.
    own_batch: Option<ReceiveBatch>,
    /// For what is read of connections.
    buffer: Vec<u8>,
    outbox: Outbox<PeerOutput>,
    /// Peers that ended by themselves, of whom the control thread does not know yet.
    ended: Vec<(PeerId, CloseReason)>,
}

impl Switch {
    pub(super) fn new(events: NetEvents, counters: NetCounters, waker: Waker, (seat, polls): (Seat, Polls)) -> Self {
        let rooms = Rooms::new(waker, counters.frames_out.clone());
        Self {
            events,
            counters,
            peers: HashMap::new(),
            rooms,
            addresses: Addresses::new(seat.number, seat.registry.clone()),
            neighbours: Neighbours::new(seat.registry.clone()),
            seat,
            timers: BinaryHeap::new(),
            wishes_at: None,
            losses_at: None,
            losses_of: Vec::new(),
            send: SendBatch::default(),
            polls,
            unwritten: Vec::new(),
            unwritten_own: Vec::new(),
            own_batch: None,
            buffer: Vec::new(),
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
        let destination = socket.candidate_for(source, destination);
        match self.owner(now, source, destination, datagram) {
            Some(id) => self.handle(socket, now, id, Route::udp(source, destination), datagram),
            None => self.pass_on(self.seat.number, 0, (source, destination), datagram),
        }
    }

    fn handle(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, route: Route, datagram: &[u8]) {
        // Who has a TCP connection reads at its address; where this side asks, ICE sees to it.
        let asks = self.peers.get(&id).is_some_and(|entry| entry.own.is_some());
        if route.is_udp() && !asks && self.is_proof(socket, now, id, route, datagram) {
            return;
        }
        let Some(entry) = self.peers.get_mut(&id) else { return };
        if !entry.peer.handle_datagram(now, route, datagram, &mut self.outbox) {
            self.counters.datagrams_malformed.add(1);
        }
        // The handshake that ends with this datagram was with whoever sent it.
        if route.is_udp() && self.outbox.as_slice().iter().any(|output| matches!(output, PeerOutput::Connected)) {
            entry.reach.shaken(route.source);
        }
        self.drain_outputs(socket, now, id);
    }

    /// Notes that a datagram came from an address, and asks there whether it is read; true if this is the answer.
    fn is_proof(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, route: Route, datagram: &[u8]) -> bool {
        let Some(entry) = self.peers.get_mut(&id) else { return true };
        let Route { source, destination, .. } = route;
        entry.reach.received(source, datagram.len());
        if stun::answered(datagram).is_some_and(|transaction| entry.reach.is_asked(source, transaction)) {
            let proven = entry.peer.verifies(datagram);
            if let Some(kept) = proven.then(|| entry.reach.prove(source)).flatten() {
                self.send.push(socket, destination, source, &kept);
            }
            self.counters.datagrams_malformed.add(u64::from(!proven));
            return true;
        }
        // Before what this datagram may set free, for which nothing might be left of the threefold.
        let asked = entry.reach.ask(now, source).and_then(|transaction| entry.peer.check(transaction));
        if let Some(check) = asked.filter(|check| entry.reach.send(source, check)) {
            self.send.push(socket, destination, source, &check);
        }
        false
    }

    /// The peer at a known address; else the one whose `ice-ufrag` a STUN request names and whose password it proves to
    /// know, to whom the address then belongs.
    fn owner(&mut self, now: Instant, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) -> Option<PeerId> {
        let known = self.addresses.at(source);
        let Some(ours) = stun::ufrag(datagram) else { return known };
        let id = self.addresses.of_ufrag(ours)?;
        if known == Some(id) {
            return known;
        }
        let entry = self.peers.get_mut(&id)?;
        if !entry.peer.accepts(now, Route::udp(source, destination), datagram) {
            return None;
        }
        if let Some(other) = self.addresses.prove(id, entry, source) {
            self.neighbours.hand(other, Pass::AddressTaken(source));
        }
        Some(id)
    }

    /// What the control thread said.
    pub(super) fn command(&mut self, socket: &MediaSocket, now: Instant, command: NetCommand) {
        if let Some(to) = command.peer().and_then(|peer| self.neighbours.moved_to(peer)) {
            return self.neighbours.hand(to, Pass::Command(command));
        }
        match command {
            NetCommand::AddRoom { room, epoch, audio } => self.rooms.add(room, epoch, audio, &self.peers),
            NetCommand::RemoveRoom(room) => self.rooms.remove(&room, &mut self.peers),
            NetCommand::AddRung { room, rung, video, keyframe_requests } => {
                self.rooms.add_rung(&room, rung, video, keyframe_requests, &self.peers);
            }
            NetCommand::RemoveRung { room, rung } => self.rooms.remove_rung(&room, rung, &mut self.peers),
            NetCommand::AddPeer { peer } => self.add_peer(socket, now, Entry::new(now, self.seat.number, peer)),
            NetCommand::AddCaller { peer, socket: own } => self.add_caller(socket, now, peer, own),
            NetCommand::EnterRoom { peer, room, rung } => self.enter_room(socket, now, peer, (room, rung)),
            NetCommand::WatchRung { peer, rung, at_once } => {
                self.rooms.watch(now, peer, (rung, at_once), &mut self.peers);
                self.send_unsent(socket, now, peer);
            }
            NetCommand::RemovePeer(id) => self.remove_peer(socket, now, id),
            NetCommand::HoldPictures(peer) => {
                if let Some(entry) = self.peers.get_mut(&peer) {
                    entry.watching.hold();
                    entry.peer.forget_sent();
                }
            }
            NetCommand::AttachVideo { peer, kind, sink, keyframe_requests } => {
                self.attach(socket, now, peer, kind, Sink::Video(sink, keyframe_requests));
            }
            NetCommand::AttachSound { peer, kind, sink } => self.attach(socket, now, peer, kind, Sink::Sound(sink)),
            NetCommand::AttachRelay { peer, kind, sink } => self.attach(socket, now, peer, kind, Sink::Relay(sink)),
            NetCommand::Aim { peer, kind, target } => {
                self.peers.get_mut(&peer).into_iter().for_each(|entry| entry.peer.aim(now, kind, target));
            }
            NetCommand::Trickle { peer, credentials, candidates } => {
                self.trickle(socket, now, peer, credentials, &candidates);
            }
            NetCommand::Renegotiate { peer, offer } => self.renegotiate(socket, now, peer, &offer),
            NetCommand::Signal { peer, kind, text } => self.say(socket, now, peer, (kind, text)),
            NetCommand::Pulse(_) | NetCommand::Stop => unreachable!("the loop does not hand this over"),
        }
    }

    /// Sends what rooms have made, fulfils wishes, serves timers; says when to be called again.
    pub(super) fn advance(&mut self, socket: &MediaSocket, now: Instant) -> Instant {
        self.neighbours.retry();
        self.feed_rooms(socket, now);
        self.fulfil_wishes(socket, now);
        self.report_losses(now);
        while let Some(Reverse((at, id))) = self.timers.peek().copied()
            && at <= now
        {
            self.timers.pop();
            let Some(entry) = self.peers.get_mut(&id).filter(|entry| entry.timer == Some(at)) else { continue };
            entry.timer = None;
            if entry.peer.deadline().is_some_and(|deadline| deadline <= now) {
                entry.peer.handle_timeout(now, &mut self.outbox);
            }
            self.drain_outputs(socket, now, id);
            self.exchange_words(socket, now, id);
        }
        self.report_ended();
        self.flush(socket);
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let retry = self.neighbours.is_waiting().then(|| now + limits::TIMER_GRAIN);
        [timer, self.wishes_at, retry].into_iter().flatten().fold(now + limits::IDLE_ROUND, Instant::min)
    }

    /// Says goodbye to everyone.
    pub(super) fn stop(&mut self, socket: &MediaSocket, now: Instant) {
        let all: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in all {
            self.remove_peer(socket, now, id);
        }
        self.flush(socket);
    }

    fn add_peer(&mut self, socket: &MediaSocket, now: Instant, mut entry: Entry) {
        let id = entry.peer.id;
        self.addresses.add(id, &entry);
        entry.streams.retain(|stream| self.polls.enter(id, stream));
        entry.timer = None;
        entry.peer.handle_timeout(now, &mut self.outbox);
        self.peers.insert(id, entry);
        self.rooms.join(id, &self.peers);
        self.drain_outputs(socket, now, id);
    }

    /// A peer is of a room from now on.
    fn enter_room(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, (room, rung): (RoomId, Option<RungId>)) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        entry.room = Some(room);
        entry.watching.next = rung;
        self.rooms.join(id, &self.peers);
        self.rooms.changed(now, id, &mut self.peers);
        self.send_unsent(socket, now, id);
    }

    fn remove_peer(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.peer.close(CloseReason::Closed, &mut self.outbox);
            self.drain_outputs(socket, now, id);
            self.ended.retain(|(ended, _)| *ended != id);
            self.forget(id);
        }
    }

    fn forget(&mut self, id: PeerId) {
        let Some(entry) = self.peers.remove(&id) else { return };
        self.addresses.forget(id, &entry);
        if let Some(mut own) = entry.own {
            // The goodbye.
            own.flush();
            self.polls.leave_own(id, &own);
        }
        for mut stream in entry.streams {
            // The goodbye, as far as it goes out at once.
            let _ = stream.flush();
            self.polls.leave(&stream);
        }
        self.seat.registry.forget(self.seat.number, id);
        if entry.home != self.seat.number {
            self.neighbours.hand(entry.home, Pass::Gone(id));
        }
        if let Some(room) = &entry.room {
            self.rooms.leave(room, id, &self.peers);
        }
    }

    /// Tells of peers that ended; what does not fit the control thread's queue is told next time.
    fn report_ended(&mut self) {
        for at in (0..self.ended.len()).rev() {
            let (peer, reason) = self.ended[at];
            self.forget(peer);
            if self.events.tell(NetEvent::Closed { peer, reason }) {
                self.ended.swap_remove(at);
            }
        }
    }

    fn attach(&mut self, socket: &MediaSocket, now: Instant, peer: PeerId, kind: TrackKind, mut sink: Sink) {
        let Some(entry) = self.peers.get_mut(&peer) else { return };
        entry.sinks.retain(|(attached, _)| *attached != kind);
        if sink.keyframe_requests().is_some() {
            // Who ignores requests, as OBS does, may send no other keyframe for a long time.
            let held = entry.held.take(kind);
            if held.is_empty() {
                entry.peer.request_keyframe(now, kind, &mut self.outbox);
            }
            for frame in held {
                match &mut sink {
                    Sink::Video(sender, _) => _ = sender.push(frame),
                    Sink::Relay(sink) => sink.push(frame),
                    Sink::Sound(_) => {}
                }
            }
            self.wishes_at.get_or_insert(now);
        }
        entry.sinks.push((kind, sink));
        self.drain_outputs(socket, now, peer);
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
        self.refresh(socket, now, id);
        self.events.tell(NetEvent::Trickled { peer: id, answer });
    }

    fn renegotiate(&mut self, socket: &MediaSocket, now: Instant, id: PeerId, offer: &str) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let answer = entry.peer.renegotiate(offer);
        self.refresh(socket, now, id);
        self.events.tell(NetEvent::Renegotiated { peer: id, answer });
    }

    /// After a new description: its `ice-ufrag` may be another.
    fn refresh(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        self.addresses.rename(id, entry);
        entry.peer.handle_timeout(now, &mut self.outbox);
        // It may take the composite or the mix only now.
        self.rooms.changed(now, id, &mut self.peers);
        self.drain_outputs(socket, now, id);
    }

    /// Takes everything a peer answered, and notes when it wants to be called.
    fn drain_outputs(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let mut outputs = std::mem::take(&mut self.outbox);
        for output in outputs.drain() {
            match output {
                PeerOutput::Transmit { route, datagram } => self.transmit(socket, now, id, route, &datagram),
                PeerOutput::Frame(kind, frame) => self.deliver(id, kind, frame),
                PeerOutput::Connected => {
                    self.events.tell(NetEvent::Connected(id));
                    self.rooms.changed(now, id, &mut self.peers);
                }
                PeerOutput::Closed(reason) => self.ended.push((id, reason)),
                PeerOutput::ChannelOpen => drop(self.events.tell(NetEvent::ChannelOpen(id))),
                PeerOutput::TrackStarted(kind, codec) => {
                    self.events.tell(NetEvent::TrackStarted { peer: id, kind, codec });
                }
                PeerOutput::TrackEnded(kind) => {
                    if let Some(entry) = self.peers.get_mut(&id) {
                        entry.sinks.retain(|(attached, _)| *attached != kind);
                    }
                    self.events.tell(NetEvent::TrackEnded { peer: id, kind });
                }
                PeerOutput::KeyframeRequested => self.keyframe_requested(now, id),
                PeerOutput::Lost(losses) => {
                    self.counters.gaps_skipped.add(losses.gaps);
                    self.counters.frames_malformed.add(losses.malformed);
                    self.counters.sounds_restored.add(losses.restored);
                }
                PeerOutput::Excess(kind, is_over) => {
                    self.counters.tracks_over.add(u64::from(is_over));
                    self.events.tell(NetEvent::Excess { peer: id, kind, is_over });
                }
                PeerOutput::SoundLost(percent) => self.note_sound_lost(id, percent),
                PeerOutput::Link(verdict) => drop(self.events.tell(NetEvent::Link { peer: id, verdict })),
                PeerOutput::KeyframeAsked => self.counters.keyframe_requests_out.add(1),
                PeerOutput::Signal(text) => self.hear(now, id, text),
            }
        }
        self.outbox = outputs;
        self.send_unsent(socket, now, id);
        if self.send.is_large() {
            self.flush(socket);
        }
    }

    /// Sends what was written to a peer, and sets its timer.
    fn send_unsent(&mut self, socket: &MediaSocket, now: Instant, id: PeerId) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        if std::mem::take(&mut entry.unsent) {
            entry.peer.flush(now, &mut self.outbox);
            return self.drain_outputs(socket, now, id);
        }
        // A peer that wants to be called at once, again and again, must not keep the others waiting.
        let Some(deadline) = entry.deadline().map(|at| at.max(now + limits::TIMER_GRAIN)) else { return };
        if entry.timer.is_none_or(|timer| deadline < timer) {
            entry.timer = Some(deadline);
            self.timers.push(Reverse((deadline, id)));
        }
    }

    /// Hands a frame to its decoder or mixer. Before one is attached, pictures from a keyframe on are kept for it.
    fn deliver(&mut self, id: PeerId, kind: TrackKind, frame: ReceivedFrame) {
        self.counters.frames_in.add(1);
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let sink = entry.sinks.iter_mut().find(|(attached, _)| *attached == kind).map(|(_, sink)| sink);
        let unmet = match sink {
            Some(Sink::Video(sender, keyframe_requests)) => {
                (sender.push(frame) == Pushed::DiscardedUntilKeyframe).then_some(keyframe_requests)
            }
            Some(Sink::Sound(sender)) => {
                sender.push(frame);
                None
            }
            Some(Sink::Relay(sink)) => {
                sink.push(frame);
                None
            }
            None => {
                entry.held.keep(kind, frame);
                None
            }
        };
        if let Some(keyframe_requests) = unmet {
            keyframe_requests.request_keyframe();
        }
    }

    fn keyframe_requested(&mut self, now: Instant, id: PeerId) {
        self.counters.keyframe_requests_in.add(1);
        let Some(entry) = self.peers.get_mut(&id) else { return };
        if !entry.requests.grant(now) {
            self.counters.keyframe_requests_refused.add(1);
            return;
        }
        self.rooms.request_keyframe(entry);
    }

    /// Sends what rooms have made since the last call.
    fn feed_rooms(&mut self, socket: &MediaSocket, now: Instant) {
        for id in self.rooms.feed(now, &mut self.peers) {
            self.send_unsent(socket, now, id);
        }
    }

    fn note_sound_lost(&mut self, id: PeerId, percent: f32) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.sound_lost = percent;
        }
    }

    /// Tells of each room what nine of ten of its listeners lose at most.
    fn report_losses(&mut self, now: Instant) {
        if self.losses_at.is_some_and(|at| now < at) {
            return;
        }
        self.losses_at = Some(now + limits::LOSS_REPORT_INTERVAL);
        let mut told = Vec::new();
        for (room, losses) in self.rooms.losses(&self.peers) {
            told.push(room.clone());
            if let Some(percent) = self.seat.losses.report(self.seat.number, room, losses) {
                self.events.tell(NetEvent::SoundLost { room: room.clone(), percent });
            }
        }
        for room in self.losses_of.iter().filter(|room| !told.contains(room)) {
            self.seat.losses.forget(self.seat.number, room);
        }
        self.losses_of = told;
    }

    /// Looks at what decoders wish, now and then rather than at each datagram.
    fn fulfil_wishes(&mut self, socket: &MediaSocket, now: Instant) {
        if self.wishes_at.is_none_or(|at| now < at) {
            return;
        }
        let (mut wished, mut attached) = (Vec::new(), false);
        for (id, entry) in &self.peers {
            for (kind, sink) in &entry.sinks {
                if let Some(keyframe_requests) = sink.keyframe_requests() {
                    attached = true;
                    if keyframe_requests.take_keyframe() {
                        wished.push((*id, *kind));
                    }
                }
            }
        }
        self.wishes_at = attached.then(|| now + limits::WISHES_SPACING);
        for (id, kind) in wished {
            if let Some(entry) = self.peers.get_mut(&id) {
                entry.peer.request_keyframe(now, kind, &mut self.outbox);
                self.drain_outputs(socket, now, id);
            }
        }
    }

    fn flush(&mut self, socket: &MediaSocket) {
        self.write_streams();
        self.write_own();
        let (sent, refused) = self.send.flush(socket);
        self.counters.datagrams_out.add(sent);
        self.counters.sends_refused.add(refused);
    }
}
