//! **The question:** how does this side watch a room of another node? As any viewer does, by an offer that receives
//! pictures of one codec, sound and words (WHEP); what comes is a camera's and a microphone's, for who reads it.

use std::time::Instant;

use str0m::media::{Direction, MediaKind};

use crate::base::limits;
use crate::base::media::{Codec, TrackKind};
use crate::core::signal;
use crate::engine::flow::Counter;
use crate::io::webrtc::begin;
use crate::io::webrtc::called::Called;
use crate::io::webrtc::extensions;
use crate::io::webrtc::incoming::Incoming;
use crate::io::webrtc::life::PeerSetup;
use crate::io::webrtc::offer;
use crate::io::webrtc::peer::Peer;
use crate::io::webrtc::peer::calling::{AnswerError, EXTENSIONS, H264};

impl Peer {
    /// Begins a connection that receives pictures of `codec`, sound and what is said. Returns it and the offer's SDP.
    ///
    /// # Panics
    /// Never: two m-lines are a change.
    #[must_use]
    pub fn offer_to_watch(setup: &PeerSetup<'_>, codec: Codec, now: Instant) -> (Self, String) {
        let mut config = begin::config(setup.certificate)
            .enable_opus(true, false)
            .enable_av1(codec == Codec::Av1)
            .enable_vp8(codec == Codec::Vp8)
            .set_extension_map(extensions::numbered(EXTENSIONS))
            .set_sctp_max_message_size(limits::SIGNAL_LEN_MAX as u32);
        if codec == Codec::H264 {
            let (format, again, whole, profile) = H264;
            config.codec_config().add_h264(format.into(), Some(again.into()), whole, profile);
        }
        let mut peer = Self::around(setup, config.build(now), None, now);
        let mut changes = peer.rtc.sdp_api();
        let video = changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let audio = changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        changes.add_channel(signal::LABEL.to_owned());
        let (offer, pending) = changes.apply().expect("two m-lines are a change");
        let offer = offer.to_sdp_string();
        peer.ufrag = offer::ufrag_of(&offer).to_owned();
        peer.called = Some(Called::new(pending, (video, audio), Counter::default()));
        (peer, offer)
    }

    /// Takes the answer to [`Peer::offer_to_watch`], once.
    ///
    /// # Errors
    /// When it is of no use; nothing comes of the connection then.
    pub fn accept_to_watch(&mut self, answer: &str, now: Instant) -> Result<(), AnswerError> {
        let (video, audio) = self.agree(answer)?;
        if !self.rtc.media(video).is_some_and(|media| media.direction().is_receiving()) {
            return Err(AnswerError::Nothing);
        }
        self.incoming = vec![Incoming::new(TrackKind::Camera, video), Incoming::new(TrackKind::Microphone, audio)];
        self.begin(answer, now);
        Ok(())
    }
}
