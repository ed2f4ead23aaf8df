//! **The question:** how does somebody who asks come into a room? Their offer is answered and they wait, which costs
//! next to nothing; with their connection, or a leg's first sound, they get their place, and the room begins if need
//! be.

use std::net::SocketAddr;
use std::time::Instant;

use rand::Rng as _;

use crate::app::control::room::Input;
use crate::app::control::room::effect::LegShown;
use crate::app::control::room::input::Joining;
use crate::app::control::thread::{Control, Entry};
use crate::app::control::waiting::{Comer, Via, Waiter, Wanted};
use crate::base::limits;
use crate::base::media::{ParticipantId, PeerId, RoomId};
use crate::io::api::{Command, Joined, LegJoined, Refusal, Reply, ResourceToken, SeatWish};
use crate::io::rtp::{Leg, LegCommand, LegEvent, LegSetup, LegWatch, LegWork};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, NetEvent, OfferError, Peer, PeerRole, PeerSetup};

impl Control {
    /// Answers an offer; whoever made it waits until they are connected.
    pub(super) fn join(&mut self, wanted: Wanted, offer: &str, reply: Reply<Joined>) {
        let now = Instant::now();
        let trace = self.following.asked(now, &wanted);
        let (id, joined) = match self.admit_offer(now, wanted, offer) {
            Ok(answered) => answered,
            Err(refusal) => {
                self.following.answered(trace, None);
                // A caller that is gone needs no answer.
                return drop(reply.send(Err(refusal)));
            }
        };
        self.following.answered(trace, Some((id, joined.participant)));
        if reply.send(Ok(joined)).is_err() {
            // The client hung up before its answer.
            self.turn_away(id);
        }
    }

    /// Answers an offer, and has whoever made it wait until they are connected.
    ///
    /// # Errors
    /// Why it is not answered.
    pub(super) fn admit_offer(
        &mut self,
        now: Instant,
        wanted: Wanted,
        offer: &str,
    ) -> Result<(PeerId, Joined), Refusal> {
        let (peer, joined, gone) = self.answer(now, &wanted, offer)?;
        gone.into_iter().for_each(|id| self.turn_away(id));
        let (id, resource) = (peer.id(), joined.resource);
        if wanted.via == Via::Relay {
            self.begin_relay(now, &wanted.room);
        }
        let mut waiter = Waiter::new(now, wanted, resource, peer.ufrag().to_owned());
        waiter.watches = peer.watches();
        self.waiting.insert(id, waiter);
        self.resources.insert(resource, id);
        self.workers.net.send(NetCommand::AddPeer { peer: Box::new(peer) });
        Ok((id, joined))
    }

    /// The connection, its answer, and who has to go for it.
    fn answer(
        &mut self,
        now: Instant,
        wanted: &Wanted,
        offer: &str,
    ) -> Result<(Peer, Joined, Option<PeerId>), Refusal> {
        match wanted.via {
            Via::Relay => self.judge_guest(wanted)?,
            Via::Node => self.judge(wanted)?,
            Via::Own => {
                self.judge(wanted)?;
                self.pass_lobby(now, wanted)?;
                self.send_on(now, wanted)?;
            }
        }
        let gone = self.waiting.place(now, wanted.from)?;
        let setup = PeerSetup {
            id: self.next_peer(),
            role: wanted.role,
            certificate: &self.certificate,
            candidates: &self.candidates,
            tcp_candidates: &self.tcp_candidates,
            red: self.setup.config.audio.red,
        };
        let (peer, answer) = Peer::answer(&setup, offer, now).map_err(|error| refusal(&error))?;
        let (resource, participant) = (ResourceToken::random(), wanted.role.participant());
        Ok((peer, Joined { answer, resource, participant }, gone))
    }

