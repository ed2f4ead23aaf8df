//! **The question:** what does a room's picture look like at this tick, for everyone who reads one of its outputs?

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Outbox, RoomEpoch, RungId, TrackId, TrackKind, pts_from_tick};
use crate::core::ladder::{Pace, Relief, ReliefCore};
use crate::core::scene::{self, Motion, Passage, Scene, SceneCore};
use crate::engine::flow::{Counter, FrameSlot};
use crate::engine::video::frames::LatestFrames;
use crate::engine::video::output::{CanvasOutput, OutputSetup};

/// A room's picture, from slots to encoders' queues.
pub struct CanvasSetup {
    /// Its media clock.
    pub epoch: RoomEpoch,
    /// Ticks a second.
    pub fps: u32,
    /// How often tiles are renewed.
    pub pace: Pace,
    /// Who is seen where.
    pub scene: SceneCore,
    /// How long a change of the scene moves.
    pub motion: Duration,
    /// Ticks of outputs that everyone may see: the room's own count, and the node's.
    pub ticks: [Counter; 2],
    /// Those of them that were not encoded.
    pub ticks_skipped: [Counter; 2],
}

/// What others must know of a canvas.
#[derive(Debug, Clone, PartialEq)]
pub enum CanvasEvent {
    /// The picture is laid out anew.
    Scene {
        /// Who is seen where from now on.
        scene: Arc<Scene>,
        /// How everything comes there.
        passage: Passage,
        /// The page of the layout that is shown, from 0.
        page: usize,
        /// How many pages it has.
        pages: usize,
    },
    /// The first picture of a track is in the room's.
    Pictured(TrackId),
    /// A GPU failed and the processor draws on; what the driver said.
    GpuLost(String),
    /// The room's ticks do not keep up, or do again: what is given up from now on.
    Relief(Relief),
}

/// One room's picture.
pub struct Canvas {
    setup: CanvasSetup,
    motion: Motion,
    frames: LatestFrames,
    /// The next tick's number.
    tick: u64,
    /// Everybody's own first, so that nobody waits for what a recording alone needs.
    outputs: Vec<CanvasOutput>,
    scenes: Outbox<scene::Output>,
    relief: ReliefCore,
    /// Ticks of outputs that everyone may see since the last look, and those of them that were left out.
    strain: (u32, u32),
}

impl Canvas {
    /// A canvas without outputs.
    #[must_use]
    pub fn new(setup: CanvasSetup) -> Self {
        let motion = Motion::new(setup.motion, setup.scene.scene());
        Self {
            setup,
            motion,
            frames: LatestFrames::default(),
            tick: 0,
            outputs: Vec::new(),
            scenes: Outbox::new(),
            relief: ReliefCore::default(),
            strain: (0, 0),
        }
    }

    /// An encode is fed from the next tick on.
    pub fn add_output(&mut self, setup: OutputSetup) {
        self.outputs.push(CanvasOutput::new(setup));
        self.outputs.sort_by_key(|output| !output.is_whole());
    }

    /// An encode is fed no longer; it ends with what it was given.
    pub fn remove_output(&mut self, rung: RungId) {
        self.outputs.retain(|output| output.rung() != rung);
    }

    /// The pictures of a camera or screen come through this slot from now on.
    pub fn add_source(&mut self, track: TrackId, slot: FrameSlot) {
        self.frames.add(track, slot);
        self.pace();
    }

    /// A camera or screen ended at `now`.
    pub fn remove_source(&mut self, now: Instant, track: TrackId, out: &mut Outbox<CanvasEvent>) {
        self.frames.end(track);
        let participant = track.participant;
        let input = match track.kind {
            TrackKind::Screen | TrackKind::ScreenSound => scene::Input::ScreenEnded { participant },
            TrackKind::Camera | TrackKind::Microphone => scene::Input::CameraEnded { participant },
        };
        self.handle_scene(now, input, out);
    }

    /// The roster or the layout changed at `now`.
    pub fn arrange(&mut self, now: Instant, input: scene::Input, out: &mut Outbox<CanvasEvent>) {
        match input {
            scene::Input::CameraEnded { participant } => {
                self.frames.blank(TrackId { participant, kind: TrackKind::Camera });
            }
            // A screen's last picture is seen while its tile fades.
            scene::Input::Off { track, off: true } if track.kind == TrackKind::Camera => self.frames.blank(track),
            _ => {}
        }
        self.handle_scene(now, input, out);
    }

    /// Paints every output whose tick is due at `now`; says when to come again.
    pub fn tick_if_due(&mut self, now: Instant, out: &mut Outbox<CanvasEvent>) -> Instant {
        self.submit(out);
        let (epoch, fps) = (self.setup.epoch, self.setup.fps);
        let due = |tick| epoch.instant_at(pts_from_tick(tick, fps));
        if now < due(self.tick) {
            return self.next_look(now);
        }
        let mut missed = 0;
        while now >= due(self.tick + missed + 1) {
            missed += 1;
        }
        // A tick that was slept through is skipped and counted, never caught up in a burst.
        for tick in self.tick..self.tick + missed {
            let is_due = |output: &&CanvasOutput| output.is_whole() && output.is_due(tick, self.output_fps(), fps);
            let outputs = self.outputs.iter().filter(is_due).count();
            self.count(outputs as u64, outputs as u64);
        }
        self.tick += missed;
        self.take_frames(now, out);
        self.paint(out);
        self.tick += 1;
        self.weigh(now, out);
        self.next_look(now)
    }

