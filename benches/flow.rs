//! What does it cost to cross from thread to thread? Each seam on one thread, so that the figure is the seam's alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::media::{Codec, EncodedFrame, Ingest, Matrix, Picture, PlaneRef, Pts, Size, VideoFrame};
use tessera::engine::flow::{Counter, Fan, FrameSlot, Read, Waker, opus_queue, track_queue};

struct Grey;

impl Picture for Grey {
    fn plane(&self, _index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &[128], stride: 1 }
    }
}

fn waker() -> Waker {
    Waker::new().expect("a file descriptor")
}

fn encoded(rtp_time: u64, arrival: Instant) -> EncodedFrame {
    let ingest = Ingest::whole(rtp_time, rtp_time, arrival);
    let data = Bytes::from_static(&[0; 1000]);
    EncodedFrame { codec: Codec::Av1, data, pts: Pts(0), keyframe: true, ingest: Some(ingest) }
}

fn slot(criterion: &mut Criterion) {
    let slot = FrameSlot::new(Counter::default());
    let frame = VideoFrame {
        size: Size::new(2, 2),
        full_range: false,
        matrix: Matrix::default(),
        arrival: Instant::now(),
        picture: Arc::new(Grey),
    };
    let mut spare = Some(Box::new(frame));
    criterion.bench_function("flow/slot/publish_and_take", |bencher| {
        bencher.iter(|| {
            let superseded = slot.publish(spare.take().expect("it came back"));
            assert!(superseded.is_none());
            spare = slot.take();
        });
    });
}

fn queues(criterion: &mut Criterion) {
    let now = Instant::now();
    let (mut sender, receiver) = track_queue(waker(), Counter::default());
    let mut n = 0;
    criterion.bench_function("flow/track_queue/push_and_pop", |bencher| {
        bencher.iter(|| {
            n += 3000;
            black_box(sender.push(encoded(n, now)));
            black_box(receiver.pop())
        });
    });
    let (mut sender, receiver) = opus_queue(Counter::default());
    criterion.bench_function("flow/opus_queue/push_and_pop", |bencher| {
        bencher.iter(|| {
            n += 960;
            black_box(sender.push(encoded(n, now)));
            black_box(receiver.pop())
        });
    });
}

fn fan(criterion: &mut Criterion) {
    for readers in [1, 4] {
        let fan = Fan::new(Counter::default());
        let mut ends: Vec<_> = (0..readers).map(|_| fan.subscribe(120, waker())).collect();
        let item = Arc::new(encoded(0, Instant::now()));
        criterion.bench_function(&format!("flow/fan/publish_to_{readers}_and_read"), |bencher| {
            bencher.iter(|| {
                fan.publish(&item);
                for end in &mut ends {
                    assert!(matches!(black_box(end.read()), Read::Item(_)));
                }
            });
        });
    }
}

criterion_group!(benches, slot, queues, fan);
criterion_main!(benches);
