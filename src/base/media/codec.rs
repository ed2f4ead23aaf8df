//! **The question:** how is a track, a rung or a file coded?

use crate::base::media::Law;

/// The codecs the node speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AV1, one temporal unit a frame, OBUs with size fields, no temporal delimiter.
    Av1,
    /// Opus, one packet a frame.
    Opus,
    /// G.711 at 8 kHz, one channel, a byte a sample; only from and to plain-RTP legs.
    G711(Law),
}

impl Codec {
    /// As messages and answers say it, in lower case: the encoding names of the codecs' RTP payload formats (RFC 7587,
    /// RFC 3551, AV1's).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Av1 => "av1",
            Self::Opus => "opus",
            Self::G711(Law::Mu) => "pcmu",
            Self::G711(Law::A) => "pcma",
        }
    }

    /// Whether it codes pictures; all others code sound.
    #[must_use]
    pub const fn is_video(self) -> bool {
        matches!(self, Self::Av1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_payload_formats() {
        let codecs = [Codec::Av1, Codec::Opus, Codec::G711(Law::Mu), Codec::G711(Law::A)];
        assert_eq!(codecs.map(Codec::name), ["av1", "opus", "pcmu", "pcma"]);
        assert_eq!(codecs.map(Codec::is_video), [true, false, false, false]);
    }
}
