//! **The question:** which room does a request concern, and may its caller ask for it? New rooms begin here.

use std::net::SocketAddr;
use std::time::Instant;

use rand::Rng as _;

use crate::app::control::room::Input;
use crate::app::control::room::effect::LegShown;
use crate::app::control::room::input::{Joining, JoiningLeg};
use crate::app::control::thread::Control;
use crate::base::limits;
use crate::base::media::{ParticipantId, RoomId, RungName};
use crate::io::api::{Command, Joined, LegJoined, Place, Refusal, Reply, Request, ResourceToken, RoomSummary};
use crate::io::rtp::{Leg, LegSetup, LegWatch};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{OfferError, Peer, PeerRole, PeerSetup};

/// Somebody who wants in.
struct Wanted {
    room: RoomId,
    role: PeerRole,
    display: String,
    offer: String,
    consents_to_recording: bool,
    rung: Option<RungName>,
}

impl Control {
    /// One request of any door, judged first.
    pub(super) fn request(&mut self, Request { caller, command }: Request) {
        match self.setup.policy.judge(caller, command.act()) {
            // Nothing begins any more that would have to be ended at once.
            Ok(()) if self.is_stopping => command.refuse(Refusal::Draining),
            Ok(()) => self.command(command),
            Err(denied) => command.refuse(denied.into()),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Join { room, name, offer, consents_to_recording, rung, reply } => {
                let role = PeerRole::Participant(new_participant());
                self.join(Wanted { room, role, display: name, offer, consents_to_recording, rung }, reply);
            }
            Command::Publish { room, name, offer, consents_to_recording, reply } => {
                let role = PeerRole::Publisher(new_participant());
                self.join(Wanted { room, role, display: name, offer, consents_to_recording, rung: None }, reply);
            }
            Command::Watch { room, minus, offer, rung, reply } => {
                let (role, display) = (PeerRole::Viewer { minus }, String::new());
                self.join(Wanted { room, role, display, offer, consents_to_recording: true, rung }, reply);
            }
            Command::AddLeg { room, name, leg, reply } => self.join_leg(&room, name, leg, reply),
            Command::Rooms { reply } => drop(reply.send(Ok(self.room_list()))),
            Command::Stats { reply } => drop(reply.send(Ok(self.stats()))),
            Command::Find { place, reply } => drop(reply.send(self.find(&place))),
            command => self.command_of_one(command),
        }
    }

    /// Whether what somebody is about to ask for is there.
    fn find(&self, place: &Place) -> Result<(), Refusal> {
        match place {
            Place::Node => Ok(()),
            Place::Room(name) if self.rooms.contains_key(name) => Ok(()),
            Place::Room(_) => Err(Refusal::RoomNotFound),
            Place::Connection(resource) if self.resources.contains_key(resource) => Ok(()),
            Place::Connection(_) => Err(Refusal::ResourceNotFound),
        }
    }

    /// A command about one room or one connection that is there.
    fn command_of_one(&mut self, command: Command) {
        if let Some(resource) = command.resource() {
            let found = self.resources.get(&resource).and_then(|peer| Some((*peer, self.peers.get(peer)?.clone())));
            return match found {
                Some((peer, name)) => self.input(&name, Input::AskOf(peer, command)),
                None => command.refuse(Refusal::ResourceNotFound),
            };
        }
        match command.room().cloned() {
            Some(name) if self.rooms.contains_key(&name) => self.input(&name, Input::Ask(command)),
            _ => command.refuse(Refusal::RoomNotFound),
        }
    }

