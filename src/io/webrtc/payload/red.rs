//! **The question:** what does a RED payload carry (RFC 2198)? One packet's own sound, last, and before it copies of
//! earlier packets. Pure.

use std::ops::Range;

use smallvec::SmallVec;

use crate::base::limits::RED_BLOCKS_MAX;

/// One block of a RED payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io::webrtc) struct Block {
    /// How much earlier than the packet its sound is, in RTP time; zero for the packet's own.
    pub(in crate::io::webrtc) earlier: u64,
    /// Where its bytes stand in the payload.
    pub(in crate::io::webrtc) bytes: Range<usize>,
}

/// The blocks in the order of the payload, the packet's own last; `None` when the payload is malformed, or has more
/// blocks than any sender needs.
pub(in crate::io::webrtc) fn unpack(payload: &[u8]) -> Option<SmallVec<[Block; RED_BLOCKS_MAX]>> {
    let mut blocks: SmallVec<[Block; RED_BLOCKS_MAX]> = SmallVec::new();
    let mut at = 0;
    let mut length = 0;
    // Section 3: a bit that says whether more follow, seven bits of payload type; then 14 bits of offset and 10 of
    // length.
    while payload.get(at)? & 0x80 != 0 {
        let header = payload.get(at..at + 4)?;
        if blocks.len() == RED_BLOCKS_MAX - 1 {
            return None;
        }
        let earlier = u64::from(header[1]) << 6 | u64::from(header[2] >> 2);
        let bytes = length..length + (usize::from(header[2] & 0b11) << 8 | usize::from(header[3]));
        length = bytes.end;
        blocks.push(Block { earlier, bytes });
        at += 4;
    }
    at += 1;
    for block in &mut blocks {
        block.bytes = block.bytes.start + at..block.bytes.end + at;
    }
    if at + length > payload.len() {
        return None;
    }
    blocks.push(Block { earlier: 0, bytes: at + length..payload.len() });
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_copy_and_the_packets_own_sound_are_told_apart() {
        // 960 samples earlier, 3 bytes.
        let payload = [0x80 | 111, 15, 0, 3, 111, 1, 2, 3, 4, 5];
        let blocks = unpack(&payload).unwrap();
        assert_eq!(blocks[0], Block { earlier: 960, bytes: 5..8 });
        assert_eq!(blocks[1], Block { earlier: 0, bytes: 8..10 });
        assert_eq!(unpack(&[111, 9]).unwrap()[..], [Block { earlier: 0, bytes: 1..2 }]);
        assert_eq!(unpack(&payload[..7]), None, "cut within the copy");
        assert_eq!(unpack(&[]), None);
        assert_eq!(unpack(&[0xff; 64]), None, "headers without end");
    }

    proptest! {
        #[test]
        fn no_payload_breaks_it(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(blocks) = unpack(&payload) {
                prop_assert!(blocks.len() <= RED_BLOCKS_MAX);
                let is_within = |bytes: &Range<usize>| bytes.start <= bytes.end && bytes.end <= payload.len();
                prop_assert!(blocks.iter().all(|block| is_within(&block.bytes)));
                prop_assert!(blocks.windows(2).all(|pair| pair[0].bytes.end == pair[1].bytes.start));
            }
        }
    }
}
