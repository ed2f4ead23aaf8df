//! What does a frame cost in a jitter buffer? A video frame in and out, an Opus packet in and its tick.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tessera::jitter::{AudioInput, AudioJitter, VideoInput, VideoJitter};
use tessera::media::{AudioLevel, Codec, EncodedFrame, Ingest, Outbox, Pts};

fn frame(codec: Codec, n: u64, rtp_time: u64, arrival: Instant) -> EncodedFrame {
    let ingest = Ingest {
        sequence_first: n,
        sequence_last: n,
        contiguous: true,
        rtp_time,
        arrival,
        audio_level: Some(AudioLevel(20)),
        rid: None,
    };
    // One Opus frame of 20 ms; nobody reads it as AV1 here.
    let data = Bytes::from_static(&[31 << 3; 60]);
    EncodedFrame { codec, data, pts: Pts(0), keyframe: n == 0 || codec == Codec::Opus, ingest: Some(ingest) }
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

criterion_group!(benches, video, audio);
criterion_main!(benches);
