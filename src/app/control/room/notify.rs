//! **The question:** who is told what on the data channel, and what does the room's core want told?

use std::sync::Arc;
use std::time::Instant;

use crate::app::control::room::effect::Effect;
use crate::app::control::room::state::{Room, RosterState};
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::media::{Outbox, ParticipantId, PeerId};
use crate::core::access::Caller;
use crate::core::record::Event;
use crate::core::room::{RoomInput, RoomOutput};
use crate::core::scene;
use crate::core::signal::FromNode;
use crate::io::webrtc::NetCommand;

impl Room {
    /// Tells one connection.
    pub(super) fn send(peer: PeerId, message: &FromNode, out: &mut Outbox<Effect>) {
        out.push(Effect::Net(NetCommand::Signal { peer, kind: message.kind(), text: message.encode().into() }));
    }

    /// Tells everyone here; the text is made once.
    pub(super) fn broadcast(&self, message: &FromNode, out: &mut Outbox<Effect>) {
        let text: Arc<str> = message.encode().into();
        for (peer, entry) in self.peers.iter() {
            if entry.is_told() {
                out.push(Effect::Net(NetCommand::Signal { peer, kind: message.kind(), text: text.clone() }));
            }
        }
    }

    /// Tells everyone here, each by what they may.
    pub(super) fn broadcast_each(&self, message: impl Fn(&Caller) -> FromNode, out: &mut Outbox<Effect>) {
        for (peer, entry) in self.peers.iter() {
            if entry.is_told() {
                Self::send(peer, &message(&entry.caller()), out);
            }
        }
    }

    /// Who is here, or what they do, changed: everyone is told now, or with all that changes within a tenth of a
    /// second.
    pub(super) fn roster_changed(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.roster.is_stale = true;
        if self.roster.next().is_none_or(|at| at <= now) {
            self.tell_roster(now, out);
        }
    }

    /// Tells everyone who is here.
    pub(super) fn tell_roster(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        self.roster = RosterState { told: Some(now), is_stale: false };
        self.broadcast(&FromNode::Room { participants: self.people() }, out);
        self.tell_captioners(out);
    }

    /// The node will end the room at `at`, or will not any more: everyone is told.
    pub(super) fn node_ends(&mut self, now: Instant, at: Option<Instant>, out: &mut Outbox<Effect>) {
        if at != self.ends_at {
            self.ends_at = at;
            self.broadcast(&self.node_message(now), out);
        }
    }

    fn node_message(&self, now: Instant) -> FromNode {
        let left = self.ends_at.map(|at| at.saturating_duration_since(now));
        FromNode::Node { ends_in_s: left.map(|left| left.as_secs()) }
    }

    /// Tells a newcomer all there is to know.
    pub(super) fn welcome(&self, now: Instant, peer: PeerId, out: &mut Outbox<Effect>) {
        let Some(entry) = self.peers.get(peer) else { return };
        let participant = entry.role.participant();
        Self::send(peer, &FromNode::Welcome { participant, room: self.name.clone() }, out);
        let caller = self.caller(peer);
        Self::send(peer, &self.state_message(&caller), out);
        Self::send(peer, &FromNode::Room { participants: self.people() }, out);
        Self::send(peer, &self.rules_message(), out);
        if !self.waiting.is_empty() {
            self.tell_waiting(peer, &caller, out);
        }
        if let Some(scene) = &self.scene {
            Self::send(peer, &Self::scene_message(scene, &self.places.passage), out);
        }
        Self::send(peer, &self.layout_message(&caller), out);
        if self.ends_at.is_some() {
            Self::send(peer, &self.node_message(now), out);
        }
        self.tell_history(peer, participant, out);
        self.tell_moved(peer, out);
    }

