//! **The question:** how does a VP8 frame lie in RTP payloads (RFC 7741)? Both ways.

use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::vp8::Vp8Payloader;
use rtc_rtp::packetizer::Payloader;

use crate::base::limits;
use crate::base::media::{Size, TemporalLayer};
use crate::core::bitstream::vp8;
use crate::io::webrtc::payload::unit::{MalformedPayload, Unit};

/// The payloads of one frame, its partitions cut wherever a payload is full.
pub(super) fn packetise(frame: &Bytes) -> Vec<Arc<[u8]>> {
    let payloads = Vp8Payloader::default().payload(limits::RTP_PAYLOAD_LEN, frame).unwrap_or_default();
    payloads.iter().map(|payload| Arc::from(&payload[..])).collect()
}

/// Puts together the frame whose payloads, all of them and in order, are `payloads`.
///
/// # Errors
/// A broken payload descriptor; a frame that does not start with its first partition.
pub(super) fn depacketise<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Unit, MalformedPayload> {
    let mut frame = Vec::new();
    let mut temporal = None;
    for payload in payloads {
        let part = Part::read(payload).ok_or(MalformedPayload)?;
        temporal = temporal.or(part.temporal);
        if part.starts_frame != frame.is_empty() {
            return Err(MalformedPayload);
        }
        frame.extend_from_slice(part.bytes);
    }
    let keyframe = vp8::is_keyframe(&frame);
    Ok(Unit { data: frame.into(), keyframe, temporal, ..Unit::default() })
}

/// Extent of the pictures that a keyframe begins which starts with this payload.
pub(super) fn keyframe_size(payload: &[u8]) -> Option<Size> {
    let part = Part::read(payload).filter(|part| part.starts_frame)?;
    vp8::size(part.bytes)
}

/// Whether a keyframe starts with this payload.
pub(super) fn may_start_keyframe(payload: &[u8]) -> bool {
    Part::read(payload).is_some_and(|part| part.starts_frame && vp8::is_keyframe(part.bytes))
}

/// One payload behind its descriptor (section 4.2).
struct Part<'a> {
    /// It holds the start of the first partition.
    starts_frame: bool,
    temporal: Option<TemporalLayer>,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn read(payload: &'a [u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        let mut temporal = None;
        if first & 0x80 != 0 {
            let (&extension, following) = rest.split_first()?;
            rest = following;
            if extension & 0x80 != 0 {
                // The picture's number takes one byte, or two.
                let two = rest.first()? & 0x80 != 0;
                rest = rest.get(if two { 2 } else { 1 }..)?;
            }
            rest = rest.get(usize::from(extension & 0x40 != 0)..)?;
            if extension & 0x20 != 0 {
                let layer = rest.first()?;
                temporal = Some(TemporalLayer { id: layer >> 6, is_sync: layer & 0x20 != 0 });
            }
            rest = rest.get(usize::from(extension & 0x30 != 0)..)?;
        }
        // A payload without a byte of the frame is not worth a packet, and no sender sends one.
        (!rest.is_empty()).then_some(Self {
            starts_frame: first & 0x10 != 0 && first & 0x07 == 0,
            temporal,
            bytes: rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    const KEYFRAME: [u8; 11] = [0x10, 2, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 7];

    fn put_together(payloads: &[Vec<u8>]) -> Result<Unit, MalformedPayload> {
        depacketise(payloads.iter().map(|payload| &payload[..]))
    }

    #[test]
    fn descriptors_of_every_length_are_taken_off() {
        for descriptor in [
            &[0x10][..],
            &[0x90, 0x80, 5],
            &[0x90, 0x80, 0x85, 5],
            &[0x90, 0xe0, 0x85, 5, 1, 2],
            &[0x90, 0x10, 3],
            &[0x90, 0x40, 9],
        ] {
            let first = [descriptor, &KEYFRAME[..]].concat();
            assert!(may_start_keyframe(&first));
            let came = put_together(&[first, vec![0x00, 8, 9]]).unwrap();
            assert_eq!((&came.data[..11], came.data.len(), came.keyframe), (&KEYFRAME[..], 13, true));
        }
        let inter = put_together(&[vec![0x10, 0x11, 2, 3]]).unwrap();
        assert!(!inter.keyframe && inter.temporal.is_none());
        let layered = put_together(&[vec![0x90, 0xe0, 0x85, 5, 1, 0xa0, 0x11, 2, 3]]).unwrap();
        assert_eq!(layered.temporal, Some(TemporalLayer { id: 2, is_sync: true }));
        assert!(put_together(&[vec![0x00, 8, 9]]).is_err(), "it does not start");
    }

    #[test]
    fn a_frame_comes_out_of_its_payloads_as_it_went_in() {
        let frame: Bytes = KEYFRAME.iter().copied().cycle().take(5_000).collect();
        let payloads = packetise(&frame);
        assert!(payloads.len() > 3 && payloads.iter().all(|payload| payload.len() <= limits::RTP_PAYLOAD_LEN));
        let came = depacketise(payloads.iter().map(|payload| &payload[..])).unwrap();
        assert_eq!((came.data, came.keyframe), (frame, true));
    }

    #[test]
    fn hostile_payloads_of_vp8_never_panic() {
        let right = [[&[0x90, 0xe0, 0x85, 5, 1, 2], &KEYFRAME[..]].concat(), vec![0, 8, 9]];
        let mut mutator = Mutator::new(9);
        for _ in 0..rounds() {
            let payloads = [mutator.bytes(&right), mutator.bytes(&right)];
            let _ = (put_together(&payloads), may_start_keyframe(&payloads[0]));
        }
    }
}
