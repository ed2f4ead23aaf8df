//! **The question:** which samples stand in which fragment of one file, and for how long does each play?

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{NANOS_PER_SECOND, Orientation, Pts, Size, Wallclock, rtp_from_pts};
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::StreamHead;
use crate::core::fmp4::{
    Fragment, Header, InitSegment, RandomAccess, SOUND_TIMESCALE, SoundRun, VIDEO_TIMESCALE, VideoRun, VideoSample,
};

/// Samples of one audio tick.
const TICK: u64 = limits::PCM_FRAMES as u64;

/// One file in the making. Video times are units of `VIDEO_TIMESCALE` since the file's zero, sound is counted in
/// packets.
#[derive(Debug)]
pub(super) struct Take {
    /// Room time of the file's zero.
    zero: Pts,
    /// Room time of the sound track's first packet, units of `SOUND_TIMESCALE`.
    sound_base: u64,
    pictures: StreamHead,
    header: Header,
    index: RandomAccess,
    fragments: u32,
    /// When the open fragment got its first sample.
    opened_at: Option<Instant>,
    run: VideoRun,
    /// The newest frame; how long it is shown is known once the next one comes.
    pending: Option<Pending>,
    /// What was lost before; only a keyframe may follow.
    awaits_keyframe: Option<u64>,
    /// Number of the first packet in `packets`.
    packets_from: u64,
    packets: Vec<Bytes>,
    /// Number of the first packet in the newest closed fragment.
    closed_from: u64,
}

#[derive(Debug)]
struct Pending {
    at: u64,
    data: Bytes,
    sync: bool,
}

/// A fragment that is complete.
#[derive(Debug)]
pub(super) struct Cut {
    pub bytes: Bytes,
    /// Since the file's zero.
    pub from: Duration,
    pub to: Duration,
    /// Sound that was missing and is silence now, since the file's zero.
    pub silence: Option<(Duration, Duration)>,
}

/// What became of a frame.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// A fragment that the frame completed.
    pub cut: Option<Cut>,
    /// Whether it was discarded.
    pub discarded: bool,
    /// Pictures that could not be decoded, now that a keyframe ends them: since the file's zero.
    pub undecodable: Option<(Duration, Duration)>,
}

impl Take {
    /// A file whose zero is the keyframe at `zero`. The sound track begins with the tick that sounds then.
    pub(super) fn new(zero: Pts, started: Wallclock, pictures: StreamHead) -> Self {
        let zero_sound = rtp_from_pts(zero, SOUND_TIMESCALE);
        // Audio ticks lie on the room clock's multiples of a tick, so the place of every packet is known before the
        // first comes.
        let sound_base = zero_sound / TICK * TICK;
        let ahead = u32::try_from(zero_sound - sound_base).expect("less than a tick");
        let (sound_skip, orientation) = (ahead + u32::from(opus::PRE_SKIP), Orientation::default());
        let init = InitSegment { pictures: pictures.clone(), started, sound_skip, orientation };
        let header = init.encode();
        Self {
            zero,
            sound_base,
            pictures,
            index: RandomAccess::after_head(header.bytes.len()),
            header,
            fragments: 0,
            opened_at: None,
            run: VideoRun::default(),
            pending: None,
            awaits_keyframe: None,
            packets_from: 0,
            packets: Vec::new(),
            closed_from: 0,
        }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn size(&self) -> Size {
        self.pictures.size()
    }

    /// Whether a keyframe that begins with this may stand in this file.
    pub(super) fn continues(&self, head: &Bytes) -> bool {
        self.pictures.stream() == head
    }

    /// When the open fragment is to be cut at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.opened_at.map(|at| at + limits::FRAGMENT_SPAN + limits::RECORD_PATIENCE)
    }

