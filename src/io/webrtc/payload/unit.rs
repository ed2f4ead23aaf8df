//! **The question:** what do payloads make, put together? Shared by the codecs' files.

use bytes::Bytes;

use crate::base::media::TemporalLayer;

/// A coded frame put together again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::io::webrtc) struct Unit {
    /// As its codec lies in a [`ReceivedFrame`](crate::base::media::ReceivedFrame); empty where there is nothing to
    /// decode.
    pub data: Bytes,
    /// Whether decoding may start with it.
    pub keyframe: bool,
    /// What comes before every keyframe, as far as it stands in this unit: AV1's sequence header.
    pub header: Option<Bytes>,
    /// It is a keyframe but for the header, which may have come before.
    pub lacks_header: bool,
    /// Its temporal layer, where it says so.
    pub temporal: Option<TemporalLayer>,
}

/// The payloads do not follow their codec's payload format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed RTP payload")]
pub(in crate::io::webrtc) struct MalformedPayload;
