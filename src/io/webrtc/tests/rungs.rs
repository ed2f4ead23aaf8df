//! **The question:** does each viewer get its own rung, and is a rung read only while somebody watches it?

use str0m::format::Codec as WireCodec;

use super::*;
use crate::base::media::rtp_from_pts;
use crate::core::ladder::LinkVerdict;

const LARGE: RungId = RungId(7);

/// A picture of the large rung: as `picture`, but never of the same bytes.
fn large(n: u64, keyframe: bool) -> Arc<EncodedFrame> {
    let frame = unit(keyframe, 3_000, u8::try_from(n % 256).unwrap());
    Arc::new(EncodedFrame { pts: pts_from_tick(n, 30), ..(*frame).clone() })
}

/// Until a fan has so many readers.
fn read_by(node: &mut Node, fan: &Fan<EncodedFrame>, readers: usize) {
    drive(node, &mut [], |_, _| fan.readers() == readers);
}

#[test]
fn each_viewer_gets_its_own_rung_and_nothing_of_the_other() {
    let mut node = Node::start();
    let (video, requests) =
        (Fan::new(Counter::default()), KeyframeRequest::new(node.waker.clone(), Counter::default()));
    node.add_rung(LARGE, &video, &requests);
    let (_, mut small) = node.watch();
    assert_eq!((node.video.readers(), video.readers()), (1, 0), "nobody watches the large one");
    let (peer, mut other) = node.watch_rung(Some(LARGE));
    assert_eq!((node.video.readers(), video.readers()), (1, 1));
    let (mut sent, mut sent_large) = (Vec::new(), Vec::new());
    for n in 0..10 {
        sent.push(node.publish(n, n == 0));
        sent_large.push(large(n, n == 0));
        video.publish(&sent_large[sent_large.len() - 1]);
    }
    drive(&mut node, &mut [&mut small, &mut other], |_, clients| clients.iter().all(|c| c.pictures.len() == 10));
    assert!(small.pictures.iter().zip(&sent).all(|(came, sent)| came.data == sent.data));
    assert!(other.pictures.iter().zip(&sent_large).all(|(came, sent)| came.data == sent.data));
    node.command(NetCommand::RemovePeer(peer));
    read_by(&mut node, &video, 0);
    assert_eq!(node.video.readers(), 1);
}

#[test]
fn a_rung_of_another_codec_goes_on_in_the_same_stream_under_its_own_payload_type() {
    let mut node = Node::start();
    let (video, requests) =
        (Fan::new(Counter::default()), KeyframeRequest::new(node.waker.clone(), Counter::default()));
    let (peer, mut client) = node.watch();
    node.publish(0, true);
    node.publish(1, false);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 2);
    node.add_rung(LARGE, &video, &requests);
    node.command(NetCommand::WatchRung { peer, rung: LARGE, at_once: false });
    drive(&mut node, &mut [&mut client], |_, _| requests.take_keyframe());
    let before = client.headers.len();
    // NAL units that are long enough not to be taken for sound here.
    let unit = |n: u64, kinds: &[u8]| EncodedFrame {
        codec: Codec::H264,
        data: kinds.iter().flat_map(|kind| [&[0, 0, 0, 1, *kind][..], &[7; 12]].concat()).collect(),
        pts: pts_from_tick(n, 30),
        keyframe: n == 2,
    };
    video.publish(&Arc::new(unit(2, &[0x67, 0x68, 0x65])));
    video.publish(&Arc::new(unit(3, &[0x61])));
    drive(&mut node, &mut [&mut client], |_, clients| {
        clients[0].headers.last().is_some_and(|(.., time)| *time == rtp_from_pts(pts_from_tick(3, 30), 90_000) as u32)
    });
    let codec = |pt: u8| {
        let params = client.rtc.codec_config().params();
        params.iter().find(|one| *one.pt() == pt).map(|one| one.spec().codec)
    };
    let [old, new] = [client.headers[before - 1], client.headers[before]];
    assert_eq!([codec(old.0), codec(new.0)], [Some(WireCodec::Av1), Some(WireCodec::H264)]);
    assert_eq!((new.1, new.2), (old.1, old.2 + 1), "one source, one run of numbers");
    let numbers = client.headers.iter().map(|(_, _, number, _)| *number);
    assert!(numbers.collect::<Vec<_>>().is_sorted_by(|a, b| a + 1 == *b));
    assert!(client.headers.is_sorted_by_key(|(.., time)| *time));
}

