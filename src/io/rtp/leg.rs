//! **The question:** what do one leg's datagrams mean, and which does it get? No socket, no clock: the loop gives both.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{Codec, Law, MixTick, Outbox, ParticipantId, Pts, ReceivedFrame, Wallclock, rtp_from_pts};
use crate::engine::decode::OpusDecoder;
use crate::engine::encode::G711Encoder;
use crate::engine::flow::Counter;
use crate::io::rtp::networks::LegNetworks;
use crate::io::rtp::packet::{self, RtpPacket, SenderInfo};
use crate::io::rtp::source::VoiceSource;

/// Units of a G.711 timestamp in the node's sound.
const RATIO: u64 = (limits::SAMPLE_RATE / limits::TELEPHONE_RATE) as u64;
/// Seconds from 1900, where NTP begins, to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// What a leg speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LegCodec {
    /// RFC 7587; 48 kHz clock.
    Opus,
    /// G.711 µ-law, RFC 3551 section 4.5.14; 8 kHz clock.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl LegCodec {
    fn law(self) -> Option<Law> {
        match self {
            Self::Opus => None,
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
        }
    }

    fn clock(self) -> u32 {
        if self.law().is_some() { limits::TELEPHONE_RATE } else { limits::SAMPLE_RATE }
    }

    /// RFC 3551's numbers; Opus has none of its own, and 111 is what browsers take.
    fn usual_payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::Opus => 111,
        }
    }
}

/// What one leg speaks, and with whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegSetup {
    /// Both ways.
    pub codec: LegCodec,
    /// Both ways.
    pub payload_type: u8,
    /// Of telephone events (RFC 4733), which are counted and else ignored.
    pub event_type: u8,
    /// Where it is; `None`: where its first packet comes from.
    pub remote: Option<SocketAddr>,
    /// 20 ms blocks in one outgoing packet, 1 to 3; Opus: 1.
    pub blocks: u8,
}

/// Why there is no such leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegSetupError {
    /// Taken by RTCP on the same port (RFC 5761), beyond 127, or used twice.
    #[error("a payload type is 0 to 63 or 96 to 127, and that of the voice is not that of telephone events")]
    PayloadType,
    /// Not what the node sends.
    #[error("ptime is 20, 40 or 60, and 20 for Opus")]
    Ptime,
}

impl LegSetup {
    /// A leg; what is not said is as usual for the codec: its payload type, 20 ms, events at 101.
    ///
    /// # Errors
    /// [`LegSetupError`] says which number cannot be.
    pub fn new(
        codec: LegCodec,
        payload_type: Option<u8>,
        event_type: Option<u8>,
        ptime_ms: Option<u8>,
        remote: Option<SocketAddr>,
    ) -> Result<Self, LegSetupError> {
        let payload_type = payload_type.unwrap_or(codec.usual_payload_type());
        let event_type = event_type.unwrap_or(if payload_type == 101 { 100 } else { 101 });
        let usable = |number: u8| matches!(number, 0..=63 | 96..=127);
        if !usable(payload_type) || !usable(event_type) || payload_type == event_type {
            return Err(LegSetupError::PayloadType);
        }
        let blocks = match (ptime_ms.unwrap_or(20), codec) {
            (20, _) => 1,
            (ptime @ (40 | 60), LegCodec::Pcmu | LegCodec::Pcma) => ptime / 20,
            _ => return Err(LegSetupError::Ptime),
        };
        Ok(Self { codec, payload_type, event_type, remote, blocks })
    }
}

/// What legs count; clones share it.
#[derive(Debug, Clone, Default)]
pub struct LegCounters {
    /// Packets taken for the voice.
    pub packets_in: Counter,
    /// Datagrams that were nothing of the leg's: malformed, of another address, source or payload type.
    pub datagrams_refused: Counter,
    /// Packets of telephone events.
    pub events: Counter,
    /// Packets sent.
    pub packets_out: Counter,
}

