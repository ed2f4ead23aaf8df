//! **The question:** what of a live stream can be asked for? The newest minute is listed; what leaves the list stays as
//! long as somebody may still have read the list that names it (RFC 8216bis, section 6.2.2).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::media::{Pts, RoomEpoch};
use crate::core::hls::grid::PartId;
use crate::core::hls::muxer::{Init, MadePart};

/// Segments that are listed in any case, beside the open one: three target durations.
const LISTED_MIN: usize = 4;

/// What a window is told.
#[derive(Debug, Clone, Copy)]
pub struct WindowSetup {
    /// How much is listed.
    pub span: Duration,
    /// Bytes of all that is kept; where that is too little for `span`, less is listed, but never fewer than four
    /// segments.
    pub len_max: usize,
    /// Where the room's clock stands.
    pub epoch: RoomEpoch,
}

/// A part that can be asked for.
#[derive(Debug, Clone)]
pub struct Part {
    /// `moof` and `mdat`.
    pub bytes: Bytes,
    /// How long it lasts.
    pub span: Duration,
    /// Whether it holds a keyframe.
    pub independent: bool,
}

/// A segment, perhaps in the making.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Media sequence number.
    pub msn: u64,
    /// What it is read with.
    pub init: Arc<Init>,
    /// When it begins, room time.
    pub from: Pts,
    /// Its parts, in order.
    pub parts: Vec<Part>,
    /// Whether nothing more comes.
    pub is_whole: bool,
}

impl Segment {
    /// How long it lasts so far.
    #[must_use]
    pub fn span(&self) -> Duration {
        self.parts.iter().map(|part| part.span).sum()
    }

    /// Bytes so far.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.bytes.len()).sum()
    }
}

#[derive(Debug, Clone)]
struct Kept {
    segment: Arc<Segment>,
    /// When it left the list.
    unlisted: Option<Pts>,
}

/// What is kept of one rung; cloning shares the bytes.
#[derive(Debug, Clone)]
pub struct Window {
    setup: WindowSetup,
    kept: VecDeque<Kept>,
    /// How much the longest list held.
    longest: Duration,
    is_over: bool,
}

impl Window {
    /// An empty one.
    #[must_use]
    pub fn new(setup: WindowSetup) -> Self {
        Self { setup, kept: VecDeque::new(), longest: Duration::ZERO, is_over: false }
    }

    /// Takes the next part. One that does not follow the last begins everything anew.
    pub fn add(&mut self, made: MadePart) {
        let MadePart { msn, is_last, from, span, bytes, independent, init } = made;
        let part = Part { bytes, span, independent };
        match self.kept.back_mut() {
            Some(Kept { segment, .. }) if segment.msn == msn && !segment.is_whole => {
                let open = Arc::make_mut(segment);
                open.parts.push(part);
                open.is_whole = is_last;
            }
            last => {
                if last.is_some_and(|last| last.segment.msn + 1 != msn || !last.segment.is_whole) {
                    self.kept.clear();
                }
                let segment = Arc::new(Segment { msn, init, from, parts: vec![part], is_whole: is_last });
                self.kept.push_back(Kept { segment, unlisted: None });
            }
        }
        self.trim();
    }

    /// Nothing more comes: the open segment is whole as it is.
    pub fn end(&mut self) {
        self.is_over = true;
        if let Some(last) = self.kept.back_mut().filter(|last| !last.segment.is_whole) {
            Arc::make_mut(&mut last.segment).is_whole = true;
        }
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Where the room's clock stands.
    #[must_use]
    pub fn epoch(&self) -> &RoomEpoch {
        &self.setup.epoch
    }

    /// What is listed, the open segment last.
    pub fn listed(&self) -> impl DoubleEndedIterator<Item = &Segment> + Clone {
        self.kept.iter().filter(|kept| kept.unlisted.is_none()).map(|kept| &*kept.segment)
    }

    /// The newest part.
    #[must_use]
    pub fn last(&self) -> Option<PartId> {
        let segment = &self.kept.back()?.segment;
        Some(PartId { msn: segment.msn, part: segment.parts.len() as u64 - 1 })
    }

    /// The part that comes next, if one does.
    #[must_use]
    pub fn next(&self) -> Option<PartId> {
        let segment = &self.kept.back().filter(|_| !self.is_over)?.segment;
        Some(match segment.is_whole {
            true => PartId { msn: segment.msn + 1, part: 0 },
            false => PartId { msn: segment.msn, part: segment.parts.len() as u64 },
        })
    }

    /// A segment, listed or not.
    #[must_use]
    pub fn segment(&self, msn: u64) -> Option<&Segment> {
        let at = self.kept.binary_search_by_key(&msn, |kept| kept.segment.msn).ok()?;
        Some(&self.kept[at].segment)
    }

    /// A part, listed or not.
    #[must_use]
    pub fn part(&self, id: PartId) -> Option<&Part> {
        self.segment(id.msn)?.parts.get(usize::try_from(id.part).ok()?)
    }

    /// What segments from number `msn` on are read with.
    #[must_use]
    pub fn init(&self, msn: u64) -> Option<&Arc<Init>> {
        self.kept.iter().map(|kept| &kept.segment.init).find(|init| init.msn == msn)
    }

    /// The newest one.
    #[must_use]
    pub fn newest_init(&self) -> Option<&Arc<Init>> {
        self.kept.back().map(|kept| &kept.segment.init)
    }

    /// Bits a second of the segment that has most of them: BANDWIDTH.
    #[must_use]
    pub fn peak(&self) -> u64 {
        let rate = |segment: &Segment| {
            let ms = segment.span().as_millis().max(1);
            u64::try_from(segment.bytes() as u128 * 8000 / ms).unwrap_or(u64::MAX)
        };
        self.listed().filter(|segment| segment.is_whole).map(rate).max().unwrap_or(0)
    }

    /// Bytes of all that is kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept.iter().map(|kept| kept.segment.bytes()).sum()
    }

    fn trim(&mut self) {
        let end = self.kept.back().map_or(Pts(0), |kept| kept.segment.from + kept.segment.span());
        let (mut listed, mut is_full): ((usize, Duration, usize), bool) = ((0, Duration::ZERO, 0), false);
        for kept in self.kept.iter_mut().rev().filter(|kept| kept.unlisted.is_none()) {
            let (count, span, len) = (listed.0 + 1, listed.1 + kept.segment.span(), listed.2 + kept.segment.bytes());
            // What was listed is kept about as long again.
            let fits = span <= self.setup.span && len <= self.setup.len_max / 2;
            // Nothing older than what does not fit, be it ever so short.
            is_full |= count > LISTED_MIN && !fits;
            if !is_full {
                listed = (count, span, len);
            } else {
                kept.unlisted = Some(end);
            }
        }
        self.longest = self.longest.max(listed.1);
        let longest = self.longest;
        let is_over = |kept: &Kept| kept.unlisted.is_some_and(|at| end.since(at) > kept.segment.span() + longest);
        while self.kept.front().is_some_and(is_over) {
            self.kept.pop_front();
        }
        while self.bytes() > self.setup.len_max && self.kept.front().is_some_and(|kept| kept.unlisted.is_some()) {
            self.kept.pop_front();
        }
    }
}