    /// Whether they could come in now; those who wait hold no place.
    fn judge(&self, wanted: &Wanted) -> Result<(), Refusal> {
        if self.rooms.get(&wanted.room).is_some_and(|entry| entry.room.is_banned(wanted.who.bearer)) {
            return Err(Refusal::Banned);
        }
        if let Some(rung) = wanted.rung
            && !self.setup.rungs.iter().any(|spec| spec.name() == rung)
        {
            return Err(Refusal::RungNotFound(self.setup.rung_names()));
        }
        if matches!(wanted.seat, SeatWish::Resume(_)) {
            // They have a place already.
            return Ok(());
        }
        if wanted.via != Via::Node {
            self.within_bounds(&wanted.room, wanted.role, &wanted.who)?;
        }
        let judged = match (self.rooms.get(&wanted.room), wanted.role) {
            (None, PeerRole::Viewer { minus }) => self.judge_early(&wanted.room, minus, Refusal::RoomNotFound),
            (None, _) => self.takes_room(),
            (Some(entry), role) => match Self::takes_more(entry, role)
                .and_then(|()| entry.room.opens(wanted.who.standing, wanted.who.publishes))
                .and_then(|()| entry.room.takes(role))
            {
                // Others show it to them.
                Err(Refusal::RoomFull) if self.may_send_on(wanted) => Ok(()),
                Err(Refusal::ParticipantNotFound) => {
                    self.judge_early(&wanted.room, role.minus(), Refusal::ParticipantNotFound)
                }
                judged => judged,
            },
        };
        self.setup.counts.node.turned_away.add(u64::from(judged == Err(Refusal::NodeAtLimit)));
        judged
    }

    /// Whether a room would begin that is not there yet, which is what readiness tells: none does while the node
    /// drains, beside one that gives up even its output's rate, or beside as many as there may be.
    pub(super) fn takes_room(&self) -> Result<(), Refusal> {
        if self.drain.is_on() {
            return Err(Refusal::NoNewRooms);
        }
        if self.rooms.values().any(|entry| entry.room.strained_since().is_some()) {
            return Err(Refusal::NodeAtLimit);
        }
        if self.has_room_left() { Ok(()) } else { Err(Refusal::NodeFull) }
    }

    /// Whether one more would take from those who are there: nobody may join a room that has given up even its output's
    /// rate for a while. Whoever only watches costs next to nothing.
    fn takes_more(entry: &Entry, role: PeerRole) -> Result<(), Refusal> {
        let strained = entry.room.strained_since().is_some_and(|since| Instant::now() >= since + limits::STRAIN_ADMITS);
        let is_viewer = matches!(role, PeerRole::Viewer { .. });
        if strained && !is_viewer { Err(Refusal::NodeAtLimit) } else { Ok(()) }
    }

    /// Whether `token` names a connection of that person's, which nobody else knows.
    pub(super) fn is_theirs(&self, room: &RoomId, person: ParticipantId, token: ResourceToken) -> bool {
        let in_room = self.rooms.get(room).is_some_and(|entry| entry.room.is_theirs(person, token));
        in_room || self.waiting.is_theirs(room, person, token)
    }

    /// Whoever publishes may watch at once, though their own connection does not stand yet.
    fn judge_early(&self, room: &RoomId, minus: Option<ParticipantId>, refusal: Refusal) -> Result<(), Refusal> {
        if self.waiting.awaits(room, minus) { Ok(()) } else { Err(refusal) }
    }

