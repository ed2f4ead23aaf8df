//! **The question:** what does one file show and say at which tick? Demuxer and decoder together, a window of ticks at
//! a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, Matrix, NANOS_PER_SECOND, Picture, PlaneRef, Pts, Size, VideoFrame};
use crate::engine::decode::{DecodeError, Reshaper, VideoDecoder, video_decoder};
use crate::io::demux::{Coding, Fault, Media, Pictures, Stored, Track};

/// A file's first picture is there at once if it comes within this: sound begins a little earlier in most files, and
/// nobody shall see initials flash up.
const AT_ONCE: Duration = Duration::from_millis(100);

/// What becomes visible, or does not.
#[derive(Debug)]
pub(super) enum Seen {
    /// A picture, shown from this tick on.
    Picture { tick: u64, frame: VideoFrame },
    /// A sample that gave no picture; the one before stays.
    Broken { tick: u64, why: DecodeError },
    /// The first tick without its pictures, and what ended them if not their end.
    PicturesEnded { tick: u64, why: Option<Fault> },
    /// The first tick without the file, pictures and sound, and what ended its sound if not its end.
    Ended { tick: u64, why: Option<Fault> },
}

impl Seen {
    pub(super) fn tick(&self) -> u64 {
        let (Self::Picture { tick, .. }
        | Self::Broken { tick, .. }
        | Self::PicturesEnded { tick, .. }
        | Self::Ended { tick, .. }) = self;
        *tick
    }
}

/// One file being decoded.
pub(super) struct DecodedFile {
    pictures: Option<Shown>,
    sound: Option<Heard>,
    fps: u32,
    /// The first ticks without pictures and without sound, once they are known.
    pictures_end: Option<u64>,
    sound_end: Option<u64>,
    ended: bool,
}

/// Its pictures.
struct Shown {
    pictures: Pictures,
    /// `None` for raw pictures.
    decoder: Option<Box<dyn VideoDecoder>>,
    reshaper: Reshaper,
    scratch: Vec<VideoFrame>,
    ahead: Ahead,
}

/// Its sound, as far as its length matters; it is decoded elsewhere.
struct Heard {
    track: Box<dyn Track>,
    span: Option<Duration>,
    ahead: Ahead,
}

/// How far a track is read.
#[derive(Default)]
struct Ahead {
    /// Read, not taken yet.
    stored: Option<Stored>,
    /// When the newest sample begins, and when it ends.
    last: Option<(Pts, Pts)>,
    /// How the track ended before its end.
    fault: Option<Fault>,
}

impl Ahead {
    fn read(&mut self, track: &mut dyn Track) {
        if self.fault.is_none() {
            match track.next() {
                Ok(stored) => self.stored = stored,
                Err(fault) => self.fault = Some(fault),
            }
        }
    }

    /// The next sample, if it begins before tick `end`; and at which tick.
    fn take(&mut self, end: u64, fps: u32, nominal: Duration) -> Option<(u64, Stored)> {
        let at_once = self.last.is_none();
        let tick = |at: Pts| if at_once && at.since(Pts(0)) <= AT_ONCE { 0 } else { first_tick(at, fps) };
        let stored = self.stored.take_if(|stored| tick(stored.at) < end)?;
        let spacing = self.last.map(|(at, _)| stored.at.since(at)).filter(|span| !span.is_zero());
        let span = stored.span.or(spacing).unwrap_or(nominal).saturating_sub(stored.skip + stored.trim);
        let newest = self.last.map_or(Pts(0), |(_, end)| end);
        self.last = Some((stored.at, newest.max(stored.at + span)));
        Some((tick(stored.at), stored))
    }

    fn end_tick(&self, fps: u32) -> u64 {
        nearest_tick(self.last.map_or(Pts(0), |(_, end)| end), fps).max(1)
    }
}

impl DecodedFile {
    pub(super) fn new(media: Media, fps: u32) -> Result<Self, Fault> {
        let pictures = media.pictures.map(Shown::new).transpose()?;
        let sound = media.sound.map(|sound| {
            let (mut track, mut ahead) = (sound.track, Ahead::default());
            ahead.read(&mut *track);
            Heard { track, span: sound.span, ahead }
        });
        Ok(Self { pictures, sound, fps, pictures_end: None, sound_end: None, ended: false })
    }

