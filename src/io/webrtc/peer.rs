//! **The question:** what does one connection say and hear? One str0m `Rtc` in RTP mode, still without I/O: datagrams
//! and time in, datagrams and [`PeerOutput`] out. Every call drains what it caused.

pub(super) mod calling;
mod repairs;
mod watching;

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::channel::ChannelId;
use str0m::media::{Direction, KeyframeRequestKind, MediaAdded, MediaKind, Mid, Pt};
use str0m::net::Receive;
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcError};

use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, Outbox, PeerId, RoomEpoch, RungCodecs, TrackKind, rtp_from_pts};
use crate::core::ladder::{Admission, SendTarget};
use crate::core::signal;
use crate::engine::decode::decodes;
use crate::io::webrtc::assemble::Assembled;
use crate::io::webrtc::begin;
use crate::io::webrtc::called::Called;
use crate::io::webrtc::candidates;
use crate::io::webrtc::codec::{H264_MORE, payload_kind, to_wire};
use crate::io::webrtc::demux::{Demux, Head};
use crate::io::webrtc::downlink::Downlink;
use crate::io::webrtc::dtls;
use crate::io::webrtc::extensions;
use crate::io::webrtc::feedback::Feedback;
use crate::io::webrtc::fingerprint::Expected;
use crate::io::webrtc::greeting::Greeting;
use crate::io::webrtc::incoming::{Incoming, Take, wire_packet};
use crate::io::webrtc::intake::Intake;
use crate::io::webrtc::life::{CloseReason, IceCredentials, PeerOutput, PeerSetup};
use crate::io::webrtc::offer::{self, OfferError};
use crate::io::webrtc::payload::{Packetised, keyframe_size, may_start_keyframe};
use crate::io::webrtc::role::PeerRole;
use crate::io::webrtc::route::Route;
use crate::io::webrtc::silence::Silence;
use crate::io::webrtc::stun;

/// One connection.
pub struct Peer {
    pub(super) id: PeerId,
    pub(super) role: PeerRole,
    red: bool,
    rtc: Rtc,
    offer: String,
    ufrag: String,
    incoming: Vec<Incoming>,
    composite: Option<Outgoing>,
    /// What it may be sent pictures in; nothing, if it receives none.
    watches: RungCodecs,
    mix: Option<Outgoing>,
    downlink: Downlink,
    channel: Option<ChannelId>,
    /// The other side's certificate, where str0m cannot compare.
    expected: Option<Expected>,
    created: Instant,
    connected: bool,
    /// When the last datagram came.
    heard: Instant,
    silence: Silence,
    closed: bool,
    next: Instant,
    assembled: Outbox<Assembled>,
    demux: Demux,
    greeting: Greeting,
    feedback: Feedback,
    /// Of a connection that this side began.
    called: Option<Called>,
}

/// A track that this side sends.
#[derive(Debug, Clone, Copy)]
struct Outgoing {
    mid: Mid,
    /// The payload type of each codec that it may be sent.
    formats: [Option<(Codec, Pt)>; 3],
    /// The next packet's extended sequence number.
    sequence: u64,
    /// The last packet's RTP time.
    time: Option<u64>,
}

impl Outgoing {
    /// The payload type of a codec, if it may be sent that.
    fn format(&self, codec: Codec) -> Option<Pt> {
        self.formats.iter().flatten().find(|(of, _)| *of == codec).map(|(_, pt)| *pt)
    }
}

impl Peer {
    /// Answers an offer. Returns the connection and the answer's SDP.
    ///
    /// # Errors
    /// When the offer cannot be answered; the message says what to do.
    pub fn answer(setup: &PeerSetup<'_>, offer_sdp: &str, now: Instant) -> Result<(Self, String), OfferError> {
        let expected = Expected::of(offer_sdp);
        let mut config = begin::config(setup.certificate)
            .set_ice_lite(true)
            .set_fingerprint_verification(expected.is_none())
            .enable_opus(true, true)
            .enable_av1(true)
            .enable_h264(decodes(Codec::H264))
            .enable_vp8(decodes(Codec::Vp8))
            .enable_vp9(decodes(Codec::Vp9))
            .set_extension_map(extensions::map())
            .set_stats_interval(Some(limits::LINK_REPORT_INTERVAL))
            .set_sctp_max_message_size(limits::SIGNAL_LEN_MAX as u32);
        for (format, again, whole, profile) in H264_MORE.into_iter().filter(|_| decodes(Codec::H264)) {
            config.codec_config().add_h264(format.into(), Some(again.into()), whole, profile);
        }
        let mut peer = Self::around(setup, config.build(now), expected, now);
        let answer = peer.renegotiate(offer_sdp)?;
        Ok((peer, answer))
    }

