//! **The question:** what does the demultiplexer read of a datagram, and how does this side ask whether somebody reads
//! at an address? Everything else is str0m's.

use str0m::crypto::from_feature_flags;
use str0m::ice::StunMessage;

/// Bytes of a transaction's id.
pub(super) const TRANSACTION_BYTES: usize = 12;
/// The fixed part (RFC 8489 section 5).
const HEADER_BYTES: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
/// An attribute's type and length.
const ATTRIBUTE_HEAD_BYTES: usize = 4;
/// HMAC-SHA1's.
const MAC_BYTES: usize = 20;
/// Bytes of a check; a username has at most 513 (RFC 8489 section 14.3).
const CHECK_BYTES: usize = 700;
/// Of a peer-reflexive candidate (RFC 8445 section 5.1.2).
const PRIORITY: u32 = (110 << 24) | (0xffff << 8) | 255;

/// The `USERNAME` of a STUN message, if the datagram is one and has it.
fn username(datagram: &[u8]) -> Option<&str> {
    if datagram.len() < HEADER_BYTES || datagram[0] > 3 || datagram[4..8] != COOKIE {
        return None;
    }
    let mut rest = &datagram[HEADER_BYTES..];
    while rest.len() >= 4 {
        let kind = u16::from_be_bytes([rest[0], rest[1]]);
        let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        let value = rest.get(4..4 + length)?;
        if kind == USERNAME {
            return std::str::from_utf8(value).ok();
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

/// The `ice-ufrag` of this side that a STUN request names (RFC 8445 section 7.2.2); `None` for all that is no such
/// request.
pub(super) fn ufrag(datagram: &[u8]) -> Option<&str> {
    username(datagram).and_then(|username| username.split_once(':')).map(|(ours, _)| ours)
}

/// The transaction that an answer to a request of this side's names (RFC 8489 section 5: a success or an error, of the
/// method Binding).
pub(super) fn answered(datagram: &[u8]) -> Option<&[u8]> {
    let header = datagram.get(..HEADER_BYTES)?;
    (matches!(header[..2], [1, 1 | 17]) && header[4..8] == COOKIE).then_some(&header[8..])
}

/// Whether a message was written by somebody who knows the password (RFC 8489 section 14.5). Nothing else is asked of
/// it: FFmpeg's answer tells no mapped address, which the library's parser insists on.
pub(super) fn verifies(datagram: &[u8], password: &str) -> bool {
    let Some(at) = integrity(datagram) else { return false };
    // What comes after it is not covered, nor counted.
    let length = ((at - HEADER_BYTES + ATTRIBUTE_HEAD_BYTES + MAC_BYTES) as u16).to_be_bytes();
    let covered = [&datagram[..2], &length[..], &datagram[4..at]];
    let mac = from_feature_flags().sha1_hmac_provider.sha1_hmac(password.as_bytes(), &covered);
    let shown = &datagram[at + ATTRIBUTE_HEAD_BYTES..];
    mac.iter().zip(shown).fold(0, |apart, (here, there)| apart | (here ^ there)) == 0
}

/// Where the whole `MESSAGE-INTEGRITY` of a whole message begins.
fn integrity(datagram: &[u8]) -> Option<usize> {
    let told = datagram.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    if datagram.len() != HEADER_BYTES + told || datagram[4..8] != COOKIE {
        return None;
    }
    let mut at = HEADER_BYTES;
    while let Some(&[high, low, long, short]) = datagram.get(at..at + ATTRIBUTE_HEAD_BYTES) {
        let length = usize::from(u16::from_be_bytes([long, short]));
        if u16::from_be_bytes([high, low]) == INTEGRITY {
            return (length == MAC_BYTES && datagram.len() >= at + ATTRIBUTE_HEAD_BYTES + MAC_BYTES).then_some(at);
        }
        at += ATTRIBUTE_HEAD_BYTES + length.next_multiple_of(4);
    }
    None
}

/// A connectivity check (RFC 8445 section 7.2.2) of a side that is controlled and whose pair is nominated by the other.
pub(super) fn check(transaction: [u8; TRANSACTION_BYTES], username: &str, password: &str) -> Option<Vec<u8>> {
    // The library's ids are not meant to be guarded from guessing; one of an indication of ours is.
    let mut indication = vec![0, 0x11, 0, 0];
    indication.extend(COOKIE);
    indication.extend(transaction);
    let id = StunMessage::parse(&indication).ok()?.trans_id();
    let message = StunMessage::binding_request(username, id, false, 0, PRIORITY, false);
    let hmac = from_feature_flags().sha1_hmac_provider;
    let mut datagram = vec![0; CHECK_BYTES];
    let length =
        message.to_bytes(Some(password.as_bytes()), &mut datagram, |key, parts| hmac.sha1_hmac(key, parts)).ok()?;
    datagram.truncate(length);
    Some(datagram)
}

/// Whether the datagram is DTLS (RFC 7983 section 7).
pub(super) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_carries_its_transaction_and_its_answer_verifies() {
        let transaction = *b"twelve bytes";
        let check = check(transaction, "them:us", "their password").unwrap();
        assert_eq!((&check[8..20], username(&check)), (&transaction[..], Some("them:us")));
        assert_eq!((check.len().is_multiple_of(4), answered(&check)), (true, None), "it is no answer");
        let id = StunMessage::parse(&check).unwrap().trans_id();
        let reply = StunMessage::binding_reply(id, "192.0.2.1:9".parse().unwrap());
        let (mut datagram, hmac) = (vec![0; 200], from_feature_flags().sha1_hmac_provider);
        let length =
            reply.to_bytes(Some(b"their password"), &mut datagram, |key, parts| hmac.sha1_hmac(key, parts)).unwrap();
        datagram.truncate(length);
        assert_eq!(answered(&datagram), Some(&transaction[..]));
        assert!(verifies(&datagram, "their password") && !verifies(&datagram, "ours"));
        for length in 0..datagram.len() {
            assert!(!verifies(&datagram[..length], "their password"));
        }
    }

    /// What FFmpeg's WHIP muxer answers to a check: `MESSAGE-INTEGRITY` and `FINGERPRINT`, no mapped address.
    #[test]
    fn an_answer_without_a_mapped_address_verifies() {
        let mut answer = vec![1, 1, 0, 32];
        answer.extend(COOKIE);
        answer.extend(*b"twelve bytes");
        let covered: [&[u8]; 3] = [&answer[..2], &[0, 24], &answer[4..]];
        let mac = from_feature_flags().sha1_hmac_provider.sha1_hmac(b"their password", &covered);
        answer.extend([0, 8, 0, 20]);
        answer.extend(mac);
        answer.extend([0x80, 0x28, 0, 4, 1, 2, 3, 4]);
        assert_eq!(answered(&answer), Some(&b"twelve bytes"[..]));
        assert!(verifies(&answer, "their password") && !verifies(&answer, "ours"));
        for at in (0..answer.len() - 8).filter(|at| *at != 2 && *at != 3) {
            let mut forged = answer.clone();
            forged[at] ^= 1;
            assert!(!verifies(&forged, "their password"), "byte {at}");
        }
    }

    #[test]
    fn a_username_is_found_and_truncation_is_no_panic() {
        let mut message = vec![0, 1, 0, 20, 0x21, 0x12, 0xa4, 0x42];
        message.extend([0; 12]);
        message.extend([0x80, 0x22, 0, 3, 1, 2, 3, 0]);
        message.extend([0, 6, 0, 7]);
        message.extend(*b"ab:cdef\0");
        assert_eq!(username(&message), Some("ab:cdef"));
        for length in 0..message.len() - 1 {
            assert_eq!(username(&message[..length]), None);
        }
    }
}
