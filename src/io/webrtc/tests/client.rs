//! **The question:** what would a browser do here? A far side made of str0m, over a real socket of its own.

use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::bwe::BweKind;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::ChannelId;
use str0m::format::Codec as WireCodec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::base::media::{Codec, EncodedFrame, Outbox, ReceivedFrame};
use crate::io::webrtc::assemble::{Assembled, VideoAssembler, WirePacket};
use crate::io::webrtc::incoming::wire_packet;
use crate::io::webrtc::payload::Packetiser;
use crate::io::webrtc::tcp::framing::{self, Deframer};

/// A seeded die: xorshift.
pub struct Die(pub u64);

impl Die {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// A connection in the place of a socket.
pub struct Wire {
    pub stream: TcpStream,
    address: SocketAddr,
    deframer: Deframer,
}

impl Wire {
    fn to(node: SocketAddr) -> Self {
        let stream = TcpStream::connect(node).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { address: stream.local_addr().unwrap(), stream, deframer: Deframer::default() }
    }

    fn candidate(&self) -> Candidate {
        Candidate::builder().tcp().host(self.address).tcptype(TcpType::Active).build().unwrap()
    }
}

/// One far side.
pub struct Client {
    pub rtc: Rtc,
    pub socket: UdpSocket,
    /// What it sends by since its address changed.
    rebound: Option<UdpSocket>,
    /// What it has beside its socket, or instead of it.
    pub wire: Option<Wire>,
    pub address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    mids: Vec<Mid>,
    sequences: HashMap<(Mid, Option<Rid>), u64>,
    next: Instant,
    channel: Option<ChannelId>,
    assembler: VideoAssembler,
    assembled: Outbox<Assembled>,
    /// Percent of RTP datagrams lost in each direction.
    pub loss: u64,
    die: Die,
    pub connected: bool,
    pub closed: bool,
    /// Keyframe requests heard, by m-line.
    pub keyframe_requests: Vec<Mid>,
    /// The simulcast layers that were asked for keyframes.
    pub layer_requests: Vec<Rid>,
    /// Bits a second that it was limited to (REMB).
    pub limits: Vec<u64>,
    /// Payload type, source, extended number and time of each packet of the composite.
    pub headers: Vec<(u8, u32, u64, u32)>,
    /// Frames of the composite.
    pub pictures: VecDeque<ReceivedFrame>,
    /// Packets of the mix.
    pub sounds: VecDeque<WirePacket>,
    pub texts: VecDeque<String>,
    /// The first datagrams it sent.
    pub sent: Vec<Vec<u8>>,
}

/// How many datagrams are kept.
const SENT_LEN: usize = 200;

impl Client {
    /// A far side without m-lines.
    pub fn new() -> Self {
        let mut client = Self::nowhere();
        client.rtc.add_local_candidate(Candidate::host(client.address, "udp").unwrap());
        client
    }

    /// One whose network lets no UDP through, connected to `node`.
    pub fn by_tcp(node: SocketAddr) -> Self {
        let mut client = Self::nowhere();
        client.wire_to(node);
        client
    }

    /// Connects, and has what goes that way go by the new connection.
    pub fn wire_to(&mut self, node: SocketAddr) {
        self.cut_wire();
        let wire = Wire::to(node);
        self.rtc.add_local_candidate(wire.candidate());
        self.wire = Some(wire);
    }

    /// What went by its connection goes no way any more.
    fn cut_wire(&mut self) {
        if let Some(broken) = self.wire.take() {
            self.rtc.direct_api().invalidate_candidate(&broken.candidate());
        }
    }