/// One leg between its socket and the room.
#[derive(Debug)]
pub struct Leg {
    setup: LegSetup,
    participant: ParticipantId,
    networks: LegNetworks,
    source: VoiceSource,
    /// Extended sequence number of the packet taken last.
    taken: Option<u64>,
    remote: Option<SocketAddr>,
    voice: Option<(OpusDecoder, G711Encoder)>,
    /// G.711 that waits until a packet is whole, and the time it begins at.
    waiting: Vec<u8>,
    waiting_pts: Pts,
    own: SenderInfo,
    /// The outgoing timestamp of `Pts(0)`.
    base: u32,
    sequence: u16,
    /// The next packet follows nothing.
    breaks: bool,
    /// Room time and UTC of the last tick.
    last: Option<(Pts, Wallclock)>,
    begin: Instant,
    heard: Option<Instant>,
    report_due: Instant,
    counters: [LegCounters; 2],
}

impl Leg {
    /// A leg that has heard nothing, and whose other end lies in one of `networks`. `random` chooses its source number
    /// and where its numbers begin (RFC 3550 section 5.1); what it counts goes to each of `counters`.
    #[must_use]
    pub fn new(
        now: Instant,
        setup: LegSetup,
        participant: ParticipantId,
        networks: LegNetworks,
        random: u64,
        counters: [LegCounters; 2],
    ) -> Self {
        // An Opus decoder fails for want of memory alone; such a leg sends nothing.
        let voice = setup.codec.law().and_then(|law| Some((OpusDecoder::new().ok()?, G711Encoder::new(law))));
        let own = SenderInfo { ssrc: (random >> 32) as u32, ntp: 0, timestamp: 0, packets: 0, bytes: 0 };
        Self {
            setup,
            participant,
            networks,
            source: VoiceSource::default(),
            taken: None,
            remote: setup.remote,
            voice,
            waiting: Vec::new(),
            waiting_pts: Pts(0),
            own,
            base: random as u32,
            sequence: (random >> 16) as u16,
            breaks: true,
            last: None,
            begin: now,
            heard: None,
            report_due: now + limits::LEG_REPORT_INTERVAL,
            counters,
        }
    }

    /// Where its datagrams go: nowhere before its voice was heard, for anybody's address can be given as its own.
    #[must_use]
    pub fn remote(&self) -> Option<SocketAddr> {
        self.remote.filter(|_| self.is_heard())
    }

    /// When it is silent for too long, unless something comes.
    #[must_use]
    pub fn silent_at(&self) -> Instant {
        self.heard.unwrap_or(self.begin) + limits::LEG_SILENT_SPAN
    }

