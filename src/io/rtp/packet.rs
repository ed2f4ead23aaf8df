//! **The question:** which bytes are an RTP packet, and which a report? RFC 3550 sections 5.1 and 6.4, both on one port
//! (RFC 5761).

/// Bytes of an RTP header without extras.
const HEADER_BYTES: usize = 12;
/// RTCP packet types (RFC 3550 section 12.1).
const SENDER_REPORT: u8 = 200;
const SOURCE_DESCRIPTION: u8 = 202;

/// One RTP packet, as it lies in its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RtpPacket<'a> {
    pub(super) payload_type: u8,
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// Without padding.
    pub(super) payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads a datagram; `None` when it is no RTP packet of version 2.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let header = datagram.get(..HEADER_BYTES).filter(|header| header[0] >> 6 == 2)?;
        let mut rest = datagram.get(HEADER_BYTES + 4 * usize::from(header[0] & 0xf)..)?;
        if header[0] & 0x10 != 0 {
            let words = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]);
            rest = rest.get(4 + 4 * usize::from(words)..)?;
        }
        if header[0] & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            rest = rest.get(..rest.len().checked_sub(padding).filter(|_| padding > 0)?)?;
        }
        Some(Self {
            payload_type: header[1] & 0x7f,
            marker: header[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([header[2], header[3]]),
            timestamp: word(header, 4)?,
            ssrc: word(header, 8)?,
            payload: rest,
        })
    }

    /// The datagram of it.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        out.extend([0x80, self.payload_type | u8::from(self.marker) << 7]);
        out.extend(self.sequence.to_be_bytes());
        out.extend(self.timestamp.to_be_bytes());
        out.extend(self.ssrc.to_be_bytes());
        out.extend(self.payload);
        out
    }
}

/// Whether a datagram is RTCP rather than RTP (RFC 5761 section 4).
pub(super) fn is_report(datagram: &[u8]) -> bool {
    datagram.len() >= 8 && datagram[0] >> 6 == 2 && (192..=223).contains(&datagram[1])
}

/// The middle 32 bits of the NTP time in a datagram that begins with the sender report of `ssrc`.
pub(super) fn sender_report_time(datagram: &[u8], ssrc: u32) -> Option<u32> {
    let is_sender_report = datagram.len() >= 28 && datagram[1] == SENDER_REPORT && word(datagram, 4)? == ssrc;
    is_sender_report.then(|| word(datagram, 10)).flatten()
}

/// What this side tells of what it received (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReportBlock {
    pub(super) ssrc: u32,
    /// In 256ths.
    pub(super) fraction_lost: u8,
    /// 24 bits.
    pub(super) lost: u32,
    pub(super) highest: u32,
    pub(super) jitter: u32,
    pub(super) last_report: u32,
    /// In 65,536ths of a second.
    pub(super) delay: u32,
}

/// What this side tells of what it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderInfo {
    pub(super) ssrc: u32,
    /// Seconds since 1900 and their fraction.
    pub(super) ntp: u64,
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    pub(super) bytes: u32,
}

/// A compound of sender report and source description; the name is the source's own number.
pub(super) fn write_report(sender: &SenderInfo, block: Option<&ReportBlock>) -> Vec<u8> {
    let blocks = u8::from(block.is_some());
    let mut out = vec![0x80 | blocks, SENDER_REPORT, 0, 6 + 6 * blocks];
    out.extend(sender.ssrc.to_be_bytes());
    out.extend(sender.ntp.to_be_bytes());
    for value in [sender.timestamp, sender.packets, sender.bytes] {
        out.extend(value.to_be_bytes());
    }
    if let Some(block) = block {
        let lost = u32::from(block.fraction_lost) << 24 | block.lost & 0x00ff_ffff;
        for value in [block.ssrc, lost, block.highest, block.jitter, block.last_report, block.delay] {
            out.extend(value.to_be_bytes());
        }
    }
    // CNAME (1) of eight characters, ended and filled up by zeros (section 6.5).
    out.extend([0x81, SOURCE_DESCRIPTION, 0, 4]);
    out.extend(sender.ssrc.to_be_bytes());
    out.extend([1, 8]);
    out.extend(format!("{:08x}", sender.ssrc).bytes());
    out.extend([0, 0]);
    out
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_survive_their_bytes_and_extras_are_passed_over() {
        let packet = RtpPacket {
            payload_type: 8,
            marker: true,
            sequence: 0xfffe,
            timestamp: 0x0102_0304,
            ssrc: 0xdead_beef,
            payload: &[1, 2, 3],
        };
        let plain = packet.write();
        assert_eq!(RtpPacket::parse(&plain), Some(packet));
        // One contributing source, an extension of one word, two bytes of padding.
        let mut rich = plain[..12].to_vec();
        rich[0] |= 0x31;
        rich.extend([9, 9, 9, 9, 0xbe, 0xde, 0, 1, 7, 7, 7, 7, 1, 2, 3, 0, 2]);
        assert_eq!(RtpPacket::parse(&rich), Some(packet));
        for end in 0..rich.len() {
            // Whatever is cut off, nothing is read beyond the end.
            let _ = RtpPacket::parse(&rich[..end]);
        }
        rich.pop();
        rich.push(200);
        assert_eq!(RtpPacket::parse(&rich), None, "more padding than there are bytes");
    }

    #[test]
    fn reports_are_told_from_packets_and_say_what_they_should() {
        let sender = SenderInfo { ssrc: 7, ntp: 0x0001_0002_0003_0004, timestamp: 1, packets: 2, bytes: 3 };
        let block = ReportBlock {
            ssrc: 9,
            fraction_lost: 26,
            lost: 5,
            highest: 70_000,
            jitter: 11,
            last_report: 0x0002_0003,
            delay: 65_536,
        };
        let report = write_report(&sender, Some(&block));
        assert_eq!((report.len(), usize::from(report[3])), (52 + 20, 12));
        assert!(is_report(&report) && !is_report(&[0x80, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(sender_report_time(&report, 7), Some(0x0002_0003));
        assert_eq!(sender_report_time(&report, 8), None);
        assert_eq!(&report[32..36], [26, 0, 0, 5]);
        assert_eq!(write_report(&sender, None).len(), 28 + 20);
    }
}
