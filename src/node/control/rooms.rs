//! **The question:** how does a room begin, run and end? The wiring of one room through every worker thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::bounded;

use crate::encode;
use crate::flow::{Fan, WishCell};
use crate::ladder::KeyframePacer;
use crate::limits;
use crate::media::{EncodedFrame, MixTick, ParticipantId, RoomEpoch, RoomId, TrackKind, Wallclock, pts_from_tick};
use crate::node::compose_lane::{CanvasWork, ComposeCommand};
use crate::node::control::Control;
use crate::node::control::layouts::Look;
use crate::node::control::recording::Recordable;
use crate::node::encode_lane::{self, RungWork};
use crate::node::lane::least_loaded;
use crate::node::measure;
use crate::node::mix_lane::{MixCommand, SoundWork};
use crate::node::report::{RoomCounters, RoomReport};
use crate::node::sound::RoomSound;
use crate::room::{Member, RoomCore};
use crate::scene::Scene;
use crate::signal::Person;
use crate::telemetry::log::alias;
use crate::webrtc::NetCommand;

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
    /// The same for the encoder, whose keyframes a recording needs.
    pub recorded: Arc<AtomicBool>,
    /// Whether its first listener is still to hear that it is recorded.
    pub is_to_announce: bool,
    /// Whether the last input was refused.
    pub refused: bool,
    /// How it is laid out.
    pub look: Look,
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
            hushed: self.core.is_hushed(member.participant),
            hand: self.core.has_hand_up(member.participant),
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
        let rung = WishCell::new(self.lanes.net.waker(), self.counts.node.wishes_superseded.clone());
        let net = NetCommand::AddRoom {
            room: name.clone(),
            epoch,
            video: video.subscribe(limits::VIDEO_FAN_LEN, self.lanes.net.waker()),
            rung: rung.clone(),
            audio: audio.subscribe(limits::AUDIO_FAN_LEN, self.lanes.net.waker()),
        };
        let recording = self.record_from_the_start(name, &Recordable { epoch, pictures: &video, sounds: &audio });
        let room = self.start_picture(name, epoch, video, rung, recording, audio.clone())?;
        let sound = RoomSound::new(self.config.audio.sound(), self.counts.sound.clone()).map_err(io::Error::other)?;
        let mix = &mut self.lanes.mix[room.mix];
        mix.load += 1;
        mix.send(MixCommand::AddRoom(Box::new(SoundWork { room: name.clone(), epoch, sound, fan: audio })));
        self.lanes.net.send(net);
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
        wishes: WishCell,
        recording: bool,
        sounds: Fan<MixTick>,
    ) -> io::Result<Room> {
        let (size, fps) = (self.config.video.size(), self.config.video.fps.get());
        let encoder =
            encode::video_encoder(self.encoder, measure::encoder_setup(&self.config)).map_err(io::Error::other)?;
        let compositor = self.compositors.make(size);
        let (encoder_name, compositor_name) = (encoder.name(), compositor.name());
        let (composed, to_encode) = bounded(limits::COMPOSED_QUEUE_LEN);
        let counters = RoomCounters::default();
        let (recorded, pictures) = (Arc::new(AtomicBool::new(recording)), fan.clone());
        let rung = RungWork {
            room: name.clone(),
            encoder,
            composed: to_encode,
            pool: compositor.pool(),
            fan,
            wishes,
            pacer: KeyframePacer::new(),
            recorded: recorded.clone(),
            frames_encoded: counters.frames_encoded.clone(),
        };
        let encode = encode_lane::start(self.rungs_started, rung, self.reports.clone(), self.counts.node.clone())?;
        self.rungs_started += 1;
        let (scene, look) = self.first_scene();
        let (compose, mix) = (least_loaded(&self.lanes.compose), least_loaded(&self.lanes.mix));
        self.lanes.compose[compose].load += 1;
        self.lanes.compose[compose].send(ComposeCommand::AddRoom(Box::new(CanvasWork {
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
            recorded,
            is_to_announce: recording,
            refused: false,
            look,
            pictures,
            sounds,
            speaking: Vec::new(),
            encode,
            encoder: encoder_name,
            compositor: compositor_name,
            counters,
        })
    }

    /// Ends a room: every connection is closed, its workers let go, its recording is closed, and its figures are told.
    pub fn end_room(&mut self, name: &RoomId, reason: &str) {
        let Some(room) = self.rooms.remove(name) else { return };
        let peers: Vec<_> = self.peers.of_room(name).map(|(id, _)| id).collect();
        for peer in peers {
            self.dismiss(peer, reason);
        }
        self.lanes.compose[room.compose].load -= 1;
        self.lanes.compose[room.compose].send(ComposeCommand::RemoveRoom(name.clone()));
        self.lanes.mix[room.mix].load -= 1;
        self.lanes.mix[room.mix].send(MixCommand::RemoveRoom(name.clone()));
        // The compositor lets go of the encoder's queue, so the encoder ends by itself, its last frames published.
        if room.encode.join().is_err() {
            self.counts.node.rooms_failed.add(1);
        }
        self.lanes.net.send(NetCommand::RemoveRoom(name.clone()));
        let recording = room.recording.then(|| self.finish_recording(name)).flatten();
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
