//! **The question:** which packets are the leg's voice, and in which order were they sent? RFC 3550 appendix A: one
//! source at a time, its numbers extended, its losses and jitter counted.

use std::time::Instant;

use crate::io::rtp::packet::{ReportBlock, RtpPacket};

/// Extended numbers begin here, so that what is older than the first packet is not negative.
const BEGIN: u64 = 1 << 40;
/// Another source's numbers are so far off that nobody takes them for the old one's.
const SOURCE_APART: u64 = 1 << 34;

/// The source that is listened to.
#[derive(Debug, Default)]
pub(super) struct VoiceSource {
    current: Option<Current>,
    /// Another source's last packet: two in a row, and it is taken for the voice.
    other: Option<(u32, u16)>,
    sequence: u64,
    rtp_time: u64,
}

#[derive(Debug)]
struct Current {
    ssrc: u32,
    first: u64,
    highest: u64,
    received: u64,
    /// Of the last report: packets expected and received until then.
    reported: (u64, u64),
    /// Transit of the last packet, and its smoothed change, in sixteenths of the clock's unit (appendix A.8).
    transit: Option<i64>,
    jitter: u64,
    /// The middle of its last sender report's NTP time, and when that came.
    report: Option<(u32, Instant)>,
}

impl VoiceSource {
    /// The packet's extended sequence number and RTP time; `None` while another source is not yet believed.
    pub(super) fn accept(&mut self, packet: &RtpPacket<'_>) -> Option<(u64, u64)> {
        match &self.current {
            Some(current) if current.ssrc == packet.ssrc => {
                self.sequence = extend(self.sequence, u64::from(packet.sequence), 16);
                self.rtp_time = extend(self.rtp_time, u64::from(packet.timestamp), 32);
            }
            Some(_) if self.other != Some((packet.ssrc, packet.sequence.wrapping_sub(1))) => {
                self.other = Some((packet.ssrc, packet.sequence));
                return None;
            }
            _ => self.begin(packet),
        }
        self.other = None;
        let current = self.current.as_mut().expect("set above, or it was there");
        current.received += 1;
        current.highest = current.highest.max(self.sequence);
        Some((self.sequence, self.rtp_time))
    }

    /// Whose packets are taken.
    pub(super) fn ssrc(&self) -> Option<u32> {
        self.current.as_ref().map(|current| current.ssrc)
    }

    /// Learns a packet's transit time: its arrival less its RTP time, in units of its clock.
    pub(super) fn note_transit(&mut self, arrival: u64) {
        let rtp_time = self.rtp_time;
        let Some(current) = &mut self.current else { return };
        let transit = arrival.wrapping_sub(rtp_time).cast_signed();
        if let Some(before) = current.transit.replace(transit) {
            // A jump of the clock is no jitter.
            let change = transit.wrapping_sub(before).unsigned_abs().min(u64::from(u16::MAX));
            current.jitter = current.jitter + change - ((current.jitter + 8) >> 4);
        }
    }

    /// Its sender report came.
    pub(super) fn reported(&mut self, now: Instant, middle: u32) {
        if let Some(current) = &mut self.current {
            current.report = Some((middle, now));
        }
    }

    /// What is told of it now; `None` before it was heard.
    pub(super) fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        let current = self.current.as_mut()?;
        let expected = current.highest - current.first + 1;
        let (expected_before, received_before) = std::mem::replace(&mut current.reported, (expected, current.received));
        let due = expected - expected_before;
        let missing = due.saturating_sub(current.received - received_before);
        let (last_report, delay) = current.report.map_or((0, 0), |(middle, at)| {
            let delay = now.saturating_duration_since(at).as_nanos() * 65_536 / 1_000_000_000;
            (middle, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        Some(ReportBlock {
            ssrc: current.ssrc,
            fraction_lost: u8::try_from((missing * 256).checked_div(due).unwrap_or(0)).unwrap_or(u8::MAX),
            lost: u32::try_from(expected.saturating_sub(current.received)).unwrap_or(u32::MAX).min(0x007f_ffff),
            highest: (current.highest & 0xffff_ffff) as u32,
            jitter: u32::try_from(current.jitter >> 4).unwrap_or(u32::MAX),
            last_report,
            delay,
        })
    }

    fn begin(&mut self, packet: &RtpPacket<'_>) {
        let base = if self.current.is_some() {
            (self.sequence.max(self.rtp_time) & !0xffff_ffff) + SOURCE_APART
        } else {
            BEGIN
        };
        self.sequence = base + u64::from(packet.sequence);
        self.rtp_time = base + u64::from(packet.timestamp);
        self.current = Some(Current {
            ssrc: packet.ssrc,
            first: self.sequence,
            highest: self.sequence,
            received: 0,
            reported: (0, 0),
            transit: None,
            jitter: 0,
            report: None,
        });
    }
}

/// The number that ends in `low` and lies nearest to `last`.
fn extend(last: u64, low: u64, bits: u32) -> u64 {
    let span = 1_u64 << bits;
    let step = low.wrapping_sub(last) & (span - 1);
    if step < span / 2 { last.wrapping_add(step) } else { last.wrapping_add(step).wrapping_sub(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> RtpPacket<'static> {
        RtpPacket { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &[] }
    }

    #[test]
    fn numbers_wrap_and_go_back() {
        let mut source = VoiceSource::default();
        let (first, time) = source.accept(&packet(1, 65_534, u32::MAX - 100)).unwrap();
        assert_eq!(source.accept(&packet(1, 1, 380)), Some((first + 3, time + 481)));
        assert_eq!(source.accept(&packet(1, 65_535, 59)), Some((first + 1, time + 160)));
        let block = source.report_block(Instant::now()).unwrap();
        assert_eq!((block.lost, block.fraction_lost), (1, 64), "one of four is missing");
    }

    #[test]
    fn another_source_is_believed_at_its_second_packet_and_lies_far_off() {
        let mut source = VoiceSource::default();
        let (first, _) = source.accept(&packet(1, 10, 0)).unwrap();
        assert_eq!(source.accept(&packet(2, 10, 0)), None);
        assert!(source.accept(&packet(1, 11, 160)).is_some(), "a single stray changes nothing");
        assert_eq!(source.accept(&packet(2, 12, 0)), None);
        let (other, _) = source.accept(&packet(2, 13, 160)).unwrap();
        assert!(other > first + 100_000);
        assert_eq!(source.ssrc(), Some(2));
    }

    #[test]
    fn jitter_is_the_rfcs() {
        let mut source = VoiceSource::default();
        for n in 0..400_u16 {
            source.accept(&packet(1, n, u32::from(n) * 160)).unwrap();
            // Every other packet is 10 ms late: 80 units of change at each.
            source.note_transit(u64::from(n) * 160 + u64::from(n % 2) * 80);
        }
        let jitter = source.report_block(Instant::now()).unwrap().jitter;
        assert!((78..=80).contains(&jitter), "{jitter}");
    }
}
