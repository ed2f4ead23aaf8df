//! **The question:** how does somebody come into the room, and how do they go?

use std::time::Instant;

use crate::app::control::room::effect::{Effect, LegStart};
use crate::app::control::room::input::Joining;
use crate::app::control::room::peers::{PeerEntry, Watching};
use crate::app::control::room::state::Room;
use crate::base::media::{Bitmap, Outbox, ParticipantId, PeerId, RungId, RungSpec, TrackId, TrackKind};
use crate::core::ladder::ViewerRung;
use crate::core::room::{Role, RoomInput};
use crate::core::scene;
use crate::io::api::{LegState, Refusal, SeatWish};
use crate::io::rtp::LegEvent;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, PeerRole};

impl Room {
    /// Somebody comes in whose connection stands; if there is no place any more, they stay outside.
    pub(super) fn join(&mut self, now: Instant, joining: Joining, out: &mut Outbox<Effect>) {
        let Joining { peer, role, display, consents_to_recording, rung, seat, resource, trickling, .. } = joining;
        let Joining { standing, bearer, region, avatar, leg, watches, relays, .. } = joining;
        if let Some(participant) = role.participant().filter(|id| self.seats.is_removed(*id)) {
            // What names this connection names no seat either: by it their client learns why it is closed.
            return self.seats.bar(participant, resource);
        }
        let asked = |name| self.setup.rungs.iter().find(|spec| spec.name() == name).copied();
        let Some(spec) = rung.map_or_else(|| Some(self.setup.rungs[self.largest()]), asked) else { return };
        // Who comes back is who they were, by whatever token: a pass of a node that the room came from is nobody's.
        let known = role.participant().and_then(|id| self.seats.bearer_of(id));
        if !self.take_seat(now, role, seat, out) && !self.admit(now, peer, role, &display, out) {
            return;
        }
        let is_leg = leg.is_some();
        let mut entry = PeerEntry::new((role, standing), resource, trickling);
        (entry.leg, entry.relays) = (leg, relays);
        entry.keeps_seat = seat != SeatWish::Free;
        entry.bearer = known.or(bearer);
        self.bind_to(region);
        let is_viewer = !is_leg && !matches!(role, PeerRole::Publisher(_));
        let follows =
            rung.is_none().then(|| ViewerRung::new(self.setup.rungs.iter().map(|rung| rung.bitrate).collect()));
        entry.watching = is_viewer.then_some(Watching { takes: watches, rung: follows });
        self.peers.insert(peer, entry);
        if let (false, Some(participant)) = (consents_to_recording, role.participant()) {
            // Before anything of theirs is in the room.
            self.refuse_from_the_start(now, peer, participant, out);
        }
        if let Some(participant) = role.participant() {
            self.note_presence(now, participant, out);
        }
        if is_leg {
            self.enter_leg(now, peer, out);
        } else {
            // Before they watch: where they are the first, they decide.
            self.consider_codec(now, out);
            let spec = self.in_codec_of(spec, watches);
            let rung = is_viewer.then(|| self.watch(now, peer, spec, out));
            out.push(Effect::Net(NetCommand::EnterRoom { peer, room: self.name.clone(), rung }));
        }
        self.appear(now, peer, avatar, out);
    }

    fn enter_leg(&mut self, now: Instant, peer: PeerId, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(participant) = entry.role.participant() else { return };
        entry.tracks.insert(TrackKind::Microphone);
        let track = TrackId { participant, kind: TrackKind::Microphone };
        out.push(Effect::AddLeg(Box::new(LegStart { peer, track, playout: entry.playout.clone() })));
        self.room_input(now, RoomInput::Track(participant, TrackKind::Microphone, true), out);
    }

    /// Takes a place; false if there is none.
    fn admit(&mut self, now: Instant, peer: PeerId, role: PeerRole, display: &str, out: &mut Outbox<Effect>) -> bool {
        let input = match role {
            PeerRole::Participant(id) => RoomInput::Join(id, display.to_owned(), Role::Participant),
            PeerRole::Publisher(id) => RoomInput::Join(id, display.to_owned(), Role::Publisher),
            PeerRole::Viewer { .. } => RoomInput::ViewerJoin(peer),
        };
        let before = self.core.stats().refused;
        self.room_input(now, input, out);
        self.core.stats().refused == before
    }

    /// Shows somebody's tile, unless nobody may see it yet.
    pub(super) fn appear(&mut self, now: Instant, peer: PeerId, avatar: Option<Bitmap>, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(participant) = entry.role.participant() else { return };
        if let Some(veil) = &mut entry.veil {
            veil.avatar = avatar;
            return;
        }
        let member = self.core.members().iter().find(|member| member.participant == participant);
        let name = member.map_or_else(String::new, |member| member.name.clone());
        out.push(Effect::Scene(scene::Input::Joined { participant, name }));
        self.mark_newcomer(participant, out);
        if avatar.is_some() {
            out.push(Effect::Scene(scene::Input::Avatar { participant, avatar }));
        }
        self.announce_if_due(now, out);
    }

    /// Ends a connection from this side.
    pub(super) fn dismiss(&mut self, now: Instant, peer: PeerId, reason: &str, out: &mut Outbox<Effect>) {
        self.hang_up(peer, out);
        self.remove_peer(now, peer, reason, out);
    }

    /// Closes a connection; who is behind it is not gone by that.
    pub(super) fn hang_up(&self, peer: PeerId, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        out.push(match entry.leg {
            Some(_) => Effect::RemoveLeg(peer),
            None => Effect::Net(NetCommand::RemovePeer(peer)),
        });
    }

    /// Lets a connection go that ended; the room ends with the last of its people.
    pub(super) fn remove_peer(&mut self, now: Instant, peer: PeerId, reason: &str, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        if let Some(participant) = entry.role.participant() {
            // Before the tracks end: the tile fades out with the last picture, not with a placeholder.
            out.push(Effect::Scene(scene::Input::Left { participant }));
        }
        let Some(entry) = self.let_go(now, peer, reason, out) else { return };
        let input = match entry.role.participant() {
            Some(participant) => RoomInput::Leave(participant),
            None => RoomInput::ViewerLeave(peer),
        };
        self.room_input(now, input, out);
    }

    /// Takes a connection out of the room; its person's place stays.
    pub(super) fn let_go(
        &mut self,
        now: Instant,
        peer: PeerId,
        reason: &str,
        out: &mut Outbox<Effect>,
    ) -> Option<PeerEntry> {
        for kind in [TrackKind::Camera, TrackKind::Microphone, TrackKind::Screen, TrackKind::ScreenSound] {
            self.stop_track(now, peer, kind, out);
        }
        self.outputs.unwatch(now, peer);
        let entry = self.peers.remove(peer)?;
        self.consider_codec(now, out);
        out.push(Effect::Forget(peer, entry.resource));
        tracing::debug!(room = %alias(&self.name), reason, "a connection ends");
        Some(entry)
    }

    /// What became of a leg.
    pub(super) fn leg_event(&mut self, now: Instant, event: LegEvent, out: &mut Outbox<Effect>) {
        match event {
            // That is how it came in.
            LegEvent::Started(_) => {}
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

    pub(super) fn watch(&mut self, now: Instant, peer: PeerId, spec: RungSpec, out: &mut Outbox<Effect>) -> RungId {
        let frames = self.counters.frames_encoded.clone();
        self.outputs.watch(now, peer, spec, (&self.setup, &frames), out)
    }
}
