//! **The question:** who joins, leaves and is told what? The control thread: commands from HTTP, events from the wire and the
//! workers, and the rooms that follow from them. It decides through `room/`, `ladder/` and `signal/`, and touches no media.

mod dress;
mod join;
mod layouts;
mod legs;
mod moderate;
mod peers;
mod recording;
mod rooms;
mod say;
mod tracks;
mod unrecorded;
mod wire;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::compose::Compositors;
use crate::encode::EncoderChoice;
use crate::flow::Waker;
use crate::http::{Command, ResourceToken};
use crate::leg::LegCommand;
use crate::media::{PcmBlock, PeerId, RoomId, TrackKind};
use crate::node::compose_lane::ComposeCommand;
use crate::node::config::{Config, Dressing};
use crate::node::decode_lane::DecodeCommand;
use crate::node::event::Event;
use crate::node::lane::{Lane, Reports};
use crate::node::measure::Counts;
use crate::node::mix_lane::MixCommand;
use crate::node::package_lane::PackageCommand;
use crate::node::report::RoomReport;
use crate::room::RoomInput;
use crate::scene;
use crate::store::Archive;
use crate::telemetry::log::alias;
use crate::webrtc::{Certificate, NetCommand, NetEvent};

use peers::Peers;
use rooms::Room;

/// The worker threads, as the control thread sees them.
pub struct Lanes {
    /// The one net thread.
    pub net: Lane<NetCommand>,
    /// The plain-RTP legs' thread, if there are legs.
    pub legs: Option<Lane<LegCommand>>,
    /// The decode pool.
    pub decode: Vec<Lane<DecodeCommand>>,
    /// The compose threads.
    pub compose: Vec<Lane<ComposeCommand>>,
    /// The mix threads.
    pub mix: Vec<Lane<MixCommand>>,
    /// The package thread.
    pub package: Lane<PackageCommand>,
}

/// Everything that reaches the control thread.
pub struct ControlInlet {
    /// From HTTP.
    pub commands: Receiver<Command>,
    /// From the net thread.
    pub net_events: Receiver<NetEvent>,
    /// From the workers.
    pub events: Receiver<Event>,
    /// Asks the thread to end all rooms and then itself.
    pub stop: Receiver<()>,
    /// Roused by all of them.
    pub waker: Waker,
}

/// The control thread's state.
pub struct Control {
    config: Config,
    certificate: Certificate,
    candidates: Vec<std::net::SocketAddr>,
    lanes: Lanes,
    reports: Reports<Event>,
    counts: Counts,
    /// Where the one recording of a demo goes, in place of the archive.
    record_to: Option<PathBuf>,
    archive: Option<Arc<Archive>>,
    encoder: EncoderChoice,
    compositors: Compositors,
    /// How rooms are dressed when they begin.
    dressing: Dressing,
    /// What is played when a recording begins.
    announcement: Option<Arc<[PcmBlock]>>,
    rooms: HashMap<RoomId, Room>,
    peers: Peers,
    resources: HashMap<ResourceToken, PeerId>,
    /// Rooms that ended, for whoever runs the node in its own process.
    ended: Sender<RoomReport>,
    rungs_started: usize,
    /// Masks made so far.
    masks: u64,
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
    pub lanes: Lanes,
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
}

impl Control {
    /// A control thread without rooms.
    #[must_use]
    pub fn new(parts: ControlParts) -> Self {
        let ControlParts { config, certificate, candidates, lanes, reports, counts, record_to, archive, ended, .. } =
            parts;
        let (encoder, compositors) = (parts.encoder, parts.compositors);
        Self {
            dressing: config.video.dressing(),
            announcement: config.recording.announcement.blocks(),
            config,
            certificate,
            candidates,
            lanes,
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
            started: Instant::now(),
        }
    }

    /// The body of the `control` thread; returns when told to stop, all rooms ended and recordings closed.
    pub fn run(mut self, inlet: &ControlInlet) {
        while inlet.stop.try_recv().is_err() {
            let mut idle = true;
            while let Ok(event) = inlet.net_events.try_recv() {
                self.net_event(event);
                idle = false;
            }
            while let Ok(event) = inlet.events.try_recv() {
                self.worker_event(event);
                idle = false;
            }
            if let Ok(command) = inlet.commands.try_recv() {
                self.command(command);
                idle = false;
            }
            let deadline = self.advance(Instant::now());
            if idle {
                inlet.waker.sleep_until(deadline);
            }
        }
        let names: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for room in names {
            self.end_room(&room, "the node is shutting down");
        }
        self.lanes.net.send(NetCommand::Stop);
        // A queue whose reader is gone keeps what it holds, and whoever laid it there would wait.
        inlet.commands.try_iter().for_each(drop);
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

/// How long the control thread waits for a recording to close before it goes on without its summary.
const RECORDING_CLOSE: Duration = Duration::from_secs(10);
