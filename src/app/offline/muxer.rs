//! **The question:** which bytes does the composed file get, and when is it whole? A fragmented MP4 as the recorder
//! writes it.

use std::io;
use std::path::Path;

use crate::app::offline::sound::Packets;
use crate::app::offline::temp_file::{Part, Written};
use crate::base::limits;
use crate::base::media::{EncodedFrame, Orientation, Wallclock, pts_from_tick, rtp_from_pts};
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::fmp4::{
    Fragment, Header, InitSegment, RandomAccess, SOUND_TIMESCALE, SoundRun, VIDEO_TIMESCALE, VideoRun, VideoSample,
};

/// A file that is being written.
pub(super) struct Film {
    part: Part,
    fps: u32,
    header: Option<Header>,
    packets: Option<Packets>,
    index: RandomAccess,
    fragments: u32,
    run: VideoRun,
    /// Pictures so far, and sound packets in closed fragments.
    pictures: u64,
    packets_written: u64,
}

impl Film {
    pub(super) fn create(path: &Path, fps: u32, packets: Option<Packets>) -> io::Result<Self> {
        Ok(Self {
            part: Part::create(path)?,
            fps,
            header: None,
            packets,
            index: RandomAccess::default(),
            fragments: 0,
            run: VideoRun::default(),
            pictures: 0,
            packets_written: 0,
        })
    }

    /// Adds the next tick's picture.
    pub(super) fn picture(&mut self, frame: &EncodedFrame) -> io::Result<()> {
        let unit = StoredUnit::parse(frame.codec, &frame.data).ok_or_else(|| io::Error::other("this is no picture"))?;
        if self.header.is_none() {
            let head = unit.head.and_then(|head| StreamHead::parse(frame.codec, &head));
            let pictures = head.ok_or_else(|| io::Error::other("no sequence header comes first"))?;
            // No wallclock: the same files give the same bytes at any time.
            let orientation = Orientation::default();
            let init = InitSegment { pictures, started: Wallclock(0), sound_skip: opus::PRE_SKIP.into(), orientation };
            let header = if self.packets.is_some() { init.encode() } else { init.encode_without_sound() };
            self.part.write(&header.bytes)?;
            self.index = RandomAccess::after_head(header.bytes.len());
            self.header = Some(header);
        }
        let at = self.time(self.pictures);
        let full = at - self.run.start >= limits::FRAGMENT_SPAN.as_secs() * u64::from(VIDEO_TIMESCALE);
        if !self.run.samples.is_empty() && (frame.keyframe || full) {
            self.cut(false)?;
        }
        if self.run.samples.is_empty() {
            self.run.start = at;
        }
        self.pictures += 1;
        let duration = u32::try_from(self.time(self.pictures) - at).expect("a tick is at most a second");
        self.run.samples.push(VideoSample { data: unit.data, duration, sync: frame.keyframe });
        Ok(())
    }

    /// When picture `number` is shown.
    fn time(&self, number: u64) -> u64 {
        rtp_from_pts(pts_from_tick(number, self.fps), VIDEO_TIMESCALE)
    }

    /// Writes the open fragment with the sound up to its end, and behind the last one where keyframes lie.
    fn cut(&mut self, last: bool) -> io::Result<()> {
        let tick = limits::PCM_FRAMES as u64;
        let mut sound = SoundRun { start: self.packets_written * tick, ..SoundRun::default() };
        if let Some(packets) = &self.packets {
            // The decoder's delay comes first: the sound of the end lies that much later.
            let end = self.time(self.pictures) * u64::from(SOUND_TIMESCALE) / u64::from(VIDEO_TIMESCALE)
                + u64::from(opus::PRE_SKIP);
            let until = end.div_ceil(tick);
            // A mixer that ended (its encoder failed) leaves silence.
            let silence = || bytes::Bytes::from_static(opus::SILENCE);
            let fresh = (self.packets_written..until).map(|_| packets.recv().unwrap_or_else(|_| silence()));
            sound.packets.extend(fresh);
            self.packets_written = until.max(self.packets_written);
        }
        self.fragments += 1;
        let fragment = Fragment { number: self.fragments, video: std::mem::take(&mut self.run), sound };
        let bytes = fragment.encode();
        self.index.note(&fragment, bytes.len());
        self.part.write(&if last { self.index.behind(&bytes) } else { bytes })
    }

    /// Closes the file and gives it its name. Without a single picture there is none.
    pub(super) fn finish(mut self) -> io::Result<Written> {
        if !self.run.samples.is_empty() {
            self.cut(true)?;
        }
        let Some(header) = self.header.take() else { return Ok(Written { frames: 0, bytes: 0 }) };
        self.part.patch(header.duration_at, &Header::duration_patch(self.time(self.pictures)))?;
        let frames = self.pictures;
        self.part.finish().map(|bytes| Written { frames, bytes })
    }
}
