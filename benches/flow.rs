//! What does it cost to cross from thread to thread? Each seam on one thread, so that the figure is the seam's alone.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use tessera::base::media::{Codec, EncodedFrame, Matrix, Picture, PlaneRef, Pts, ReceivedFrame, Size, VideoFrame};
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

fn received(rtp_time: u64, arrival: Instant) -> ReceivedFrame {
    ReceivedFrame::of_one_packet(Codec::Av1, Bytes::from_static(&[0; 1000]), rtp_time, rtp_time, arrival)
}

fn encoded() -> EncodedFrame {
    EncodedFrame { codec: Codec::Av1, data: Bytes::from_static(&[0; 1000]), pts: Pts(0), keyframe: true }
}

fn slot(criterion: &mut Criterion) {
    let slot = FrameSlot::new(Counter::default());
    let frame = VideoFrame {
        size: Size::new(2, 2),
        full_range: false,
        matrix: Matrix::default(),
        arrival: None,
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
            black_box(sender.push(received(n, now)));
            black_box(receiver.pop())
        });
    });
    let (mut sender, receiver) = opus_queue(Counter::default());
    criterion.bench_function("flow/opus_queue/push_and_pop", |bencher| {
        bencher.iter(|| {
            n += 960;
            black_box(sender.push(received(n, now)));
            black_box(receiver.pop())
        });
    });
}

fn fan(criterion: &mut Criterion) {
    for readers in [1, 4] {
        let fan = Fan::new(Counter::default());
        let mut ends: Vec<_> = (0..readers).map(|_| fan.subscribe(120, waker())).collect();
        let item = Arc::new(encoded());
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
