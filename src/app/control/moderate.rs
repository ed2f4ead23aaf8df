//! **The question:** what does a host do to a room's sound? Announcements, mutes, volumes and rules, carried to the mix thread.

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::Control;
use crate::app::workers::mix::MixCommand;
use crate::base::media::{ParticipantId, PcmBlock, RoomId};
use crate::core::room::{RoomInput, Rules};
use crate::core::signal::FromNode;
use crate::io::api::{Moderation, Refusal};

impl Control {
    /// Plays sound to everybody in a room.
    ///
    /// # Errors
    /// When there is no such room.
    pub fn announce(&self, name: &RoomId, blocks: Arc<[PcmBlock]>) -> Result<(), Refusal> {
        let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
        self.workers.mix[room.mix].send(MixCommand::Announce(name.clone(), blocks));
        Ok(())
    }

    /// Does what a host asks, all of it or nothing.
    ///
    /// # Errors
    /// When there is no such room, or somebody it names is not in it.
    pub fn moderate(&mut self, name: &RoomId, moderation: &Moderation) -> Result<(), Refusal> {
        let room = self.rooms.get(name).ok_or(Refusal::RoomNotFound)?;
        let here = |id: &ParticipantId| room.core.members().iter().any(|member| member.participant == *id);
        if !moderation.participants.keys().all(here) {
            return Err(Refusal::ParticipantNotFound);
        }
        let (now, rules, mix) = (Instant::now(), room.core.rules(), room.mix);
        let mute_on_entry = moderation.mute_on_entry.unwrap_or(rules.mute_on_entry);
        let push_to_talk = moderation.push_to_talk.unwrap_or(rules.push_to_talk);
        self.room_input(name, now, RoomInput::Rules(Rules { mute_on_entry, push_to_talk }));
        for (participant, sound) in &moderation.participants {
            if let Some(muted) = sound.muted {
                self.room_input(name, now, RoomInput::Mute(*participant, muted));
            }
            if let Some(percent) = sound.volume_percent {
                let volume = f32::from(percent) / 100.0;
                self.workers.mix[mix].send(MixCommand::Volume(name.clone(), *participant, volume));
            }
        }
        Ok(())
    }

    /// The encoders of a room's mixes follow what its listeners lose.
    pub fn sound_lost(&self, name: &RoomId, percent: f32) {
        if let Some(room) = self.rooms.get(name) {
            self.workers.mix[room.mix].send(MixCommand::Loss(name.clone(), percent));
        }
    }

    /// The mix hears a person no longer, or again.
    pub fn mute_by_host(&self, name: &RoomId, participant: ParticipantId, host_muted: bool) {
        if let Some(room) = self.rooms.get(name) {
            self.workers.mix[room.mix].send(MixCommand::Mute(name.clone(), participant, host_muted));
        }
    }

    /// The mix forgets what was said of a person who left.
    pub fn forget_sound(&self, name: &RoomId, participant: ParticipantId) {
        if let Some(room) = self.rooms.get(name) {
            self.workers.mix[room.mix].send(MixCommand::ForgetPerson(name.clone(), participant));
        }
    }

    /// The rules, as people are told.
    pub fn rules_message(&self, name: &RoomId) -> Option<FromNode> {
        let Rules { mute_on_entry, push_to_talk } = self.rooms.get(name)?.core.rules();
        Some(FromNode::Rules { mute_on_entry, push_to_talk })
    }
}