    /// Adds a frame; `sync` says that decoding may begin with it.
    pub(super) fn video(&mut self, now: Instant, pts: Pts, data: Bytes, sync: bool) -> Taken {
        let at = self.video_time(pts);
        let stale = self.pending.as_ref().is_some_and(|pending| at <= pending.at) || at < self.run_end();
        if stale || (self.awaits_keyframe.is_some() && !sync) {
            return Taken { discarded: true, ..Taken::default() };
        }
        let lost = self.awaits_keyframe.take().map(|from| (video_span(from), video_span(at)));
        self.close_pending(at);
        let full = at.saturating_sub(self.run.start) >= video_units(limits::FRAGMENT_SPAN);
        let cut = if !self.run.samples.is_empty() && (sync || full) { self.cut() } else { None };
        self.pending = Some(Pending { at, data, sync });
        self.opened_at.get_or_insert(now);
        Taken { cut, discarded: false, undecodable: lost }
    }

    /// Adds one packet of sound. Returns what was missing before it, since the file's zero, now filled with silence;
    /// `Err` if its place is taken or lies before the file.
    pub(super) fn sound(&mut self, now: Instant, pts: Pts, data: Bytes) -> Result<Option<(Duration, Duration)>, Late> {
        let at = rtp_from_pts(pts, SOUND_TIMESCALE) + TICK / 2;
        let index = at.checked_sub(self.sound_base).ok_or(Late)? / TICK;
        if index < self.packets_next() {
            return Err(Late);
        }
        let missing = self.fill_sound(index);
        self.packets.push(data);
        self.opened_at.get_or_insert(now);
        Ok(missing)
    }

    /// Closes the open fragment, if it holds anything. Sound further behind the picture than it may be becomes silence.
    pub(super) fn cut(&mut self) -> Option<Cut> {
        self.opened_at = None;
        let late = video_span(self.run_end()).saturating_sub(limits::RECORD_PATIENCE);
        let silence = self.fill_sound(self.sound_index_at(late));
        let (from, to) = (self.open_from()?, self.end());
        self.closed_from = self.packets_from;
        self.fragments += 1;
        let packets = std::mem::take(&mut self.packets);
        let sound = SoundRun { start: self.packets_from * TICK, packets, durations: Vec::new() };
        self.packets_from += sound.packets.len() as u64;
        let video = std::mem::take(&mut self.run);
        self.run.start = video.start + video.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>();
        let fragment = Fragment { number: self.fragments, video, sound };
        let bytes = fragment.encode();
        self.index.note(&fragment, bytes.len());
        Some(Cut { bytes, from, to, silence })
    }

    /// Ends the file: the last frame is shown for `frame_span` or until the sound ends, the sound lasts as long.
    /// Returns the last fragment, behind which stands where the file's keyframes lie, and what sound was missing.
    pub(super) fn finish(&mut self, frame_span: Duration) -> (Option<Cut>, Option<(Duration, Duration)>) {
        if let Some(at) = self.pending.as_ref().map(|pending| pending.at) {
            let sound_end = video_units(self.sound_end());
            self.close_pending((at + video_units(frame_span)).max(sound_end));
        }
        let missing = self.fill_sound(self.sound_index_at(self.end()));
        // The last ticks of sound may still be under way when a call ends: that is no loss worth a line.
        let last = self.cut().map(|cut| Cut { bytes: self.index.behind(&cut.bytes), ..cut });
        (last, missing.filter(|(from, to)| *to - *from > limits::RECORD_PATIENCE))
    }

    /// The file's end so far, since its zero.
    fn end(&self) -> Duration {
        video_span(self.run_end()).max(self.sound_end())
    }

    /// The total duration as the header wants it.
    pub(super) fn duration_units(span: Duration) -> u64 {
        video_units(span)
    }

