//! How long does libaom's real-time set-up take for a frame of a 4×4 mosaic?

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tessera::base::media::{Codec, ComposedFrame, Size, pts_from_tick};
use tessera::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

/// A mosaic of `side`×`side` textures, each drifting its own way.
fn mosaic(size: Size, side: usize, n: u64) -> ComposedFrame {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut samples = vec![128_u8; width * height * 3 / 2];
    let time = usize::try_from(n).expect("a few frames");
    for (y, row) in samples[..width * height].chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            let tile = y * side / height * side + x * side / width;
            let (u, v) = (x + time * (tile % 5), y + time * (tile % 3) + 37 * tile);
            let texture = (u * u / 300 + v * v / 410 + u * v / 530) % 128;
            *sample = 60 + u8::try_from(texture.min(127 - texture) * 2).expect("below 128");
        }
    }
    ComposedFrame::new(size, pts_from_tick(n, 30), samples)
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for (width, height) in [(1280, 720), (640, 360), (320, 180)] {
        let size = Size::new(width, height);
        let setup =
            VideoEncoderSetup { codec: Codec::Av1, size, fps: 30, bitrate: width * height * 27 / 10, threads: 1 };
        let mut encoder = video_encoder(EncoderChoice::Aom, setup).expect("a plain setup");
        let mut frames: Vec<ComposedFrame> = (0..30).map(|n| mosaic(size, 4, n)).collect();
        let (mut out, mut n) = (Vec::new(), 0_u64);
        group.bench_function(BenchmarkId::new("aom 4x4 mosaic", format!("{width}x{height}")), |bencher| {
            bencher.iter(|| {
                // There and back again, so that no jump stands in the way of motion search.
                let turn = usize::try_from(n % 58).expect("below 58");
                let frame = &mut frames[if turn < 30 { turn } else { 58 - turn }];
                frame.pts = pts_from_tick(n, 30);
                encoder.encode(frame, n == 0, &mut out).expect("frames fit the setup");
                black_box(out.drain(..).count());
                n += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
