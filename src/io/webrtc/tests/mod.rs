//! **The question:** does the wire hold? A net thread on a real socket, and far sides made of str0m.

mod calling;
mod client;
mod crowd;
mod fingerprints;
mod hostile;
mod layers;
mod profiles;
mod proof;
mod refused;
mod rungs;
mod strays;
mod tcp;
mod unnamed;
mod words;

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use str0m::media::{Direction, MediaKind};

use crate::base::limits;
use crate::base::media::{
    AudioLevel, Codec, EncodedFrame, MixTick, Outbox, ParticipantId, PeerId, Pts, RoomEpoch, RoomId, RungId, TrackKind,
    Wallclock, pts_from_tick,
};
use crate::core::signal::WordKind;
use crate::engine::flow::{self, Counter, Fan, KeyframeRequest, Waker};
use crate::io::telemetry::panics::Panics;
use crate::io::webrtc::event::NetEvents;
use crate::io::webrtc::life::PeerOutput;
use crate::io::webrtc::pass::inbox;
use crate::io::webrtc::payload::av1::tests::unit;
use crate::io::webrtc::registry::Registry;
use crate::io::webrtc::switch::{Seat, Switch};
use crate::io::webrtc::tcp::polls::Polls;
use crate::io::webrtc::{
    Certificate, CloseReason, IceCredentials, MediaListener, MediaSocket, NetCommand, NetCounters, NetEvent,
    NetWorkers, OfferError, Peer, PeerRole, PeerSetup, TcpPort, TcpShare,
};
use client::{Client, Die};

const ANNA: ParticipantId = ParticipantId(1);
const BERT: ParticipantId = ParticipantId(2);
const RUNG: RungId = RungId(0);

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// A net thread with one room.
struct Node {
    workers: NetWorkers,
    events: Receiver<NetEvent>,
    waker: Waker,
    counters: NetCounters,
    address: SocketAddr,
    candidates: Vec<SocketAddr>,
    tcp_candidates: Vec<SocketAddr>,
    certificate: Certificate,
    room: RoomId,
    video: Fan<EncodedFrame>,
    audio: Fan<MixTick>,
    rung: KeyframeRequest,
    seen: Vec<NetEvent>,
    next_id: u64,
}

impl Node {
    fn start() -> Self {
        Self::with_workers(1)
    }

