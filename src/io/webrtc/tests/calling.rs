//! **The question:** does a connection that this side began come up and carry a rung, though the other side is another
//! node that waits to be asked? Two of our own net threads, and nobody else.

use super::*;
use crate::base::media::RungCodecs;
use crate::io::webrtc::{AnswerError, OwnSocket};

/// What somebody makes of an answer on its way.
type Change<'a> = &'a dyn Fn(&str) -> String;

const PICTURES: RungCodecs = RungCodecs { av1: true, h264: true, vp8: true };

impl Node {
    /// A connection that this node begins: its socket, the offer, and what is counted of it.
    fn offer(&mut self, codecs: RungCodecs) -> (Peer, OwnSocket, String, Counter) {
        let id = PeerId(self.next_id);
        self.next_id += 1;
        let socket = OwnSocket::bind([127, 0, 0, 1].into(), &[]).unwrap();
        let setup = PeerSetup {
            id,
            role: PeerRole::Viewer { minus: None },
            certificate: &self.certificate,
            candidates: socket.candidates(),
            tcp_candidates: &[],
            red: false,
        };
        let sent = Counter::default();
        let (peer, offer) = Peer::offer(&setup, codecs, sent.clone(), Instant::now());
        (peer, socket, offer, sent)
    }

    /// One that `other` answered and that comes up.
    fn call(&mut self, other: &mut Self, who: ParticipantId) -> (PeerId, Counter) {
        let (mut peer, mut socket, offer, sent) = self.offer(PICTURES);
        let (_, answer) = other.answer_with(PeerRole::Publisher(who), &offer, None).unwrap();
        peer.accept(&answer, Instant::now()).unwrap();
        socket.expect(&answer);
        let id = peer.id();
        self.command(NetCommand::AddCaller { peer: Box::new(peer), socket: Box::new(socket) });
        until(self, |node| node.has(|event| matches!(event, NetEvent::Connected(peer) if *peer == id)));
        self.command(NetCommand::EnterRoom { peer: id, room: self.room.clone(), rung: Some(RUNG) });
        (id, sent)
    }
}

fn until(node: &mut Node, mut done: impl FnMut(&mut Node) -> bool) {
    drive(node, &mut [], |node, _| done(node));
}

/// The camera of whoever publishes first at `node`, once it began.
fn camera(node: &mut Node) -> PeerId {
    let mut found = None;
    until(node, |node| {
        node.has(|event| match event {
            NetEvent::TrackStarted { peer, kind: TrackKind::Camera, codec: Codec::Av1 } => {
                found = Some(*peer);
                true
            }
            _ => false,
        })
    });
    found.expect("it began")
}

#[test]
fn two_connections_to_one_server_carry_a_rung_and_a_goodbye() {
    for workers in [1, 3] {
        let (mut here, mut there) = (Node::with_workers(workers), Node::with_workers(workers));
        let (first, sent) = here.call(&mut there, ANNA);
        let (second, _) = here.call(&mut there, BERT);
        until(&mut here, |node| node.rung.take_keyframe());
        let sink_of = |there: &mut Node| {
            let peer = camera(there);
            let keyframe_requests = KeyframeRequest::new(there.waker.clone(), Counter::default());
            let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
            there.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
            frames
        };
        let published = here.publish(0, true);
        let frames = sink_of(&mut there);
        let mut came = None;
        until(&mut there, |_| {
            came = came.take().or_else(|| frames.pop());
            came.is_some()
        });
        assert_eq!(came.unwrap().data, published.data, "what is sent is what others get");
        until(&mut here, |_| sent.get() >= published.data.len() as u64);
        here.command(NetCommand::RemovePeer(first));
        until(&mut there, |node| {
            node.has(|event| matches!(event, NetEvent::Closed { reason: CloseReason::Closed, .. }))
        });
        let gone = |node: &mut Node| node.seen.iter().filter(|e| matches!(e, NetEvent::Closed { .. })).count();
        assert_eq!(gone(&mut there), 1, "the other one goes on");
        assert!(!here.has(|event| matches!(event, NetEvent::Closed { .. })));
        drop(there);
        until(&mut here, |node| {
            node.has(|event| matches!(event, NetEvent::Closed { peer, reason: CloseReason::Closed } if *peer == second))
        });
    }
}

