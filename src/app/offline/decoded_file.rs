//! **The question:** what does one file show at which tick? Demuxer and decoder together, a window of ticks at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::media::{Codec, CodedFrame, Matrix, NANOS_PER_SECOND, Picture, PlaneRef, Pts, Size, VideoFrame};
use crate::engine::decode::{DecodeError, VideoDecoder, video_decoder};
use crate::io::demux::{Coding, Fault, Pictures, Stored};

/// What becomes visible, or does not.
#[derive(Debug)]
pub(super) enum Seen {
    /// A picture, shown from this tick on.
    Picture { tick: u64, frame: VideoFrame },
    /// A sample that gave no picture; the one before stays.
    Broken { tick: u64, why: DecodeError },
    /// The first tick without the file, and what ended it if not its end.
    Ended { tick: u64, why: Option<Fault> },
}

impl Seen {
    pub(super) fn tick(&self) -> u64 {
        let (Self::Picture { tick, .. } | Self::Broken { tick, .. } | Self::Ended { tick, .. }) = self;
        *tick
    }
}

/// One file being decoded.
pub(super) struct DecodedFile {
    pictures: Pictures,
    /// `None` for raw pictures.
    decoder: Option<Box<dyn VideoDecoder>>,
    fps: u32,
    /// Read, not decoded yet.
    ahead: Option<Stored>,
    /// When the newest sample is shown, and when it ends.
    last: Option<(Pts, Pts)>,
    ended: bool,
    /// How the file ended before its end.
    fault: Option<Fault>,
    scratch: Vec<VideoFrame>,
}

impl DecodedFile {
    pub(super) fn new(pictures: Pictures, fps: u32) -> Result<Self, Fault> {
        let decoder = match pictures.coding {
            Coding::Av1 => Some(video_decoder(Codec::Av1).map_err(|error| Fault::Broken(error.to_string()))?),
            Coding::Raw { .. } => None,
        };
        let (ahead, last, ended, fault) = (None, None, false, None);
        let mut source = Self { pictures, decoder, fps, ahead, last, ended, fault, scratch: Vec::new() };
        source.read();
        Ok(source)
    }

    pub(super) fn size(&self) -> Size {
        self.pictures.size
    }

    pub(super) fn span(&self) -> Option<Duration> {
        self.pictures.span
    }

    /// Everything that is first shown before tick `end`; of several pictures for one tick only the last.
    pub(super) fn until(&mut self, end: u64) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        while let Some(stored) = self.ahead.take_if(|stored| first_tick(stored.at, self.fps) < end) {
            let tick = first_tick(stored.at, self.fps);
            let spacing = self.last.map(|(at, _)| stored.at.since(at)).filter(|span| !span.is_zero());
            let span = stored.span.or(spacing).unwrap_or(self.pictures.nominal);
            self.last = Some((stored.at, stored.at + span));
            self.decode(tick, stored, &mut seen);
            self.read();
        }
        if self.ahead.is_none() && !self.ended {
            self.ended = true;
            let end = self.last.map_or(Pts(0), |(_, end)| end);
            seen.push(Seen::Ended { tick: nearest_tick(end, self.fps).max(1), why: self.fault.take() });
        }
        seen
    }

    fn read(&mut self) {
        if self.fault.is_none() {
            match self.pictures.track.next() {
                Ok(stored) => self.ahead = stored,
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    fn decode(&mut self, tick: u64, stored: Stored, seen: &mut Vec<Seen>) {
        let Some(decoder) = &mut self.decoder else {
            let Coding::Raw { full_range } = self.pictures.coding else { unreachable!("AV1 has a decoder") };
            let size = self.pictures.size;
            let picture = Arc::new(RawPicture { data: stored.data, size });
            let frame = VideoFrame { size, full_range, matrix: Matrix::default(), arrival: None, picture };
            show(seen, Seen::Picture { tick, frame });
            return;
        };
        let unit = CodedFrame {
            codec: Codec::Av1,
            data: &stored.data,
            keyframe: stored.keyframe,
            arrival: None,
            colour: None,
        };
        let result = decoder.decode(unit, &mut self.scratch);
        if let Some(frame) = self.scratch.drain(..).next_back() {
            show(seen, Seen::Picture { tick, frame });
        }
        if let Err(why) = result {
            show(seen, Seen::Broken { tick, why });
        }
    }
}

/// Of two for one tick the later one is seen.
fn show(seen: &mut Vec<Seen>, new: Seen) {
    seen.pop_if(|last| last.tick() == new.tick());
    seen.push(new);
}

/// The first tick at which something of `at` is shown: the nearest, but not quite half a tick early, so that of 60
/// pictures a second every other one falls on a tick of 30. Containers round times (WebM to a millisecond), and
/// encoders begin some milliseconds late for their sound.
fn first_tick(at: Pts, fps: u32) -> u64 {
    let second = u128::from(NANOS_PER_SECOND);
    let nanos = (u128::from(at.as_nanos()) * u128::from(fps)).saturating_sub(second * 9 / 20);
    u64::try_from(nanos.div_ceil(second)).unwrap_or(u64::MAX)
}

fn nearest_tick(at: Pts, fps: u32) -> u64 {
    let nanos = u128::from(at.as_nanos()) * u128::from(fps) + u128::from(NANOS_PER_SECOND / 2);
    u64::try_from(nanos / u128::from(NANOS_PER_SECOND)).unwrap_or(u64::MAX)
}

/// A picture as it was stored.
struct RawPicture {
    data: Bytes,
    size: Size,
}

impl Picture for RawPicture {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        let Size { width, height } = self.size;
        let (half_width, half_height) = (width.div_ceil(2) as usize, height.div_ceil(2) as usize);
        let (luma, chroma) = (width as usize * height as usize, half_width * half_height);
        match index {
            0 => PlaneRef { data: &self.data[..luma], stride: width as usize },
            1 => PlaneRef { data: &self.data[luma..luma + chroma], stride: half_width },
            _ => PlaneRef { data: &self.data[luma + chroma..luma + 2 * chroma], stride: half_width },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::pts_from_tick;

    #[test]
    fn pictures_of_the_same_rate_fall_on_their_ticks_whatever_was_rounded() {
        for fps in [10, 24, 25, 30, 60] {
            for number in 0..1000 {
                let at = pts_from_tick(number, fps);
                let rounded = Pts((at.as_nanos() + 500_000) / 1_000_000 * 1_000_000);
                let late = at + Duration::from_micros(6_500);
                assert_eq!([at, rounded, late].map(|at| first_tick(at, fps)), [number; 3], "{fps}");
                assert_eq!([at, rounded].map(|at| nearest_tick(at, fps)), [number; 2], "{fps}");
            }
        }
        let doubled = |number| first_tick(pts_from_tick(number, 60), 30);
        assert_eq!([0, 1, 2, 3, 4].map(doubled), [0, 1, 1, 2, 2]);
        let halved = |number| first_tick(pts_from_tick(number, 15), 30);
        assert_eq!([0, 1, 2, 3].map(halved), [0, 2, 4, 6]);
    }
}
