//! **The question:** how does an H.264 access unit lie in RTP payloads (RFC 6184)? Both ways; in the house it is a byte
//! stream with start codes (ITU-T H.264 annex B). Hostile bytes are an error, never a panic.

use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::h264::H264Payloader;
use rtc_rtp::packetizer::Payloader;

use crate::base::limits;
use crate::base::media::Size;
use crate::core::bitstream::h264::{NalKind, START_CODE, Sps, contents, kind_of, parameter_sets};
use crate::io::webrtc::payload::unit::{MalformedPayload, Unit};

/// Section 5.2, table 1: what the first byte's low bits say beyond NAL units' own types.
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
/// Section 5.8, of the second byte.
const STARTS: u8 = 0x80;
const ENDS: u8 = 0x40;

/// The payloads of one access unit (non-interleaved mode): parameter sets together, long NAL units in fragments.
pub(super) fn packetise(unit: &Bytes) -> Vec<Arc<[u8]>> {
    let payloads = H264Payloader::default().payload(limits::RTP_PAYLOAD_LEN, unit).unwrap_or_default();
    payloads.iter().map(|payload| Arc::from(&payload[..])).collect()
}

/// Puts together the access unit whose payloads, all of them and in order, are `payloads`.
///
/// # Errors
/// Whatever non-interleaved mode forbids (section 6.3), a unit that starts or ends inside a fragment among it.
pub(super) fn depacketise<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Unit, MalformedPayload> {
    let mut unit = Vec::new();
    // The type of the NAL unit that is being put together.
    let mut open = None;
    for payload in payloads {
        let (&header, rest) = payload.split_first().ok_or(MalformedPayload)?;
        if open.is_some() && header & 0x1f != FU_A {
            return Err(MalformedPayload);
        }
        match header & 0x1f {
            1..=23 => add(&mut unit, payload),
            STAP_A => aggregated(rest).try_for_each(|nal| nal.map(|nal| add(&mut unit, nal)))?,
            FU_A => {
                let (&fragment, rest) = rest.split_first().ok_or(MalformedPayload)?;
                let kind = fragment & 0x1f;
                if fragment & STARTS != 0 {
                    if open.replace(kind).is_some() {
                        return Err(MalformedPayload);
                    }
                    unit.extend_from_slice(&START_CODE);
                    unit.push(header & 0xe0 | kind);
                } else if open != Some(kind) {
                    return Err(MalformedPayload);
                }
                unit.extend_from_slice(rest);
                if fragment & ENDS != 0 {
                    open = None;
                }
            }
            _ => return Err(MalformedPayload),
        }
    }
    if open.is_some() {
        return Err(MalformedPayload);
    }
    Ok(whole(unit))
}

/// What a decoder makes of an access unit: one with an IDR picture is a keyframe, if its parameter sets are there.
fn whole(unit: Vec<u8>) -> Unit {
    let (found, header) = (contents(&unit), parameter_sets(&unit));
    let keyframe = found.idr && header.is_some();
    Unit { data: unit.into(), keyframe, lacks_header: found.idr && header.is_none(), header, temporal: None }
}

fn add(unit: &mut Vec<u8>, nal: &[u8]) {
    // What a decoder does not need, and an empty one, would only have to be skipped again.
    if nal.first().is_some_and(|header| kind_of(*header) != NalKind::Dispensable) {
        unit.extend_from_slice(&START_CODE);
        unit.extend_from_slice(nal);
    }
}

/// The NAL units of an aggregation packet (section 5.7.1); what follows a broken length is one error.
fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = Result<&[u8], MalformedPayload>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let taken = rest
            .split_first_chunk::<2>()
            .and_then(|(length, following)| following.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        rest = taken.map_or(&[], |(_, following)| following);
        Some(taken.map(|(nal, _)| nal).ok_or(MalformedPayload))
    })
}

/// Extent of the pictures that a keyframe begins which starts with this payload, if its parameter set stands there.
pub(super) fn keyframe_size(payload: &[u8]) -> Option<Size> {
    let mut unit = Vec::new();
    match payload.first()? & 0x1f {
        STAP_A => aggregated(&payload[1..]).map_while(Result::ok).for_each(|nal| add(&mut unit, nal)),
        1..=23 => add(&mut unit, payload),
        _ => return None,
    }
    Sps::find(&unit).map(|sps| sps.size)
}

