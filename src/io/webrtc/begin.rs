//! **The question:** what does each connection here begin with, whoever offers it? str0m in RTP mode, with this side's
//! certificate and none of its codecs; who makes it adds what it is for.

use str0m::{Rtc, RtcConfig};

use crate::base::limits;
use crate::io::webrtc::certificate::Certificate;
use crate::io::webrtc::dtls;

/// What all connections have in common.
pub(super) fn config(certificate: &Certificate) -> RtcConfig {
    Rtc::builder()
        .set_rtp_mode(true)
        .set_crypto_provider(dtls::provider())
        .set_dtls_cert(certificate.0.clone())
        .clear_codecs()
        .set_send_buffer_video(limits::SEND_BUFFER_PACKETS)
        .set_rtcp_report_interval_video(limits::SENDER_REPORT_INTERVAL)
        .set_rtcp_report_interval_audio(limits::SENDER_REPORT_INTERVAL)
}
