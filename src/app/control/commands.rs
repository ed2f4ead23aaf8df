//! **The question:** how does a connection begin and end? The commands of every door, one function each.

use std::time::Instant;

use rand::Rng as _;
use tokio::sync::oneshot;

use crate::app::control::Control;
use crate::app::control::peers::PeerEntry;
use crate::base::limits;
use crate::base::media::{ParticipantId, PeerId, RoomId};
use crate::core::access::{Caller, Denied};
use crate::core::room::{self, RoomInput};
use crate::io::api::{
    Command, Joined, Refusal, Request, ResourceToken, RoomDetail, RoomSummary, SdpFragment, Trickled,
};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{IceCredentials, NetCommand, OfferError, Peer, PeerRole, PeerSetup};

impl Control {
    /// One request of any door, judged first.
    pub fn request(&mut self, Request { caller, command }: Request) {
        match self.policy.judge(caller, command.act()) {
            Ok(()) => self.command(command),
            Err(Denied) => command.refuse(Refusal::NotAllowed),
        }
    }

    /// Who stands behind a connection.
    pub(super) fn caller(&self, peer: PeerId) -> Caller {
        match self.peers.get(peer).map(|entry| entry.role) {
            Some(PeerRole::Participant(participant)) => Caller::Participant(participant),
            _ => Caller::Guest,
        }
    }

    /// Does what was asked. A reply that nobody waits for means the client hung up: what was done for it is undone.
    fn command(&mut self, command: Command) {
        match command {
            Command::Join { room, name, offer, consents_to_recording, reply } => {
                let role = PeerRole::Participant(new_participant());
                let result = self.join(&room, role, &name, &offer);
                self.note_recordable(&room, role, result.is_ok(), consents_to_recording);
                self.answer_join(result, reply);
            }
            Command::Publish { room, name, offer, consents_to_recording, reply } => {
                let role = PeerRole::Publisher(new_participant());
                let result = self.join(&room, role, &name, &offer);
                self.note_recordable(&room, role, result.is_ok(), consents_to_recording);
                self.answer_join(result, reply);
            }
            Command::Watch { room, minus, offer, reply } => {
                let result = self.join(&room, PeerRole::Viewer { minus }, "", &offer);
                self.answer_join(result, reply);
            }
            Command::Trickle { resource, session, fragment, reply } => {
                self.trickle(resource, session.as_deref(), fragment, reply);
            }
            Command::Leave { resource, reply } => {
                let peer = self.resources.get(&resource).copied().ok_or(Refusal::ResourceNotFound);
                if let Ok(peer) = peer {
                    self.dismiss(peer, "the client left");
                }
                let _ = reply.send(peer.map(|_| ()));
            }
            Command::AddLeg { room, name, leg, reply } => self.answer_leg(&room, &name, leg, reply),
            Command::Leg { resource, reply } => drop(reply.send(self.leg_state(resource))),
            Command::Rooms { reply } => drop(reply.send(Ok(self.room_list()))),
            Command::Room { room, reply } => drop(reply.send(self.room_detail(&room))),
            Command::Layout { room, reply } => drop(reply.send(self.layout_shown(&room))),
            Command::SetLayout { room, layout, reply } => drop(reply.send(self.set_layout(&room, layout))),
            Command::SetBranding { room, branding, reply } => drop(reply.send(self.set_branding(&room, branding))),
            Command::SetAvatar { resource, avatar, reply } => drop(reply.send(self.set_avatar(resource, avatar))),
            Command::TurnPage { room, page, reply } => drop(reply.send(self.turn_page(&room, page))),
            Command::Announce { room, blocks, reply } => drop(reply.send(self.announce(&room, blocks))),
            Command::Moderate { room, moderation, reply } => drop(reply.send(self.moderate(&room, &moderation))),
            Command::Record { room, wish, reply } => drop(reply.send(self.record(&room, wish))),
            Command::StopRecording { room, reply } => drop(reply.send(self.stop_recording(&room))),
            Command::Stats { reply } => drop(reply.send(Ok(self.stats()))),
        }
    }

    /// Before the answer leaves, so that nothing of theirs comes sooner.
    fn note_recordable(&mut self, room: &RoomId, role: PeerRole, joined: bool, consents_to_recording: bool) {
        if let (true, false, Some(participant)) = (joined, consents_to_recording, role.participant()) {
            self.set_recordable(room, participant, false);
        }
    }

