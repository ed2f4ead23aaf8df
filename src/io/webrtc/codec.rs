//! **The question:** what does a negotiated payload type stand for? str0m's names of codecs stay in this room; the
//! house has its own.

use str0m::format::{Codec as WireCodec, PayloadParams};
use str0m::media::Pt;

use crate::base::media::{Codec, Law};

/// What packets of one payload type carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PayloadKind {
    /// The codec that was negotiated for it.
    pub(super) codec: Codec,
    /// Copies of earlier packets come with it (RFC 2198).
    pub(super) red: bool,
}

/// Formats of H.264 that str0m does not know by itself: payload type, that of its repetitions, whether long NAL units
/// come in fragments (`packetization-mode`), `profile-level-id`. Constrained High is what Safari prefers.
pub(super) const H264_MORE: [(u8, u8, bool, u32); 3] =
    [(102, 103, true, 0x64_0c1f), (104, 105, false, 0x64_0c1f), (112, 113, false, 0x64_001f)];

/// What `pt` carries by what was negotiated; `None` for what nobody here decodes.
pub(super) fn payload_kind(params: &[PayloadParams], pt: Pt) -> Option<PayloadKind> {
    let params = params.iter().find(|params| params.pt() == pt || params.red() == Some(pt))?;
    Some(PayloadKind { codec: of_wire(params.spec().codec)?, red: params.red() == Some(pt) })
}

/// The wire's name of a codec.
pub(super) const fn to_wire(codec: Codec) -> WireCodec {
    match codec {
        Codec::Av1 => WireCodec::Av1,
        Codec::H264 => WireCodec::H264,
        Codec::Vp8 => WireCodec::Vp8,
        Codec::Vp9 => WireCodec::Vp9,
        Codec::Opus => WireCodec::Opus,
        Codec::G711(Law::Mu) => WireCodec::PCMU,
        Codec::G711(Law::A) => WireCodec::PCMA,
    }
}

const fn of_wire(codec: WireCodec) -> Option<Codec> {
    match codec {
        WireCodec::Av1 => Some(Codec::Av1),
        WireCodec::H264 => Some(Codec::H264),
        WireCodec::Vp8 => Some(Codec::Vp8),
        WireCodec::Vp9 => Some(Codec::Vp9),
        WireCodec::Opus => Some(Codec::Opus),
        WireCodec::PCMU => Some(Codec::G711(Law::Mu)),
        WireCodec::PCMA => Some(Codec::G711(Law::A)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use str0m::format::CodecConfig;

    use super::*;

    #[test]
    fn every_negotiated_payload_type_has_its_codec_and_red_says_so() {
        for codec in
            [Codec::Av1, Codec::H264, Codec::Vp8, Codec::Vp9, Codec::Opus, Codec::G711(Law::Mu), Codec::G711(Law::A)]
        {
            assert_eq!(of_wire(to_wire(codec)), Some(codec));
        }
        assert_eq!(of_wire(WireCodec::H265), None);
        let mut config = CodecConfig::empty();
        config.enable_opus(true, true);
        config.enable_av1(true);
        let params = config.params();
        for one in params {
            let kind = PayloadKind { codec: of_wire(one.spec().codec).unwrap(), red: false };
            assert_eq!(payload_kind(params, one.pt()), Some(kind));
            if let Some(red) = one.red() {
                assert_eq!(payload_kind(params, red), Some(PayloadKind { red: true, ..kind }));
            }
        }
        assert_eq!(payload_kind(params, Pt::new_with_value(1)), None);
    }
}
