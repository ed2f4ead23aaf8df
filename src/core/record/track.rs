//! **The question:** what is written of one participant's own track? Its frames or packets as they were sent, placed on
//! the recording's timeline: a file's decode times count from the recording's zero, so that files of one recording line
//! up.
//!
//! Pure. A file ends when what its pictures begin with changes (another size, mostly) and another begins. Pictures that
//! are lost stand still; sound that is lost, and what its sender left out (DTX), becomes silence.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{
    NANOS_PER_SECOND, Orientation, Outbox, Pts, ReceivedFrame, RoomEpoch, Size, TappedFrame, TrackKind, rtp_from_pts,
};
use crate::core::bitstream::opus;
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::fmp4::{
    Fragment, Header, InitSegment, RandomAccess, SOUND_TIMESCALE, SoundRun, VIDEO_TIMESCALE, VideoRun, VideoSample,
    sound_header,
};
use crate::core::record::gap::{Gap, GapReason, GapTrack, millis};
use crate::core::record::track_entry::{TrackEntry, note_gap};

/// What a single track's recorder is told at its start.
#[derive(Debug, Clone, Copy)]
pub struct TrackSetup {
    /// Whose, counted.
    pub person: u32,
    /// What it carries.
    pub kind: TrackKind,
    /// Where the room's clock stands in UTC.
    pub epoch: RoomEpoch,
    /// Room time of the recording's zero.
    pub zero: Pts,
}

/// What a single track's recorder is given.
#[derive(Debug, Clone)]
pub enum TrackInput {
    /// The next frame or packet; its `pts` says when it plays.
    Frame(TappedFrame),
    /// Some were discarded before the next one.
    Lagged,
    /// The newest fragment could not be stored.
    Lost {
        /// Since the recording's zero.
        from: Duration,
        /// Since the recording's zero.
        to: Duration,
        /// Its length in bytes.
        len: usize,
        /// Why.
        reason: GapReason,
    },
    /// The deadline came.
    Time,
    /// The track ended.
    Finish,
}

/// What a single track's recorder wants done.
#[derive(Debug, Clone)]
pub enum TrackOutput {
    /// A file begins.
    Begin {
        /// Its head.
        head: Bytes,
        /// What it is.
        entry: Box<TrackEntry>,
    },
    /// Append this to it.
    Fragment {
        /// The bytes.
        bytes: Bytes,
        /// Since the recording's zero.
        from: Duration,
        /// Since the recording's zero.
        to: Duration,
    },
    /// It is complete: overwrite bytes in its head.
    End {
        /// What it holds and lacks.
        entry: Box<TrackEntry>,
        /// From the file's start.
        offset: u64,
        /// As many as are overwritten.
        bytes: Bytes,
    },
    /// Nothing can be written before the next keyframe: ask for one.
    RequestKeyframe,
}

/// One track in the making: no file yet, or one that grows.
#[derive(Debug)]
pub struct TrackRecorder {
    setup: TrackSetup,
    file: Option<File>,
    /// The newest frame's last packet number.
    last_sequence: Option<u64>,
    lagged: bool,
    discarded: u64,
}

#[derive(Debug)]
struct File {
    entry: TrackEntry,
    header: Header,
    index: RandomAccess,
    /// What a picture's file begins with.
    pictures: Option<Bytes>,
    /// As its head says.
    orientation: Orientation,
    fragments: u32,
    opened_at: Option<Instant>,
    /// Where the open run begins; units of the track's timescale since the recording's zero.
    start: u64,
    samples: Vec<VideoSample>,
    /// Where the next sample begins at the earliest.
    end: u64,
    /// The newest picture; how long it is shown is known once the next one comes.
    pending: Option<(u64, Bytes, bool)>,
    awaits_keyframe: bool,
    /// RTP time right behind the newest packet.
    rtp_end: Option<u64>,
}

impl TrackRecorder {
    /// A recorder that has seen nothing.
    #[must_use]
    pub fn new(setup: TrackSetup) -> Self {
        Self { setup, file: None, last_sequence: None, lagged: false, discarded: 0 }
    }

