//! **The question:** is somebody without UDP in the call like everybody else, and does anyone who may open a connection
//! do harm by it?

use std::io::{Read, Write};
use std::net::TcpStream;

use super::client::framed;
use super::*;
use crate::base::hostile::{Mutator, rounds};

/// The TCP address of a node.
fn port(node: &Node) -> SocketAddr {
    node.tcp_candidates[0]
}

/// Waits until a connection is closed from the other side.
fn is_closed(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match stream.read(&mut [0; 64]) {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("it stands still: {other:?}"),
    }
}

/// Words go both ways, and pictures come.
fn takes_part(node: &mut Node, peer: PeerId, client: &mut Client, n: u64) {
    let (from, to) = (format!("from {n}"), format!("to {n}"));
    client.say(&from);
    node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: to.clone().into() });
    // Words wait for a connection that is about to be, pictures don't.
    drive(node, &mut [client], |node, clients| {
        clients[0].texts.iter().any(|text| *text == to)
            && node.has(|event| matches!(event, NetEvent::Signal { peer: of, text } if *of == peer && *text == from))
    });
    let before = client.pictures.len();
    node.publish(n, true);
    node.publish(n + 1, false);
    drive(node, &mut [client], |_, clients| clients[0].pictures.len() >= before + 2);
}

#[test]
fn somebody_without_udp_is_in_the_call() {
    let mut node = Node::start();
    let mut offering = Client::by_tcp(port(&node));
    let offer = offering.participant_offer();
    let (_, answer) = node.answer(PeerRole::Participant(BERT), &offer).unwrap();
    let candidates: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert!(candidates[0].contains(" udp ") && !candidates[0].contains("tcptype"), "{candidates:?}");
    let passive = candidates.iter().position(|line| line.contains(" typ host tcptype passive")).unwrap();
    let priority = |at: usize| candidates[at].split(' ').nth(3).unwrap().parse::<u32>().unwrap();
    assert!(priority(passive) < priority(0), "UDP is preferred: {candidates:?}");

    let client = Client::by_tcp(port(&node));
    let (peer, mut client) = node.join_as(ANNA, client);
    takes_part(&mut node, peer, &mut client, 0);
    let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    node.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
    let sent = picture(0, true);
    client.send_picture(0, &sent, 0);
    let mut came = None;
    drive(&mut node, &mut [&mut client], |_, _| {
        came = came.take().or_else(|| frames.pop());
        came.is_some()
    });
    assert_eq!(came.unwrap().data, sent.data);
    assert_eq!(node.counters.tcp_streams.get(), 1);
    assert_eq!(node.counters.datagrams_withheld.get() + node.counters.tcp_discarded.get(), 0);
    client.close();
    drive(&mut node, &mut [&mut client], |node, _| {
        node.has(|event| matches!(event, NetEvent::Closed { reason: CloseReason::Closed, .. }))
            && node.counters.tcp_streams.get() == 0
    });
}

#[test]
fn who_has_udp_and_tcp_uses_udp() {
    let mut node = Node::start();
    let mut client = Client::new();
    client.wire_to(port(&node));
    let (peer, mut client) = node.join_as(ANNA, client);
    takes_part(&mut node, peer, &mut client, 0);
    // All that comes by TCP are checks.
    client.wire = None;
    takes_part(&mut node, peer, &mut client, 10);
    takes_part(&mut node, peer, &mut client, 20);
}

#[test]
fn connections_find_the_worker_that_holds_their_peer() {
    let mut node = Node::with_workers(3);
    let mut all = Vec::new();
    for n in 0..6 {
        let client = if n % 2 == 0 { Client::by_tcp(port(&node)) } else { Client::new() };
        all.push(node.join_as(ParticipantId(n), client));
    }
    for (n, (peer, client)) in all.iter_mut().enumerate() {
        takes_part(&mut node, *peer, client, 10 * n as u64);
    }
    assert_eq!(node.counters.tcp_streams.get(), 3);
}

#[test]
fn a_connection_that_breaks_is_replaced_by_the_next() {
    let mut node = Node::start();
    let client = Client::by_tcp(port(&node));
    let (peer, mut client) = node.join_as(ANNA, client);
    takes_part(&mut node, peer, &mut client, 0);
    for n in 1..4 {
        client.wire_to(port(&node));
        drive(&mut node, &mut [&mut client], |node, _| node.counters.tcp_streams.get() == 1);
        takes_part(&mut node, peer, &mut client, 10 * n);
    }
}

