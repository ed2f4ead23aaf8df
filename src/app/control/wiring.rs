//! **The question:** how is what a room wants done? Its effects, each carried to the workers it concerns.

use std::io;
use std::time::Instant;

use crossbeam_channel::bounded;

use crate::app::control::room::Input;
use crate::app::control::room::effect::{Effect, LegStart, RoomEnd, RungStart, TrackStart};
use crate::app::control::thread::Control;
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::decode::{DecodeCommand, TrackWork};
use crate::app::workers::encode::{RungWork, start_rung};
use crate::app::workers::event::Event;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::app::workers::worker::least_loaded;
use crate::base::limits;
use crate::base::media::{PeerId, RecordingTicket, RoomId, RungId, TrackId};
use crate::core::ladder::KeyframePacer;
use crate::core::webhook::Happening;
use crate::engine::encode::{VideoEncoderSetup, video_encoder};
use crate::engine::flow::{self, FrameSlot};
use crate::engine::video::OutputSetup;
use crate::io::api::ResourceToken;
use crate::io::rtp::{LegCommand, LegRoom};
use crate::io::webrtc::NetCommand;

impl Control {
    /// Does what the room `name` wants. A room that is over meanwhile wants nothing.
    pub(super) fn carry_out(&mut self, name: &RoomId, effect: Effect) {
        let Some(entry) = self.rooms.get(name) else { return };
        let (compose, mix) = (&self.workers.compose[entry.compose], &self.workers.mix[entry.mix]);
        match effect {
            Effect::Net(command) => self.workers.net.send(command),
            Effect::Scene(input) => compose.send(ComposeCommand::Scene(name.clone(), input)),
            Effect::Mix(command) => mix.send(command),
            Effect::Package(command) => {
                match &command {
                    PackageCommand::Begin { ticket, .. } => self.following.recording_begins(name, *ticket),
                    PackageCommand::Finish(ticket) => self.following.recording_closes(*ticket),
                    _ => {}
                }
                self.workers.package.send(command);
            }
            Effect::StartRung(start) => self.start_rung(name, *start),
            Effect::StopRung(rung) => self.stop_rung(name, rung),
            Effect::AddTrack(start) => self.add_track(name, *start),
            Effect::RemoveTrack(track) => self.remove_track(name, track),
            Effect::AddLeg(start) => self.add_leg(name, *start),
            Effect::RemoveLeg(peer) => {
                if let Some(legs) = &self.workers.legs {
                    legs.send(LegCommand::Remove(peer));
                }
            }
            Effect::Call(call) => self.call(name, *call),
            Effect::Dial(peer, socket) => self.dial(name, peer, socket),
            Effect::Forget(peer, resource) => self.forget(peer, resource),
            Effect::Tell(happening) => self.webhooks.tell(&happening),
            Effect::Stored(ticket) => self.recording_stored(name, ticket),
            Effect::HandOver(baggage) => self.hand_over(name, *baggage),
            Effect::End(end) => self.end_room(name, *end),
        }
    }

    /// A connection is nobody's any more.
    pub(super) fn forget(&mut self, peer: PeerId, resource: ResourceToken) {
        self.peers.remove(&peer);
        self.following.gone(peer);
        self.resources.remove(&resource);
    }

    /// Closes a recording; its summary comes as an event.
    pub(super) fn finish_recording(&mut self, ticket: RecordingTicket) {
        self.following.recording_closes(ticket);
        self.workers.package.send(PackageCommand::Finish(ticket));
    }

    /// Whether a connection is of the room it wanted in.
    pub(super) fn is_in(&self, name: &RoomId, peer: PeerId) -> bool {
        self.rooms.get(name).is_some_and(|entry| entry.room.has(peer))
    }

    fn start_rung(&mut self, name: &RoomId, start: RungStart) {
        let rung = start.rung;
        if let Err(error) = self.try_start_rung(name, start) {
            self.input(name, Input::RungFailed(rung, error.to_string()));
        }
    }

    /// Starts an encode's thread and gives its canvas to the room's compose worker.
    fn try_start_rung(&mut self, name: &RoomId, start: RungStart) -> io::Result<()> {
        let RungStart { rung, spec, view, fan, keyframe_requests, recorded, frames_encoded } = start;
        let threads = self.setup.config.video.encoder_threads();
        let setup =
            VideoEncoderSetup { codec: spec.codec, size: spec.size, fps: spec.fps, bitrate: spec.bitrate, threads };
        let encoder = video_encoder(self.encoder, setup).map_err(io::Error::other)?;
        let compositor = self.compositors.make(spec.size);
        let (composed, to_encode) = bounded(limits::COMPOSED_QUEUE_LEN);
        let room = name.clone();
        let failure = if view.is_whole() { Event::RoomFailed(room) } else { Event::RungFailed { room, rung } };
        let work = RungWork {
            room: name.clone(),
            rung,
            encoder,
            composed: to_encode,
            pool: compositor.pool(),
            fan: fan.clone(),
            keyframe_requests: keyframe_requests.clone(),
            pacer: KeyframePacer::new(),
            recorded,
            frames_encoded,
        };
        start_rung(work, failure, self.reports.clone(), self.setup.counts.node.clone())?;
        if view.is_whole() {
            self.workers.net.send(NetCommand::AddRung { room: name.clone(), rung, video: fan, keyframe_requests });
        }
        let output = OutputSetup { rung, hidden: view.hidden, size: spec.size, fps: spec.fps, compositor, composed };
        if let Some(entry) = self.rooms.get(name) {
            let compose = &self.workers.compose[entry.compose];
            compose.send(ComposeCommand::AddOutput(name.clone(), Box::new(output)));
        }
        Ok(())
    }

