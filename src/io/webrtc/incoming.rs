//! **The question:** which RTP stream is this track now? A track's m-line may carry several: simulcast layers, or a new
//! SSRC after the old one. One at a time is taken and put together.

use std::time::{Instant, UNIX_EPOCH};

use str0m::media::{Mid, Rid};
use str0m::rtp::rtcp::SenderInfo;
use str0m::rtp::{RtpPacket, Ssrc};

use crate::base::limits;
use crate::base::media::{AudioLevel, Codec, Outbox, ReceivedFrame, Size, TrackKind, Wallclock};
use crate::core::bitstream::stated_size;
use crate::core::ladder::{Admission, Allowance, LayerChoice, SendTarget, TemporalChoice};
use crate::io::webrtc::assemble::{Assembled, VideoAssembler, WirePacket};
use crate::io::webrtc::extensions::{StatedColour, StatedOrientation};
use crate::io::webrtc::sound::SoundAssembler;
use crate::io::webrtc::timeline::Timeline;

/// A track that the other side publishes.
pub(super) struct Incoming {
    pub(super) kind: TrackKind,
    pub(super) mid: Mid,
    /// Its first packet came since it was last switched on.
    pub(super) started: bool,
    /// The RTP stream that is taken.
    pub(super) source: Option<TrackStream>,
    /// A keyframe is wished for and was not asked for yet.
    pub(super) wanted: bool,
    /// When a keyframe was last asked for, and the times before, newest first.
    asked: [Option<Instant>; limits::KEYFRAMES_SOON + 1],
    /// One came since.
    answered: bool,
    /// Its simulcast layers.
    layers: LayerChoice,
    timeline: Timeline,
    allowance: Allowance,
    /// Pixels of its pictures, as the last keyframe told.
    pixels: u64,
    temporal: TemporalChoice,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Take {
    /// It is another stream's than the one that is taken.
    Leave,
    /// It is taken.
    Follow,
    /// It is taken, and with it the track begins anew: it is coded otherwise than before.
    Anew,
}

/// One RTP stream.
pub(super) struct TrackStream {
    pub(super) ssrc: Ssrc,
    /// Its simulcast layer, if it is one.
    pub(super) rid: Option<Rid>,
    codec: Codec,
    began: Instant,
    heard: Instant,
    assembler: Assembler,
    /// Told already.
    told: Losses,
}

/// What packets lost meant for a track.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Pictures that nothing repaired.
    pub gaps: u64,
    /// Frames or packets that nobody could read.
    pub malformed: u64,
    /// Sounds lost whose copies came with later packets (RFC 2198).
    pub restored: u64,
}

enum Assembler {
    Video(Box<VideoAssembler>),
    Sound(SoundAssembler),
}

impl Incoming {
    /// A track without packets yet.
    pub(super) fn new(kind: TrackKind, mid: Mid) -> Self {
        Self {
            kind,
            mid,
            started: false,
            source: None,
            wanted: false,
            asked: [None; limits::KEYFRAMES_SOON + 1],
            answered: true,
            layers: LayerChoice::default(),
            timeline: Timeline::default(),
            allowance: Allowance::new(),
            pixels: 0,
            temporal: TemporalChoice::default(),
        }
    }

    /// What is asked of its sender.
    pub(super) fn aim(&mut self, target: SendTarget) {
        self.layers.aim(target.size);
        self.allowance.aim(target.bitrate);
        self.temporal.aim(target.fps);
    }

    /// Whether its pictures were coded otherwise so far.
    pub(super) fn changes(&self, codec: Codec) -> bool {
        self.kind.is_video() && self.source.as_ref().is_some_and(|source| source.codec != codec)
    }

    /// Whether a packet without payload is taken, which only holds a place in its stream: a sender probes the path by
    /// it on whatever stream it likes, one that is dry among them.
    pub(super) fn takes_padding(&self, ssrc: Ssrc) -> Take {
        let is_taken = self.source.as_ref().is_some_and(|source| source.ssrc == ssrc);
        if is_taken { Take::Follow } else { Take::Leave }
    }

