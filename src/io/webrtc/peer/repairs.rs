//! **The question:** what of the pictures that a viewer was sent can be sent again?

use str0m::media::Mid;

use crate::base::limits;
use crate::io::webrtc::peer::Peer;

impl Peer {
    /// What was sent so far is never sent again: a keyframe follows, and where a link carries little, repairs of what
    /// came before it would only stand in its way.
    pub(in crate::io::webrtc) fn forget_sent(&mut self) {
        if let Some(line) = self.composite {
            self.keep_sent(line.mid);
        }
    }

    /// Keeps what is sent from now on.
    pub(super) fn keep_sent(&mut self, mid: Mid) {
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(mid, None) {
            // str0m's own cap of 15 % would refuse the repair of a first keyframe that lost one packet of five.
            let ratio_max = Some(limits::RETRANSMISSION_SHARE_MAX);
            stream.set_rtx_cache(limits::SEND_BUFFER_PACKETS, limits::SEND_BUFFER_SPAN, ratio_max);
        }
    }
}
