//! **The question:** where does a datagram end in a stream of bytes? Each begins with its length, two bytes, the higher
//! one first (RFC 4571 section 2).

use crate::base::limits;

/// Bytes of a length.
pub(super) const HEAD_BYTES: usize = 2;

/// A frame is longer than any datagram: whoever sent it speaks something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io::webrtc) struct Oversized;

/// What a frame begins with; `None` for what no frame can hold.
pub(in crate::io::webrtc) fn head(datagram: &[u8]) -> Option<[u8; HEAD_BYTES]> {
    u16::try_from(datagram.len()).ok().map(u16::to_be_bytes)
}

/// The first frame, if all of it is there.
pub(super) fn first(bytes: &[u8]) -> Result<Option<&[u8]>, Oversized> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*head));
    if length > limits::DATAGRAM_LEN_MAX { Err(Oversized) } else { Ok(rest.get(..length)) }
}

/// Whether a connection's first byte may be one of a frame that begins media: a STUN message has fewer than 768 bytes
/// here, and neither a method's name nor a TLS record (RFC 8446 section 5.1) begins like that.
pub(super) fn may_begin(first: u8) -> bool {
    first < 3
}

/// A stream's frames, however it was cut up.
#[derive(Debug, Default)]
pub(in crate::io::webrtc) struct Deframer {
    /// What came of a frame that is not whole.
    held: Vec<u8>,
}

impl Deframer {
    /// Takes what came, and hands over each datagram that is whole now. An empty frame is none.
    ///
    /// # Errors
    /// When a frame is too long; what comes after it means nothing.
    pub(in crate::io::webrtc) fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Oversized> {
        while !self.held.is_empty() {
            let Some(missing) = missing(&self.held, bytes)? else {
                self.held.extend_from_slice(bytes);
                return Ok(());
            };
            let (end, rest) = bytes.split_at(missing);
            self.held.extend_from_slice(end);
            bytes = rest;
            if let Some(datagram) = first(&self.held)? {
                if !datagram.is_empty() {
                    each(datagram);
                }
                self.held.clear();
            }
        }
        while let Some(datagram) = first(bytes)? {
            if !datagram.is_empty() {
                each(datagram);
            }
            bytes = &bytes[HEAD_BYTES + datagram.len()..];
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }
}

/// How many of `bytes` the frame that `held` begins still needs, first for its length and then for itself; `None` if
/// there are not so many.
fn missing(held: &[u8], bytes: &[u8]) -> Result<Option<usize>, Oversized> {
    let needed = match held.first_chunk::<HEAD_BYTES>() {
        None => HEAD_BYTES,
        Some(head) => HEAD_BYTES + usize::from(u16::from_be_bytes(*head)),
    };
    if needed > HEAD_BYTES + limits::DATAGRAM_LEN_MAX {
        return Err(Oversized);
    }
    Ok(Some(needed - held.len()).filter(|missing| *missing <= bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    fn framed(datagrams: &[Vec<u8>]) -> Vec<u8> {
        datagrams.iter().flat_map(|one| head(one).unwrap().into_iter().chain(one.iter().copied())).collect()
    }

    fn unframed(deframer: &mut Deframer, parts: &[&[u8]]) -> Result<Vec<Vec<u8>>, Oversized> {
        let mut seen = Vec::new();
        for part in parts {
            deframer.push(part, |datagram| seen.push(datagram.to_vec()))?;
        }
        Ok(seen)
    }

    #[test]
    fn frames_are_whole_wherever_the_stream_was_cut() {
        let datagrams = [vec![1], vec![2; 300], vec![3; limits::DATAGRAM_LEN_MAX], vec![4; 2], vec![5; 256]];
        let stream = framed(&datagrams);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(unframed(&mut Deframer::default(), &[head, tail]).unwrap(), datagrams, "cut at {cut}");
        }
        let singles: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(unframed(&mut Deframer::default(), &singles).unwrap(), datagrams);
    }

    #[test]
    fn an_empty_frame_is_no_datagram() {
        let stream = [0, 0, 0, 1, 7, 0, 0, 0, 0];
        assert_eq!(unframed(&mut Deframer::default(), &[&stream]).unwrap(), [[7]]);
        for cut in 0..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(unframed(&mut Deframer::default(), &[head, tail]).unwrap(), [[7]]);
        }
    }

    #[test]
    fn a_frame_too_long_is_refused_by_its_head() {
        let mut stream = framed(&[vec![1; 5]]);
        stream.extend((limits::DATAGRAM_LEN_MAX as u16 + 1).to_be_bytes());
        for cut in 0..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(unframed(&mut Deframer::default(), &[head, tail]), Err(Oversized));
        }
        assert_eq!(first(b"GET / HTTP/1.1\r\n"), Err(Oversized));
    }

    #[test]
    fn neither_http_nor_tls_begins_like_media() {
        assert!(may_begin(framed(&[vec![0; 100]])[0]) && may_begin(framed(&[vec![0; 700]])[0]));
        assert!(b"GPOHDCT\x16\x80".iter().all(|first| !may_begin(*first)));
    }

    #[test]
    fn hostile_streams_hold_no_more_than_a_frame() {
        let right = [framed(&[vec![1; 20], vec![2; 1_200]]), framed(&[vec![0; 3]])];
        let (mut mutator, mut deframer, mut refused) = (Mutator::new(13), Deframer::default(), 0);
        for _ in 0..rounds() {
            let bytes = mutator.bytes(&right);
            if deframer.push(&bytes, |datagram| assert!(datagram.len() <= limits::DATAGRAM_LEN_MAX)).is_err() {
                refused += 1;
                deframer = Deframer::default();
            }
            assert!(deframer.held.len() < HEAD_BYTES + limits::DATAGRAM_LEN_MAX);
        }
        assert!(refused > 0, "nothing was too long");
    }
}
