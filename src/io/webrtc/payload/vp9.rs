//! **The question:** how does a VP9 picture lie in RTP payloads (RFC 9628)? Only as it is received: nobody is sent VP9.
//! A picture may have several frames, one a spatial layer; they are joined as a decoder takes them.

use crate::base::media::{Size, TemporalLayer};
use crate::core::bitstream::vp9;
use crate::io::webrtc::payload::unit::{MalformedPayload, Unit};

/// Puts together the picture whose payloads, all of them and in order, are `payloads`.
///
/// # Errors
/// A broken payload descriptor; a picture that starts or ends inside a frame, or has more than eight layers.
pub(super) fn depacketise<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Unit, MalformedPayload> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    let (mut open, mut temporal) = (false, None);
    for payload in payloads {
        let part = Part::read(payload).ok_or(MalformedPayload)?;
        temporal = temporal.or(part.temporal);
        if part.starts_frame == open {
            return Err(MalformedPayload);
        }
        match frames.last_mut() {
            Some(frame) if open => frame.extend_from_slice(part.bytes),
            _ => frames.push(part.bytes.to_vec()),
        }
        open = !part.ends_frame;
    }
    if open {
        return Err(MalformedPayload);
    }
    let Some(first) = frames.first() else { return Err(MalformedPayload) };
    let keyframe = vp9::is_keyframe(first);
    let all: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    let data = vp9::superframe(&all).ok_or(MalformedPayload)?;
    Ok(Unit { data: data.into(), keyframe, temporal, ..Unit::default() })
}

/// Extent of the pictures that a keyframe begins which starts with this payload.
pub(super) fn keyframe_size(payload: &[u8]) -> Option<Size> {
    let part = Part::read(payload).filter(|part| part.starts_frame)?;
    vp9::keyframe_header(part.bytes).map(|header| header.size)
}

/// Whether a keyframe starts with this payload.
pub(super) fn may_start_keyframe(payload: &[u8]) -> bool {
    Part::read(payload).is_some_and(|part| part.starts_frame && part.spatial == 0 && vp9::is_keyframe(part.bytes))
}

/// One payload behind its descriptor (section 4.2).
struct Part<'a> {
    starts_frame: bool,
    ends_frame: bool,
    /// The spatial layer it belongs to.
    spatial: u8,
    temporal: Option<TemporalLayer>,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(payload);
        let first = bytes.take()?;
        let flag = |bit: u8| first & bit != 0;
        let (number, inter, layers, flexible, structure) = (flag(0x80), flag(0x40), flag(0x20), flag(0x10), flag(0x02));
        if number && bytes.take()? & 0x80 != 0 {
            bytes.take()?;
        }
        let (mut spatial, mut temporal) = (0, None);
        if layers {
            let layer = bytes.take()?;
            spatial = layer >> 1 & 0b111;
            temporal = Some(TemporalLayer { id: layer >> 5, is_sync: layer & 0x10 != 0 });
            if !flexible {
                // TL0PICIDX.
                bytes.take()?;
            }
        }
        if flexible && inter {
            // Up to three references, each saying whether one more follows.
            let mut references = 0;
            while bytes.take()? & 1 != 0 {
                references += 1;
                if references == 3 {
                    return None;
                }
            }
        }
        if structure {
            bytes.skip_structure()?;
        }
        let (starts_frame, ends_frame) = (flag(0x08), flag(0x04));
        (!bytes.0.is_empty()).then_some(Self { starts_frame, ends_frame, spatial, temporal, bytes: bytes.0 })
    }
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Section 4.2.1: sizes of the layers, and the group of pictures.
    fn skip_structure(&mut self) -> Option<()> {
        let head = self.take()?;
        if head & 0x10 != 0 {
            for _ in 0..4 * (usize::from(head >> 5) + 1) {
                self.take()?;
            }
        }
        if head & 0x08 != 0 {
            for _ in 0..self.take()? {
                let references = self.take()? >> 2 & 0b11;
                for _ in 0..references {
                    self.take()?;
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    const KEYFRAME: [u8; 12] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0, 0, 0];

    fn put_together(payloads: &[Vec<u8>]) -> Result<Unit, MalformedPayload> {
        depacketise(payloads.iter().map(|payload| &payload[..]))
    }

    #[test]
    fn descriptors_of_every_shape_are_taken_off() {
        for descriptor in [
            &[0x0c][..],
            &[0x8c, 0x05],
            &[0x8c, 0x85, 5],
            &[0xac, 0x85, 5, 0x00, 9],
            &[0x8e, 0x05, 0x18, 2, 0x80, 1, 0x68, 1, 0x04, 1],
            &[0xdc, 0x05, 3, 2],
        ] {
            let payload = [descriptor, &KEYFRAME[..]].concat();
            let came = put_together(std::slice::from_ref(&payload)).unwrap();
            assert_eq!((&came.data[..], came.keyframe), (&KEYFRAME[..], true), "{descriptor:x?}");
            assert!(may_start_keyframe(&payload));
        }
        let first = [&[0x08][..], &KEYFRAME].concat();
        let came = put_together(&[first.clone(), vec![0x04, 7]]).unwrap();
        assert_eq!(came.data.len(), 13);
        assert!(put_together(&[first]).is_err(), "it does not end");
        assert!(put_together(&[vec![0x04, 7]]).is_err(), "it does not start");
    }

    #[test]
    fn layers_of_one_picture_are_joined() {
        let low = [&[0xac, 5, 0x00, 9][..], &KEYFRAME].concat();
        let high = vec![0xac, 5, 0x02, 9, 0x86, 1, 2];
        let came = put_together(&[low, high]).unwrap();
        assert!(came.keyframe);
        assert_eq!(came.data.len(), 12 + 3 + 2 + 2 * 3);
    }

    #[test]
    fn hostile_payloads_of_vp9_never_panic() {
        let right = [[&[0x8e, 0x05, 0x18, 2, 0x80, 1, 0x68, 1, 0x04, 1], &KEYFRAME[..]].concat(), vec![0x04, 7]];
        let mut mutator = Mutator::new(10);
        for _ in 0..rounds() {
            let payloads = [mutator.bytes(&right), mutator.bytes(&right)];
            let _ = (put_together(&payloads), may_start_keyframe(&payloads[0]));
        }
    }
}
