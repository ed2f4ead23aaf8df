//! **The question:** how does a room begin, run and end? The wiring of one room through every worker thread.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Sender, bounded};

use crate::app::control::Control;
use crate::app::control::layouts::LayoutState;
use crate::app::control::recording::RecordingInputs;
use crate::app::control::report::{RoomCounters, RoomReport};
use crate::app::control::unrecorded::MaskedRung;
use crate::app::workers::compose::{CanvasSetup, ComposeCommand};
use crate::app::workers::encode::{RungWork, start_rung};
use crate::app::workers::event::Event;
use crate::app::workers::mix::{MixCommand, SoundWork};
use crate::app::workers::worker::least_loaded;
use crate::base::limits;
use crate::base::media::{
    ComposedFrame, EncodedFrame, MixTick, ParticipantId, RecordingTicket, RoomEpoch, RoomId, TrackKind, Wallclock,
    pts_from_tick,
};
use crate::core::ladder::KeyframePacer;
use crate::core::room::{Member, RoomCore};
use crate::core::scene::Scene;
use crate::core::signal::Person;
use crate::engine::audio::RoomSound;
use crate::engine::compose::Compositor;
use crate::engine::encode;
use crate::engine::flow::{Counter, Fan, KeyframeRequest};
use crate::io::telemetry::log::alias;
use crate::io::webrtc::NetCommand;

/// Rooms whose ticks are spread evenly over one tick's span.
const PHASES: u32 = 8;

/// What `GET /v1/node/stats` tells of a room.
pub struct Figures<'a> {
    /// Who encodes.
    pub encoder: &'static str,
    /// Who composes.
    pub compositor: &'static str,
    /// Its counts.
    pub counters: &'a RoomCounters,
}

/// A running room.
pub struct Room {
    /// Who is here.
    pub core: RoomCore,
    /// Its media clock.
    pub epoch: RoomEpoch,
    /// The picture as last laid out.
    pub scene: Option<Arc<Scene>>,
    /// Its compose thread.
    pub compose: usize,
    /// Its mix thread.
    pub mix: usize,
    /// Whether it is recorded.
    pub recording: bool,
    /// Which recording that is, or was.
    pub ticket: RecordingTicket,
    /// The same for the encoder, whose keyframes a recording needs.
    pub recorded: Arc<AtomicBool>,
    /// Who does not want to be recorded.
    pub unrecorded: BTreeSet<ParticipantId>,
    /// Those of them who left, and until when their picture may still be seen to go.
    pub leaving: Vec<(ParticipantId, Instant)>,
    /// Which of the readers that recordings had may take something: the newest ones. It only rises.
    pub current_generation: Arc<AtomicU64>,
    /// What the recording reads meanwhile.
    pub masked: Option<MaskedRung>,
    /// Keyframe wishes for the rung.
    pub keyframe_requests: KeyframeRequest,
    /// Whether its first listener is still to hear that it is recorded.
    pub is_to_announce: bool,
    /// Whether the last input was refused.
    pub refused: bool,
    /// How it is laid out.
    pub layout: LayoutState,
    /// What is seen in it, for recordings that begin.
    pub pictures: Fan<EncodedFrame>,
    /// What is heard in it, for legs that come and recordings that begin.
    pub sounds: Fan<MixTick>,
    /// Who speaks, as last told.
    pub speaking: Vec<ParticipantId>,
    encode: JoinHandle<()>,
    encoder: &'static str,
    compositor: &'static str,
    counters: RoomCounters,
}

/// What one encode of a room is given.
pub struct RungPlan {
    /// To everyone who reads it.
    pub fan: Fan<EncodedFrame>,
    /// Keyframe wishes.
    pub keyframe_requests: KeyframeRequest,
    /// Whether a recording reads it.
    pub recorded: Arc<AtomicBool>,
    /// Frames it made.
    pub frames_encoded: Counter,
    /// What is told when it panics.
    pub failure: Event,
}

/// One encode of a room, and the canvas that feeds it.
pub struct Rung {
    /// Its thread, which ends once `composed` is gone.
    pub encode: JoinHandle<()>,
    /// Who encodes.
    pub encoder: &'static str,
    /// Who paints.
    pub compositor: Box<dyn Compositor>,
    /// To the encoder.
    pub composed: Sender<ComposedFrame>,
}

