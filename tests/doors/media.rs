//! **The question:** what does it cost a call of five when a sixth one sends what nobody should? Bombs of resolution,
//! floods, codecs that change, keyframes that never come, clocks that jump, streams without number, strange sound:
//! each by a person of their own in the same room, one after the other.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::{Value, json};
use tessera::base::limits;
use tessera::base::media::{Codec, ComposedFrame, EncodedFrame, Pts, Size};
use tessera::engine::encode::{EncoderChoice, OpusEncoder, OpusEncoderConfig, VideoEncoderSetup, video_encoder};

use super::harness::{CALL, Siege, get, metric};
use super::sender::{Sender, Sent};
use crate::browser::node::Node;

/// Bytes that one sender may cost: a decoder's and the way's pictures of the largest size there is, twelve of them.
const SENDER_BYTES: u64 = limits::INGEST_PIXELS_MAX as u64 * 3 / 2 * 12;
/// Characters of one line of chat.
const HUGE: usize = 10_000_000;
/// 90 kHz, at 30 frames a second.
const FRAME: u32 = 3_000;

/// A keyframe and two that follow it, of shapes that move a little.
fn clip(codec: Codec, width: u32, height: u32) -> Vec<Arc<EncodedFrame>> {
    let size = Size::new(width, height);
    let setup = VideoEncoderSetup { codec, size, fps: 30, bitrate: 500_000, threads: 2 };
    let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
    let mut out = Vec::new();
    for n in 0..3_u8 {
        let samples = vec![90 + 8 * n; (width * height * 3 / 2) as usize];
        encoder.encode(&ComposedFrame::new(size, Pts(u64::from(n) * 33_333_333), samples), n == 0, &mut out).unwrap();
    }
    out.into_iter().map(Arc::new).collect()
}

/// A picture of the largest size that a camera has; encoding it takes both cores for a while.
static LARGE: LazyLock<Arc<EncodedFrame>> = LazyLock::new(|| clip(Codec::Vp8, 4_096, 2_160).swap_remove(0));

/// A keyframe that nobody encoded.
fn made(codec: Codec, data: impl Into<Bytes>) -> Arc<EncodedFrame> {
    Arc::new(EncodedFrame { codec, data: data.into(), pts: Pts(0), keyframe: true })
}

/// A picture of VP8 that says it is so large (RFC 6386 section 9.1), and nothing in it.
fn vp8_bomb(width: u16, height: u16) -> Arc<EncodedFrame> {
    let mut data = vec![0x10, 2, 0, 0x9d, 0x01, 0x2a];
    data.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
    data.extend([0; 40]);
    made(Codec::Vp8, data)
}

/// The same of H.264, its sides in macroblocks (ITU-T H.264 section 7.3.2.1.1): parameter sets and an IDR slice.
fn h264_bomb(columns: u32, rows: u32) -> Arc<EncodedFrame> {
    let (mut bits, one) = (String::new(), |text: &mut String, value: u32| {
        let code = format!("{:b}", value + 1);
        text.push_str(&"0".repeat(code.len() - 1));
        text.push_str(&code);
    });
    // Its id, log2_max_frame_num, the order of pictures by their decoding, one reference.
    [0, 0, 2, 1].into_iter().for_each(|value| one(&mut bits, value));
    bits.push('0');
    one(&mut bits, columns - 1);
    one(&mut bits, rows - 1);
    // Whole frames, direct_8x8_inference, neither cropped nor described further; then the stop bit.
    bits.push_str("11001");
    bits.push_str(&"0".repeat((8 - bits.len() % 8) % 8));
    let bytes = (0..bits.len()).step_by(8).map(|at| u8::from_str_radix(&bits[at..at + 8], 2).unwrap());
    let mut data = vec![0, 0, 0, 1, 0x67, 66, 0xc0, 52];
    data.extend(bytes);
    data.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0x88, 0x84, 0x21, 0xa0, 0x9f, 0x37]);
    made(Codec::H264, data)
}

/// An AV1 keyframe of 4100×2200 whose picture is real.
fn av1_bomb() -> Arc<EncodedFrame> {
    made(Codec::Av1, &include_bytes!("../../src/engine/decode/clips/too_large.ivf")[44..])
}

/// Somebody new joins the call, does something, and leaves.
fn joins(node: &Node, name: &str, does: impl FnOnce(&mut Sender)) {
    let mut sender = Sender::join(node, CALL, name);
    does(&mut sender);
    sender.leave();
    // The next one finds the room as this one did.
    crate::keepers::process::wait_until("they are gone", || people(node).iter().all(|person| person["name"] != name));
}

fn people(node: &Node) -> Vec<Value> {
    get(node, &format!("v1/rooms/{CALL}"))["participants"].as_array().cloned().unwrap_or_default()
}

