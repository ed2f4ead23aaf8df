//! **The question:** what does a recording cost? Fragments of two seconds into memory, sealing them, storing them, and
//! reading a range of a sealed one, each beside the limit that it cannot pass.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tessera::base::media::{Codec, EncodedFrame, NANOS_PER_SECOND, Outbox, Pts, RoomEpoch, Wallclock, pts_from_tick};
use tessera::core::bitstream::opus;
use tessera::core::record::{Input, Output, Recorder, Setup};
use tessera::core::retention::{Opener, Secret, open, seal};
use tessera::io::store::Vault;

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
            inputs.push(Input::Sound(EncodedFrame { codec: Codec::Opus, data, pts, keyframe: true }));
            tick += 1;
        }
        let data = if keyframe { key.clone() } else { delta.clone() };
        inputs.push(Input::Video(EncodedFrame { codec: Codec::Av1, data, pts, keyframe }));
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
    let setup = Setup { room: "bench".parse().expect("a good name"), owner: None, fence: None, epoch, fps: 30 };
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

/// One minute at 2.5 Mb/s, and a range of one chunk's length at every place in turn.
fn bench_sealing(criterion: &mut Criterion) {
    let (key, context) = (Secret::random(), b"bench".as_slice());
    let plain = vec![0x5a_u8; 18_750_000];
    let sealed = seal(&key, context, &plain);
    let mut group = criterion.benchmark_group("seal");
    group.throughput(Throughput::Bytes(plain.len() as u64)).sample_size(20);
    group.bench_function("one minute", |bencher| bencher.iter(|| seal(&key, context, black_box(&plain))));
    group.bench_function("one minute opened", |bencher| bencher.iter(|| open(&key, context, black_box(&sealed))));
    group.bench_function("limit: the same bytes copied", |bencher| bencher.iter(|| black_box(plain.clone())));
    group.finish();
    let mut group = criterion.benchmark_group("seal range");
    let opener = |sealed: &[u8]| {
        let prefix = sealed.first_chunk().expect("a sealed message has a prefix");
        Opener::new(&key, context, prefix, sealed.len() as u64).expect("it was sealed so")
    };
    let read = |opener: &Opener, at: u64| {
        let range = at..at + 16_000;
        let within = opener.sealed_range(range.clone());
        let mut part = sealed[within.start as usize..within.end as usize].to_vec();
        opener.open_in_place(range, &mut part).expect("it was sealed so");
        part
    };
    let mut at = 0;
    let mut next = move || {
        at = (at + 7_654_321) % 18_000_000;
        at
    };
    let opened = opener(&sealed);
    group.bench_function("16 kB anywhere", |bencher| bencher.iter(|| read(&opened, next())));
    group.bench_function("16 kB anywhere, keys derived anew", |bencher| {
        bencher.iter(|| read(&opener(&sealed), next()));
    });
    group.finish();
}

/// Composites that a row stores at once.
const COMPOSITES: usize = 50;
/// Two seconds at 2 Mb/s.
const SEGMENT_LEN: usize = 500_000;

/// Two seconds of fifty composites at 2 Mb/s, sealed and stored by one thread: how many run at once is 50 times 2 s by
/// the time it takes. Into memory, into a folder of this disk with its fsyncs, and the limit: the same bytes sealed and
/// let go.
fn bench_storing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir_in(".").expect("a folder on this disk, not on a tmpfs");
    let disk = Vault::open(folder.path().to_str().expect("a plain name")).expect("a folder");
    let memory = Vault::on(Arc::new(object_store::memory::InMemory::new()), "memory");
    let (key, plain) = (Secret::random(), vec![0x5a_u8; SEGMENT_LEN]);
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(COMPOSITES as u64)).sample_size(10);
    for (name, vault) in [("50 composites for 2 s, memory", &memory), ("50 composites for 2 s, this disk", &disk)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || clear(&runtime, vault),
                |()| {
                    for n in 0..COMPOSITES {
                        let path = format!("rec/00495727/r{n}/av/0000/000000");
                        let sealed = seal(&key, path.as_bytes(), black_box(&plain));
                        runtime.block_on(vault.put(&path, sealed.into())).expect("room");
                    }
                },
                BatchSize::PerIteration,
            );
        });
        clear(&runtime, vault);
    }
    group.bench_function("limit: 50 segments sealed", |bencher| {
        bencher.iter(|| (0..COMPOSITES).for_each(|_| drop(black_box(seal(&key, b"bench", black_box(&plain))))));
    });
    group.finish();
}

// An object is written once: the next round needs its names again.
fn clear(runtime: &tokio::runtime::Runtime, vault: &Vault) {
    runtime.block_on(async {
        for object in vault.list("rec").await.expect("a store") {
            vault.delete(&object.path).await.expect("a store");
        }
    });
}

criterion_group!(benches, bench, bench_sealing, bench_storing);
criterion_main!(benches);
