//! **The question:** which bytes are an SRT packet (section 3 of the draft), and what do somebody's bytes say?

use crate::base::limits;

/// Bytes of a payload in live mode: seven packets of a transport stream.
pub const SRT_PAYLOAD: usize = 1316;
/// Bytes of each header.
pub(super) const HEADER: usize = 16;
/// Numbers of packets have 31 bits.
pub(super) const SEQUENCE_MASK: u32 = 0x7fff_ffff;

/// Control types (table 1).
pub(super) const HANDSHAKE: u16 = 0;
pub(super) const KEEP_ALIVE: u16 = 1;
pub(super) const ACK: u16 = 2;
pub(super) const NAK: u16 = 3;
pub(super) const SHUTDOWN: u16 = 5;
pub(super) const ACK_ACK: u16 = 6;
pub(super) const DROP_REQUEST: u16 = 7;

/// Why nothing comes of a call; no text of it tells a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SrtError {
    /// It speaks something else, or another version.
    #[error("what it says is no SRT of version 1.3 or later: {0}")]
    Malformed(&'static str),
    /// It says no.
    #[error("it refuses: {0}")]
    Refused(String),
    /// It wants another passphrase, or one where there is none.
    #[error("it does not take the passphrase; both sides need the same, or none")]
    Passphrase,
    /// Nothing was heard of it for a while.
    #[error("nothing was heard of it any more")]
    Silent,
    /// It said goodbye.
    #[error("it ended the connection")]
    Closed,
    /// As many packets were sent as one key may hide.
    #[error("the connection is as long as it may be with one key, and begins anew")]
    Spent,
}

/// A control packet as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Control<'a> {
    pub(super) kind: u16,
    pub(super) info: u32,
    pub(super) body: &'a [u8],
}

/// Reads a control packet for us; `None` for data, for what is for others, and for what is too short.
pub(super) fn control(datagram: &[u8], socket: u32) -> Option<Control<'_>> {
    let (header, body) = datagram.split_first_chunk::<HEADER>()?;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let first = word(0);
    if first >> 31 == 0 || word(12) != socket {
        return None;
    }
    Some(Control { kind: (first >> 16 & 0x7fff) as u16, info: word(4), body })
}

/// A control packet.
pub(super) fn write_control(kind: u16, info: u32, (time, socket): (u32, u32), body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + body.len());
    packet.extend_from_slice(&(1_u32 << 31 | u32::from(kind) << 16).to_be_bytes());
    for word in [info, time, socket] {
        packet.extend_from_slice(&word.to_be_bytes());
    }
    packet.extend_from_slice(body);
    packet
}

/// A data packet: a whole message of its own, of the even key where it is encrypted.
pub(super) fn write_data(
    (sequence, message): (u32, u32),
    (is_encrypted, again): (bool, bool),
    (time, socket): (u32, u32),
    payload: &[u8],
) -> Vec<u8> {
    let flags = 0b11 << 30 | u32::from(is_encrypted) << 27 | u32::from(again) << 26;
    let mut packet = Vec::with_capacity(HEADER + payload.len());
    for word in [sequence & SEQUENCE_MASK, flags | message & 0x03ff_ffff, time, socket] {
        packet.extend_from_slice(&word.to_be_bytes());
    }
    packet.extend_from_slice(payload);
    packet
}

/// How far `to` is behind `from`, by the shorter way round.
pub(super) fn distance(from: u32, to: u32) -> i64 {
    let ahead = i64::from(to.wrapping_sub(from) & SEQUENCE_MASK);
    if ahead > i64::from(SEQUENCE_MASK / 2) { ahead - i64::from(SEQUENCE_MASK) - 1 } else { ahead }
}

/// Appendix A: single numbers, and ranges whose first one has the top bit set.
pub(super) fn losses(body: &[u8]) -> Vec<(u32, u32)> {
    let mut words = body.chunks_exact(4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]));
    let mut ranges = Vec::new();
    while let Some(first) = words.next().filter(|_| ranges.len() < limits::SRT_LOSSES_MAX) {
        if first >> 31 == 0 {
            ranges.push((first, first));
        } else if let Some(last) = words.next() {
            ranges.push((first & SEQUENCE_MASK, last & SEQUENCE_MASK));
        }
    }
    ranges
}