/// Pictures that no decoder may touch are told to who sends them.
fn sends_bombs(node: &Node) {
    for (name, bomb) in [
        ("vp8", vp8_bomb(8_192, 8_192)),
        ("vp8-widest", vp8_bomb(16_383, 16)),
        ("h264", h264_bomb(512, 512)),
        ("av1", av1_bomb()),
    ] {
        joins(node, name, |sender| {
            let sent = |n: u32| Sent::picture(&bomb, n * FRAME);
            sender.sends(name, 30, sent, |sender| sender.was_told("not-shown", "pixels"));
        });
    }
}

/// Another size with each picture: each is shown, and what the ones before took is given back.
fn changes_sizes(node: &Node) {
    let sizes = [(64, 64), (1_280, 720), (16, 16), (1_920, 1_080), (96, 320), (320, 96)];
    for codec in [Codec::Vp8, Codec::H264, Codec::Av1] {
        let keyframes = sizes.map(|(width, height)| clip(codec, width, height).swap_remove(0));
        joins(node, &format!("sizes-{}", codec.name()), |sender| {
            let decoded = metric(node, "tessera_frames_decoded_total");
            let sent = |n: u32| Sent::picture(&keyframes[n as usize % keyframes.len()], n * FRAME);
            // Those of the five, and a hundred of its own.
            let mut looks = 0;
            sender.sends(&format!("{codec:?} in other sizes"), 30, sent, |_| {
                looks += 1;
                looks > 4 && metric(node, "tessera_frames_decoded_total") > decoded + 60
            });
        });
    }
}

/// Whatever is more than a camera or a screen sends is told, and not shown.
fn floods(node: &Node) {
    let small = clip(Codec::Vp8, 320, 180);
    let mut heavy = small[0].data.to_vec();
    heavy.resize(150_000, 0xa5);
    let heavy = made(Codec::Vp8, heavy);
    for (name, a_second, picture) in [("240-a-second", 240, &small[0]), ("36-mbps", 30, &heavy), ("4k-60", 60, &*LARGE)]
    {
        joins(node, name, |sender| {
            let over = metric(node, "tessera_tracks_over_total");
            let sent = |n: u32| Sent::picture(picture, n * 90_000 / a_second);
            sender.sends(name, a_second, sent, |sender| sender.was_told("not-shown", "Send less"));
            assert!(metric(node, "tessera_tracks_over_total") > over, "{name} is counted");
        });
    }
}

/// Codecs that change with every third picture: those that come too soon are left.
fn changes_codecs(node: &Node) {
    let clips = [Codec::Vp8, Codec::H264, Codec::Av1].map(|codec| clip(codec, 320, 180));
    joins(node, "codecs", |sender| {
        let sent = |n: u32| Sent::picture(&clips[n as usize / 3 % 3][n as usize % 3], n * FRAME);
        let mut looks = 0;
        sender.sends("codecs change", 30, sent, |_| {
            looks += 1;
            looks > 10
        });
        // Whoever then keeps to one is seen.
        let decoded = metric(node, "tessera_frames_in_total");
        let sent = |n: u32| Sent::picture(&clips[1][n as usize % 3], (10_000 + n) * FRAME);
        sender.sends("one codec is kept", 30, sent, |sender| {
            let id = sender.participant.clone();
            metric(node, "tessera_frames_in_total") > decoded + 60
                && people(node).iter().any(|person| person["id"] == json!(id) && person["camera"] == true)
        });
    });
}

/// Pictures that follow a keyframe that never came: it is asked for now and then, and nothing is decoded.
fn sends_no_keyframe(node: &Node) {
    let follows = &clip(Codec::Vp8, 320, 180)[1..];
    joins(node, "no-keyframe", |sender| {
        let begun = std::time::Instant::now();
        let sent = |n: u32| Sent::picture(&follows[n as usize % 2], n * FRAME);
        sender.sends("a keyframe is asked for", 30, sent, |sender| sender.keyframes_asked >= 3);
        let most = begun.elapsed().as_millis() / limits::KEYFRAME_RETRY.as_millis() + 2;
        assert!(u128::from(sender.keyframes_asked) <= most, "{} in {:?}", sender.keyframes_asked, begun.elapsed());
    });
}

/// Clocks that jump, numbers that jump, streams without number.
fn jumps(node: &Node) {
    let keyframe = &clip(Codec::Vp8, 320, 180)[0];
    let drawn = |n: u32| n.wrapping_add(1).wrapping_mul(0x9e37_79b9).rotate_left(n % 31);
    joins(node, "clocks", |sender| {
        let frames = metric(node, "tessera_frames_in_total");
        let sent = |n: u32| Sent::picture(keyframe, drawn(n));
        let mut looks = 0;
        sender.sends("times jump", 30, sent, |_| {
            looks += 1;
            looks > 4 && metric(node, "tessera_frames_in_total") > frames + 60
        });
    });
    joins(node, "numbers", |sender| {
        let gaps = metric(node, "tessera_gaps_skipped_total");
        let sent = |n: u32| {
            let step = u64::from(drawn(n) % 30_000 + 1);
            Sent::picture(keyframe, n * FRAME).into_iter().map(|packet| Sent { step, ..packet }).collect()
        };
        sender.sends("numbers jump", 30, sent, |_| metric(node, "tessera_gaps_skipped_total") > gaps + 20);
    });
    joins(node, "streams", |sender| {
        let sent = |n: u32| {
            let packet = |ssrc: u32| {
                let packets = Sent::picture(keyframe, n * FRAME).into_iter();
                packets.map(move |packet| Sent { ssrc: Some(ssrc), ..packet })
            };
            (0..10).flat_map(|k| packet(0x1000_0000 + n * 10 + k)).collect()
        };
        let (mut turns, begun) = (0, metric(node, "tessera_datagrams_in_total"));
        sender.sends("a thousand streams", 50, sent, |_| {
            turns += 1;
            turns > 7 && metric(node, "tessera_datagrams_in_total") > begun + 1_000
        });
    });
}

