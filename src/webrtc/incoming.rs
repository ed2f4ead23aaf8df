//! **The question:** which RTP stream is this track now? A track's m-line may carry several: simulcast layers, or a new SSRC after
//! the old one. One at a time is taken and put together.

use std::time::Instant;

use str0m::media::{Mid, Rid};
use str0m::rtp::{RtpPacket, Ssrc};

use crate::limits;
use crate::media::{AudioLevel, Outbox, TrackKind};
use crate::webrtc::assemble::{Assembled, VideoAssembler, WirePacket};
use crate::webrtc::sound::SoundAssembler;

/// A track that the other side publishes.
pub(super) struct Incoming {
    pub(super) kind: TrackKind,
    pub(super) mid: Mid,
    /// Its first packet came since it was last switched on.
    pub(super) started: bool,
    /// The RTP stream that is taken.
    pub(super) source: Option<Source>,
    /// A keyframe is wished for and was not asked for yet.
    pub(super) wanted: bool,
    /// When a keyframe was last asked for.
    pub(super) asked: Option<Instant>,
}

/// One RTP stream.
pub(super) struct Source {
    pub(super) ssrc: Ssrc,
    /// Its simulcast layer, if it is one.
    pub(super) rid: Option<Rid>,
    heard: Instant,
    assembler: Assembler,
    /// Losses told already: gaps, malformed.
    told: (u64, u64),
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

    /// Whether packets of this RTP stream are taken. The first one's are; another layer's only once the taken one fell silent.
    /// A stream with a new SSRC but of no other layer replaces the old one at once: its sender began anew.
    pub(super) fn takes(&mut self, now: Instant, ssrc: Ssrc, rid: Option<Rid>) -> bool {
        if let Some(source) = &mut self.source {
            if source.ssrc == ssrc {
                source.heard = now;
                return true;
            }
            if rid.is_some() && rid != source.rid && now < source.heard + limits::LAYER_SILENT_SPAN {
                return false;
            }
        }
        let assembler = if self.kind.is_video() {
            Assembler::Video(Box::new(VideoAssembler::new()))
        } else {
            Assembler::Sound(SoundAssembler::new())
        };
        self.source = Some(Source { ssrc, rid, heard: now, assembler, told: (0, 0) });
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

    /// Gaps and malformed frames since the last call, if there were any.
    pub(super) fn take_losses(&mut self) -> Option<(u64, u64)> {
        let source = self.source.as_mut()?;
        let lost = match &source.assembler {
            Assembler::Video(assembler) => (assembler.stats().gaps_skipped, assembler.stats().malformed),
            Assembler::Sound(assembler) => (0, assembler.stats().discarded),
        };
        let new = (lost.0 - source.told.0, lost.1 - source.told.1);
        source.told = lost;
        (new != (0, 0)).then_some(new)
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
    WirePacket {
        sequence: *packet.seq_no,
        rtp_time: packet.time.numer(),
        marker: packet.header.marker,
        arrival: packet.timestamp,
        payload: packet.payload,
        audio_level,
        rid,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_layer_is_taken_until_it_falls_silent() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        let (low, high) = (Some("l".into()), Some("h".into()));
        assert!(track.takes(start, 1.into(), low));
        assert!(!track.takes(start + ms(10), 2.into(), high));
        assert!(track.takes(start + ms(20), 1.into(), low));
        assert!(!track.takes(start + ms(20) + limits::LAYER_SILENT_SPAN - ms(1), 2.into(), high));
        assert!(track.takes(start + ms(20) + limits::LAYER_SILENT_SPAN, 2.into(), high));
        assert!(!track.takes(start + ms(30) + limits::LAYER_SILENT_SPAN, 1.into(), low));
    }

    #[test]
    fn a_new_ssrc_of_the_same_stream_is_taken_at_once() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Microphone, "0".into());
        assert!(track.takes(now, 1.into(), None));
        assert!(track.takes(now, 2.into(), None));
        let mut camera = Incoming::new(TrackKind::Camera, "1".into());
        assert!(camera.takes(now, 1.into(), Some("l".into())));
        assert!(camera.takes(now, 2.into(), Some("l".into())));
    }

    #[test]
    fn a_wish_waits_for_its_second() {
        let now = Instant::now();
        let mut track = Incoming::new(TrackKind::Camera, "0".into());
        track.wanted = true;
        assert_eq!(track.ask_at(), None, "nobody to ask yet");
        assert!(track.takes(now, 1.into(), None));
        assert_eq!(track.ask_at(), Some(now));
        track.asked = Some(now);
        assert_eq!(track.ask_at(), Some(now + limits::KEYFRAME_SPACING));
    }
}
