//! **The question:** what does one connection say and hear? One str0m `Rtc` in RTP mode, still without I/O: datagrams and time
//! in, datagrams and [`PeerOutput`] out. Every call drains what it caused.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::format::Codec as WireCodec;
use str0m::media::{Direction, KeyframeRequestKind, MediaAdded, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, Ssrc};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError};

use crate::limits;
use crate::media::{AudioLevel, EncodedFrame, Outbox, ParticipantId, PeerId, RoomEpoch, TrackKind, rtp_from_pts};
use crate::signal;
use crate::webrtc::Certificate;
use crate::webrtc::assemble::{Assembled, SoundAssembler, VideoAssembler, WirePacket};
use crate::webrtc::offer::{self, OfferError};
use crate::webrtc::packetise::Packetised;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRole {
    /// A person's whole connection.
    Participant(ParticipantId),
    /// WHIP: a person who only publishes.
    Publisher(ParticipantId),
    /// WHEP: someone who only watches; `minus` names whose voice they must not hear, their own.
    Viewer {
        /// Whose voice is left out.
        minus: Option<ParticipantId>,
    },
}

impl PeerRole {
    /// Whose voice this connection must not hear.
    #[must_use]
    pub fn minus(self) -> Option<ParticipantId> {
        match self {
            Self::Participant(id) | Self::Publisher(id) => Some(id),
            Self::Viewer { minus } => minus,
        }
    }
}

/// What a connection is made of.
pub struct PeerSetup<'a> {
    /// Its id.
    pub id: PeerId,
    /// What it is for.
    pub role: PeerRole,
    /// The node's certificate.
    pub certificate: &'a Certificate,
    /// Addresses for the answer.
    pub candidates: &'a [SocketAddr],
}

/// ICE credentials (RFC 8445 section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `ice-ufrag`.
    pub ufrag: String,
    /// `ice-pwd`.
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceCredentials(…)")
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The other side said goodbye.
    Closed,
    /// ICE or DTLS did not come up in time.
    NeverConnected,
    /// Nothing was heard of it for too long.
    Lost,
    /// It broke the protocol.
    Broken,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the client said goodbye",
            Self::NeverConnected => "the client never connected",
            Self::Lost => "the client was lost",
            Self::Broken => "the client broke the protocol",
        })
    }
}

/// What a connection answers.
#[derive(Debug)]
pub(super) enum PeerOutput {
    Transmit {
        source: SocketAddr,
        destination: SocketAddr,
        datagram: str0m::net::DatagramSend,
    },
    Connected,
    Closed(CloseReason),
    ChannelOpen,
    TrackStarted(TrackKind),
    TrackEnded(TrackKind),
    Frame(TrackKind, EncodedFrame),
    /// The other side wants a keyframe of the composite.
    KeyframeRequested,
    Signal(String),
}

/// One connection.
pub struct Peer {
    pub(super) id: PeerId,
    pub(super) role: PeerRole,
    rtc: Rtc,
    offer: String,
    ufrag: String,
    incoming: Vec<Incoming>,
    composite: Option<Outgoing>,
    mix: Option<Outgoing>,
    channel: Option<ChannelId>,
    created: Instant,
    connected: bool,
    disconnected: Option<Instant>,
    closed: bool,
    next: Instant,
    assembled: Outbox<Assembled>,
}

/// A track that the other side publishes.
struct Incoming {
    kind: TrackKind,
    mid: Mid,
    ssrc: Option<Ssrc>,
    started: bool,
    last_request: Option<Instant>,
    assembler: Assembler,
}

enum Assembler {
    Video(Box<VideoAssembler>),
    Sound(SoundAssembler),
}

/// A track that this side sends.
#[derive(Debug, Clone, Copy)]
struct Outgoing {
    mid: Mid,
    pt: Pt,
    /// The next packet's extended sequence number.
    sequence: u64,
}

