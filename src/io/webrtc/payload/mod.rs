//! **The question:** how does a codec lie in RTP payloads? Both ways, one file a codec, chosen by [`Codec`]. What no
//! codec decides (order, gaps, sequence numbers) is the assemblers' and the peers' business.
//!
//! Doors: [`Packetiser`] (a frame's payloads), `video_unit`, `sound_unit` and `may_start_keyframe` (payloads' frame),
//! `red` (copies of earlier packets, RFC 2198).

pub(super) mod av1;
mod h264;
mod opus;
pub(super) mod red;
mod unit;
mod vp8;
mod vp9;

use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::av1::Av1Payloader;

use crate::base::media::{Codec, EncodedFrame, Size};
pub(super) use unit::{MalformedPayload, Unit};

/// One outgoing frame with its RTP payloads, shared by every peer that sends it.
#[derive(Debug, Clone)]
pub struct Packetised {
    /// The frame, for its times and its keyframe flag.
    pub frame: Arc<EncodedFrame>,
    /// Payloads of at most [`limits::RTP_PAYLOAD_LEN`](crate::base::limits::RTP_PAYLOAD_LEN) bytes in sending order;
    /// the sender sets the marker on the last. Empty if the frame's bytes are not well formed, or hold nothing to send.
    pub payloads: Vec<Arc<[u8]>>,
}

/// Cuts coded frames into RTP payloads.
#[derive(Debug, Default)]
pub struct Packetiser {
    av1: Av1Payloader,
}

impl Packetiser {
    /// A packetiser; it keeps nothing from frame to frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The payloads of one frame, by its codec's payload format.
    pub fn packetise(&mut self, frame: &Arc<EncodedFrame>) -> Packetised {
        let payloads = match frame.codec {
            Codec::Av1 => av1::packetise(&mut self.av1, &frame.data, frame.keyframe),
            Codec::H264 => h264::packetise(&frame.data),
            Codec::Opus | Codec::G711(_) => opus::packetise(&frame.data),
            Codec::Vp8 => vp8::packetise(&frame.data),
            // Nobody encodes it, so nobody sends it.
            Codec::Vp9 => Vec::new(),
        };
        Packetised { frame: Arc::clone(frame), payloads }
    }
}

/// Puts together the picture whose payloads, all of them and in order, are `payloads`.
///
/// # Errors
/// Whatever the codec's payload format forbids; a codec that is no picture's.
pub(super) fn video_unit<'a>(codec: Codec, payloads: impl Iterator<Item = &'a [u8]>) -> Result<Unit, MalformedPayload> {
    match codec {
        Codec::Av1 => av1::depacketise(payloads),
        Codec::H264 => h264::depacketise(payloads),
        Codec::Vp8 => vp8::depacketise(payloads),
        Codec::Vp9 => vp9::depacketise(payloads),
        Codec::Opus | Codec::G711(_) => Err(MalformedPayload),
    }
}

/// The packet of sound that `payload` is.
///
/// # Errors
/// Whatever the codec's payload format forbids; a codec that is no sound's.
pub(super) fn sound_unit(codec: Codec, payload: Bytes) -> Result<Unit, MalformedPayload> {
    match codec {
        Codec::Opus | Codec::G711(_) => opus::depacketise(payload),
        Codec::Av1 | Codec::H264 | Codec::Vp8 | Codec::Vp9 => Err(MalformedPayload),
    }
}

/// Extent of the pictures that a keyframe begins which starts with this payload, as far as the codec says it there.
pub(super) fn keyframe_size(codec: Codec, payload: &[u8]) -> Option<Size> {
    match codec {
        Codec::Av1 => av1::keyframe_size(payload),
        Codec::H264 => h264::keyframe_size(payload),
        Codec::Vp8 => vp8::keyframe_size(payload),
        Codec::Vp9 => vp9::keyframe_size(payload),
        Codec::Opus | Codec::G711(_) => None,
    }
}

/// Whether a keyframe may start with this payload, where `has_header` says that a keyframe's header came before. Cheap
/// and lenient; [`video_unit`] has the last word.
#[must_use]
pub fn may_start_keyframe(codec: Codec, payload: &[u8], has_header: bool) -> bool {
    match codec {
        Codec::Av1 => av1::may_start_keyframe(payload, has_header),
        Codec::H264 => h264::may_start_keyframe(payload, has_header),
        Codec::Vp8 => vp8::may_start_keyframe(payload),
        Codec::Vp9 => vp9::may_start_keyframe(payload),
        Codec::Opus | Codec::G711(_) => false,
    }
}