    /// Binds a port; the leg waits until something is heard of it.
    pub(super) fn join_leg(&mut self, wanted: Wanted, setup: LegSetup, reply: Reply<LegJoined>) {
        match self.bind_leg(wanted, setup) {
            Ok((id, joined)) => {
                if reply.send(Ok(joined)).is_err() {
                    // The client hung up before its answer.
                    self.turn_away(id);
                }
            }
            // A caller that is gone needs no answer.
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    fn bind_leg(&mut self, wanted: Wanted, setup: LegSetup) -> Result<(PeerId, LegJoined), Refusal> {
        let now = Instant::now();
        if self.workers.legs.is_none() {
            return Err(Refusal::LegsOff);
        }
        let networks = self.setup.config.media.leg_networks.clone();
        if let Some(remote) = setup.remote.filter(|remote| !networks.contain(remote.ip())) {
            return Err(Refusal::LegOutside(remote));
        }
        let participant = wanted.role.participant().expect("a leg is a participant");
        self.judge(&wanted)?;
        self.pass_lobby(now, &wanted)?;
        let gone = self.waiting.place(now, wanted.from)?;
        let socket = self.setup.config.media.legs.bind(rand::rng().random_range(0..limits::LEGS_MAX));
        let bound = socket.and_then(|socket| socket.local_addr().map(|address| (socket, address)));
        let (socket, address) = bound.map_err(|error| {
            tracing::warn!(%error, "no port for a leg");
            Refusal::LegsFull
        })?;
        gone.into_iter().for_each(|id| self.turn_away(id));
        let (peer, watch) = (self.next_peer(), LegWatch::default());
        let counters = [watch.counters.clone(), self.setup.counts.legs.clone()];
        let line = Leg::new(now, setup, participant, networks, rand::rng().random(), counters);
        let shown = LegShown { setup, local: self.reached_at(address), watch: watch.clone() };
        let (resource, state) = (ResourceToken::random(), shown.state(participant));
        let mut waiter = Waiter::new(now, wanted, resource, String::new());
        waiter.leg = Some(shown);
        self.waiting.insert(peer, waiter);
        self.resources.insert(resource, peer);
        if let Some(legs) = &self.workers.legs {
            legs.send(LegCommand::Add(Box::new(LegWork { peer, socket, line, watch })));
        }
        Ok((peer, LegJoined { resource, state }))
    }

    /// What the wire saw of somebody who waits.
    pub(super) fn net_event_of_waiting(&mut self, id: PeerId, event: NetEvent) {
        let Some(waiter) = self.waiting.get_mut(id) else { return };
        match event {
            NetEvent::Connected(_) => {
                waiter.connected = true;
                self.enter(id);
            }
            NetEvent::ChannelOpen(_) => waiter.has_channel = true,
            NetEvent::Trickled { answer, .. } => waiter.trickling.answered(answer),
            NetEvent::Closed { reason, .. } => {
                tracing::debug!(room = %alias(&waiter.room), %reason, "somebody who was answered does not come");
                self.forget_waiting(id);
            }
            // Who is in no room has nothing to say there.
            _ => {}
        }
    }

    /// What became of a leg that waits.
    pub(super) fn leg_event_of_waiting(&mut self, id: PeerId, event: LegEvent) {
        match event {
            LegEvent::Started(_) => self.enter(id),
            LegEvent::Silent(_) => self.forget_waiting(id),
            LegEvent::Failed(_) => {
                tracing::error!("a leg's worker panicked; the leg ends");
                self.forget_waiting(id);
            }
        }
    }

    /// What a door asks of somebody who waits.
    pub(super) fn command_of_waiting(&mut self, id: PeerId, command: Command) {
        let has_room = self.waiting.has_room_for_avatar();
        let Some(waiter) = self.waiting.get_mut(id) else { return command.refuse(Refusal::ResourceNotFound) };
        match command {
            Command::Trickle { session, fragment, reply, .. } if waiter.leg.is_none() => {
                if let Some(command) = waiter.trickling.ask(id, session.as_deref(), fragment, reply) {
                    self.workers.net.send(command);
                }
            }
            Command::Leave { reply, .. } => {
                self.turn_away(id);
                // A caller that is gone needs no answer.
                let _ = reply.send(Ok(()));
            }
            Command::SetAvatar { avatar, reply, .. } => {
                let fits = has_room || avatar.is_none() || waiter.avatar.is_some();
                let result = match waiter.role.participant() {
                    None => Err(Refusal::ParticipantNotFound),
                    Some(_) if !fits => Err(Refusal::Busy),
                    Some(_) => {
                        waiter.avatar = avatar;
                        Ok(())
                    }
                };
                let _ = reply.send(result);
            }
            Command::Leg { reply, .. } => {
                let state = waiter.leg.as_ref().zip(waiter.role.participant()).map(|(leg, id)| leg.state(id));
                let _ = reply.send(state.ok_or(Refusal::ResourceNotFound));
            }
            command => command.refuse(Refusal::ResourceNotFound),
        }
    }

    /// Lets somebody in whose connection stands. Whoever watches waits on while there is nothing to watch yet.
    fn enter(&mut self, id: PeerId) {
        let Some(waiter) = self.waiting.get(id) else { return };
        let (name, role) = (waiter.room.clone(), waiter.role);
        if waiter.via == Via::Relay && !self.rooms.contains_key(&name) {
            return self.enter_relay(id);
        }
        let is_new = !matches!(waiter.seat, SeatWish::Resume(_));
        let bounds =
            if is_new && waiter.via != Via::Node { self.within_bounds(&name, role, &waiter.who) } else { Ok(()) };
        let judged = match (self.rooms.get(&name), role) {
            (None, PeerRole::Viewer { .. }) => return,
            _ if bounds.is_err() => bounds,
            // Banned, or locked out, between their answer and their connection.
            (Some(entry), _) if entry.room.is_banned(waiter.who.bearer) => Err(Refusal::Banned),
            (None, _) => self.admit_room(&name),
            (Some(entry), role) if !is_new => entry.room.takes(role),
            (Some(entry), role) => {
                let Comer { standing, publishes, .. } = waiter.who;
                entry.room.opens(standing, publishes).and_then(|()| entry.room.takes(role))
            }
        };
        match judged {
            Err(Refusal::ParticipantNotFound) => return,
            Err(_) => return self.turn_away(id),
            Ok(()) => {}
        }
        let Some(waiter) = self.waiting.remove(id) else { return };
        let Waiter { display, consents_to_recording, rung, seat, resource, trickling, has_channel, .. } = waiter;
        let Waiter { who, avatar, leg, watches, via, .. } = waiter;
        let Comer { standing, bearer, region, .. } = who;
        self.peers.insert(id, name.clone());
        let joining = Joining {
            peer: id,
            role,
            standing,
            bearer,
            region,
            display,
            consents_to_recording,
            rung,
            seat,
            resource,
            trickling,
            avatar,
            leg,
            watches,
            relays: via == Via::Node,
        };
        self.input(&name, Input::Join(Box::new(joining)));
        if !self.is_in(&name, id) {
            // It ended by this very entry.
            self.workers.net.send(NetCommand::RemovePeer(id));
            return self.forget(id, resource);
        }
        if has_channel {
            self.input(&name, Input::Net(NetEvent::ChannelOpen(id)));
        }
        if role.participant().is_some() {
            self.waiting.at_the_door(&name).into_iter().for_each(|id| self.enter(id));
        }
    }

    /// Ends a connection of somebody who waits.
    pub(super) fn turn_away(&mut self, id: PeerId) {
        let Some(waiter) = self.waiting.get(id) else { return };
        match (&waiter.leg, &self.workers.legs) {
            (Some(_), Some(legs)) => legs.send(LegCommand::Remove(id)),
            _ => self.workers.net.send(NetCommand::RemovePeer(id)),
        }
        self.forget_waiting(id);
    }

    pub(super) fn forget_waiting(&mut self, id: PeerId) {
        if let Some(waiter) = self.waiting.remove(id) {
            self.following.gone(id);
            self.resources.remove(&waiter.resource);
        }
    }

    /// Begins a room that is not there yet. Who was answered before the node drained comes too late.
    fn admit_room(&mut self, name: &RoomId) -> Result<(), Refusal> {
        if self.drain.is_on() {
            return Err(Refusal::NoNewRooms);
        }
        if !self.has_room_left() {
            return Err(Refusal::NodeFull);
        }
        self.ensure_room(name).map_err(|error| {
            tracing::error!(room = %alias(name), %error, "a room could not begin");
            Refusal::NodeFull
        })
    }

    /// The address to send to: the one bound, or where clients reach this node if that is every address.
    fn reached_at(&self, bound: SocketAddr) -> SocketAddr {
        let known = self.candidates.first().filter(|_| bound.ip().is_unspecified());
        known.map_or(bound, |candidate| SocketAddr::new(candidate.ip(), bound.port()))
    }
}

/// A participant's id, never used twice.
pub(super) fn new_participant() -> ParticipantId {
    ParticipantId(rand::rng().random())
}

fn refusal(error: &OfferError) -> Refusal {
    let text = error.to_string();
    if error.is_codec() { Refusal::UnsupportedCodec(text) } else { Refusal::BadOffer(text) }
}