    fn with_workers(count: usize) -> Self {
        let sockets = MediaSocket::bind_several(SocketAddr::from(([127, 0, 0, 1], 0)), &[], count).unwrap();
        let (address, candidates) = (sockets[0].address(), sockets[0].candidates().to_vec());
        let (outlet, events) = bounded(limits::EVENTS_LEN);
        let counters = NetCounters::default();
        let mut workers =
            NetWorkers::start(sockets, &outlet, &Waker::new().unwrap(), &counters, &Panics::default()).unwrap();
        let listener = MediaListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
        let tcp_candidates = listener.candidates().to_vec();
        workers.open(TcpPort::own(listener, TcpShare::of(u64::MAX)).unwrap(), &counters, &Panics::default()).unwrap();
        let (video, audio) = (Fan::new(Counter::default()), Fan::new(Counter::default()));
        let rung = KeyframeRequest::new(Waker::new().unwrap(), Counter::default());
        let node = Self {
            waker: workers.waker(),
            workers,
            events,
            counters,
            address,
            candidates,
            tcp_candidates,
            certificate: Certificate::generate(),
            room: "room".parse().unwrap(),
            video,
            audio,
            rung,
            seen: Vec::new(),
            next_id: 1,
        };
        node.command(NetCommand::AddRoom {
            room: node.room.clone(),
            epoch: RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) },
            audio: node.audio.clone(),
        });
        node.add_rung(RUNG, &node.video, &node.rung);
        node
    }

    fn add_rung(&self, rung: RungId, video: &Fan<EncodedFrame>, keyframe_requests: &KeyframeRequest) {
        let (room, video, keyframe_requests) = (self.room.clone(), video.clone(), keyframe_requests.clone());
        self.command(NetCommand::AddRung { room, rung, video, keyframe_requests });
    }

    fn command(&self, command: NetCommand) {
        self.workers.send(command);
    }

    fn answer(&mut self, role: PeerRole, offer: &str) -> Result<(PeerId, String), OfferError> {
        self.answer_with(role, offer, Some(RUNG))
    }

    fn answer_with(
        &mut self,
        role: PeerRole,
        offer: &str,
        rung: Option<RungId>,
    ) -> Result<(PeerId, String), OfferError> {
        let id = PeerId(self.next_id);
        self.next_id += 1;
        let setup = PeerSetup {
            id,
            role,
            certificate: &self.certificate,
            candidates: &self.candidates,
            tcp_candidates: &self.tcp_candidates,
            red: true,
        };
        let (peer, answer) = Peer::answer(&setup, offer, Instant::now())?;
        self.command(NetCommand::AddPeer { peer: Box::new(peer) });
        self.command(NetCommand::EnterRoom { peer: id, room: self.room.clone(), rung });
        Ok((id, answer))
    }

    /// A connected participant.
    fn join(&mut self, who: ParticipantId) -> (PeerId, Client) {
        self.join_as(who, Client::new())
    }

    fn join_as(&mut self, who: ParticipantId, mut client: Client) -> (PeerId, Client) {
        let offer = client.participant_offer();
        let (id, answer) = self.answer(PeerRole::Participant(who), &offer).unwrap();
        client.accept(&answer);
        drive(self, &mut [&mut client], |_, clients| clients[0].connected && clients[0].has_channel());
        (id, client)
    }

    /// A connected viewer.
    fn watch(&mut self) -> (PeerId, Client) {
        self.watch_rung(Some(RUNG))
    }

    /// A connected viewer of a rung.
    fn watch_rung(&mut self, rung: Option<RungId>) -> (PeerId, Client) {
        let mut client = Client::new();
        let offer = client.viewer_offer();
        let (id, answer) = self.answer_with(PeerRole::Viewer { minus: None }, &offer, rung).unwrap();
        client.accept(&answer);
        drive(self, &mut [&mut client], |node, clients| {
            clients[0].connected && node.has(|event| matches!(event, NetEvent::Connected(peer) if *peer == id))
        });
        (id, client)
    }

    /// Whether such an event came since the start.
    fn has(&mut self, mut wanted: impl FnMut(&NetEvent) -> bool) -> bool {
        self.seen.extend(self.events.try_iter());
        self.seen.iter().any(&mut wanted)
    }

    fn publish(&self, n: u64, keyframe: bool) -> Arc<EncodedFrame> {
        let frame = Arc::new(EncodedFrame { pts: pts_from_tick(n, 30), ..(*picture(n, keyframe)).clone() });
        self.video.publish(&frame);
        frame
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.command(NetCommand::Stop);
    }
}

