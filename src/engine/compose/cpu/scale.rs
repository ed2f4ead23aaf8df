//! **The question:** how does a picture get another size? Separably: every output row is a weighted sum of source rows,
//! every output sample a weighted sum along it; rounded once, at the end. The GPU's twin is `shaders/scale.wgsl`.

use crate::base::media::PlaneRef;
use crate::engine::compose::colour::Range;
use crate::engine::compose::cpu::canvas::{Area, PlaneMut};
use crate::engine::compose::cpu::place::{self, Cover};
use crate::engine::compose::cpu::simd::{Kernel, fastest};
#[cfg(target_arch = "x86_64")]
use crate::engine::compose::cpu::wide::{self, Wide};
use crate::engine::compose::scale::{Axis, HORIZONTAL_BITS, VERTICAL_BITS};

/// Rows between the two passes; kept between ticks.
#[derive(Default)]
pub(super) struct Scratch {
    /// The window of a source row after the vertical pass, less 2^15, then zeros.
    row: Vec<i16>,
    /// For each output sample, the inputs its taps weigh, side by side.
    gathered: Vec<i16>,
    /// Products, summed in twos.
    pairs: Vec<i32>,
    /// A row on its way to be blended.
    line: Vec<u8>,
}

impl Scratch {
    fn fit(&mut self, across: &Axis) {
        let (targets, taps) = (across.starts().len(), across.taps());
        self.row.clear();
        self.row.resize(across.window().len() + taps, 0);
        self.gathered.resize(targets * taps, 0);
        self.pairs.resize(targets * taps / 2, 0);
        self.line.resize(targets, 0);
    }
}

/// Draws `source` on `area` of `plane` by the weights of two axes; `range` names the plane's kind if its samples need
/// limiting.
pub(super) fn scale(
    scratch: &mut Scratch,
    (across, down): (&Axis, &Axis),
    source: PlaneRef<'_>,
    (plane, area): (PlaneMut<'_>, Area),
    range: Option<Range>,
    cover: Cover<'_>,
) {
    debug_assert_eq!((area.width, area.height), (across.starts().len(), down.starts().len()), "axes of this rectangle");
    let (columns, rows) = (across.window(), down.window());
    assert!(source.data.len() >= source.stride * (rows.end - 1) + columns.end, "a plane is complete");
    if across.is_identity() && down.is_identity() && range.is_none() {
        let data = &source.data[rows.start * source.stride + columns.start..];
        return place::copy(plane, area, PlaneRef { data, stride: source.stride }, cover);
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(lanes) = across.lanes()
        && wide::available()
    {
        return scale_wide(scratch, &Wide { across, lanes, down, source }, (plane, area), range, cover);
    }
    scratch.fit(across);
    fastest(Scale { scratch, across, down, source, plane, area, range, cover });
}

/// By `wide`: straight onto the plane where nothing else is to be done to the samples, else by way of a few rows of
/// scratch.
#[cfg(target_arch = "x86_64")]
fn scale_wide(
    scratch: &mut Scratch,
    wide: &Wide<'_>,
    (plane, area): (PlaneMut<'_>, Area),
    range: Option<Range>,
    cover: Cover<'_>,
) {
    let Area { x, y, width, height } = area;
    let Scratch { row, line, .. } = scratch;
    let stride = plane.stride;
    let mut first = 0;
    while first < height {
        let rows = first..(first + wide::BATCH).min(height);
        let target = &mut plane.data[(y + first) * stride + x..];
        if range.is_none() && cover.is_whole() {
            wide.draw(rows.clone(), row, target, stride);
        } else {
            line.resize(width * wide::BATCH, 0);
            wide.draw(rows.clone(), row, line, width);
            fastest(Finish { first, rows: &mut line[..width * rows.len()], target, stride, width, range, cover });
        }
        first = rows.end;
    }
}

/// Rows that were scaled on their way to the plane.
#[cfg(target_arch = "x86_64")]
struct Finish<'a> {
    first: usize,
    rows: &'a mut [u8],
    target: &'a mut [u8],
    stride: usize,
    width: usize,
    range: Option<Range>,
    cover: Cover<'a>,
}

#[cfg(target_arch = "x86_64")]
impl Kernel for Finish<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { first, rows, target, stride, width, range, cover } = self;
        for (index, (row, target)) in rows.chunks_exact_mut(width).zip(target.chunks_mut(stride)).enumerate() {
            if let Some(range) = range {
                range.limit(row);
            }
            cover.blend_row(first + index, width, &mut target[..width], |column| row[column]);
        }
    }
}

struct Scale<'a> {
    scratch: &'a mut Scratch,
    across: &'a Axis,
    down: &'a Axis,
    source: PlaneRef<'a>,
    plane: PlaneMut<'a>,
    area: Area,
    range: Option<Range>,
    cover: Cover<'a>,
}

