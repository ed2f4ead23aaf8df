//! **The question:** how does somebody come back whose connection broke, and who does not?

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::peers::PeerEntry;
use crate::app::control::room::state::Room;
use crate::base::media::{Outbox, ParticipantId, PeerId};
use crate::core::access::BearerId;
use crate::core::room::RoomInput;
use crate::core::signal::{FromNode, ProblemKind};
use crate::io::api::{Refusal, ResourceToken, SeatWish};
use crate::io::webrtc::PeerRole;

impl Room {
    /// Whose seat somebody asks for who comes back; `None`: it is not kept any more, and they come as anybody does.
    ///
    /// # Errors
    /// When a host removed them.
    pub fn seat_of(&self, token: ResourceToken) -> Result<Option<ParticipantId>, Refusal> {
        if self.seats.is_barred(token) {
            return Err(Refusal::Removed);
        }
        Ok(self.seats.of(token).or_else(|| self.seated(token).map(|(_, participant)| participant)))
    }

    /// Takes a kept seat, or that of a connection that still stands and gives way; false if it is not theirs.
    pub(super) fn take_seat(&mut self, now: Instant, role: PeerRole, seat: SeatWish, out: &mut Outbox<Effect>) -> bool {
        let (SeatWish::Resume(token), Some(participant)) = (seat, role.participant()) else { return false };
        if self.seats.of(token) == Some(participant) {
            self.seats.take(participant);
        } else if let Some((peer, of)) = self.seated(token)
            && of == participant
        {
            self.hang_up(peer, out);
            self.let_go(now, peer, "its client came back by another", out);
        } else {
            return false;
        }
        self.room_input(now, RoomInput::Away(participant, false), out);
        true
    }

    /// A connection broke: whoever asked for it keeps their seat for a while.
    pub(super) fn lose_peer(&mut self, now: Instant, peer: PeerId, reason: &str, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        let Some(participant) = entry.role.participant().filter(|_| entry.keeps_seat) else {
            return self.remove_peer(now, peer, reason, out);
        };
        let Some(entry) = self.let_go(now, peer, reason, out) else { return };
        self.seats.keep(now, participant, entry.resource, entry.bearer);
        self.room_input(now, RoomInput::Away(participant, true), out);
    }

    /// Those leave who did not come back in time.
    pub(super) fn clear_seats(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        for participant in self.seats.expired(now) {
            self.room_input(now, RoomInput::Leave(participant), out);
        }
        if self.seats.is_vacant(now) && self.core.members().is_empty() {
            self.end(now, "nobody came along", out);
        }
    }

    /// A host bans somebody: whoever shows their token does not come in while the room lasts, and what else they have
    /// in it by that token ends. Without a token nobody is known again but by their seat, which they lose as who is
    /// removed does.
    pub(super) fn ban(&mut self, now: Instant, participant: ParticipantId, out: &mut Outbox<Effect>) {
        let of_peer = self.peers.iter().find(|(_, entry)| entry.role.participant() == Some(participant));
        let bearer = of_peer.and_then(|(_, entry)| entry.bearer).or_else(|| self.seats.bearer_of(participant));
        let Some(bearer) = bearer else { return };
        self.seats.ban(bearer);
        let theirs = |entry: &PeerEntry| entry.bearer == Some(bearer) && entry.role.participant() != Some(participant);
        let others: Vec<PeerId> = self.peers.iter().filter(|(_, entry)| theirs(entry)).map(|(peer, _)| peer).collect();
        for peer in others {
            self.dismiss(now, peer, "a host banned them", out);
        }
    }

    /// Whether a host banned somebody who comes by this token.
    #[must_use]
    pub fn is_banned(&self, bearer: Option<BearerId>) -> bool {
        bearer.is_some_and(|bearer| self.seats.is_banned(bearer))
    }

    /// A host removes somebody, who cannot come back to their seat.
    pub(super) fn remove_person(&mut self, now: Instant, participant: ParticipantId, out: &mut Outbox<Effect>) {
        if let Some(token) = self.seats.take(participant) {
            self.seats.bar(participant, token);
            return self.room_input(now, RoomInput::Leave(participant), out);
        }
        let here = self.peers.iter().find(|(_, entry)| entry.role.participant() == Some(participant));
        let Some((peer, entry)) = here else { return };
        self.seats.bar(participant, entry.resource);
        if entry.leg.is_none() {
            let detail = "A host of the room asked for it.";
            Self::send(peer, &FromNode::problem(ProblemKind::Removed, "You were removed from the call", detail), out);
        }
        self.dismiss(now, peer, "a host removed them", out);
    }

    fn seated(&self, token: ResourceToken) -> Option<(PeerId, ParticipantId)> {
        let (peer, entry) = self.peers.iter().find(|(_, entry)| entry.keeps_seat && entry.resource == token)?;
        Some((peer, entry.role.participant()?))
    }
}
