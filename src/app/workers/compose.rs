//! **The question:** what does each room's canvas show at this tick? A `compose-n` thread owns the scene clocks and the
//! compositors of its rooms; the rooms' ticks are shifted against one another.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::app::workers::counters::NodeCounters;
use crate::app::workers::decode::earlier;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Mailbox, Reports, guard};
use crate::base::media::{
    ComposedFrame, Outbox, RoomEpoch, RoomId, Size, TrackId, TrackKind, VideoFrame, pts_from_tick,
};
use crate::core::scene::{self, Motion, SceneCore};
use crate::engine::compose::{Compositor, Sources};
use crate::engine::flow::{Counter, FrameSlot};
use crate::engine::video::masked::{CanvasOutput, Masked, MaskedWork};
use crate::io::telemetry::log::alias;

/// How often a GPU is asked for the picture it draws.
const POLL_SPACING: Duration = Duration::from_millis(1);

/// A room's picture, from slots to the encoder's queue.
pub struct CanvasSetup {
    /// Which room.
    pub room: RoomId,
    /// Its media clock.
    pub epoch: RoomEpoch,
    /// Ticks a second.
    pub fps: u32,
    /// Who is seen where.
    pub scene: SceneCore,
    /// How long a change of the scene moves.
    pub motion: Duration,
    /// Who paints.
    pub compositor: Box<dyn Compositor>,
    /// To the encoder: at most `limits::COMPOSED_QUEUE_LEN` ticks.
    pub composed: Sender<ComposedFrame>,
    /// This room's own count of ticks.
    pub ticks: Counter,
    /// This room's own count of skipped ticks.
    pub ticks_skipped: Counter,
}

/// What the control thread tells a compose thread.
pub enum ComposeCommand {
    /// A room begins.
    AddRoom(Box<CanvasSetup>),
    /// A room ends.
    RemoveRoom(RoomId),
    /// The roster changed.
    Scene(RoomId, scene::Input),
    /// The pictures of a camera or screen come through this slot from now on.
    AddSource(RoomId, TrackId, FrameSlot),
    /// A camera or screen ended.
    RemoveSource(RoomId, TrackId),
    /// The room is also drawn without some people from now on, in the place of what was so far; `None`: no longer.
    Mask(RoomId, Option<Box<MaskedWork>>),
}

struct LatestFrame {
    slot: FrameSlot,
    /// The newest picture, kept until a newer one comes.
    frame: Option<Box<VideoFrame>>,
    /// Extent of the newest picture, as the scene was told.
    shape: Option<Size>,
    /// Nothing new comes; the last picture is kept while its tile fades.
    ended: bool,
}

struct Canvas {
    room: RoomId,
    epoch: RoomEpoch,
    fps: u32,
    scene: SceneCore,
    motion: Motion,
    ticks: Counter,
    ticks_skipped: Counter,
    sources: LatestFrames,
    /// The next tick's number.
    tick: u64,
    output: CanvasOutput,
    /// The same without some people.
    masked: Option<Masked>,
}

#[derive(Default)]
struct LatestFrames(HashMap<TrackId, LatestFrame>);

impl Sources for LatestFrames {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        self.0.get(&track).and_then(|source| source.frame.as_deref())
    }
}

/// The body of a `compose-n` thread.
pub fn run(mailbox: &Mailbox<ComposeCommand>, reports: &Reports<Event>, counters: &NodeCounters) {
    let mut worker = ComposeWorker {
        rooms: HashMap::new(),
        reports: reports.clone(),
        counters: counters.clone(),
        outbox: Outbox::new(),
    };
    loop {
        loop {
            match mailbox.commands.try_recv() {
                Ok(command) => worker.command(command),
                Err(crossbeam_channel::TryRecvError::Empty) => break,
                Err(crossbeam_channel::TryRecvError::Disconnected) => return,
            }
        }
        let deadline = worker.round();
        mailbox.waker.sleep_until(deadline);
    }
}

