//! Legs in virtual time: what they take, what they send, and what hostile ones cannot do.

use std::time::Duration;

use super::*;
use crate::base::media::{PcmBlock, TrackId, TrackKind};
use crate::engine::audio::{RoomSound, SoundConfig, SoundCounters};
use crate::engine::decode::G711Decoder;
use crate::engine::encode::{OpusEncoder, OpusEncoderConfig};
use crate::engine::flow::{PlayoutCell, opus_queue};

const HERE: &str = "127.0.0.1:5000";
const OWN: ParticipantId = ParticipantId(7);

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn line(codec: LegCodec, ptime: u8) -> (Leg, LegCounters) {
    let counters = LegCounters::default();
    let setup = LegSetup::new(codec, None, None, Some(ptime), None).expect("it can be");
    let random = 0x1234_5678_ffff_ff00;
    (
        Leg::new(
            Instant::now(),
            setup,
            OWN,
            LegNetworks::default(),
            random,
            [counters.clone(), LegCounters::default()],
        ),
        counters,
    )
}

fn packet(payload_type: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    RtpPacket { payload_type, marker: false, sequence, timestamp, ssrc: 99, payload }.write()
}

/// A tick whose mix is a tone of 1 kHz, and 2 kHz for the leg itself.
struct Ticks {
    encoders: [OpusEncoder; 2],
    number: u64,
}

impl Ticks {
    fn new() -> Self {
        Self { encoders: [(); 2].map(|()| OpusEncoder::new(OpusEncoderConfig::default()).unwrap()), number: 0 }
    }

    fn next(&mut self, silent: bool) -> MixTick {
        let pts = Pts(self.number * 20_000_000);
        let begin = self.number as usize * limits::PCM_FRAMES;
        let [shared, own] = [1_000.0, 2_000.0].map(|hz: f32| {
            let mut block = PcmBlock::silence();
            for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
                let at = ((begin + n) % 48_000) as f32 / 48_000.0;
                pair.fill((at * hz * std::f32::consts::TAU).sin() * 0.3);
            }
            block
        });
        let shared = self.encoders[0].encode(&shared, pts).unwrap();
        let own = self.encoders[1].encode(&own, pts).unwrap();
        self.number += 1;
        MixTick { pts, wallclock: Wallclock(pts.0), shared, silent, minus: vec![(OWN, own)], redacted: None }
    }
}

#[test]
fn setups_that_cannot_be_are_refused() {
    let setup = |codec, payload_type, events, ptime| LegSetup::new(codec, payload_type, events, ptime, None);
    let usual = setup(LegCodec::Pcma, None, None, None).unwrap();
    assert_eq!((usual.payload_type, usual.event_type, usual.blocks), (8, 101, 1));
    assert_eq!(setup(LegCodec::Opus, Some(101), None, None).unwrap().event_type, 100);
    for number in [64, 95, 128, 255] {
        assert_eq!(setup(LegCodec::Pcmu, Some(number), None, None), Err(LegSetupError::PayloadType));
    }
    assert_eq!(setup(LegCodec::Pcmu, Some(101), Some(101), None), Err(LegSetupError::PayloadType));
    assert_eq!(setup(LegCodec::Pcmu, None, None, Some(30)), Err(LegSetupError::Ptime));
    assert_eq!(setup(LegCodec::Opus, None, None, Some(40)), Err(LegSetupError::Ptime));
}

#[test]
fn a_voice_comes_in_at_48_khz_and_what_is_not_the_legs_is_counted() {
    let now = Instant::now();
    let (mut line, counters) = line(LegCodec::Pcmu, 20);
    let sound = [0xff; 160];
    let first = line.receive(now, address(HERE), &packet(0, 65_535, u32::MAX - 79, &sound)).unwrap();
    let second = line.receive(now, address(HERE), &packet(0, 0, 80, &sound)).unwrap();
    assert_eq!(second.sequence_first - first.sequence_first, 1);
    assert_eq!(second.rtp_time - first.rtp_time, 960);
    assert_eq!(line.remote(), Some(address(HERE)), "its first packet says where it is");
    let event = packet(101, 1, 240, &[1, 0, 0, 160]);
    for (from, datagram) in [
        ("127.0.0.1:5001", packet(0, 1, 240, &sound)),
        (HERE, packet(8, 1, 240, &sound)),
        (HERE, packet(0, 1, 240, &[])),
        (HERE, packet(0, 1, 240, &[0; 961])),
        (HERE, vec![0x80]),
        (HERE, vec![]),
    ] {
        assert!(line.receive(now, address(from), &datagram).is_none(), "{from} {}", datagram.len());
    }
    assert!(line.receive(now, address(HERE), &event).is_none());
    assert_eq!((counters.packets_in.get(), counters.datagrams_refused.get(), counters.events.get()), (2, 6, 1));
    assert_eq!(line.silent_at(), now + limits::LEG_SILENT_SPAN);
}

