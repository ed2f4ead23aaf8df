//! **The question:** what do payloads make, put together? Shared by the codecs' files.

use bytes::Bytes;

/// A coded frame put together again.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::io::webrtc) struct Unit {
    /// As its codec lies in a [`ReceivedFrame`](crate::base::media::ReceivedFrame); empty where there is nothing to
    /// decode.
    pub data: Bytes,
    /// Whether decoding may start with it.
    pub keyframe: bool,
}

/// The payloads do not follow their codec's payload format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed RTP payload")]
pub(in crate::io::webrtc) struct MalformedPayload;