struct ComposeWorker {
    rooms: HashMap<RoomId, Canvas>,
    reports: Reports<Event>,
    counters: NodeCounters,
    outbox: Outbox<scene::Output>,
}

impl ComposeWorker {
    fn command(&mut self, command: ComposeCommand) {
        match command {
            ComposeCommand::AddRoom(work) => {
                let motion = Motion::new(work.motion, work.scene.scene());
                let CanvasSetup { room, epoch, fps, scene, compositor, composed, ticks, ticks_skipped, .. } = *work;
                let canvas = Canvas {
                    room: room.clone(),
                    epoch,
                    fps,
                    scene,
                    motion,
                    sources: LatestFrames::default(),
                    tick: 0,
                    output: CanvasOutput::new(compositor, composed),
                    masked: None,
                    ticks,
                    ticks_skipped,
                };
                self.rooms.insert(room, canvas);
            }
            ComposeCommand::RemoveRoom(room) => drop(self.rooms.remove(&room)),
            ComposeCommand::Mask(room, work) => {
                if let Some(canvas) = self.rooms.get_mut(&room) {
                    canvas.masked = work.map(|work| Masked::from(*work));
                }
            }
            ComposeCommand::Scene(room, input) => self.scene(&room, input),
            ComposeCommand::AddSource(room, track, slot) => {
                if let Some(canvas) = self.rooms.get_mut(&room) {
                    let source = LatestFrame { slot, frame: None, shape: None, ended: false };
                    canvas.sources.0.insert(track, source);
                }
            }
            ComposeCommand::RemoveSource(room, track) => {
                if let Some(canvas) = self.rooms.get_mut(&room) {
                    if let Some(source) = canvas.sources.0.get_mut(&track) {
                        source.ended = true;
                    }
                    let participant = track.participant;
                    let input = match track.kind {
                        TrackKind::Screen | TrackKind::ScreenSound => scene::Input::ScreenEnded { participant },
                        TrackKind::Camera | TrackKind::Microphone => scene::Input::CameraEnded { participant },
                    };
                    canvas.arrange(Instant::now(), input, &mut self.outbox, &self.reports);
                }
            }
        }
    }

    fn scene(&mut self, room: &RoomId, input: scene::Input) {
        if let Some(canvas) = self.rooms.get_mut(room) {
            if let scene::Input::CameraEnded { participant } = &input
                && let Some(source) =
                    canvas.sources.0.get_mut(&TrackId { participant: *participant, kind: TrackKind::Camera })
            {
                source.frame = None;
            }
            canvas.arrange(Instant::now(), input, &mut self.outbox, &self.reports);
        }
    }

    /// Paints every room whose tick is due; says when the next is.
    fn round(&mut self) -> Option<Instant> {
        let mut deadline = None;
        let mut panicked = Vec::new();
        for (room, canvas) in &mut self.rooms {
            let (outbox, reports, counters) = (&mut self.outbox, &self.reports, &self.counters);
            match guard(room, || canvas.tick_if_due(Instant::now(), outbox, reports, counters)) {
                Some(next) => deadline = earlier(deadline, Some(next)),
                None => panicked.push(room.clone()),
            }
        }
        for room in panicked {
            self.rooms.remove(&room);
            self.outbox = Outbox::new();
            self.reports.send(Event::RoomFailed(room));
        }
        deadline
    }
}

impl Canvas {
    fn arrange(
        &mut self,
        now: Instant,
        input: scene::Input,
        outbox: &mut Outbox<scene::Output>,
        reports: &Reports<Event>,
    ) {
        self.scene.handle(now, input, outbox);
        self.take_scenes(outbox, reports);
    }

