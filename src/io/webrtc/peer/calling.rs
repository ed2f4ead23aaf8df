//! **The question:** how does this side begin a connection? An offer of what it sends, and the other side's answer
//! (RFC 9725 section 4.2: all in one BUNDLE, sendonly). From then on it is a viewer's connection like any other, but
//! for ICE: the other side may be ICE-lite and waits to be checked, so this one is the full agent (RFC 8445 section
//! 2.5).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::rtp::Extension;

use crate::base::limits;
use crate::base::media::{Codec, RungCodecs};
use crate::engine::encode::encodes;
use crate::engine::flow::Counter;
use crate::io::webrtc::begin;
use crate::io::webrtc::called::Called;
use crate::io::webrtc::codec::to_wire;
use crate::io::webrtc::extensions;
use crate::io::webrtc::fingerprint::Expected;
use crate::io::webrtc::life::PeerSetup;
use crate::io::webrtc::offer;
use crate::io::webrtc::peer::Peer;

/// How H.264 is written here: constrained baseline of level 3.1, which every browser reads (RFC 7742 section 6.2), long
/// NAL units in fragments.
pub(super) const H264: (u8, u8, bool, u32) = (108, 109, true, 0x42_e01f);

/// What is read on the other side, and its number: which m-line a packet is of, and when it left.
pub(super) const EXTENSIONS: [(u8, Extension); 3] =
    [(2, Extension::AbsoluteSendTime), (3, Extension::TransportSequenceNumber), (4, Extension::RtpMid)];

/// Why an answer is of no use. Each says what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Longer than `limits::SDP_LEN_MAX`, not SDP, or none to this offer.
    #[error("it cannot be read, or does not answer the offer")]
    Malformed,
    /// The other side's certificate could not be checked.
    #[error("it tells its certificate by neither sha-256 nor sha-1 (RFC 8122)")]
    Fingerprint,
    /// It takes nothing that is sent.
    #[error("it takes neither the pictures nor the sound that are offered")]
    Nothing,
}

impl Peer {
    /// Begins a connection that sends pictures in one of `codecs`, as far as they are encoded here, and sound. Returns
    /// it and the offer's SDP. What is sent is counted in `sent`, bytes of media.
    ///
    /// # Panics
    /// Never: two m-lines are a change.
    #[must_use]
    pub fn offer(setup: &PeerSetup<'_>, codecs: RungCodecs, sent: Counter, now: Instant) -> (Self, String) {
        let offers = |codec| codecs.has(codec) && encodes(codec);
        let mut config = begin::config(setup.certificate)
            .enable_opus(true, false)
            .enable_av1(offers(Codec::Av1))
            .enable_vp8(offers(Codec::Vp8))
            .set_extension_map(extensions::numbered(EXTENSIONS))
            .set_stats_interval(Some(limits::LINK_REPORT_INTERVAL));
        if offers(Codec::H264) {
            let (format, again, whole, profile) = H264;
            config.codec_config().add_h264(format.into(), Some(again.into()), whole, profile);
        }
        let mut peer = Self::around(setup, config.build(now), None, now);
        let mut changes = peer.rtc.sdp_api();
        let video = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let audio = changes.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = changes.apply().expect("two m-lines are a change");
        let offer = with_stereo(&offer::with_one_stream(&offer.to_sdp_string()));
        peer.ufrag = offer::ufrag_of(&offer).to_owned();
        peer.called = Some(Called::new(pending, (video, audio), sent));
        (peer, offer)
    }

    /// Takes the answer to [`Peer::offer`], once; from now on the connection comes up, or does not in time.
    ///
    /// # Errors
    /// When it is of no use; nothing comes of the connection then.
    pub fn accept(&mut self, answer: &str, now: Instant) -> Result<(), AnswerError> {
        let (video, audio) = self.agree(answer)?;
        self.watches = self.taken(video);
        self.composite = self.sends(video).then(|| self.outgoing(video, true)).flatten();
        self.mix = self.sends(audio).then(|| self.outgoing(audio, false)).flatten();
        if self.composite.is_none() && self.mix.is_none() {
            return Err(AnswerError::Nothing);
        }
        self.begin(answer, now);
        Ok(())
    }

    /// Takes the answer to what this side offered, once; the lines of pictures and of sound.
    pub(super) fn agree(&mut self, answer: &str) -> Result<(Mid, Mid), AnswerError> {
        let pending = self.called.as_mut().and_then(Called::take_pending);
        let (pending, lines) = pending.ok_or(AnswerError::Malformed)?;
        if answer.len() > limits::SDP_LEN_MAX {
            return Err(AnswerError::Malformed);
        }
        if Expected::of(answer).is_some() {
            return Err(AnswerError::Fingerprint);
        }
        let parsed = SdpAnswer::from_sdp_string(answer).map_err(|error| unread(&error))?;
        // What str0m takes for granted of an answer costs this connection alone.
        let accepted = catch_unwind(AssertUnwindSafe(|| self.rtc.sdp_api().accept_answer(pending, parsed)));
        accepted.map_err(|_| AnswerError::Malformed)?.map_err(|error| unread(&error))?;
        Ok(lines)
    }

    /// From now on the connection comes up, or does not in time.
    pub(super) fn begin(&mut self, answer: &str, now: Instant) {
        answer.clone_into(&mut self.offer);
        (self.created, self.heard, self.next) = (now, now, now);
    }

    fn sends(&self, mid: Mid) -> bool {
        self.rtc.media(mid).is_some_and(|media| media.direction().is_sending())
    }

    /// The codecs of pictures that the other side takes on a line: VP8 is one more encode, for who takes nothing else.
    fn taken(&self, mid: Mid) -> RungCodecs {
        let Some(media) = self.rtc.media(mid) else { return RungCodecs::default() };
        let params = self.rtc.codec_config().params();
        let has = |codec: &Codec| {
            let mut of = params.iter().filter(|param| param.spec().codec == to_wire(*codec));
            of.any(|param| media.remote_pts().contains(&param.pt()))
        };
        let taken = [Codec::Av1, Codec::H264, Codec::Vp8].into_iter().filter(has);
        let taken = taken.fold(RungCodecs::default(), RungCodecs::with);
        RungCodecs { vp8: taken.vp8 && !taken.av1 && !taken.h264, ..taken }
    }
}

/// The offer with Opus in stereo: without it the other side takes the sound for mono (RFC 7587 section 7.1).
fn with_stereo(offer: &str) -> String {
    let opus = offer.lines().find_map(|line| {
        let (format, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        encoding.starts_with("opus/").then(|| format!("a=fmtp:{format} "))
    });
    let mut told = String::with_capacity(offer.len() + 16);
    for line in offer.lines().map(str::trim_end) {
        told.push_str(line);
        if opus.as_deref().is_some_and(|opus| line.starts_with(opus)) {
            told.push_str(";sprop-stereo=1");
        }
        told.push_str("\r\n");
    }
    told
}

/// What the parser says is for its author, and the other side may have written it.
fn unread(error: &dyn std::fmt::Display) -> AnswerError {
    tracing::debug!(%error, "an answer is not read");
    AnswerError::Malformed
}