    /// Whether packets of this RTP stream are taken. The first one's are; another layer's only once the taken one fell
    /// silent, or from a keyframe of the one that fits the tile on (`size`: that of a keyframe which begins with this
    /// packet, if it says so; `starts`: one may). A stream with a new SSRC but of no other layer replaces the old one
    /// at once: its sender restarted.
    /// Pictures coded otherwise begin the track anew at a keyframe; sound keeps its codec until it is switched off.
    pub(super) fn takes(
        &mut self,
        now: Instant,
        (ssrc, rid): (Ssrc, Option<Rid>),
        (codec, starts): (Codec, bool),
        size: Option<Size>,
    ) -> Take {
        if codec.is_video() != self.kind.is_video() {
            return Take::Leave;
        }
        let (mut take, mut seamless) = (Take::Follow, false);
        if let Some(source) = &mut self.source {
            let same_codec = source.codec == codec;
            if rid.is_some() && same_codec {
                self.layers.hear(now, *ssrc, size);
            }
            if self.started && !same_codec {
                let may = codec.is_video() && starts && now >= source.began + limits::CODEC_SPAN_MIN;
                // A layer in another codec is no better than those in the one that is decoded.
                if !may || (rid.is_some() && now < source.heard + limits::LAYER_SILENT_SPAN) {
                    return Take::Leave;
                }
                (self.started, self.layers) = (false, self.layers.restarted());
                take = Take::Anew;
            } else if source.ssrc == ssrc && same_codec {
                source.heard = now;
                return Take::Follow;
            } else if rid.is_some() && rid != source.rid {
                let is_silent = now >= source.heard + limits::LAYER_SILENT_SPAN;
                let is_wished = size.is_some() && self.layers.best(now) == Some(*ssrc);
                if !is_silent && !is_wished {
                    return Take::Leave;
                }
                seamless = !is_silent;
            }
            self.timeline.turn(seamless);
        } else if rid.is_some() {
            self.layers.hear(now, *ssrc, size);
        }
        let assembler = if codec.is_video() {
            Assembler::Video(Box::new(VideoAssembler::new(codec)))
        } else {
            Assembler::Sound(SoundAssembler::new(codec))
        };
        let told = Losses::default();
        self.source = Some(TrackStream { ssrc, rid, codec, began: now, heard: now, assembler, told });
        take
    }

    /// Takes a frame that came whole, gives it its place on the track's timeline, whichever stream it is of, and says
    /// whether it is too much.
    pub(super) fn admit(&mut self, frame: &mut ReceivedFrame) -> Admission {
        if !self.kind.is_video() {
            return Admission::Taken;
        }
        self.timeline.place(frame);
        self.answered |= frame.keyframe;
        // VP9's pictures may grow without a keyframe.
        if (frame.keyframe || frame.codec == Codec::Vp9)
            && let Some(Size { width, height }) = stated_size(frame.codec, &frame.data)
        {
            // Larger ones are refused before they cost anything.
            self.pixels = (u64::from(width) * u64::from(height)).min(limits::INGEST_PIXELS_MAX.into());
        }
        let admission = self.allowance.admit(frame.arrival, (frame.data.len(), self.pixels), frame.keyframe);
        match admission {
            Admission::Taken | Admission::GoesOn => self.wanted &= !frame.keyframe,
            Admission::Awaits => self.wanted = true,
            Admission::Stops | Admission::Left => self.wanted = false,
        }
        if admission == Admission::Taken && !self.temporal.admit(frame.arrival, frame.temporal, frame.keyframe) {
            self.timeline.leave(frame);
            return Admission::Left;
        }
        // AV1's bitstream does not say from where on a layer can be decoded.
        self.wanted |= self.temporal.is_climbing() && frame.codec == Codec::Av1;
        admission
    }

    /// The simulcast layer that is to be asked for a keyframe now, so that it can be taken.
    pub(super) fn ask_layer(&mut self, now: Instant) -> Option<Ssrc> {
        let taken = self.source.as_ref().filter(|source| source.rid.is_some())?;
        self.layers.ask(now, *taken.ssrc).map(Into::into)
    }

    /// One packet of the stream that is taken; `red` if it carries copies of earlier ones (RFC 2198).
    pub(super) fn push(&mut self, now: Instant, packet: WirePacket, red: bool, out: &mut Outbox<Assembled>) {
        match self.source.as_mut().map(|source| &mut source.assembler) {
            Some(Assembler::Video(assembler)) => assembler.push(now, packet, out),
            Some(Assembler::Sound(assembler)) if red => assembler.push_red(&packet, out),
            Some(Assembler::Sound(assembler)) => {
                if let Some(frame) = assembler.push(packet) {
                    out.push(Assembled::Frame(frame));
                }
            }
            None => {}
        }
    }

