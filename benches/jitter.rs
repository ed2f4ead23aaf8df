//! What does a frame cost in a jitter buffer? A video frame in and out, an Opus packet in and its tick, on a calm and
//! on a bad network, and a stretch of a tick's sound.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::limits;
use tessera::base::media::{AudioLevel, Codec, Outbox, ReceivedFrame};
use tessera::core::jitter::{AudioInput, AudioJitter, Likeness, Stretcher, VideoInput, VideoJitter};

fn frame(codec: Codec, n: u64, rtp_time: u64, arrival: Instant) -> ReceivedFrame {
    // One Opus frame of 20 ms; nobody reads it as AV1 here.
    let data = Bytes::from_static(&[31 << 3; 60]);
    let whole = ReceivedFrame::of_one_packet(codec, data, n, rtp_time, arrival);
    ReceivedFrame { keyframe: n == 0 || codec == Codec::Opus, audio_level: Some(AudioLevel(20)), ..whole }
}

fn video(criterion: &mut Criterion) {
    let start = Instant::now();
    let (mut jitter, mut out, mut n) = (VideoJitter::new(), Outbox::new(), 0_u64);
    jitter.handle(start, VideoInput::Delay(Duration::from_millis(10)), &mut out);
    criterion.bench_function("jitter/video/frame", |bencher| {
        bencher.iter(|| {
            let now = start + Duration::from_micros(n * 33_333 + n % 7 * 500);
            jitter.handle(now, VideoInput::Frame(frame(Codec::Av1, n, n * 3000, now)), &mut out);
            n += 1;
            black_box(out.drain().count())
        });
    });
    assert_eq!(jitter.stats().discarded, 0, "the bench measures the usual path");
}

fn audio(criterion: &mut Criterion) {
    let start = Instant::now();
    let (mut jitter, mut out, mut n) = (AudioJitter::new(), Outbox::new(), 0_u64);
    criterion.bench_function("jitter/audio/packet_and_tick", |bencher| {
        bencher.iter(|| {
            let now = start + Duration::from_millis(n * 20);
            jitter.handle(now, AudioInput::Packet(frame(Codec::Opus, n, n * 960, now)), &mut out);
            jitter.handle(now, AudioInput::Tick(Duration::ZERO), &mut out);
            n += 1;
            black_box(out.drain().count())
        });
    });
    let mut idle = AudioJitter::new();
    criterion.bench_function("jitter/audio/idle_tick", |bencher| {
        bencher.iter(|| {
            idle.handle(start, AudioInput::Tick(Duration::ZERO), &mut out);
            black_box(out.drain().count())
        });
    });
}

/// Every tenth packet is lost, and the others are up to 40 ms slower than the fastest.
fn bad_network(criterion: &mut Criterion) {
    let start = Instant::now();
    let (mut jitter, mut out, mut n) = (AudioJitter::new(), Outbox::new(), 0_u64);
    criterion.bench_function("jitter/audio/bad_network", |bencher| {
        bencher.iter(|| {
            let now = start + Duration::from_millis(n * 20 + 40);
            if n % 10 != 3 {
                let arrival = now - Duration::from_millis(n * 7919 % 40);
                jitter.handle(now, AudioInput::Packet(frame(Codec::Opus, n, n * 960, arrival)), &mut out);
            }
            jitter.handle(now, AudioInput::Tick(jitter.wanted_delay()), &mut out);
            let stretched = jitter.advice().unheard();
            jitter.handle(now, AudioInput::Stretched(stretched), &mut out);
            n += 1;
            black_box(out.drain().count())
        });
    });
}

fn stretch(criterion: &mut Criterion) {
    // A buzz of 110 Hz, stereo: what waits at a tick when a cut is due.
    let sound: Vec<f32> = (0..1920 * 2).map(|n| ((n / 2) as f32 * 110.0 / 48_000.0).fract() * 0.4 - 0.2).collect();
    let (mut stretcher, mut waiting) = (Stretcher::new(), Vec::new());
    criterion.bench_function("jitter/stretch/shrink", |bencher| {
        bencher.iter(|| {
            waiting.clear();
            waiting.extend_from_slice(&sound);
            black_box(stretcher.shrink(&mut waiting, limits::STRETCH_FRAMES_MAX, Likeness::High))
        });
    });
    assert!(waiting.len() < sound.len(), "it shrank");
    criterion.bench_function("jitter/stretch/grow", |bencher| {
        bencher.iter(|| {
            waiting.clear();
            waiting.extend_from_slice(&sound[1920..]);
            black_box(stretcher.grow(&sound[..1920], &mut waiting, Likeness::High))
        });
    });
    assert!(waiting.len() > sound.len() - 1920, "it grew");
}

criterion_group!(benches, video, audio, bad_network, stretch);
criterion_main!(benches);