    /// Takes one input at `now`; what is to be done stands in `out`.
    pub fn handle(&mut self, now: Instant, input: TrackInput, out: &mut Outbox<TrackOutput>) {
        match input {
            TrackInput::Frame(frame) if self.setup.kind.is_video() => self.picture(now, &frame, out),
            TrackInput::Frame(packet) => self.sound(now, packet, out),
            TrackInput::Lagged => self.lagged = true,
            TrackInput::Lost { from, to, len, reason } => self.lost((from, to), len, reason, out),
            TrackInput::Time => {}
            TrackInput::Finish => self.finish(out),
        }
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.cut(out);
        }
    }

    /// When `handle` wants to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let opened_at = self.file.as_ref()?.opened_at?;
        Some(opened_at + limits::TRACK_FRAGMENT_SPAN + limits::RECORD_PATIENCE)
    }

    /// What the file that grows holds and lacks so far.
    #[must_use]
    pub fn entry(&self) -> Option<&TrackEntry> {
        self.file.as_ref().map(|file| &file.entry)
    }

    /// Frames and packets that found no place: malformed, before the recording, before a keyframe, or twice.
    #[must_use]
    pub fn discarded(&self) -> u64 {
        self.discarded
    }

    fn timescale(&self) -> u32 {
        if self.setup.kind.is_video() { VIDEO_TIMESCALE } else { SOUND_TIMESCALE }
    }

    /// Units of the track's timescale since the recording's zero.
    fn units_at(&self, pts: Pts) -> u64 {
        rtp_from_pts(Pts(0) + pts.since(self.setup.zero), self.timescale())
    }

    fn picture(&mut self, now: Instant, tapped: &TappedFrame, out: &mut Outbox<TrackOutput>) {
        let TappedFrame { pts, received: frame } = tapped;
        let Some(unit) = StoredUnit::parse(frame.codec, &frame.data) else { return self.refuse(out) };
        let opening = unit.head.filter(|_| frame.keyframe);
        if let Some(header) = &opening {
            let same = self
                .file
                .as_ref()
                .is_some_and(|file| file.pictures.as_ref() == Some(header) && file.orientation == frame.orientation);
            if !same {
                let Some(pictures) = StreamHead::parse(frame.codec, header) else { return self.refuse(out) };
                self.finish(out);
                self.begin(*pts, Some((pictures, frame.orientation)), out);
            }
        }
        let sync = opening.is_some();
        // A person turned their phone: a file says once which way up it is, and the next begins with a keyframe.
        if self.file.as_ref().is_some_and(|file| file.orientation != frame.orientation) {
            out.push(TrackOutput::RequestKeyframe);
        }
        let at = self.units_at(*pts);
        let lost = self.take_loss(frame);
        let Some(file) = self.file.as_mut().filter(|file| sync || !file.awaits_keyframe) else {
            self.discarded += 1;
            return;
        };
        // Two pictures of one moment (frames from before the zero, a clock corrected) follow each other at once.
        let newest = file.pending.as_ref().map(|(at, ..)| *at);
        let at = at.max(newest.map_or(file.end, |newest| newest + 1));
        file.close_pending(at);
        let reason = if file.awaits_keyframe { Some(GapReason::AwaitingKeyframe) } else { lost.filter(|_| sync) };
        file.awaits_keyframe = false;
        if let (Some(reason), Some(from)) = (reason, newest) {
            file.lacks((from, at), VIDEO_TIMESCALE, GapTrack::Video, reason);
        }
        let full = units_span(at.saturating_sub(file.start), VIDEO_TIMESCALE) >= limits::TRACK_FRAGMENT_SPAN;
        if !file.samples.is_empty() && (sync || full) {
            self.cut(out);
        }
        let file = self.file.as_mut().expect("it was looked at above");
        file.pending = Some((at, unit.data, sync));
        file.opened_at.get_or_insert(now);
    }

    fn sound(&mut self, now: Instant, tapped: TappedFrame, out: &mut Outbox<TrackOutput>) {
        let TappedFrame { pts, received: packet } = tapped;
        let Some(samples) = opus::packet_samples(&packet.data).filter(|_| pts >= self.setup.zero) else {
            self.discarded += 1;
            return;
        };
        // What is decoded plays when the packet does; a player leaves out the pre-skip.
        let due = self.units_at(pts) + u64::from(opus::PRE_SKIP);
        let lost = self.take_loss(&packet);
        if self.file.is_none() {
            self.begin(pts, None, out);
        }
        let file = self.file.as_mut().expect("one was begun");
        let at = file.sound_place(due, packet.rtp_time);
        if at < file.end {
            self.discarded += 1;
            file.lacks((at, at + u64::from(samples)), SOUND_TIMESCALE, GapTrack::Sound, GapReason::Missing);
            return;
        }
        if let Some(reason) = lost.filter(|_| at > file.end) {
            file.lacks((file.end, at), SOUND_TIMESCALE, GapTrack::Sound, reason);
        }
        if !file.fill(at) {
            self.cut(out);
        }
        let file = self.file.as_mut().expect("it was looked at above");
        if file.samples.is_empty() {
            file.start = at;
        }
        file.samples.push(VideoSample { data: packet.data, duration: samples, sync: true });
        file.end = at + u64::from(samples);
        file.rtp_end = Some(packet.rtp_time.wrapping_add(samples.into()));
        file.opened_at.get_or_insert(now);
        if units_span(file.end - file.start, SOUND_TIMESCALE) >= limits::TRACK_FRAGMENT_SPAN {
            self.cut(out);
        }
    }

    /// Why something is missing before this frame, if anything is.
    fn take_loss(&mut self, frame: &ReceivedFrame) -> Option<GapReason> {
        let lagged = std::mem::take(&mut self.lagged);
        let last = self.last_sequence.replace(frame.sequence_last);
        let follows = last.is_none_or(|last| last.wrapping_add(1) == frame.sequence_first);
        if lagged { Some(GapReason::Lagged) } else { (!follows).then_some(GapReason::Missing) }
    }

    fn refuse(&mut self, out: &mut Outbox<TrackOutput>) {
        self.discarded += 1;
        if let Some(file) = &mut self.file {
            file.awaits_keyframe = true;
        }
        out.push(TrackOutput::RequestKeyframe);
    }

    fn begin(&mut self, at: Pts, pictures: Option<(StreamHead, Orientation)>, out: &mut Outbox<TrackOutput>) {
        let (pictures, orientation) = pictures.unzip();
        let orientation = orientation.unwrap_or_default();
        let at = at.max(self.setup.zero);
        let since = at.since(self.setup.zero);
        // The file's time zero is the recording's.
        let started = self.setup.epoch.wallclock_at(self.setup.zero);
        let Size { width, height } = pictures.as_ref().map_or(Size::new(0, 0), StreamHead::size);
        let stream = pictures.as_ref().map(|head| head.stream().clone());
        let header = match pictures {
            Some(pictures) => InitSegment { pictures, started, sound_skip: 0, orientation }.encode_without_sound(),
            None => sound_header(started, opus::PRE_SKIP.into()),
        };
        let entry = TrackEntry {
            file: String::new(),
            person: self.setup.person,
            kind: self.setup.kind,
            from_ms: millis(since),
            duration_ms: 0,
            bytes: header.bytes.len() as u64,
            width,
            height,
            gaps: Vec::new(),
            gaps_unlisted: 0,
        };
        let skip = if self.setup.kind.is_video() { 0 } else { u64::from(opus::PRE_SKIP) };
        let start = self.units_at(at) + skip;
        out.push(TrackOutput::Begin { head: header.bytes.clone(), entry: Box::new(entry.clone()) });
        self.file = Some(File {
            entry,
            index: RandomAccess::after_head(header.bytes.len()),
            header,
            pictures: stream,
            orientation,
            fragments: 0,
            opened_at: None,
            start,
            samples: Vec::new(),
            end: start,
            pending: None,
            awaits_keyframe: false,
            rtp_end: None,
        });
    }

    fn cut(&mut self, out: &mut Outbox<TrackOutput>) {
        self.cut_fragment(false, out);
    }

    /// Behind the last fragment stands where the file's keyframes lie.
    fn cut_fragment(&mut self, last: bool, out: &mut Outbox<TrackOutput>) {
        let (video, timescale) = (self.setup.kind.is_video(), self.timescale());
        let Some(file) = &mut self.file else { return };
        file.opened_at = None;
        if file.samples.is_empty() {
            return;
        }
        file.fragments += 1;
        let (from, to) = (file.start, file.end);
        let samples = std::mem::take(&mut file.samples);
        let fragment = fragment(file.fragments, video, from, samples);
        file.start = to;
        let bytes = fragment.encode();
        file.index.note(&fragment, bytes.len());
        let bytes = if last { file.index.behind(&bytes) } else { bytes };
        file.entry.bytes += bytes.len() as u64;
        let skip = if video { 0 } else { u64::from(opus::PRE_SKIP) };
        let [from, to] = [from, to].map(|units| units_span(units.saturating_sub(skip), timescale));
        file.entry.duration_ms = millis(to).saturating_sub(file.entry.from_ms);
        out.push(TrackOutput::Fragment { bytes, from, to });
    }

    fn finish(&mut self, out: &mut Outbox<TrackOutput>) {
        if let Some(file) = &mut self.file
            && let Some((at, ..)) = file.pending
        {
            file.close_pending(at + LAST_PICTURE);
        }
        self.cut_fragment(true, out);
        let Some(file) = self.file.take() else { return };
        let until = Duration::from_millis(file.entry.from_ms + file.entry.duration_ms);
        let bytes = Header::duration_patch(rtp_from_pts(Pts(0) + until, VIDEO_TIMESCALE));
        out.push(TrackOutput::End { entry: Box::new(file.entry), offset: file.header.duration_at, bytes });
    }

    fn lost(&mut self, (from, to): (Duration, Duration), len: usize, reason: GapReason, out: &mut Outbox<TrackOutput>) {
        let video = self.setup.kind.is_video();
        let Some(file) = &mut self.file else { return };
        file.index.take_back(len);
        file.entry.lacks((from, to), len, reason);
        let decodable = file
            .samples
            .first()
            .map_or_else(|| file.pending.as_ref().is_some_and(|(.., sync)| *sync), |sample| sample.sync);
        if video && !decodable {
            file.samples.clear();
            file.pending = None;
            file.awaits_keyframe = true;
            out.push(TrackOutput::RequestKeyframe);
        }
    }
}