    /// Frames a second of every output at most.
    fn output_fps(&self) -> u32 {
        let fps = self.setup.fps;
        if self.relief.relief() >= Relief::OutputRate { (fps / 2).max(1) } else { fps }
    }

    /// Whether something is to be given up, or comes back.
    fn weigh(&mut self, now: Instant, out: &mut Outbox<CanvasEvent>) {
        let (ticks, skipped) = std::mem::take(&mut self.strain);
        let frames = &mut self.frames;
        if let Some(relief) = self.relief.ticks(now, ticks, skipped, || frames.behind()) {
            self.pace();
            out.push(CanvasEvent::Relief(relief));
        }
    }

    /// How often each track's picture is taken: what is about to come up, at once.
    fn pace(&mut self) {
        let (scene, relief, pace) = (self.setup.scene.scene(), self.relief.relief(), self.setup.pace);
        let spacings: HashMap<TrackId, u32> = scene
            .tiles
            .iter()
            .filter_map(|tile| Some((tile.track()?, pace.spacing(scene.canvas, tile.paced(), relief))))
            .collect();
        self.frames.pace(|track| spacings.get(&track).copied().unwrap_or(1));
    }

    /// Begins this tick on each output, and hands on what is composed at once.
    fn paint(&mut self, out: &mut Outbox<CanvasEvent>) {
        let (pts, output_fps) = (pts_from_tick(self.tick, self.setup.fps), self.output_fps());
        for at in 0..self.outputs.len() {
            let output = &mut self.outputs[at];
            if !output.is_due(self.tick, output_fps, self.setup.fps) {
                continue;
            }
            let begun = output.begin(self.motion.scene_at(pts), &self.frames, pts);
            if output.is_whole() {
                self.count(1, u64::from(!begun));
            }
            self.submit_one(at, out);
        }
        if self.motion.rests_at(pts) {
            self.frames.drop_ended();
        }
    }

    /// When to come again: at the next tick, or sooner while a GPU draws.
    fn next_look(&self, now: Instant) -> Instant {
        let tick = self.setup.epoch.instant_at(pts_from_tick(self.tick, self.setup.fps));
        let busy = self.outputs.iter().any(|output| output.in_flight() > 0);
        if busy { tick.min(now + limits::GPU_POLL_SPACING) } else { tick }
    }

    fn submit(&mut self, out: &mut Outbox<CanvasEvent>) {
        for at in 0..self.outputs.len() {
            self.submit_one(at, out);
        }
    }

    /// Hands what is composed to an encoder; says it when a GPU failed.
    fn submit_one(&mut self, at: usize, out: &mut Outbox<CanvasEvent>) {
        let (skipped, loss) = self.outputs[at].submit();
        if self.outputs[at].is_whole() {
            self.count(0, skipped + loss.as_ref().map_or(0, |loss| loss.ticks));
        }
        if let Some(loss) = loss {
            out.push(CanvasEvent::GpuLost(loss.reason));
        }
    }

    fn count(&mut self, ticks: u64, skipped: u64) {
        let few = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.strain.0 = self.strain.0.saturating_add(few(ticks));
        self.strain.1 = self.strain.1.saturating_add(few(skipped));
        self.setup.ticks.iter().for_each(|counter| counter.add(ticks));
        self.setup.ticks_skipped.iter().for_each(|counter| counter.add(skipped));
    }

    /// Takes what the decoders published, and lets the scene know whose camera runs.
    fn take_frames(&mut self, now: Instant, out: &mut Outbox<CanvasEvent>) {
        let (scene, scenes) = (&mut self.setup.scene, &mut self.scenes);
        scene.handle(now, scene::Input::Tick, scenes);
        self.frames.take(self.tick, |track, shape, is_first| {
            if is_first {
                out.push(CanvasEvent::Pictured(track));
            }
            if let Some(size) = shape {
                scene.handle(now, scene::Input::Shape { track, size }, scenes);
            }
            let participant = track.participant;
            let input = match track.kind {
                TrackKind::Screen | TrackKind::ScreenSound => scene::Input::ScreenFrame { participant },
                TrackKind::Camera | TrackKind::Microphone => scene::Input::CameraFrame { participant },
            };
            scene.handle(now, input, scenes);
        });
        self.take_scenes(out);
    }

    fn handle_scene(&mut self, now: Instant, input: scene::Input, out: &mut Outbox<CanvasEvent>) {
        self.setup.scene.handle(now, input, &mut self.scenes);
        self.take_scenes(out);
    }

    fn take_scenes(&mut self, out: &mut Outbox<CanvasEvent>) {
        // Things are where the newest tick painted them.
        let at = pts_from_tick(self.tick.saturating_sub(1), self.setup.fps);
        // Of several changes at once only the last is seen.
        let last = self.scenes.drain().next_back();
        if let Some(scene::Output::Scene(scene)) = last {
            self.motion.retarget(at, scene.clone());
            self.pace();
            let scene::Stats { page, pages, .. } = self.setup.scene.stats();
            out.push(CanvasEvent::Scene { scene, passage: self.motion.passage(), page, pages });
        }
    }
}
