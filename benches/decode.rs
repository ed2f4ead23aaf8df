//! How long does the AV1 decoder take for a frame of a camera, and of a composite? And what do a
//! tick's frames of many tracks take in a thread, and in a process beside it?

use std::hint::black_box;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tessera::base::media::{Codec, ComposedFrame, EncodedFrame, Size, pts_from_tick};
use tessera::engine::decode::video_decoder;
use tessera::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};
use tessera::io::apart::{Heard, Line};

/// A drifting texture.
fn picture(size: Size, n: u64) -> ComposedFrame {
    let (width, height) = (size.width as usize, size.height as usize);
    let mut samples = vec![128_u8; width * height * 3 / 2];
    let time = usize::try_from(n).expect("a few frames");
    for (y, row) in samples[..width * height].chunks_exact_mut(width).enumerate() {
        for (x, sample) in row.iter_mut().enumerate() {
            let (u, v) = (x + 3 * time, y + time);
            let texture = (u * u / 300 + v * v / 410 + u * v / 530) % 128;
            *sample = 60 + u8::try_from(texture.min(127 - texture) * 2).expect("below 128");
        }
    }
    ComposedFrame::new(size, pts_from_tick(n, 30), samples)
}

/// Thirty temporal units; the first is a keyframe.
fn units(size: Size) -> Vec<EncodedFrame> {
    let setup =
        VideoEncoderSetup { codec: Codec::Av1, size, fps: 30, bitrate: size.width * size.height * 27 / 10, threads: 1 };
    let mut encoder = video_encoder(EncoderChoice::Aom, setup).expect("a plain setup");
    let mut units = Vec::new();
    for n in 0..30 {
        encoder.encode(&picture(size, n), n == 0, &mut units).expect("frames fit the setup");
    }
    units
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for (width, height) in [(320, 180), (640, 360), (1280, 720)] {
        let units = units(Size::new(width, height));
        let mut decoder = video_decoder(Codec::Av1).expect("a decoder opens");
        let (mut pictures, mut next) = (Vec::new(), units.iter().cycle());
        group.bench_function(BenchmarkId::new("av1", format!("{width}x{height}")), |bencher| {
            bencher.iter(|| {
                let unit = next.next().expect("a cycle never ends");
                decoder.decode(unit.coded(), &mut pictures).expect("our own bitstream");
                black_box(pictures.drain(..).count());
            });
        });
    }
    group.finish();
}

/// A process of decoders, as a node starts it.
fn process() -> (Line, Child) {
    let (mut line, socket, file) = Line::new(Instant::now()).expect("memory and a socket");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(["decoder", "--of-a-node"]).stdin(socket).stdout(file).stderr(Stdio::null());
    let child = command.spawn().expect("the binary starts");
    drop(command);
    let mut ready = false;
    while !ready {
        line.wait(Duration::from_secs(1)).expect("it is waited for");
        line.hear(Instant::now(), |heard| ready |= matches!(heard, Heard::Ready(_))).expect("it lives");
    }
    (line, child)
}

/// One frame of each of many tracks, pictures and all.
fn tick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick");
    group.sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    for (tracks, width, height) in [(16, 160, 90), (100, 160, 90), (16, 320, 180), (100, 320, 180), (4, 1280, 720)] {
        let units = units(Size::new(width, height));
        let name = format!("{tracks}x{width}x{height}");
        let mut decoders: Vec<_> = (0..tracks).map(|_| video_decoder(Codec::Av1).expect("a decoder opens")).collect();
        let (mut pictures, mut next) = (Vec::new(), units.iter().cycle());
        group.bench_function(BenchmarkId::new("thread", &name), |bencher| {
            bencher.iter(|| {
                let unit = next.next().expect("a cycle never ends");
                for decoder in &mut decoders {
                    decoder.decode(unit.coded(), &mut pictures).expect("our own bitstream");
                }
                black_box(pictures.drain(..).count());
            });
        });
        drop(decoders);
        let ((mut line, mut child), mut next) = (process(), units.iter().cycle());
        (0..tracks).for_each(|track| line.open(track, Codec::Av1).expect("it lives"));
        group.bench_function(BenchmarkId::new("process", &name), |bencher| {
            bencher.iter(|| {
                let unit = next.next().expect("a cycle never ends");
                let now = Instant::now();
                (0..tracks).for_each(|track| line.decode(now, track, unit.coded()).expect("there is room"));
                line.flush().expect("it lives");
                let mut done = 0;
                while done < tracks {
                    line.wait(Duration::from_secs(1)).expect("it is waited for");
                    line.hear(now, |heard| match heard {
                        Heard::Picture(_, picture) => pictures.push(picture),
                        Heard::Done(_, result) => {
                            result.expect("our own bitstream");
                            done += 1;
                        }
                        Heard::Ready(_) => {}
                    })
                    .expect("it lives");
                }
                assert_eq!(black_box(pictures.drain(..).count()), tracks as usize);
            });
        });
        drop(line);
        child.wait().expect("it ends with its line");
    }
    group.finish();
}

criterion_group!(benches, decode, tick);
criterion_main!(benches);