/// How long the last picture of a file is shown, units of `VIDEO_TIMESCALE`: a thirtieth of a second.
const LAST_PICTURE: u64 = VIDEO_TIMESCALE as u64 / 30;

impl File {
    fn close_pending(&mut self, until: u64) {
        let Some((at, data, sync)) = self.pending.take() else { return };
        if self.samples.is_empty() {
            self.start = at;
        }
        let duration = u32::try_from(until - at).unwrap_or(u32::MAX);
        self.samples.push(VideoSample { data, duration, sync });
        self.end = at + u64::from(duration);
    }

    /// Where a packet stands that is due at `due`: right where its sender's clock puts it, as long as that agrees with
    /// the room's.
    fn sound_place(&self, due: u64, rtp_time: u64) -> u64 {
        if self.fragments == 0 && self.samples.is_empty() {
            return due.max(self.end);
        }
        let slack = u64::from(SOUND_TIMESCALE) * limits::TRACK_SOUND_SLACK.as_millis() as u64 / 1000;
        let hole = self.rtp_end.and_then(|end| rtp_time.checked_sub(end));
        let told = hole.and_then(|hole| self.end.checked_add(hole)).unwrap_or(due);
        let at = if told.abs_diff(due) <= slack { told } else { due };
        if at < self.end && self.end - at <= slack { self.end } else { at }
    }