    /// Without its sound, which then has no length either.
    pub(super) fn muted(mut self) -> Self {
        if self.pictures.is_some() {
            self.sound = None;
        }
        self
    }

    /// Extent of its pictures; nothing without them.
    pub(super) fn size(&self) -> Size {
        self.pictures.as_ref().map_or(Size::new(0, 0), |shown| shown.pictures.size)
    }

    pub(super) fn span(&self) -> Option<Duration> {
        let pictures = self.pictures.as_ref().and_then(|shown| shown.pictures.span);
        pictures.max(self.sound.as_ref().and_then(|heard| heard.span))
    }

    /// Everything that is first shown before tick `end`; of several pictures for one tick only the last.
    pub(super) fn until(&mut self, end: u64) -> Vec<Seen> {
        let mut seen: Vec<Seen> = Vec::new();
        if self.pictures_end.is_none() {
            let (tick, why) = match &mut self.pictures {
                Some(shown) => {
                    shown.until(end, self.fps, &mut seen);
                    let is_over = shown.ahead.stored.is_none();
                    (is_over.then(|| shown.ahead.end_tick(self.fps)), shown.ahead.fault.take_if(|_| is_over))
                }
                None => (Some(0), None),
            };
            self.pictures_end = tick;
            seen.extend(tick.map(|tick| Seen::PicturesEnded { tick, why }));
        }
        let mut fault = None;
        if self.sound_end.is_none() {
            (self.sound_end, fault) = match &mut self.sound {
                Some(heard) => heard.until(end, self.fps),
                None => (Some(0), None),
            };
        }
        if let (Some(pictures), Some(sound), false) = (self.pictures_end, self.sound_end, self.ended) {
            self.ended = true;
            seen.push(Seen::Ended { tick: pictures.max(sound), why: fault });
        }
        seen
    }
}

impl Heard {
    /// Goes on to tick `end`: the first tick without it once it is known, and what ended it.
    fn until(&mut self, end: u64, fps: u32) -> (Option<u64>, Option<Fault>) {
        while self.ahead.take(end, fps, limits::AUDIO_TICK).is_some() {
            self.ahead.read(&mut *self.track);
        }
        let is_over = self.ahead.stored.is_none();
        (is_over.then(|| self.ahead.end_tick(fps)), self.ahead.fault.take_if(|_| is_over))
    }
}

impl Shown {
    fn new(pictures: Pictures) -> Result<Self, Fault> {
        let decoder = match pictures.coding {
            Coding::Av1 => Some(video_decoder(Codec::Av1).map_err(|error| Fault::Broken(error.to_string()))?),
            Coding::Raw { .. } => None,
        };
        let reshaper = Reshaper::new(pictures.reshape, limits::INGEST_SIDE_MAX);
        let mut shown = Self { pictures, decoder, reshaper, scratch: Vec::new(), ahead: Ahead::default() };
        shown.ahead.read(&mut *shown.pictures.track);
        Ok(shown)
    }

    fn until(&mut self, end: u64, fps: u32, seen: &mut Vec<Seen>) {
        while let Some((tick, stored)) = self.ahead.take(end, fps, self.pictures.nominal) {
            self.decode(tick, stored, seen);
            self.ahead.read(&mut *self.pictures.track);
        }
    }

    fn decode(&mut self, tick: u64, stored: Stored, seen: &mut Vec<Seen>) {
        let Some(decoder) = &mut self.decoder else {
            let Coding::Raw { full_range } = self.pictures.coding else { unreachable!("AV1 has a decoder") };
            let size = self.pictures.size;
            let picture = Arc::new(RawPicture { data: stored.data, size });
            let frame = VideoFrame { size, full_range, matrix: Matrix::default(), arrival: None, picture };
            show(seen, Seen::Picture { tick, frame: self.reshaper.show(frame) });
            return;
        };
        let unit = CodedFrame {
            codec: Codec::Av1,
            data: &stored.data,
            keyframe: stored.keyframe,
            arrival: None,
            colour: self.pictures.colour,
        };
        let result = decoder.decode(unit, &mut self.scratch);
        if let Some(frame) = self.scratch.drain(..).next_back() {
            show(seen, Seen::Picture { tick, frame: self.reshaper.show(frame) });
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