impl Room {
    /// Who works for it, and what they counted.
    pub fn figures(&self) -> Figures<'_> {
        Figures { encoder: self.encoder, compositor: self.compositor, counters: &self.counters }
    }

    /// Everyone here, as the room may know them.
    pub fn people(&self) -> Vec<Person> {
        let person = |member: &Member| Person {
            id: member.participant,
            name: member.name.clone(),
            camera: member.has(TrackKind::Camera),
            microphone: member.has(TrackKind::Microphone),
            screen: member.has(TrackKind::Screen),
            muted: !member.has(TrackKind::Microphone),
            host_muted: self.core.is_host_muted(member.participant),
            hand: self.core.has_hand_up(member.participant),
            unrecorded: self.unrecorded.contains(&member.participant),
        };
        self.core.members().iter().map(person).collect()
    }
}

impl Control {
    /// Begins `name`, unless it runs already.
    ///
    /// # Errors
    /// When the machine is out of threads, or the encoder cannot be set up.
    pub fn ensure_room(&mut self, name: &RoomId) -> io::Result<()> {
        if self.rooms.contains_key(name) {
            return Ok(());
        }
        let epoch = self.epoch();
        let video = Fan::new(self.counts.node.reader_lagged.clone());
        let audio = Fan::new(self.counts.node.reader_lagged.clone());
        let rung = KeyframeRequest::new(self.workers.net.waker(), self.counts.node.wishes_superseded.clone());
        let net = NetCommand::AddRoom {
            room: name.clone(),
            epoch,
            video: video.subscribe(limits::VIDEO_FAN_LEN, self.workers.net.waker()),
            rung: rung.clone(),
            audio: audio.subscribe(limits::AUDIO_FAN_LEN, self.workers.net.waker()),
        };
        let current_generation = Arc::default();
        let reads = RecordingInputs {
            epoch,
            pictures: &video,
            sounds: &audio,
            view: 0,
            current_generation: &current_generation,
        };
        let ticket = self.record_from_the_start(name, &reads);
        let recording = ticket.is_some();
        let mut room = self.start_picture(name, epoch, video, rung, recording, audio.clone())?;
        (room.current_generation, room.ticket) = (current_generation, ticket.unwrap_or(room.ticket));
        let sound = RoomSound::new(self.config.audio.sound(), self.counts.sound.clone()).map_err(io::Error::other)?;
        let mix = &mut self.workers.mix[room.mix];
        mix.load += 1;
        mix.send(MixCommand::AddRoom(Box::new(SoundWork { room: name.clone(), epoch, sound, fan: audio })));
        self.workers.net.send(net);
        tracing::info!(room = %alias(name), encoder = room.encoder, compositor = room.compositor, recording, "a room begins");
        self.rooms.insert(name.clone(), room);
        self.mark_recorded(name, recording);
        Ok(())
    }

    /// Now, shifted so that the ticks of rooms on one thread do not fall together.
    fn epoch(&self) -> RoomEpoch {
        let tick = pts_from_tick(1, self.config.video.fps.get());
        let shift = Duration::from_nanos(tick.as_nanos()) * (self.rungs_started as u32 % PHASES) / PHASES;
        let (instant, wallclock) = (Instant::now(), Wallclock::from_system_time(SystemTime::now()));
        let since = self.started.elapsed().as_nanos() % u128::from(tick.as_nanos());
        // Aligned to the node's start, so that the shift counts between rooms whenever they begin.
        let align = Duration::from_nanos(tick.as_nanos() - since as u64) + shift;
        RoomEpoch { instant: instant + align, wallclock: Wallclock(wallclock.0 + align.as_nanos() as u64) }
    }