impl Kernel for Scale<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { scratch, across, down, source, plane, area, range, cover } = self;
        let Area { x, y, width, height } = area;
        let targets = plane.data.chunks_exact_mut(plane.stride).skip(y).take(height);
        for (index, target) in targets.enumerate() {
            let target = &mut target[x..x + width];
            sum_rows(down, index, source, across.window(), &mut scratch.row);
            if cover.is_whole() {
                sum_along(across, scratch, target, range);
            } else {
                let mut line = std::mem::take(&mut scratch.line);
                sum_along(across, scratch, &mut line, range);
                cover.blend_row(index, width, target, |column| line[column]);
                scratch.line = line;
            }
        }
    }
}

/// `row` becomes the weighted sum of the source rows of output row `index`, scaled by 2^8, less 2^15.
#[inline(always)]
fn sum_rows(down: &Axis, index: usize, source: PlaneRef<'_>, window: std::ops::Range<usize>, row: &mut [i16]) {
    let start = down.starts()[index] as usize;
    let weights = &down.weights()[index * down.taps()..(index + 1) * down.taps()];
    let used = weights.iter().rposition(|&weight| weight != 0).map_or(1, |last| last + 1);
    let width = window.len();
    let line = |tap: usize| {
        let from = (start + tap) * source.stride;
        &source.data[from + window.start..from + window.end]
    };
    let row = &mut row[..width];
    for first in (0..used).step_by(4) {
        let lines: [&[u8]; 4] = std::array::from_fn(|tap| line((first + tap).min(used - 1)));
        let shares: [u16; 4] =
            std::array::from_fn(|tap| weights.get(first + tap).map_or(0, |&weight| weight.cast_unsigned()));
        match (used - first, first > 0) {
            (1, false) => weigh_rows::<1>(row, &lines, &shares),
            (2, false) => weigh_rows::<2>(row, &lines, &shares),
            (3, false) => weigh_rows::<3>(row, &lines, &shares),
            (_, false) => weigh_rows::<4>(row, &lines, &shares),
            (_, true) => weigh_more_rows(row, &lines, &shares),
        }
    }
}

/// `row` = Σ `shares[k] · lines[k]` − 2^15; the sum stays below 2^16 because all weights together are 2^8.
#[inline(always)]
fn weigh_rows<const TAPS: usize>(row: &mut [i16], lines: &[&[u8]; 4], shares: &[u16; 4]) {
    let length = row.len();
    let lines: [&[u8]; TAPS] = std::array::from_fn(|tap| &lines[tap][..length]);
    for (index, sum) in row.iter_mut().enumerate() {
        let mut value = 0_u16;
        for tap in 0..TAPS {
            value = value.wrapping_add(shares[tap].wrapping_mul(u16::from(lines[tap][index])));
        }
        *sum = (value ^ 0x8000).cast_signed();
    }
}

/// `row` += Σ `shares[k] · lines[k]`.
#[inline(always)]
fn weigh_more_rows(row: &mut [i16], lines: &[&[u8]; 4], shares: &[u16; 4]) {
    let length = row.len();
    let lines: [&[u8]; 4] = std::array::from_fn(|tap| &lines[tap][..length]);
    for (index, sum) in row.iter_mut().enumerate() {
        let mut value = sum.cast_unsigned();
        for tap in 0..4 {
            value = value.wrapping_add(shares[tap].wrapping_mul(u16::from(lines[tap][index])));
        }
        *sum = value.cast_signed();
    }
}

/// `target` becomes the weighted sums along `scratch.row`, which is followed by `taps` zeros.
#[inline(always)]
fn sum_along(across: &Axis, scratch: &mut Scratch, target: &mut [u8], range: Option<Range>) {
    match across.taps() {
        2 => sum_along_taps::<2, 1>(across, scratch, target),
        4 => sum_along_taps::<4, 2>(across, scratch, target),
        8 => sum_along_taps::<8, 4>(across, scratch, target),
        taps => {
            let weights = across.weights().chunks_exact(taps);
            let left = across.window().start;
            for ((out, &start), weights) in target.iter_mut().zip(across.starts()).zip(weights) {
                let samples = scratch.row[start as usize - left..].iter();
                let products = samples.zip(weights).map(|(&sample, &weight)| i32::from(sample) * i32::from(weight));
                *out = narrow(products.sum());
            }
        }
    }
    if let Some(range) = range {
        range.limit(target);
    }
}

