//! **The question:** what lies in a block of Matroska (RFC 9559, section 10)? One frame, or several by one of three
//! lacings.

use bytes::Bytes;

use crate::io::demux::ebml::read_number;

/// A block's head, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) track: u64,
    /// Units of time since its cluster's.
    pub(super) time: i16,
    /// Of a simple block: decoding may start here.
    pub(super) keyframe: bool,
    lacing: u8,
    rest: Bytes,
}

impl Block {
    /// Whose block begins with these bytes.
    pub(super) fn track(front: &[u8]) -> Option<u64> {
        read_number(front).map(|(track, _)| track)
    }

    pub(super) fn parse(block: &Bytes) -> Option<Self> {
        let (track, rest) = read_number(block)?;
        let ([high, low, flags], rest) = rest.split_first_chunk::<3>()?;
        let time = i16::from_be_bytes([*high, *low]);
        let (keyframe, lacing) = (flags & 0x80 != 0, flags >> 1 & 0b11);
        Some(Self { track, time, keyframe, lacing, rest: block.slice_ref(rest) })
    }
}

/// The frames of a block, in order; `None` if they do not fill it.
pub(super) fn frames(block: &Block) -> Option<Vec<Bytes>> {
    let rest = &block.rest;
    if block.lacing == 0 {
        return Some(vec![rest.clone()]);
    }
    let (&count, body) = rest.split_first()?;
    let count = usize::from(count) + 1;
    let (sizes, body) = match block.lacing {
        1 => xiph(body, count)?,
        2 => (vec![body.len() / count; count - 1], body),
        _ => ebml(body, count)?,
    };
    let mut left = body;
    let mut frames = Vec::with_capacity(count);
    for size in sizes {
        let (frame, after) = left.split_at_checked(size)?;
        frames.push(rest.slice_ref(frame));
        left = after;
    }
    frames.push(rest.slice_ref(left));
    Some(frames)
}

/// Sizes of all but the last frame: bytes of 255 and one that is less, added up.
fn xiph(mut body: &[u8], count: usize) -> Option<(Vec<usize>, &[u8])> {
    let mut sizes = Vec::with_capacity(count);
    while sizes.len() + 1 < count {
        let last = body.iter().position(|byte| *byte < 255)?;
        sizes.push(last * 255 + usize::from(body[last]));
        body = &body[last + 1..];
    }
    Some((sizes, body))
}

/// Sizes of all but the last frame: the first as a number, the others as signed differences.
fn ebml(body: &[u8], count: usize) -> Option<(Vec<usize>, &[u8])> {
    let (first, mut body) = if count > 1 { read_number(body)? } else { (0, body) };
    let mut sizes = Vec::with_capacity(count);
    let mut size = i64::try_from(first).ok()?;
    while sizes.len() + 1 < count {
        if !sizes.is_empty() {
            let bits = 7 * (i64::from(body.first()?.leading_zeros()) + 1);
            let (value, rest) = read_number(body)?;
            size = size.checked_add(i64::try_from(value).ok()? - ((1 << (bits - 1)) - 1))?;
            body = rest;
        }
        sizes.push(usize::try_from(size).ok()?);
    }
    Some((sizes, body))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn laced(flags: u8, body: &[u8]) -> Option<Vec<Vec<u8>>> {
        let block = Bytes::from([&[0x82, 0xff, 0xfe, flags][..], body].concat());
        let block = Block::parse(&block)?;
        assert_eq!((block.track, block.time), (2, -2));
        Some(frames(&block)?.iter().map(|frame| frame.to_vec()).collect())
    }

    #[test]
    fn case_37_frames_are_told_apart_by_every_lacing() {
        let apart = Some(vec![vec![1], vec![2, 2], vec![3]]);
        assert_eq!(laced(0x80, &[1, 2, 3]), Some(vec![vec![1, 2, 3]]));
        assert_eq!(laced(0x02, &[2, 1, 2, 1, 2, 2, 3]), apart);
        assert_eq!(laced(0x06, &[2, 0x81, 0xc0, 1, 2, 2, 3]), apart, "one, and one more");
        assert_eq!(laced(0x04, &[2, 1, 2, 3]), Some(vec![vec![1], vec![2], vec![3]]));
        let long = [&[1, 255, 0][..], &[7; 255], &[8]].concat();
        assert_eq!(laced(0x02, &long), Some(vec![vec![7; 255], vec![8]]));
        assert_eq!(laced(0x02, &[2, 9, 9, 1]), None, "longer than the block");
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(block) = Block::parse(&Bytes::from(bytes)) {
                let _ = frames(&block);
            }
        }
    }
}