#[test]
fn nobody_is_listened_to_who_is_not_where_the_answer_says() {
    let (mut here, mut there) = (Node::start(), Node::start());
    let (mut peer, mut socket, offer, _) = here.offer(PICTURES);
    let (_, answer) = there.answer_with(PeerRole::Publisher(ANNA), &offer, None).unwrap();
    peer.accept(&answer, Instant::now()).unwrap();
    let (id, address) = (peer.id(), socket.candidates()[0]);
    // The checks are answered from another address than that.
    socket.expect("v=0\r\na=candidate:1 1 udp 1 127.0.0.9 4000 typ host\r\n");
    here.command(NetCommand::AddCaller { peer: Box::new(peer), socket: Box::new(socket) });
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(b"hello", address).unwrap();
    until(&mut here, |node| node.counters.datagrams_unknown.get() >= 3);
    assert!(!here.has(|event| matches!(event, NetEvent::Connected(peer) if *peer == id)));
}

#[test]
fn an_offer_is_one_that_whip_asks_for_and_of_the_codecs_that_are_wished() {
    let mut node = Node::start();
    let (_, _, offer, _) = node.offer(PICTURES);
    for line in ["a=group:BUNDLE ", "a=setup:actpass\r\n", "a=sendonly\r\n", "a=candidate:", "a=fingerprint:sha-256 "] {
        assert!(offer.contains(line), "{line}: {offer}");
    }
    for none in ["a=ice-lite", "a=recvonly", "a=sendrecv", "m=application", "urn:tessera"] {
        assert!(!offer.contains(none), "{none}: {offer}");
    }
    assert!(offer.contains("sprop-stereo=1") && offer.contains("a=msid:composite "), "{offer}");
    let (_, _, offer, _) = node.offer(RungCodecs::default().with(Codec::Av1));
    assert!(offer.contains(" AV1/90000") && !offer.contains("H264/90000") && !offer.contains("VP8/90000"), "{offer}");
}

#[test]
fn an_answer_that_is_of_no_use_says_why_and_never_more_than_its_own_connection() {
    let (mut node, mut other) = (Node::start(), Node::start());
    let mut accept = |change: Change<'_>| {
        let (mut peer, _socket, offer, _) = node.offer(PICTURES);
        let (_, answer) = other.answer_with(PeerRole::Publisher(ANNA), &offer, None).unwrap();
        let taken = peer.accept(&change(&answer), Instant::now());
        (taken, peer)
    };
    let (taken, mut peer) = accept(&str::to_owned);
    assert_eq!(taken, Ok(()));
    assert_eq!(peer.watches(), RungCodecs { vp8: false, ..PICTURES }, "one more encode for nobody");
    assert_eq!(peer.accept("v=0\r\n", Instant::now()), Err(AnswerError::Malformed), "there is one answer");
    let cut = |at: &'static str| move |answer: &str| answer.split(at).next().unwrap().to_owned();
    let many: [(Change<'_>, AnswerError); 7] = [
        (&|_| String::new(), AnswerError::Malformed),
        (&|_| "v=0\r\nhello".into(), AnswerError::Malformed),
        (&|answer| answer.repeat(200), AnswerError::Malformed),
        (&cut("m=audio"), AnswerError::Malformed),
        (&|answer| answer.replace("a=mid:", "a=mid:other"), AnswerError::Malformed),
        (&|answer| answer.replace("a=recvonly", "a=inactive"), AnswerError::Nothing),
        (&|answer| answer.replace("sha-256 ", "sha-512 "), AnswerError::Fingerprint),
    ];
    for (n, (change, why)) in many.into_iter().enumerate() {
        assert_eq!(accept(change).0, Err(why), "the answer of case {n}");
    }
}

#[test]
fn no_garbage_for_an_answer_ends_more_than_its_own_connection() {
    let (mut node, mut other, mut die) = (Node::start(), Node::start(), Die(11));
    let (_, _, offer, _) = node.offer(PICTURES);
    let (_, answer) = other.answer_with(PeerRole::Publisher(ANNA), &offer, None).unwrap();
    for _ in 0..200 {
        let (mut peer, _, _, _) = node.offer(PICTURES);
        let mut lines: Vec<&str> = answer.lines().collect();
        for _ in 0..=die.next() % 3 {
            let (from, to) = (die.next() as usize % lines.len(), die.next() as usize % lines.len());
            match die.next() % 3 {
                0 => drop(lines.remove(from)),
                1 => lines.swap(from, to),
                _ => lines.insert(to, lines[from]),
            }
        }
        // Whatever comes of it, it does not panic, and the peer can be let go.
        let _ = peer.accept(&lines.join("\r\n"), Instant::now());
        let mut out = Outbox::new();
        peer.handle_timeout(Instant::now(), &mut out);
        peer.close(CloseReason::Closed, &mut out);
    }
}
