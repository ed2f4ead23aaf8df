//! **The question:** what does one simulated person see? The composite is decoded, and every tile's barcode read.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::barcode;
use super::gauge::Gauge;
use super::sender::SendLog;
use crate::decode::{DecodeError, VideoDecoder, av1_decoder};
use crate::media::{EncodedFrame, Size, VideoFrame};
use crate::signal::TilePlace;

/// A standstill longer than this is a freeze.
const FREEZE_SPAN: Duration = Duration::from_millis(500);

/// What was seen while it was measured.
#[derive(Debug)]
pub(super) struct Sights {
    /// Numbers whose barcode was read.
    pub seen: BTreeSet<usize>,
    /// From sending to having been decoded, of each new frame in each tile.
    pub latency: Gauge,
    /// Extent of the newest composite.
    pub size: Size,
    /// Composites decoded.
    pub pictures: u64,
    /// Composites that no decoder could read.
    pub broken: u64,
    /// Standstills over [`FREEZE_SPAN`].
    pub freezes: u64,
    /// The longest time without anything new, in a tile or in all.
    pub longest_gap: Duration,
}

impl Sights {
    fn new() -> Self {
        Self {
            seen: BTreeSet::new(),
            latency: Gauge::new(),
            size: Size::new(0, 0),
            pictures: 0,
            broken: 0,
            freezes: 0,
            longest_gap: Duration::ZERO,
        }
    }
}

/// One tile's newest frame.
#[derive(Debug, Clone, Copy)]
struct Sighting {
    frame: u16,
    at: Instant,
    delay: Duration,
}

/// Decodes one composite. Owned by one thread.
pub(super) struct Viewer {
    decoder: Box<dyn VideoDecoder>,
    pictures: Vec<VideoFrame>,
    tiles: Vec<TilePlace>,
    newest: Vec<Option<Sighting>>,
    picture_at: Option<Instant>,
    sights: Sights,
}

impl Viewer {
    /// A viewer of `people` barcodes.
    ///
    /// # Errors
    /// When no decoder can be opened.
    pub fn new(people: usize) -> Result<Self, DecodeError> {
        Ok(Self {
            decoder: av1_decoder()?,
            pictures: Vec::new(),
            tiles: Vec::new(),
            newest: vec![None; people],
            picture_at: None,
            sights: Sights::new(),
        })
    }

    /// The node tells where the tiles lie from now on.
    pub fn rearrange(&mut self, tiles: Vec<TilePlace>) {
        self.tiles = tiles;
    }

    /// Forgets what was measured; the measured span begins at `now`.
    pub fn begin(&mut self, now: Instant) {
        self.sights = Sights::new();
        self.picture_at = self.picture_at.map(|_| now);
        self.newest.iter_mut().flatten().for_each(|sighting| sighting.at = now);
    }

    /// Decodes one frame of the composite and reads it. Frames are counted as shown when they have been decoded.
    pub fn look(&mut self, frame: &EncodedFrame, log: &SendLog) {
        let mut pictures = std::mem::take(&mut self.pictures);
        match self.decoder.decode(frame, &mut pictures) {
            Ok(()) | Err(DecodeError::AwaitingKeyframe) => {}
            Err(_) => self.sights.broken += 1,
        }
        let now = Instant::now();
        for picture in pictures.drain(..) {
            self.show(&picture, now, log);
        }
        self.pictures = pictures;
    }

    /// How late the newest picture of person `number` was.
    pub fn delay(&self, number: usize) -> Option<Duration> {
        self.newest.get(number).copied().flatten().map(|sighting| sighting.delay)
    }

    /// The measured span ends at `now`.
    pub fn end(mut self, now: Instant, log: &SendLog) -> Sights {
        for number in 0..self.newest.len() {
            if let Some(sighting) = self.newest[number].filter(|_| log.is_alive(number)) {
                self.gap(now.saturating_duration_since(sighting.at));
            }
        }
        if let Some(at) = self.picture_at {
            self.gap(now.saturating_duration_since(at));
        }
        self.sights
    }

    fn show(&mut self, picture: &VideoFrame, now: Instant, log: &SendLog) {
        self.sights.size = picture.size;
        self.sights.pictures += 1;
        if let Some(before) = self.picture_at.replace(now) {
            self.gap(now.saturating_duration_since(before));
        }
        for at in 0..self.tiles.len() {
            let TilePlace { x, y, width, height, .. } = self.tiles[at];
            let [x, y, width, height] = [x, y, width, height].map(|side| side as usize);
            if let Some(code) = barcode::read(picture.picture.plane(0), (x, y, width, height)) {
                self.sight(code, now, log);
            }
        }
    }

    fn sight(&mut self, code: barcode::Barcode, now: Instant, log: &SendLog) {
        let number = usize::from(code.number);
        let Some(before) = self.newest.get(number).copied() else { return };
        self.sights.seen.insert(number);
        if before.is_some_and(|before| before.frame == code.frame) {
            return;
        }
        let Some(sent) = log.frame_sent(number, usize::from(code.frame)) else { return };
        let delay = now.saturating_duration_since(sent);
        self.sights.latency.add(delay);
        if let Some(before) = before {
            self.gap(now.saturating_duration_since(before.at));
        }
        self.newest[number] = Some(Sighting { frame: code.frame, at: now, delay });
    }

    fn gap(&mut self, gap: Duration) {
        self.sights.longest_gap = self.sights.longest_gap.max(gap);
        self.sights.freezes += u64::from(gap > FREEZE_SPAN);
    }
}
