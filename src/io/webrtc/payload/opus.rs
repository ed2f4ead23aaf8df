//! **The question:** how does an Opus packet lie in RTP payloads? One for one, as it is (RFC 7587 section 4.2). G.711
//! does the same (RFC 3551 section 4.5.14), in packets of its own length.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::limits;
use crate::io::webrtc::payload::unit::{MalformedPayload, Unit};

/// The one payload of a packet.
pub(super) fn packetise(packet: &Bytes) -> Vec<Arc<[u8]>> {
    vec![Arc::from(&packet[..])]
}

/// The packet that `payload` is.
///
/// # Errors
/// When it is empty, or longer than any packet of sound.
pub(super) fn depacketise(payload: Bytes) -> Result<Unit, MalformedPayload> {
    if payload.is_empty() || payload.len() > limits::OPUS_LEN_MAX {
        return Err(MalformedPayload);
    }
    Ok(Unit { data: payload, keyframe: true, ..Unit::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_its_payload_and_nothing_is_none() {
        let packet = Bytes::from_static(&[0xfc, 0xff, 0xfe]);
        let [payload] = &packetise(&packet)[..] else { panic!("one for one") };
        assert_eq!(
            depacketise(Bytes::copy_from_slice(payload)),
            Ok(Unit { data: packet, keyframe: true, ..Unit::default() })
        );
        assert_eq!(depacketise(Bytes::new()), Err(MalformedPayload));
        assert_eq!(depacketise(Bytes::from(vec![0; limits::OPUS_LEN_MAX + 1])), Err(MalformedPayload));
    }
}
