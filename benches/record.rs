//! **The question:** what does a recording cost? One fragment of two seconds into memory, with a copy of the same bytes as limit.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tessera::fmp4::opus;
use tessera::media::{Codec, EncodedFrame, NANOS_PER_SECOND, Outbox, Pts, RoomEpoch, Wallclock, pts_from_tick};
use tessera::record::{Input, Output, Recorder, Seal, Setup};

/// 640×360 by libaom, as it opens a keyframe.
const SEQUENCE_HEADER: &[u8] = &[0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10];
/// 2.5 Mb/s at 30 frames/s.
const FRAME_LEN: usize = 10_400;

fn inputs(frames: u64) -> Vec<Input> {
    // One OBU_FRAME with a two-byte leb128 size.
    let mut delta = vec![0x32, (FRAME_LEN & 0x7f) as u8 | 0x80, (FRAME_LEN >> 7) as u8];
    delta.resize(3 + FRAME_LEN, 0x5a);
    let key = Bytes::from([SEQUENCE_HEADER, &delta].concat());
    let delta = Bytes::from(delta);
    let mut packet = opus::SILENCE.to_vec();
    packet.resize(160, 0);
    let packet = Bytes::from(packet);
    let mut inputs = Vec::new();
    let mut tick = 0;
    for n in 0..frames {
        let (pts, keyframe) = (pts_from_tick(n, 30), n.is_multiple_of(120));
        while pts_from_tick(tick, 50) <= pts {
            let pts = pts_from_tick(tick, 50);
            let data = packet.clone();
            inputs.push(Input::Sound(EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true, ingest: None }));
            tick += 1;
        }
        let data = if keyframe { key.clone() } else { delta.clone() };
        inputs.push(Input::Video(EncodedFrame { codec: Codec::Av1, data, pts, keyframe, ingest: None }));
    }
    inputs
}

fn record(recorder: &mut Recorder, inputs: &[Input], now: Instant) -> u64 {
    let mut out = Outbox::new();
    let mut written = 0;
    for input in inputs {
        recorder.handle(now, input.clone(), &mut out);
        for output in out.drain() {
            if let Output::Append(piece) = output {
                written += black_box(piece.bytes).len() as u64;
            }
        }
    }
    written
}

fn bench(criterion: &mut Criterion) {
    let epoch = RoomEpoch { instant: Instant::now(), wallclock: Wallclock(1_700_000_000 * NANOS_PER_SECOND) };
    let setup = Setup { room: "bench".parse().expect("a good name"), epoch, fps: 30, seal: Seal::Clear };
    // Ten fragments, and the frame that closes the last one.
    let inputs = inputs(601);
    let now = epoch.instant_at(Pts(0));
    let written = record(&mut Recorder::new(setup.clone()), &inputs, now);
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Bytes(written));
    group.bench_function("ten fragments into memory", |bencher| {
        let fresh = || Recorder::new(setup.clone());
        bencher.iter_batched(fresh, |mut recorder| record(&mut recorder, &inputs, now), BatchSize::SmallInput);
    });
    let source = vec![0x5a_u8; usize::try_from(written).expect("some megabytes") / 10];
    group.bench_function("limit: the same bytes copied", |bencher| {
        bencher.iter(|| (0..10).for_each(|_| drop(black_box(source.clone()))));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