/// Lets the far sides run until something is so.
fn drive(node: &mut Node, clients: &mut [&mut Client], mut done: impl FnMut(&mut Node, &[&mut Client]) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done(node, clients) {
        assert!(Instant::now() < end, "it never came to be");
        for client in clients.iter_mut() {
            client.step(Duration::from_millis(1));
        }
        if clients.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The n-th picture: a key frame of some packets, or a smaller inter frame.
fn picture(n: u64, keyframe: bool) -> Arc<EncodedFrame> {
    let length = if keyframe { 5_000 } else { 900 + usize::try_from(n % 7).unwrap() * 400 };
    unit(keyframe, length, u8::try_from(n % 256).unwrap())
}

fn sound(payload: &'static [u8], pts: Pts) -> EncodedFrame {
    EncodedFrame { codec: Codec::Opus, data: payload.into(), pts, keyframe: true }
}

#[test]
fn a_camera_and_a_voice_arrive_though_packets_are_lost() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    client.loss = 3;
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let (voice, packets) = flow::opus_queue(Counter::default());
    node.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
    node.command(NetCommand::AttachSound { peer, kind: TrackKind::Microphone, sink: voice });
    let (mut sent, mut came, mut voices) = (Vec::new(), Vec::new(), 0);
    let mut heard = 0;
    for n in 0..120_u64 {
        // The sender makes a keyframe when it is asked for one.
        let keyframe = n == 0 || client.keyframe_requests.len() > heard;
        heard = client.keyframe_requests.len();
        let frame = picture(n, keyframe);
        client.send_picture(0, &frame, u32::try_from(n).unwrap() * 3000);
        sent.push(frame);
        client.send_sound(1, &[1, 2, 3, 4], u32::try_from(n).unwrap() * 960);
        let due = Instant::now() + Duration::from_millis(8);
        while Instant::now() < due {
            client.step(Duration::from_millis(1));
        }
        while let Some(frame) = frames.pop() {
            came.push(frame);
        }
        while let Some(packet) = packets.pop() {
            assert_eq!(packet.audio_level, Some(AudioLevel(30)));
            voices += 1;
        }
    }
    assert!(came.len() > 60, "most frames survive: {}", came.len());
    assert!(voices > 90, "sound is not repaired, but most of it comes: {voices}");
    let first_time = came[0].rtp_time;
    let offset = sent.iter().position(|frame| frame.data == came[0].data).unwrap() as u64;
    let mut last = None;
    for frame in &came {
        let n = (frame.rtp_time - first_time) / 3000 + offset;
        assert_eq!(frame.data, sent[usize::try_from(n).unwrap()].data, "frame {n} is what was sent");
        assert!(last.is_none_or(|before| n > before));
        last = Some(n);
    }
    assert!(
        node.has(|event| matches!(event, NetEvent::TrackStarted { kind: TrackKind::Camera, codec: Codec::Av1, .. }))
    );
    assert!(
        node.has(|event| matches!(
            event,
            NetEvent::TrackStarted { kind: TrackKind::Microphone, codec: Codec::Opus, .. }
        ))
    );
}

#[test]
fn viewers_get_the_composite_whole_and_a_late_one_at_once() {
    let mut node = Node::start();
    let (_, mut first) = node.watch();
    first.loss = 3;
    let mut sent = Vec::new();
    for n in 0..30 {
        sent.push(node.publish(n, n == 0));
        let due = Instant::now() + Duration::from_millis(8);
        while Instant::now() < due {
            first.step(Duration::from_millis(1));
        }
    }
    drive(&mut node, &mut [&mut first], |_, clients| clients[0].pictures.len() > 20);
    for (came, sent) in first.pictures.iter().zip(&sent) {
        assert_eq!(came.data, sent.data);
    }
    sent.clear();
    sent.extend((30..40).map(|n| node.publish(n, n == 30)));
    // Nothing is published after the late one came: what it sees is what was kept for it.
    let (_, mut late) = node.watch();
    drive(&mut node, &mut [&mut first, &mut late], |_, clients| clients[1].pictures.len() == 10);
    assert!(late.pictures.iter().zip(&sent).all(|(came, sent)| came.data == sent.data));
    assert!(late.pictures[0].keyframe);
}

#[test]
fn keyframe_requests_reach_the_rung_until_a_viewer_asks_too_often() {
    let mut node = Node::start();
    let (_, mut client) = node.watch();
    drive(&mut node, &mut [&mut client], |node, _| node.rung.take_keyframe());
    node.publish(0, true);
    drive(&mut node, &mut [&mut client], |_, clients| !clients[0].pictures.is_empty());
    let asked = limits::KEYFRAME_REQUESTS_PER_MINUTE as u64 + 2;
    for n in 1..=asked {
        client.request_keyframe(0);
        drive(&mut node, &mut [&mut client], |node, _| node.counters.keyframe_requests_in.get() >= n);
    }
    drive(&mut node, &mut [&mut client], |node, _| node.counters.keyframe_requests_refused.get() == 2);
    drive(&mut node, &mut [&mut client], |node, _| node.rung.take_keyframe());
}

#[test]
fn what_a_decoder_wishes_reaches_the_sender_once_a_second() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    client.send_picture(0, &picture(0, true), 0);
    drive(&mut node, &mut [&mut client], |node, _| {
        node.has(|event| matches!(event, NetEvent::TrackStarted { kind: TrackKind::Camera, .. }))
    });
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, _frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let before = Instant::now();
    node.command(NetCommand::AttachVideo {
        peer,
        kind: TrackKind::Camera,
        sink,
        keyframe_requests: keyframe_requests.clone(),
    });
    keyframe_requests.request_keyframe();
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].keyframe_requests.len() == 1);
    assert_eq!(client.keyframe_requests[0], client.mid(0));
    client.send_picture(0, &picture(1, true), 3_000);
    drive(&mut node, &mut [&mut client], |node, _| node.counters.frames_in.get() >= 2);
    // What breaks again at once is asked for again soon, twice, and then only when the second is over: a wish that
    // comes too early is not forgotten.
    keyframe_requests.request_keyframe();
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].keyframe_requests.len() == 2);
    assert!(before.elapsed() >= limits::KEYFRAME_RETRY);
    client.send_picture(0, &picture(1, true), 6_000);
    drive(&mut node, &mut [&mut client], |node, _| node.counters.frames_in.get() >= 3);
    keyframe_requests.request_keyframe();
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].keyframe_requests.len() == 3);
    assert!(before.elapsed() >= limits::KEYFRAME_RETRY * 2);
    client.send_picture(0, &picture(1, true), 9_000);
    drive(&mut node, &mut [&mut client], |node, _| node.counters.frames_in.get() >= 4);
    keyframe_requests.request_keyframe();
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].keyframe_requests.len() == 4);
    assert!(before.elapsed() >= limits::KEYFRAME_RETRY * 2 + limits::KEYFRAME_SPACING);
}

