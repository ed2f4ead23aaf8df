//! One of a crowd, beside the far side of these tests: what it offers, sends, counts and repairs.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{ANNA, Die, Node, PATIENCE, drive, picture, sound};
use crate::base::limits;
use crate::base::media::{Codec, MixTick, PeerId, ReceivedFrame, TrackKind, Wallclock, pts_from_tick};
use crate::core::signal::WordKind;
use crate::engine::flow::{self, Counter, KeyframeRequest, Waker};
use crate::io::webrtc::payload::Packetiser;
use crate::io::webrtc::{
    Certificate, CloseReason, Crowd, Guest, GuestPacket, GuestSetup, Heard, NetCommand, NetEvent, PeerRole,
};

/// A crowd and what it heard.
struct Far {
    crowd: Crowd,
    heard: Vec<Heard>,
    /// What it goes through, of those that lose packets.
    lossy: Option<Lossy>,
}

/// A relay that loses one in twenty packets of RTP, each way.
struct Lossy {
    near: UdpSocket,
    far: UdpSocket,
    person: Option<SocketAddr>,
    die: Die,
}

impl Lossy {
    /// One to `node`, and where it is.
    fn to(node: SocketAddr) -> (Self, SocketAddr) {
        let [near, far] = [(); 2].map(|()| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        far.connect(node).unwrap();
        let here = near.local_addr().unwrap();
        (Self { near, far, person: None, die: Die(0x9e37_79b9_7f4a_7c15) }, here)
    }

    fn pump(&mut self) {
        let mut datagram = [0; 2_048];
        while let Ok((length, from)) = self.near.recv_from(&mut datagram) {
            self.person = Some(from);
            if !self.loses(&datagram[..length]) {
                self.far.send(&datagram[..length]).unwrap();
            }
        }
        while let Ok(length) = self.far.recv(&mut datagram) {
            if !self.loses(&datagram[..length]) {
                self.near.send_to(&datagram[..length], self.person.unwrap()).unwrap();
            }
        }
    }

    fn loses(&mut self, datagram: &[u8]) -> bool {
        let is_rtp = (128..192).contains(&datagram[0]) && !(192..=223).contains(&datagram[1]);
        is_rtp && self.die.next().is_multiple_of(20)
    }
}

impl Far {
    /// One person in `node`, who takes both codecs.
    fn join(node: &mut Node) -> (PeerId, Self) {
        Self::join_by(node, None)
    }

