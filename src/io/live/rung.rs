//! **The question:** where does a request find what a rung's packager made last? In a cell that holds the newest edge:
//! the packager lays it there and never waits, requests look or wait for the next. Bound: one; newer wins, and nothing
//! is lost, for each edge holds all that those before it held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;

use crate::base::limits;
use crate::base::media::{Codec, RungSpec};
use crate::core::hls::{Init, MediaPlaylist, PartId, Reload, Wanted, Window};

/// What a rung has by now: bytes are shared with every edge before and after.
#[derive(Debug)]
pub struct Edge {
    /// What can be asked for.
    pub window: Window,
    /// What it lists, as text.
    pub full: Bytes,
    /// The same without what players know that asked before.
    pub delta: Bytes,
}

impl Edge {
    pub(super) fn new(window: Window, MediaPlaylist { full, delta }: MediaPlaylist) -> Self {
        Self { window, full: full.into(), delta: delta.into() }
    }
}

/// How a rung stands.
#[derive(Debug, Clone, Default)]
enum Feed {
    /// Nobody reads it, or nothing of it is there yet.
    #[default]
    Off,
    On(Arc<Edge>),
    /// The room is over, or sends no such rung any more.
    Gone,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The room is over, or sends no such rung any more.
    Gone,
    /// It does not come in time.
    Late,
    /// A part is asked for without its segment.
    NoSegment,
    /// Nobody could have been told of it, or it is kept no more.
    Unknown,
    /// It would have to wait, and as many do as may.
    Crowded,
}

/// One rung of a room, running or not.
#[derive(Debug)]
pub struct LiveRung {
    /// What it is.
    pub spec: RungSpec,
    /// What it is called in addresses: `av1-1280x720`.
    pub name: String,
    feed: watch::Sender<Feed>,
    /// Whether a packager reads it, or is about to.
    on: AtomicBool,
    begun: Instant,
    /// When it was last asked for, milliseconds after `begun`.
    asked: AtomicU64,
}

impl LiveRung {
    pub(super) fn new(begun: Instant, spec: RungSpec) -> Self {
        let (feed, _) = watch::channel(Feed::Off);
        let codec = if spec.codec == Codec::Av1 { "av1" } else { "h264" };
        let name = format!("{codec}-{}", spec.name());
        Self { spec, name, feed, on: AtomicBool::new(false), begun, asked: AtomicU64::new(0) }
    }

    /// Somebody asks for it; false where nobody reads it yet.
    #[must_use]
    pub fn ask(&self, now: Instant) -> bool {
        let ms = u64::try_from(now.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX);
        self.asked.fetch_max(ms, Ordering::Relaxed);
        self.on.load(Ordering::Acquire)
    }

    /// When it has been asked for by nobody for so long that it is not read any more.
    #[must_use]
    pub fn idle_at(&self) -> Instant {
        self.begun + Duration::from_millis(self.asked.load(Ordering::Relaxed)) + limits::HLS_IDLE_SPAN
    }

    /// A packager reads it from now on, or no longer.
    pub fn set_on(&self, on: bool) {
        self.on.store(on, Ordering::Release);
    }

    /// What is there now.
    #[must_use]
    pub fn edge(&self) -> Option<Arc<Edge>> {
        match &*self.feed.borrow() {
            Feed::On(edge) => Some(edge.clone()),
            Feed::Off | Feed::Gone => None,
        }
    }

    /// How far it is.
    #[must_use]
    pub fn last(&self) -> Option<PartId> {
        self.edge().and_then(|edge| edge.window.last())
    }

    /// What it is read with, once that is known.
    #[must_use]
    pub fn init(&self) -> Option<Arc<Init>> {
        self.edge().and_then(|edge| edge.window.newest_init().cloned())
    }

    /// The edge that has what is wanted, once there is one. Who has to wait for it takes a `place`.
    ///
    /// # Errors
    /// When there never will be, or not in time, or no place to wait.
    pub async fn follow<P>(&self, wanted: Wanted, place: impl Fn() -> Option<P>) -> Result<Arc<Edge>, Missing> {
        self.wait(|window| wanted.judge(window), place).await
    }

    /// The edge that has this part, of a rung that runs. Who has to wait for it takes a `place`.
    ///
    /// # Errors
    /// When there never will be one, or not in time, or no place to wait.
    pub async fn part<P>(&self, id: PartId, place: impl Fn() -> Option<P>) -> Result<Arc<Edge>, Missing> {
        if self.edge().is_none() {
            return Err(Missing::Unknown);
        }
        self.wait(|window| window.judge(id), place).await
    }

    async fn wait<P>(
        &self,
        judge: impl Fn(&Window) -> Reload,
        place: impl Fn() -> Option<P>,
    ) -> Result<Arc<Edge>, Missing> {
        let mut feed = self.feed.subscribe();
        let until = tokio::time::Instant::now() + limits::HLS_BLOCK_SPAN;
        let (mut was_on, mut taken) = (false, None);
        loop {
            let is_off = match &*feed.borrow_and_update() {
                Feed::Gone => return Err(Missing::Gone),
                Feed::Off if was_on => return Err(Missing::Gone),
                Feed::Off => true,
                Feed::On(edge) => match judge(&edge.window) {
                    Reload::Now => return Ok(edge.clone()),
                    Reload::NoSegment => return Err(Missing::NoSegment),
                    Reload::TooFar => return Err(Missing::Unknown),
                    Reload::Later => false,
                },
            };
            was_on |= !is_off;
            // Who is answered, or refused, at once needs none.
            if taken.is_none() {
                taken = Some(place().ok_or(Missing::Crowded)?);
            }
            let until = if is_off { until.min(until - limits::HLS_BLOCK_SPAN + limits::HLS_START_SPAN) } else { until };
            match tokio::time::timeout_at(until, feed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Missing::Gone),
                Err(_) => return Err(Missing::Late),
            }
        }
    }

    pub(super) fn publish(&self, edge: Edge) {
        self.feed.send_if_modified(|feed| {
            let is_there = !matches!(feed, Feed::Gone);
            if is_there {
                *feed = Feed::On(Arc::new(edge));
            }
            is_there
        });
    }

    /// Nothing of it is there any more.
    pub(super) fn clear(&self) {
        self.feed.send_if_modified(|feed| {
            let is_there = matches!(feed, Feed::On(_));
            if is_there {
                *feed = Feed::Off;
            }
            is_there
        });
    }

    /// It never comes again.
    pub fn close(&self) {
        self.set_on(false);
        self.feed.send_replace(Feed::Gone);
    }
}