    /// Whether its voice was ever there.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.heard.is_some()
    }

    /// A datagram's voice, if it has one. What is not the leg's is counted and changes nothing.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Option<ReceivedFrame> {
        if self.remote.is_some_and(|remote| remote != from) || !self.networks.contain(from.ip()) {
            return self.refuse();
        }
        if packet::is_report(datagram) {
            let middle = self.source.ssrc().and_then(|ssrc| packet::sender_report_time(datagram, ssrc));
            middle.into_iter().for_each(|middle| self.source.reported(now, middle));
            return None;
        }
        let Some(packet) = RtpPacket::parse(datagram) else { return self.refuse() };
        if packet.payload_type == self.setup.event_type && self.source.ssrc() == Some(packet.ssrc) {
            self.count(|counters| &counters.events, 1);
            // It holds a place in the sequence (RFC 4733 section 2.1), and is a sign of life.
            self.heard = Some(now);
            return None;
        }
        if packet.payload_type != self.setup.payload_type || !self.is_sound(packet.payload) {
            return self.refuse();
        }
        let Some((sequence, rtp_time)) = self.source.accept(&packet) else { return self.refuse() };
        let since = now.saturating_duration_since(self.begin).as_nanos() * u128::from(self.setup.codec.clock());
        self.source.note_transit(u64::try_from(since / 1_000_000_000).unwrap_or(u64::MAX));
        self.remote = Some(from);
        self.heard = Some(now);
        self.count(|counters| &counters.packets_in, 1);
        let (codec, scale) = self.setup.codec.law().map_or((Codec::Opus, 1), |law| (Codec::G711(law), RATIO));
        let data = Bytes::copy_from_slice(packet.payload);
        let contiguous = self.taken.replace(sequence).is_some_and(|last| last.wrapping_add(1) == sequence);
        let whole = ReceivedFrame::of_one_packet(codec, data, sequence, rtp_time.wrapping_mul(scale), now);
        Some(ReceivedFrame { contiguous, ..whole })
    }

    /// Pushes what the leg hears of a tick: the mix without its own voice. `gap`: ticks were lost before it.
    pub fn hear(&mut self, tick: &MixTick, gap: bool, out: &mut Outbox<Vec<u8>>) {
        self.breaks |= gap;
        self.last = Some((tick.pts, tick.wallclock));
        let own = tick.minus.iter().find(|(heard, _)| *heard == self.participant);
        let mix = own.map_or(&tick.shared, |(_, frame)| frame);
        let Some((decoder, encoder)) = &mut self.voice else {
            let number = u128::from(tick.pts.0) / limits::AUDIO_TICK.as_nanos();
            if self.setup.codec.law().is_some() {
                return;
            }
            if tick.silent && !number.is_multiple_of(u128::from(limits::DTX_TICKS)) {
                // What comes next begins a talk spurt (RFC 3551 section 4.1).
                self.breaks = true;
                return;
            }
            return self.send(tick.pts, &mix.data, out);
        };
        if gap {
            self.waiting.clear();
        }
        if self.waiting.is_empty() {
            self.waiting_pts = tick.pts;
        }
        // The node made the packet, so libopus takes it; a refusal would leave a hole in the timestamps.
        let Ok(stereo) = decoder.decode(&mix.data) else { return };
        encoder.encode(stereo, &mut self.waiting);
        let whole = usize::from(self.setup.blocks) * limits::PCM_FRAMES / RATIO as usize;
        if self.waiting.len() >= whole {
            let mut bytes = std::mem::take(&mut self.waiting);
            self.send(self.waiting_pts, &bytes, out);
            bytes.clear();
            self.waiting = bytes;
        }
    }

    /// The RTCP report that is due now, if one is.
    pub fn report(&mut self, now: Instant, out: &mut Outbox<Vec<u8>>) {
        if now < self.report_due {
            return;
        }
        self.report_due = now + limits::LEG_REPORT_INTERVAL;
        let Some((pts, wallclock)) = self.last.filter(|_| self.remote().is_some()) else { return };
        let seconds = wallclock.unix_seconds() + NTP_EPOCH;
        let fraction = ((u128::from(wallclock.0) % 1_000_000_000) << 32) / 1_000_000_000;
        self.own.ntp = (seconds << 32) | fraction as u64;
        self.own.timestamp = self.timestamp(pts);
        out.push(packet::write_report(&self.own, self.source.report_block(now).as_ref()));
    }

    /// When [`Self::report`] is due.
    #[must_use]
    pub fn report_due(&self) -> Instant {
        self.report_due
    }

    fn is_sound(&self, payload: &[u8]) -> bool {
        match self.setup.codec {
            LegCodec::Opus => (1..=limits::OPUS_LEN_MAX).contains(&payload.len()),
            LegCodec::Pcmu | LegCodec::Pcma => (limits::G711_LEN_MIN..=limits::G711_LEN_MAX).contains(&payload.len()),
        }
    }

    fn refuse(&self) -> Option<ReceivedFrame> {
        self.count(|counters| &counters.datagrams_refused, 1);
        None
    }

    fn count(&self, which: impl Fn(&LegCounters) -> &Counter, n: u64) {
        self.counters.iter().for_each(|counters| which(counters).add(n));
    }

    fn timestamp(&self, pts: Pts) -> u32 {
        self.base.wrapping_add(rtp_from_pts(pts, self.setup.codec.clock()) as u32)
    }

    fn send(&mut self, pts: Pts, payload: &[u8], out: &mut Outbox<Vec<u8>>) {
        if self.remote().is_none() {
            return;
        }
        self.sequence = self.sequence.wrapping_add(1);
        let packet = RtpPacket {
            payload_type: self.setup.payload_type,
            marker: std::mem::take(&mut self.breaks),
            sequence: self.sequence,
            timestamp: self.timestamp(pts),
            ssrc: self.own.ssrc,
            payload,
        };
        out.push(packet.write());
        self.own.packets = self.own.packets.wrapping_add(1);
        self.own.bytes = self.own.bytes.wrapping_add(payload.len() as u32);
        self.count(|counters| &counters.packets_out, 1);
    }
}

#[cfg(test)]
mod tests;
