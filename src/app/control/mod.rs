//! **The question:** who joins, leaves and is told what? The control thread: commands from HTTP, events from the wire and the
//! workers, and the rooms that follow from them. It decides through `room/`, `ladder/` and `signal/`, and touches no media.

mod branding;
mod commands;
mod layouts;
mod legs;
mod moderate;
mod net_events;
mod notify;
mod peers;
mod recording;
pub mod report;
mod rooms;
mod tracks;
mod unrecorded;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::app::config::{Branding, Config};
use crate::app::control::report::RoomReport;
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::counters::Counts;
use crate::app::workers::decode::DecodeCommand;
use crate::app::workers::event::Event;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::app::workers::worker::{Reports, Worker};
use crate::base::media::{PcmBlock, PeerId, RoomId, TrackKind};
use crate::core::access::Policy;
use crate::core::room::RoomInput;
use crate::core::scene;
use crate::engine::compose::Compositors;
use crate::engine::encode::EncoderChoice;
use crate::engine::flow::Waker;
use crate::io::api::{Request, ResourceToken};
use crate::io::rtp::LegCommand;
use crate::io::store::Archive;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{Certificate, NetCommand, NetEvent};

use peers::Peers;
use rooms::Room;

/// The worker threads, as the control thread sees them.
pub struct Workers {
    /// The one net thread.
    pub net: Worker<NetCommand>,
    /// The plain-RTP legs' thread, if there are legs.
    pub legs: Option<Worker<LegCommand>>,
    /// The decode pool.
    pub decode: Vec<Worker<DecodeCommand>>,
    /// The compose threads.
    pub compose: Vec<Worker<ComposeCommand>>,
    /// The mix threads.
    pub mix: Vec<Worker<MixCommand>>,
    /// The package thread.
    pub package: Worker<PackageCommand>,
}

/// Everything that reaches the control thread.
pub struct ControlMailbox {
    /// From the doors.
    pub requests: Receiver<Request>,
    /// From the net thread.
    pub net_events: Receiver<NetEvent>,
    /// From the workers.
    pub events: Receiver<Event>,
    /// Asks the thread to end all rooms and then itself.
    pub stop: Receiver<()>,
    /// Woken by all of them.
    pub waker: Waker,
}

/// The control thread's state.
pub struct Control {
    config: Config,
    /// Who may do what.
    policy: Policy,
    certificate: Certificate,
    candidates: Vec<std::net::SocketAddr>,
    workers: Workers,
    reports: Reports<Event>,
    counts: Counts,
    /// Where the one recording of a demo goes, in place of the archive.
    record_to: Option<PathBuf>,
    archive: Option<Arc<Archive>>,
    encoder: EncoderChoice,
    compositors: Compositors,
    /// How rooms are dressed when they begin.
    branding: Branding,
    /// What is played when a recording begins.
    announcement: Option<Arc<[PcmBlock]>>,
    rooms: HashMap<RoomId, Room>,
    peers: Peers,
    resources: HashMap<ResourceToken, PeerId>,
    /// Rooms that ended, for anyone who runs the node in its own process.
    ended: Sender<RoomReport>,
    rungs_started: usize,
    /// Masks made so far.
    masks: u64,
    /// Recordings begun so far.
    tickets: u64,
    /// Where workers report to; read here only while a recording's answer is waited for.
    events: Receiver<Event>,
    /// What came meanwhile.
    deferred: VecDeque<Event>,
    started: Instant,
}

/// What the control thread is made of.
pub struct ControlParts {
    /// What the operator chose.
    pub config: Config,
    /// The node's DTLS certificate.
    pub certificate: Certificate,
    /// Addresses for answers.
    pub candidates: Vec<std::net::SocketAddr>,
    /// The worker threads.
    pub workers: Workers,
    /// Where workers report to.
    pub reports: Reports<Event>,
    /// What is counted.
    pub counts: Counts,
    /// Record to exactly this file, in the clear, instead.
    pub record_to: Option<PathBuf>,
    /// Where every room is recorded to, if it is.
    pub archive: Option<Arc<Archive>>,
    /// Who encodes.
    pub encoder: EncoderChoice,
    /// Who composes.
    pub compositors: Compositors,
    /// Where ended rooms are reported.
    pub ended: Sender<RoomReport>,
    /// From the workers, as in the mailbox.
    pub events: Receiver<Event>,
}

