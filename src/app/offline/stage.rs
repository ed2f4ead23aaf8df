//! **The question:** who is seen where at this tick, and with which picture? The compose thread's own; the scene core
//! of the live room hears here what the files do.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use crate::app::offline::decoded_file::Seen;
use crate::app::offline::job::{Ended, Job};
use crate::app::offline::windows::Windows;
use crate::base::media::{ComposedFrame, Outbox, ParticipantId, Size, TrackId, TrackKind, VideoFrame, pts_from_tick};
use crate::core::scene::{self, Motion, SceneCore};
use crate::engine::compose::{Compositor, Sources};

/// How long what changes is on its way.
const MOTION: Duration = Duration::from_millis(400);

/// The compose thread's own: who is seen where, and with which picture.
pub(super) struct Stage {
    files: Vec<Shown>,
    scene: SceneCore,
    motion: Motion,
    compositor: Box<dyn Compositor>,
    fps: u32,
    ended: Ended,
    /// The instant that stands for tick 0: scene cores count in instants, and any will do.
    epoch: Instant,
    outbox: Outbox<scene::Output>,
    pub(super) decoded: u64,
    pub(super) interrupted: bool,
    pub(super) warnings: Vec<String>,
}

/// One file as it is seen now.
struct Shown {
    name: String,
    frame: Option<VideoFrame>,
    shape: Option<Size>,
    /// Seen, not due yet; ascending.
    ahead: VecDeque<Seen>,
    broken: bool,
    /// The first tick without its pictures, and without any of it.
    pictures_end: Option<u64>,
    end: Option<u64>,
    /// The scene knows that its camera is off; that it left.
    dark: bool,
    over: bool,
}

struct Frames<'a>(&'a [Shown]);

impl Sources for Frames<'_> {
    fn frame(&self, track: TrackId) -> Option<&VideoFrame> {
        let index = usize::try_from(track.participant.0).ok().filter(|_| track.kind == TrackKind::Camera)?;
        self.0.get(index)?.frame.as_ref()
    }
}

fn seat(index: usize) -> ParticipantId {
    ParticipantId(index as u64)
}

impl Stage {
    /// `notes`: what the operator should know of the files before anything is composed.
    pub(super) fn new(job: &Job, count: usize, compositor: Box<dyn Compositor>, notes: Vec<String>) -> Self {
        let shown = |path: &PathBuf| Shown {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            frame: None,
            shape: None,
            ahead: VecDeque::new(),
            broken: false,
            pictures_end: None,
            end: None,
            dark: false,
            over: false,
        };
        let files: Vec<Shown> = job.files.iter().map(shown).collect();
        assert_eq!(files.len(), count, "every file was opened");
        let scene = SceneCore::with_layout(job.size, job.layout.clone());
        let mut stage = Self {
            motion: Motion::new(Duration::ZERO, scene.scene()),
            files,
            scene,
            compositor,
            fps: job.fps,
            ended: job.ended,
            epoch: Instant::now(),
            outbox: Outbox::new(),
            decoded: 0,
            interrupted: false,
            warnings: notes,
        };
        for index in 0..stage.files.len() {
            let name = stage.files[index].name.clone();
            stage.tell(0, scene::Input::Joined { participant: seat(index), name });
        }
        stage.tell(0, scene::Input::Labels(job.names));
        // The first tick shows everyone in place; only what changes later glides.
        stage.motion = Motion::new(MOTION, stage.scene.scene());
        stage
    }

    /// Composes tick after tick until every file ended, somebody stops it, or the encoder is gone.
    pub(super) fn play(
        &mut self,
        windows: &Windows,
        composed: &Sender<ComposedFrame>,
        stop: &AtomicBool,
        progress: &dyn Fn(Duration),
    ) {
        for tick in 0.. {
            if tick % windows.ticks == 0 {
                self.receive(windows);
            }
            let end = self.files.iter().map(|file| file.end).max_by_key(|end| end.unwrap_or(u64::MAX)).flatten();
            let all_known = self.files.iter().all(|file| file.end.is_some());
            if all_known && end.is_some_and(|end| tick >= end) {
                return;
            }
            if stop.load(Ordering::Relaxed) {
                self.interrupted = true;
                return;
            }
            self.show(tick);
            let pts = pts_from_tick(tick, self.fps);
            let frame = self.compositor.compose(self.motion.scene_at(pts), &Frames(&self.files), pts);
            if composed.send(frame).is_err() {
                return;
            }
            if tick % u64::from(self.fps) == 0 {
                progress(pts.since(pts_from_tick(0, self.fps)));
            }
        }
    }

