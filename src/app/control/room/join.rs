//! **The question:** how does somebody come into the room, and how do they go?

use std::time::Instant;

use crate::app::control::room::effect::{Effect, LegStart};
use crate::app::control::room::input::{Joining, JoiningLeg};
use crate::app::control::room::outputs::Outputs;
use crate::app::control::room::peers::PeerEntry;
use crate::app::control::room::state::Room;
use crate::base::media::{Outbox, ParticipantId, PeerId, RungId, RungSpec, TrackId, TrackKind};
use crate::core::room::{Role, RoomInput};
use crate::core::scene;
use crate::io::api::{LegJoined, LegState, Refusal, Reply};
use crate::io::rtp::LegEvent;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, PeerRole};

impl Room {
    pub(super) fn join(&mut self, now: Instant, joining: Joining, out: &mut Outbox<Effect>) {
        let Joining { peer, role, display, consents_to_recording, rung, joined, reply } = joining;
        let id = peer.id();
        let admitted = match Outputs::spec_of(&self.setup, rung) {
            None => Err(Refusal::RungNotFound(self.setup.rung_names())),
            Some(spec) => self.admit(now, id, role, &display, out).map(|()| spec),
        };
        let spec = match admitted {
            Ok(spec) => spec,
            // A caller that is gone needs no answer.
            Err(refusal) => return drop(reply.send(Err(refusal))),
        };
        self.peers.insert(id, PeerEntry::new(role, joined.resource, peer.ufrag().to_owned()));
        let watches = !matches!(role, PeerRole::Publisher(_));
        let rung = watches.then(|| self.watch(now, id, spec, out));
        out.push(Effect::Net(NetCommand::AddPeer { room: self.name.clone(), peer, rung }));
        if let (false, Some(participant)) = (consents_to_recording, role.participant()) {
            // Before the answer leaves, so that nothing of theirs comes sooner.
            self.set_recordable(now, participant, false, out);
        }
        out.push(Effect::AnswerJoin(id, joined, reply));
    }

    pub(super) fn join_leg(
        &mut self,
        now: Instant,
        joining: JoiningLeg,
        reply: Reply<LegJoined>,
        out: &mut Outbox<Effect>,
    ) {
        let JoiningLeg { peer, participant, display, socket, leg, shown, resource } = joining;
        let role = PeerRole::Participant(participant);
        if let Err(refusal) = self.admit(now, peer, role, &display, out) {
            return drop(reply.send(Err(refusal)));
        }
        let (watch, state) = (shown.watch.clone(), shown.state(participant));
        let mut entry = PeerEntry::new(role, resource, String::new());
        entry.leg = Some(shown);
        entry.tracks.insert(TrackKind::Microphone);
        let track = TrackId { participant, kind: TrackKind::Microphone };
        let playout = entry.playout.clone();
        self.peers.insert(peer, entry);
        out.push(Effect::AddLeg(Box::new(LegStart { peer, track, socket, leg, watch, playout })));
        out.push(Effect::AnswerLeg(peer, LegJoined { resource, state }, reply));
    }

    /// Reserves a place.
    fn admit(
        &mut self,
        now: Instant,
        peer: PeerId,
        role: PeerRole,
        display: &str,
        out: &mut Outbox<Effect>,
    ) -> Result<(), Refusal> {
        let known = |id| self.core.members().iter().any(|member| member.participant == id);
        let input = match role {
            PeerRole::Viewer { minus: Some(id) } if !known(id) => return Err(Refusal::ParticipantNotFound),
            PeerRole::Participant(id) => RoomInput::Join(id, display.to_owned(), Role::Participant),
            PeerRole::Publisher(id) => RoomInput::Join(id, display.to_owned(), Role::Publisher),
            PeerRole::Viewer { .. } => RoomInput::ViewerJoin(peer),
        };
        let before = self.core.stats().refused;
        self.room_input(now, input, out);
        if self.core.stats().refused > before { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    /// ICE and DTLS of a connection are up.
    pub(super) fn connected(&mut self, now: Instant, peer: PeerId, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        entry.connected = true;
        let Some(participant) = entry.role.participant() else { return };
        let member = self.core.members().iter().find(|member| member.participant == participant);
        let name = member.map_or_else(String::new, |member| member.name.clone());
        // Only now does a tile appear: nobody waits for a face that never comes.
        out.push(Effect::Scene(scene::Input::Joined { participant, name }));
        self.mark_newcomer(participant, out);
        self.announce_if_due(now, out);
    }

    /// Ends a connection from this side.
    pub(super) fn dismiss(&mut self, now: Instant, peer: PeerId, reason: &str, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        out.push(match entry.leg {
            Some(_) => Effect::RemoveLeg(peer),
            None => Effect::Net(NetCommand::RemovePeer(peer)),
        });
        self.remove_peer(now, peer, reason, out);
    }

    /// Lets a connection go that ended; the room ends with the last of its people.
    pub(super) fn remove_peer(&mut self, now: Instant, peer: PeerId, reason: &str, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        if let Some(participant) = entry.role.participant() {
            // Before the tracks end: the tile fades out with the last picture, not with a placeholder.
            out.push(Effect::Scene(scene::Input::Left { participant }));
        }
        for kind in [TrackKind::Camera, TrackKind::Microphone, TrackKind::Screen, TrackKind::ScreenSound] {
            self.stop_track(now, peer, kind, out);
        }
        self.outputs.unwatch(now, peer);
        let Some(entry) = self.peers.remove(peer) else { return };
        out.push(Effect::Forget(peer, entry.resource));
        tracing::debug!(room = %alias(&self.name), reason, "a connection ends");
        let input = match entry.role.participant() {
            Some(participant) => RoomInput::Leave(participant),
            None => RoomInput::ViewerLeave(peer),
        };
        self.room_input(now, input, out);
    }

    /// What became of a leg.
    pub(super) fn leg_event(&mut self, now: Instant, event: LegEvent, out: &mut Outbox<Effect>) {
        match event {
            LegEvent::Started(peer) => {
                self.connected(now, peer, out);
                if let Some(id) = self.peers.get(peer).and_then(|entry| entry.role.participant()) {
                    self.room_input(now, RoomInput::Track(id, TrackKind::Microphone, true), out);
                }
            }
            LegEvent::Silent(peer) => self.remove_peer(now, peer, "nothing came from it any more", out),
            LegEvent::Failed(peer) => {
                tracing::error!("a leg's worker panicked; the leg ends");
                self.remove_peer(now, peer, "its worker panicked", out);
            }
        }
    }

    /// How a leg stands.
    pub(super) fn leg_state(&self, peer: PeerId) -> Result<LegState, Refusal> {
        let entry = self.peers.get(peer).ok_or(Refusal::ResourceNotFound)?;
        let participant: ParticipantId = entry.role.participant().ok_or(Refusal::ResourceNotFound)?;
        entry.leg.as_ref().map(|leg| leg.state(participant)).ok_or(Refusal::ResourceNotFound)
    }

    fn watch(&mut self, now: Instant, peer: PeerId, spec: RungSpec, out: &mut Outbox<Effect>) -> RungId {
        let frames = self.counters.frames_encoded.clone();
        self.outputs.watch(now, peer, spec, (&self.setup, &frames), out)
    }
}