#[test]
fn everyone_hears_the_mix_without_themselves() {
    let mut node = Node::start();
    let (_, mut anna) = node.join(ANNA);
    let (_, mut bert) = node.join(BERT);
    let (_, mut viewer) = node.watch();
    for n in 0..10 {
        let pts = pts_from_tick(n, 50);
        let tick = MixTick {
            pts,
            wallclock: Wallclock(0),
            shared: sound(b"all", pts),
            silent: false,
            minus: vec![(ANNA, sound(b"-anna", pts))],
            redacted: None,
        };
        node.audio.publish(&Arc::new(tick));
    }
    drive(&mut node, &mut [&mut anna, &mut bert, &mut viewer], |_, clients| {
        clients.iter().all(|client| client.sounds.len() == 10)
    });
    for (client, expected) in [(&anna, &b"-anna"[..]), (&bert, b"all"), (&viewer, b"all")] {
        assert!(client.sounds.iter().all(|packet| &packet.payload[..] == expected));
        assert!(client.sounds.iter().zip(client.sounds.iter().skip(1)).all(|(a, b)| b.sequence == a.sequence + 1));
        assert!(client.sounds.iter().zip(client.sounds.iter().skip(1)).all(|(a, b)| b.rtp_time == a.rtp_time + 960));
    }
}

#[test]
fn texts_pass_both_ways_and_a_goodbye_is_heard() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    drive(&mut node, &mut [&mut client], |node, _| node.has(|event| matches!(event, NetEvent::ChannelOpen(_))));
    client.say("hello node");
    node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: "hello client".into() });
    drive(&mut node, &mut [&mut client], |node, clients| {
        clients[0].texts.contains(&"hello client".to_owned())
            && node.has(|event| matches!(event, NetEvent::Signal { text, .. } if text == "hello node"))
    });
    client.close();
    drive(&mut node, &mut [], |node, _| {
        node.has(|event| matches!(event, NetEvent::Closed { reason: CloseReason::Closed, .. }))
    });
}

#[test]
fn a_dismissed_client_learns_of_it() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    node.command(NetCommand::RemovePeer(peer));
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].closed);
    assert!(!node.has(|event| matches!(event, NetEvent::Closed { .. })), "who commands it needs no event");
}

