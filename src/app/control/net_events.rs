//! **The question:** what follows from what the wire saw? The net thread's events, one function each.

use std::time::Instant;

use crate::app::control::Control;
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::decode::{DecodeCommand, TrackWork};
use crate::app::workers::mix::MixCommand;
use crate::app::workers::worker::least_loaded;
use crate::base::media::{ParticipantId, PeerId, RoomId, TrackId, TrackKind};
use crate::core::record::Event;
use crate::core::room::RoomInput;
use crate::core::scene;
use crate::core::signal::{FromClient, FromNode, ProblemKind, SignalError};
use crate::engine::flow::{self, FrameSlot, KeyframeRequest};
use crate::io::api::Trickled;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, NetEvent, OfferError};

impl Control {
    /// One event of the net thread. Events about a connection that is gone meanwhile are ignored.
    pub fn net_event(&mut self, event: NetEvent) {
        match event {
            NetEvent::Connected(peer) => self.connected(peer),
            NetEvent::Closed { peer, reason } => self.forget(peer, &reason.to_string()),
            NetEvent::ChannelOpen(peer) => self.welcome(peer),
            NetEvent::TrackStarted { peer, kind } => self.track_started(peer, kind),
            NetEvent::TrackEnded { peer, kind } => self.track_ended(peer, kind),
            NetEvent::Signal { peer, text } => self.signal(peer, &text),
            NetEvent::Renegotiated { peer, answer } => self.renegotiated(peer, answer),
            NetEvent::SoundLost { room, percent } => self.sound_lost(&room, percent),
            NetEvent::Trickled { peer, answer } => self.trickled(peer, answer),
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        entry.connected = true;
        let (name, role) = (entry.room.clone(), entry.role);
        let Some(room) = self.rooms.get(&name) else { return };
        let Some(participant) = role.participant() else { return };
        let member = room.core.members().iter().find(|member| member.participant == participant);
        // Only now does a tile appear: nobody waits for a face that never comes.
        let input = scene::Input::Joined { participant, name: member.map_or_else(String::new, |m| m.name.clone()) };
        self.workers.compose[room.compose].send(ComposeCommand::Scene(name.clone(), input));
        self.mark_newcomer(&name, participant);
        if let Some(room) = self.rooms.get_mut(&name)
            && std::mem::take(&mut room.is_to_announce)
        {
            self.announce_recording(&name);
        }
    }

    fn track_started(&mut self, peer: PeerId, kind: TrackKind) {
        let keyframe_requests =
            KeyframeRequest::new(self.workers.net.waker(), self.counts.node.wishes_superseded.clone());
        let tap = self.tap_track(peer, kind, kind.is_video().then(|| keyframe_requests.clone()));
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let name = entry.room.clone();
        let playout = match kind {
            TrackKind::Camera | TrackKind::Microphone => entry.playout.clone(),
            TrackKind::Screen | TrackKind::ScreenSound => entry.screen_playout.clone(),
        };
        let Some(participant) = entry.role.participant() else { return };
        let Some(room) = self.rooms.get(&name) else { return };
        let track = TrackId { participant, kind };
        match kind {
            TrackKind::Microphone | TrackKind::ScreenSound => {
                let (sink, packets) = flow::opus_queue(self.counts.node.opus_discarded.clone());
                let packets = packets.tapped_by(tap);
                self.workers.mix[room.mix].send(MixCommand::AddVoice(name.clone(), track, packets, playout));
                self.workers.net.send(NetCommand::AttachSound { peer, kind, sink });
            }
            TrackKind::Camera | TrackKind::Screen => {
                let at = least_loaded(&self.workers.decode);
                let worker = &mut self.workers.decode[at];
                let (sink, frames) = flow::track_queue(worker.waker(), self.counts.node.ingest_discarded.clone());
                let slot = FrameSlot::new(self.counts.node.frames_superseded.clone());
                let work = TrackWork {
                    room: name.clone(),
                    track,
                    frames: frames.tapped_by(tap),
                    slot: slot.clone(),
                    keyframe_requests: keyframe_requests.clone(),
                    playout,
                };
                worker.load += 1;
                worker.send(DecodeCommand::Add(Box::new(work)));
                entry.decoded_by.insert(kind, at);
                let compose = &self.workers.compose[room.compose];
                compose.send(ComposeCommand::AddSource(name.clone(), track, slot));
                self.workers.net.send(NetCommand::AttachVideo { peer, kind, sink, keyframe_requests });
            }
        }
        if kind == TrackKind::Screen {
            self.to_recording_of(&name, participant, Event::ScreenBegins);
        }
        self.room_input(&name, Instant::now(), RoomInput::Track(participant, kind, true));
    }

    fn track_ended(&mut self, peer: PeerId, kind: TrackKind) {
        self.stop_track(peer, kind);
        let Some(entry) = self.peers.get(peer) else { return };
        let name = entry.room.clone();
        if let Some(participant) = entry.role.participant() {
            self.room_input(&name, Instant::now(), RoomInput::Track(participant, kind, false));
        }
    }

    /// Takes a track out of its workers.
    fn stop_track(&mut self, peer: PeerId, kind: TrackKind) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(participant) = entry.role.participant() else { return };
        let track = TrackId { participant, kind };
        let shown = entry.decoded_by.contains_key(&kind);
        entry.taps.remove(&kind);
        if let Some(at) = entry.decoded_by.remove(&kind) {
            self.workers.decode[at].load -= 1;
            self.workers.decode[at].send(DecodeCommand::Remove(track));
        }
        if kind == TrackKind::Screen {
            entry.forget_screen();
        }
        let name = entry.room.clone();
        if kind == TrackKind::Screen && shown {
            self.to_recording_of(&name, participant, Event::ScreenEnds);
        }
        let Some(room) = self.rooms.get(&name) else { return };
        if kind.is_video() {
            self.workers.compose[room.compose].send(ComposeCommand::RemoveSource(name, track));
        } else {
            self.workers.mix[room.mix].send(MixCommand::RemoveVoice(name, track));
        }
    }

