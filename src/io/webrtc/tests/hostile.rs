//! **The question:** can anything that anybody may send end a net thread? What is right, with something wrong in it:
//! datagrams of strangers and of guests, offers, packets and texts inside a guest's own encryption.
//!
//! Seeded, and short; `base::hostile` says how they are made longer.

use super::*;
use crate::base::hostile::{Mutator, rounds};

/// Datagrams between two looks at whether the node kept up.
const BURST: u64 = 64;

/// A node with sinks for what Anna sends, and Anna.
fn with_anna() -> (Node, Client, PeerId) {
    let mut node = Node::start();
    let (peer, client) = node.join(ANNA);
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, _) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let (voice, _) = flow::opus_queue(Counter::default());
    node.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
    node.command(NetCommand::AttachSound { peer, kind: TrackKind::Microphone, sink: voice });
    (node, client, peer)
}

/// What fits a datagram.
fn fitting(mut payload: Vec<u8>) -> Vec<u8> {
    payload.truncate(1_100);
    payload
}

/// Says a text, however much waits to be said before it.
fn say(client: &mut Client, text: &str) {
    let until = Instant::now() + PATIENCE;
    while client.is_open() && !client.try_say(text) {
        assert!(Instant::now() < until, "the node reads no more");
        client.step(Duration::from_millis(1));
    }
}

/// Whoever comes now is let in and served: no thread has ended.
fn still_serves(node: &mut Node) {
    let (_, mut viewer) = node.watch();
    node.publish(0, true);
    drive(node, &mut [&mut viewer], |_, clients| !clients[0].pictures.is_empty());
}

#[test]
fn hostile_datagrams_of_strangers_and_guests_end_nothing() {
    let (mut node, mut client, peer) = with_anna();
    client.send_picture(0, &picture(0, true), 0);
    client.send_sound(1, &[1, 2, 3, 4], 0);
    client.say("hello");
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let right: Vec<Vec<u8>> = client.sent.clone();
    let mut mutator = Mutator::new(1);
    let (mut sent, begun) = (0, node.counters.datagrams_in.get());
    while sent < rounds() {
        for _ in 0..BURST {
            let datagram = mutator.bytes(&right);
            let socket = if mutator.below(2) == 0 { &stranger } else { &client.socket };
            socket.send_to(&datagram, node.address).unwrap();
        }
        sent += BURST;
        // The node looks at all of them before more come; what the kernel lost is not waited for long.
        let until = Instant::now() + Duration::from_millis(5);
        while node.counters.datagrams_in.get() - begun < sent && Instant::now() < until {
            client.step(Duration::from_millis(1));
        }
    }
    let came = node.counters.datagrams_in.get() - begun;
    assert!(came > sent / 2, "{came} of {sent} were looked at");
    still_serves(&mut node);
    assert!(!node.has(|event| matches!(event, NetEvent::Closed { peer: gone, .. } if *gone == peer)), "Anna stays");
}

#[test]
fn hostile_offers_are_answered_or_refused() {
    let node = Node::start();
    let right = [Client::new().participant_offer(), Client::new().viewer_offer()];
    let mut mutator = Mutator::new(2);
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..rounds() / 4 {
        let offer = mutator.lines(&right);
        let role = if mutator.below(2) == 0 { PeerRole::Participant(ANNA) } else { PeerRole::Viewer { minus: None } };
        let (certificate, candidates) = (&node.certificate, &node.candidates[..]);
        let setup = PeerSetup { id: PeerId(9), role, certificate, candidates, tcp_candidates: &[], red: true };
        let now = Instant::now();
        let Ok((mut peer, _)) = Peer::answer(&setup, &offer, now) else {
            refused += 1;
            continue;
        };
        answered += 1;
        peer.handle_timeout(now, &mut Outbox::new());
    }
    assert!(answered > 0 && refused > 0, "{answered} answered, {refused} refused: one of both was never tried");
}

#[test]
fn hostile_packets_and_texts_of_a_guest_end_nothing() {
    let (mut node, mut client, _) = with_anna();
    let frames: Vec<Vec<u8>> = (0..4).map(|n| picture(n, n == 0).data.to_vec()).collect();
    let texts = [r#"{"v":1,"type":"hand","raised":true}"#.to_owned()];
    let (mut mutator, mut anew) = (Mutator::new(3), 0);
    for n in 0..rounds() {
        // Who floods their own connection may lose it, and comes again.
        if !client.is_open() {
            client = node.join(ANNA).1;
            anew += 1;
        }
        let time = mutator.draw() as u32;
        match mutator.below(8) {
            0 => say(&mut client, &mutator.text(&texts)),
            1..=2 => client.send_sound(1, &fitting(mutator.bytes(&[vec![0x78, 1, 2, 3]])), time),
            _ => client.send_payload(0, fitting(mutator.bytes(&frames)), time, mutator.below(3) == 0),
        }
        if n % BURST == 0 {
            client.step(Duration::from_millis(1));
        }
    }
    still_serves(&mut node);
    assert!(anew <= rounds() / 10_000, "Anna lost her connection {anew} times");
    println!("Anna came {anew} times again");
}