    /// Fills up to `until` with silence. False: the hole is too long, and stays one; the open run has to be cut.
    fn fill(&mut self, until: u64) -> bool {
        let longest = limits::RECORD_SILENCE_TICKS * limits::PCM_FRAMES as u64;
        if until - self.end > longest {
            self.end = until;
            return self.samples.is_empty();
        }
        if self.samples.is_empty() {
            self.start = self.end;
        }
        while let Some((packet, samples)) = opus::silence_within(until - self.end) {
            self.samples.push(VideoSample { data: Bytes::from_static(packet), duration: samples, sync: true });
            self.end += u64::from(samples);
        }
        // Less than 2.5 ms: the packet before plays, as far as the container knows, so much longer.
        match self.samples.last_mut() {
            Some(last) => last.duration += u32::try_from(until - self.end).expect("a short rest"),
            None => self.start = until,
        }
        self.end = until;
        true
    }

    fn lacks(&mut self, (from, to): (u64, u64), timescale: u32, track: GapTrack, reason: GapReason) {
        let skip = if track == GapTrack::Sound { u64::from(opus::PRE_SKIP) } else { 0 };
        let [from_ms, to_ms] = [from, to].map(|units| millis(units_span(units.saturating_sub(skip), timescale)));
        note_gap(&mut self.entry, Gap { from_ms, to_ms, track, reason });
    }
}