    fn join(&mut self, wanted: Wanted, reply: Reply<Joined>) {
        match self.answer(&wanted) {
            Ok((peer, joined)) => {
                let Wanted { room, role, display, consents_to_recording, rung, .. } = wanted;
                self.resources.insert(joined.resource, peer.id());
                self.peers.insert(peer.id(), room.clone());
                let (id, resource) = (peer.id(), joined.resource);
                let joining = Joining { peer, role, display, consents_to_recording, rung, joined, reply };
                self.input(&room, Input::Join(Box::new(joining)));
                if !self.is_in(&room, id) {
                    self.forget(id, resource);
                }
            }
            // A caller that is gone needs no answer.
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// Answers an offer; the room begins if need be.
    fn answer(&mut self, wanted: &Wanted) -> Result<(Box<Peer>, Joined), Refusal> {
        if let Some(rung) = wanted.rung
            && !self.setup.rungs.iter().any(|spec| spec.name() == rung)
        {
            return Err(Refusal::RungNotFound(self.setup.rung_names()));
        }
        let setup = PeerSetup {
            id: self.next_peer(),
            role: wanted.role,
            certificate: &self.certificate,
            candidates: &self.candidates,
            red: self.setup.config.audio.red,
        };
        let (peer, answer) = Peer::answer(&setup, &wanted.offer, Instant::now()).map_err(|error| refusal(&error))?;
        match wanted.role {
            PeerRole::Viewer { .. } if !self.rooms.contains_key(&wanted.room) => return Err(Refusal::RoomNotFound),
            PeerRole::Viewer { .. } => {}
            PeerRole::Participant(_) | PeerRole::Publisher(_) => self.admit_room(&wanted.room)?,
        }
        let (resource, participant) = (ResourceToken::random(), wanted.role.participant());
        Ok((Box::new(peer), Joined { answer, resource, participant }))
    }

    fn join_leg(&mut self, name: &RoomId, display: String, setup: LegSetup, reply: Reply<LegJoined>) {
        let joining = match self.bind_leg(name, display, setup) {
            Ok(joining) => joining,
            Err(refusal) => return drop(reply.send(Err(refusal))),
        };
        let (id, resource) = (joining.peer, joining.resource);
        self.resources.insert(resource, id);
        self.peers.insert(id, name.clone());
        self.input(name, Input::JoinLeg(Box::new(joining), reply));
        if !self.is_in(name, id) {
            self.forget(id, resource);
        }
    }

    fn bind_leg(&mut self, name: &RoomId, display: String, setup: LegSetup) -> Result<JoiningLeg, Refusal> {
        if self.workers.legs.is_none() {
            return Err(Refusal::LegsOff);
        }
        let socket = self.setup.config.media.legs.bind(rand::rng().random_range(0..limits::LEGS_MAX));
        let bound = socket.and_then(|socket| socket.local_addr().map(|address| (socket, address)));
        let (socket, address) = bound.map_err(|error| {
            tracing::warn!(%error, "no port for a leg");
            Refusal::LegsFull
        })?;
        self.admit_room(name)?;
        let (peer, participant, watch) = (self.next_peer(), new_participant(), LegWatch::default());
        let counters = [watch.counters.clone(), self.setup.counts.legs.clone()];
        let leg = Leg::new(Instant::now(), setup, participant, rand::rng().random(), counters);
        let shown = LegShown { setup, local: self.reached_at(address), watch };
        let resource = ResourceToken::random();
        Ok(JoiningLeg { peer, participant, display, socket, leg, shown, resource })
    }

    /// Begins a room that is not there yet.
    fn admit_room(&mut self, name: &RoomId) -> Result<(), Refusal> {
        if !self.rooms.contains_key(name) && !self.has_room_left() {
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

    fn room_list(&self) -> Vec<RoomSummary> {
        let summary = |(name, stats): (&RoomId, crate::app::control::room::RoomStats)| RoomSummary {
            room: name.clone(),
            participants: stats.participants,
            viewers: stats.viewers,
        };
        let mut list: Vec<_> = self.rooms.iter().map(|(name, entry)| (name, entry.room.stats())).map(summary).collect();
        list.sort_by(|a, b| a.room.cmp(&b.room));
        list
    }
}

fn new_participant() -> ParticipantId {
    ParticipantId(rand::rng().random())
}

fn refusal(error: &OfferError) -> Refusal {
    let text = error.to_string();
    if error.is_codec() { Refusal::UnsupportedCodec(text) } else { Refusal::BadOffer(text) }
}
