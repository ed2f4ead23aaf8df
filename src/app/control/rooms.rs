//! **The question:** how does a room begin, and which room does an event concern?

use std::io;
use std::time::{Duration, Instant, SystemTime};

use crate::app::control::report::RoomCounters;
use crate::app::control::room::{Input, Room};
use crate::app::control::thread::{Accounted, Control, Entry};
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::event::Event;
use crate::app::workers::mix::{MixCommand, SoundWork};
use crate::app::workers::worker::least_loaded;
use crate::base::limits;
use crate::base::media::{PeerId, RecordingTicket, RoomEpoch, RoomId, Wallclock, pts_from_tick};
use crate::core::access::Scope;
use crate::core::handover::Baggage;
use crate::core::webhook::Happening;
use crate::engine::audio::RoomSound;
use crate::engine::flow::Fan;
use crate::engine::video::CanvasSetup;
use crate::io::recording::RecordingSummary;
use crate::io::rtp::LegEvent;
use crate::io::telemetry::log::alias;
use crate::io::webrtc::{NetCommand, NetEvent};

/// Rooms whose ticks are spread evenly over one tick's span.
const PHASES: u32 = 8;

impl Control {
    /// Begins `name`, unless it runs already.
    ///
    /// # Errors
    /// When the mixes' encoders cannot be set up.
    pub(super) fn ensure_room(&mut self, name: &RoomId) -> io::Result<()> {
        if self.rooms.contains_key(name) {
            return Ok(());
        }
        self.begin_room(name, None)
    }

    /// Begins `name`, with what it took along where it comes from another node.
    ///
    /// # Errors
    /// When the mixes' encoders cannot be set up.
    pub(super) fn begin_room(&mut self, name: &RoomId, baggage: Option<Box<Baggage>>) -> io::Result<()> {
        // Those who watched it here while it was another node's come again.
        self.end_relay(name, "the room is this node's now");
        let config = &self.setup.config;
        let sound = RoomSound::new(config.audio.sound(), self.setup.counts.sound.clone()).map_err(io::Error::other)?;
        let (epoch, counters) = (self.epoch(), RoomCounters::default());
        let audio = Fan::new(self.setup.counts.node.reader_lagged.clone());
        let room = Room::new(name.clone(), self.setup.clone(), epoch, audio.clone(), counters.clone());
        let (compose, mix) = (least_loaded(&self.workers.compose), least_loaded(&self.workers.mix));
        self.workers.compose[compose].load += 1;
        self.workers.mix[mix].load += 1;
        let node = &self.setup.counts.node;
        let canvas = Box::new(CanvasSetup {
            epoch,
            fps: config.video.fps.get(),
            pace: config.video.pace(),
            scene: room.first_scene(Instant::now()),
            motion: config.video.motion(),
            ticks: [counters.ticks, node.ticks.clone()],
            ticks_skipped: [counters.ticks_skipped, node.ticks_skipped.clone()],
        });
        self.workers.compose[compose].send(ComposeCommand::AddRoom(name.clone(), canvas));
        self.workers.net.send(NetCommand::AddRoom { room: name.clone(), epoch, audio: audio.clone() });
        let work = SoundWork { room: name.clone(), epoch, sound, fan: audio };
        self.workers.mix[mix].send(MixCommand::AddRoom(Box::new(work)));
        let tenant = self.setup.tenancy.tenants.of(name).map(|tenant| &tenant.id);
        let accounted = Accounted::new(Instant::now(), self.setup.counts.meters.of(tenant).cloned());
        self.rooms.insert(name.clone(), Entry { room, compose, mix, accounted });
        self.rooms_so_far = self.rooms_so_far.wrapping_add(1);
        self.input(name, Input::Begin(baggage));
        let (encoder, compositor) = self.setup.engines;
        tracing::info!(room = %alias(name), encoder, compositor, "a room begins");
        Ok(())
    }

    /// Now, shifted so that the ticks of rooms on one thread do not fall together.
    fn epoch(&self) -> RoomEpoch {
        let tick = pts_from_tick(1, self.setup.config.video.fps.get());
        let shift = Duration::from_nanos(tick.as_nanos()) * (self.rooms_so_far % PHASES) / PHASES;
        let (instant, wallclock) = (Instant::now(), Wallclock::from_system_time(SystemTime::now()));
        let since = self.started.elapsed().as_nanos() % u128::from(tick.as_nanos());
        // Aligned to the node's start, so that the shift counts between rooms whenever they begin.
        let align = Duration::from_nanos(tick.as_nanos() - since as u64) + shift;
        RoomEpoch { instant: instant + align, wallclock: Wallclock(wallclock.0 + align.as_nanos() as u64) }
    }

