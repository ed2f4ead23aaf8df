//! What the tests of every decoder share: clips, and what has to become of them.

use bytes::Bytes;

use super::{DecodeError, VideoDecoder, video_decoder};
use crate::base::hostile::{Mutator, rounds};
use crate::base::media::{Codec, CodedFrame, Size, VideoFrame};

/// The frames of an IVF file: a header of 32 bytes, then frames, each behind 4 bytes of length and 8 of time.
pub(super) fn ivf_frames(ivf: &'static [u8]) -> Vec<Bytes> {
    let (mut rest, mut frames) = (&ivf[32..], Vec::new());
    while let Some((header, following)) = rest.split_first_chunk::<12>() {
        let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
        frames.push(Bytes::from_static(&following[..length]));
        rest = &following[length..];
    }
    frames
}

pub(super) fn decode(
    decoder: &mut dyn VideoDecoder,
    codec: Codec,
    data: &Bytes,
    keyframe: bool,
) -> Result<Vec<VideoFrame>, DecodeError> {
    let mut out = Vec::new();
    decoder.decode(CodedFrame { codec, data, keyframe, arrival: None, colour: None }, &mut out).map(|()| out)
}

/// Three frames of 64×48 in red, of which the first is the keyframe: each is a picture at once.
pub(super) fn expect_red(codec: Codec, frames: &[Bytes]) {
    let mut decoder = video_decoder(codec).unwrap();
    assert_eq!(frames.len(), 3);
    assert_eq!(decode(&mut *decoder, codec, &frames[1], false).unwrap_err(), DecodeError::AwaitingKeyframe);
    for (at, frame) in frames.iter().enumerate() {
        let pictures = decode(&mut *decoder, codec, frame, at == 0).unwrap();
        let [picture] = &pictures[..] else { panic!("{} pictures", pictures.len()) };
        assert_eq!((picture.size, picture.full_range), (Size::new(64, 48), false));
        let middle = |plane: usize| {
            let plane = picture.picture.plane(plane);
            plane.data[plane.stride * 12 + 12]
        };
        // Red in BT.601, limited range.
        assert!(middle(0).abs_diff(81) < 4 && middle(1).abs_diff(90) < 4 && middle(2).abs_diff(240) < 4);
    }
}

/// Whatever comes instead of these frames is no panic, and the next keyframe heals.
pub(super) fn expect_healing(codec: Codec, frames: &[Bytes], seed: u64) {
    let right: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()).collect();
    let (mut decoder, mut mutator) = (video_decoder(codec).unwrap(), Mutator::new(seed));
    for _ in 0..rounds() / 8 {
        let _ = decode(&mut *decoder, codec, &mutator.bytes(&right).into(), true);
    }
    let _ = decode(&mut *decoder, codec, &frames[0], true);
    assert_eq!(decode(&mut *decoder, codec, &frames[0], true).unwrap().len(), 1);
}
