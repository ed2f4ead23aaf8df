//! Clients that name neither their SSRCs nor their mids, and those whose keyframe comes before anybody listens.

use super::*;

/// The offer without what says where packets belong but their payload types.
fn unnamed(offer: &str) -> String {
    let says = |line: &&str| line.starts_with("a=ssrc") || line.contains("sdes:mid") || line.starts_with("a=msid");
    offer.lines().filter(|line| !says(line)).flat_map(|line| [line, "\r\n"]).collect()
}

#[test]
fn case_56_demux_by_payload_type_where_nothing_else_says_it() {
    let mut node = Node::start();
    let mut client = Client::new();
    let offer = unnamed(&client.participant_offer());
    let (_, answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
    assert!(!answer.contains("sdes:mid"), "{answer}");
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].connected);
    let mut n = 0;
    let started = |node: &mut Node, wanted: TrackKind| {
        node.has(|event| matches!(event, NetEvent::TrackStarted { kind, .. } if *kind == wanted))
    };
    let end = Instant::now() + PATIENCE;
    while !(started(&mut node, TrackKind::Camera) && started(&mut node, TrackKind::Microphone)) {
        assert!(Instant::now() < end, "neither picture nor sound was sorted");
        client.send_picture(0, &picture(n, n == 0), u32::try_from(n).unwrap() * 3000);
        client.send_sound(1, &[1, 2, 3, 4], u32::try_from(n).unwrap() * 960);
        client.step(Duration::from_millis(5));
        n += 1;
    }
}

#[test]
fn case_49_first_keyframe_reaches_a_decoder_that_is_attached_later() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    client.send_picture(0, &picture(0, true), 0);
    client.send_picture(0, &picture(1, false), 3000);
    drive(&mut node, &mut [&mut client], |node, _| node.counters.frames_in.get() == 2);
    let keyframe_requests = KeyframeRequest::new(node.waker.clone(), Counter::default());
    let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
    node.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
    let mut came = Vec::new();
    drive(&mut node, &mut [&mut client], |_, _| {
        came.extend(std::iter::from_fn(|| frames.pop()));
        came.len() == 2
    });
    assert!(came[0].keyframe && came[0].data == picture(0, true).data);
    assert!(client.keyframe_requests.is_empty(), "there is nothing to ask for");
}
