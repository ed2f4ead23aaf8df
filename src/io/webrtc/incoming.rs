//! **The question:** which RTP stream is this track now? A track's m-line may carry several: simulcast layers, or a new
//! SSRC after the old one. One at a time is taken and put together.

use std::time::{Instant, UNIX_EPOCH};

use str0m::media::{Mid, Rid};
use str0m::rtp::rtcp::SenderInfo;
use str0m::rtp::{RtpPacket, Ssrc};

use crate::base::limits;
use crate::base::media::{AudioLevel, Codec, Outbox, TrackKind, Wallclock};
use crate::io::webrtc::assemble::{Assembled, VideoAssembler, WirePacket};
use crate::io::webrtc::extensions::StatedColour;
use crate::io::webrtc::sound::SoundAssembler;

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
    /// When a keyframe was last asked for.
    pub(super) asked: Option<Instant>,
}

/// One RTP stream.
pub(super) struct TrackStream {
    pub(super) ssrc: Ssrc,
    /// Its simulcast layer, if it is one.
    pub(super) rid: Option<Rid>,
    codec: Codec,
    /// Pixels of its newest keyframe, if it is a simulcast layer.
    pixels: Option<u64>,
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
        Self { kind, mid, started: false, source: None, wanted: false, asked: None }
    }

    /// Whether packets of this RTP stream are taken. The first one's are; another layer's only once the taken one fell
    /// silent, or from a keyframe on that has more pixels (`pixels`: those of a keyframe that begins with this packet).
    /// A stream with a new SSRC but of no other layer replaces the old one at once: its sender restarted. A
    /// track keeps the codec it began with until it is switched off: that is what its decoder was opened for.
    pub(super) fn takes(
        &mut self,
        now: Instant,
        (ssrc, rid): (Ssrc, Option<Rid>),
        codec: Codec,
        pixels: Option<u64>,
    ) -> bool {
        if codec.is_video() != self.kind.is_video() {
            return false;
        }
        if let Some(source) = &mut self.source {
            if self.started && source.codec != codec {
                return false;
            }
            if source.ssrc == ssrc && source.codec == codec {
                source.heard = now;
                source.pixels = pixels.or(source.pixels);
                return true;
            }
            let is_silent = now >= source.heard + limits::LAYER_SILENT_SPAN;
            let is_larger = pixels.is_some_and(|pixels| source.pixels.is_some_and(|taken| pixels > taken));
            if rid.is_some() && rid != source.rid && !is_silent && !is_larger {
                return false;
            }
        }
        let assembler = if codec.is_video() {
            Assembler::Video(Box::new(VideoAssembler::new(codec)))
        } else {
            Assembler::Sound(SoundAssembler::new(codec))
        };
        self.source = Some(TrackStream { ssrc, rid, codec, pixels, heard: now, assembler, told: Losses::default() });
        true
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
        Some(self.asked.map_or(source.heard, |at| at + limits::KEYFRAME_SPACING))
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

    #[test]
    fn case_60_simulcast_lowest_gives_way_to_the_largest_layer_at_its_keyframe() {
        let (now, mut track) = (Instant::now(), Incoming::new(TrackKind::Camera, "0".into()));
        let (low, middle, high) =
            ((1.into(), Some("l".into())), (2.into(), Some("m".into())), (3.into(), Some("h".into())));
        assert!(track.takes(now, low, Codec::Av1, Some(320 * 180)), "the first that comes");
        assert!(!track.takes(now, high, Codec::Av1, None), "not in the middle of its pictures");
        assert!(track.takes(now, high, Codec::Av1, Some(1280 * 720)));
        for (layer, pixels) in [(low, Some(320 * 180)), (middle, Some(640 * 360)), (low, None)] {
            assert!(!track.takes(now, layer, Codec::Av1, pixels), "the largest stays");
        }
        assert!(track.takes(now, high, Codec::Av1, None));
        // Its sender lacks the bandwidth for it, and gains it again.
        let later = now + limits::LAYER_SILENT_SPAN;
        assert!(track.takes(later, middle, Codec::Av1, None));
        assert!(track.takes(later, middle, Codec::Av1, Some(640 * 360)));
        assert!(track.takes(later, high, Codec::Av1, Some(1280 * 720)));
    }

    #[test]
    fn one_layer_is_taken_until_it_falls_silent() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        let (low, high) = (Some("l".into()), Some("h".into()));
        assert!(track.takes(start, (1.into(), low), Codec::Av1, None));
        assert!(!track.takes(start + ms(10), (2.into(), high), Codec::Av1, None));
        assert!(track.takes(start + ms(20), (1.into(), low), Codec::Av1, None));
        assert!(!track.takes(start + ms(20) + limits::LAYER_SILENT_SPAN - ms(1), (2.into(), high), Codec::Av1, None));
        assert!(track.takes(start + ms(20) + limits::LAYER_SILENT_SPAN, (2.into(), high), Codec::Av1, None));
        assert!(!track.takes(start + ms(30) + limits::LAYER_SILENT_SPAN, (1.into(), low), Codec::Av1, None));
    }

    #[test]
    fn a_new_ssrc_of_the_same_stream_is_taken_at_once() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Microphone, "0".into());
        assert!(track.takes(now, (1.into(), None), Codec::Opus, None));
        assert!(track.takes(now, (2.into(), None), Codec::Opus, None));
        let mut camera = Incoming::new(TrackKind::Camera, "1".into());
        assert!(camera.takes(now, (1.into(), Some("l".into())), Codec::Av1, None));
        assert!(camera.takes(now, (2.into(), Some("l".into())), Codec::Av1, None));
    }

    #[test]
    fn a_track_keeps_the_codec_that_it_began_with() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Microphone, "0".into());
        assert!(!track.takes(now, (1.into(), None), Codec::Av1, None), "pictures are no sound");
        assert!(track.takes(now, (1.into(), None), Codec::Opus, None));
        track.started = true;
        assert!(!track.takes(now, (1.into(), None), Codec::G711(Law::A), None));
        assert!(track.takes(now, (2.into(), None), Codec::Opus, None));
        track.started = false;
        assert!(track.takes(now, (2.into(), None), Codec::G711(Law::A), None), "switched off and on, it begins anew");
    }

    #[test]
    fn a_wish_waits_for_its_second() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        track.wanted = true;
        assert_eq!(track.ask_at(), None, "nobody to ask yet");
        assert!(track.takes(now, (1.into(), None), Codec::Av1, None));
        assert_eq!(track.ask_at(), Some(now));
        track.asked = Some(now);
        assert_eq!(track.ask_at(), Some(now + limits::KEYFRAME_SPACING));
    }
}