impl Peer {
    /// Answers an offer. Returns the connection and the answer's SDP.
    ///
    /// # Errors
    /// When the offer cannot be answered; the message says what to do.
    pub fn answer(setup: &PeerSetup<'_>, offer_sdp: &str, now: Instant) -> Result<(Self, String), OfferError> {
        let mut rtc = Rtc::builder()
            .set_rtp_mode(true)
            .set_ice_lite(true)
            .set_dtls_cert(setup.certificate.0.clone())
            .clear_codecs()
            .enable_opus(true, false)
            .enable_av1(true)
            .set_send_buffer_video(limits::SEND_BUFFER_PACKETS)
            .set_rtcp_report_interval_video(limits::SENDER_REPORT_INTERVAL)
            .set_rtcp_report_interval_audio(limits::SENDER_REPORT_INTERVAL)
            .build(now);
        for address in setup.candidates {
            if let Ok(candidate) = Candidate::host(*address, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut peer = Self {
            id: setup.id,
            role: setup.role,
            rtc,
            offer: String::new(),
            ufrag: String::new(),
            incoming: Vec::new(),
            composite: None,
            mix: None,
            channel: None,
            created: now,
            connected: false,
            disconnected: None,
            closed: false,
            next: now,
            assembled: Outbox::new(),
        };
        let answer = peer.renegotiate(offer_sdp)?;
        Ok((peer, answer))
    }

    /// Answers a later offer of the same connection.
    ///
    /// # Errors
    /// As [`Peer::answer`].
    pub(super) fn renegotiate(&mut self, offer_sdp: &str) -> Result<String, OfferError> {
        offer::check(offer_sdp)?;
        let parsed = SdpOffer::from_sdp_string(offer_sdp).map_err(|e| OfferError::Malformed(e.to_string()))?;
        let answer = self.rtc.sdp_api().accept_offer(parsed).map_err(|e| OfferError::Malformed(e.to_string()))?;
        let answer = answer.to_sdp_string();
        self.offer = offer_sdp.to_owned();
        self.ufrag = offer::ufrag_of(&answer).to_owned();
        Ok(answer)
    }

    /// Restarts ICE with the other side's new credentials; the answer is an SDP fragment with ours.
    pub(super) fn restart_ice(&mut self, credentials: &IceCredentials) -> Result<String, OfferError> {
        let restarted = offer::with_credentials(&self.offer, &credentials.ufrag, &credentials.password);
        let answer = self.renegotiate(&restarted)?;
        self.disconnected = None;
        Ok(offer::fragment_of(&answer))
    }

    /// This side's `ice-ufrag`, by which datagrams find it and which names its ICE generation.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The other side's `ice-ufrag`: a fragment with another one asks for a restart.
    pub(super) fn remote_ufrag(&self) -> &str {
        offer::ufrag_of(&self.offer)
    }

    /// Takes a candidate of the other side, the attribute's value from `candidate:` on. A malformed one is ignored: the
    /// connection may come up without it.
    pub(super) fn add_candidate(&mut self, candidate: &str) {
        if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// One datagram. `destination` is the candidate it came in by. False: it was malformed.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        out: &mut Outbox<PeerOutput>,
    ) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, source, destination, datagram) else { return false };
        let handled = self.rtc.handle_input(Input::Receive(now, receive));
        self.drain(now, out);
        self.note_failure(handled, out)
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.note_failure(handled, out);
        self.give_up_on_gaps(now, out);
        self.drain(now, out);
        let too_late = match (self.connected, self.disconnected) {
            (false, _) => (now >= self.created + limits::CONNECT_SPAN).then_some(CloseReason::NeverConnected),
            (true, Some(since)) => (now >= since + limits::DISCONNECTED_SPAN).then_some(CloseReason::Lost),
            (true, None) => None,
        };
        if let Some(reason) = too_late {
            self.close(reason, out);
        }
    }

    /// When `handle_timeout` must be called at the latest.
    pub(super) fn deadline(&self) -> Instant {
        let gaps = self.incoming.iter().filter_map(|incoming| match &incoming.assembler {
            Assembler::Video(assembler) => assembler.deadline(),
            Assembler::Sound(_) => None,
        });
        gaps.fold(self.next, Instant::min)
    }

    /// Sends one frame of the composite, whose payloads all viewers share.
    pub(super) fn write_video(
        &mut self,
        now: Instant,
        packetised: &Packetised,
        epoch: &RoomEpoch,
        out: &mut Outbox<PeerOutput>,
    ) {
        let Some(line) = &mut self.composite else { return };
        let (mid, pt, first) = (line.mid, line.pt, line.sequence);
        line.sequence += packetised.payloads.len() as u64;
        let pts = packetised.frame.pts;
        let time = rtp_from_pts(pts, limits::VIDEO_CLOCK) as u32;
        let wallclock = epoch.instant_at(pts);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        for (at, payload) in packetised.payloads.iter().enumerate() {
            let sequence = (first + at as u64).into();
            let packet = str0m::rtp::RtpWrite::new(pt, sequence, time, wallclock, payload.clone())
                .marker(at + 1 == packetised.payloads.len())
                .nackable(true);
            stream.write_rtp(packet);
        }
        self.flush(now, out);
    }

    /// Sends one Opus packet of the mix.
    pub(super) fn write_sound(
        &mut self,
        now: Instant,
        frame: &EncodedFrame,
        payload: &Arc<[u8]>,
        epoch: &RoomEpoch,
        out: &mut Outbox<PeerOutput>,
    ) {
        let Some(line) = &mut self.mix else { return };
        let (mid, pt, sequence) = (line.mid, line.pt, line.sequence);
        line.sequence += 1;
        let time = rtp_from_pts(frame.pts, limits::SAMPLE_RATE) as u32;
        let wallclock = epoch.instant_at(frame.pts);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        stream.write_rtp(str0m::rtp::RtpWrite::new(pt, sequence.into(), time, wallclock, payload.clone()));
        self.flush(now, out);
    }

