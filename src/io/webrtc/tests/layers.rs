//! **The question:** is the layer taken that fits the tile, are senders told what they may send, and what becomes of
//! those who send too much, or otherwise than they began?

use super::*;
use crate::base::media::Size;
use crate::core::ladder::SendTarget;
use crate::engine::flow::TrackReceiver;

const LAYERS: [(&str, u32, u32); 3] = [("l", 320, 180), ("m", 640, 360), ("h", 1280, 720)];

/// A VP8 picture in one payload (RFC 7741): the size stands in keyframes alone.
fn vp8(keyframe: bool, (width, height): (u32, u32)) -> Vec<u8> {
    let mut payload = vec![0x10, u8::from(!keyframe), 2, 0];
    if keyframe {
        payload.extend([0x9d, 0x01, 0x2a]);
        for side in [width, height] {
            payload.extend(u16::try_from(side).unwrap().to_le_bytes());
        }
    }
    payload.extend([7; 40]);
    payload
}

fn target(width: u32, height: u32, bitrate: u32) -> SendTarget {
    SendTarget { size: Size::new(width, height), fps: 30, bitrate }
}

impl Node {
    /// Attaches the camera that began.
    fn attach(&mut self, peer: PeerId) -> TrackReceiver {
        let (sink, frames) = flow::track_queue(Waker::new().unwrap(), Counter::default());
        let keyframe_requests = KeyframeRequest::new(self.waker.clone(), Counter::default());
        self.command(NetCommand::AttachVideo { peer, kind: TrackKind::Camera, sink, keyframe_requests });
        frames
    }

    fn aim(&self, peer: PeerId, target: SendTarget) {
        self.command(NetCommand::Aim { peer, kind: TrackKind::Camera, target });
    }
}

/// A camera in three layers: each answers requests with a keyframe.
struct Layered {
    client: Client,
    ticks: u32,
    /// The layer of which nothing comes.
    dry: &'static str,
}

impl Layered {
    fn tick(&mut self) {
        for (at, (rid, width, height)) in LAYERS.into_iter().enumerate() {
            let asked = self.client.layer_requests.iter().position(|asked| *asked == rid.into());
            asked.map(|at| self.client.layer_requests.swap_remove(at));
            if rid == self.dry {
                // Its encoder rests, and the path is probed by it all the same.
                self.client.send_vp8(0, Some(rid), Vec::new(), self.ticks * 3_000);
                continue;
            }
            // Each layer counts from a number of its own.
            let time = u32::try_from(at).unwrap() * 1_000_000 + self.ticks * 3_000;
            self.client.send_vp8(0, Some(rid), vp8(self.ticks == 0 || asked.is_some(), (width, height)), time);
        }
        self.ticks += 1;
        self.client.step(Duration::from_millis(10));
    }
}

#[test]
fn the_layer_that_fits_the_tile_is_handed_on_and_nobody_notices_the_change() {
    let mut node = Node::start();
    let mut client = Client::new();
    let offer = client.layers_offer(&LAYERS.map(|(rid, ..)| rid));
    let (peer, answer) = node.answer(PeerRole::Participant(ANNA), &offer).unwrap();
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].connected);
    let mut layered = Layered { client, ticks: 0, dry: "" };
    let end = Instant::now() + PATIENCE;
    let started = |event: &NetEvent| matches!(event, NetEvent::TrackStarted { .. });
    while !node.has(started) {
        assert!(Instant::now() < end, "it never began");
        layered.tick();
    }
    let frames = node.attach(peer);
    let mut last = (0, 0);
    for (wanted, size, dry) in [
        ("h", (1280, 720), ""),
        ("l", (320, 180), ""),
        ("m", (480, 270), ""),
        ("h", (2560, 1440), ""),
        ("m", (2560, 1440), "h"),
    ] {
        layered.dry = dry;
        node.aim(peer, target(size.0, size.1, 1_000_000));
        let mut came = Vec::new();
        // Some frames of it in a row.
        while came.iter().filter(|rid| *rid == wanted).count() < 5 {
            assert!(Instant::now() < end, "layer {wanted} never came: {came:?}");
            layered.tick();
            while let Some(frame) = frames.pop() {
                let rid = frame.rid.expect("it is a layer's");
                came.push(String::from_utf8(rid.to_vec()).unwrap().trim_end_matches('\0').to_owned());
                assert!(last < (frame.sequence_first, frame.rtp_time) && last.1 < frame.rtp_time, "one timeline");
                assert!(last.1 == 0 || frame.rtp_time - last.1 < 3 * 90_000, "without a leap");
                last = (frame.sequence_last, frame.rtp_time);
            }
        }
        let first = came.iter().position(|rid| rid == wanted).unwrap();
        assert!(came[first..].iter().all(|rid| rid == wanted), "it stays: {came:?}");
    }
}