    /// A connection of which nothing is agreed yet.
    fn around(setup: &PeerSetup<'_>, mut rtc: Rtc, expected: Option<Expected>, now: Instant) -> Self {
        candidates::add(&mut rtc, setup);
        Self {
            id: setup.id,
            role: setup.role,
            red: setup.red,
            rtc,
            offer: String::new(),
            ufrag: String::new(),
            incoming: Vec::new(),
            composite: None,
            watches: RungCodecs::default(),
            mix: None,
            downlink: Downlink::default(),
            channel: None,
            expected,
            created: now,
            connected: false,
            heard: now,
            silence: Silence::new(now),
            closed: false,
            next: now,
            assembled: Outbox::new(),
            demux: Demux::default(),
            greeting: Greeting::default(),
            feedback: Feedback::default(),
            called: None,
        }
    }

    /// Answers a later offer of the same connection.
    ///
    /// # Errors
    /// As [`Peer::answer`].
    pub(super) fn renegotiate(&mut self, offer_sdp: &str) -> Result<String, OfferError> {
        let intake = Intake::read(offer_sdp, self.role)?;
        let parsed = SdpOffer::from_sdp_string(&intake.text).map_err(|error| unread(&error))?;
        // str0m asserts what it takes for granted of payload types; `Intake` refuses what is known to break that, and
        // what is not known costs its own connection alone.
        let accepted = catch_unwind(AssertUnwindSafe(|| self.rtc.sdp_api().accept_offer(parsed)));
        let answer = accepted
            .inspect_err(|_| self.rtc.disconnect())
            .map_err(|_| OfferError::Malformed("its payload types contradict each other".into()))?
            .map_err(|error| unread(&error))?;
        let answer = answer.to_sdp_string();
        if let Some(at) = intake.unanswered(&answer).filter(|_| matches!(self.role, PeerRole::Publisher(_))) {
            return Err(OfferError::Partial(at, "its formats are of profiles that this node does not take".into()));
        }
        let mut answer = offer::with_one_stream(&intake.answer(&answer));
        self.greeting.refuse(intake.refusals());
        self.feedback.agree(intake.takes_remb());
        // What was negotiated first stays: the room counts on it.
        if self.watches == RungCodecs::default() {
            let mut sends = intake.lines.iter().map(|line| line.sends);
            self.watches = sends.find(|sends| *sends != RungCodecs::default()).unwrap_or_default();
        }
        if self.red {
            answer = offer::with_red_first(&answer);
        }
        self.offer = offer_sdp.to_owned();
        self.ufrag = offer::ufrag_of(&answer).to_owned();
        Ok(answer)
    }

    /// Restarts ICE with the other side's new credentials; the answer is an SDP fragment with ours.
    pub(super) fn restart_ice(&mut self, credentials: &IceCredentials) -> Result<String, OfferError> {
        let restarted = offer::with_credentials(&self.offer, &credentials.ufrag, &credentials.password);
        let answer = self.renegotiate(&restarted)?;
        Ok(offer::fragment_of(&answer))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The codecs of the pictures that it may be sent; none where it receives no pictures.
    #[must_use]
    pub fn watches(&self) -> RungCodecs {
        self.watches
    }

    /// Whether ICE and DTLS came up.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
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

    /// A connectivity check of this side's, with which the other side proves that it reads at an address; it answers
    /// whoever knows its password (RFC 8445 section 7.3).
    pub(super) fn check(&self, transaction: [u8; stun::TRANSACTION_BYTES]) -> Option<Vec<u8>> {
        let username = format!("{}:{}", self.remote_ufrag(), self.ufrag);
        stun::check(transaction, &username, offer::password_of(&self.offer))
    }

    /// Whether the answer to such a check was written by the other side.
    pub(super) fn verifies(&self, answer: &[u8]) -> bool {
        stun::verifies(answer, offer::password_of(&self.offer))
    }

    /// Takes a candidate of the other side, the attribute's value from `candidate:` on. A malformed one is ignored: the
    /// connection may come up without it.
    pub(super) fn add_candidate(&mut self, candidate: &str) {
        if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
            self.rtc.add_remote_candidate(candidate);
        }
    }