/// Sound in packets of 120 ms, in thousands of packets a second, and what is no sound at all.
fn sounds(node: &Node) {
    let mut encoder = OpusEncoder::new(OpusEncoderConfig::default()).unwrap();
    let block = tessera::base::media::PcmBlock::silence();
    let word = encoder.encode(&block, Pts(0)).unwrap().data.to_vec();
    // RFC 6716 section 3.2: six frames of 20 ms in one packet, each of the same length, in stereo.
    let (toc, frame) = (word[0] | 0x04 | 0x03, &word[1..]);
    let long: Vec<u8> = [toc, 6].into_iter().chain((0..6).flat_map(|_| frame.iter().copied())).collect();
    // 49 frames of 2.5 ms: more than a packet may last.
    let endless: Vec<u8> = [0xe0 | 0x07, 49].into_iter().chain([0x55; 98]).collect();
    let noise: Vec<u8> = (0..1_100_u32).map(|n| (n * 37 % 251) as u8).collect();
    // Nearly all bytes are Opus, whatever they sound like; of what is none, or too much, something is lost.
    for (name, a_second, times, packet, lost) in [
        ("long", 9, 1, &long, 0),
        ("endless", 50, 1, &endless, 30),
        ("noise", 50, 1, &noise, 0),
        ("flood", 250, 20, &word, 1_000),
    ] {
        joins(node, &format!("sound-{name}"), |sender| {
            let (begun, mut looks) = (unplayed(node), 0);
            let sent = |n: u32| (0..times).map(|k| Sent::sound(packet, (n * times + k) * 960)).collect();
            sender.sends(name, a_second, sent, |_| {
                looks += 1;
                looks > 3 && unplayed(node) >= begun + lost
            });
        });
    }
}

/// Packets of sound that the node counts as not played, whoever sent them.
fn unplayed(node: &Node) -> u64 {
    ["tessera_opus_discarded_total", "tessera_jitter_discarded_total", "tessera_opus_malformed_total"]
        .map(|name| metric(node, name))
        .iter()
        .sum()
}

/// A text that is too long is answered; one that is longer than any message may be, which no browser would send, costs
/// its sender the channel and nobody else a word.
fn says_too_much(node: &Node) {
    let mut reader = Sender::join(node, CALL, "reader");
    joins(node, "long", |sender| {
        let text = "<b>much</b>".repeat(5_000);
        assert!(sender.say("chat", json!({ "text": text })));
        sender.until("it is told", |sender| sender.was_told("bad-message", "characters at most"));
        for length in [limits::SIGNAL_LEN_MAX + 50_000, HUGE] {
            assert!(sender.say("chat", json!({ "text": "x".repeat(length) })), "{length}");
        }
        let mut looks = 0;
        sender.until("it is sent", |_| {
            looks += 1;
            looks > 4
        });
    });
    assert!(reader.say("chat", json!({ "text": "<i>seen</i>" })));
    reader.until("the chat goes on", |reader| {
        reader.last("chat").is_some_and(|chat| chat["lines"][0]["text"] == "<i>seen</i>")
    });
    reader.leave();
}

#[test]
fn what_nobody_should_send_costs_its_sender_and_nobody_else() {
    LazyLock::force(&LARGE);
    let siege = Siege::begin(&[], "");
    let node = &siege.node;
    for (name, does) in [
        ("bombs", sends_bombs as fn(&Node)),
        ("sizes", changes_sizes),
        ("codecs", changes_codecs),
        ("no keyframes", sends_no_keyframe),
        ("jumps", jumps),
        ("sounds", sounds),
        ("words", says_too_much),
        ("floods", floods),
    ] {
        let begun = std::time::Instant::now();
        does(node);
        println!("{name} took {:.1} s, ticks lost so far: {:?}", begun.elapsed().as_secs_f64(), siege.lost());
        siege.rose_by_at_most(SENDER_BYTES);
    }
    for name in ["threads_failed", "rooms_failed", "decoder_tracks_refused"] {
        assert_eq!(metric(node, &format!("tessera_{name}_total")), 0, "{name}");
    }
    Sender::join(node, "other", "Ada").leave();
    let report = siege.end_of_work();
    assert_eq!((report.participants.connected, report.participants.seen), (5, 5), "{report:?}");
    assert!(report.decoders[0].longest_picture_gap_ms < 20_000.0, "{report:?}");
    println!("{report}");
}
