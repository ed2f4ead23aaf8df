//! How long does the compositor's CPU twin take for a tick, beside the copy of as many bytes?
//!
//! One table, one thread. Beside each tick stands a plain copy: reading every byte of the pictures that changed and
//! writing the canvas, timed in turns with the tick, so that whatever else the machine does slows both.

#![expect(clippy::print_stdout, reason = "figures that criterion does not know")]

mod stage;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tessera::base::media::{ParticipantId, Pts, Size};
use tessera::engine::compose::cpu_compositor;

use stage::{FULL_HD, HD, Pictures, picture, pictures, scene};

/// Ticks of each kind; the least is told beside the median, because other programs only ever add time.
const ROUNDS: usize = 200;

/// Reads every sample of the pictures that `now` has and `before` has not, and writes a share of the canvas for each.
fn copy(now: &Pictures, before: &Pictures, canvas: &mut [u8]) {
    let changed = |id| {
        let picture = |pictures: &Pictures| Arc::as_ptr(&pictures[id].picture).cast::<()>();
        before.is_empty() || picture(now) != picture(before)
    };
    let mut sum = 0;
    for (frame, target) in now.keys().zip(canvas.chunks_mut(canvas.len() / now.len())) {
        if !changed(frame) {
            continue;
        }
        let frame = &now[frame];
        for index in 0..3 {
            let words = frame.picture.plane(index).data.as_chunks::<8>().0;
            sum ^= words.iter().fold(0, |sum, word| sum ^ u64::from_ne_bytes(*word));
        }
        let samples = frame.picture.plane(0).data;
        for part in target.chunks_mut(samples.len()) {
            part.copy_from_slice(&samples[..part.len()]);
        }
    }
    black_box(sum);
}

/// Prints one line: `sets` are shown in turn.
fn row(name: &str, canvas: Size, sets: &[Pictures], target: &str) {
    let scene = scene(canvas, sets[0].len() as u64);
    let mut compositor = cpu_compositor(canvas);
    let pool = compositor.pool();
    let mut copied = vec![0_u8; (canvas.width * canvas.height * 3 / 2) as usize];
    let (mut ticks, mut copies) = (Vec::new(), Vec::new());
    // The encoder holds a frame while the next one is drawn.
    let mut encoded = None;
    let mut before = &sets[sets.len() - 1];
    for number in 0..ROUNDS + 8 {
        let now = &sets[number % sets.len()];
        let start = Instant::now();
        let frame = black_box(compositor.compose(&scene, now, Pts(0)));
        let took = start.elapsed();
        if let Some(frame) = encoded.replace(frame) {
            pool.recycle(frame);
        }
        let start = Instant::now();
        copy(now, before, &mut copied);
        black_box(&mut copied);
        // The first ones allocate and place.
        if number >= 8 {
            ticks.push(took);
            copies.push(start.elapsed());
        }
        before = now;
    }
    let (least, median, copy) = (quantile(&mut ticks, ROUNDS), quantile(&mut ticks, 2), quantile(&mut copies, ROUNDS));
    let ratio = if sets.len() > 1 { format!("{:.1}", least / copy) } else { String::new() };
    println!("| {name} | {least:.3} | {median:.3} | {copy:.3} | {ratio} | {target} |");
}

/// The first of `parts` quantiles, in milliseconds; with as many parts as there are times, nearly the least.
fn quantile(times: &mut [Duration], parts: usize) -> f64 {
    times.sort();
    times[times.len() / parts].as_secs_f64() * 1e3
}

fn main() {
    let (small, large) = (Size::new(320, 180), Size::new(640, 360));
    let one = pictures(100, small, 1);
    let mut one_changed = one.clone();
    one_changed.insert(ParticipantId(50), picture(small, 7));
    let tile = scene(HD, 100).tiles[0].rect;
    let fitting = Size::new(tile.width, tile.height);
    println!("| tick | least, ms | median, ms | copy, ms | ratio of the least | target, ms |");
    println!("|---|---|---|---|---|---|");
    row("100 × 320×180 into 1280×720, all changed", HD, &[one.clone(), pictures(100, small, 1000)], "2.5");
    row("25 × 640×360 into 1920×1080", FULL_HD, &[pictures(25, large, 1), pictures(25, large, 1000)], "3.5");
    row("100 × 320×180 into 1280×720, one changed", HD, &[one.clone(), one_changed], "0.1");
    row("100 × 320×180 into 1280×720, none changed", HD, &[one], "0.02");
    row("100 of their tile's size into 1280×720", HD, &[pictures(100, fitting, 1), pictures(100, fitting, 1000)], "");
    row("4 × 640×360 into 1280×720", HD, &[pictures(4, large, 1), pictures(4, large, 1000)], "");
    row("1 × 1280×720 into 1280×720", HD, &[pictures(1, HD, 1), pictures(1, HD, 1000)], "");
}