    /// One input of the room's core, and all that follows from it.
    pub(super) fn room_input(&mut self, now: Instant, input: RoomInput, out: &mut Outbox<Effect>) {
        let mut outputs = Outbox::new();
        self.core.handle(now, input, &mut outputs);
        for output in outputs.drain() {
            match output {
                RoomOutput::Joined(participant) => self.tell_joined(participant, out),
                RoomOutput::Left(participant) => {
                    self.tell_left(participant, out);
                    out.push(Effect::Scene(scene::Input::Left { participant }));
                    out.push(Effect::Mix(MixCommand::ForgetPerson(self.name.clone(), participant)));
                    self.note_absence(now, participant, out);
                    self.refusers.let_go(now, participant);
                    self.chat.leave(participant);
                    self.kept.volumes.remove(&participant);
                    self.captioned.leaves(now, participant);
                }
                RoomOutput::RosterChanged => {
                    self.roster_changed(now, out);
                    self.mark_off(out);
                }
                RoomOutput::SpeakingChanged => self.speaking_changed(now, out),
                RoomOutput::HostMuted(participant, muted) => {
                    out.push(Effect::Mix(MixCommand::Mute(self.name.clone(), participant, muted)));
                }
                RoomOutput::RulesChanged => self.broadcast(&self.rules_message(), out),
                RoomOutput::Ended => self.end(now, "the last one left", out),
                // Those who ask for admission look for their answer themselves.
                RoomOutput::ViewerAdmitted(_) | RoomOutput::Refused(..) | RoomOutput::ViewerRefused(..) => {}
            }
        }
    }

    fn speaking_changed(&mut self, now: Instant, out: &mut Outbox<Effect>) {
        let speaking: Vec<ParticipantId> = self.core.speaking().collect();
        let before = std::mem::replace(&mut self.speaking, speaking.clone());
        let dominant = self.core.dominant();
        for participant in before.iter().filter(|id| !speaking.contains(id)).copied() {
            out.push(Effect::Scene(scene::Input::Speaking { participant, speaking: false }));
        }
        for participant in speaking.iter().filter(|id| !before.contains(id)).copied() {
            out.push(Effect::Scene(scene::Input::Speaking { participant, speaking: true }));
        }
        out.push(Effect::Scene(scene::Input::Dominant { participant: dominant }));
        if let Some(dominant) = dominant {
            self.to_recording_of(now, dominant, Event::Speaker(dominant), out);
        }
        self.broadcast(&FromNode::Speaking { heard: speaking, dominant }, out);
    }

    /// Tells the room's recording that somebody is in the room, unless they do not want to be in it. Also one that the
    /// keepers have yet to agree to.
    pub(super) fn note_presence(&self, now: Instant, participant: ParticipantId, out: &mut Outbox<Effect>) {
        if let Some(ticket) = self.recording.ticket().filter(|_| !self.refusers.contains(participant)) {
            out.push(Effect::Package(PackageCommand::Event(ticket, now, Event::Came(participant))));
        }
    }

    /// Tells it that they are not any more.
    pub(super) fn note_absence(&self, now: Instant, participant: ParticipantId, out: &mut Outbox<Effect>) {
        if let Some(ticket) = self.recording.ticket().filter(|_| !self.refusers.contains(participant)) {
            out.push(Effect::Package(PackageCommand::Event(ticket, now, Event::Went(participant))));
        }
    }

    /// Tells the room's recording, if it has one, what begins in the room.
    pub(super) fn to_recording(&self, now: Instant, event: Event, out: &mut Outbox<Effect>) {
        if let Some(ticket) = self.recording.running() {
            out.push(Effect::Package(PackageCommand::Event(ticket, now, event)));
        }
    }

    /// The same of what somebody does, unless they do not want to be recorded.
    pub(super) fn to_recording_of(
        &self,
        now: Instant,
        participant: ParticipantId,
        event: Event,
        out: &mut Outbox<Effect>,
    ) {
        if !self.refusers.contains(participant) {
            self.to_recording(now, event, out);
        }
    }
}
