//! **The question:** does it matter by which socket of the port a datagram comes in? It must not.

use super::*;

#[test]
fn everyone_is_served_whichever_worker_the_kernel_picked() {
    let mut node = Node::with_workers(2);
    let (mut peers, mut clients) = (Vec::new(), Vec::new());
    for n in 0..10 {
        let (peer, client) = node.join(ParticipantId(n));
        peers.push(peer);
        clients.push(client);
    }
    // Each was added at the emptier worker, and the kernel tosses a coin: one chance in a thousand that it is always
    // right.
    assert!(node.counters.peers_moved.get() > 0);
    let strayed = node.counters.datagrams_strayed.get();
    for (n, client) in clients.iter_mut().enumerate() {
        client.say(&format!("from {n}"));
        let (peer, text) = (peers[n], format!("to {n}").into());
        node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text });
    }
    node.publish(0, true);
    node.publish(1, false);
    let mut all: Vec<&mut Client> = clients.iter_mut().collect();
    drive(&mut node, &mut all, |node, clients| {
        let served = clients.iter().enumerate().all(|(n, client)| {
            client.pictures.len() == 2 && client.texts.iter().any(|text| *text == format!("to {n}"))
        });
        served
            && (0..10).all(|n| {
                let expected = format!("from {n}");
                node.has(
                    |event| matches!(event, NetEvent::Signal { peer, text } if *peer == peers[n] && *text == expected),
                )
            })
    });
    assert_eq!(node.counters.datagrams_strayed.get(), strayed, "who moved does not stray");
    for peer in peers {
        node.command(NetCommand::RemovePeer(peer));
    }
    let mut all: Vec<&mut Client> = clients.iter_mut().collect();
    drive(&mut node, &mut all, |_, clients| clients.iter().all(|client| client.closed));
    let (video, audio) = (node.video.clone(), node.audio.clone());
    drive(&mut node, &mut [], |_, _| video.readers() + audio.readers() == 0);
    assert!(!node.has(|event| matches!(event, NetEvent::Closed { .. })));
    assert_eq!(node.counters.strays_discarded.get(), 0);
}

#[test]
fn a_client_whose_address_changes_is_found_again() {
    let mut node = Node::with_workers(2);
    let (_, mut client) = node.join(ANNA);
    let strayed = node.counters.datagrams_strayed.get();
    for round in 0..16 {
        client.rebind();
        let text = format!("round {round}");
        client.say(&text);
        drive(&mut node, &mut [&mut client], |node, _| {
            node.has(|event| matches!(event, NetEvent::Signal { text: came, .. } if *came == text))
        });
        if node.counters.datagrams_strayed.get() > strayed + 1 {
            return;
        }
    }
    panic!("sixteen ports, and all of them came in at the same worker");
}

#[test]
fn a_peer_that_leaves_by_itself_is_forgotten_by_all() {
    let mut node = Node::with_workers(2);
    for n in 0..6 {
        let (peer, mut client) = node.join(ParticipantId(n));
        client.close();
        drive(&mut node, &mut [], |node, _| {
            node.has(|event| matches!(event, NetEvent::Closed { peer: gone, .. } if *gone == peer))
        });
        // It has no home any more, wherever it lived.
        node.command(NetCommand::Signal { peer, kind: WordKind::Welcome, text: "anybody there".into() });
    }
    let video = node.video.clone();
    drive(&mut node, &mut [], |_, _| video.readers() == 0);
}
