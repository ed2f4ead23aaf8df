//! **The question:** which rooms can be watched live, and what does each offer?

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::base::media::{Codec, RoomEpoch, RoomId, RungSpec};
use crate::core::hls::WindowSetup;
use crate::engine::encode::EncoderChoice;
use crate::io::live::audience::Audience;
use crate::io::live::counters::LiveCounters;
use crate::io::live::probe;
use crate::io::live::rung::LiveRung;
use crate::io::live::waits::{Place, Waits};

/// What the operator chose.
#[derive(Debug, Clone)]
pub struct LiveSetup {
    /// How much of each rung is listed.
    pub window: Duration,
    /// Bytes of all that is kept of each rung.
    pub len_max: usize,
    /// Whether pages of any origin may read it.
    pub any_origin: bool,
    /// Who encodes AV1.
    pub encoder: EncoderChoice,
    /// Threads of an encoder.
    pub threads: usize,
}

/// The node's rooms as far as they can be watched by HLS; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LiveRooms(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    setup: LiveSetup,
    counters: LiveCounters,
    rooms: RwLock<HashMap<RoomId, Arc<LiveRoom>>>,
    /// CODECS of rungs that an encoder was asked for.
    codecs: Mutex<HashMap<RungSpec, Arc<str>>>,
    waits: Waits,
}

/// One room's rungs.
#[derive(Debug)]
pub struct LiveRoom {
    /// Stands in every address below the room's, so that no cache takes one room for another of its name.
    pub run: String,
    /// What can be asked for, in both codecs, the largest first.
    pub rungs: Vec<LiveRung>,
    /// Whether it sends no AV1 any more, which then costs too much.
    without_av1: AtomicBool,
    begun: Instant,
    epoch: RoomEpoch,
    setup: LiveSetup,
    audience: Mutex<Audience>,
    /// Of the node's viewers.
    counted: AtomicU64,
    pub(super) counters: LiveCounters,
}

impl LiveRooms {
    /// No room yet.
    #[must_use]
    pub fn new(setup: LiveSetup, counters: LiveCounters) -> Self {
        let (rooms, codecs, waits) = (RwLock::default(), Mutex::default(), Waits::default());
        Self(Some(Arc::new(Shared { setup, counters, rooms, codecs, waits })))
    }

    /// A room begins; `None` where nothing is watched by HLS.
    #[must_use]
    pub fn begin(&self, room: &RoomId, epoch: RoomEpoch, rungs: &[RungSpec]) -> Option<Arc<LiveRoom>> {
        let shared = self.0.as_ref()?;
        let begun = Instant::now();
        let live = Arc::new(LiveRoom {
            run: format!("{:016x}", rand::random::<u64>()),
            rungs: rungs.iter().map(|spec| LiveRung::new(begun, *spec)).collect(),
            without_av1: AtomicBool::new(false),
            begun,
            epoch,
            setup: shared.setup.clone(),
            audience: Mutex::default(),
            counted: AtomicU64::new(0),
            counters: shared.counters.clone(),
        });
        shared.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(room.clone(), live.clone());
        Some(live)
    }

    /// A room is over: nothing of it is found any more, and who waits is told so.
    pub fn end(&self, room: &RoomId, live: &Arc<LiveRoom>) {
        let Some(shared) = &self.0 else { return };
        let mut rooms = shared.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(room).is_some_and(|found| Arc::ptr_eq(found, live)) {
            rooms.remove(room);
        }
        drop(rooms);
        live.rungs.iter().for_each(LiveRung::close);
        live.count(0);
    }

    /// A room that runs.
    #[must_use]
    pub fn room(&self, room: &RoomId) -> Option<Arc<LiveRoom>> {
        self.0.as_ref()?.rooms.read().unwrap_or_else(PoisonError::into_inner).get(room).cloned()
    }

    /// Whether pages of any origin may read it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.setup.any_origin)
    }

    /// A place for a request of this network that waits; `None`, and counted, where there are too many, of all or of
    /// its own.
    #[must_use]
    pub fn place(&self, network: Option<IpAddr>) -> Option<Place> {
        let shared = self.0.as_ref()?;
        let place = shared.waits.place(network);
        shared.counters.refused.add(u64::from(place.is_none()));
        place
    }

    /// What an encoder of `spec` says that it writes, if one was asked.
    #[must_use]
    pub fn known_codecs(&self, spec: RungSpec) -> Option<Arc<str>> {
        let shared = self.0.as_ref()?;
        shared.codecs.lock().unwrap_or_else(PoisonError::into_inner).get(&spec).cloned()
    }

    /// The same; asks one, if need be, which takes as long as a keyframe. `None` where it writes nothing.
    #[must_use]
    pub fn codecs(&self, spec: RungSpec) -> Option<Arc<str>> {
        let shared = self.0.as_ref()?;
        if let Some(known) = self.known_codecs(spec) {
            return Some(known);
        }
        let codecs: Arc<str> = probe::codecs(shared.setup.encoder, shared.setup.threads, spec)?.into();
        shared.codecs.lock().unwrap_or_else(PoisonError::into_inner).insert(spec, codecs.clone());
        Some(codecs)
    }
}

impl LiveRoom {
    /// What it offers now.
    pub fn offered(&self) -> impl Iterator<Item = (usize, &LiveRung)> {
        let without_av1 = self.without_av1.load(Ordering::Acquire);
        self.rungs.iter().enumerate().filter(move |(_, rung)| !(without_av1 && rung.spec.codec == Codec::Av1))
    }

    /// It sends AV1, or no longer; what nobody is offered any more is gone.
    pub fn set_av1(&self, offered: bool) {
        self.without_av1.store(!offered, Ordering::Release);
    }

    /// Somebody asks for a playlist; `follows`: and says for which part they wait.
    pub fn note_viewer(&self, now: Instant, follows: bool) {
        let mut audience = self.audience.lock().unwrap_or_else(PoisonError::into_inner);
        audience.note(now.saturating_duration_since(self.begun), follows);
    }

    /// How many watch, as far as their requests tell.
    #[must_use]
    pub fn viewers(&self, now: Instant) -> u64 {
        let audience = self.audience.lock().unwrap_or_else(PoisonError::into_inner);
        audience.count(now.saturating_duration_since(self.begun))
    }

    /// How much of a rung is listed at most.
    #[must_use]
    pub const fn listed(&self) -> Duration {
        self.setup.window
    }

    pub(super) fn count(&self, viewers: u64) {
        let before = self.counted.swap(viewers, Ordering::Relaxed);
        self.counters.viewers.raise(viewers.saturating_sub(before));
        self.counters.viewers.lower(before.saturating_sub(viewers));
    }

    pub(super) fn epoch(&self) -> &RoomEpoch {
        &self.epoch
    }

    pub(super) fn window(&self) -> WindowSetup {
        WindowSetup { span: self.setup.window, len_max: self.setup.len_max, epoch: self.epoch }
    }
}