fn fragment(number: u32, video: bool, start: u64, samples: Vec<VideoSample>) -> Fragment {
    if video {
        return Fragment { number, video: VideoRun { start, samples }, sound: SoundRun::default() };
    }
    let durations = samples.iter().map(|sample| sample.duration).collect();
    let packets = samples.into_iter().map(|sample| sample.data).collect();
    Fragment { number, video: VideoRun::default(), sound: SoundRun { start, packets, durations } }
}

fn units_span(units: u64, timescale: u32) -> Duration {
    let nanos = u128::from(units) * u128::from(NANOS_PER_SECOND) / u128::from(timescale);
    Duration::from_nanos(u64::try_from(nanos).expect("a recording lasts below 584 years"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Codec, Wallclock};
    use crate::core::bitstream::av1::SequenceHeader;

    // libaom 3.6, real time: temporal delimiter, sequence header of 640×360, and padding in place of the frame.
    const KEYFRAME: &[u8] =
        &[0x12, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10, 0x7a, 0x01, 0x00];
    const DELTA: &[u8] = &[0x12, 0x00, 0x7a, 0x02, 0x05, 0x06];
    const ZERO: Pts = Pts(5_000_000_000);

    struct Far {
        recorder: TrackRecorder,
        out: Outbox<TrackOutput>,
        start: Instant,
        sequence: u64,
    }

    impl Far {
        fn new(kind: TrackKind) -> Self {
            let start = Instant::now();
            let epoch = RoomEpoch { instant: start, wallclock: Wallclock(0) };
            let recorder = TrackRecorder::new(TrackSetup { person: 2, kind, epoch, zero: ZERO });
            Self { recorder, out: Outbox::new(), start, sequence: 0 }
        }

        /// A frame that plays at `ms` of the recording's time.
        fn frame(&mut self, ms: u64, rtp_time: u64, data: &'static [u8]) {
            self.sequence += 1;
            let pts = ZERO + Duration::from_millis(ms);
            let keyframe = data == KEYFRAME || data.len() < 4;
            let frame = tapped(pts, Bytes::from_static(data), keyframe, self.sequence, rtp_time, self.start);
            let now = self.start + Duration::from_millis(ms);
            self.recorder.handle(now, TrackInput::Frame(frame), &mut self.out);
        }

        fn finish(mut self) -> (Vec<TrackOutput>, Vec<TrackEntry>) {
            let now = self.start + Duration::from_secs(3600);
            self.recorder.handle(now, TrackInput::Finish, &mut self.out);
            let outputs: Vec<_> = self.out.drain().collect();
            let ended = |output: &TrackOutput| match output {
                TrackOutput::End { entry, .. } => Some((**entry).clone()),
                _ => None,
            };
            let entries = outputs.iter().filter_map(ended).collect();
            (outputs, entries)
        }
    }

    fn tapped(pts: Pts, data: Bytes, keyframe: bool, sequence: u64, rtp_time: u64, arrival: Instant) -> TappedFrame {
        let whole = ReceivedFrame::of_one_packet(Codec::Av1, data, sequence, rtp_time, arrival);
        TappedFrame { pts, received: ReceivedFrame { keyframe, ..whole } }
    }

    fn spans(outputs: &[TrackOutput]) -> Vec<(u64, u64)> {
        let span = |output: &TrackOutput| match output {
            TrackOutput::Fragment { from, to, .. } => Some((millis(*from), millis(*to))),
            _ => None,
        };
        outputs.iter().filter_map(span).collect()
    }

    fn gap(from_ms: u64, to_ms: u64, track: GapTrack, reason: GapReason) -> Gap {
        Gap { from_ms, to_ms, track, reason }
    }

    #[test]
    fn a_picture_stands_where_it_was_shown_and_a_loss_is_told() {
        let mut far = Far::new(TrackKind::Camera);
        far.frame(900, 0, DELTA);
        far.frame(1000, 0, KEYFRAME);
        far.frame(1040, 0, DELTA);
        far.sequence += 3;
        far.frame(2000, 0, KEYFRAME);
        far.frame(2040, 0, DELTA);
        assert_eq!(far.recorder.discarded(), 1, "nothing precedes a keyframe");
        let (outputs, entries) = far.finish();
        assert_eq!(spans(&outputs), [(1000, 2000), (2000, 2073)]);
        let entry = &entries[0];
        assert_eq!((entry.from_ms, entry.duration_ms, entry.width, entry.person), (1000, 1073, 640, 2));
        assert_eq!(entry.gaps, [gap(1040, 2000, GapTrack::Video, GapReason::Missing)]);
        let written: usize = outputs
            .iter()
            .map(|output| match output {
                TrackOutput::Begin { head, .. } => head.len(),
                TrackOutput::Fragment { bytes, .. } => bytes.len(),
                _ => 0,
            })
            .sum();
        assert_eq!(entry.bytes, written as u64);
    }

    #[test]
    fn another_size_is_another_file() {
        static OTHER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let mut other = KEYFRAME.to_vec();
            // A bit of the width.
            other[9] ^= 0x08;
            other
        });
        let mut far = Far::new(TrackKind::Screen);
        far.frame(0, 0, KEYFRAME);
        far.frame(40, 0, DELTA);
        let sequence = SequenceHeader::parse(&Bytes::from_static(&OTHER[2..15])).unwrap();
        assert_ne!(sequence.size, Size::new(640, 360));
        far.frame(80, 0, KEYFRAME);
        far.sequence += 1;
        let pts = ZERO + Duration::from_millis(120);
        let frame = tapped(pts, OTHER.clone().into(), true, far.sequence, 0, far.start);
        far.recorder.handle(far.start, TrackInput::Frame(frame), &mut far.out);
        let (_, entries) = far.finish();
        let told: Vec<_> = entries.iter().map(|entry| (entry.from_ms, Size::new(entry.width, entry.height))).collect();
        assert_eq!(told, [(0, Size::new(640, 360)), (120, sequence.size)]);
        assert!(entries.iter().all(|entry| entry.gaps.is_empty()), "{entries:?}");
    }

    #[test]
    fn a_phone_that_is_turned_is_another_file_from_its_next_keyframe_on() {
        let mut far = Far::new(TrackKind::Camera);
        let mut asked = Vec::new();
        for (n, (data, turns)) in [(KEYFRAME, 0), (DELTA, 1), (KEYFRAME, 1), (DELTA, 1)].into_iter().enumerate() {
            let ms = n as u64 * 40;
            let pts = ZERO + Duration::from_millis(ms);
            let mut frame = tapped(pts, Bytes::from_static(data), data == KEYFRAME, n as u64, 0, far.start);
            frame.received.orientation = Orientation { mirrored: false, turns };
            let before = far.out.as_slice().len();
            far.recorder.handle(far.start, TrackInput::Frame(frame), &mut far.out);
            let new = &far.out.as_slice()[before..];
            asked.push(new.iter().any(|output| matches!(output, TrackOutput::RequestKeyframe)));
        }
        assert_eq!(asked, [false, true, false, false]);
        let (outputs, entries) = far.finish();
        assert_eq!(entries.iter().map(|entry| entry.from_ms).collect::<Vec<_>>(), [0, 80]);
        let heads = outputs.iter().filter_map(|output| match output {
            TrackOutput::Begin { head, .. } => Some(head.clone()),
            _ => None,
        });
        let [upright, turned] = &heads.collect::<Vec<_>>()[..] else { panic!("two files") };
        assert!(upright.len() == turned.len() && upright != turned, "their matrices differ");
    }

    #[test]
    fn frames_from_before_the_zero_decode_at_once_and_a_fragment_that_was_lost_asks_for_a_keyframe() {
        let mut far = Far::new(TrackKind::Camera);
        for n in 0..4 {
            let frame = if n == 0 { KEYFRAME } else { DELTA };
            let pts = Pts(ZERO.0 - 100_000_000 + n * 40_000_000);
            let frame = tapped(pts, Bytes::from_static(frame), n == 0, n, 0, far.start);
            far.recorder.handle(far.start, TrackInput::Frame(frame), &mut far.out);
        }
        far.sequence = 3;
        far.recorder.handle(far.start + Duration::from_secs(60), TrackInput::Time, &mut far.out);
        let outputs: Vec<_> = far.out.drain().collect();
        assert_eq!(spans(&outputs), [(0, 20)]);
        let (from, to) = (Duration::ZERO, Duration::from_millis(20));
        let lost = TrackInput::Lost { from, to, len: 100, reason: GapReason::StoreBehind };
        far.recorder.handle(far.start, lost, &mut far.out);
        assert!(far.out.drain().any(|output| matches!(output, TrackOutput::RequestKeyframe)));
        far.frame(60, 0, DELTA);
        far.frame(100, 0, KEYFRAME);
        let (outputs, entries) = far.finish();
        assert_eq!(spans(&outputs), [(100, 133)], "what cannot be decoded is not written");
        assert_eq!(entries[0].gaps[0], gap(0, 20, GapTrack::Video, GapReason::StoreBehind));
    }

    // 20 ms, 60 ms and 2.5 ms: a table of contents of its own each (RFC 6716 section 3.1).
    const TWENTY: &[u8] = &[0xfc, 1, 2];
    const SIXTY: &[u8] = &[0x1c, 1, 2];
    const SHORT: &[u8] = &[0xe4, 1, 2];

    #[test]
    fn packets_of_any_length_follow_their_senders_clock() {
        let mut far = Far::new(TrackKind::Microphone);
        // The room's times are a little off; they follow each other all the same.
        far.frame(500, 48_000, TWENTY);
        far.frame(531, 48_960, SIXTY);
        far.frame(575, 51_840, SHORT);
        far.frame(590, 51_960, TWENTY);
        // Left out by its sender (DTX): 100 ms.
        far.frame(704, 52_920 + 4_800, TWENTY);
        // Lost: 40 ms.
        far.sequence += 2;
        far.frame(764, 58_680 + 1_920, TWENTY);
        let (outputs, entries) = far.finish();
        let end = 500.0 + 20.0 + 60.0 + 2.5 + 20.0 + 100.0 + 20.0 + 40.0 + 20.0;
        assert_eq!(spans(&outputs), [(500, (end + 0.5) as u64)]);
        assert_eq!((entries[0].from_ms, entries[0].width), (500, 0));
        assert_eq!(entries[0].gaps, [gap(723, 763, GapTrack::Sound, GapReason::Missing)]);
    }

    #[test]
    fn a_clock_that_runs_away_is_followed_and_a_ring_that_was_full_is_told() {
        let mut far = Far::new(TrackKind::Microphone);
        // The sender's clock stands still from its own view, but the room hears each packet 21 ms after the last.
        for n in 0..200 {
            far.frame(n * 21, n * 960, TWENTY);
        }
        far.recorder.handle(far.start, TrackInput::Lagged, &mut far.out);
        far.frame(6000, 6000 * 48, TWENTY);
        let (outputs, entries) = far.finish();
        assert_eq!(spans(&outputs).last().map(|(_, to)| *to), Some(6020));
        let last = entries[0].gaps.last().unwrap();
        assert_eq!((last.to_ms, last.reason), (6000, GapReason::Lagged));
        assert!(last.from_ms.abs_diff(199 * 21 + 20) <= 60, "{last:?}");
    }
}