#[test]
fn a_connection_that_says_nothing_right_is_closed() {
    let mut node = Node::start();
    let (_, client) = node.join(ANNA);
    // A check that is right, but for its password.
    let check = client.sent.iter().find(|datagram| datagram[..2] == [0, 1]).unwrap();
    let mut forged = check.clone();
    let last = forged.len() - 9;
    forged[last] ^= 1;
    let mut unknown = check.clone();
    unknown[24..28].copy_from_slice(b"whom");
    let mut long = (limits::DATAGRAM_LEN_MAX as u16 + 1).to_be_bytes().to_vec();
    long.extend([0; 100]);
    let hellos = [
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n".to_vec(),
        vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
        framed(&[]),
        framed(&[0; 300]),
        framed(&[128; 1_200]),
        long,
        framed(&forged),
        framed(&unknown),
    ];
    for (n, hello) in hellos.iter().enumerate() {
        let mut stream = TcpStream::connect(port(&node)).unwrap();
        stream.write_all(hello).unwrap();
        is_closed(&stream);
        drive(&mut node, &mut [], |node, _| node.counters.tcp_refused.get() == n as u64 + 1);
    }
    // The same in one byte each is no other; and what is right is let in.
    let mut stream = TcpStream::connect(port(&node)).unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in framed(check) {
        stream.write_all(&[byte]).unwrap();
    }
    drive(&mut node, &mut [], |node, _| node.counters.tcp_streams.get() == 1);
    stream.write_all(&framed(&[9; limits::DATAGRAM_LEN_MAX + 1])).unwrap();
    drive(&mut node, &mut [], |node, _| node.counters.tcp_streams.get() == 0);
    assert_eq!(node.counters.tcp_refused.get(), hellos.len() as u64);
}

#[test]
fn many_that_say_nothing_keep_nobody_out() {
    let mut node = Node::start();
    let silent: Vec<TcpStream> = (0..limits::TCP_WAITING_OF_ADDRESS_MAX * 4)
        .map(|n| {
            let mut stream = TcpStream::connect(port(&node)).unwrap();
            // Some say the half of it.
            stream.write_all(&[0, 100, 0, 1, 0][..n % 6]).unwrap();
            stream
        })
        .collect();
    let over = silent.len() - limits::TCP_WAITING_OF_ADDRESS_MAX;
    drive(&mut node, &mut [], |node, _| node.counters.tcp_refused.get() >= over as u64);
    let client = Client::by_tcp(port(&node));
    let (peer, mut client) = node.join_as(ANNA, client);
    takes_part(&mut node, peer, &mut client, 0);
    silent.iter().for_each(is_closed);
}

#[test]
fn a_client_that_takes_nothing_harms_nobody() {
    let mut node = Node::start();
    let client = Client::by_tcp(port(&node));
    let (peer, mut slow) = node.join_as(ANNA, client);
    let (_, mut other) = node.watch();
    let mut n = 0;
    // The slow one takes nothing from here on.
    drive(&mut node, &mut [&mut other], |node, clients| {
        let behind = n >= 60 && node.counters.tcp_discarded.get() > 0;
        if !behind && clients[0].pictures.len() as u64 == n {
            node.publish(n, true);
            n += 1;
        }
        behind && clients[0].pictures.len() as u64 == n
    });
    assert_eq!(other.pictures.len() as u64, n, "the other one has them all");
    // It is spoken to again as soon as it reads.
    node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: "still here".into() });
    drive(&mut node, &mut [&mut slow], |_, clients| clients[0].texts.iter().any(|text| *text == "still here"));
}

#[test]
fn hostile_streams_of_strangers_and_guests_end_nothing() {
    let mut node = Node::start();
    let client = Client::by_tcp(port(&node));
    let (_, mut client) = node.join_as(ANNA, client);
    client.send_picture(0, &picture(0, true), 0);
    client.say("hello");
    let right: Vec<Vec<u8>> = client.sent.iter().map(|datagram| framed(datagram)).collect();
    let (mut mutator, mut guests) = (Mutator::new(7), 0);
    for n in 0..rounds() / 8 {
        // Each begins as it should, or does not.
        let mut stream = TcpStream::connect(port(&node)).unwrap();
        let hello = if mutator.below(2) == 0 { right[0].clone() } else { mutator.bytes(&right) };
        let rest: Vec<u8> = (0..mutator.below(20)).flat_map(|_| mutator.bytes(&right)).collect();
        // It may be closed in the middle of that.
        let _ = stream.write_all(&hello).and_then(|()| stream.write_all(&rest));
        if n % 16 == 0 {
            client.step(Duration::from_millis(1));
        }
        guests = guests.max(node.counters.tcp_streams.get());
    }
    assert!(guests > 1, "none of them was let in");
    drop(right);
    // Anna's own connection may have made way for those who repeat what knew her password. Others come as ever.
    let another = Client::by_tcp(port(&node));
    let (peer, mut another) = node.join_as(BERT, another);
    takes_part(&mut node, peer, &mut another, 0);
}
