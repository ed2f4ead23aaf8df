//! **The question:** which pictures and sounds stand in which part? Each part holds what begins in its cell of the
//! grid: the pictures with their true times, and one packet of sound for every tick, silence where none came. A
//! segment's first picture is a keyframe.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{EncodedFrame, Orientation, Pts, Size, Wallclock, rtp_from_pts};
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::fmp4::{
    Fragment, InitSegment, SOUND_TIMESCALE, SoundRun, VIDEO_TIMESCALE, VideoRun, VideoSample, codecs,
};
use crate::core::hls::grid::Cell;

/// Nanoseconds of one packet of sound.
const TICK: u64 = limits::AUDIO_TICK.as_nanos() as u64;
/// What media times lie behind the room's clock, so that sound may begin before a picture by its decoder's delay.
pub(super) const LEAD: Duration = limits::AUDIO_TICK;

/// What players read before anything else.
#[derive(Debug, PartialEq, Eq)]
pub struct Init {
    /// The segment from which on it holds.
    pub msn: u64,
    /// `ftyp` and `moov`.
    pub bytes: Bytes,
    /// CODECS (RFC 6381).
    pub codecs: String,
    /// RESOLUTION.
    pub size: Size,
}

/// A part that is complete.
#[derive(Debug, Clone)]
pub struct MadePart {
    /// Its segment's media sequence number.
    pub msn: u64,
    /// Whether its segment ends with it.
    pub is_last: bool,
    /// When it begins, room time.
    pub from: Pts,
    /// How long it lasts.
    pub span: Duration,
    /// `moof` and `mdat`.
    pub bytes: Bytes,
    /// Whether it holds a keyframe.
    pub independent: bool,
    /// What it is read with.
    pub init: Arc<Init>,
}

/// Makes the parts of one rung.
#[derive(Debug)]
pub struct LiveMuxer {
    open: Option<Open>,
    /// Taken and in no part yet, in order; the newest one's duration is known once the next one is there.
    pictures: VecDeque<Picture>,
    /// The same of sound, by ticks.
    sounds: VecDeque<(u64, Bytes)>,
    last: Option<Pts>,
    /// Only a keyframe may follow.
    awaits_keyframe: bool,
    /// The least number of a segment that it may begin with.
    first: u64,
    fragments: u32,
}

#[derive(Debug)]
struct Open {
    cell: Cell,
    /// Where it begins: its cell's line, but for the first part.
    from: Pts,
    init: Arc<Init>,
    head: Bytes,
}

#[derive(Debug)]
struct Picture {
    pts: Pts,
    data: Bytes,
    sync: bool,
    /// Of a keyframe that begins otherwise than those before.
    head: Option<(Bytes, Arc<Init>)>,
}

impl Default for LiveMuxer {
    fn default() -> Self {
        Self::new()
    }
}

impl LiveMuxer {
    /// One that begins with the next keyframe.
    #[must_use]
    pub fn new() -> Self {
        let (pictures, sounds) = (VecDeque::new(), VecDeque::new());
        Self { open: None, pictures, sounds, last: None, awaits_keyframe: true, first: 0, fragments: 0 }
    }

    /// It begins with this segment or a later one: those before had parts of another one, whose names are not used
    /// again.
    pub fn begin_from(&mut self, msn: u64) {
        self.first = msn;
    }

    /// Takes a picture; `after_gap`: others are missing before it. One that cannot be shown is left out, and its
    /// predecessor stands for it.
    pub fn picture(&mut self, frame: &EncodedFrame, after_gap: bool) {
        self.awaits_keyframe |= after_gap;
        if self.last.is_some_and(|last| frame.pts <= last) {
            return;
        }
        let Some(StoredUnit { data, head }) = StoredUnit::parse(frame.codec, &frame.data) else {
            self.awaits_keyframe = true;
            return;
        };
        let sync = frame.keyframe && head.is_some();
        let msn = Cell::of(frame.pts).msn();
        if self.open.is_none() && msn < self.first {
            return;
        }
        let opens_segment = self.last.is_none_or(|last| Cell::of(last).msn() != msn);
        if (opens_segment || self.awaits_keyframe) && !sync {
            self.awaits_keyframe = true;
            return;
        }
        let head = head.filter(|head| sync && opens_segment && self.head() != Some(head));
        let head = head.and_then(|head| {
            let init = Arc::new(Init::new(msn, &StreamHead::parse(frame.codec, &head)?)?);
            Some((head, init))
        });
        if self.open.is_none() {
            let Some((head, init)) = head.clone() else { return };
            self.open = Some(Open { cell: Cell::of(frame.pts), from: frame.pts, init, head });
        }
        self.awaits_keyframe = false;
        self.last = Some(frame.pts);
        self.pictures.push_back(Picture { pts: frame.pts, data, sync, head });
    }

    /// Takes the packet of the tick at `pts`.
    pub fn sound(&mut self, pts: Pts, packet: Bytes) {
        let tick = (pts.0 + TICK / 2) / TICK;
        let begun = self.open.as_ref().map_or(0, |open| open.from.0.div_ceil(TICK));
        if tick >= begun && self.sounds.back().is_none_or(|(last, _)| tick > *last) {
            self.sounds.push_back((tick, packet));
        }
        // Before the first keyframe there is nothing to sound with.
        while self.open.is_none() && self.sounds.len() > limits::HLS_FAN_LEN {
            self.sounds.pop_front();
        }
    }

