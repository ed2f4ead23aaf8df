//! **The question:** what does the demultiplexer read of a datagram? Everything else is str0m's.

/// The fixed part (RFC 8489 section 5).
const HEADER_BYTES: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: u16 = 0x0006;

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

/// Whether the datagram is DTLS (RFC 7983 section 7).
pub(super) fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

#[cfg(test)]
mod tests {
    use super::*;

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
