//! **The question:** what does the control thread own, and what wakes it?

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use crate::app::config::Config;
use crate::app::control::ending::Endings;
use crate::app::control::following::Following;
use crate::app::control::moves::Moves;
use crate::app::control::relay::Relays;
use crate::app::control::report::RoomReport;
use crate::app::control::room::setup::RoomSetup;
use crate::app::control::room::{Effect, Input, Room};
use crate::app::control::waiting::Waiting;
use crate::app::workers::compose::ComposeCommand;
use crate::app::workers::counters::Counts;
use crate::app::workers::decode::DecodeCommand;
use crate::app::workers::event::Event;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::app::workers::worker::{Reports, Worker};
use crate::base::limits;
use crate::base::media::{EncodeCosts, Outbox, PeerId, RecordingTicket, RoomId, TrackId};
use crate::core::drain::Drain;
use crate::core::ladder::Budget;
use crate::core::room::Lobby;
use crate::core::webhook::CapacityWatch;
use crate::engine::compose::Compositors;
use crate::engine::encode::EncoderChoice;
use crate::engine::flow::Waker;
use crate::io::api::{Meter, Request, ResourceToken};
use crate::io::fleet::{Mover, Placement};
use crate::io::live::LiveRooms;
use crate::io::push::Pusher;
use crate::io::rtp::LegCommand;
use crate::io::store::Archive;
use crate::io::traces::Tracer;
use crate::io::webhook::Webhooks;
use crate::io::webrtc::{Certificate, NetCommand, NetEvent, NetWorkers};

/// The worker threads, as the control thread sees them.
pub struct Workers {
    /// The net threads.
    pub net: NetWorkers,
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

impl Workers {
    /// Hands over what found no room so far; whether all of it is handed over now.
    fn flush(&self) -> bool {
        let mut done = self.net.flush() & self.package.flush();
        done &= self.legs.as_ref().is_none_or(Worker::flush);
        done &= self.decode.iter().fold(true, |done, worker| done & worker.flush());
        done &= self.compose.iter().fold(true, |done, worker| done & worker.flush());
        done & self.mix.iter().fold(true, |done, worker| done & worker.flush())
    }
}

/// How the process asks its control thread to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// All rooms end now.
    Now,
    /// With the last room, and after so long in any case.
    After(Duration),
}

/// Everything that reaches the control thread.
pub struct ControlMailbox {
    /// From the doors.
    pub requests: Receiver<Request>,
    /// From the net workers.
    pub net_events: Receiver<NetEvent>,
    /// From the other workers.
    pub events: Receiver<Event>,
    /// Asks the thread to end all rooms, now or later, and then itself.
    pub stop: Receiver<Stop>,
    /// Woken by all of them.
    pub waker: Waker,
}

/// What the control thread is made of.
pub struct ControlParts {
    /// What the operator chose.
    pub config: Config,
    /// The node's DTLS certificate.
    pub certificate: Certificate,
    /// Addresses for answers.
    pub candidates: Vec<std::net::SocketAddr>,
    /// Those of TCP.
    pub tcp_candidates: Vec<std::net::SocketAddr>,
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
    /// What encoding costs here.
    pub encode_costs: EncodeCosts,
    /// Who composes.
    pub compositors: Compositors,
    /// Where rooms can be watched by HLS.
    pub live: LiveRooms,
    /// Who brings rooms to other nodes, and knows who says where they are.
    pub mover: Mover,
    /// Who asks other servers to take rooms in.
    pub pusher: Pusher,
    /// Who tells the operator's servers what happens.
    pub webhooks: Webhooks,
    /// Who tells a collector what took its time.
    pub tracer: Tracer,
    /// Where ended rooms are reported.
    pub ended: Sender<RoomReport>,
}

