//! **The question:** what of the room is the operator's server told? Of people their ids, and what they call themselves
//! only where the operator wants to know.

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::base::media::{Outbox, ParticipantId};
use crate::core::push::PushId;
use crate::core::webhook::Happening;

impl Room {
    /// Something happened.
    pub(super) fn tell(&self, happening: Happening, out: &mut Outbox<Effect>) {
        // Most nodes tell nobody.
        if !self.setup.config.webhooks.hooks.is_empty() {
            out.push(Effect::Tell(Box::new(happening)));
        }
    }

    /// Somebody is in.
    pub(super) fn tell_joined(&self, participant: ParticipantId, out: &mut Outbox<Effect>) {
        let member = self.core.members().iter().find(|member| member.participant == participant);
        let name = member.filter(|_| self.setup.config.webhooks.names).map(|member| member.name.clone());
        self.tell(Happening::ParticipantJoined { room: self.name.clone(), participant, name }, out);
    }

    /// Somebody is out.
    pub(super) fn tell_left(&self, participant: ParticipantId, out: &mut Outbox<Effect>) {
        self.tell(Happening::ParticipantLeft { room: self.name.clone(), participant }, out);
    }

    /// The room is over, and everybody who is still in it is out.
    pub(super) fn tell_all_left(&self, out: &mut Outbox<Effect>) {
        for member in self.core.members() {
            self.tell_left(member.participant, out);
        }
    }

    /// A push is `live`, `waiting` or `ended` from now on.
    pub(super) fn tell_push(&self, push: PushId, target: &str, state: &'static str, out: &mut Outbox<Effect>) {
        let (room, push, target) = (self.name.clone(), push.to_string(), target.to_owned());
        self.tell(Happening::PushChanged { room, push, state, target }, out);
    }
}
