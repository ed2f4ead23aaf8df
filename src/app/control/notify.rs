//! **The question:** who is told what on the data channel?

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::Control;
use crate::app::control::layouts::scene_message;
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId, RoomId};
use crate::core::ladder::UplinkInput;
use crate::core::record::Event;
use crate::core::room::{RoomInput, RoomOutput};
use crate::core::scene;
use crate::core::signal::FromNode;
use crate::io::webrtc::NetCommand;

impl Control {
    /// Tells one connection.
    pub fn send(&self, peer: PeerId, message: &FromNode) {
        let text: Arc<str> = message.encode().into();
        self.workers.net.send(NetCommand::Signal { peer, text });
    }

    /// Tells everyone in a room; the text is made once.
    pub fn broadcast(&self, room: &RoomId, message: &FromNode) {
        let text: Arc<str> = message.encode().into();
        for (peer, entry) in self.peers.of_room(room) {
            if entry.connected && entry.role.participant().is_some() {
                self.workers.net.send(NetCommand::Signal { peer, text: text.clone() });
            }
        }
    }

    /// Tells a newcomer all there is to know.
    pub fn welcome(&self, peer: PeerId) {
        let Some(entry) = self.peers.get(peer) else { return };
        let Some(room) = self.rooms.get(&entry.room) else { return };
        let participant = entry.role.participant();
        self.send(peer, &FromNode::Welcome { participant, room: entry.room.clone() });
        self.send(peer, &self.state_message(room));
        self.send(peer, &FromNode::Room { participants: room.people() });
        if let Some(rules) = self.rules_message(&entry.room) {
            self.send(peer, &rules);
        }
        if let Some(scene) = &room.scene {
            self.send(peer, &scene_message(scene));
        }
        self.greet_with_layout(peer);
    }

    /// One input of a room's core, and all that follows from it.
    pub fn room_input(&mut self, name: &RoomId, now: Instant, input: RoomInput) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let mut out = Outbox::new();
        room.core.handle(now, input, &mut out);
        let mut ended = false;
        for output in out.drain() {
            match output {
                RoomOutput::Refused(..) | RoomOutput::ViewerRefused(..) => self.note_refused(name),
                RoomOutput::Left(participant) => {
                    self.to_scene(name, scene::Input::Left { participant });
                    self.forget_sound(name, participant);
                    self.forget_unrecorded(name, participant);
                }
                RoomOutput::RosterChanged => {
                    let Some(room) = self.rooms.get(name) else { return };
                    self.broadcast(name, &FromNode::Room { participants: room.people() });
                    self.mark_muted(name);
                }
                RoomOutput::SpeakingChanged => self.speaking_changed(name),
                RoomOutput::HostMuted(participant, host_muted) => self.mute_by_host(name, participant, host_muted),
                RoomOutput::RulesChanged => {
                    if let Some(rules) = self.rules_message(name) {
                        self.broadcast(name, &rules);
                    }
                }
                RoomOutput::Ended => ended = true,
                RoomOutput::Joined(_) | RoomOutput::ViewerAdmitted(_) => {}
            }
        }
        if ended {
            self.end_room(name, "the last one left");
        }
    }

    fn note_refused(&mut self, name: &RoomId) {
        if let Some(room) = self.rooms.get_mut(name) {
            room.refused = true;
        }
    }

    fn speaking_changed(&mut self, name: &RoomId) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let now: Vec<ParticipantId> = room.core.speaking().collect();
        let before = std::mem::replace(&mut room.speaking, now.clone());
        let dominant = room.core.dominant();
        for participant in before.iter().filter(|id| !now.contains(id)).copied() {
            self.to_scene(name, scene::Input::Speaking { participant, speaking: false });
        }
        for participant in now.iter().filter(|id| !before.contains(id)).copied() {
            self.to_scene(name, scene::Input::Speaking { participant, speaking: true });
        }
        self.to_scene(name, scene::Input::Dominant { participant: dominant });
        if let Some(dominant) = dominant {
            self.to_recording_of(name, dominant, Event::Speaker(dominant));
        }
        self.broadcast(name, &FromNode::Speaking { heard: now, dominant });
    }

    /// Tells a room's recording, if it has one, what begins in the room.
    pub fn to_recording(&self, name: &RoomId, event: Event) {
        if let Some(room) = self.rooms.get(name).filter(|room| room.recording) {
            self.workers.package.send(PackageCommand::Event(room.ticket, Instant::now(), event));
        }
    }

    /// The same of what somebody does, unless they do not want to be recorded.
    pub fn to_recording_of(&self, name: &RoomId, participant: ParticipantId, event: Event) {
        if self.rooms.get(name).is_some_and(|room| !room.unrecorded.contains(&participant)) {
            self.to_recording(name, event);
        }
    }

    /// Tells a room's compose thread.
    pub fn to_scene(&self, name: &RoomId, input: scene::Input) {
        if let Some(room) = self.rooms.get(name) {
            self.workers.compose[room.compose].send(ComposeCommand::Scene(name.clone(), input));
        }
    }

    /// Serves the timers of rooms and asks; says when the next is due.
    pub fn advance(&mut self, now: Instant) -> Option<Instant> {
        let due: Vec<RoomId> = self.due_rooms(now);
        for name in due {
            self.room_input(&name, now, RoomInput::Due);
        }
        for (peer, track) in self.peers.asks_due(now) {
            self.ask_sender(now, peer, track, UplinkInput::Due);
        }
        let (minute, masks) = (self.update_clocks(now), self.lift_masks(now));
        let rooms = self.rooms.values().filter_map(|room| room.core.deadline());
        rooms.chain(self.peers.ask_deadline()).chain(minute).chain(masks).min()
    }

    fn due_rooms(&self, now: Instant) -> Vec<RoomId> {
        let due = self.rooms.iter().filter(|(_, room)| room.core.deadline().is_some_and(|at| at <= now));
        due.map(|(name, _)| name.clone()).collect()
    }
}