#[test]
fn hostile_datagrams_are_counted_and_nothing_else() {
    let mut node = Node::start();
    let (_, mut client) = node.join(ANNA);
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut die = Die(7);
    // First bytes of STUN, DTLS and RTP lead garbage into each parser; half of it comes from the client's own address.
    for round in 0..2_000_u64 {
        let length = 1 + usize::try_from(die.next() % 200).unwrap();
        let mut datagram: Vec<u8> = (0..length).map(|_| u8::try_from(die.next() % 256).unwrap()).collect();
        if let Some(first) = datagram.first_mut() {
            *first = [0, 1, 20, 22, 23, 63, 128, 144, 191][usize::try_from(round % 9).unwrap()];
        }
        if round % 9 < 2 && datagram.len() > 8 {
            datagram[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        let socket = if round % 2 == 0 { &stranger } else { &client.socket };
        socket.send_to(&datagram, node.address).unwrap();
    }
    drive(&mut node, &mut [&mut client], |node, _| node.counters.datagrams_unknown.get() >= 1_000);
    assert!(node.counters.datagrams_malformed.get() > 0);
    client.say("still here");
    drive(&mut node, &mut [&mut client], |node, _| {
        node.has(|event| matches!(event, NetEvent::Signal { text, .. } if text == "still here"))
    });
    assert!(!node.has(|event| matches!(event, NetEvent::Closed { .. })));
}

#[test]
fn a_forged_binding_request_does_not_steal_an_address() {
    let mut node = Node::start();
    let mut anna = Client::new();
    let offer = anna.participant_offer();
    let (_, answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
    anna.accept(&answer);
    let (_, mut bert) = node.join(BERT);
    // From Bert's address, a request that names Anna's fragment but cannot know her password.
    let ufrag = crate::io::webrtc::ufrag_of(&answer);
    let username = format!("{ufrag}:none");
    let mut forged = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    forged.extend([9; 12]);
    forged.extend([0, 6, 0, u8::try_from(username.len()).unwrap()]);
    forged.extend(username.as_bytes());
    forged.resize(forged.len().next_multiple_of(4), 0);
    forged.extend([0, 8, 0, 20]);
    forged.extend([1; 20]);
    let length = u16::try_from(forged.len() - 20).unwrap();
    forged[2..4].copy_from_slice(&length.to_be_bytes());
    let before = node.counters.datagrams_unknown.get();
    bert.socket.send_to(&forged, node.address).unwrap();
    drive(&mut node, &mut [], |node, _| node.counters.datagrams_unknown.get() > before);
    bert.say("mine");
    drive(&mut node, &mut [&mut bert], |node, _| {
        node.has(|event| matches!(event, NetEvent::Signal { text, .. } if text == "mine"))
    });
}

#[test]
fn a_new_offer_over_the_channel_adds_a_screen() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    let offer = client.offer(&[(MediaKind::Video, Direction::SendOnly)], false);
    node.command(NetCommand::Renegotiate { peer, offer });
    drive(&mut node, &mut [&mut client], |node, _| node.has(|event| matches!(event, NetEvent::Renegotiated { .. })));
    let answer = node.seen.iter().find_map(|event| match event {
        NetEvent::Renegotiated { answer, .. } => Some(answer.clone().unwrap()),
        _ => None,
    });
    client.accept(&answer.unwrap());
    client.send_picture(4, &picture(0, true), 0);
    drive(&mut node, &mut [&mut client], |node, _| {
        node.has(|event| matches!(event, NetEvent::TrackStarted { kind: TrackKind::Screen, .. }))
    });
}

#[test]
fn ice_restarts_by_fragment() {
    let mut node = Node::start();
    let mut client = Client::new();
    let offer = client.participant_offer();
    let (peer, answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].has_channel());
    let restart = client.restart_offer();
    let value =
        |text: &str, name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim_end().to_owned();
    let credentials =
        IceCredentials { ufrag: value(&restart, "a=ice-ufrag:"), password: value(&restart, "a=ice-pwd:") };
    node.command(NetCommand::Trickle { peer, credentials: Some(credentials), candidates: Vec::new() });
    drive(&mut node, &mut [&mut client], |node, _| node.has(|event| matches!(event, NetEvent::Trickled { .. })));
    let fragment = node.seen.iter().find_map(|event| match event {
        NetEvent::Trickled { answer, .. } => answer.clone().unwrap(),
        _ => None,
    });
    let fragment = fragment.expect("other credentials than before restart ICE");
    assert_ne!(value(&fragment, "a=ice-ufrag:"), value(&answer, "a=ice-ufrag:"));
    let restarted: String = answer
        .lines()
        .map(|line| match line {
            _ if line.starts_with("a=ice-ufrag:") => format!("a=ice-ufrag:{}\r\n", value(&fragment, "a=ice-ufrag:")),
            _ if line.starts_with("a=ice-pwd:") => format!("a=ice-pwd:{}\r\n", value(&fragment, "a=ice-pwd:")),
            _ => format!("{line}\r\n"),
        })
        .collect();
    client.accept(&restarted);
    client.say("after the restart");
    drive(&mut node, &mut [&mut client], |node, _| {
        node.has(|event| matches!(event, NetEvent::Signal { text, .. } if text == "after the restart"))
    });
}

#[test]
fn a_client_that_never_connects_is_let_go() {
    let start = Instant::now();
    let certificate = Certificate::generate();
    let candidates = [SocketAddr::from(([127, 0, 0, 1], 9))];
    let role = PeerRole::Viewer { minus: None };
    let setup = PeerSetup {
        id: PeerId(1),
        role,
        certificate: &certificate,
        candidates: &candidates,
        tcp_candidates: &[],
        red: true,
    };
    let (mut peer, _) = Peer::answer(&setup, &Client::new().viewer_offer(), start).unwrap();
    let mut out = Outbox::new();
    let mut now = start;
    while now < start + limits::CONNECT_SPAN {
        peer.handle_timeout(now, &mut out);
        assert!(!out.drain().any(|output| matches!(output, PeerOutput::Closed(_))));
        now = peer.deadline().expect("it has not ended").max(now + Duration::from_millis(1));
    }
    peer.handle_timeout(start + limits::CONNECT_SPAN, &mut out);
    assert!(out.drain().any(|output| matches!(output, PeerOutput::Closed(CloseReason::NeverConnected))));
    assert_eq!(peer.deadline(), None);
}

#[test]
fn the_end_of_a_client_is_told_even_if_the_queue_was_full() {
    let start = Instant::now();
    let socket = MediaSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &[]).unwrap();
    let (outlet, events) = bounded(1);
    let (waker, counters) = (Waker::new().unwrap(), NetCounters::default());
    let (door, _inbox) = inbox(waker.clone());
    let registry = Arc::new(Registry::new(vec![door], Counter::default(), Counter::default()));
    let seat = Seat { number: 0, registry: registry.clone(), losses: Arc::default() };
    let events_end = NetEvents::new(outlet, waker.clone(), counters.events_refused.clone());
    let polls = Polls::new(socket.as_fd()).unwrap();
    let mut switch = Switch::new(events_end, counters, waker, (seat, polls));
    let certificate = Certificate::generate();
    for n in 0..2 {
        let role = PeerRole::Viewer { minus: None };
        let setup = PeerSetup {
            id: PeerId(n),
            role,
            certificate: &certificate,
            candidates: socket.candidates(),
            tcp_candidates: &[],
            red: true,
        };
        let (peer, _) = Peer::answer(&setup, &Client::new().viewer_offer(), start).unwrap();
        registry.settle(PeerId(n));
        let command = NetCommand::AddPeer { peer: Box::new(peer) };
        switch.command(&socket, start, command);
    }
    let end = start + limits::CONNECT_SPAN;
    let mut ended = Vec::new();
    for round in 0..3 {
        switch.advance(&socket, end + limits::TIMER_GRAIN * round);
        ended.extend(events.try_iter().map(|event| match event {
            NetEvent::Closed { peer, reason: CloseReason::NeverConnected } => peer.0,
            other => panic!("{other:?}"),
        }));
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);
}