    /// The next part, once it is complete, or once it has waited for what is late until `now`.
    pub fn next_part(&mut self, now: Pts) -> Option<MadePart> {
        let open = self.open.as_ref()?;
        let end = open.cell.end();
        let pictures_there = self.last.is_some_and(|last| last >= end);
        let sound_there = self.sounds.back().is_some_and(|(tick, _)| (tick + 1) * TICK >= end.0);
        if !(pictures_there && sound_there) && now < end + limits::HLS_PATIENCE_SPAN {
            return None;
        }
        Some(self.cut())
    }

    /// When `next_part` is to be asked though nothing came: room time.
    #[must_use]
    pub fn deadline(&self) -> Option<Pts> {
        self.open.as_ref().map(|open| open.cell.end() + limits::HLS_PATIENCE_SPAN)
    }

    fn head(&self) -> Option<&Bytes> {
        let newest = self.pictures.iter().rev().find_map(|picture| picture.head.as_ref().map(|(head, _)| head));
        newest.or(self.open.as_ref().map(|open| &open.head))
    }

    fn cut(&mut self) -> MadePart {
        let open = self.open.as_mut().expect("only an open part is cut");
        let (cell, from) = (open.cell, open.from);
        let count = self.pictures.partition_point(|picture| picture.pts < cell.end());
        let mut cut: Vec<Picture> = self.pictures.drain(..count).collect();
        if let Some((head, init)) = cut.first_mut().and_then(|first| first.head.take()) {
            (open.head, open.init) = (head, init);
        }
        (open.cell, open.from) = (cell.next(), cell.end());
        let init = open.init.clone();
        let independent = cut.iter().any(|picture| picture.sync);
        // Where nothing follows yet it is shown to the line, and those who play it wait there.
        let until = self.pictures.front().map_or(cell.end(), |next| next.pts);
        let video = video_run(cut, until);
        let sound = self.sound_run(from, cell);
        self.fragments = self.fragments.wrapping_add(1).max(1);
        let bytes = Fragment { number: self.fragments, video, sound }.encode();
        let span = cell.end().since(from);
        MadePart { msn: cell.msn(), is_last: cell.is_last(), from, span, bytes, independent, init }
    }

    /// One packet for each tick that begins in the part.
    fn sound_run(&mut self, from: Pts, cell: Cell) -> SoundRun {
        let (first, end) = (from.0.div_ceil(TICK), cell.end().0 / TICK);
        let mut packets = Vec::with_capacity(usize::try_from(end.saturating_sub(first)).unwrap_or(0));
        for tick in first..end {
            while self.sounds.front().is_some_and(|(at, _)| *at < tick) {
                self.sounds.pop_front();
            }
            let here = self.sounds.front().is_some_and(|(at, _)| *at == tick);
            let packet = if here { self.sounds.pop_front().map(|(_, packet)| packet) } else { None };
            packets.push(packet.unwrap_or(Bytes::from_static(opus::SILENCE)));
        }
        let samples = first * limits::PCM_FRAMES as u64 + rtp_from_pts(Pts(0) + LEAD, SOUND_TIMESCALE);
        // What the decoder gives out first is of before the packet: so lips and voices agree without an edit list,
        // which players of fragments read in different ways.
        let start = samples - u64::from(opus::PRE_SKIP);
        SoundRun { start, packets, durations: Vec::new() }
    }
}

impl Init {
    fn new(msn: u64, pictures: &StreamHead) -> Option<Self> {
        let size = pictures.size();
        let (started, orientation) = (Wallclock(0), Orientation::default());
        let init = InitSegment { pictures: pictures.clone(), started, sound_skip: 0, orientation };
        let bytes = init.encode().bytes;
        let codecs = codecs(&bytes)?;
        Some(Self { msn, bytes, codecs, size })
    }

    /// What a rung will say whose encoder begins a keyframe so; `None` for what is no keyframe of ours.
    #[must_use]
    pub fn of_keyframe(frame: &EncodedFrame) -> Option<Self> {
        let head = StoredUnit::parse(frame.codec, &frame.data)?.head?;
        Self::new(0, &StreamHead::parse(frame.codec, &head)?)
    }
}

fn video_run(pictures: Vec<Picture>, until: Pts) -> VideoRun {
    let at = |pts: Pts| rtp_from_pts(pts + LEAD, VIDEO_TIMESCALE);
    let Some(start) = pictures.first().map(|first| at(first.pts)) else { return VideoRun::default() };
    let ends: Vec<Pts> = pictures[1..].iter().map(|next| next.pts).chain([until]).collect();
    let sample = |(Picture { pts, data, sync, .. }, end): (Picture, Pts)| VideoSample {
        data,
        duration: u32::try_from(at(end).saturating_sub(at(pts))).unwrap_or(u32::MAX).max(1),
        sync,
    };
    VideoRun { start, samples: pictures.into_iter().zip(ends).map(sample).collect() }
}