impl Control {
    /// A control thread without rooms.
    #[must_use]
    pub fn new(parts: ControlParts) -> Self {
        let ControlParts {
            config,
            certificate,
            candidates,
            workers,
            reports,
            counts,
            record_to,
            archive,
            ended,
            events,
            ..
        } = parts;
        let (encoder, compositors) = (parts.encoder, parts.compositors);
        Self {
            branding: config.video.branding(),
            announcement: config.recording.announcement.blocks(),
            policy: Policy {
                participants_may_record: config.recording.participants_may_record,
                participants_choose_layout: config.rooms.participants_choose_layout,
            },
            config,
            certificate,
            candidates,
            workers,
            reports,
            counts,
            record_to,
            archive,
            encoder,
            compositors,
            rooms: HashMap::new(),
            peers: Peers::default(),
            resources: HashMap::new(),
            ended,
            rungs_started: 0,
            masks: 0,
            tickets: 0,
            events,
            deferred: VecDeque::new(),
            started: Instant::now(),
        }
    }

    /// The body of the `control` thread; returns when told to stop, all rooms ended and recordings closed.
    pub fn run(mut self, mailbox: &ControlMailbox) {
        while mailbox.stop.try_recv().is_err() {
            let mut idle = true;
            while let Ok(event) = mailbox.net_events.try_recv() {
                self.net_event(event);
                idle = false;
            }
            while let Some(event) = self.deferred.pop_front().or_else(|| mailbox.events.try_recv().ok()) {
                self.worker_event(event);
                idle = false;
            }
            if let Ok(request) = mailbox.requests.try_recv() {
                self.request(request);
                idle = false;
            }
            let deadline = self.advance(Instant::now());
            if idle {
                mailbox.waker.sleep_until(deadline);
            }
        }
        let names: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for room in names {
            self.end_room(&room, "the node is shutting down");
        }
        self.workers.net.send(NetCommand::Stop);
        // A queue whose reader is gone keeps what it holds, and anyone who laid it there would wait.
        mailbox.requests.try_iter().for_each(drop);
    }

    fn worker_event(&mut self, event: Event) {
        match event {
            Event::SceneChanged { room, scene, page, pages } => self.scene_changed(&room, scene, page, pages),
            Event::Speech { room, speaking, dominant } => {
                self.room_input(&room, Instant::now(), RoomInput::Speech { speaking, dominant });
            }
            Event::PicturesBroken { room, track } => {
                tracing::debug!(room = %alias(&room), kind = ?track.kind, "a bitstream is broken; a keyframe was requested");
                // A screen stands still more often than not, so its last picture stays until the keyframe is there.
                if track.kind == TrackKind::Camera {
                    self.to_scene(&room, scene::Input::CameraEnded { participant: track.participant });
                }
            }
            Event::Leg(event) => self.leg_event(event),
            Event::RecordingFailed(room) => {
                self.counts.record.errors.add(1);
                self.end_recording(&room);
            }
            Event::RecordingBegan { room, .. }
            | Event::RecordingRefused { room, .. }
            | Event::RecordingFinished { room, .. } => {
                tracing::debug!(room = %alias(&room), "nobody waits for this of a recording any more");
            }
            Event::RoomFailed(room) => {
                self.counts.node.rooms_failed.add(1);
                self.end_room(&room, "a fault of ours");
            }
        }
    }

    /// What `GET /v1/node/stats` tells.
    fn stats(&self) -> serde_json::Value {
        let rooms: Vec<_> = self
            .rooms
            .iter()
            .map(|(name, room)| {
                let (stats, figures) = (room.core.stats(), room.figures());
                serde_json::json!({
                    "room": name, "participants": stats.participants, "viewers": stats.viewers,
                    "recording": room.recording, "encoder": figures.encoder, "compositor": figures.compositor,
                    "ticks": figures.counters.ticks.get(), "ticks_skipped": figures.counters.ticks_skipped.get(),
                    "frames_encoded": figures.counters.frames_encoded.get(),
                })
            })
            .collect();
        serde_json::json!({ "uptime_s": self.started.elapsed().as_secs(), "rooms": rooms })
    }
}

/// How long the control thread waits for a recording to begin or to close before it goes on.
const RECORDING_CLOSE: Duration = Duration::from_secs(11);