    /// The compositor lets go of the encoder's queue, so the encoder ends by itself, its last frames published.
    fn stop_rung(&self, name: &RoomId, rung: RungId) {
        if let Some(entry) = self.rooms.get(name) {
            self.workers.compose[entry.compose].send(ComposeCommand::RemoveOutput(name.clone(), rung));
        }
        self.workers.net.send(NetCommand::RemoveRung { room: name.clone(), rung });
    }

    fn add_track(&mut self, name: &RoomId, start: TrackStart) {
        let Some(entry) = self.rooms.get(name) else { return };
        let (node, TrackStart { peer, track, codec, keyframe_requests, playout, tap }) =
            (&self.setup.counts.node, start);
        let kind = track.kind;
        if !kind.is_video() {
            let (sink, packets) = flow::opus_queue(node.opus_discarded.clone());
            let packets = packets.tapped_by(tap);
            self.workers.mix[entry.mix].send(MixCommand::AddVoice(name.clone(), track, packets, playout));
            return self.workers.net.send(NetCommand::AttachSound { peer, kind, sink });
        }
        let at = least_loaded(&self.workers.decode);
        let worker = &mut self.workers.decode[at];
        let (sink, frames) = flow::track_queue(worker.waker(), node.ingest_discarded.clone());
        let slot = FrameSlot::new(node.frames_superseded.clone()).fed_by(frames.overflowed());
        let work = TrackWork {
            room: name.clone(),
            track,
            codec,
            frames: frames.tapped_by(tap),
            slot: slot.clone(),
            keyframe_requests: keyframe_requests.clone(),
            playout,
        };
        worker.load += 1;
        worker.send(DecodeCommand::Add(Box::new(work)));
        self.decoded_by.insert(track, at);
        self.workers.compose[entry.compose].send(ComposeCommand::AddSource(name.clone(), track, slot));
        self.workers.net.send(NetCommand::AttachVideo { peer, kind, sink, keyframe_requests });
    }

    fn remove_track(&mut self, name: &RoomId, track: TrackId) {
        if let Some(at) = self.decoded_by.remove(&track) {
            self.workers.decode[at].load -= 1;
            self.workers.decode[at].send(DecodeCommand::Remove(track));
        }
        let Some(entry) = self.rooms.get(name) else { return };
        if track.kind.is_video() {
            self.workers.compose[entry.compose].send(ComposeCommand::RemoveSource(name.clone(), track));
        } else {
            self.workers.mix[entry.mix].send(MixCommand::RemoveVoice(name.clone(), track));
        }
    }

    fn add_leg(&self, name: &RoomId, start: LegStart) {
        let (Some(entry), Some(legs)) = (self.rooms.get(name), &self.workers.legs) else { return };
        let LegStart { peer, track, playout } = start;
        let (sink, packets) = flow::opus_queue(self.setup.counts.node.opus_discarded.clone());
        let mix = entry.room.audio().subscribe(limits::AUDIO_FAN_LEN, legs.waker());
        self.workers.mix[entry.mix].send(MixCommand::AddVoice(name.clone(), track, packets, playout));
        legs.send(LegCommand::Enter(peer, Box::new(LegRoom { sink, mix })));
    }

    fn end_room(&mut self, name: &RoomId, end: RoomEnd) {
        let Some(entry) = self.rooms.remove(name) else { return };
        self.workers.compose[entry.compose].load -= 1;
        self.workers.compose[entry.compose].send(ComposeCommand::RemoveRoom(name.clone()));
        self.workers.mix[entry.mix].load -= 1;
        self.workers.mix[entry.mix].send(MixCommand::RemoveRoom(name.clone()));
        self.workers.net.send(NetCommand::RemoveRoom(name.clone()));
        self.webhooks.tell(&Happening::RoomEnded {
            room: name.clone(),
            duration_s: end.report.duration_s as u64,
            reason: end.reason.clone(),
        });
        if let Some(ticket) = self.endings.begin(Instant::now(), end) {
            self.finish_recording(ticket);
        }
    }
}