    /// Forgets a connection that ended; its room ends with the last of its people.
    pub fn forget(&mut self, peer: PeerId, reason: &str) {
        if let Some(entry) = self.peers.get(peer)
            && let Some(participant) = entry.role.participant()
        {
            // Before the tracks end: the tile fades out with the last picture, not with a placeholder.
            self.to_scene(&entry.room, scene::Input::Left { participant });
        }
        for kind in [TrackKind::Camera, TrackKind::Microphone, TrackKind::Screen, TrackKind::ScreenSound] {
            self.stop_track(peer, kind);
        }
        let Some(entry) = self.peers.remove(peer) else { return };
        self.resources.remove(&entry.resource);
        tracing::debug!(room = %alias(&entry.room), reason, "a connection ends");
        let input = match entry.role.participant() {
            Some(participant) => RoomInput::Leave(participant),
            None => RoomInput::ViewerLeave(peer),
        };
        self.room_input(&entry.room, Instant::now(), input);
    }

    fn signal(&mut self, peer: PeerId, text: &str) {
        let Some(entry) = self.peers.get(peer) else { return };
        let (name, participant) = (entry.room.clone(), entry.role.participant());
        match FromClient::parse(text) {
            Ok(Some(FromClient::Offer { sdp })) => self.workers.net.send(NetCommand::Renegotiate { peer, offer: sdp }),
            Ok(Some(FromClient::State { muted, camera, screen })) => {
                if let Some(participant) = participant {
                    self.stated(&name, participant, muted, camera);
                    if !screen {
                        self.to_scene(&name, scene::Input::ScreenEnded { participant });
                    }
                }
            }
            Ok(Some(FromClient::Layout { layout, page })) => self.choose_layout(peer, layout, page),
            Ok(Some(FromClient::Hand { raised })) => {
                participant
                    .into_iter()
                    .for_each(|id| self.room_input(&name, Instant::now(), RoomInput::Hand(id, raised)));
            }
            Ok(Some(FromClient::Talk { talking })) => {
                participant
                    .into_iter()
                    .for_each(|id| self.room_input(&name, Instant::now(), RoomInput::Talk(id, talking)));
            }
            Ok(Some(FromClient::Record { recording })) => self.participant_records(peer, recording),
            Ok(Some(FromClient::Recordable { recordable })) => {
                participant.into_iter().for_each(|id| self.set_recordable(&name, id, recordable));
            }
            Ok(Some(FromClient::Leave)) => self.dismiss(peer, "the client left"),
            // A type of a later version; `docs/signalling.md` promises that it is ignored.
            Ok(None) => {}
            Err(error) => self.send(peer, &refused_message(&error)),
        }
    }

    /// A person muted themself, or switched the camera off without ending the track.
    fn stated(&mut self, name: &RoomId, participant: ParticipantId, muted: bool, camera: bool) {
        let now = Instant::now();
        self.room_input(name, now, RoomInput::Track(participant, TrackKind::Microphone, !muted));
        self.room_input(name, now, RoomInput::Track(participant, TrackKind::Camera, camera));
        if let Some(room) = self.rooms.get(name)
            && !camera
        {
            let input = scene::Input::CameraEnded { participant };
            self.workers.compose[room.compose].send(ComposeCommand::Scene(name.clone(), input));
        }
    }

    fn renegotiated(&mut self, peer: PeerId, answer: Result<String, OfferError>) {
        match answer {
            Ok(sdp) => self.send(peer, &FromNode::Answer { sdp }),
            Err(error) => {
                let title = "The offer cannot be answered";
                self.send(peer, &FromNode::problem(ProblemKind::BadOffer, title, &error.to_string()));
            }
        }
    }

    fn trickled(&mut self, peer: PeerId, answer: Result<Option<String>, OfferError>) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        let Some(reply) = entry.trickles.pop_front() else { return };
        let result = match answer {
            Ok(None) => Ok(Trickled::Accepted),
            Ok(Some(answer)) => {
                entry.ufrag = crate::io::webrtc::ufrag_of(&answer).to_owned();
                Ok(Trickled::Restarted { answer })
            }
            Err(error) => Err(crate::io::api::Refusal::BadFragment(error.to_string())),
        };
        // A client that hung up has its candidates taken all the same.
        let _ = reply.send(result);
    }
}

fn refused_message(error: &SignalError) -> FromNode {
    FromNode::problem(ProblemKind::BadMessage, "The message cannot be read", &error.to_string())
}
