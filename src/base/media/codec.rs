//! **The question:** how is a track, a rung or a file coded?

use crate::base::media::Law;

/// The codecs the node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AV1, one temporal unit a frame, OBUs with size fields, no temporal delimiter.
    Av1,
    /// H.264, one access unit a frame, NAL units behind start codes (annex B), parameter sets in each keyframe.
    H264,
    /// VP8, one frame a frame.
    Vp8,
    /// VP9, one picture a frame: a superframe where it has several layers.
    Vp9,
    /// Opus, one packet a frame.
    Opus,
    /// G.711 at 8 kHz, one channel, a byte a sample; only from and to plain-RTP legs.
    G711(Law),
}

impl Codec {
    /// As messages and answers say it, in lower case: the encoding names of the codecs' RTP payload formats (RFC 6184,
    /// RFC 7741, RFC 9628, RFC 7587, RFC 3551, AV1's).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Av1 => "av1",
            Self::H264 => "h264",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Opus => "opus",
            Self::G711(Law::Mu) => "pcmu",
            Self::G711(Law::A) => "pcma",
        }
    }

    /// Whether it codes pictures; all others code sound.
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Av1 | Self::H264 | Self::Vp8 | Self::Vp9)
    }
}

/// How sound goes to another server whose streams hold more than one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundCodec {
    /// AAC LC, 48 kHz, stereo.
    Aac,
    /// Opus, as the room sends it.
    Opus,
}

impl SoundCodec {
    /// As requests and answers say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aac => "aac",
            Self::Opus => "opus",
        }
    }
}

/// The codecs of rungs that somebody takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RungCodecs {
    /// AV1.
    pub av1: bool,
    /// H.264.
    pub h264: bool,
    /// VP8, where none of the others is taken.
    pub vp8: bool,
}

impl RungCodecs {
    /// With `codec` too; one that no rung has changes nothing.
    #[must_use]
    pub const fn with(self, codec: Codec) -> Self {
        Self {
            av1: self.av1 || matches!(codec, Codec::Av1),
            h264: self.h264 || matches!(codec, Codec::H264),
            vp8: self.vp8 || matches!(codec, Codec::Vp8),
        }
    }

    /// Whether `codec` is taken.
    #[must_use]
    pub const fn has(self, codec: Codec) -> bool {
        match codec {
            Codec::Av1 => self.av1,
            Codec::H264 => self.h264,
            Codec::Vp8 => self.vp8,
            Codec::Vp9 | Codec::Opus | Codec::G711(_) => false,
        }
    }

    /// The one codec, where no other is taken.
    #[must_use]
    pub const fn only(self) -> Option<Codec> {
        match (self.av1, self.h264, self.vp8) {
            (true, false, false) => Some(Codec::Av1),
            (false, true, false) => Some(Codec::H264),
            (false, false, true) => Some(Codec::Vp8),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_payload_formats() {
        let pictures = [Codec::Av1, Codec::H264, Codec::Vp8, Codec::Vp9];
        assert_eq!(pictures.map(Codec::name), ["av1", "h264", "vp8", "vp9"]);
        assert!(pictures.into_iter().all(Codec::is_video));
        let sounds = [Codec::Opus, Codec::G711(Law::Mu), Codec::G711(Law::A)];
        assert_eq!(sounds.map(Codec::name), ["opus", "pcmu", "pcma"]);
        assert!(!sounds.into_iter().any(Codec::is_video));
    }
}
