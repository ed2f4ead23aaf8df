//! **The question:** what does one of a crowd say and hear? One str0m `Rtc` in RTP mode, which offers what every
//! participant offers, sends what it is given, counts what comes and looks into nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::format::{Codec as WireCodec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive, Transmit};
use str0m::rtp::{Extension, ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcError};

use crate::base::limits;
use crate::base::media::{Codec, TrackKind};
use crate::core::signal;
use crate::io::webrtc::begin;
use crate::io::webrtc::certificate::Certificate;
use crate::io::webrtc::codec::to_wire;
use crate::io::webrtc::crowd::words;
use crate::io::webrtc::demux::Head;
use crate::io::webrtc::dtls;
use crate::io::webrtc::extensions;
use crate::io::webrtc::own::OwnSocket;
use crate::io::webrtc::udp::{BindError, ReceiveBatch};

/// Payload types of pictures, and of their repairs (RFC 4588).
const PICTURES: [(Codec, u8, u8); 2] = [(Codec::Av1, 45, 46), (Codec::H264, 102, 103)];
/// Payload type of microphone and mix.
const OPUS: u8 = 111;
/// What is said of H.264: constrained baseline, level 3.1 and up.
const H264_PROFILE: u32 = 0x42_e01f;
/// What the shortest packet of Opus may hold, milliseconds.
const OPUS_MIN: u8 = 10;

/// What is read on both sides, and its number.
const EXTENSIONS: [(u8, Extension); 3] =
    [(1, Extension::AudioLevel), (2, Extension::TransportSequenceNumber), (3, Extension::RtpMid)];

/// With each datagram str0m goes through all its timers, unless the datagram is older than the time that it knows: of a
/// batch, the time is told once, and everything came just before.
const JUST_BEFORE: Duration = Duration::from_nanos(1);

/// What a person of a crowd is made of.
pub struct GuestSetup<'a> {
    /// Their number, as in the names of their streams.
    pub number: usize,
    /// In what they take pictures; they send them in the first. Nothing: they have to do with sound alone.
    pub pictures: &'a [Codec],
    /// What they show in the handshake.
    pub certificate: &'a Certificate,
    /// Whether the node is on this machine.
    pub is_near: bool,
}

/// Why nothing came of one of a crowd.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// There is no socket.
    #[error(transparent)]
    Socket(#[from] BindError),
    /// The node's answer is none to the offer.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
}

/// What a person of a crowd notices.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// The connection stands, or stands again.
    Connected,
    /// Nothing is heard of the other side for the moment.
    Silent,
    /// The connection is no more.
    Gone,
    /// A packet came, whole and not before.
    Packet {
        /// Of the composite; else of the mix.
        is_picture: bool,
        /// Its number in its stream.
        sequence: u16,
    },
    /// The camera is asked for a keyframe.
    KeyframeWanted,
    /// The node says something on the data channel.
    Told(String),
}

/// A packet to be sent.
pub struct GuestPacket {
    /// By camera or microphone.
    pub line: TrackKind,
    /// When what is in it happened.
    pub at: Instant,
    /// The same on the line's clock, from 0.
    pub time: u64,
    /// Whether it ends a frame, or begins to speak.
    pub marker: bool,
    /// How loud it is (RFC 6464, −dBov), and whether that is a voice.
    pub level: Option<(u8, bool)>,
    /// Without its header.
    pub payload: Arc<[u8]>,
}

/// One person of a crowd.
pub struct Guest {
    own: OwnSocket,
    side: Side,
}

/// A connection without its socket.
struct Side {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    camera: Option<Outward>,
    microphone: Outward,
    channel: Option<ChannelId>,
    /// Whether something waits for str0m to be told the time.
    written: bool,
    next: Instant,
    gone: bool,
    unsent: Vec<Transmit>,
}

/// A line that is sent on.
struct Outward {
    mid: Mid,
    pt: Pt,
    /// The codec that was agreed on.
    codec: Codec,
    sequence: u64,
    /// What its clock begins at.
    begin: u32,
}

