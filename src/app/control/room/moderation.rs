//! **The question:** what does a host do in a room? Announcements, mutes, volumes and rules, carried to the mix worker;
//! hands that go down, and people who go.

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId, ShortBlock};
use crate::core::access::{Act, Caller};
use crate::core::room::{RoomInput, Rules};
use crate::core::signal::{FromNode, Knocker};
use crate::io::api::{Moderation, Refusal};

impl Room {
    /// Plays sound to everybody here.
    pub(super) fn announce(&self, blocks: Arc<[ShortBlock]>, out: &mut Outbox<Effect>) {
        out.push(Effect::Mix(MixCommand::Announce(self.name.clone(), blocks)));
    }

    /// Does what a host asks, all of it or nothing.
    ///
    /// # Errors
    /// When somebody it names is not here.
    pub(super) fn moderate(
        &mut self,
        now: Instant,
        moderation: &Moderation,
        out: &mut Outbox<Effect>,
    ) -> Result<(), Refusal> {
        let here = |id: &ParticipantId| self.core.members().iter().any(|member| member.participant == *id);
        if !moderation.participants.keys().all(here) {
            return Err(Refusal::ParticipantNotFound);
        }
        let bans = moderation.participants.values().filter(|wanted| wanted.ban).count();
        if !self.seats.may_ban(bans) {
            return Err(Refusal::BansFull);
        }
        let rules = self.core.rules();
        let rules = Rules {
            mute_on_entry: moderation.mute_on_entry.unwrap_or(rules.mute_on_entry),
            push_to_talk: moderation.push_to_talk.unwrap_or(rules.push_to_talk),
            locked: moderation.locked.unwrap_or(rules.locked),
            lobby: moderation.lobby.unwrap_or(rules.lobby),
        };
        self.room_input(now, RoomInput::Rules(rules), out);
        for (participant, sound) in &moderation.participants {
            if let Some(muted) = sound.muted {
                self.room_input(now, RoomInput::Mute(*participant, muted), out);
            }
            if let Some(percent) = sound.volume_percent {
                self.kept.volumes.insert(*participant, percent);
                let volume = f32::from(percent) / 100.0;
                out.push(Effect::Mix(MixCommand::Volume(self.name.clone(), *participant, volume)));
            }
            if let Some(raised) = sound.hand {
                self.room_input(now, RoomInput::Hand(*participant, raised), out);
            }
        }
        // Last: with the last of them the room ends.
        for (participant, wanted) in moderation.participants.iter().filter(|(_, wanted)| wanted.remove || wanted.ban) {
            if wanted.ban {
                self.ban(now, *participant, out);
            }
            self.remove_person(now, *participant, out);
        }
        Ok(())
    }

    /// Begins with a lobby, if that is the operator's rule.
    pub(super) fn lobby_from_the_start(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let lobby = self.setup.config.rooms.lobby;
        self.room_input(now, RoomInput::Rules(Rules { lobby, ..self.core.rules() }), out);
    }

    /// Whether who is new waits until a host lets them in.
    #[must_use]
    pub fn has_lobby(&self) -> bool {
        self.core.rules().lobby
    }

    /// How many are here who may let somebody in.
    #[must_use]
    pub fn hosts(&self) -> usize {
        let may = |caller: &Caller| self.setup.policy.judge(caller, Act::Moderate, Some(&self.name)).is_ok();
        self.peers.iter().filter(|(_, entry)| entry.leg.is_none() && may(&entry.caller())).count()
    }

    /// Those who may let somebody in are told who waits, if that changed.
    pub(super) fn lobby_changed(&mut self, waiting: Vec<Knocker>, out: &mut Outbox<Effect>) {
        let ids = |people: &[Knocker]| people.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        if ids(&waiting) != ids(&self.waiting) {
            self.waiting = waiting;
            let hosts = self.peers.iter().filter(|(_, entry)| entry.leg.is_none());
            hosts.for_each(|(peer, entry)| self.tell_waiting(peer, &entry.caller(), out));
        }
    }

    /// Tells a host who waits.
    pub(super) fn tell_waiting(&self, peer: PeerId, caller: &Caller, out: &mut Outbox<Effect>) {
        if self.setup.policy.judge(caller, Act::Moderate, Some(&self.name)).is_ok() {
            Self::send(peer, &FromNode::Lobby { people: self.waiting.clone() }, out);
        }
    }

    /// The rules, as people are told.
    pub(super) fn rules_message(&self) -> FromNode {
        let Rules { mute_on_entry, push_to_talk, locked, lobby } = self.core.rules();
        FromNode::Rules { mute_on_entry, push_to_talk, locked, lobby }
    }
}