    /// Whether a datagram from an address not seen before is this peer's: STUN that knows the password, so that nobody
    /// can divert the datagrams of another address by naming this peer's `ice-ufrag`.
    pub(super) fn accepts(&self, now: Instant, route: Route, datagram: &[u8]) -> bool {
        Receive::new(route.protocol, route.source, route.destination, datagram)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// One of its TCP connections is no more.
    pub(super) fn forget_stream(&mut self, remote: SocketAddr) {
        candidates::forget_stream(&mut self.rtc, remote);
    }

    /// One datagram. `route` ends at the candidate it came in by. False: it was malformed.
    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
        out: &mut Outbox<PeerOutput>,
    ) -> bool {
        let Route { protocol, source, destination } = route;
        let Ok(receive) = Receive::new(protocol, source, destination, datagram) else { return false };
        self.heard = now;
        let mut handled = self.rtc.handle_input(Input::Receive(now, receive));
        // Before anything of what the handshake brought is used.
        if let (Some(shown), Some(expected)) = (dtls::take_shown(), &self.expected)
            && !expected.is_of(&shown)
        {
            tracing::warn!("a client shows another certificate than its offer told; it never connects");
            self.close(CloseReason::Handshake, out);
            return false;
        }
        self.drain(now, out);
        if self.expect_stream(datagram)
            && let Ok(again) = Receive::new(protocol, source, destination, datagram)
        {
            handled = self.rtc.handle_input(Input::Receive(now, again));
            self.drain(now, out);
        }
        if self.silence.ends(now, datagram) && self.composite.is_some() {
            out.push(PeerOutput::KeyframeRequested);
        }
        self.request_keyframes(now, out);
        self.note_failure(handled, out)
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        self.give_up_on_gaps(now, out);
        self.flush(now, out);
        self.request_keyframes(now, out);
        if now >= self.gone_at() {
            let reason = if self.connected { CloseReason::Lost } else { CloseReason::NeverConnected };
            if !self.connected && !self.closed && self.called.is_none() {
                let cause = if self.heard == self.created {
                    "nothing of it reached this node: look at the advertised addresses and at firewalls"
                } else {
                    "datagrams came, but ICE or DTLS did not come up"
                };
                tracing::warn!(cause, "a client never connects");
            }
            self.close(reason, out);
        }
    }