    /// Starts the encode thread and gives the canvas to the least loaded compose thread.
    fn start_picture(
        &mut self,
        name: &RoomId,
        epoch: RoomEpoch,
        fan: Fan<EncodedFrame>,
        keyframe_requests: KeyframeRequest,
        recording: bool,
        sounds: Fan<MixTick>,
    ) -> io::Result<Room> {
        let fps = self.config.video.fps.get();
        let counters = RoomCounters::default();
        let (recorded, pictures) = (Arc::new(AtomicBool::new(recording)), fan.clone());
        let plan = RungPlan {
            fan,
            keyframe_requests: keyframe_requests.clone(),
            recorded: recorded.clone(),
            frames_encoded: counters.frames_encoded.clone(),
            failure: Event::RoomFailed(name.clone()),
        };
        let Rung { encode, encoder, compositor, composed } = self.start_rung(name, plan)?;
        let compositor_name = compositor.name();
        let (scene, layout) = self.first_scene();
        let (compose, mix) = (least_loaded(&self.workers.compose), least_loaded(&self.workers.mix));
        self.workers.compose[compose].load += 1;
        self.workers.compose[compose].send(ComposeCommand::AddRoom(Box::new(CanvasSetup {
            room: name.clone(),
            epoch,
            fps,
            scene,
            motion: self.config.video.motion(),
            compositor,
            composed,
            ticks: counters.ticks.clone(),
            ticks_skipped: counters.ticks_skipped.clone(),
        })));
        Ok(Room {
            core: RoomCore::new(),
            epoch,
            scene: None,
            compose,
            mix,
            recording,
            ticket: RecordingTicket(0),
            recorded,
            unrecorded: BTreeSet::new(),
            leaving: Vec::new(),
            current_generation: Arc::default(),
            masked: None,
            keyframe_requests,
            is_to_announce: recording,
            refused: false,
            layout,
            pictures,
            sounds,
            speaking: Vec::new(),
            encode,
            encoder,
            compositor: compositor_name,
            counters,
        })
    }

    /// Starts the thread of one encode of a room.
    ///
    /// # Errors
    /// When the machine is out of threads, or the encoder cannot be set up.
    pub fn start_rung(&mut self, name: &RoomId, plan: RungPlan) -> io::Result<Rung> {
        let encoder =
            encode::video_encoder(self.encoder, self.config.video.encoder_setup()).map_err(io::Error::other)?;
        let (encoder_name, compositor) = (encoder.name(), self.compositors.make(self.config.video.size()));
        let (composed, to_encode) = bounded(limits::COMPOSED_QUEUE_LEN);
        let RungPlan { fan, keyframe_requests, recorded, frames_encoded, failure } = plan;
        let work = RungWork {
            room: name.clone(),
            encoder,
            composed: to_encode,
            pool: compositor.pool(),
            fan,
            keyframe_requests,
            pacer: KeyframePacer::new(),
            recorded,
            frames_encoded,
        };
        let (reports, counters) = (self.reports.clone(), self.counts.node.clone());
        let encode = start_rung(self.rungs_started, work, failure, reports, counters)?;
        self.rungs_started += 1;
        Ok(Rung { encode, encoder: encoder_name, compositor, composed })
    }

    /// Ends a room: every connection is closed, its workers let go, its recording is closed, and its figures are told.
    pub fn end_room(&mut self, name: &RoomId, reason: &str) {
        let Some(room) = self.rooms.remove(name) else { return };
        let peers: Vec<_> = self.peers.of_room(name).map(|(id, _)| id).collect();
        for peer in peers {
            self.dismiss(peer, reason);
        }
        self.workers.compose[room.compose].load -= 1;
        self.workers.compose[room.compose].send(ComposeCommand::RemoveRoom(name.clone()));
        self.workers.mix[room.mix].load -= 1;
        self.workers.mix[room.mix].send(MixCommand::RemoveRoom(name.clone()));
        // The compositor lets go of the encoder's queue, so the encoder ends by itself, its last frames published.
        if room.encode.join().is_err() {
            self.counts.node.rooms_failed.add(1);
        }
        room.masked.into_iter().for_each(MaskedRung::end);
        self.workers.net.send(NetCommand::RemoveRoom(name.clone()));
        let recording = room.recording.then(|| self.finish_recording(room.ticket)).flatten();
        let duration_s = Instant::now().saturating_duration_since(room.epoch.instant).as_secs_f64();
        tracing::info!(room = %alias(name), reason, duration_s, "a room ends");
        let report = RoomReport {
            room: name.clone(),
            size: self.config.video.size(),
            fps: self.config.video.fps.get(),
            encoder: room.encoder,
            compositor: room.compositor,
            counters: room.counters,
            duration_s,
            recording,
        };
        // Nobody listens in `serve`; the demo does.
        let _ = self.ended.try_send(report);
    }
}
