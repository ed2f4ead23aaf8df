//! **The question:** which rooms can be watched live, and what does each offer?

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::{Codec, Pts, RoomEpoch, RoomId, RungSpec, pts_from_instant};
use crate::core::hls::{CaptionWindow, WindowSetup};
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
    /// Whether captions are listed from the start, and not only once a captioner came.
    pub captions_always: bool,
    /// In which language they are, if the operator says.
    pub captions_language: Option<String>,
}

/// The node's rooms as far as they can be watched by HLS; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LiveRooms(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    setup: LiveSetup,
    counters: LiveCounters,
    rooms: RwLock<HashMap<RoomId, Arc<LiveRoom>>>,
    /// Those that are over of which something can still be had, in the order in which they ended.
    ended: Mutex<VecDeque<Ended>>,
    /// CODECS of rungs that an encoder was asked for.
    codecs: Mutex<HashMap<RungSpec, Arc<str>>>,
    /// Whoever asks an encoder; the others wait for what it says.
    learning: tokio::sync::Mutex<()>,
    waits: Waits,
}

#[derive(Debug)]
struct Ended {
    room: RoomId,
    live: Arc<LiveRoom>,
    /// Bytes of all its windows.
    len: usize,
    until: Instant,
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
    /// Whether they are listed.
    has_captions: AtomicBool,
    captions: Mutex<CaptionWindow>,
    audience: Mutex<Audience>,
    /// Of the node's viewers; `None` once it is over.
    counted: Mutex<Option<u64>>,
    pub(super) counters: LiveCounters,
}

