//! **The question:** how does a coded picture lie in a file? AV1 as OBUs without temporal delimiter (av1-isobmff,
//! section 2.4), H.264 as NAL units behind their lengths, its parameter sets in the head alone (`avc1`, ISO/IEC
//! 14496-15, sections 5.3.2 and 5.4.2).

use bytes::Bytes;

use crate::base::media::{Codec, Size};
use crate::core::bitstream::av1::{SequenceHeader, TemporalUnit};
use crate::core::bitstream::h264::{self, NalKind, Sps};

/// Bytes of the length that stands before each NAL unit in a file.
pub const NAL_LENGTH_BYTES: usize = 4;

/// A coded picture as a file stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredUnit {
    /// The sample.
    pub data: Bytes,
    /// What decoding begins with, as the stream has it, where the unit has it: a sequence header OBU, or parameter sets
    /// behind start codes. [`StreamHead::parse`] reads it.
    pub head: Option<Bytes>,
}

impl StoredUnit {
    /// Reads the framing of a frame, nothing deeper; `None` for what is broken, holds no picture, or is of a codec that
    /// files of ours do not have.
    #[must_use]
    pub fn parse(codec: Codec, frame: &Bytes) -> Option<Self> {
        match codec {
            Codec::Av1 => {
                let unit = TemporalUnit::parse(frame).ok()?;
                Some(Self { data: unit.obus, head: unit.sequence_header })
            }
            Codec::H264 => {
                let data = with_lengths(frame)?;
                Some(Self { data, head: h264::parameter_sets(frame) })
            }
            Codec::Vp8 | Codec::Vp9 | Codec::Opus | Codec::G711(_) => None,
        }
    }
}

/// The slices of an access unit and what describes them, each behind its length.
fn with_lengths(unit: &[u8]) -> Option<Bytes> {
    let mut stored = Vec::with_capacity(unit.len() + NAL_LENGTH_BYTES);
    let mut slices = false;
    for nal in h264::nal_units(unit) {
        match h264::kind_of(nal[0]) {
            NalKind::Sps | NalKind::Pps | NalKind::Dispensable => continue,
            NalKind::Slice | NalKind::Idr => slices = true,
            NalKind::Other => {}
        }
        stored.extend_from_slice(&u32::try_from(nal.len()).ok()?.to_be_bytes());
        stored.extend_from_slice(nal);
    }
    slices.then(|| stored.into())
}

/// A stored sample of H.264 as a decoder wants it, behind start codes; `None` where the lengths do not add up.
#[must_use]
pub fn with_start_codes(sample: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, mut stream) = (sample, Vec::with_capacity(sample.len()));
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<NAL_LENGTH_BYTES>()?;
        let (nal, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        stream.extend_from_slice(&h264::START_CODE);
        stream.extend_from_slice(nal);
        rest = behind;
    }
    Some(stream)
}

/// What the head of a file says of its pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamHead {
    /// Of AV1.
    Av1(SequenceHeader),
    /// Of H.264.
    H264(ParameterSets),
}

/// Parameter sets of H.264.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSets {
    /// As they came, behind start codes.
    pub stream: Bytes,
    /// Each sequence parameter set with its header byte, at most 31.
    pub sequence: Vec<Bytes>,
    /// Each picture parameter set, at most 255.
    pub picture: Vec<Bytes>,
    /// What the first of them says.
    pub sps: Sps,
}

impl StreamHead {
    /// Reads what [`StoredUnit::head`] holds.
    #[must_use]
    pub fn parse(codec: Codec, head: &Bytes) -> Option<Self> {
        match codec {
            Codec::Av1 => SequenceHeader::parse(head).ok().map(Self::Av1),
            Codec::H264 => ParameterSets::parse(head).map(Self::H264),
            Codec::Vp8 | Codec::Vp9 | Codec::Opus | Codec::G711(_) => None,
        }
    }

