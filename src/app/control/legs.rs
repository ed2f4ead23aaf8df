//! **The question:** how does a plain-RTP leg begin and end? To the room it is a participant with a microphone and no data channel.

use std::net::SocketAddr;
use std::time::Instant;

use rand::Rng as _;

use crate::app::control::Control;
use crate::app::control::commands::new_participant;
use crate::app::control::peers::PeerEntry;
use crate::app::workers::mix::MixCommand;
use crate::base::limits;
use crate::base::media::{ParticipantId, PeerId, RoomId, TrackId, TrackKind};
use crate::core::room::RoomInput;
use crate::engine::flow;
use crate::io::api::{LegJoined, LegState, Refusal, Reply, ResourceToken};
use crate::io::rtp::{Leg, LegCommand, LegEvent, LegSetup, LegWatch, LegWork};
use crate::io::webrtc::PeerRole;

/// What can be told of a leg.
#[derive(Debug, Clone)]
pub struct LegShown {
    setup: LegSetup,
    local: SocketAddr,
    watch: LegWatch,
}

impl LegShown {
    fn state(&self, participant: ParticipantId) -> LegState {
        let (setup, counters) = (&self.setup, &self.watch.counters);
        LegState {
            participant,
            local: self.local,
            remote: self.watch.remote.get().copied().or(setup.remote),
            codec: setup.codec,
            payload_type: setup.payload_type,
            event_type: setup.event_type,
            ptime: setup.blocks * limits::AUDIO_TICK.as_millis() as u8,
            packets_in: counters.packets_in.get(),
            packets_out: counters.packets_out.get(),
            datagrams_refused: counters.datagrams_refused.get(),
            events: counters.events.get(),
        }
    }
}

impl Control {
    /// A leg is asked for; it ends at once if nobody waits for the answer.
    pub fn answer_leg(&mut self, room: &RoomId, name: &str, setup: LegSetup, reply: Reply<LegJoined>) {
        let result = self.add_leg(room, name, setup);
        if let Err(Ok(joined)) = reply.send(result)
            && let Some(peer) = self.resources.get(&joined.resource).copied()
        {
            self.dismiss(peer, "the client hung up before its answer");
        }
    }

    fn add_leg(&mut self, name: &RoomId, display: &str, setup: LegSetup) -> Result<LegJoined, Refusal> {
        let waker = self.workers.legs.as_ref().ok_or(Refusal::LegsOff)?.waker();
        let socket = self.config.media.legs.bind(rand::rng().random_range(0..limits::LEGS_MAX));
        let bound = socket.and_then(|socket| socket.local_addr().map(|address| (socket, address)));
        let (socket, address) = bound.map_err(|error| {
            tracing::warn!(%error, "no port for a leg");
            Refusal::LegsFull
        })?;
        let (peer, participant, now) = (self.peers.next_id(), new_participant(), Instant::now());
        self.admit(name, peer, PeerRole::Participant(participant), display, now)?;
        let room = self.rooms.get(name).expect("somebody was admitted to it");
        let watch = LegWatch::default();
        let counters = [watch.counters.clone(), self.counts.legs.clone()];
        let line = Leg::new(now, setup, participant, rand::rng().random(), counters);
        let (sink, packets) = flow::opus_queue(self.counts.node.opus_discarded.clone());
        let mix = room.sounds.subscribe(limits::AUDIO_FAN_LEN, waker);
        let resource = ResourceToken::random();
        let shown = LegShown { setup, local: self.reached_at(address), watch: watch.clone() };
        let state = shown.state(participant);
        let mut entry = PeerEntry::new(name.clone(), PeerRole::Participant(participant), resource, String::new());
        entry.leg = Some(shown);
        let track = TrackId { participant, kind: TrackKind::Microphone };
        let voice = MixCommand::AddVoice(name.clone(), track, packets, entry.playout.clone());
        self.workers.mix[room.mix].send(voice);
        if let Some(legs) = &self.workers.legs {
            legs.send(LegCommand::Add(Box::new(LegWork { peer, socket, line, sink, mix, watch })));
        }
        self.resources.insert(resource, peer);
        self.peers.insert(peer, entry);
        Ok(LegJoined { resource, state })
    }

    /// How a leg stands.
    pub fn leg_state(&self, resource: ResourceToken) -> Result<LegState, Refusal> {
        let peer = self.resources.get(&resource).copied().ok_or(Refusal::ResourceNotFound)?;
        let entry = self.peers.get(peer).ok_or(Refusal::ResourceNotFound)?;
        let participant = entry.role.participant().ok_or(Refusal::ResourceNotFound)?;
        entry.leg.as_ref().map(|leg| leg.state(participant)).ok_or(Refusal::ResourceNotFound)
    }

    /// What the legs' thread saw. Events about a leg that is gone meanwhile are ignored.
    pub fn leg_event(&mut self, event: LegEvent) {
        match event {
            LegEvent::Started(peer) => {
                self.connected(peer);
                let Some(entry) = self.peers.get(peer) else { return };
                let (name, participant) = (entry.room.clone(), entry.role.participant());
                if let Some(id) = participant {
                    self.room_input(&name, Instant::now(), RoomInput::Track(id, TrackKind::Microphone, true));
                }
            }
            LegEvent::Silent(peer) => self.forget(peer, "nothing came from it any more"),
            LegEvent::Failed(peer) => {
                tracing::error!("a leg's worker panicked; the leg ends");
                self.forget(peer, "its worker panicked");
            }
        }
    }

    /// Ends a leg's thread's part of it.
    pub fn hang_up(&self, peer: PeerId) {
        if let (Some(legs), Some(true)) = (&self.workers.legs, self.peers.get(peer).map(|entry| entry.leg.is_some())) {
            legs.send(LegCommand::Remove(peer));
        }
    }

    /// The address to send to: the one bound, or where clients reach this node if that is every address.
    fn reached_at(&self, bound: SocketAddr) -> SocketAddr {
        let known = self.candidates.first().filter(|_| bound.ip().is_unspecified());
        known.map_or(bound, |candidate| SocketAddr::new(candidate.ip(), bound.port()))
    }
}