    fn tick_if_due(
        &mut self,
        now: Instant,
        outbox: &mut Outbox<scene::Output>,
        reports: &Reports<Event>,
        counters: &NodeCounters,
    ) -> Instant {
        self.take_composed(counters);
        let due = |tick| self.epoch.instant_at(pts_from_tick(tick, self.fps));
        if now < due(self.tick) {
            return self.next_look(now);
        }
        let mut missed = 0;
        while now >= due(self.tick + missed + 1) {
            missed += 1;
        }
        // A tick that was slept through is skipped and counted, never caught up in a burst.
        self.tick += missed;
        self.count_skipped(missed, counters);
        self.take_pictures(now, outbox, reports);
        let pts = pts_from_tick(self.tick, self.fps);
        if !self.output.compositor.begin(self.motion.scene_at(pts), &self.sources, pts) {
            self.count_skipped(1, counters);
        }
        self.take_composed(counters);
        // After everybody's own picture is on its way.
        if let Some(masked) = &mut self.masked {
            masked.begin(self.motion.scene_at(pts), &self.sources, pts);
        }
        if self.motion.rests_at(pts) {
            self.sources.0.retain(|_, source| !source.ended);
        }
        self.ticks.add(1 + missed);
        counters.ticks.add(1 + missed);
        self.tick += 1;
        self.take_composed(counters);
        self.next_look(now)
    }

    /// When to come again: at the next tick, or sooner while a GPU draws.
    fn next_look(&self, now: Instant) -> Instant {
        let tick = self.epoch.instant_at(pts_from_tick(self.tick, self.fps));
        let masked = self.masked.as_ref().map_or(0, |masked| masked.output.compositor.in_flight());
        if self.output.compositor.in_flight() + masked > 0 { tick.min(now + POLL_SPACING) } else { tick }
    }

    /// Hands what is composed to the encoder; says it when a GPU failed.
    fn take_composed(&mut self, counters: &NodeCounters) {
        let (skipped, loss) = self.output.submit();
        self.count_skipped(skipped, counters);
        let (_, masked_loss) = self.masked.as_mut().map_or((0, None), |masked| masked.output.submit());
        self.count_skipped(loss.as_ref().map_or(0, |loss| loss.ticks), counters);
        for loss in [loss, masked_loss].into_iter().flatten() {
            counters.compositors_replaced.add(1);
            tracing::warn!(room = %alias(&self.room), reason = loss.reason, "the GPU is lost; the processor draws on");
        }
    }

    fn count_skipped(&self, ticks: u64, counters: &NodeCounters) {
        self.ticks_skipped.add(ticks);
        counters.ticks_skipped.add(ticks);
    }

    /// Takes what the decoders published, and lets the scene know whose camera runs.
    fn take_pictures(&mut self, now: Instant, outbox: &mut Outbox<scene::Output>, reports: &Reports<Event>) {
        self.scene.handle(now, scene::Input::Tick, outbox);
        for (track, source) in self.sources.0.iter_mut().filter(|(_, source)| !source.ended) {
            let Some(frame) = source.slot.take() else { continue };
            let (track, size, participant) = (*track, frame.size, track.participant);
            source.frame = Some(frame);
            if source.shape.replace(size) != Some(size) {
                self.scene.handle(now, scene::Input::Shape { track, size }, outbox);
            }
            let input = match track.kind {
                TrackKind::Screen | TrackKind::ScreenSound => scene::Input::ScreenFrame { participant },
                TrackKind::Camera | TrackKind::Microphone => scene::Input::CameraFrame { participant },
            };
            self.scene.handle(now, input, outbox);
        }
        self.take_scenes(outbox, reports);
    }

    fn take_scenes(&mut self, outbox: &mut Outbox<scene::Output>, reports: &Reports<Event>) {
        // Things are where the newest tick painted them.
        let at = pts_from_tick(self.tick.saturating_sub(1), self.fps);
        // Of several changes at once only the last is seen.
        if let Some(scene::Output::Scene(scene)) = outbox.drain().next_back() {
            self.motion.retarget(at, scene.clone());
            let scene::Stats { page, pages, .. } = self.scene.stats();
            reports.send(Event::SceneChanged { room: self.room.clone(), scene, page, pages });
        }
    }
}
