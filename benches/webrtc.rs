//! **The question:** what does the wire cost? A frame cut once, put together again, and sent to many over a real
//! socket.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_channel::{Receiver, bounded};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tessera::base::limits;
use tessera::base::media::{Codec, EncodedFrame, Outbox, PeerId, Pts, RoomEpoch, RoomId, RungId, Wallclock};
use tessera::engine::flow::{Counter, Fan, KeyframeRequest, Waker};
use tessera::io::telemetry::panics::Panics;
use tessera::io::webrtc::{
    Certificate, MediaSocket, NetCommand, NetCounters, NetEvent, NetWorkers, Packetiser, Peer, PeerRole, PeerSetup,
    VideoAssembler, WirePacket,
};

/// Bytes of an ordinary frame: 2.5 Mb/s at 30 frames a second.
const FRAME_LEN: usize = 10_400;

/// A temporal unit of `length` bytes, of noise but for its headers.
fn unit(keyframe: bool, length: usize) -> Arc<EncodedFrame> {
    let mut data = if keyframe { vec![0x0a, 2, 0, 0] } else { Vec::new() };
    data.push(0x32);
    let mut rest = length;
    while rest >= 0x80 {
        data.push(u8::try_from(rest & 0x7f).expect("seven bits") | 0x80);
        rest >>= 7;
    }
    data.push(u8::try_from(rest).expect("seven bits"));
    data.push(if keyframe { 0x10 } else { 0x30 });
    data.extend((1..length).map(|at| u8::try_from(at * 7 % 251).expect("below 251")));
    Arc::new(EncodedFrame { codec: Codec::Av1, data: data.into(), pts: Pts(0), keyframe })
}

fn packetise(c: &mut Criterion) {
    let mut group = c.benchmark_group("packetise");
    for length in [FRAME_LEN, 60_000] {
        let frame = unit(true, length);
        group.throughput(Throughput::Bytes(length as u64));
        group.bench_with_input(BenchmarkId::from_parameter(length), &frame, |b, frame| {
            let mut packetiser = Packetiser::new();
            b.iter(|| packetiser.packetise(frame));
        });
    }
    group.finish();
}

fn assemble(c: &mut Criterion) {
    let now = Instant::now();
    let mut packets = Vec::new();
    for n in 0..30_u64 {
        let payloads = Packetiser::new().packetise(&unit(n == 0, FRAME_LEN)).payloads;
        let count = payloads.len();
        packets.extend(payloads.into_iter().enumerate().map(|(at, payload)| WirePacket {
            captured: None,
            sequence: 0,
            rtp_time: n * 3000,
            marker: at + 1 == count,
            arrival: now,
            payload,
            audio_level: None,
            rid: None,
            colour: None,
            orientation: None,
        }));
    }
    for (at, packet) in packets.iter_mut().enumerate() {
        packet.sequence = at as u64;
    }
    let mut group = c.benchmark_group("assemble");
    group.throughput(Throughput::Elements(packets.len() as u64));
    let run = |packets: &[WirePacket]| {
        let (mut assembler, mut out, mut frames) = (VideoAssembler::new(Codec::Av1), Outbox::new(), 0);
        for packet in packets {
            assembler.push(now, packet.clone(), &mut out);
            frames += out.drain().count();
        }
        assert_eq!(frames, 30);
    };
    group.bench_function("in_order", |b| b.iter(|| run(&packets)));
    let mut swapped = packets.clone();
    for pair in swapped.chunks_exact_mut(2).skip(1) {
        pair.swap(0, 1);
    }
    group.bench_function("pairs_swapped", |b| b.iter(|| run(&swapped)));
    group.finish();
}

/// A net thread with one room.
struct Node {
    workers: NetWorkers,
    events: Receiver<NetEvent>,
    counters: NetCounters,
    address: SocketAddr,
    candidates: Vec<SocketAddr>,
    certificate: Certificate,
    room: RoomId,
    video: Fan<EncodedFrame>,
}