    /// When `handle_timeout` must be called at the latest; `None` once it ended.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let tracks = self.incoming.iter().flat_map(|incoming| [incoming.gap_ends(), incoming.ask_at()]).flatten();
        Some(tracks.fold(self.next.min(self.gone_at()), Instant::min))
    }

    /// When patience ends.
    fn gone_at(&self) -> Instant {
        if self.connected { self.heard + limits::DISCONNECTED_SPAN } else { self.created + limits::CONNECT_SPAN }
    }

    /// Writes one frame of the composite, whose payloads all viewers share; `flush` sends it. Frames of another codec
    /// than the last one's go on with its numbers and its clock, in a payload type of their own.
    pub(super) fn write_video(&mut self, packetised: &Packetised, epoch: &RoomEpoch) {
        let Some(line) = &mut self.composite else { return };
        let Some(pt) = line.format(packetised.frame.codec) else { return };
        let (mid, first) = (line.mid, line.sequence);
        line.sequence += packetised.payloads.len() as u64;
        let pts = packetised.frame.pts;
        // Rungs share their ticks but not their encoders: the keyframe that ends the rung before may be of the tick
        // last sent, or of one before it, and a receiver discards whatever is not newer than what it has.
        let time = rtp_from_pts(pts, limits::VIDEO_CLOCK).max(line.time.map_or(0, |last| last + 1));
        line.time = Some(time);
        let (time, wallclock) = (time as u32, epoch.instant_at(pts));
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        for (at, payload) in packetised.payloads.iter().enumerate() {
            let packet = RtpWrite::new(pt, (first + at as u64).into(), time, wallclock, payload.clone());
            stream.write_rtp(packet.marker(at + 1 == packetised.payloads.len()).nackable(true));
        }
    }

    /// Writes one Opus packet of the mix; `flush` sends it.
    pub(super) fn write_sound(&mut self, frame: &EncodedFrame, payload: &Arc<[u8]>, epoch: &RoomEpoch) {
        let Some(line) = &mut self.mix else { return };
        let Some(pt) = line.format(Codec::Opus) else { return };
        let (mid, sequence) = (line.mid, line.sequence);
        line.sequence += 1;
        let time = rtp_from_pts(frame.pts, limits::SAMPLE_RATE) as u32;
        let wallclock = epoch.instant_at(frame.pts);
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else { return };
        stream.write_rtp(RtpWrite::new(pt, sequence.into(), time, wallclock, payload.clone()));
    }

    /// Whether it may take the composite, now or once it is connected: its m-lines are known only then.
    pub(super) fn may_take_video(&self) -> bool {
        !self.closed && (self.composite.is_some() || !self.connected)
    }

    /// Whether it takes the composite.
    pub(super) fn wants_video(&self) -> bool {
        self.connected && !self.closed && self.composite.is_some()
    }

    /// Whether it takes the mix.
    pub(super) fn wants_sound(&self) -> bool {
        self.connected && !self.closed && self.mix.is_some()
    }

    /// Wishes for a keyframe of a track. Its source is asked at once, or as soon as `limits::KEYFRAME_SPACING` (a few
    /// times, `limits::KEYFRAME_RETRY`) has passed since it was asked last; a keyframe that comes first fulfils the
    /// wish as well.
    pub(super) fn request_keyframe(&mut self, now: Instant, kind: TrackKind, out: &mut Outbox<PeerOutput>) {
        if let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.kind == kind) {
            incoming.wanted = true;
            self.request_keyframes(now, out);
        }
    }

    fn request_keyframes(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        let mut asked = false;
        for incoming in &mut self.incoming {
            let layer = incoming.ask_layer(now);
            let taken = incoming.source.as_ref().map(|source| source.ssrc);
            let taken = taken.filter(|_| incoming.ask_at().is_some_and(|at| now >= at));
            if taken.is_some() {
                incoming.ask(now);
            }
            for ssrc in [taken, layer].into_iter().flatten() {
                if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
                    stream.request_keyframe(KeyframeRequestKind::Pli);
                    asked = true;
                    out.push(PeerOutput::KeyframeAsked);
                }
            }
        }
        let camera = self.incoming.iter().filter(|incoming| incoming.kind.is_video());
        let stream = camera.filter_map(|incoming| incoming.source.as_ref()).map(|source| source.ssrc).next();
        if asked | stream.is_some_and(|ssrc| self.feedback.tell(now, &mut self.rtc, ssrc)) {
            self.flush(now, out);
        }
    }

    /// What is asked of the sender of a track.
    pub(super) fn aim(&mut self, now: Instant, kind: TrackKind, target: SendTarget) {
        self.feedback.aim(now, kind, target);
        self.incoming.iter_mut().filter(|incoming| incoming.kind == kind).for_each(|incoming| incoming.aim(target));
    }

    /// Says a text on the data channel; false while it is not open, or too much of what was said is on its way.
    pub(super) fn say(&mut self, now: Instant, text: &str, out: &mut Outbox<PeerOutput>) -> bool {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return false };
        if channel.buffered_amount() > limits::SIGNAL_UNACKNOWLEDGED_MAX {
            return false;
        }
        let texts = self.greeting.pass(text);
        let said = texts.iter().fold(true, |said, text| said & channel.write(false, text.as_bytes()).unwrap_or(false));
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
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => out.push(transmit_of(transmit)),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => break,
            }
        }
        out.push(PeerOutput::Closed(reason));
    }

    /// Sends what was written: str0m does so only once it knows the time.
    pub(super) fn flush(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.note_failure(handled, out);
        self.drain(now, out);
    }

    /// Sorts a packet that str0m could not, by its payload type; true if that packet is to be taken again.
    fn expect_stream(&mut self, datagram: &[u8]) -> bool {
        let Some(Head { ssrc, pt }) = Head::of(datagram) else { return false };
        if !self.connected || self.demux.knows(ssrc) || ssrc.is_probe() {
            return false;
        }
        if self.rtc.direct_api().stream_rx(&ssrc).is_some() {
            self.demux.note(ssrc);
            return false;
        }
        let params = self.rtc.codec_config().params();
        let carries = |incoming: &&Incoming| {
            let media = self.rtc.media(incoming.mid).filter(|media| media.direction().is_receiving());
            media.is_some_and(|media| {
                let mut of_line = params.iter().filter(|one| media.remote_pts().contains(&one.pt()));
                of_line.any(|one| one.pt() == pt || one.red() == Some(pt) || one.resend() == Some(pt))
            })
        };
        let mut lines = self.incoming.iter().filter(carries);
        let (Some(line), None) = (lines.next(), lines.next()) else { return false };
        let (mid, main) = (line.mid, line.source.as_ref().map(|source| (source.ssrc, source.rid)));
        let repairs = params.iter().any(|one| one.resend() == Some(pt));
        let (main, repair, rid) = match (repairs, main) {
            (false, _) => (ssrc, None, None),
            (true, Some((main, rid))) => (main, Some(ssrc), rid),
            (true, None) => return false,
        };
        let in_use =
            |ssrc| self.incoming.iter().any(|line| line.source.as_ref().is_some_and(|source| source.ssrc == ssrc));
        let forgotten = self.demux.declare(mid, ssrc, in_use);
        let mut direct = self.rtc.direct_api();
        direct.expect_stream_rx(main, repair, mid, rid);
        forgotten.map(|forgotten| direct.remove_stream_rx(forgotten));
        true
    }

    fn note_failure(&mut self, handled: Result<(), RtcError>, out: &mut Outbox<PeerOutput>) -> bool {
        let fine = handled.is_ok();
        if let Some(cause) = dtls::take_cause() {
            tracing::warn!(%cause, "a client's DTLS handshake fails; it never connects");
            self.close(CloseReason::Handshake, out);
        }
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
            Event::MediaAdded(added) => self.media_added(&added),
            Event::MediaChanged(changed) => self.media_changed(changed.mid, changed.direction, out),
            Event::RtpPacket(packet) => self.packet(now, packet, out),
            Event::KeyframeRequest(_) => out.push(PeerOutput::KeyframeRequested),
            Event::ChannelOpen(id, label) if label == signal::LABEL => {
                self.channel = Some(id);
                self.feedback.has_words();
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
            Event::PeerStats(stats) => {
                self.called.iter_mut().for_each(|called| called.note_sent(&stats));
                self.downlink.note_transport(&stats);
            }
            Event::MediaEgressStats(stats) if self.mix.is_some_and(|line| line.mid == stats.mid) => {
                // Sound is reported every few seconds.
                stats.loss.into_iter().for_each(|loss| out.push(PeerOutput::SoundLost(loss * 100.0)));
            }
            Event::MediaEgressStats(stats) => {
                let pictures = self.composite.map(|line| line.mid);
                let verdict = self.downlink.note_stream(now, pictures, &stats);
                verdict.into_iter().for_each(|verdict| out.push(PeerOutput::Link(verdict)));
            }
            Event::Closed => self.close(CloseReason::Closed, out),
            _ => {}
        }
    }

    /// Camera before screen, microphone before screen sound: the order of the m-lines says which is which.
    fn media_added(&mut self, added: &MediaAdded) {
        let video = added.kind == MediaKind::Video;
        if added.direction.is_sending() {
            let line = self.outgoing(added.mid, video);
            let place = if video { &mut self.composite } else { &mut self.mix };
            if place.is_none() {
                *place = line;
            }
        }
        // An inactive line may be switched on later and has its place in the order; one that only receives has not.
        if added.direction != Direction::SendOnly && self.incoming.iter().all(|incoming| incoming.mid != added.mid) {
            let kinds = if video {
                [TrackKind::Camera, TrackKind::Screen]
            } else {
                [TrackKind::Microphone, TrackKind::ScreenSound]
            };
            let free = kinds.into_iter().find(|kind| self.incoming.iter().all(|incoming| incoming.kind != *kind));
            self.incoming.extend(free.map(|kind| Incoming::new(kind, added.mid)));
        }
    }

    fn outgoing(&mut self, mid: Mid, video: bool) -> Option<Outgoing> {
        let media = self.rtc.media(mid)?;
        let params = self.rtc.codec_config().params();
        let format = |codec: Codec| {
            let fits = |pt: &&Pt| params.iter().any(|p| p.pt() == **pt && p.spec().codec == to_wire(codec));
            Some((codec, *media.remote_pts().iter().find(fits)?))
        };
        let formats = if video {
            [Codec::Av1, Codec::H264, Codec::Vp8]
                .map(|codec| Some(codec).filter(|codec| self.watches.has(*codec)).and_then(format))
        } else {
            [format(Codec::Opus), None, None]
        };
        if formats == [None; 3] {
            return None;
        }
        // Below 2^15, so that the first wrap is far and no roll-over counter need be told (RFC 3711 section 3.3.1).
        let sequence = u64::from(rand::random::<u16>() >> 1);
        if video {
            self.keep_sent(mid);
        }
        Some(Outgoing { mid, formats, sequence, time: None })
    }

    fn media_changed(&mut self, mid: Mid, direction: Direction, out: &mut Outbox<PeerOutput>) {
        if let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.mid == mid)
            && !direction.is_receiving()
            && incoming.started
        {
            incoming.started = false;
            self.feedback.forget(incoming.kind);
            out.push(PeerOutput::TrackEnded(incoming.kind));
        }
    }

    fn packet(&mut self, now: Instant, packet: RtpPacket, out: &mut Outbox<PeerOutput>) {
        let ssrc = packet.header.ssrc;
        let known = |incoming: &Incoming| incoming.source.as_ref().is_some_and(|source| source.ssrc == ssrc);
        let (at, rid) = if let Some(at) = self.incoming.iter().position(known) {
            (at, self.incoming[at].source.as_ref().and_then(|source| source.rid))
        } else {
            let mut direct = self.rtc.direct_api();
            let Some((mid, rid)) = direct.stream_rx(&ssrc).map(|stream| (stream.mid(), stream.rid())) else { return };
            let Some(at) = self.incoming.iter().position(|incoming| incoming.mid == mid) else { return };
            (at, rid)
        };
        let params = self.rtc.codec_config().params();
        let Some(payload) = payload_kind(params, packet.header.payload_type) else { return };
        let incoming = &mut self.incoming[at];
        if incoming.kind.is_video() {
            self.feedback.hear(now, packet.payload.len(), rid.is_some());
        }
        let size = rid.and_then(|_| keyframe_size(payload.codec, &packet.payload));
        let starts = incoming.changes(payload.codec) && may_start_keyframe(payload.codec, &packet.payload, false);
        let take = if packet.payload.is_empty() {
            incoming.takes_padding(ssrc)
        } else {
            incoming.takes(now, (ssrc, rid), (payload.codec, starts), size)
        };
        match take {
            Take::Leave => return,
            Take::Follow => {}
            Take::Anew => out.push(PeerOutput::TrackEnded(incoming.kind)),
        }
        if !incoming.started {
            incoming.started = true;
            out.push(PeerOutput::TrackStarted(incoming.kind, payload.codec));
        }
        incoming.push(now, wire_packet(packet, rid), payload.red, &mut self.assembled);
        self.take_assembled(at, out);
    }

    fn give_up_on_gaps(&mut self, now: Instant, out: &mut Outbox<PeerOutput>) {
        for at in 0..self.incoming.len() {
            if self.incoming[at].gap_ends().is_some_and(|end| now >= end) {
                self.incoming[at].handle_timeout(now, &mut self.assembled);
                self.take_assembled(at, out);
            }
        }
    }

    fn take_assembled(&mut self, at: usize, out: &mut Outbox<PeerOutput>) {
        let incoming = &mut self.incoming[at];
        if let Some(losses) = incoming.take_losses() {
            out.push(PeerOutput::Lost(losses));
        }
        for assembled in self.assembled.drain() {
            match assembled {
                Assembled::Frame(mut frame) => {
                    let admission = incoming.admit(&mut frame);
                    if matches!(admission, Admission::Stops | Admission::GoesOn) {
                        out.push(PeerOutput::Excess(incoming.kind, admission == Admission::Stops));
                    }
                    if matches!(admission, Admission::Taken | Admission::GoesOn) {
                        out.push(PeerOutput::Frame(incoming.kind, frame));
                    }
                }
                Assembled::RequestKeyframe => incoming.wanted = true,
            }
        }
    }
}

/// What the parser says is for its author: it may show where its text lies in memory.
fn unread(error: &dyn fmt::Display) -> OfferError {
    tracing::debug!(%error, "an offer is not read");
    OfferError::Malformed("its m-lines or attributes contradict each other, or those of the offer before".into())
}

fn transmit_of(transmit: str0m::net::Transmit) -> PeerOutput {
    let str0m::net::Transmit { proto: protocol, source, destination, contents: datagram } = transmit;
    PeerOutput::Transmit { route: Route { protocol, source, destination }, datagram }
}