/// The control thread's state.
pub struct Control {
    pub(super) setup: Arc<RoomSetup>,
    pub(super) certificate: Certificate,
    pub(super) candidates: Vec<std::net::SocketAddr>,
    pub(super) tcp_candidates: Vec<std::net::SocketAddr>,
    pub(super) workers: Workers,
    pub(super) reports: Reports<Event>,
    pub(super) pusher: Pusher,
    pub(super) webhooks: Webhooks,
    pub(super) following: Following,
    /// Recordings whose beginning was told and whose end is still to be.
    pub(super) recordings_told: HashSet<RecordingTicket>,
    pub(super) capacity_watch: CapacityWatch,
    pub(super) placement: Placement,
    pub(super) encoder: EncoderChoice,
    pub(super) compositors: Compositors,
    pub(super) rooms: HashMap<RoomId, Entry>,
    /// Those who were answered and are not in a room yet.
    pub(super) waiting: Waiting,
    /// Those who wait until a host lets them in.
    pub(super) lobbies: HashMap<RoomId, Lobby>,
    /// Rooms that are over and whose encodes or recordings still finish.
    pub(super) endings: Endings,
    /// The room of each connection.
    pub(super) peers: HashMap<PeerId, RoomId>,
    pub(super) resources: HashMap<ResourceToken, PeerId>,
    /// The decode worker of each video track.
    pub(super) decoded_by: HashMap<TrackId, usize>,
    /// Connections and rooms so far.
    pub(super) peers_so_far: u64,
    pub(super) rooms_so_far: u32,
    pub(super) started: Instant,
    /// What the machine has to give.
    pub(super) budget: Budget,
    /// Whether its rooms are waited for and no other begins.
    pub(super) drain: Drain,
    /// Rooms that are watched at another node than their own.
    pub(super) relays: Relays,
    /// Rooms that go to other nodes.
    pub(super) moves: Moves,
    pub(super) mover: Mover,
    /// All rooms end, and nothing is answered any more.
    pub(super) is_stopping: bool,
}

/// A room and its workers.
pub(super) struct Entry {
    pub(super) room: Room,
    /// Its compose worker.
    pub(super) compose: usize,
    /// Its mix worker.
    pub(super) mix: usize,
    /// Until when what it used is added up.
    pub(super) accounted: Accounted,
}

/// Until when a room's use is added up, and where.
#[derive(Debug)]
pub(super) struct Accounted {
    /// Its tenant's; none where there are no tenants.
    pub(super) meter: Option<Meter>,
    pub(super) at: Instant,
    /// Of those who watch by HLS, who are asked for now and then.
    pub(super) hls: Instant,
}

impl Accounted {
    /// Of a room that begins.
    pub(super) const fn new(now: Instant, meter: Option<Meter>) -> Self {
        Self { meter, at: now, hls: now }
    }
}

impl Control {
    /// A control thread without rooms.
    #[must_use]
    pub fn new(parts: ControlParts) -> Self {
        let ControlParts { config, certificate, candidates, workers, reports, counts, record_to, archive, .. } = parts;
        let (encoder, compositors, costs) = (parts.encoder, parts.compositors, parts.encode_costs);
        let wakers = (workers.net.waker(), workers.package.waker());
        let engines = (encoder.library(), compositors.name());
        let mut setup = RoomSetup::new(config, counts, wakers, (archive, record_to), engines, costs);
        setup.live = parts.live;
        setup.placement = parts.mover.placement().clone();
        let budget = Budget::new(Instant::now(), setup.codec_setup(), setup.rungs[0], limits::ROOMS_MAX);
        let setup = Arc::new(setup);
        Self {
            setup,
            certificate,
            candidates,
            tcp_candidates: parts.tcp_candidates,
            workers,
            reports,
            pusher: parts.pusher,
            webhooks: parts.webhooks,
            following: Following::new(parts.tracer),
            recordings_told: HashSet::new(),
            capacity_watch: CapacityWatch::default(),
            placement: parts.mover.placement().clone(),
            encoder,
            compositors,
            rooms: HashMap::new(),
            waiting: Waiting::default(),
            lobbies: HashMap::new(),
            endings: Endings::new(parts.ended),
            peers: HashMap::new(),
            resources: HashMap::new(),
            decoded_by: HashMap::new(),
            peers_so_far: 0,
            rooms_so_far: 0,
            started: Instant::now(),
            budget,
            drain: if parts.mover.is_able() { Drain::moving() } else { Drain::default() },
            relays: Relays::new(parts.mover.clone()),
            moves: Moves::default(),
            mover: parts.mover,
            is_stopping: false,
        }
    }