#[test]
fn g711_goes_out_without_a_hole_and_without_the_own_voice() {
    for (codec, law, ptime) in [(LegCodec::Pcmu, Law::Mu, 20), (LegCodec::Pcma, Law::A, 60)] {
        let (mut line, counters) = line(codec, ptime);
        let (mut ticks, mut out) = (Ticks::new(), Outbox::new());
        line.hear(&ticks.next(false), false, &mut out);
        assert!(out.drain().next().is_none(), "nobody knows where it is");
        let payload_type = codec.usual_payload_type();
        line.receive(Instant::now(), address(HERE), &packet(payload_type, 0, 0, &[0xff; 160])).unwrap();
        let (mut line, mut sound, mut last) = (line, Vec::<f32>::new(), None);
        let mut decoder = G711Decoder::new();
        for n in 0..60 {
            line.hear(&ticks.next(n > 30), false, &mut out);
            for datagram in out.drain() {
                let packet = RtpPacket::parse(&datagram).unwrap();
                let length = usize::from(ptime) * 8;
                assert_eq!((packet.payload.len(), packet.payload_type), (length, payload_type));
                if let Some((sequence, timestamp)) = last {
                    let length = u32::from(ptime) * 8;
                    let expected: (u16, u32) = (u16::wrapping_add(sequence, 1), u32::wrapping_add(timestamp, length));
                    assert_eq!((packet.sequence, packet.timestamp), expected);
                }
                assert_eq!(packet.marker, last.is_none(), "silence is sent, so one talk spurt is all there is");
                last = Some((packet.sequence, packet.timestamp));
                sound.extend(decoder.decode(law, packet.payload).iter().step_by(2));
            }
        }
        assert!(counters.packets_out.get() >= 19);
        let power = |hz: f32| {
            let steady = &sound[9_600..48_000];
            let (mut re, mut im) = (0.0_f32, 0.0_f32);
            for (n, sample) in steady.iter().enumerate() {
                let (sin, cos) = (n as f32 / 48_000.0 * hz * std::f32::consts::TAU).sin_cos();
                (re, im) = (re + sample * cos, im + sample * sin);
            }
            (re * re + im * im).sqrt() * 2.0 / steady.len() as f32
        };
        // The mix-minus is the 2 kHz tone; the shared mix, which has the leg's own voice in it, the other.
        assert!((power(2_000.0) - 0.3).abs() < 0.02, "{}", power(2_000.0));
        assert!(power(1_000.0) < 0.001, "{}", power(1_000.0));
    }
}

#[test]
fn opus_pauses_in_silence_and_marks_the_next_word() {
    let (mut line, _) = line(LegCodec::Opus, 20);
    line.receive(Instant::now(), address(HERE), &packet(111, 0, 0, &[0xf8, 1, 2])).unwrap();
    let (mut ticks, mut out) = (Ticks::new(), Outbox::new());
    let mut sent = Vec::new();
    for n in 0..60_u64 {
        line.hear(&ticks.next((21..50).contains(&n)), n == 55, &mut out);
        sent.extend(out.drain().map(|datagram| {
            let packet = RtpPacket::parse(&datagram).unwrap();
            (n, packet.marker, packet.timestamp)
        }));
    }
    let marked: Vec<_> = sent.iter().filter(|(_, marker, _)| *marker).map(|(n, ..)| *n).collect();
    assert_eq!(marked, [0, 40, 50, 55], "the first, one in the silence, the next word, and after a gap");
    assert_eq!(sent.len(), 21 + 1 + 10);
    assert!(sent.windows(2).all(|pair| {
        u64::from(pair[1].2.wrapping_sub(pair[0].2)) == (pair[1].0 - pair[0].0) * limits::PCM_FRAMES as u64
    }));
}

#[test]
fn reports_come_every_five_seconds() {
    let (mut line, _) = line(LegCodec::Pcmu, 20);
    let mut out = Outbox::new();
    line.receive(Instant::now(), address(HERE), &packet(0, 0, 0, &[0xff; 160])).unwrap();
    line.hear(&Ticks::new().next(false), false, &mut out);
    out.drain();
    let due = line.report_due();
    line.report(due - Duration::from_millis(1), &mut out);
    assert!(out.as_slice().is_empty());
    line.report(due, &mut out);
    let report = out.drain().next().unwrap();
    assert!(packet::is_report(&report));
    assert_eq!(report[0] & 0x1f, 1, "it tells of the voice");
    assert_eq!(line.report_due(), due + limits::LEG_REPORT_INTERVAL);
}

struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        // splitmix64 (Steele, Lea and Flood, 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.bits() % bound
    }
}

/// A sender of anything, through the leg into a room's sound.
fn random_leg(seed: u64) {
    let mut random = Random(seed);
    let codec = [LegCodec::Pcmu, LegCodec::Pcma, LegCodec::Opus][random.below(3) as usize];
    let (mut line, counters) = line(codec, 20);
    let mut room = RoomSound::new(SoundConfig::default(), SoundCounters::default()).unwrap();
    let (mut sink, receiver) = opus_queue(Counter::default());
    room.add_voice(TrackId { participant: OWN, kind: TrackKind::Microphone }, receiver, PlayoutCell::default());
    let (begin, mut out, mut sent) = (Instant::now(), Outbox::new(), 0);
    let (mut sequence, mut timestamp, mut ssrc) = (random.bits() as u16, random.bits() as u32, 1);
    for n in 0..150_u32 {
        let now = begin + limits::AUDIO_TICK * n;
        for _ in 0..random.below(4) {
            match random.below(30) {
                0 => sequence = random.bits() as u16,
                1 => timestamp = random.bits() as u32,
                2 => ssrc = random.below(3) as u32,
                _ => {}
            }
            sequence = sequence.wrapping_add(1);
            timestamp = timestamp.wrapping_add(160);
            let length = [160, random.below(1_400) as usize][usize::from(random.below(3) == 0)];
            let payload: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
            let payload_type = [codec.usual_payload_type(), 101, 13][(random.below(12) as usize).min(2) % 3];
            let mut datagram =
                RtpPacket { payload_type, marker: false, sequence, timestamp, ssrc, payload: &payload }.write();
            if random.below(3) == 0 {
                let at = random.below(16.min(datagram.len() as u64)) as usize;
                datagram[at] = random.bits() as u8;
            }
            datagram.truncate(random.below(2 * datagram.len() as u64) as usize);
            sent += 1;
            if let Some(packet) = line.receive(now, address(HERE), &datagram) {
                sink.push(packet);
            }
        }
        let tick = room.tick(now, Pts(u64::from(n) * 20_000_000), Wallclock(0));
        line.hear(&tick, random.below(9) == 0, &mut out);
        line.report(now, &mut out);
        out.drain();
    }
    let told = counters.packets_in.get() + counters.datagrams_refused.get() + counters.events.get();
    assert!(told > 0 && told <= sent, "seed {seed}: {told} of {sent}; reports are the rest");
}

#[test]
fn random_senders_of_plain_rtp_break_nothing() {
    let begin = Instant::now();
    let span = std::env::var("TESSERA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let mut seed = 0;
    while seed < 20 || span.is_some_and(|span| begin.elapsed() < span) {
        random_leg(seed);
        seed += 1;
    }
    println!("{seed} random senders of plain RTP");
}

#[test]
fn nothing_goes_where_nothing_came_from_nor_outside_the_networks() {
    let (now, sound) = (Instant::now(), packet(111, 0, 0, &[0x78; 20]));
    let setup = LegSetup::new(LegCodec::Opus, None, None, None, Some(address(HERE))).expect("it can be");
    let counters = [(); 2].map(|()| LegCounters::default());
    let mut named = Leg::new(now, setup, OWN, LegNetworks::default(), 7, counters);
    let (mut ticks, mut out) = (Ticks::new(), Outbox::new());
    (0..10).for_each(|_| named.hear(&ticks.next(false), false, &mut out));
    named.report(now + limits::LEG_REPORT_INTERVAL, &mut out);
    assert_eq!((out.is_empty(), named.remote()), (true, None), "anybody's address can be named");
    named.receive(now, address(HERE), &sound).expect("it is heard");
    named.hear(&ticks.next(false), false, &mut out);
    assert_eq!((out.drain().count(), named.remote()), (1, Some(address(HERE))));
    let (mut open, counters) = line(LegCodec::Opus, 20);
    assert!(open.receive(now, address("192.0.2.1:5000"), &sound).is_none(), "of a network that nobody configured");
    assert_eq!((counters.datagrams_refused.get(), open.remote()), (1, None));
}