    /// The newest closed fragment, which ends at `to` and has `len` bytes, was not written. Its sound becomes silence;
    /// pictures go on at the next keyframe.
    pub(super) fn lost(&mut self, to: Duration, len: usize) {
        self.index.take_back(len);
        let span = self.packets_from - self.closed_from;
        if span > 0 && span + self.packets.len() as u64 <= limits::RECORD_SILENCE_TICKS {
            let silence = std::iter::repeat_n(Bytes::from_static(opus::SILENCE), span as usize);
            self.packets.splice(..0, silence);
            self.packets_from = self.closed_from;
        }
        let decodable = self.run.samples.first().is_some_and(|sample| sample.sync);
        if !decodable {
            self.run.samples.clear();
            self.pending = self.pending.take().filter(|pending| pending.sync);
        }
        if !decodable && self.pending.is_none() {
            self.awaits_keyframe.get_or_insert(video_units(to));
        }
    }

    /// A frame at `pts` was refused: what builds upon it cannot be decoded.
    pub(super) fn refused(&mut self, pts: Pts) {
        let at = self.video_time(pts);
        self.awaits_keyframe.get_or_insert(at);
    }

    /// When the newest frame would end, since the file's zero.
    pub(super) fn picture_end(&self, frame_span: Duration) -> Duration {
        self.pending.as_ref().map_or(video_span(self.run_end()), |pending| video_span(pending.at) + frame_span)
    }

    fn close_pending(&mut self, until: u64) {
        let Some(pending) = self.pending.take() else { return };
        if self.run.samples.is_empty() {
            self.run.start = pending.at;
        }
        // 13 hours of one picture; a call without any picture for longer shows a shorter last one.
        let duration = u32::try_from(until - pending.at).unwrap_or(u32::MAX);
        self.run.samples.push(VideoSample { data: pending.data, duration, sync: pending.sync });
    }

    fn fill_sound(&mut self, until: u64) -> Option<(Duration, Duration)> {
        let next = self.packets_next();
        let missing = until.checked_sub(next).filter(|count| *count > 0)?;
        if missing <= limits::RECORD_SILENCE_TICKS {
            self.packets.extend(std::iter::repeat_n(Bytes::from_static(opus::SILENCE), missing as usize));
        } else if self.packets.is_empty() {
            self.packets_from = until;
        }
        let (from, to) = (self.sound_time(next), self.sound_time(until));
        (to > from).then_some((from, to))
    }

    fn packets_next(&self) -> u64 {
        self.packets_from + self.packets.len() as u64
    }

    fn run_end(&self) -> u64 {
        self.run.start + self.run.samples.iter().map(|sample| u64::from(sample.duration)).sum::<u64>()
    }

    fn open_from(&self) -> Option<Duration> {
        let video = (!self.run.samples.is_empty()).then(|| video_span(self.run.start));
        let sound = (!self.packets.is_empty()).then(|| self.sound_time(self.packets_from));
        video.into_iter().chain(sound).min()
    }

    fn sound_end(&self) -> Duration {
        self.sound_time(self.packets_next())
    }

    // Packets before the file's zero count as at zero.
    fn sound_time(&self, index: u64) -> Duration {
        let units = (self.sound_base + index * TICK).saturating_sub(rtp_from_pts(self.zero, SOUND_TIMESCALE));
        span(units, SOUND_TIMESCALE)
    }

    fn sound_index_at(&self, time: Duration) -> u64 {
        (rtp_from_pts(self.zero + time, SOUND_TIMESCALE) - self.sound_base) / TICK
    }

    fn video_time(&self, pts: Pts) -> u64 {
        rtp_from_pts(pts, VIDEO_TIMESCALE).saturating_sub(rtp_from_pts(self.zero, VIDEO_TIMESCALE))
    }
}

/// The packet's place is taken, or lies before the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Late;

fn video_units(span: Duration) -> u64 {
    rtp_from_pts(Pts(0) + span, VIDEO_TIMESCALE)
}

fn video_span(units: u64) -> Duration {
    span(units, VIDEO_TIMESCALE)
}

fn span(units: u64, timescale: u32) -> Duration {
    let nanos = u128::from(units) * u128::from(NANOS_PER_SECOND) / u128::from(timescale);
    Duration::from_nanos(u64::try_from(nanos).expect("a recording lasts below 584 years"))
}