    /// When the wait for a missing packet ends.
    pub(super) fn gap_ends(&self) -> Option<Instant> {
        match &self.source.as_ref()?.assembler {
            Assembler::Video(assembler) => assembler.deadline(),
            Assembler::Sound(_) => None,
        }
    }

    /// The wait for a missing packet ended.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Assembled>) {
        if let Some(Assembler::Video(assembler)) = self.source.as_mut().map(|source| &mut source.assembler) {
            assembler.handle_timeout(now, out);
        }
    }

    /// Losses since the last call, if there were any.
    pub(super) fn take_losses(&mut self) -> Option<Losses> {
        let source = self.source.as_mut()?;
        let all = match &source.assembler {
            Assembler::Video(assembler) => {
                let stats = assembler.stats();
                Losses { gaps: stats.gaps_skipped, malformed: stats.malformed, restored: 0 }
            }
            Assembler::Sound(assembler) => {
                let stats = assembler.stats();
                Losses { gaps: 0, malformed: stats.discarded, restored: stats.restored }
            }
        };
        let told = std::mem::replace(&mut source.told, all);
        let new = Losses {
            gaps: all.gaps - told.gaps,
            malformed: all.malformed - told.malformed,
            restored: all.restored - told.restored,
        };
        (new != Losses::default()).then_some(new)
    }

    /// When a keyframe that is wished for may be asked for.
    pub(super) fn ask_at(&self) -> Option<Instant> {
        let source = self.source.as_ref().filter(|_| self.wanted)?;
        let [Some(asked), .., first] = self.asked else { return Some(source.heard) };
        let rested = first.is_none_or(|first| asked >= first + limits::KEYFRAME_REST);
        let is_soon = rested || !self.answered;
        Some(asked + if is_soon { limits::KEYFRAME_RETRY } else { limits::KEYFRAME_SPACING })
    }

    /// A keyframe is asked for now.
    pub(super) fn ask(&mut self, now: Instant) {
        self.asked.rotate_right(1);
        self.asked[0] = Some(now);
        (self.wanted, self.answered) = (false, false);
    }
}

/// What the assemblers need of a packet. `rid` is its stream's, which its own header need not repeat.
pub(super) fn wire_packet(packet: RtpPacket, rid: Option<Rid>) -> WirePacket {
    // str0m tells the level as a negative number of decibels.
    let audio_level = packet.header.ext_vals.audio_level.map(|level| AudioLevel(level.unsigned_abs().min(127)));
    let rid = rid.map(|rid| {
        let mut bytes = [0; 8];
        let text = rid.as_bytes();
        let length = text.len().min(bytes.len());
        bytes[..length].copy_from_slice(&text[..length]);
        bytes
    });
    let rtp_time = packet.time.numer();
    let captured = packet.last_sender_info.and_then(|info| captured_at(&info, rtp_time, packet.time.denom()));
    WirePacket {
        sequence: *packet.seq_no,
        rtp_time,
        captured,
        marker: packet.header.marker,
        arrival: packet.timestamp,
        payload: packet.payload,
        audio_level,
        rid,
        colour: packet.header.ext_vals.user_values.get::<StatedColour>().map(|stated| stated.0),
        orientation: packet.header.ext_vals.user_values.get::<StatedOrientation>().map(|stated| stated.0),
    }
}