    fn receive(&mut self, windows: &Windows) {
        let count = windows.threads.len();
        for (number, thread) in windows.threads.iter().enumerate() {
            let window = thread.recv().expect("a decode thread lives as long as somebody listens");
            for (index, seen) in window.into_iter().enumerate() {
                let file = &mut self.files[number + index * count];
                for seen in seen {
                    match seen {
                        Seen::PicturesEnded { tick, why } => {
                            file.pictures_end = Some(tick);
                            self.warnings.extend(why.map(|why| format!("{}: {why}", file.name)));
                        }
                        Seen::Ended { tick, why } => {
                            file.end = Some(tick);
                            // Where both tracks end alike, it is said once.
                            let told = why.map(|why| format!("{}: {why}", file.name));
                            let told = told.filter(|told| !self.warnings.contains(told));
                            self.warnings.extend(told);
                        }
                        seen => file.ahead.push_back(seen),
                    }
                }
            }
        }
    }

    /// Brings every file to `tick`, and the scene with them.
    fn show(&mut self, tick: u64) {
        for index in 0..self.files.len() {
            let file = &mut self.files[index];
            if file.over {
                continue;
            }
            while let Some(seen) = file.ahead.pop_front_if(|seen| seen.tick() <= tick) {
                match seen {
                    Seen::Picture { frame, .. } => {
                        (file.frame, file.broken) = (Some(frame), false);
                        self.decoded += 1;
                    }
                    Seen::Broken { why, .. } => {
                        if !file.broken {
                            self.warnings.push(format!("{}: {why}", file.name));
                        }
                        file.broken = true;
                    }
                    Seen::PicturesEnded { .. } | Seen::Ended { .. } => unreachable!("kept apart when it was received"),
                }
            }
            self.show_state(index, tick);
        }
        if self.scene.deadline().is_some_and(|deadline| deadline <= self.instant(tick)) {
            self.tell(tick, scene::Input::Tick);
        }
    }

    /// Lets the scene know what a file's camera does.
    fn show_state(&mut self, index: usize, tick: u64) {
        let (ended, file) = (self.ended, &mut self.files[index]);
        let participant = seat(index);
        let track = TrackId { participant, kind: TrackKind::Camera };
        let has_ended = |end: Option<u64>| end.is_some_and(|end| tick >= end);
        let is_alive = file.frame.is_some() && !file.broken;
        let leaves = has_ended(file.end) && ended == Ended::Leave;
        let darkens = has_ended(file.pictures_end) && ended != Ended::Hold && file.frame.is_some() && !file.dark;
        let size = file.frame.as_ref().map(|frame| frame.size);
        let new_shape = size.filter(|size| file.shape.replace(*size) != Some(*size));
        (file.over, file.dark) = (leaves, file.dark || darkens);
        let is_dark = file.dark;
        if let Some(size) = new_shape {
            self.tell(tick, scene::Input::Shape { track, size });
        }
        if leaves {
            self.tell(tick, scene::Input::Left { participant });
        } else if darkens {
            self.tell(tick, scene::Input::CameraEnded { participant });
        } else if is_alive && !is_dark {
            // A held picture must not go stale; neither may one that its file shows for long.
            self.tell(tick, scene::Input::CameraFrame { participant });
        }
    }

    fn tell(&mut self, tick: u64, input: scene::Input) {
        let now = self.instant(tick);
        self.scene.handle(now, input, &mut self.outbox);
        for output in self.outbox.drain() {
            let scene::Output::Scene(scene) = output;
            self.motion.retarget(pts_from_tick(tick, self.fps), scene);
        }
    }

    fn instant(&self, tick: u64) -> Instant {
        self.epoch + Duration::from_nanos(pts_from_tick(tick, self.fps).as_nanos())
    }
}
