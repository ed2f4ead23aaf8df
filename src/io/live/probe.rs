//! **The question:** which codecs will a rung name that does not run? Its encoder is asked for one keyframe, and what
//! that begins with is read as a running rung's would be.

use crate::base::media::{ComposedFrame, Pts, RungSpec};
use crate::core::hls::Init;
use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

/// CODECS of what such an encoder writes; `None` where there is none.
pub(super) fn codecs(choice: EncoderChoice, threads: usize, spec: RungSpec) -> Option<String> {
    let RungSpec { codec, size, fps, bitrate } = spec;
    let mut encoder = video_encoder(choice, VideoEncoderSetup { codec, size, fps, bitrate, threads }).ok()?;
    let luma = (size.width * size.height) as usize;
    // Black, limited range.
    let samples = [vec![16; luma], vec![128; luma / 2]].concat();
    let mut out = Vec::new();
    encoder.encode(&ComposedFrame::new(size, Pts(0), samples), true, &mut out).ok()?;
    encoder.finish(&mut out).ok()?;
    Some(Init::of_keyframe(out.first()?)?.codecs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Codec, Size};

    #[test]
    fn both_codecs_are_named_exactly() {
        let of = |codec, width, height, fps| {
            codecs(EncoderChoice::Aom, 1, RungSpec { codec, size: Size::new(width, height), fps, bitrate: 500_000 })
        };
        let av1 = of(Codec::Av1, 1280, 720, 30).unwrap();
        assert!(av1.starts_with("av01.0.") && av1.ends_with("M.08,Opus"), "{av1}");
        assert_ne!(Some(av1), of(Codec::Av1, 320, 180, 30), "another level");
        let h264 = of(Codec::H264, 640, 360, 30);
        assert_eq!(h264.is_some(), cfg!(feature = "h264"), "{h264:?}");
        assert!(h264.is_none_or(|name| name.starts_with("avc1.") && name.ends_with(",Opus")));
        assert_eq!(of(Codec::Opus, 640, 360, 30), None);
    }
}
