//! How long do the encoders take for a tick of a crowd, a few tiles and a page of text, how long for a keyframe, and
//! how much do they lose?

#![expect(clippy::print_stdout, reason = "quality stands beside time")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tessera::base::media::{Codec, ComposedFrame, Content, Size, pts_from_tick};
use tessera::engine::decode::video_decoder;
use tessera::engine::encode::{EncoderChoice, Mosaic, VideoEncoder, VideoEncoderSetup, encodes, video_encoder};

#[path = "../src/engine/encode/page.rs"]
mod page;

const CANVAS: Size = Size::new(1280, 720);
/// Frames of each clip; they are shown there and back again, so that no jump stands in the way of motion search.
const FRAMES: usize = 30;

/// One kind of picture, and what its encoder is told of it.
struct Clip {
    name: &'static str,
    frames: Vec<ComposedFrame>,
}

fn clips(size: Size) -> Vec<Clip> {
    let mosaic = |name, side| {
        let mosaic = Mosaic::new(size, side);
        Clip { name, frames: (0..FRAMES as u64).map(|n| mosaic.frame(n, 30)).collect() }
    };
    let text = |name, content| {
        let page = |n: usize| page::page(size.width as usize, size.height as usize, n.saturating_sub(FRAMES / 2) * 3);
        let frames = (0..FRAMES).map(|n| {
            let mut frame = ComposedFrame::new(size, pts_from_tick(n as u64, 30), page(n));
            frame.content = content;
            frame
        });
        Clip { name, frames: frames.collect() }
    };
    vec![
        mosaic("10x10 mosaic", 10),
        mosaic("4x4 mosaic", 4),
        text("text as cameras", Content::Cameras),
        text("text as a screen", Content::Screen),
    ]
}

fn encoder(codec: Codec, size: Size) -> Box<dyn VideoEncoder> {
    let bitrate = size.width * size.height * 27 / 10;
    let setup = VideoEncoderSetup { codec, size, fps: 30, bitrate, threads: 1 };
    video_encoder(EncoderChoice::Aom, setup).expect("a plain setup")
}

/// Which of the clip's frames is the `n`th.
fn turn(n: u64) -> usize {
    let turn = usize::try_from(n).expect("a few frames") % (2 * FRAMES - 2);
    if turn < FRAMES { turn } else { 2 * FRAMES - 2 - turn }
}

/// Bits a second and the PSNR of luma over three seconds with one keyframe.
fn loss(codec: Codec, clip: &mut Clip, size: Size) -> (f64, f64) {
    let mut decoder = video_decoder(codec).expect("it was encoded too");
    let (mut encoder, mut pictures, mut units) = (encoder(codec, size), Vec::new(), Vec::new());
    let (mut bits, mut squares) = (0, 0_u64);
    for n in 0..90 {
        let frame = &mut clip.frames[turn(n)];
        frame.pts = pts_from_tick(n, 30);
        encoder.encode(frame, n == 0, &mut units).expect("frames fit the setup");
        for unit in units.drain(..) {
            bits += unit.data.len() * 8;
            decoder.decode(unit.coded(), &mut pictures).expect("our own bits");
        }
        let picture = pictures.pop().expect("one unit, one picture");
        let (plane, decoded) = (frame.planes()[0], picture.picture.plane(0));
        for (row, other) in plane.data.chunks(plane.stride).zip(decoded.data.chunks(decoded.stride)) {
            squares += row.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>();
        }
    }
    let samples = 90.0 * f64::from(size.width) * f64::from(size.height);
    (bits as f64 / 3.0, 10.0 * (255.0_f64.powi(2) * samples / squares.max(1) as f64).log10())
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for codec in [Codec::Av1, Codec::H264].into_iter().filter(|codec| encodes(*codec)) {
        for mut clip in clips(CANVAS) {
            let (rate, psnr) = loss(codec, &mut clip, CANVAS);
            let name = format!("{} {}", codec.name(), clip.name);
            println!("{name}: {:.0} kb/s, {psnr:.2} dB", rate / 1000.0);
            for (what, keyframe) in [("tick", false), ("keyframe", true)] {
                let (mut encoder, mut out, mut n) = (encoder(codec, CANVAS), Vec::new(), 0_u64);
                group.bench_function(BenchmarkId::new(&name, what), |bencher| {
                    bencher.iter(|| {
                        let frame = &mut clip.frames[turn(n)];
                        frame.pts = pts_from_tick(n, 30);
                        encoder.encode(frame, keyframe || n == 0, &mut out).expect("frames fit the setup");
                        black_box(out.drain(..).count());
                        n += 1;
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