/// What a sender's clock read at `rtp_time`, of a clock of `rate` Hz, by its last report (RFC 3550 section 6.4.1).
/// `None` if that is before 1970.
fn captured_at(report: &SenderInfo, rtp_time: u64, rate: u32) -> Option<Wallclock> {
    let told = report.ntp_time.duration_since(UNIX_EPOCH).ok()?;
    // Both are extended from 32 bits, each by its own count of wraps: only the low bits are comparable.
    #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what the wire carries")]
    let units = (rtp_time as u32).wrapping_sub(report.rtp_time.numer() as u32).cast_signed();
    let since = i64::from(units) * 1_000_000_000 / i64::from(rate.max(1));
    u64::try_from(told.as_nanos()).ok()?.checked_add_signed(since).map(Wallclock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use str0m::media::{Frequency, MediaTime};

    use super::*;
    use crate::base::media::Law;

    #[test]
    fn a_report_tells_when_packets_around_it_were_captured() {
        let report = |seconds: u64, rtp_time: u64| SenderInfo {
            ssrc: 1.into(),
            ntp_time: UNIX_EPOCH + Duration::from_secs(seconds),
            rtp_time: MediaTime::new(rtp_time, Frequency::NINETY_KHZ),
            sender_packet_count: 0,
            sender_octet_count: 0,
        };
        let at = |millis: u64| Some(Wallclock(millis * 1_000_000));
        assert_eq!(captured_at(&report(1000, 90_000), 180_000, 90_000), at(1_001_000));
        assert_eq!(
            captured_at(&report(1000, 90_000), 45_000, 90_000),
            at(999_500),
            "reports come later than some packets"
        );
        // Across the wrap, and with wraps counted differently.
        assert_eq!(captured_at(&report(1000, (1 << 32) - 45_000), 45_000, 90_000), at(1_001_000));
        assert_eq!(captured_at(&report(1000, 0), (3 << 32) + 90_000, 90_000), at(1_001_000));
        assert_eq!(captured_at(&report(0, 90_000), 0, 90_000), None, "no clock reads less than nothing");
        assert!(captured_at(&report(u64::MAX >> 2, 0), 0, 0).is_none(), "nor more than 584 years");
    }

    /// Whether a packet is taken.
    fn takes(
        track: &mut Incoming,
        now: Instant,
        stream: (u32, Option<&str>),
        codec: Codec,
        size: Option<Size>,
    ) -> bool {
        track.takes(now, (stream.0.into(), stream.1.map(Into::into)), (codec, size.is_some()), size) != Take::Leave
    }

    fn target(width: u32, height: u32) -> SendTarget {
        SendTarget { size: Size::new(width, height), fps: 30, bitrate: 200_000 }
    }

    const LOW: (u32, Option<&str>) = (1, Some("l"));
    const MIDDLE: (u32, Option<&str>) = (2, Some("m"));
    const HIGH: (u32, Option<&str>) = (3, Some("h"));
    const LOW_SIZE: Option<Size> = Some(Size::new(320, 180));
    const MIDDLE_SIZE: Option<Size> = Some(Size::new(640, 360));
    const HIGH_SIZE: Option<Size> = Some(Size::new(1280, 720));

    #[test]
    fn case_60_simulcast_lowest_gives_way_to_the_largest_layer_at_its_keyframe() {
        let (now, mut track) = (Instant::now(), Incoming::new(TrackKind::Camera, "0".into()));
        assert!(takes(&mut track, now, LOW, Codec::Av1, LOW_SIZE), "the first that comes");
        assert!(!takes(&mut track, now, HIGH, Codec::Av1, None), "not in the middle of its pictures");
        assert!(takes(&mut track, now, HIGH, Codec::Av1, HIGH_SIZE));
        for (layer, size) in [(LOW, LOW_SIZE), (MIDDLE, MIDDLE_SIZE), (LOW, None)] {
            assert!(!takes(&mut track, now, layer, Codec::Av1, size), "the largest stays");
        }
        assert!(takes(&mut track, now, HIGH, Codec::Av1, None));
        // Its sender lacks the bandwidth for it, and gains it again.
        let later = now + limits::LAYER_SILENT_SPAN;
        assert!(takes(&mut track, later, MIDDLE, Codec::Av1, None));
        assert!(takes(&mut track, later, MIDDLE, Codec::Av1, MIDDLE_SIZE));
        assert!(takes(&mut track, later, HIGH, Codec::Av1, HIGH_SIZE));
    }

    #[test]
    fn the_layer_follows_the_tile_and_the_old_one_stays_until_the_keyframe() {
        let (now, mut track) = (Instant::now(), Incoming::new(TrackKind::Camera, "0".into()));
        for (layer, size) in [(LOW, LOW_SIZE), (MIDDLE, MIDDLE_SIZE), (HIGH, HIGH_SIZE)] {
            assert!(takes(&mut track, now, layer, Codec::H264, size));
        }
        track.aim(target(320, 180));
        assert_eq!(track.ask_layer(now), Some(1.into()), "its keyframe is asked for");
        assert!(!takes(&mut track, now, LOW, Codec::H264, None) && takes(&mut track, now, HIGH, Codec::H264, None));
        assert!(takes(&mut track, now, LOW, Codec::H264, LOW_SIZE));
        assert_eq!(track.ask_layer(now), None);
        assert!(!takes(&mut track, now, HIGH, Codec::H264, HIGH_SIZE), "a keyframe that nobody asked for");
        track.aim(target(960, 540));
        assert_eq!(track.ask_layer(now), Some(3.into()));
        assert!(
            takes(&mut track, now, LOW, Codec::H264, LOW_SIZE) && takes(&mut track, now, HIGH, Codec::H264, HIGH_SIZE)
        );
    }

    #[test]
    fn one_layer_is_taken_until_it_falls_silent() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        assert!(takes(&mut track, start, LOW, Codec::Av1, None));
        assert!(!takes(&mut track, start + ms(10), HIGH, Codec::Av1, None));
        let heard = start + ms(20);
        assert!(takes(&mut track, heard, LOW, Codec::Av1, None));
        assert!(!takes(&mut track, heard + limits::LAYER_SILENT_SPAN - ms(1), HIGH, Codec::Av1, None));
        assert!(takes(&mut track, heard + limits::LAYER_SILENT_SPAN, HIGH, Codec::Av1, None));
        assert!(!takes(&mut track, heard + ms(10) + limits::LAYER_SILENT_SPAN, LOW, Codec::Av1, None));
    }

    #[test]
    fn a_new_ssrc_of_the_same_stream_is_taken_at_once() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Microphone, "0".into());
        assert!(takes(&mut track, now, (1, None), Codec::Opus, None));
        assert!(takes(&mut track, now, (2, None), Codec::Opus, None));
        let mut camera = Incoming::new(TrackKind::Camera, "1".into());
        assert!(takes(&mut camera, now, (1, Some("l")), Codec::Av1, None));
        assert!(takes(&mut camera, now, (2, Some("l")), Codec::Av1, None));
    }

    #[test]
    fn sound_keeps_the_codec_that_it_began_with() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Microphone, "0".into());
        assert!(!takes(&mut track, now, (1, None), Codec::Av1, None), "pictures are no sound");
        assert!(takes(&mut track, now, (1, None), Codec::Opus, None));
        track.started = true;
        assert!(!takes(&mut track, now, (1, None), Codec::G711(Law::A), None));
        assert!(takes(&mut track, now, (2, None), Codec::Opus, None));
        track.started = false;
        assert!(takes(&mut track, now, (2, None), Codec::G711(Law::A), None), "switched off and on, it begins anew");
    }

    #[test]
    fn pictures_coded_otherwise_begin_anew_at_a_keyframe_and_not_over_and_over() {
        let (start, mut track) = (Instant::now(), Incoming::new(TrackKind::Camera, "0".into()));
        let mut take = |now, codec, size: Option<Size>| {
            let take = track.takes(now, (1.into(), None), (codec, size.is_some()), size);
            track.started |= take != Take::Leave;
            take
        };
        assert_eq!(take(start, Codec::H264, HIGH_SIZE), Take::Follow);
        assert_eq!(take(start, Codec::Vp8, HIGH_SIZE), Take::Leave, "it has only begun");
        let later = start + limits::CODEC_SPAN_MIN;
        assert_eq!(take(later, Codec::Vp8, None), Take::Leave, "nothing to begin with");
        assert_eq!(take(later, Codec::H264, None), Take::Follow);
        assert_eq!(take(later, Codec::Vp8, HIGH_SIZE), Take::Anew);
        // Whoever changes with each picture gets one codec.
        for _ in 0..100 {
            assert_eq!(take(later, Codec::H264, HIGH_SIZE), Take::Leave);
            assert_eq!(take(later, Codec::Vp8, None), Take::Follow);
        }
    }

    #[test]
    fn a_wish_waits_for_its_second() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        track.wanted = true;
        assert_eq!(track.ask_at(), None, "nobody to ask yet");
        assert!(takes(&mut track, now, (1, None), Codec::Av1, None));
        assert_eq!(track.ask_at(), Some(now));
        let mut asks = |now: Instant, answered: bool| {
            track.ask(now);
            (track.wanted, track.answered) = (true, answered);
            track.ask_at().unwrap() - now
        };
        assert_eq!(asks(now, true), limits::KEYFRAME_RETRY, "one that breaks again at once");
        let second = now + limits::KEYFRAME_RETRY;
        assert_eq!(asks(second, true), limits::KEYFRAME_RETRY, "and again");
        let third = second + limits::KEYFRAME_RETRY;
        assert_eq!(asks(third, true), limits::KEYFRAME_SPACING, "and again: this is how its pictures are");
        let fourth = third + limits::KEYFRAME_SPACING;
        assert_eq!(asks(fourth, false), limits::KEYFRAME_RETRY, "the request was lost, or the answer");
        assert_eq!(asks(fourth + limits::KEYFRAME_REST, true), limits::KEYFRAME_RETRY, "after a rest");
    }
}