    fn join(&mut self, room: &RoomId, role: PeerRole, name: &str, offer: &str) -> Result<Joined, Refusal> {
        let (id, now) = (self.peers.next_id(), Instant::now());
        let setup = PeerSetup {
            id,
            role,
            certificate: &self.certificate,
            candidates: &self.candidates,
            red: self.config.audio.red,
        };
        let (peer, answer) = Peer::answer(&setup, offer, now).map_err(|error| refusal(&error))?;
        self.admit(room, id, role, name, now)?;
        let resource = ResourceToken::random();
        self.resources.insert(resource, id);
        self.peers.insert(id, PeerEntry::new(room.clone(), role, resource, peer.ufrag().to_owned()));
        let watches = !matches!(role, PeerRole::Publisher(_));
        let rung = self.rooms.get(room).filter(|_| watches).map(|room| room.rung);
        self.workers.net.send(NetCommand::AddPeer { room: room.clone(), peer: Box::new(peer), rung });
        Ok(Joined { answer, resource, participant: role.participant() })
    }

    fn answer_join(&mut self, result: Result<Joined, Refusal>, reply: oneshot::Sender<Result<Joined, Refusal>>) {
        if let Err(Ok(joined)) = reply.send(result)
            && let Some(peer) = self.resources.get(&joined.resource).copied()
        {
            self.dismiss(peer, "the client hung up before its answer");
        }
    }

    /// Reserves a place, in a room that comes to be if need be.
    pub(super) fn admit(
        &mut self,
        name: &RoomId,
        peer: PeerId,
        role: PeerRole,
        display: &str,
        now: Instant,
    ) -> Result<(), Refusal> {
        if let PeerRole::Viewer { minus } = role {
            let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
            let known = |id| room.core.members().iter().any(|member| member.participant == id);
            if minus.is_some_and(|id| !known(id)) {
                return Err(Refusal::ParticipantNotFound);
            }
        } else if !self.rooms.contains_key(name) {
            if self.rooms.len() >= limits::ROOMS_MAX {
                return Err(Refusal::NodeFull);
            }
            self.ensure_room(name).map_err(|error| {
                tracing::error!(room = %alias(name), %error, "a room could not begin");
                Refusal::NodeFull
            })?;
        }
        let input = match role {
            PeerRole::Participant(id) => RoomInput::Join(id, display.to_owned(), room::Role::Participant),
            PeerRole::Publisher(id) => RoomInput::Join(id, display.to_owned(), room::Role::Publisher),
            PeerRole::Viewer { .. } => RoomInput::ViewerJoin(peer),
        };
        self.room_input(name, now, input);
        let refused = self.rooms.get_mut(name).is_some_and(|room| std::mem::take(&mut room.refused));
        if refused { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    /// Ends a connection from this side.
    pub fn dismiss(&mut self, peer: PeerId, reason: &str) {
        self.hang_up(peer);
        self.workers.net.send(NetCommand::RemovePeer(peer));
        self.forget(peer, reason);
    }

    fn trickle(
        &mut self,
        resource: ResourceToken,
        session: Option<&str>,
        fragment: SdpFragment,
        reply: oneshot::Sender<Result<Trickled, Refusal>>,
    ) {
        let Some(peer) = self.resources.get(&resource).copied() else {
            let _ = reply.send(Err(Refusal::ResourceNotFound));
            return;
        };
        let entry = self.peers.get_mut(peer).expect("every resource names a connection");
        if entry.leg.is_some() {
            let _ = reply.send(Err(Refusal::ResourceNotFound));
            return;
        }
        if session.is_some_and(|ufrag| ufrag != entry.ufrag) {
            let _ = reply.send(Err(Refusal::SessionChanged));
            return;
        }
        let restart = match (fragment.ufrag, fragment.pwd) {
            (Some(ufrag), Some(password)) => Some(IceCredentials { ufrag, password }),
            _ => None,
        };
        let candidates = fragment.candidates.into_iter().map(|c| c.candidate).collect();
        entry.trickles.push_back(reply);
        self.workers.net.send(NetCommand::Trickle { peer, credentials: restart, candidates });
    }

    fn room_list(&self) -> Vec<RoomSummary> {
        let mut list: Vec<_> = self
            .rooms
            .iter()
            .map(|(name, room)| {
                let stats = room.core.stats();
                RoomSummary { room: name.clone(), participants: stats.participants, viewers: stats.viewers }
            })
            .collect();
        list.sort_by(|a, b| a.room.cmp(&b.room));
        list
    }

    fn room_detail(&self, name: &RoomId) -> Result<RoomDetail, Refusal> {
        let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
        let viewers = room.core.stats().viewers;
        Ok(RoomDetail { room: name.clone(), participants: room.people(), viewers, recording: room.recording })
    }
}

pub(super) fn new_participant() -> ParticipantId {
    ParticipantId(rand::rng().random())
}

fn refusal(error: &OfferError) -> Refusal {
    let text = error.to_string();
    if error.is_codec() { Refusal::UnsupportedCodec(text) } else { Refusal::BadOffer(text) }
}