#[test]
fn a_sender_without_words_is_told_its_limit_in_rtcp() {
    let mut node = Node::start();
    let mut client = Client::new();
    let offer = client.offer(&[(MediaKind::Video, Direction::SendOnly)], false);
    let (peer, answer) = node.answer(PeerRole::Publisher(ANNA), &offer).unwrap();
    assert!(answer.contains(" goog-remb"), "{answer}");
    client.accept(&answer);
    drive(&mut node, &mut [&mut client], |_, clients| clients[0].connected);
    let _frames = node.attach(peer);
    for (bitrate, least, most) in [(1_600_000, 1_600_000, 2_500_000), (200_000, 200_000, 400_000)] {
        node.aim(peer, target(1280, 720, bitrate));
        let (end, mut n) = (Instant::now() + PATIENCE, 0);
        while !client.limits.last().is_some_and(|limit| (least..most).contains(limit)) {
            assert!(Instant::now() < end, "it was told {:?}", client.limits);
            client.send_vp8(0, None, vp8(n == 0, (320, 180)), n * 3_000);
            n += 1;
            client.step(Duration::from_millis(10));
        }
    }
}

#[test]
fn who_floods_is_not_shown_until_it_sends_less_and_another_is_undisturbed() {
    let mut node = Node::start();
    let ((flooding, mut client), (other, mut quiet)) = (node.join(ANNA), node.join(BERT));
    let (frames, others) = (node.attach(flooding), node.attach(other));
    let is = |event: &NetEvent, over: bool| match event {
        NetEvent::Excess { peer, is_over, .. } => *peer == flooding && *is_over == over,
        _ => false,
    };
    let (end, mut n) = (Instant::now() + PATIENCE, 0);
    while !node.has(|event| is(event, true)) {
        assert!(Instant::now() < end, "nobody minds");
        for _ in 0..20 {
            client.send_vp8(0, None, vp8(n % 100 == 0, (320, 180)), n * 375);
            n += 1;
        }
        client.step(Duration::from_millis(1));
        while frames.pop().is_some() {}
    }
    assert_eq!(node.counters.tracks_over.get(), 1);
    quiet.send_vp8(0, None, vp8(true, (320, 180)), 0);
    drive(&mut node, &mut [&mut client, &mut quiet], |_, _| others.pop().is_some());
    // Nothing of it is taken any more, not even keyframes.
    client.send_vp8(0, None, vp8(true, (320, 180)), n * 375);
    client.keyframe_requests.clear();
    while !node.has(|event| is(event, false)) {
        assert!(Instant::now() < end, "it is never shown again");
        n += 8;
        let asked = !std::mem::take(&mut client.keyframe_requests).is_empty();
        client.send_vp8(0, None, vp8(asked, (320, 180)), n * 375);
        client.step(Duration::from_millis(33));
    }
    drive(&mut node, &mut [&mut client], |_, _| frames.pop().is_some_and(|frame| frame.keyframe));
}

#[test]
fn a_codec_that_changes_in_a_call_begins_the_track_anew() {
    let mut node = Node::start();
    let (peer, mut client) = node.join(ANNA);
    let began = |node: &mut Node, wanted: Codec| {
        node.has(|event| matches!(event, NetEvent::TrackStarted { codec, .. } if *codec == wanted))
    };
    let end = Instant::now() + PATIENCE;
    let mut n = 0;
    while !began(&mut node, Codec::Vp8) {
        assert!(Instant::now() < end);
        client.send_vp8(0, None, vp8(n == 0, (320, 180)), n * 3_000);
        n += 1;
        client.step(Duration::from_millis(5));
    }
    let _frames = node.attach(peer);
    while !began(&mut node, Codec::Av1) {
        assert!(Instant::now() < end, "the new codec is never taken");
        client.send_picture(0, &picture(u64::from(n), true), n * 3_000);
        n += 1;
        client.step(Duration::from_millis(33));
    }
    assert!(node.has(|event| matches!(event, NetEvent::TrackEnded { .. })), "the old one ended");
    let frames = node.attach(peer);
    client.send_picture(0, &picture(u64::from(n), true), n * 3_000);
    drive(&mut node, &mut [&mut client], |_, _| frames.pop().is_some_and(|frame| frame.codec == Codec::Av1));
}
