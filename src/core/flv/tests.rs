//! Tags byte for byte as their specifications have them; players read them in `io/push`.

use bytes::Bytes;

use super::*;
use crate::base::media::{Codec, SoundCodec};
use crate::core::bitstream::stored::StreamHead;

/// A sequence header of libaom's, 640×360, and a frame after it.
const AV1_KEYFRAME: &[u8] =
    &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10, 0x32, 0x03, 1, 2, 3];
/// Of x264: 640×360, Constrained Baseline; a picture parameter set, and a slice.
const H264_KEYFRAME: &[u8] = &[
    0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00,
    0x00, 0x03, 0x00, 0x3c, 0x0f, 0x18, 0x32, 0x48, 0, 0, 0, 1, 0x68, 0xce, 0, 0, 0, 1, 0x65, 7, 8,
];

fn head(codec: Codec, keyframe: &'static [u8], sound: Option<SoundCodec>) -> FlvHead {
    let unit = crate::core::bitstream::stored::StoredUnit::parse(codec, &Bytes::from_static(keyframe)).unwrap();
    FlvHead { pictures: StreamHead::parse(codec, &unit.head.unwrap()).unwrap(), fps: 30, sound }
}

#[test]
fn h264_and_aac_are_said_as_flv_always_said_them() {
    let head = head(Codec::H264, H264_KEYFRAME, Some(SoundCodec::Aac));
    let begins = head.picture_tag(0).body;
    // A keyframe of AVC, a sequence header, no composition time; then the record of ISO/IEC 14496-15.
    assert_eq!(begins[..11], [0x17, 0, 0, 0, 0, 1, 0x42, 0xc0, 0x1f, 0xff, 0xe1]);
    assert!(begins.ends_with(&[1, 0, 2, 0x68, 0xce]));
    assert_eq!(head.sound_tag(0).unwrap().body[..], [0xaf, 0, 0x11, 0x90]);
    let picture =
        |keyframe, data: &'static [u8]| Tag::picture(Codec::H264, keyframe, 40, &Bytes::from_static(data)).unwrap();
    assert_eq!(picture(true, H264_KEYFRAME).body[..], [0x17, 1, 0, 0, 0, 0, 0, 0, 3, 0x65, 7, 8]);
    assert_eq!(picture(false, &[0, 0, 1, 0x61, 5]).body[..], [0x27, 1, 0, 0, 0, 0, 0, 0, 2, 0x61, 5]);
    assert_eq!(
        Tag::sound(SoundCodec::Aac, 7, &[1, 2]),
        Tag { kind: TagKind::Sound, time_ms: 7, body: Bytes::from_static(&[0xaf, 1, 1, 2]) }
    );
    let Amf::Array(values) = head.metadata() else { panic!() };
    let number = |name: &str| values.iter().find(|(has, _)| has == name).and_then(|(_, value)| value.as_number());
    assert_eq!(
        ["width", "height", "videocodecid", "audiocodecid"].map(number),
        [Some(640.0), Some(360.0), Some(7.0), Some(10.0)]
    );
}

#[test]
fn av1_and_opus_are_said_as_enhanced_rtmp_says_them() {
    let head = head(Codec::Av1, AV1_KEYFRAME, Some(SoundCodec::Opus));
    let begins = head.picture_tag(0).body;
    // IsExHeader, a keyframe, SequenceStart; then the record of av1-isobmff with the sequence header behind it.
    assert_eq!((&begins[..5], begins[5]), (&[0x90, b'a', b'v', b'0', b'1'][..], 0x81));
    assert!(begins.ends_with(&AV1_KEYFRAME[..13]));
    let keyframe = Tag::picture(Codec::Av1, true, 0, &Bytes::from_static(AV1_KEYFRAME)).unwrap().body;
    assert_eq!(keyframe[..5], [0x91, b'a', b'v', b'0', b'1']);
    assert!(keyframe.ends_with(&[0x32, 3, 1, 2, 3]));
    let inter = Tag::picture(Codec::Av1, false, 0, &Bytes::from_static(&[0x32, 3, 1, 2, 3])).unwrap().body;
    assert_eq!(inter[..], [0xa1, b'a', b'v', b'0', b'1', 0x32, 3, 1, 2, 3]);
    let sound = head.sound_tag(0).unwrap().body;
    assert_eq!(sound[..], *b"\x90OpusOpusHead\x01\x02\x38\x01\x80\xbb\0\0\0\0\0");
    assert_eq!(Tag::sound(SoundCodec::Opus, 0, &[0xfc]).body[..], *b"\x91Opus\xfc");
}

#[test]
fn what_has_no_tags_or_holds_no_picture_is_none() {
    for codec in [Codec::Vp8, Codec::Vp9, Codec::Opus] {
        assert!(!is_carried(codec) && Tag::picture(codec, true, 0, &Bytes::from_static(&[1, 2, 3])).is_none());
    }
    assert!(Tag::picture(Codec::H264, true, 0, &Bytes::from_static(&[1, 2, 3])).is_none());
}