/// Whether a keyframe may start with this payload: parameter sets come first, or an IDR's first slice where
/// `has_header` says that they came before. Cheap and lenient; [`depacketise`] has the last word.
pub(super) fn may_start_keyframe(payload: &[u8], has_header: bool) -> bool {
    begun(payload).any(|(kind, begin)| match kind {
        NalKind::Sps | NalKind::Pps => true,
        // `first_mb_in_slice` is zero: one bit that is set (ITU-T H.264 sections 7.3.3 and 9.1).
        NalKind::Idr => has_header && begin.first().is_some_and(|first| first & 0x80 != 0),
        _ => false,
    })
}

/// Whether this payload has the parameter set that says what pictures are.
pub(super) fn holds_header(payload: &[u8]) -> bool {
    begun(payload).any(|(kind, _)| kind == NalKind::Sps)
}

/// The NAL units that begin in this payload, and what of them comes behind their first byte.
fn begun(payload: &[u8]) -> impl Iterator<Item = (NalKind, &[u8])> {
    let (first, rest) = payload.split_first().map_or((0, payload), |(first, rest)| (*first, rest));
    let kind = first & 0x1f;
    let one = match (kind, rest.split_first()) {
        (FU_A, Some((fragment, begin))) if fragment & STARTS != 0 => Some((kind_of(*fragment), begin)),
        (1..=23, _) => Some((kind_of(first), rest)),
        _ => None,
    };
    let together = if kind == STAP_A { rest } else { &[] };
    let nals = aggregated(together).map_while(Result::ok).filter_map(<[u8]>::split_first);
    one.into_iter().chain(nals.map(|(header, begin)| (kind_of(*header), begin)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    fn unit() -> Bytes {
        let nal = |header: u8, len: usize| [&START_CODE[..], &[header], &vec![0xab; len]].concat();
        [nal(0x67, 20), nal(0x68, 4), nal(0x65, 5_000), nal(0x65, 300)].concat().into()
    }

    fn put_together(payloads: &[Arc<[u8]>]) -> Result<Unit, MalformedPayload> {
        depacketise(payloads.iter().map(|payload| &payload[..]))
    }

    #[test]
    fn an_access_unit_arrives_as_it_was_sent() {
        let payloads = packetise(&unit());
        assert!(payloads.iter().all(|payload| payload.len() <= limits::RTP_PAYLOAD_LEN));
        assert!(payloads.len() > 4 && may_start_keyframe(&payloads[0], false));
        assert_eq!([false, true].map(|has_header| may_start_keyframe(&payloads[1], has_header)), [false, true]);
        let came = put_together(&payloads).unwrap();
        assert_eq!((came.data, came.keyframe, came.lacks_header), (unit(), true, false));
        assert_eq!(came.header.unwrap().len(), 2 * 4 + 21 + 5);
        assert!(put_together(&payloads[1..3]).is_err(), "it does not end");
        assert!(put_together(&payloads[2..]).is_err(), "it does not start");
    }

    #[test]
    fn an_idr_without_parameter_sets_says_that_it_lacks_them() {
        let came = put_together(&[Arc::from([0x65, 1, 2])]).unwrap();
        assert_eq!((came.keyframe, came.lacks_header, came.header), (false, true, None));
        let came = put_together(&[Arc::from([0x41, 1, 2])]).unwrap();
        assert_eq!((came.keyframe, came.lacks_header), (false, false));
        let delimiter = put_together(&[Arc::from([0x09, 0x10])]).unwrap();
        assert!(delimiter.data.is_empty());
    }

    #[test]
    fn hostile_payloads_of_h264_never_panic() {
        let right: Vec<Vec<u8>> = packetise(&unit()).iter().map(|payload| payload.to_vec()).collect();
        let mut mutator = Mutator::new(8);
        for _ in 0..rounds() {
            let payloads: Vec<Arc<[u8]>> = (0..3).map(|_| mutator.bytes(&right).into()).collect();
            let _ = (put_together(&payloads), payloads.iter().any(|payload| may_start_keyframe(payload, true)));
        }
    }
}