    /// The body of the `control` thread; returns when told to stop, or when it was to end and no room is left, all
    /// rooms ended and recordings closed, or at a deadline.
    pub fn run(mut self, mailbox: &ControlMailbox) {
        while !self.is_to_end(mailbox) {
            self.round(mailbox);
        }
        self.is_stopping = true;
        self.end_all("the node is shutting down");
        self.end_relays();
        self.waiting.ids().into_iter().for_each(|id| self.turn_away(id));
        while !self.endings.is_empty() {
            self.round(mailbox);
        }
        self.workers.net.send(NetCommand::Stop);
        // A queue whose reader is gone keeps what it holds, and whoever laid it there would wait.
        mailbox.requests.try_iter().for_each(drop);
    }

    fn is_to_end(&mut self, mailbox: &ControlMailbox) -> bool {
        match mailbox.stop.try_recv() {
            Ok(Stop::Now) => return true,
            Ok(Stop::After(span)) => self.leave(span),
            Err(_) => {}
        }
        self.drain_due(Instant::now())
    }

    /// Takes what came, serves what is due, and sleeps if there was nothing.
    fn round(&mut self, mailbox: &ControlMailbox) {
        let mut idle = true;
        while let Ok(event) = mailbox.net_events.try_recv() {
            self.net_event(event);
            idle = false;
        }
        while let Ok(event) = mailbox.events.try_recv() {
            self.worker_event(event);
            idle = false;
        }
        if let Ok(request) = mailbox.requests.try_recv() {
            self.request(request);
            idle = false;
        }
        let deadline = self.advance(Instant::now());
        let full = !self.workers.flush();
        if idle {
            self.tell_levels(Instant::now());
            // A full mailbox has nobody who says that there is room again.
            let again = full.then(|| Instant::now() + limits::MAILBOX_RETRY_SPACING);
            mailbox.waker.sleep_until([deadline, again].into_iter().flatten().min());
        }
    }

    /// Serves the timers of rooms and endings; says when the next is due.
    fn advance(&mut self, now: Instant) -> Option<Instant> {
        let due = self.rooms.iter().filter(|(_, entry)| entry.room.deadline().is_some_and(|at| at <= now));
        let due: Vec<RoomId> = due.map(|(name, _)| name.clone()).collect();
        for name in due {
            self.input(&name, Input::Due);
        }
        self.waiting.expired(now).into_iter().for_each(|id| self.turn_away(id));
        self.sweep_lobbies(now);
        self.endings.expire(now);
        self.moves_due(now);
        self.relays_due(now);
        let rooms = self.rooms.values().filter_map(|entry| entry.room.deadline());
        let others = [
            self.endings.deadline(),
            self.waiting.deadline(),
            self.moves.deadline(),
            self.relays.deadline(),
            self.setup.live.forget(now),
            self.following.due(now),
        ];
        rooms.chain(others.into_iter().flatten()).chain(self.drain.deadline()).chain(self.lobby_deadline()).min()
    }

    /// One input of a room, and everything that follows from it.
    pub(super) fn input(&mut self, name: &RoomId, input: Input) {
        let now = Instant::now();
        self.account(name, now);
        let quota = self.recording_quota(name);
        let Some(entry) = self.rooms.get_mut(name) else { return };
        entry.room.set_recording_quota(quota);
        let mut out: Outbox<Effect> = Outbox::new();
        entry.room.handle(now, input, &mut out);
        for effect in out.drain() {
            self.carry_out(name, effect);
        }
    }
}
