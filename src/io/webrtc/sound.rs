//! **The question:** which sound do these packets bring? One frame a packet, in the order of arrival, and copies of
//! lost ones where packets carry them. Pure; order and repetition are the jitter buffer's business.

use bytes::Bytes;

use crate::base::media::{Codec, Orientation, Outbox, ReceivedFrame};
use crate::io::webrtc::assemble::{Assembled, WirePacket};
use crate::io::webrtc::payload::red::unpack;
use crate::io::webrtc::payload::sound_unit;

/// Counts of one sound track, since its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SoundStats {
    /// Packets that came in.
    pub packets: u64,
    /// Packets that their payload format forbids, without a payload or too long, or malformed RED.
    pub discarded: u64,
    /// Lost packets whose copies came with later ones (RFC 2198).
    pub restored: u64,
}

/// Packets of one track of sound → frames, one for one. Order and repetition are the jitter buffer's business.
#[derive(Debug)]
pub struct SoundAssembler {
    codec: Codec,
    last: Option<u64>,
    /// Bit n: the packet n before `last` was there.
    seen: u64,
    stats: SoundStats,
}

impl SoundAssembler {
    /// An assembler of payloads of `codec` that has seen nothing.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, last: None, seen: 0, stats: SoundStats::default() }
    }

    /// The packet's frame; `None` for one that carries no sound.
    pub fn push(&mut self, packet: WirePacket) -> Option<ReceivedFrame> {
        self.stats.packets += 1;
        let contiguous = self.note(packet.sequence);
        self.frame(&packet, Bytes::from_owner(packet.payload.clone()), contiguous)
    }

    /// A RED packet's frame, and then those before it that were lost and whose copies it carries (RFC 2198). Copies
    /// have no sequence number of their own; each is taken for the packet right before the next block's.
    pub fn push_red(&mut self, packet: &WirePacket, out: &mut Outbox<Assembled>) {
        self.stats.packets += 1;
        let Some(blocks) = unpack(&packet.payload) else {
            self.stats.discarded += 1;
            return;
        };
        let payload = Bytes::from_owner(packet.payload.clone());
        for (back, block) in blocks.iter().rev().enumerate() {
            let sequence = packet.sequence.wrapping_sub(back as u64);
            if back > 0 && (block.bytes.is_empty() || self.was_seen(sequence)) {
                continue;
            }
            let contiguous = self.note(sequence);
            let rtp_time = packet.rtp_time.wrapping_sub(block.earlier);
            // A copy's own capture time is nothing that anybody waits for.
            let captured = packet.captured.filter(|_| back == 0);
            let own = WirePacket { sequence, rtp_time, captured, ..packet.clone() };
            if let Some(frame) = self.frame(&own, payload.slice(block.bytes.clone()), contiguous) {
                self.stats.restored += u64::from(back > 0);
                out.push(Assembled::Frame(frame));
            }
        }
    }

    /// Remembers that a packet was there; true if it follows the one before.
    fn note(&mut self, sequence: u64) -> bool {
        let Some(last) = self.last else {
            self.last = Some(sequence);
            self.seen = 1;
            return false;
        };
        if sequence > last {
            self.seen = self.seen.checked_shl(u32::try_from(sequence - last).unwrap_or(u32::MAX)).unwrap_or(0) | 1;
            self.last = Some(sequence);
        } else {
            self.seen |= u32::try_from(last - sequence).ok().and_then(|back| 1_u64.checked_shl(back)).unwrap_or(0);
        }
        last.checked_add(1) == Some(sequence)
    }

    /// Whether a packet was there, or is so old that nobody waits for it.
    fn was_seen(&self, sequence: u64) -> bool {
        let back = self.last.and_then(|last| last.checked_sub(sequence)).and_then(|back| u32::try_from(back).ok());
        back.and_then(|back| self.seen.checked_shr(back)).is_none_or(|bits| bits & 1 == 1)
    }

    fn frame(&mut self, packet: &WirePacket, payload: Bytes, contiguous: bool) -> Option<ReceivedFrame> {
        let Ok(unit) = sound_unit(self.codec, payload) else {
            self.stats.discarded += 1;
            return None;
        };
        Some(ReceivedFrame {
            codec: self.codec,
            data: unit.data,
            keyframe: unit.keyframe,
            sequence_first: packet.sequence,
            sequence_last: packet.sequence,
            contiguous,
            rtp_time: packet.rtp_time,
            arrival: packet.arrival,
            captured: packet.captured,
            audio_level: packet.audio_level,
            rid: packet.rid,
            colour: None,
            orientation: Orientation::default(),
            temporal: None,
        })
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> SoundStats {
        self.stats
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::base::media::AudioLevel;

    #[test]
    fn a_red_copy_takes_the_place_of_a_lost_packet_and_of_no_other() {
        let start = Instant::now();
        let (mut assembler, mut out) = (SoundAssembler::new(Codec::Opus), Outbox::new());
        for sequence in [0_u64, 1, 3, 4, 5] {
            // The copy of the packet before, 960 earlier, of one byte; then the packet's own byte.
            let bytes = [0x80 | 111, 15, 0, 1, 111, sequence.wrapping_sub(1) as u8, sequence as u8];
            let packet = WirePacket {
                captured: None,
                sequence,
                rtp_time: sequence.wrapping_mul(960),
                marker: false,
                arrival: start,
                payload: Arc::from(&bytes[..]),
                audio_level: None,
                rid: None,
                colour: None,
                orientation: None,
            };
            if sequence == 4 {
                let payload = Arc::from(&[0xff; 9][..]);
                assembler.push_red(&WirePacket { payload, ..packet.clone() }, &mut out);
            }
            assembler.push_red(&packet, &mut out);
        }
        let heard: Vec<_> = out
            .drain()
            .filter_map(|assembled| match assembled {
                Assembled::Frame(frame) => Some((frame.sequence_first, frame.rtp_time / 960, frame.data[0])),
                Assembled::RequestKeyframe => None,
            })
            .collect();
        // The first packet's copy is of one that was sent before anybody listened: it is older than all and not waited
        // for.
        assert_eq!(heard, [(0, 0, 0), (1, 1, 1), (3, 3, 3), (2, 2, 2), (4, 4, 4), (5, 5, 5)]);
        assert_eq!(assembler.stats(), SoundStats { packets: 6, discarded: 1, restored: 1 });
    }

    #[test]
    fn sound_goes_through_packet_by_packet() {
        let arrival = Instant::now();
        let mut assembler = SoundAssembler::new(Codec::Opus);
        let packet = |sequence, payload: &[u8]| WirePacket {
            captured: None,
            sequence,
            rtp_time: sequence * 960,
            marker: false,
            arrival,
            payload: Arc::from(payload),
            audio_level: Some(AudioLevel(30)),
            rid: None,
            colour: None,
            orientation: None,
        };
        let frame = assembler.push(packet(7, &[1, 2])).unwrap();
        assert_eq!((&frame.data[..], frame.keyframe, frame.codec), (&[1, 2][..], true, Codec::Opus));
        assert_eq!(frame.audio_level, Some(AudioLevel(30)));
        assert!(assembler.push(packet(8, &[])).is_none());
        assert!(assembler.push(packet(9, &[1])).unwrap().contiguous);
        assert!(!assembler.push(packet(11, &[1])).unwrap().contiguous);
        assert!(!assembler.push(packet(10, &[1])).unwrap().contiguous);
        assert!(assembler.push(packet(12, &[1])).unwrap().contiguous);
        assert_eq!(assembler.stats(), SoundStats { packets: 6, discarded: 1, restored: 0 });
    }
}
