//! **The question:** what does a host do in a room? Announcements, mutes, volumes and rules, carried to the mix worker;
//! hands that go down, and people who go.

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::Room;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{Outbox, ParticipantId, ShortBlock};
use crate::core::room::{RoomInput, Rules};
use crate::core::signal::FromNode;
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
        let rules = self.core.rules();
        let rules = Rules {
            mute_on_entry: moderation.mute_on_entry.unwrap_or(rules.mute_on_entry),
            push_to_talk: moderation.push_to_talk.unwrap_or(rules.push_to_talk),
            locked: moderation.locked.unwrap_or(rules.locked),
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
        for (participant, _) in moderation.participants.iter().filter(|(_, wanted)| wanted.remove) {
            self.remove_person(now, *participant, out);
        }
        Ok(())
    }

    /// The rules, as people are told.
    pub(super) fn rules_message(&self) -> FromNode {
        let Rules { mute_on_entry, push_to_talk, locked } = self.core.rules();
        FromNode::Rules { mute_on_entry, push_to_talk, locked }
    }
}