    /// As the stream has it.
    #[must_use]
    pub const fn stream(&self) -> &Bytes {
        match self {
            Self::Av1(sequence) => &sequence.obu,
            Self::H264(sets) => &sets.stream,
        }
    }

    /// Of every picture that follows.
    #[must_use]
    pub const fn size(&self) -> Size {
        match self {
            Self::Av1(sequence) => sequence.size,
            Self::H264(sets) => sets.sps.size,
        }
    }
}

impl ParameterSets {
    fn parse(stream: &Bytes) -> Option<Self> {
        let of = |wanted: NalKind| {
            let sets = h264::nal_units(stream).filter(move |nal| h264::kind_of(nal[0]) == wanted);
            // Two bytes hold the length of each in `avcC`.
            sets.filter(|set| set.len() <= usize::from(u16::MAX)).map(|set| stream.slice_ref(set)).collect::<Vec<_>>()
        };
        let (sequence, picture) = (of(NalKind::Sps), of(NalKind::Pps));
        let sps = Sps::parse(sequence.first()?)?;
        // Counted in five and in eight bits there.
        let fits = !picture.is_empty() && sequence.len() < 32 && picture.len() < 256;
        fits.then(|| Self { stream: stream.clone(), sequence, picture, sps })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Of x264: 640×360 cropped from 640×368, Constrained Baseline, level 3.1; then a picture parameter set and slices.
    const SPS: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0x0f, 0x18, 0x32, 0x48,
    ];

    fn keyframe() -> Bytes {
        [&[0, 0, 0, 1, 9, 0x10, 0, 0, 0, 1][..], SPS, &[0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x65, 7, 8], &[0, 0, 1, 0x65, 9]]
            .concat()
            .into()
    }

    #[test]
    fn an_access_unit_is_stored_by_lengths_and_its_parameter_sets_apart() {
        let unit = StoredUnit::parse(Codec::H264, &keyframe()).unwrap();
        assert_eq!(&unit.data[..], [0, 0, 0, 3, 0x65, 7, 8, 0, 0, 0, 2, 0x65, 9]);
        let Some(StreamHead::H264(sets)) = StreamHead::parse(Codec::H264, &unit.head.unwrap()) else { panic!() };
        assert_eq!((sets.sequence, sets.picture), (vec![Bytes::from(SPS)], vec![Bytes::from_static(&[0x68, 0xce])]));
        assert_eq!((sets.sps.size, sets.sps.profile), (Size::new(640, 360), 66));
        let delta = StoredUnit::parse(Codec::H264, &Bytes::from_static(&[0, 0, 0, 1, 0x61, 5])).unwrap();
        assert_eq!((&delta.data[..], delta.head), (&[0, 0, 0, 2, 0x61, 5][..], None));
        assert_eq!(with_start_codes(&unit.data).unwrap(), [0, 0, 0, 1, 0x65, 7, 8, 0, 0, 0, 1, 0x65, 9]);
    }

    #[test]
    fn what_holds_no_picture_is_none() {
        for stream in [&[][..], &[1, 2, 3], &[0, 0, 1, 9, 0x10], &[0, 0, 1, 0x67, 1]] {
            assert_eq!(StoredUnit::parse(Codec::H264, &Bytes::copy_from_slice(stream)), None, "{stream:?}");
        }
        assert_eq!(StoredUnit::parse(Codec::Vp8, &Bytes::from_static(&[1])), None);
        for sample in [&[0, 0, 0][..], &[0, 0, 0, 2, 1], &[255, 255, 255, 255]] {
            assert_eq!(with_start_codes(sample), None, "{sample:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_the_world_breaks_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            let _ = with_start_codes(&bytes);
            for codec in [Codec::Av1, Codec::H264] {
                let _ = StoredUnit::parse(codec, &bytes);
                let _ = StreamHead::parse(codec, &bytes);
            }
        }
    }
}