    fn nowhere() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let now = Instant::now();
        let rtc = Rtc::builder()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_av1(true)
            .enable_h264(true)
            .enable_vp8(true)
            .build(now);
        Self {
            rtc,
            socket,
            rebound: None,
            wire: None,
            address,
            pending: None,
            mids: Vec::new(),
            sequences: HashMap::new(),
            next: now,
            channel: None,
            assembler: VideoAssembler::new(Codec::Av1),
            assembled: Outbox::new(),
            loss: 0,
            die: Die(0x9e37_79b9_7f4a_7c15),
            connected: false,
            closed: false,
            keyframe_requests: Vec::new(),
            layer_requests: Vec::new(),
            limits: Vec::new(),
            headers: Vec::new(),
            pictures: VecDeque::new(),
            sounds: VecDeque::new(),
            texts: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// An offer with these m-lines, and a data channel if asked for.
    pub fn offer(&mut self, lines: &[(MediaKind, Direction)], channel: bool) -> String {
        let mut api = self.rtc.sdp_api();
        for (kind, direction) in lines {
            self.mids.push(api.add_media(*kind, *direction, None, None, None));
        }
        if channel {
            api.add_channel(crate::core::signal::LABEL.to_owned());
        }
        let (offer, pending) = api.apply().expect("something is new");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// An offer of a camera in simulcast layers, and a data channel.
    pub fn layers_offer(&mut self, rids: &[&str]) -> String {
        let send = rids.iter().map(|rid| SimulcastLayer::new(rid)).collect();
        let mut api = self.rtc.sdp_api();
        let layers = Simulcast { send, recv: Vec::new() };
        self.mids.push(api.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(layers)));
        api.add_channel(crate::core::signal::LABEL.to_owned());
        let (offer, pending) = api.apply().expect("something is new");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// What a participant offers: camera, microphone; composite, mix; data channel.
    pub fn participant_offer(&mut self) -> String {
        use Direction::{RecvOnly, SendOnly};
        use MediaKind::{Audio, Video};
        self.offer(&[(Video, SendOnly), (Audio, SendOnly), (Video, RecvOnly), (Audio, RecvOnly)], true)
    }

    /// What a viewer offers: composite and mix.
    pub fn viewer_offer(&mut self) -> String {
        self.offer(&[(MediaKind::Video, Direction::RecvOnly), (MediaKind::Audio, Direction::RecvOnly)], false)
    }

    /// An offer that restarts ICE.
    pub fn restart_offer(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending): (SdpOffer, _) = api.apply().expect("a restart is negotiated");
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Takes the answer to the last offer.
    pub fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().expect("an offer is out");
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.drain_outputs(Instant::now());
    }

    /// The n-th m-line's id.
    pub fn mid(&self, n: usize) -> Mid {
        self.mids[n]
    }

    /// Sends one frame on the n-th m-line.
    pub fn send_picture(&mut self, n: usize, frame: &Arc<EncodedFrame>, time: u32) {
        let payloads = Packetiser::new().packetise(frame).payloads;
        let count = payloads.len();
        for (at, payload) in payloads.into_iter().enumerate() {
            self.send((n, None), WireCodec::Av1, payload, time, at + 1 == count);
        }
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs(Instant::now());
    }

    /// Sends one packet of a picture on the n-th m-line, whatever is in it.
    pub fn send_payload(&mut self, n: usize, payload: Vec<u8>, time: u32, marker: bool) {
        self.send((n, None), WireCodec::Av1, payload.into(), time, marker);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs(Instant::now());
    }

    /// Sends one VP8 picture of one packet on the n-th m-line, as one of its simulcast layers if it has any.
    pub fn send_vp8(&mut self, n: usize, rid: Option<&str>, payload: Vec<u8>, time: u32) {
        self.send((n, rid.map(Rid::from)), WireCodec::Vp8, payload.into(), time, true);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs(Instant::now());
    }

    /// Sends one packet of sound on the n-th m-line, at 30 dB below full scale.
    pub fn send_sound(&mut self, n: usize, payload: &[u8], time: u32) {
        self.send((n, None), WireCodec::Opus, Arc::from(payload), time, false);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs(Instant::now());
    }

    fn send(&mut self, (n, rid): (usize, Option<Rid>), codec: WireCodec, payload: Arc<[u8]>, time: u32, marker: bool) {
        let mid = self.mids[n];
        let sequence = self.sequences.entry((mid, rid)).or_insert(1000);
        let first = *sequence == 1000;
        *sequence += 1;
        let pt = self.rtc.codec_config().params().iter().find(|p| p.spec().codec == codec).unwrap().pt();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, rid).expect("the m-line sends");
        let levels = ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
        if first {
            // Without the cap on the share of retransmissions, which so short a stream meets at its first loss.
            stream.set_rtx_cache(2000, Duration::from_secs(3), None);
        }
        let video = codec != WireCodec::Opus;
        let write = RtpWrite::new(pt, (*sequence).into(), time, Instant::now(), payload);
        let write = write.marker(marker).nackable(video);
        stream.write_rtp(if video { write } else { write.ext_vals(levels) });
    }

    /// Asks for a keyframe of what the n-th m-line receives.
    pub fn request_keyframe(&mut self, n: usize) {
        let mid = self.mids[n];
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_rx_by_mid(mid, None).expect("something came on the m-line");
        stream.request_keyframe(KeyframeRequestKind::Pli);
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain_outputs(Instant::now());
    }

    /// Says a text on the data channel.
    pub fn say(&mut self, text: &str) {
        assert!(self.try_say(text));
    }

    /// Whether its data channel is open still.
    pub fn is_open(&mut self) -> bool {
        self.channel.is_some_and(|id| self.rtc.channel(id).is_some())
    }