    fn join_by(node: &mut Node, lossy: Option<(Lossy, SocketAddr)>) -> (PeerId, Self) {
        let (mut guest, offer) = guest(&[Codec::Av1, Codec::H264]);
        let (peer, mut answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
        let lossy = lossy.map(|(lossy, here)| {
            let port = |address: SocketAddr| format!(" 127.0.0.1 {} typ", address.port());
            answer = answer.replace(&port(node.address), &port(here));
            lossy
        });
        guest.accept(&answer).unwrap();
        assert_eq!(guest.camera(), Some(Codec::Av1));
        let mut crowd = Crowd::new().unwrap();
        crowd.enter(7, guest).unwrap();
        let mut far = Self { crowd, heard: Vec::new(), lossy };
        far.drive(node, |node, far| far.heard.contains(&Heard::Connected) && node.has(is_channel));
        (peer, far)
    }

    fn step(&mut self) {
        self.lossy.iter_mut().for_each(Lossy::pump);
        let heard = &mut self.heard;
        let mut hear = |number, what| {
            assert_eq!(number, 7);
            heard.push(what);
        };
        self.crowd.receive(Instant::now(), &mut hear);
        self.crowd.advance(Instant::now(), &mut hear);
    }

    /// Lets it run until something is so.
    fn drive(&mut self, node: &mut Node, mut done: impl FnMut(&mut Node, &Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done(node, self) {
            assert!(Instant::now() < end, "it never came to be: {:?}", self.heard);
            self.step();
            std::thread::sleep(limits::TIMER_GRAIN);
        }
    }

    fn send(&mut self, line: TrackKind, (at, time): (Instant, u64), payloads: Vec<Arc<[u8]>>) {
        let count = payloads.len();
        for (n, payload) in payloads.into_iter().enumerate() {
            let level = (line == TrackKind::Microphone).then_some((30, true));
            self.crowd.write(7, GuestPacket { line, at, time, marker: n + 1 == count, level, payload });
        }
    }

    /// Numbers of the pictures' packets that came.
    fn pictures(&self) -> Vec<u16> {
        let numbers = self.heard.iter().filter_map(|heard| match heard {
            Heard::Packet { is_picture: true, sequence } => Some(*sequence),
            _ => None,
        });
        numbers.collect()
    }
}

fn is_channel(event: &NetEvent) -> bool {
    matches!(event, NetEvent::ChannelOpen(_))
}

fn guest(pictures: &[Codec]) -> (Guest, String) {
    let setup = GuestSetup { number: 7, pictures, certificate: &Certificate::generate(), is_near: true };
    Guest::offer(&setup, Instant::now()).unwrap()
}

#[test]
fn one_of_a_crowd_offers_the_contracts_lines_in_their_order() {
    let (_, sdp) = guest(&[Codec::H264, Codec::Av1]);
    let sections: Vec<&str> = sdp.split("\r\nm=").skip(1).collect();
    let expected = [
        ("video ", "a=sendonly", "102 103", "H264/90000"),
        ("audio ", "a=sendonly", "111", "opus/48000/2"),
        ("video ", "a=recvonly", "102 103 45 46", "AV1/90000"),
        ("audio ", "a=recvonly", "111", "opus/48000/2"),
        ("application ", "a=sctp-port", "webrtc-datachannel", "a=mid:"),
    ];
    assert_eq!(sections.len(), expected.len(), "{sdp}");
    for (section, (kind, direction, formats, codec)) in sections.iter().zip(expected) {
        let first = section.lines().next().unwrap_or_default();
        assert!(section.starts_with(kind) && first.ends_with(formats), "{first}");
        assert!(section.contains(direction) && section.contains(codec), "{section}");
    }
    let level = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
    assert!(sections[1].contains(level) && sections[0].contains("a=ssrc:"), "{sdp}");
    assert!(!sections[0].contains("AV1") && sections[0].contains("a=rtcp-fb:102 nack pli"), "{sdp}");
    let is_numbered = |section: &&str| section.contains("transport-wide-cc") && section.contains(" transport-cc");
    let numbered: Vec<bool> = sections[..4].iter().map(is_numbered).collect();
    assert_eq!(numbered, [false, false, true, true], "what comes alone is told of: {sdp}");
    assert!(!sdp.contains("goog-remb") && sdp.contains(" 127.0.0.1 ") && sdp.contains("typ host"), "{sdp}");
    let (_, sdp) = guest(&[]);
    let kinds: Vec<&str> = sdp.split("\r\nm=").skip(1).filter_map(|section| section.split(' ').next()).collect();
    assert_eq!(kinds, ["audio", "audio", "application"], "voices alone");
}

#[test]
fn what_one_of_a_crowd_sends_arrives_and_they_hear_what_is_asked_of_them() {
    let mut node = Node::start();
    let (peer, mut far) = Far::join(&mut node);
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let (voice, packets) = flow::opus_queue(Counter::default());
    let kind = TrackKind::Camera;
    node.command(NetCommand::AttachVideo { peer, kind, sink, keyframe_requests: keyframe_requests.clone() });
    node.command(NetCommand::AttachSound { peer, kind: TrackKind::Microphone, sink: voice });
    let (start, mut came, mut voices) = (Instant::now(), Vec::new(), Vec::new());
    for n in 0..40_u64 {
        let at = start + Duration::from_millis(20) * u32::try_from(n).unwrap();
        far.drive(&mut node, |_, _| Instant::now() >= at);
        let frame = picture(n, n % 10 == 0);
        far.send(kind, (at, n * 1_800), Packetiser::new().packetise(&frame).payloads);
        far.send(TrackKind::Microphone, (at, n * 960), vec![Arc::from(&b"word"[..])]);
        came.extend(std::iter::from_fn(|| frames.pop()));
        voices.extend(std::iter::from_fn(|| packets.pop()));
    }
    // What went out before the node had somewhere to put it is nobody's.
    far.drive(&mut node, |_, _| {
        came.extend(std::iter::from_fn(|| frames.pop()));
        came.last().is_some_and(|frame| frame.data == picture(39, false).data)
    });
    assert!(came.len() >= 20 && voices.len() >= 20, "{} frames, {} words", came.len(), voices.len());
    let number = |frame: &ReceivedFrame| (0..40).find(|n| picture(*n, n % 10 == 0).data == frame.data);
    let numbers: Vec<u64> = came.iter().filter_map(number).collect();
    assert!(numbers.len() == came.len() && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    let clock = |frame: &ReceivedFrame| (frame.rtp_time - came[0].rtp_time) / 1_800 + numbers[0];
    assert!(came.iter().map(clock).eq(numbers.iter().copied()), "each at its time");
    assert!(voices.iter().all(|packet| packet.audio_level.is_some_and(|level| level.0 == 30)));
    keyframe_requests.request_keyframe();
    node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: "hello".into() });
    far.drive(&mut node, |_, far| {
        far.heard.contains(&Heard::KeyframeWanted) && far.heard.contains(&Heard::Told("hello".to_owned()))
    });
    node.command(NetCommand::RemovePeer(peer));
    far.drive(&mut node, |_, far| far.heard.last() == Some(&Heard::Gone));
    assert_eq!(far.crowd.deadline(), None, "who is gone is forgotten");
}

#[test]
fn one_of_a_crowd_counts_each_packet_once_and_says_goodbye() {
    let mut node = Node::start();
    let (_, mut far) = Far::join(&mut node);
    for n in 0..20 {
        node.publish(n, n == 0);
        let pts = pts_from_tick(n, 50);
        let (shared, minus) = (sound(b"all", pts), Vec::new());
        let tick = MixTick { pts, wallclock: Wallclock(0), shared, silent: false, minus, redacted: None };
        node.audio.publish(&Arc::new(tick));
        far.step();
    }
    let expected: usize = (0..20).map(|n| Packetiser::new().packetise(&picture(n, n == 0)).payloads.len()).sum();
    let is_sound = |heard: &&Heard| matches!(heard, Heard::Packet { is_picture: false, .. });
    let sounds = |far: &Far| far.heard.iter().filter(is_sound).count();
    far.drive(&mut node, |_, far| far.pictures().len() == expected && sounds(far) == 20);
    let numbers = far.pictures();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
    far.crowd.close();
    drive(&mut node, &mut [], |node, _| {
        node.has(|event| matches!(event, NetEvent::Closed { reason: CloseReason::Closed, .. }))
    });
}

#[test]
fn what_is_lost_on_the_way_to_one_of_a_crowd_or_from_them_is_sent_again() {
    let mut node = Node::start();
    let lossy = Lossy::to(node.address);
    let (peer, mut far) = Far::join_by(&mut node, Some(lossy));
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let kind = TrackKind::Camera;
    node.command(NetCommand::AttachVideo { peer, kind, sink, keyframe_requests });
    let (start, mut came) = (Instant::now(), Vec::new());
    for n in 0..60_u64 {
        let at = start + Duration::from_millis(10) * u32::try_from(n).unwrap();
        far.drive(&mut node, |_, _| Instant::now() >= at);
        let frame = node.publish(n, n == 0);
        far.send(kind, (at, n * 900), Packetiser::new().packetise(&frame).payloads);
    }
    let expected: usize = (0..60).map(|n| Packetiser::new().packetise(&picture(n, n == 0)).payloads.len()).sum();
    far.drive(&mut node, |_, far| {
        came.extend(std::iter::from_fn(|| frames.pop()));
        came.len() >= 55 && far.pictures().len() >= expected * 98 / 100
    });
    let mut numbers = far.pictures();
    assert!(!numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "nothing was lost at all");
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "none is counted twice");
}