impl LiveRooms {
    /// No room yet.
    #[must_use]
    pub fn new(setup: LiveSetup, counters: LiveCounters) -> Self {
        let (rooms, ended, codecs) = (RwLock::default(), Mutex::default(), Mutex::default());
        let learning = tokio::sync::Mutex::default();
        Self(Some(Arc::new(Shared { setup, counters, rooms, ended, codecs, learning, waits: Waits::default() })))
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
            has_captions: AtomicBool::new(shared.setup.captions_always),
            captions: Mutex::default(),
            audience: Mutex::default(),
            counted: Mutex::new(Some(0)),
            counters: shared.counters.clone(),
        });
        shared.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(room.clone(), live.clone());
        Some(live)
    }

    /// A room is over: its name leads to nothing any more. What its playlists list can be had by its run for as long as
    /// it lasts, and each says that it is the last one (RFC 8216bis, section 6.2.1); who waits is answered with that.
    pub fn end(&self, room: &RoomId, live: &Arc<LiveRoom>, now: Instant) {
        let Some(shared) = &self.0 else { return };
        live.rungs.iter().for_each(LiveRung::end);
        live.window_of_captions().end(live.at(now));
        live.end_count();
        // At no time it is neither here nor there.
        shared.keep(room, live, now);
        let mut rooms = shared.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(room).is_some_and(|found| Arc::ptr_eq(found, live)) {
            rooms.remove(room);
        }
    }

    /// Lets go of what was kept long enough of rooms that are over; says when the next one's time comes.
    pub fn forget(&self, now: Instant) -> Option<Instant> {
        let mut ended = self.0.as_ref()?.ended();
        ended.retain(|ended| ended.until > now);
        ended.front().map(|ended| ended.until)
    }

    /// A room that runs.
    #[must_use]
    pub fn room(&self, room: &RoomId) -> Option<Arc<LiveRoom>> {
        self.0.as_ref()?.rooms.read().unwrap_or_else(PoisonError::into_inner).get(room).cloned()
    }

    /// This run of a room, which may be over.
    #[must_use]
    pub fn run(&self, room: &RoomId, run: &str) -> Option<Arc<LiveRoom>> {
        let running = self.room(room).filter(|live| live.run == run);
        running.or_else(|| {
            let ended = self.0.as_ref()?.ended();
            let found = ended.iter().find(|ended| ended.room == *room && ended.live.run == run)?;
            Some(found.live.clone())
        })
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

    /// The turn to ask an encoder: five hundred players who come in the same moment ask once.
    pub async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, ()>> {
        let shared = self.0.as_ref()?;
        Some(shared.learning.lock().await)
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

impl Shared {
    /// Bounded: the oldest make way.
    fn keep(&self, room: &RoomId, live: &Arc<LiveRoom>, now: Instant) {
        let edges: Vec<_> = live.rungs.iter().filter_map(LiveRung::edge).collect();
        if edges.is_empty() {
            return;
        }
        let len = edges.iter().map(|edge| edge.window.bytes()).sum();
        let until = now + live.kept();
        let mut ended = self.ended();
        ended.push_back(Ended { room: room.clone(), live: live.clone(), len, until });
        let len_max = self.setup.len_max.saturating_mul(limits::HLS_ENDED_WINDOWS);
        let is_over = |ended: &VecDeque<Ended>| {
            ended.len() > limits::HLS_ENDED_MAX || ended.iter().map(|ended| ended.len).sum::<usize>() > len_max
        };
        // The newest stays however long it is: its viewers were just told what they can have of it.
        while ended.len() > 1 && is_over(&ended) {
            ended.pop_front();
        }
    }

    fn ended(&self) -> MutexGuard<'_, VecDeque<Ended>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LiveRoom {
    /// What it offers now.
    pub fn offered(&self) -> impl Iterator<Item = (usize, &LiveRung)> {
        let without_av1 = self.without_av1.load(Ordering::Acquire);
        self.rungs.iter().enumerate().filter(move |(_, rung)| !(without_av1 && rung.spec.codec == Codec::Av1))
    }

    /// It sends AV1, or no longer.
    pub fn set_av1(&self, offered: bool) {
        self.without_av1.store(!offered, Ordering::Release);
    }

    /// A captioner came: from now on captions are listed.
    pub fn list_captions(&self) {
        self.has_captions.store(true, Ordering::Release);
    }

    /// Whether captions are listed, and in which language.
    #[must_use]
    pub fn captions(&self) -> Option<Option<&str>> {
        self.has_captions.load(Ordering::Acquire).then_some(self.setup.captions_language.as_deref())
    }

    /// Takes what somebody said from one moment to another.
    pub fn caption(&self, now: Instant, span: (Pts, Pts), text: String) {
        // What is listed can be asked for about as long again.
        self.window_of_captions().add(self.at(now), span, text, 3 * self.setup.window);
    }

    /// The captions' playlist; `None` before the first segment is whole, or where nothing is captioned.
    #[must_use]
    pub fn captions_playlist(&self, now: Instant) -> Option<String> {
        self.captions()?;
        self.window_of_captions().playlist(self.at(now), self.setup.window, &self.epoch)
    }

    /// A segment of the captions that is whole.
    #[must_use]
    pub fn captions_segment(&self, now: Instant, msn: u64) -> Option<String> {
        self.window_of_captions().segment(msn, self.at(now), self.setup.window)
    }

    fn at(&self, now: Instant) -> Pts {
        pts_from_instant(&self.epoch, now)
    }

    fn window_of_captions(&self) -> MutexGuard<'_, CaptionWindow> {
        self.captions.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// How long what a playlist lists can be had after nothing is added to it any more.
    #[must_use]
    pub fn kept(&self) -> Duration {
        self.setup.window + limits::HLS_SEGMENT_SPAN
    }

    pub(super) fn count(&self, viewers: u64) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = &mut *counted {
            self.recount(std::mem::replace(before, viewers), viewers);
        }
    }

    /// Nobody is counted any more, though its packagers may not know yet that it is over.
    fn end_count(&self) {
        let before = self.counted.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.recount(before.unwrap_or(0), 0);
    }

    fn recount(&self, before: u64, viewers: u64) {
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