    /// The same as `say`; false while too much waits to be said.
    pub fn try_say(&mut self, text: &str) -> bool {
        let mut channel = self.channel.and_then(|id| self.rtc.channel(id)).expect("the channel is open");
        let said = channel.write(false, text.as_bytes()).unwrap();
        self.drain_outputs(Instant::now());
        said
    }

    /// From now on sends from another port, as behind a NAT that forgot it, and receives at both. It does not know
    /// itself.
    pub fn rebind(&mut self) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        self.rebound = Some(socket);
    }

    /// Says goodbye.
    pub fn close(&mut self) {
        self.rtc.close().unwrap();
        self.drain_outputs(Instant::now());
    }

    /// Whether the data channel is open.
    pub fn has_channel(&self) -> bool {
        self.channel.is_some()
    }

    /// Receives for at most `span`, and serves timers.
    pub fn step(&mut self, span: Duration) {
        self.socket.set_read_timeout(Some(span)).unwrap();
        let mut buffer = [0; 2048];
        if self.wire.is_some() {
            self.step_wire(span);
            self.socket.set_nonblocking(true).unwrap();
        }
        if let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            self.receive((Protocol::Udp, source, self.address), &buffer[..length]);
        }
        if let Some(Ok((length, source))) = self.rebound.as_ref().map(|socket| socket.recv_from(&mut buffer)) {
            self.receive((Protocol::Udp, source, self.address), &buffer[..length]);
        }
        let now = Instant::now();
        if now >= self.next {
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drain_outputs(now);
        }
    }

    fn step_wire(&mut self, span: Duration) {
        let Some(wire) = &mut self.wire else { return };
        wire.stream.set_read_timeout(Some(span)).unwrap();
        let (mut buffer, mut datagrams) = (vec![0; 65_536], Vec::new());
        match wire.stream.read(&mut buffer) {
            Ok(0) => self.cut_wire(),
            Ok(count) => {
                wire.deframer.push(&buffer[..count], |datagram| datagrams.push(datagram.to_vec())).unwrap();
                let way = (Protocol::Tcp, wire.stream.peer_addr().unwrap(), wire.address);
                datagrams.iter().for_each(|datagram| self.receive(way, datagram));
            }
            Err(_) => {}
        }
    }

    fn receive(&mut self, (protocol, source, here): (Protocol, SocketAddr, SocketAddr), datagram: &[u8]) {
        if !self.is_lost(datagram)
            && let Ok(receive) = Receive::new(protocol, source, here, datagram)
        {
            self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            self.drain_outputs(Instant::now());
        }
    }

    /// RTP alone is lost: reports and handshakes have their own timers, which would only slow the tests down.
    fn is_lost(&mut self, datagram: &[u8]) -> bool {
        let rtp = datagram.len() > 1 && (128..192).contains(&datagram[0]) && !(64..96).contains(&(datagram[1] & 0x7f));
        rtp && self.loss > 0 && self.die.next() % 100 < self.loss
    }

    fn drain_outputs(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(next) => {
                    self.next = next;
                    return;
                }
                Output::Transmit(transmit) => {
                    if self.sent.len() < SENT_LEN {
                        self.sent.push(transmit.contents.to_vec());
                    }
                    if transmit.proto == Protocol::Tcp {
                        // One that was closed leads nowhere.
                        let wire = self.wire.as_mut().filter(|wire| wire.address == transmit.source);
                        wire.map(|wire| wire.stream.write_all(&framed(&transmit.contents)));
                    } else if !self.is_lost(&transmit.contents) {
                        let socket = self.rebound.as_ref().unwrap_or(&self.socket);
                        socket.send_to(&transmit.contents, transmit.destination).unwrap();
                    }
                }
                Output::Event(event) => self.event(now, event),
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Closed => self.closed = true,
            Event::KeyframeRequest(request) => {
                self.keyframe_requests.push(request.mid);
                self.layer_requests.extend(request.rid);
            }
            Event::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) => self.limits.push(estimate.as_u64()),
            Event::ChannelOpen(id, _) => self.channel = Some(id),
            Event::ChannelData(data) => self.texts.push_back(String::from_utf8(data.data).unwrap()),
            Event::RtpPacket(packet) => {
                let head = (*packet.header.payload_type, *packet.header.ssrc, *packet.seq_no, packet.header.timestamp);
                let wire = wire_packet(packet, None);
                if wire.payload.len() < 8 {
                    self.sounds.push_back(wire);
                    return;
                }
                self.headers.push(head);
                self.assembler.push(now, wire, &mut self.assembled);
                for assembled in self.assembled.drain() {
                    if let Assembled::Frame(frame) = assembled {
                        self.pictures.push_back(frame);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A datagram as a frame of RFC 4571.
pub fn framed(datagram: &[u8]) -> Vec<u8> {
    framing::head(datagram).unwrap().into_iter().chain(datagram.iter().copied()).collect()
}