    /// Whether it takes the composite.
    pub(super) fn wants_video(&self) -> bool {
        self.connected && !self.closed && self.composite.is_some()
    }

    /// Whether it takes the mix.
    pub(super) fn wants_sound(&self) -> bool {
        self.connected && !self.closed && self.mix.is_some()
    }

    /// Asks the source of a track for a keyframe, at most once a `limits::KEYFRAME_SPACING`; says whether it did.
    pub(super) fn request_keyframe(&mut self, now: Instant, kind: TrackKind, out: &mut Outbox<PeerOutput>) -> bool {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.kind == kind) else { return false };
        if incoming.last_request.is_some_and(|at| now < at + limits::KEYFRAME_SPACING) {
            return false;
        }
        let Some(ssrc) = incoming.ssrc else { return false };
        incoming.last_request = Some(now);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_rx(&ssrc) else { return false };
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.flush(now, out);
        true
    }

    /// Says a text on the data channel; false while it is not open, or its buffer is full.
    pub(super) fn say(&mut self, now: Instant, text: &str, out: &mut Outbox<PeerOutput>) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return false };
        let said = channel.write(false, text.as_bytes()).unwrap_or(false);
        self.flush(now, out);
        said
    }

    /// Says goodbye; what it pushes must still be sent.
    pub(super) fn close(&mut self, reason: CloseReason, out: &mut Outbox<PeerOutput>) {
        if self.closed {
            return;
        }
        self.closed = true;
        // An Rtc that is already broken has nothing left to say.
        let _ = self.rtc.close();
        while let Ok(Output::Transmit(transmit)) = self.rtc.poll_output() {
            out.push(transmit_of(transmit));
        }
        out.push(PeerOutput::Closed(reason));
    }

    /// str0m sends what was written only once it knows the time.
    fn flush(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.note_failure(handled, out);
        self.drain(now, out);
    }

    fn note_failure(&mut self, handled: Result<(), RtcError>, out: &mut Outbox<PeerOutput>) -> bool {
        let fine = handled.is_ok();
        if !fine && !self.rtc.is_alive() {
            self.close(CloseReason::Broken, out);
        }
        fine
    }

    fn drain(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(next)) => {
                    self.next = next;
                    return;
                }
                Ok(Output::Transmit(transmit)) => out.push(transmit_of(transmit)),
                Ok(Output::Event(event)) => self.event(now, event, out),
                Err(_) => {
                    self.next = now + Duration::from_secs(1);
                    self.close(CloseReason::Broken, out);
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event, out: &mut Outbox<PeerOutput>) {
        match event {
            Event::Connected => {
                self.connected = true;
                out.push(PeerOutput::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => self.disconnected = Some(now),
            Event::IceConnectionStateChange(_) => self.disconnected = None,
            Event::MediaAdded(added) => self.media_added(&added, out),
            Event::MediaChanged(changed) => self.media_changed(changed.mid, changed.direction, out),
            Event::RtpPacket(packet) => self.packet(now, packet, out),
            Event::KeyframeRequest(_) => out.push(PeerOutput::KeyframeRequested),
            Event::ChannelOpen(id, label) if label == signal::LABEL => {
                self.channel = Some(id);
                out.push(PeerOutput::ChannelOpen);
            }
            Event::ChannelData(data) if self.channel == Some(data.id) && !data.binary => {
                // A text that is no UTF-8 or too long is no message.
                if data.data.len() <= limits::SIGNAL_LEN_MAX
                    && let Ok(text) = String::from_utf8(data.data)
                {
                    out.push(PeerOutput::Signal(text));
                }
            }
            Event::ChannelClose(id) if self.channel == Some(id) => self.channel = None,
            Event::Closed => self.close(CloseReason::Closed, out),
            _ => {}
        }
    }

    /// Camera before screen, microphone before screen sound: the order of the m-lines says which is which.
    fn media_added(&mut self, added: &MediaAdded, out: &mut Outbox<PeerOutput>) {
        let video = added.kind == MediaKind::Video;
        if added.direction.is_sending() {
            let line = self.outgoing(added.mid, video);
            let place = if video { &mut self.composite } else { &mut self.mix };
            if place.is_none() {
                *place = line;
            }
            return;
        }
        let (first, second) = if video {
            (TrackKind::Camera, TrackKind::Screen)
        } else {
            (TrackKind::Microphone, TrackKind::ScreenSound)
        };
        let taken = |kind| self.incoming.iter().any(|incoming| incoming.kind == kind);
        let kind = if !taken(first) {
            first
        } else if !taken(second) {
            second
        } else {
            return;
        };
        let assembler = if video {
            Assembler::Video(Box::new(VideoAssembler::new()))
        } else {
            Assembler::Sound(SoundAssembler::new())
        };
        let mid = added.mid;
        self.incoming.push(Incoming { kind, mid, ssrc: None, started: false, last_request: None, assembler });
        if added.direction == Direction::Inactive {
            self.media_changed(mid, Direction::Inactive, out);
        }
    }

    fn outgoing(&self, mid: Mid, video: bool) -> Option<Outgoing> {
        let codec = if video { WireCodec::Av1 } else { WireCodec::Opus };
        let media = self.rtc.media(mid)?;
        let params = self.rtc.codec_config().params();
        let fits = |pt: &&Pt| params.iter().any(|p| p.pt() == **pt && p.spec().codec == codec);
        let pt = *media.remote_pts().iter().find(fits)?;
        // Below 2^15, so that the first wrap is far and no roll-over counter need be told (RFC 3711 section 3.3.1).
        let sequence = u64::from(rand::random::<u16>() >> 1);
        Some(Outgoing { mid, pt, sequence })
    }

    fn media_changed(&mut self, mid: Mid, direction: Direction, out: &mut Outbox<PeerOutput>) {
        if let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.mid == mid)
            && !direction.is_receiving()
            && incoming.started
        {
            incoming.started = false;
            out.push(PeerOutput::TrackEnded(incoming.kind));
        }
    }

    fn packet(&mut self, now: Instant, packet: RtpPacket, out: &mut Outbox<PeerOutput>) {
        let ssrc = packet.header.ssrc;
        if !self.incoming.iter().any(|incoming| incoming.ssrc == Some(ssrc)) {
            let mut direct = self.rtc.direct_api();
            let Some(mid) = direct.stream_rx(&ssrc).map(|stream| stream.mid()) else { return };
            let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.mid == mid) else { return };
            incoming.ssrc = Some(ssrc);
        }
        let found = self.incoming.iter_mut().find(|incoming| incoming.ssrc == Some(ssrc));
        let Some(incoming) = found else { return };
        if !incoming.started {
            incoming.started = true;
            out.push(PeerOutput::TrackStarted(incoming.kind));
        }
        let wire = wire_packet(packet);
        match &mut incoming.assembler {
            Assembler::Video(assembler) => assembler.push(now, wire, &mut self.assembled),
            Assembler::Sound(assembler) => {
                if let Some(frame) = assembler.push(wire) {
                    out.push(PeerOutput::Frame(incoming.kind, frame));
                }
                return;
            }
        }
        let kind = incoming.kind;
        self.take_assembled(now, kind, out);
    }

    fn give_up_on_gaps(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        for at in 0..self.incoming.len() {
            let incoming = &mut self.incoming[at];
            if let Assembler::Video(assembler) = &mut incoming.assembler
                && assembler.deadline().is_some_and(|deadline| now >= deadline)
            {
                assembler.handle_timeout(now, &mut self.assembled);
                let kind = incoming.kind;
                self.take_assembled(now, kind, out);
            }
        }
    }

    fn take_assembled(&mut self, now: Instant, kind: TrackKind, out: &mut Outbox<PeerOutput>) {
        let mut wanted = false;
        for assembled in self.assembled.drain() {
            match assembled {
                Assembled::Frame(frame) => out.push(PeerOutput::Frame(kind, frame)),
                Assembled::RequestKeyframe => wanted = true,
            }
        }
        if wanted && let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.kind == kind) {
            let due = incoming.last_request.is_none_or(|at| now >= at + limits::KEYFRAME_SPACING);
            if let (true, Some(ssrc)) = (due, incoming.ssrc) {
                incoming.last_request = Some(now);
                if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
        }
    }
}

fn transmit_of(transmit: str0m::net::Transmit) -> PeerOutput {
    PeerOutput::Transmit { source: transmit.source, destination: transmit.destination, datagram: transmit.contents }
}

fn wire_packet(packet: RtpPacket) -> WirePacket {
    let ExtensionValues { audio_level, rid, .. } = &packet.header.ext_vals;
    // str0m tells the level as a negative number of decibels.
    let audio_level = audio_level.map(|level| AudioLevel(level.unsigned_abs().min(127)));
    let rid = rid.map(|rid| {
        let mut bytes = [0; 8];
        let text = rid.as_bytes();
        let length = text.len().min(bytes.len());
        bytes[..length].copy_from_slice(&text[..length]);
        bytes
    });
    WirePacket {
        sequence: *packet.seq_no,
        rtp_time: packet.time.numer(),
        marker: packet.header.marker,
        arrival: packet.timestamp,
        payload: packet.payload,
        audio_level,
        rid,
    }
}