impl Guest {
    /// Begins a connection: what it offers, and the offer's SDP.
    ///
    /// # Errors
    /// When the system has no socket left.
    ///
    /// # Panics
    /// Never: two m-lines are a change.
    pub fn offer(setup: &GuestSetup<'_>, now: Instant) -> Result<(Self, String), GuestError> {
        let listen = if setup.is_near { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let own = OwnSocket::bind(IpAddr::V4(listen), &[])?;
        let mut rtc = connection(setup, now);
        let candidates = own.candidates().iter().flat_map(|address| Candidate::host(*address, Protocol::Udp));
        candidates.for_each(|candidate| _ = rtc.add_local_candidate(candidate));
        let (video, audio) = (MediaKind::Video, MediaKind::Audio);
        let looks = !setup.pictures.is_empty();
        let mut changes = rtc.sdp_api();
        let mut sends = |kind, label: &str| {
            let (stream, track) = (format!("load-{}", setup.number), format!("{label}-{}", setup.number));
            changes.add_media(kind, Direction::SendOnly, Some(stream), Some(track), None)
        };
        let camera = looks.then(|| sends(video, "camera"));
        let microphone = sends(audio, "microphone");
        looks.then(|| changes.add_media(video, Direction::RecvOnly, None, None, None));
        changes.add_media(audio, Direction::RecvOnly, None, None, None);
        changes.add_channel(signal::LABEL.to_owned());
        let (offer, pending) = changes.apply().expect("two m-lines are a change");
        let first = PICTURES.into_iter().find(|(codec, ..)| setup.pictures.first() == Some(codec));
        let (codec, pt, repair) = first.unwrap_or(PICTURES[0]);
        let offer = words::narrowed(&offer.to_sdp_string(), &[pt, repair]);
        let side = Side {
            rtc,
            pending: Some(pending),
            camera: camera.map(|mid| Outward::new(mid, pt, codec)),
            microphone: Outward::new(microphone, OPUS, Codec::Opus),
            channel: None,
            written: true,
            next: now,
            gone: false,
            unsent: Vec::new(),
        };
        Ok((Self { own, side }, offer))
    }

    /// Takes the answer to the offer, once; from now on the connection comes up, or does not.
    ///
    /// # Errors
    /// When it is of no use.
    pub fn accept(&mut self, answer: &str) -> Result<(), GuestError> {
        let unread = |why: String| GuestError::Answer(why);
        let pending = self.side.pending.take().ok_or_else(|| unread("there was one before".to_owned()))?;
        let parsed = SdpAnswer::from_sdp_string(answer).map_err(|error| unread(error.to_string()))?;
        let Side { rtc, camera, .. } = &mut self.side;
        rtc.sdp_api().accept_answer(pending, parsed).map_err(|error| unread(error.to_string()))?;
        // The node may take no pictures of a person, or none in this codec.
        let is_taken = |line: &mut Outward| {
            let media = rtc.media(line.mid).filter(|media| media.direction().is_sending());
            media.is_some_and(|media| media.remote_pts().contains(&line.pt))
        };
        *camera = camera.take_if(is_taken);
        self.own.expect(answer);
        Ok(())
    }

    /// What the camera's pictures are taken in; `None`: they are not taken, or there is no camera.
    #[must_use]
    pub fn camera(&self) -> Option<Codec> {
        self.side.camera.as_ref().map(|line| line.codec)
    }

    pub(super) fn own(&self) -> &OwnSocket {
        &self.own
    }

    /// Takes what came by its socket, as much as one batch holds.
    pub(super) fn receive(&mut self, batch: &mut ReceiveBatch, now: Instant, heard: &mut impl FnMut(Heard)) {
        let Self { own, side } = self;
        side.time_passed(now);
        let mut is_more = false;
        batch.receive(&own.socket, |source, destination, datagram| {
            if own.expects(source.ip()) {
                let way = (source, own.socket.candidate_for(source, destination));
                is_more |= side.datagram(now, way, datagram, heard);
            }
        });
        if is_more {
            side.time_passed(now);
        }
        self.finish(now, heard);
    }

    pub(super) fn write(&mut self, packet: GuestPacket) {
        self.side.write(packet);
    }

    /// Serves timers, and sends what was written.
    pub(super) fn advance(&mut self, now: Instant, heard: &mut impl FnMut(Heard)) {
        if self.side.written || self.side.next <= now {
            self.side.time_passed(now);
            self.finish(now, heard);
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.side.next
    }

    pub(super) fn is_gone(&self) -> bool {
        self.side.gone
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        // One that is already broken has nothing left to say.
        let _ = self.side.rtc.close();
        self.finish(Instant::now(), &mut |_| {});
    }

    /// What follows of all that came and was written.
    fn finish(&mut self, now: Instant, heard: &mut impl FnMut(Heard)) {
        while self.side.poll(now, heard).is_some() {}
        for transmit in self.side.unsent.drain(..) {
            self.own.push(transmit.source, transmit.destination, &transmit.contents);
        }
        // What the kernel refuses is lost, and repaired by NACK like any other.
        self.own.flush();
    }
}

impl Outward {
    fn new(mid: Mid, pt: u8, codec: Codec) -> Self {
        Self { mid, pt: pt.into(), codec, sequence: u64::from(rand::random::<u16>()), begin: rand::random() }
    }
}

/// What is left to be polled.
enum Polled {
    Packet,
    Other,
}

impl Side {
    fn time_passed(&mut self, now: Instant) {
        self.written = false;
        let handled = self.rtc.handle_input(Input::Timeout(now));
        self.note(&handled);
    }

    /// Takes a datagram; whether str0m must be told the time once more when all have been taken.
    fn datagram(
        &mut self,
        now: Instant,
        (source, here): (SocketAddr, SocketAddr),
        datagram: &[u8],
        heard: &mut impl FnMut(Heard),
    ) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, source, here, datagram) else { return false };
        let handled = self.rtc.handle_input(Input::Receive(now.checked_sub(JUST_BEFORE).unwrap_or(now), receive));
        self.note(&handled);
        if Head::of(datagram).is_none() {
            return true;
        }
        // str0m keeps one packet until it is asked for it; all else waits for the end of the batch.
        while matches!(self.poll(now, heard), Some(Polled::Other)) {}
        false
    }