/// Three plain loops instead of one: only the first one, a copy, jumps about; the compiler makes vector code of the
/// other two.
#[inline(always)]
fn sum_along_taps<const TAPS: usize, const PAIRS: usize>(across: &Axis, scratch: &mut Scratch, target: &mut [u8]) {
    let left = across.window().start;
    let (gathered, _) = scratch.gathered.as_chunks_mut::<TAPS>();
    for (samples, &start) in gathered.iter_mut().zip(across.starts()) {
        *samples = *scratch.row[start as usize - left..].first_chunk().expect("the row is padded by its taps");
    }
    let (samples, _) = scratch.gathered.as_chunks::<2>();
    let (weights, _) = across.weights().as_chunks::<2>();
    for ((pair, samples), weights) in scratch.pairs.iter_mut().zip(samples).zip(weights) {
        let product = |tap: usize| i32::from(samples[tap]) * i32::from(weights[tap]);
        *pair = product(0) + product(1);
    }
    let (sums, _) = scratch.pairs.as_chunks::<PAIRS>();
    for (out, pairs) in target.iter_mut().zip(sums) {
        *out = narrow(pairs.iter().sum());
    }
}

#[inline(always)]
fn narrow(sum: i32) -> u8 {
    const BITS: u32 = VERTICAL_BITS + HORIZONTAL_BITS;
    // What was taken off each sample, times the sum of the weights.
    const BIAS: i32 = 1 << (15 + HORIZONTAL_BITS);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "weights sum to 2^BITS: at most 255")]
    {
        ((sum + BIAS + (1 << (BITS - 1))) >> BITS) as u8
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::media::Size;
    use crate::engine::compose::scale::{Axes, Crop};

    proptest! {
        #[test]
        fn scaling_stays_close_to_real_numbers(
            (width, height) in (1_u32..90, 1_u32..60), (to_width, to_height) in (1_u32..60, 1_u32..60),
            seed in any::<u64>(),
        ) {
            let noise = |n: u32| (seed.wrapping_add(u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            let samples: Vec<u8> = (0..width * height).map(noise).collect();
            let got = scaled(&samples, Size::new(width, height), Size::new(to_width, to_height));
            let want = reference(&samples, Size::new(width, height), Size::new(to_width, to_height));
            // Weights down a column have 8 bits: the more rows a pixel covers, the more roundings add up, on noise most
            // of all.
            let rows = (f64::from(height) / f64::from(to_height)).max(1.0);
            for (got, want) in got.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() <= 2.0 + rows / 8.0, "{got} is not {want}");
            }
        }
    }

    proptest! {
        /// Whatever this processor chooses, whole rows or a mask, crops or all: the same samples as the plain loops
        /// give.
        #[test]
        fn every_processor_draws_the_same(
            (width, height) in (1_u32..700, 1_u32..90), (to_width, to_height) in (1_u32..200, 1_u32..60),
            (left, upper) in (0_u32..70, 0_u32..9), seed in any::<u64>(),
            opacity in prop::sample::select(vec![255_u8, 77]),
        ) {
            let noise = |n: u32| (seed.wrapping_add(u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            let stride = (left + width) as usize;
            let samples: Vec<u8> = (0..(left + width) * (upper + height)).map(noise).collect();
            let across = Axis::new(left, width, to_width, HORIZONTAL_BITS);
            let down = Axis::new(upper, height, to_height, VERTICAL_BITS);
            let source = PlaneRef { data: &samples, stride };
            let area = Area { x: 3, y: 1, width: to_width as usize, height: to_height as usize };
            let canvas: Vec<u8> = (0..(to_width + 5) * (to_height + 2)).map(noise).rev().collect();
            let cover = Cover { opacity, mask: None };
            for range in [None, Some(Range::Luma), Some(Range::Chroma)] {
                let (mut chosen, mut plain) = (canvas.clone(), canvas.clone());
                let plane = |data| PlaneMut { data, stride: to_width as usize + 5, step: 1 };
                scale(&mut Scratch::default(), (&across, &down), source, (plane(&mut chosen), area), range, cover);
                let mut scratch = Scratch::default();
                scratch.fit(&across);
                let (scratch, across, down, plane) = (&mut scratch, &across, &down, plane(&mut plain));
                Scale { scratch, across, down, source, plane, area, range, cover }.run();
                prop_assert!(chosen == plain);
            }
        }
    }

    #[test]
    fn flat_stays_flat_and_identity_is_exact() {
        for (to_width, to_height) in [(126, 70), (318, 178), (640, 360), (1280, 720), (320, 70), (20, 10)] {
            for level in [0, 16, 127, 235, 255] {
                let got = scaled(&vec![level; 320 * 180], Size::new(320, 180), Size::new(to_width, to_height));
                assert!(got.iter().all(|&sample| sample == level), "{level} at {to_width}x{to_height}");
            }
        }
        let samples: Vec<u8> = (0..64 * 48).map(|n| (n * 7 % 251) as u8).collect();
        assert_eq!(scaled(&samples, Size::new(64, 48), Size::new(64, 48)), samples);
    }

    /// Peak signal-to-noise ratio of scaling real frequencies down, against exact area means: a picture of soft shapes,
    /// one of hard edges, noise, and a zone plate (a chirp up to half the sample rate, where aliases would show).
    #[test]
    fn shrinking_keeps_forty_decibels_and_aliases_nothing() {
        let (from, pictures) = (Size::new(320, 180), pictures());
        for target in
            [Size::new(126, 70), Size::new(212, 120), Size::new(300, 168), Size::new(64, 36), Size::new(30, 18)]
        {
            for (name, samples) in &pictures {
                let got = scaled(samples, from, target);
                let want = reference(samples, from, target);
                let error = |(got, want): (&u8, &f64)| (f64::from(*got) - want).powi(2);
                let mean = got.iter().zip(&want).map(error).sum::<f64>() / got.len() as f64;
                let quality = 10.0 * (255.0_f64.powi(2) / mean).log10();
                assert!(quality > 45.0, "{name} at {target:?}: {quality:.1} dB");
            }
        }
        // Where the plate's frequency is beyond what 64 columns can carry, it must turn grey: its swing is less than a
        // seventh.
        let got = scaled(&pictures[3].1, from, Size::new(64, 36));
        let corner = |x: usize, y: usize| f64::from(got[y * 64 + x]) - 127.5;
        for (x, y) in [(61, 33), (62, 34), (60, 34), (63, 32)] {
            assert!(corner(x, y).abs() < 18.0, "{} at {x},{y}", corner(x, y));
        }
    }

    fn pictures() -> [(&'static str, Vec<u8>); 4] {
        let picture = |sample: &dyn Fn(f64, f64) -> f64| -> Vec<u8> {
            (0..320 * 180).map(|n| sample(f64::from(n % 320), f64::from(n / 320)).clamp(0.0, 255.0) as u8).collect()
        };
        let mut state = 7_u64;
        let noise = (0..320 * 180).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        });
        [
            ("soft shapes", picture(&|x, y| 128.0 + 90.0 * (x / 40.0).sin() * (y / 25.0).cos())),
            ("hard edges", picture(&|x, y| if (x / 23.0) as i32 % 2 == (y / 17.0) as i32 % 2 { 235.0 } else { 16.0 })),
            ("noise", noise.collect()),
            (
                "zone plate",
                picture(&|x, y| 127.5 + 127.5 * (std::f64::consts::PI * (x * x / 640.0 + y * y / 360.0)).cos()),
            ),
        ]
    }

    fn scaled(samples: &[u8], from: Size, to: Size) -> Vec<u8> {
        let mut data = vec![0; (to.width * to.height) as usize];
        let across = Axis::new(0, from.width, to.width, HORIZONTAL_BITS);
        let down = Axis::new(0, from.height, to.height, VERTICAL_BITS);
        let plane = PlaneMut { data: &mut data, stride: to.width as usize, step: 1 };
        let area = Area { x: 0, y: 0, width: to.width as usize, height: to.height as usize };
        let source = PlaneRef { data: samples, stride: from.width as usize };
        scale(&mut Scratch::default(), (&across, &down), source, (plane, area), None, Cover::WHOLE);
        let crop = Crop { x: 0, y: 0, size: from };
        if from.width.is_multiple_of(2) && to.width.is_multiple_of(2) && to.height.is_multiple_of(2) {
            assert_eq!(*Axes::default().of(from, crop, to)[0], across, "the cache makes the same");
        }
        data
    }

    fn reference(samples: &[u8], from: Size, to: Size) -> Vec<f64> {
        let weights = |source: u32, target: u32, index: u32| -> Vec<(u32, f64)> {
            if source <= target {
                let centre = (f64::from(index) + 0.5) * f64::from(source) / f64::from(target) - 0.5;
                let centre = centre.clamp(0.0, f64::from(source - 1));
                let first = centre.floor();
                let next = (first as u32 + 1).min(source - 1);
                return vec![(first as u32, 1.0 - (centre - first)), (next, centre - first)];
            }
            let ratio = f64::from(source) / f64::from(target);
            let (left, right) = (f64::from(index) * ratio, f64::from(index + 1) * ratio);
            let share = |n: u32| (right.min(f64::from(n) + 1.0) - left.max(f64::from(n))).max(0.0) / ratio;
            (0..source).map(|n| (n, share(n))).filter(|(_, share)| *share > 0.0).collect()
        };
        let columns: Vec<_> = (0..to.width).map(|x| weights(from.width, to.width, x)).collect();
        let mut out = Vec::new();
        for y in 0..to.height {
            let rows = weights(from.height, to.height, y);
            for columns in &columns {
                let along = |row: u32| -> f64 {
                    columns.iter().map(|(x, share)| share * f64::from(samples[(row * from.width + x) as usize])).sum()
                };
                out.push(rows.iter().map(|(row, share)| share * along(*row)).sum());
            }
        }
        out
    }
}
