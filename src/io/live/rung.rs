//! **The question:** where does a request find what a rung's packager made last? In a cell that holds the newest edge:
//! the packager lays it there and never waits, requests look or wait for the next. Bound: one; newer wins, and nothing
//! is lost, for each edge holds all that those before it held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::base::limits;
use crate::base::media::{Codec, RungSpec};
use crate::core::hls::{Init, MediaPlaylist, PartId, Reload, Wanted, Window, media_playlist};
use crate::io::live::text::Text;

/// What a rung has by now: bytes are shared with every edge before and after.
#[derive(Debug)]
pub struct Edge {
    /// What can be asked for.
    pub window: Window,
    /// What it lists, as text.
    pub full: Arc<Text>,
    /// The same without what players know that asked before.
    pub delta: Arc<Text>,
}

impl Edge {
    pub(super) fn new(window: Window, MediaPlaylist { full, delta }: MediaPlaylist) -> Self {
        let is_whole = full == delta;
        let full = Arc::new(Text::new(full));
        let delta = if is_whole { full.clone() } else { Arc::new(Text::new(delta)) };
        Self { window, full, delta }
    }

    /// The last one; `None` where nothing is listed.
    fn ended(&self) -> Option<Self> {
        let mut window = self.window.clone();
        window.end();
        let playlist = media_playlist(&window, &[])?;
        Some(Self::new(window, playlist))
    }
}

/// How a rung stands.
#[derive(Debug, Clone, Default)]
enum Feed {
    /// Nobody reads it, or nothing of it is there yet.
    #[default]
    Off,
    On(Arc<Edge>),
    /// The room sends no such rung any more: its playlist is gone, and what that listed is kept until then.
    Withdrawn(Arc<Edge>, Instant),
    /// The room is over.
    Ended(Arc<Edge>),
    /// The room is over, and nothing of it was there.
    Gone,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The room sends no such rung any more, or is over and had none.
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
    /// The first segment's number that no playlist has named.
    unused: AtomicU64,
}

impl LiveRung {
    pub(super) fn new(begun: Instant, spec: RungSpec) -> Self {
        let (feed, _) = watch::channel(Feed::Off);
        let codec = if spec.codec == Codec::Av1 { "av1" } else { "h264" };
        let name = format!("{codec}-{}", spec.name());
        let (on, asked, unused) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        Self { spec, name, feed, on, begun, asked, unused }
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
            Feed::On(edge) | Feed::Withdrawn(edge, _) | Feed::Ended(edge) => Some(edge.clone()),
            Feed::Off | Feed::Gone => None,
        }
    }

    /// Whether it never runs again.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(&*self.feed.borrow(), Feed::Ended(_) | Feed::Gone)
    }

    /// Where a packager of it begins at the earliest.
    pub(super) fn unused(&self) -> u64 {
        self.unused.load(Ordering::Relaxed)
    }

    /// How far it is; nothing of one that was withdrawn.
    #[must_use]
    pub fn last(&self) -> Option<PartId> {
        match &*self.feed.borrow() {
            Feed::On(edge) | Feed::Ended(edge) => edge.window.last(),
            Feed::Off | Feed::Withdrawn(..) | Feed::Gone => None,
        }
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
        let edge = self.edge().ok_or(Missing::Unknown)?;
        if edge.window.part(id).is_some() {
            return Ok(edge);
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
                // Taken up again, it is about to begin.
                Feed::Withdrawn(..) if self.on.load(Ordering::Acquire) => true,
                Feed::Withdrawn(..) => return Err(Missing::Gone),
                Feed::Off if was_on => return Err(Missing::Gone),
                Feed::Off => true,
                Feed::On(edge) | Feed::Ended(edge) => match judge(&edge.window) {
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
            // One that is to end may make another part before it is told.
            let is_there = self.on.load(Ordering::Acquire) && !matches!(feed, Feed::Ended(_) | Feed::Gone);
            if is_there {
                let unused = edge.window.last().map_or(0, |last| last.msn + 1);
                self.unused.fetch_max(unused, Ordering::Relaxed);
                *feed = Feed::On(Arc::new(edge));
            }
            is_there
        });
    }

    /// The room sends it no more: what its playlist listed can be had until then, though the playlist is gone, by which
    /// players go over to another rung (RFC 8216bis, section 6.2.1).
    pub fn withdraw(&self, until: Instant) {
        self.set_on(false);
        self.feed.send_if_modified(|feed| {
            let Feed::On(edge) = feed else { return false };
            *feed = Feed::Withdrawn(edge.clone(), until);
            true
        });
    }

    /// Until when what was withdrawn is kept.
    #[must_use]
    pub fn withdrawn_until(&self) -> Option<Instant> {
        match &*self.feed.borrow() {
            Feed::Withdrawn(_, until) => Some(*until),
            _ => None,
        }
    }

    /// What was withdrawn is let go of.
    pub fn forget(&self) {
        self.feed.send_if_modified(|feed| {
            let is_there = matches!(feed, Feed::Withdrawn(..));
            if is_there {
                *feed = Feed::Off;
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

    /// The room is over: whoever waits is answered with all that there was, and that nothing more comes.
    pub(super) fn end(&self) {
        self.set_on(false);
        self.feed.send_modify(|feed| {
            *feed = match std::mem::take(feed) {
                Feed::On(edge) => edge.ended().map_or(Feed::Gone, |ended| Feed::Ended(Arc::new(ended))),
                kept @ (Feed::Withdrawn(..) | Feed::Ended(_)) => kept,
                Feed::Off | Feed::Gone => Feed::Gone,
            };
        });
    }
}