    /// An event of a net worker; those about a connection that is gone meanwhile are ignored.
    pub(super) fn net_event(&mut self, event: NetEvent) {
        self.following.net(&event);
        if let Some(peer) = event.peer().filter(|peer| self.waiting.get(*peer).is_some()) {
            return self.net_event_of_waiting(peer, event);
        }
        if let Some(peer) = event.peer().filter(|peer| self.relays.has(*peer)) {
            return self.net_event_of_relay(peer, event);
        }
        let name = match (event.peer(), event.room()) {
            (Some(peer), _) => self.peers.get(&peer).cloned(),
            (None, room) => room.cloned(),
        };
        if let Some(name) = name {
            self.input(&name, Input::Net(event));
        }
    }

    /// An event of another worker.
    pub(super) fn worker_event(&mut self, event: Event) {
        self.following.worker(&event);
        match event {
            Event::Leg(event) => {
                let (LegEvent::Started(peer) | LegEvent::Silent(peer) | LegEvent::Failed(peer)) = event;
                match self.peers.get(&peer).cloned() {
                    Some(name) => self.input(&name, Input::Leg(event)),
                    None => self.leg_event_of_waiting(peer, event),
                }
            }
            Event::RungEnded { room, rung } => {
                if let Some(ticket) = self.endings.rung_ended(&room, rung) {
                    self.finish_recording(ticket);
                }
            }
            Event::RecordingFinished { room, ticket, summary } => {
                if let Some(trouble) = summary.as_ref().and_then(|summary| summary.trouble.as_deref()) {
                    tracing::warn!(room = %alias(&room), trouble, "a recording was not closed whole");
                }
                self.following.recording_closed(ticket, summary.as_ref());
                self.recording_closed(&room, ticket, summary.as_ref());
                // One that ended before its room did has nobody who waits for its summary.
                self.endings.recording_finished(ticket, summary);
            }
            Event::RoomTaken(room) => self.room_taken(room),
            Event::RelayTold { room, outcome } => self.relay_told(Instant::now(), &room, outcome),
            Event::RelayLine { room, line, attempt, answer } => {
                self.relay_answered(Instant::now(), &room, (line, attempt), *answer);
            }
            Event::MovePlaced { room, outcome } => self.move_placed(Instant::now(), &room, outcome),
            Event::MoveDone { room, outcome } => self.move_done(Instant::now(), &room, outcome),
            Event::RecordingRefused { ticket, .. } if self.endings.recording_finished(ticket, None) => {}
            event => {
                if let Some(name) = event.room().cloned() {
                    self.input(&name, Input::Worker(event));
                }
            }
        }
    }

    /// Something of a recording is stored: that is told once.
    pub(super) fn recording_stored(&mut self, room: &RoomId, ticket: RecordingTicket) {
        if self.recordings_told.insert(ticket) {
            self.webhooks.tell(&Happening::RecordingBegan { room: room.clone() });
        }
    }

    /// A recording is closed, or is given up; who heard of its beginning hears of that.
    fn recording_closed(&mut self, room: &RoomId, ticket: RecordingTicket, summary: Option<&RecordingSummary>) {
        if !self.recordings_told.remove(&ticket) {
            return;
        }
        let recording = summary.and_then(|summary| summary.sealed).map(|name| name.to_string());
        let (duration_s, bytes) = summary.map_or((0, 0), |summary| (summary.duration.as_secs(), summary.bytes));
        self.webhooks.tell(&Happening::RecordingEnded { room: room.clone(), recording, duration_s, bytes });
    }

    /// A connection's id, never used again.
    pub(super) fn next_peer(&mut self) -> PeerId {
        self.peers_so_far += 1;
        PeerId(self.peers_so_far)
    }

    /// What `GET /v1/node/stats` tells.
    pub(super) fn stats(&self, scope: &Scope) -> serde_json::Value {
        let (encoder, compositor) = self.setup.engines;
        let rooms: Vec<_> = self
            .rooms
            .iter()
            .filter(|(name, _)| scope.covers(name))
            .map(|(name, entry)| {
                let stats = entry.room.stats();
                serde_json::json!({
                    "room": name, "participants": stats.participants, "viewers": stats.viewers,
                    "recording": stats.recording, "encoder": encoder, "compositor": compositor,
                    "rungs": stats.rungs, "codec": entry.room.codec().codec().name(),
                    "ticks": stats.counters.ticks.get(), "ticks_skipped": stats.counters.ticks_skipped.get(),
                    "frames_encoded": stats.counters.frames_encoded.get(),
                })
            })
            .collect();
        serde_json::json!({ "uptime_s": self.started.elapsed().as_secs(), "rooms": rooms })
    }

    /// Whether one room more may begin.
    pub(super) fn has_room_left(&self) -> bool {
        self.rooms.len() < limits::ROOMS_MAX
    }
}