impl Node {
    fn start() -> Self {
        let socket = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).expect("loopback has free ports");
        let (address, candidates) = (socket.address(), socket.candidates().to_vec());
        let (outlet, events) = bounded(limits::EVENTS_LEN);
        let waker = || Waker::new().expect("descriptors are left");
        let counters = NetCounters::default();
        let workers = NetWorkers::start(vec![socket], &outlet, &waker(), &counters, &Panics::default());
        let workers = workers.expect("threads are left");
        let video = Fan::new(Counter::default());
        let room: RoomId = "bench".parse().expect("a room name");
        let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) };
        let keyframe_requests = KeyframeRequest::new(waker(), Counter::default());
        let audio = Fan::new(Counter::default());
        workers.send(NetCommand::AddRoom { room: room.clone(), epoch, audio });
        let rung = RungId(0);
        workers.send(NetCommand::AddRung { room: room.clone(), rung, video: video.clone(), keyframe_requests });
        let certificate = Certificate::generate();
        Self { workers, events, counters, address, candidates, certificate, room, video }
    }

    /// Connects viewers; they answer what keeps a connection alive and throw media away.
    fn connect(&self, count: u64) -> Vec<Viewer> {
        let mut viewers: Vec<Viewer> = (0..count)
            .map(|n| {
                let (mut viewer, offer) = Viewer::new();
                let setup = PeerSetup {
                    id: PeerId(n),
                    role: PeerRole::Viewer { minus: None },
                    certificate: &self.certificate,
                    candidates: &self.candidates,
                    tcp_candidates: &[],
                    red: false,
                };
                let (peer, answer) = Peer::answer(&setup, &offer, Instant::now()).expect("a good offer");
                let (room, peer) = (self.room.clone(), Box::new(peer));
                self.workers.send(NetCommand::AddPeer { peer });
                self.workers.send(NetCommand::EnterRoom { peer: PeerId(n), room, rung: Some(RungId(0)) });
                viewer.accept(&answer);
                viewer
            })
            .collect();
        let mut connected = 0;
        while connected < count {
            viewers.iter_mut().for_each(Viewer::step);
            connected += self.events.try_iter().filter(|event| matches!(event, NetEvent::Connected(_))).count() as u64;
        }
        viewers
    }
}

struct Viewer {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    next: Instant,
}

impl Viewer {
    fn new() -> (Self, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = socket.local_addr().expect("it is bound");
        let next = Instant::now();
        let mut rtc =
            Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).enable_av1(true).build(next);
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("an address"));
        let mut api = rtc.sdp_api();
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        api.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = api.apply().expect("there are changes");
        (Self { rtc, socket, address, pending: Some(pending), next }, offer.to_sdp_string())
    }

    fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("our own answer");
        let pending = self.pending.take().expect("an offer is out");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("the answer fits");
        self.settle();
    }

    fn step(&mut self) {
        let mut buffer = [0; 2048];
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            // RTP and RTCP are thrown away: this is the node's bench.
            if buffer[0] < 128
                && let Ok(receive) = Receive::new(Protocol::Udp, source, self.address, &buffer[..length])
            {
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).expect("the node speaks well");
                self.settle();
            }
        }
        if Instant::now() >= self.next {
            self.rtc.handle_input(Input::Timeout(Instant::now())).expect("time passes");
            self.settle();
        }
    }

    fn settle(&mut self) {
        loop {
            match self.rtc.poll_output().expect("the connection is fine") {
                Output::Timeout(next) => return self.next = next,
                Output::Transmit(transmit) => drop(self.socket.send_to(&transmit.contents, transmit.destination)),
                Output::Event(Event::Closed) => panic!("the node let go of a viewer"),
                Output::Event(_) => {}
            }
        }
    }
}

/// From the encoder's publish to the last datagram handed to the kernel, all viewers.
fn fan_out(c: &mut Criterion) {
    let frame = unit(true, FRAME_LEN);
    let packets = Packetiser::new().packetise(&frame).payloads.len() as u64;
    let mut group = c.benchmark_group("fan_out");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for count in [1, 100] {
        let node = Node::start();
        let mut viewers = node.connect(count);
        let mut alive_at = Instant::now();
        group.throughput(Throughput::Elements(packets * count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    if alive_at.elapsed() > Duration::from_millis(200) {
                        viewers.iter_mut().for_each(Viewer::step);
                        alive_at = Instant::now();
                    }
                    let goal = node.counters.datagrams_out.get() + packets * count;
                    let start = Instant::now();
                    node.video.publish(&frame);
                    while node.counters.datagrams_out.get() < goal {
                        std::thread::yield_now();
                    }
                    spent += start.elapsed();
                }
                spent
            });
        });
    }
    group.finish();
}

/// From the socket to the verdict, for datagrams of nobody.
fn demultiplex(c: &mut Criterion) {
    const BURST: u64 = 500;
    let node = Node::start();
    let _viewers = node.connect(10);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    let mut group = c.benchmark_group("demultiplex");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(BURST));
    group.bench_function("strangers", |b| {
        b.iter(|| {
            let goal = node.counters.datagrams_unknown.get() + BURST;
            for _ in 0..BURST {
                stranger.send_to(&[0x90; 1000], node.address).expect("loopback takes it");
            }
            while node.counters.datagrams_unknown.get() < goal {
                std::thread::yield_now();
            }
        });
    });
    group.finish();
}

criterion_group!(benches, packetise, assemble, fan_out, demultiplex);
criterion_main!(benches);
