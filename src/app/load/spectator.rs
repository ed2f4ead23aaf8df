//! **The question:** how does somebody connect who only watches? By WHEP: a connection of str0m's and a socket of its
//! own. It answers what the node sends as browsers do (transport-wide feedback, reports, requests to send again) and
//! decodes nothing. The crate `webrtc`, by which people join, costs this side several times as much for each packet.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use quinn_udp::{RecvMeta, UdpSocketState};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::Codec as WireCodec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};

use super::codecs::Codecs;
use super::error::LoadError;
use super::reception::Reception;
use crate::base::limits;
use crate::base::media::Codec;
use crate::io::webrtc::may_start_keyframe;

/// How H.264 is offered: constrained baseline of level 3.1, long NAL units in fragments.
const H264: (u8, u8, bool, u32) = (108, 109, true, 0x42_e01f);

/// Where what is read lies, for one spectator after the other.
pub(super) struct Batch {
    buffers: [Vec<u8>; limits::LOAD_VIEWER_READS],
    metas: [RecvMeta; limits::LOAD_VIEWER_READS],
}

impl Batch {
    /// Empty.
    pub fn new() -> Self {
        let buffers = std::array::from_fn(|_| vec![0; limits::LOAD_VIEWER_READ_LEN]);
        Self { buffers, metas: std::array::from_fn(|_| RecvMeta::default()) }
    }
}

/// One who only watches.
pub(super) struct Spectator {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    socket: UdpSocket,
    state: UdpSocketState,
    address: SocketAddr,
    /// When str0m wants to be called.
    next: Instant,
    stands: bool,
    /// The composite's source, once anything of it came.
    source: Option<Ssrc>,
    /// What came.
    pub reception: Reception,
}

impl Spectator {
    /// A viewer at `here` who takes these `codecs`, and its offer.
    ///
    /// # Errors
    /// When this machine has no socket left.
    pub fn new(here: IpAddr, codecs: &Codecs, now: Instant) -> Result<(Self, String), LoadError> {
        let system = |error: io::Error| LoadError::System(format!("a viewer's socket: {error}"));
        let socket = UdpSocket::bind((here, 0)).map_err(system)?;
        let state = UdpSocketState::new((&socket).into()).map_err(system)?;
        let address = socket.local_addr().map_err(system)?;
        let mut config = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false);
        for codec in codecs.iter() {
            if codec == Codec::H264 {
                let (format, again, whole, profile) = H264;
                config.codec_config().add_h264(format.into(), Some(again.into()), whole, profile);
            } else {
                config = config.enable_av1(true);
            }
        }
        let mut rtc = config.build(now);
        let wrong = |error: &dyn std::fmt::Display| LoadError::Connection(error.to_string());
        rtc.add_local_candidate(Candidate::host(address, "udp").map_err(|error| wrong(&error))?);
        let mut changes = rtc.sdp_api();
        for kind in [MediaKind::Video, MediaKind::Audio] {
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().ok_or_else(|| wrong(&"nothing is offered"))?;
        let (reception, pending) = (Reception::new(now), Some(pending));
        let new = Self { rtc, pending, socket, state, address, next: now, stands: false, source: None, reception };
        Ok((new, offer.to_sdp_string()))
    }