    /// The next that follows; `None` once nothing does.
    fn poll(&mut self, now: Instant, heard: &mut impl FnMut(Heard)) -> Option<Polled> {
        match self.rtc.poll_output() {
            Ok(Output::Timeout(next)) => {
                self.next = next;
                self.gone |= !self.rtc.is_alive();
                None
            }
            Ok(Output::Transmit(transmit)) => {
                self.unsent.push(transmit);
                Some(Polled::Other)
            }
            Ok(Output::Event(Event::RtpPacket(packet))) => {
                let is_picture = packet.header.payload_type != OPUS.into();
                heard(Heard::Packet { is_picture, sequence: packet.header.sequence_number });
                Some(Polled::Packet)
            }
            Ok(Output::Event(event)) => {
                self.event(event, heard);
                Some(Polled::Other)
            }
            Err(error) => {
                self.next = now + limits::IDLE_ROUND;
                self.note(&Err(error));
                None
            }
        }
    }

    fn event(&mut self, event: Event, heard: &mut impl FnMut(Heard)) {
        match event {
            Event::Connected => {
                self.keep_for_repair();
                heard(Heard::Connected);
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => heard(Heard::Silent),
            Event::IceConnectionStateChange(IceConnectionState::Connected | IceConnectionState::Completed)
                if self.rtc.is_connected() =>
            {
                heard(Heard::Connected);
            }
            Event::KeyframeRequest(request) if self.camera.as_ref().is_some_and(|line| line.mid == request.mid) => {
                heard(Heard::KeyframeWanted);
            }
            Event::ChannelOpen(id, label) if label == signal::LABEL => self.channel = Some(id),
            Event::ChannelData(data) if self.channel == Some(data.id) && !data.binary => {
                // A text that is no UTF-8 is no message.
                String::from_utf8(data.data).into_iter().for_each(|text| heard(Heard::Told(text)));
            }
            Event::Closed => self.gone = true,
            _ => {}
        }
    }

    /// What was sent is kept for whoever asks again, all of it: the node says how much it misses.
    fn keep_for_repair(&mut self) {
        let Some(line) = &self.camera else { return };
        let mut direct = self.rtc.direct_api();
        if let Some(stream) = direct.stream_tx_by_mid(line.mid, None) {
            stream.set_rtx_cache(limits::SEND_BUFFER_PACKETS, limits::LOAD_KEPT_SPAN, None);
        }
    }

    fn write(&mut self, packet: GuestPacket) {
        let line = match packet.line {
            TrackKind::Camera => self.camera.as_mut(),
            TrackKind::Microphone => Some(&mut self.microphone),
            _ => None,
        };
        let Some(line) = line.filter(|_| self.rtc.is_connected()) else { return };
        line.sequence += 1;
        // RTP time wraps at 32 bits (RFC 3550 section 5.1): the low half is what goes out.
        let time = line.begin.wrapping_add((packet.time & u64::from(u32::MAX)) as u32);
        let write = RtpWrite::new(line.pt, line.sequence.into(), time, packet.at, packet.payload);
        let level = packet.level.map(|(level, voiced)| ExtensionValues {
            audio_level: i8::try_from(level).ok().map(|level| -level),
            voice_activity: Some(voiced),
            ..ExtensionValues::default()
        });
        let write = write.marker(packet.marker).nackable(line.codec.is_video());
        let mut direct = self.rtc.direct_api();
        if let Some(stream) = direct.stream_tx_by_mid(line.mid, None) {
            stream.write_rtp(write.ext_vals(level.unwrap_or_default()));
            self.written = true;
        }
    }

    fn note(&mut self, handled: &Result<(), RtcError>) {
        // A datagram that means nothing is nothing; a connection that is broken is told by what it says of itself.
        self.gone |= handled.is_err() && !self.rtc.is_alive() || dtls::take_cause().is_some();
    }
}

/// A connection that speaks these codecs and Opus only, and tells as browsers do what comes and what does not.
fn connection(setup: &GuestSetup<'_>, now: Instant) -> Rtc {
    let mut config = begin::config(setup.certificate)
        .set_extension_map(extensions::numbered(EXTENSIONS))
        .set_stats_interval(None)
        .set_sctp_max_message_size(limits::SIGNAL_LEN_MAX as u32);
    let codecs = config.codec_config();
    for wanted in setup.pictures {
        let Some((codec, pt, repair)) = PICTURES.into_iter().find(|(codec, ..)| codec == wanted) else { continue };
        if codec == Codec::H264 {
            codecs.add_h264(pt.into(), Some(repair.into()), true, H264_PROFILE);
        } else {
            let (wire, format) = (to_wire(codec), FormatParams::default());
            codecs.add_config(pt.into(), Some(repair.into()), wire, Frequency::NINETY_KHZ, None, format);
        }
    }
    let format = FormatParams {
        min_p_time: Some(OPUS_MIN),
        use_inband_fec: Some(true),
        stereo: Some(true),
        ..FormatParams::default()
    };
    codecs.add_config(OPUS.into(), None, WireCodec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), format);
    config.build(now)
}
