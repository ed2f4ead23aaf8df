//! **The question:** who reads what somebody writes, and who sees their reaction? Only those who are in the room: never
//! a log, never a recording.

use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::base::media::{Outbox, ParticipantId, PeerId, pts_from_instant};
use crate::core::room::{ChatRefused, Written};
use crate::core::signal::{FromNode, ProblemKind, Reaction};

impl Room {
    /// A participant writes, to everyone or to one person.
    pub(super) fn chat(
        &mut self,
        now: Instant,
        peer: PeerId,
        (text, to): (String, Option<ParticipantId>),
        out: &mut Outbox<Effect>,
    ) {
        let Some((from, name)) = self.writer(peer) else { return Self::may_not_write(peer, out) };
        if to.is_some_and(|to| !self.core.members().iter().any(|member| member.participant == to)) {
            let detail = "Whom it is for has left the room.";
            return Self::send(peer, &FromNode::problem(ProblemKind::BadMessage, "Nobody reads it", detail), out);
        }
        let at_ms = self.epoch.wallclock_at(pts_from_instant(&self.epoch, now)).0 / 1_000_000;
        match self.chat.write(now, Written { from, name, to, text, at_ms }) {
            Ok(line) => {
                let message = FromNode::Chat { lines: vec![line] };
                match to {
                    None => self.broadcast(&message, out),
                    Some(to) => self.tell_people(&[from, to], &message, out),
                }
            }
            Err(why) => Self::refuse_words(peer, why, out),
        }
    }

    /// A participant shows everyone what they feel.
    pub(super) fn react(&mut self, now: Instant, peer: PeerId, reaction: Reaction, out: &mut Outbox<Effect>) {
        let Some((from, _)) = self.writer(peer) else { return Self::may_not_write(peer, out) };
        match self.chat.react(now, from) {
            Ok(()) => self.broadcast(&FromNode::Reaction { from, reaction }, out),
            Err(why) => Self::refuse_words(peer, why, out),
        }
    }

    /// What was written before somebody came.
    pub(super) fn tell_history(&self, peer: PeerId, participant: Option<ParticipantId>, out: &mut Outbox<Effect>) {
        for lines in self.chat.history(participant) {
            Self::send(peer, &FromNode::Chat { lines }, out);
        }
    }

    fn writer(&self, peer: PeerId) -> Option<(ParticipantId, String)> {
        let participant = self.peers.get(peer)?.role.participant()?;
        let member = self.core.members().iter().find(|member| member.participant == participant)?;
        Some((participant, member.name.clone()))
    }

    fn tell_people(&self, people: &[ParticipantId], message: &FromNode, out: &mut Outbox<Effect>) {
        let is_one = |id: ParticipantId| people.contains(&id);
        for (peer, entry) in self.peers.iter() {
            if entry.leg.is_none() && entry.role.participant().is_some_and(is_one) {
                Self::send(peer, message, out);
            }
        }
    }

    fn may_not_write(peer: PeerId, out: &mut Outbox<Effect>) {
        let detail = "Only those who take part write; join the room to do so.";
        Self::send(peer, &FromNode::problem(ProblemKind::NotAllowed, "You only watch", detail), out);
    }

    fn refuse_words(peer: PeerId, why: ChatRefused, out: &mut Outbox<Effect>) {
        let kind = match why {
            ChatRefused::Often => ProblemKind::TooOften,
            ChatRefused::Empty | ChatRefused::Long(_) => ProblemKind::BadMessage,
        };
        Self::send(peer, &FromNode::problem(kind, "It was not said", &why.to_string()), out);
    }
}