    /// Takes the node's answer: from now on it connects.
    ///
    /// # Errors
    /// When the answer is none to the offer.
    pub fn accept(&mut self, answer: &str, now: Instant) -> Result<(), LoadError> {
        let wrong = |error: &dyn std::fmt::Display| LoadError::Connection(error.to_string());
        let answer = SdpAnswer::from_sdp_string(answer).map_err(|error| wrong(&error))?;
        let pending = self.pending.take().ok_or_else(|| wrong(&"it was answered before"))?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|error| wrong(&error))?;
        self.time(now);
        Ok(())
    }

    /// Whether the connection stands.
    pub fn stands(&self) -> bool {
        self.stands && self.rtc.is_alive()
    }

    /// Takes what waits at its socket, as far as the batch holds it; what is left is told of again.
    pub fn receive(&mut self, now: Instant, batch: &mut Batch) {
        let Batch { buffers, metas } = batch;
        let mut slices = buffers.each_mut().map(|buffer| IoSliceMut::new(buffer));
        // An error is about what was sent before, and lets nothing come.
        let count = self.state.recv((&self.socket).into(), &mut slices, metas).unwrap_or(0);
        for (meta, buffer) in metas.iter().zip(buffers.iter()).take(count) {
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                self.reception.datagram(datagram.len());
                let Ok(receive) = Receive::new(Protocol::Udp, meta.addr, self.address, datagram) else { continue };
                // What it cannot take is the sender's fault, and shows in what is counted.
                let _ = self.rtc.handle_input(Input::Receive(now, receive));
                self.drain(now);
            }
        }
    }

    /// Time passed.
    pub fn look(&mut self, now: Instant) {
        let asks = self.stands && self.reception.look(now);
        let source = self.source.filter(|_| asks);
        if let Some(source) = source
            && let Some(stream) = self.rtc.direct_api().stream_rx(&source)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
        if asks || now >= self.next {
            self.time(now);
        }
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        // One that is broken has nothing to say.
        let _ = self.rtc.close();
        self.drain(now);
    }

    fn time(&mut self, now: Instant) {
        let _ = self.rtc.handle_input(Input::Timeout(now));
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(next)) => {
                    self.next = next;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    // To some of the node's addresses there is no way from here; one is enough.
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Ok(Output::Event(event)) => self.event(now, event),
                Err(_) => {
                    self.rtc.disconnect();
                    self.next = now + limits::CONNECT_SPAN;
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => {
                self.stands = true;
                self.reception.stands(now);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) | Event::Closed => self.stands = false,
            Event::RtpPacket(packet) => self.packet(now, &packet),
            _ => {}
        }
    }

    fn packet(&mut self, now: Instant, packet: &RtpPacket) {
        let (sequence, kind) = (*packet.seq_no, packet.header.payload_type);
        let params = self.rtc.codec_config().params();
        let codec = params.iter().find(|one| one.pt() == kind).map(|one| one.spec().codec);
        let codec = match codec {
            Some(WireCodec::Opus) => return self.reception.sound(now, sequence),
            Some(WireCodec::H264) => Codec::H264,
            Some(WireCodec::Av1) => Codec::Av1,
            _ => return,
        };
        self.source = Some(packet.header.ssrc);
        let starts = may_start_keyframe(codec, &packet.payload, false);
        self.reception.picture(now, sequence, (packet.header.marker, starts));
    }
}

impl AsFd for Spectator {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn spectator(codecs: &str) -> (Spectator, String) {
        Spectator::new(Ipv4Addr::LOCALHOST.into(), &codecs.parse().unwrap(), Instant::now()).unwrap()
    }

    #[test]
    fn the_offer_receives_pictures_and_sound_and_sends_nothing() {
        let (spectator, offer) = spectator("av1");
        let sections: Vec<&str> = offer.split("\nm=").skip(1).collect();
        assert_eq!(sections.len(), 2, "{offer}");
        for (section, (kind, codec)) in sections.iter().zip([("video ", "AV1/90000"), ("audio ", "opus/48000/2")]) {
            assert!(section.starts_with(kind) && section.contains(codec) && section.contains("a=recvonly"), "{offer}");
        }
        assert!(offer.contains("transport-cc") && offer.contains("rtx/90000") && !offer.contains("H264"), "{offer}");
        assert!(offer.contains(" 127.0.0.1 ") && !spectator.stands(), "{offer}");
    }

    #[cfg(feature = "h264")]
    #[test]
    fn who_takes_h264_alone_offers_nothing_else() {
        let (_, offer) = spectator("h264");
        assert!(offer.contains("H264/90000") && offer.contains("42e01f") && !offer.contains("AV1"), "{offer}");
    }

    #[test]
    fn an_answer_that_is_none_is_an_error() {
        let (mut one, _) = spectator("av1");
        assert!(matches!(one.accept("no answer", Instant::now()), Err(LoadError::Connection(_))));
        assert!(!one.stands());
    }
}
