//! **The question:** can this node be made to send to somebody who never asked? Requests with another's address on
//! them, made as well as whoever owns a connection can make them.

use str0m::crypto::from_feature_flags;
use str0m::ice::{StunMessage, TransId};

use super::*;
use crate::io::webrtc::stun;

/// Above that of any candidate, so that what it nominates is chosen.
const PRIORITY: u32 = 0x7fff_ffff;

/// The value of an SDP attribute.
fn value<'a>(sdp: &'a str, name: &str) -> &'a str {
    sdp.lines().find_map(|line| line.strip_prefix(name)).expect("it is there").trim_end()
}

/// A connectivity check that nominates, from whoever sends it.
fn check(answer: &str, offer: &str, priority: u32) -> Vec<u8> {
    let username = format!("{}:{}", value(answer, "a=ice-ufrag:"), value(offer, "a=ice-ufrag:"));
    write(StunMessage::binding_request(&username, TransId::new(), true, 1, priority, true), value(answer, "a=ice-pwd:"))
}

fn write(message: StunMessage<'_>, password: &str) -> Vec<u8> {
    let (mut bytes, hmac) = (vec![0; 300], from_feature_flags().sha1_hmac_provider);
    let length = message.to_bytes(Some(password.as_bytes()), &mut bytes, |key, parts| hmac.sha1_hmac(key, parts));
    bytes.truncate(length.unwrap());
    bytes
}

/// What came to a socket: in all, and each.
fn received(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    let mut buffer = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut buffer) {
        datagrams.push(buffer[..length].to_vec());
    }
    datagrams
}

#[test]
fn a_forged_request_brings_its_victim_three_times_its_length() {
    let mut node = Node::start();
    let mut client = Client::new();
    let offer = client.viewer_offer();
    let (_, answer) = node.answer(PeerRole::Viewer { minus: None }, &offer).unwrap();
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |node, clients| {
        clients[0].connected && node.has(|event| matches!(event, NetEvent::Connected(_)))
    });
    node.publish(0, true);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 1);
    assert_eq!(node.counters.datagrams_withheld.get(), 0, "whoever reads where they send from misses nothing");
    // The victim says nothing; the request with its address is the attacker's.
    let victim = UdpSocket::bind("127.0.0.1:0").unwrap();
    victim.set_nonblocking(true).unwrap();
    let forged = check(&answer, &offer, PRIORITY);
    let (mut n, mut sent) = (1, 0);
    drive(&mut node, &mut [&mut client], |node, _| {
        if n % 200 == 1 {
            // The client, who is still there, chooses its own path again and again.
            victim.send_to(&forged, node.address).unwrap();
            sent += forged.len();
        }
        node.publish(n, n % 10 == 0);
        n += 1;
        node.counters.datagrams_withheld.get() > 500
    });
    let came = received(&victim);
    let total: usize = came.iter().map(Vec::len).sum();
    assert!(total <= 3 * sent && !came.is_empty(), "{total} bytes for {sent}");
    // A victim that is none, because it reads there and answers, gets everything.
    let asked = came.iter().find(|datagram| datagram[..2] == [0, 1]).expect("it is asked for proof");
    let id = StunMessage::parse(asked).unwrap().trans_id();
    let wrong = write(StunMessage::binding_reply(id, node.address), "not the password");
    let before = node.counters.datagrams_malformed.get();
    victim.send_to(&wrong, node.address).unwrap();
    drive(&mut node, &mut [&mut client], |node, _| node.counters.datagrams_malformed.get() > before);
    let more: usize = received(&victim).iter().map(Vec::len).sum();
    assert!(total + more <= 3 * (sent + wrong.len()), "{more} bytes more for a wrong answer");
    let proof = write(StunMessage::binding_reply(id, node.address), value(&offer, "a=ice-pwd:"));
    assert_eq!(stun::answered(&proof), Some(&asked[8..20]));
    victim.send_to(&proof, node.address).unwrap();
    let mut came = 0;
    drive(&mut node, &mut [&mut client], |node, _| {
        if n % 200 == 1 {
            victim.send_to(&forged, node.address).unwrap();
        }
        node.publish(n, n % 10 == 0);
        n += 1;
        came += received(&victim).iter().map(Vec::len).sum::<usize>();
        came > 50_000
    });
}

#[test]
fn before_its_connection_stands_a_stranger_gets_little_too() {
    let mut node = Node::start();
    let (mut client, victim) = (Client::new(), UdpSocket::bind("127.0.0.1:0").unwrap());
    victim.set_nonblocking(true).unwrap();
    let offer = client.participant_offer();
    let (_, answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
    let (request, before) = (check(&answer, &offer, 1), node.counters.datagrams_in.get());
    for _ in 0..50 {
        victim.send_to(&request, node.address).unwrap();
    }
    drive(&mut node, &mut [], |node, _| node.counters.datagrams_in.get() >= before + 50);
    let came: usize = received(&victim).iter().map(Vec::len).sum();
    assert!(came <= 3 * 50 * request.len(), "{came} for {} each", request.len());
    // The owner connects all the same.
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].connected);
}