/// Shows a viewer pictures until something is told of their link; which of them were shown.
fn show_until(node: &mut Node, client: &mut Client, from: u64, told: impl Fn(&NetEvent) -> bool) -> u64 {
    let (mut n, end) = (from, Instant::now() + PATIENCE);
    while !node.has(&told) {
        assert!(Instant::now() < end, "it was never told");
        node.publish(n, n.is_multiple_of(30));
        n += 1;
        let due = Instant::now() + Duration::from_millis(10);
        while Instant::now() < due {
            client.step(Duration::from_millis(1));
        }
    }
    n
}

#[test]
fn what_a_viewer_loses_is_told_by_their_feedback_and_so_is_when_they_lose_nothing_more() {
    let mut node = Node::start();
    let (peer, mut client) = node.watch();
    client.loss = 60;
    let shown = show_until(&mut node, &mut client, 0, |event| {
        let NetEvent::Link { peer: of, verdict: LinkVerdict::Congested { arrives, .. } } = event else { return false };
        *of == peer && (0.1..0.75).contains(arrives)
    });
    client.loss = 0;
    show_until(
        &mut node,
        &mut client,
        shown,
        |event| matches!(event, NetEvent::Link { peer: of, verdict: LinkVerdict::Clear } if *of == peer),
    );
}

#[test]
fn a_viewer_changes_at_a_keyframe_and_keeps_its_rung_until_then() {
    let mut node = Node::start();
    let (video, requests) =
        (Fan::new(Counter::default()), KeyframeRequest::new(node.waker.clone(), Counter::default()));
    let (peer, mut client) = node.watch();
    node.publish(0, true);
    node.publish(1, false);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 2);
    let _ = node.rung.take_keyframe();
    // Chosen before it is there.
    node.command(NetCommand::WatchRung { peer, rung: LARGE, at_once: false });
    node.add_rung(LARGE, &video, &requests);
    drive(&mut node, &mut [&mut client], |_, _| requests.take_keyframe());
    assert_eq!((node.video.readers(), video.readers()), (1, 1));
    let old = node.publish(2, false);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 3);
    assert_eq!(client.pictures[2].data, old.data);
    // The keyframe is of a tick that was sent already: its time still follows the one before.
    let new = [large(2, true), large(3, false)];
    new.iter().for_each(|frame| video.publish(frame));
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 5);
    assert!(client.pictures.iter().skip(3).zip(&new).all(|(came, sent)| came.data == sent.data));
    let times: Vec<u64> = client.pictures.iter().map(|frame| frame.rtp_time).collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(!node.rung.take_keyframe(), "the rung that it left is not asked");
    let fan = node.video.clone();
    read_by(&mut node, &fan, 0);
    // A rung that ends takes nobody with it.
    node.command(NetCommand::RemoveRung { room: node.room.clone(), rung: LARGE });
    read_by(&mut node, &video, 0);
    node.command(NetCommand::WatchRung { peer, rung: RUNG, at_once: false });
    drive(&mut node, &mut [&mut client], |node, _| node.rung.take_keyframe());
    let last = node.publish(9, true);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].pictures.len() == 6);
    assert_eq!(client.pictures[5].data, last.data);
}

#[test]
fn who_chose_no_rung_only_listens() {
    let mut node = Node::start();
    let (_, mut client) = node.watch_rung(None);
    assert_eq!((node.video.readers(), node.audio.readers()), (0, 1), "it listens all the same");
    node.publish(0, true);
    let pts = pts_from_tick(1, 50);
    let shared = sound(b"all", pts);
    let tick = MixTick { pts, wallclock: Wallclock(0), shared, silent: false, minus: Vec::new(), redacted: None };
    node.audio.publish(&Arc::new(tick));
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].sounds.len() == 1);
    assert!(client.pictures.is_empty());
}