#[test]
fn picture_and_sound_are_answered_as_one_stream() {
    let mut node = Node::start();
    let (_, answer) = node.answer(PeerRole::Participant(ANNA), &Client::new().participant_offer()).unwrap();
    let sections: Vec<&str> = answer.split("m=").skip(1).filter(|section| section.contains("a=sendonly")).collect();
    assert_eq!(sections.len(), 2);
    assert!(sections.iter().all(|section| section.contains("a=msid:composite ")), "{answer}");
    let origins = answer.lines().filter(|line| line.contains(" cname:"));
    assert!(origins.clone().count() >= 2 && origins.clone().all(|line| line.ends_with("cname:composite")), "{answer}");
}

#[test]
fn offers_that_cannot_be_answered_say_what_to_do() {
    let mut node = Node::start();
    let role = PeerRole::Participant(ANNA);
    let good = Client::new().participant_offer();
    let refuse = |node: &mut Node, offer: &str| node.answer(role, offer).unwrap_err();
    assert!(matches!(refuse(&mut node, &" ".repeat(limits::SDP_LEN_MAX + 1)), OfferError::TooLong(_)));
    assert!(matches!(refuse(&mut node, "nonsense"), OfferError::Malformed(_)));
    let many = format!("v=0{}", "\nm=audio 9".repeat(limits::OFFER_LINES_MAX + 1));
    assert_eq!(refuse(&mut node, &many), OfferError::ManyLines(limits::OFFER_LINES_MAX + 1));
    assert!(matches!(refuse(&mut node, &good.replace("a=ice-ufrag", "a=nothing")), OfferError::Malformed(_)));
    let no_pictures = good.replace("AV1/90000", "XX1/90000").replace("VP8/90000", "XX8/90000");
    let no_pictures = no_pictures.replace("H264/90000", "XX4/90000");
    let neither = no_pictures.replace("opus/48000", "xpus/48000");
    assert!(matches!(refuse(&mut node, &neither), OfferError::NoCodec | OfferError::NoOpus));
    let publisher = PeerRole::Publisher(ANNA);
    let published = no_pictures.replace("recvonly", "inactive");
    assert!(matches!(node.answer(publisher, &published).unwrap_err(), OfferError::NoCodec));
    assert!(node.answer(role, &no_pictures).is_ok(), "its sound is taken");
}
