//! **The question:** how does a picture get another size? Separably: every output row is a weighted sum of source rows, every
//! output sample a weighted sum along it. Shrinking weighs by area (antialiased), growing is bilinear; the weights of each
//! pair of extents are computed once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::compose::cpu::canvas::{Area, PlaneMut};
use crate::compose::cpu::colour::Range;
use crate::compose::cpu::place;
use crate::media::{PlaneRef, Size};
use crate::scene::Rect;

/// Vertical weights sum to 2^7, so that a weighted row of bytes stays below 2^15 and multiplies as a signed 16-bit value.
const VERTICAL_BITS: u32 = 7;
/// Horizontal weights sum to 2^14, the largest power that fits a signed 16-bit value.
const HORIZONTAL_BITS: u32 = 14;
/// Weights kept for this many pairs of extents; a source that changes its size all the time costs time, not memory.
const AXES_MAX: usize = 256;

/// How one plane's rows and columns are weighted.
pub(super) struct PlanePlan {
    horizontal: Arc<Axis>,
    vertical: Arc<Axis>,
}

/// Scales planes; keeps weights and a few rows of scratch between ticks.
#[derive(Default)]
pub(super) struct Scaler {
    axes: HashMap<(u32, u32, u32), Arc<Axis>>,
    scratch: Scratch,
}

/// Rows between the two passes.
#[derive(Default)]
struct Scratch {
    /// A source-wide row after the vertical pass, then zeros.
    row: Vec<i16>,
    /// For each output sample, the inputs its taps weigh, side by side.
    gathered: Vec<i16>,
    /// Products, summed in twos.
    pairs: Vec<i32>,
}

impl Scratch {
    fn fit(&mut self, horizontal: &Axis) {
        self.row.clear();
        self.row.resize(horizontal.source + horizontal.taps, 0);
        self.gathered.resize(horizontal.target * horizontal.taps, 0);
        self.pairs.resize(horizontal.target * horizontal.taps / 2, 0);
    }
}

/// For each output position: which inputs, with which weights.
#[derive(Debug, PartialEq, Eq)]
struct Axis {
    source: usize,
    target: usize,
    starts: Vec<u32>,
    /// `taps` weights for each output position, zero-padded.
    weights: Vec<i16>,
    taps: usize,
}

impl Scaler {
    /// The weights for planes of `source` drawn as `target`.
    pub(super) fn plan(&mut self, source: Size, target: Size) -> PlanePlan {
        PlanePlan {
            horizontal: self.axis(source.width, target.width, HORIZONTAL_BITS),
            vertical: self.axis(source.height, target.height, VERTICAL_BITS),
        }
    }

    fn axis(&mut self, source: u32, target: u32, bits: u32) -> Arc<Axis> {
        if self.axes.len() >= AXES_MAX {
            self.axes.clear();
        }
        self.axes.entry((source, target, bits)).or_insert_with(|| Arc::new(Axis::new(source, target, bits))).clone()
    }

    /// Draws `source` on `rect` of `plane`; `full_range` names the plane's kind if its samples need limiting.
    pub(super) fn scale(
        &mut self,
        plan: &PlanePlan,
        source: PlaneRef<'_>,
        plane: PlaneMut<'_>,
        rect: &Rect,
        full_range: Option<Range>,
    ) {
        let (horizontal, vertical) = (&*plan.horizontal, &*plan.vertical);
        let area = plane.area(rect);
        debug_assert_eq!((area.width, area.height), (horizontal.target, vertical.target), "the plan is for this rect");
        assert!(source.data.len() >= source.stride * (vertical.source - 1) + horizontal.source, "a plane is complete");
        if horizontal.is_identity() && vertical.is_identity() && full_range.is_none() {
            return place::copy(plane, area, source);
        }
        self.scratch.fit(horizontal);
        let Area { x, y, width, height } = area;
        let targets = plane.data.chunks_exact_mut(plane.stride).skip(y).take(height);
        for (index, target) in targets.enumerate() {
            let target = &mut target[x..x + width];
            vertical.sum_rows(index, source, &mut self.scratch.row[..horizontal.source]);
            horizontal.sum_along(&mut self.scratch, target);
            if let Some(range) = full_range {
                range.limit(target);
            }
        }
    }
}

impl Axis {
    fn new(source: u32, target: u32, bits: u32) -> Self {
        let positions: Vec<(u32, Vec<f64>)> = (0..target)
            .map(|index| if source > target { area(source, target, index) } else { bilinear(source, target, index) })
            .collect();
        let widest = positions.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1);
        // The horizontal kernels are made for 2, 4 and 8 taps; a few zero weights cost less than a loop of odd length.
        let taps = match widest {
            0..=2 => 2,
            3..=4 => 4,
            5..=8 => 8,
            more => more.next_multiple_of(2),
        };
        let mut axis = Self {
            source: source as usize,
            target: target as usize,
            starts: Vec::with_capacity(positions.len()),
            weights: Vec::with_capacity(positions.len() * taps),
            taps,
        };
        for (start, weights) in positions {
            axis.starts.push(start);
            axis.weights.extend(round_weights(&weights, bits));
            axis.weights.resize(axis.starts.len() * taps, 0);
        }
        axis
    }

    fn is_identity(&self) -> bool {
        self.source == self.target
    }

    /// `row` becomes the weighted sum of the source rows of output row `index`, scaled by 2^7.
    fn sum_rows(&self, index: usize, source: PlaneRef<'_>, row: &mut [i16]) {
        let start = self.starts[index] as usize;
        let weights = &self.weights[index * self.taps..(index + 1) * self.taps];
        let used = weights.iter().rposition(|&weight| weight != 0).map_or(1, |last| last + 1);
        let width = row.len();
        let line = |tap: usize| {
            let from = (start + tap) * source.stride;
            &source.data[from..from + width]
        };
        let lines: [&[u8]; 4] = std::array::from_fn(|tap| line(tap.min(used - 1)));
        let firsts: [i16; 4] = std::array::from_fn(|tap| if tap < used { weights[tap] } else { 0 });
        match used {
            1 => weigh_rows::<1>(row, &lines, &firsts),
            2 => weigh_rows::<2>(row, &lines, &firsts),
            3 => weigh_rows::<3>(row, &lines, &firsts),
            _ => weigh_rows::<4>(row, &lines, &firsts),
        }
        for (tap, &weight) in weights.iter().enumerate().take(used).skip(4) {
            for (sum, &sample) in row.iter_mut().zip(line(tap)) {
                *sum += weight * i16::from(sample);
            }
        }
    }

    /// `target` becomes the weighted sums along `scratch.row`, which is followed by `taps` zeros.
    fn sum_along(&self, scratch: &mut Scratch, target: &mut [u8]) {
        match self.taps {
            2 => self.sum_along_taps::<2, 1>(scratch, target),
            4 => self.sum_along_taps::<4, 2>(scratch, target),
            8 => self.sum_along_taps::<8, 4>(scratch, target),
            taps => {
                let weights = self.weights.chunks_exact(taps);
                for ((out, &start), weights) in target.iter_mut().zip(&self.starts).zip(weights) {
                    let samples = scratch.row[start as usize..].iter();
                    let products = samples.zip(weights).map(|(&sample, &weight)| i32::from(sample) * i32::from(weight));
                    *out = narrow(products.sum());
                }
            }
        }
    }

    /// Three plain loops instead of one: only the first one, a copy, jumps about; the compiler makes vector code of the other
    /// two (2 samples an instruction become 8).
    fn sum_along_taps<const TAPS: usize, const PAIRS: usize>(&self, scratch: &mut Scratch, target: &mut [u8]) {
        let (gathered, _) = scratch.gathered.as_chunks_mut::<TAPS>();
        for (samples, &start) in gathered.iter_mut().zip(&self.starts) {
            *samples = *scratch.row[start as usize..].first_chunk().expect("the row is padded by its taps");
        }
        let (samples, _) = scratch.gathered.as_chunks::<2>();
        let (weights, _) = self.weights.as_chunks::<2>();
        for ((pair, samples), weights) in scratch.pairs.iter_mut().zip(samples).zip(weights) {
            let product = |tap: usize| i32::from(samples[tap]) * i32::from(weights[tap]);
            *pair = product(0) + product(1);
        }
        let (sums, _) = scratch.pairs.as_chunks::<PAIRS>();
        for (out, pairs) in target.iter_mut().zip(sums) {
            *out = narrow(pairs.iter().sum());
        }
    }
}

/// `row` = Σ weights[k] · lines[k], the first writing pass of a vertical sum; below 2^15 because the weights sum to 2^7.
fn weigh_rows<const TAPS: usize>(row: &mut [i16], lines: &[&[u8]; 4], weights: &[i16; 4]) {
    let length = row.len();
    let lines: [&[u8]; TAPS] = std::array::from_fn(|tap| &lines[tap][..length]);
    for (index, sum) in row.iter_mut().enumerate() {
        let mut value = 0;
        for tap in 0..TAPS {
            value += weights[tap] * i16::from(lines[tap][index]);
        }
        *sum = value;
    }
}

#[inline]
fn narrow(sum: i32) -> u8 {
    const BITS: u32 = VERTICAL_BITS + HORIZONTAL_BITS;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "weights sum to 2^BITS: at most 255")]
    {
        ((sum + (1 << (BITS - 1))) >> BITS) as u8
    }
}

/// The inputs below output `index` when shrinking, weighted by how much of each it covers.
fn area(source: u32, target: u32, index: u32) -> (u32, Vec<f64>) {
    let ratio = f64::from(source) / f64::from(target);
    let (from, to) = (f64::from(index) * ratio, f64::from(index + 1) * ratio);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions lie inside the source")]
    let (first, last) = (from.floor() as u32, ((to - 1e-9).ceil() as u32).min(source));
    let covered = |input: u32| (to.min(f64::from(input + 1)) - from.max(f64::from(input))).max(0.0);
    (first, (first..last).map(covered).collect())
}

/// The two inputs around output `index` when growing or keeping the size.
fn bilinear(source: u32, target: u32, index: u32) -> (u32, Vec<f64>) {
    let centre = (f64::from(index) + 0.5) * f64::from(source) / f64::from(target) - 0.5;
    let centre = centre.clamp(0.0, f64::from(source - 1));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the source")]
    let first = centre.floor() as u32;
    let fraction = centre - f64::from(first);
    if fraction < 1e-9 { (first, vec![1.0]) } else { (first, vec![1.0 - fraction, fraction]) }
}

/// Weights as integers that sum to exactly 2^`bits`, so that a flat picture stays flat: what rounding leaves over goes from
/// each weight to the next.
fn round_weights(weights: &[f64], bits: u32) -> Vec<i16> {
    let whole = f64::from(1_u32 << bits) / weights.iter().sum::<f64>();
    let (mut exact, mut given) = (0.0, 0);
    let round = |weight: &f64| {
        exact += weight * whole;
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^14")]
        let sum = f64::round(exact) as i16;
        let share = sum - given;
        given = sum;
        share
    };
    weights.iter().map(round).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn weights_sum_up_and_stay_inside(source in 1_u32..3000, target in 1_u32..1500, bits in prop::sample::select(vec![7_u32, 14])) {
            let axis = Axis::new(source, target, bits);
            prop_assert_eq!(axis.starts.len(), target as usize);
            for (start, weights) in axis.starts.iter().zip(axis.weights.chunks(axis.taps)) {
                prop_assert_eq!(weights.iter().map(|&weight| i32::from(weight)).sum::<i32>(), 1 << bits);
                prop_assert!(weights.iter().all(|&weight| weight >= 0));
                let used = weights.iter().rposition(|&weight| weight != 0).unwrap();
                prop_assert!(*start as usize + used < source as usize);
            }
        }

        #[test]
        fn scaling_stays_close_to_real_numbers(
            (width, height) in (1_usize..90, 1_usize..60), (to_width, to_height) in (1_u32..60, 1_u32..60), seed in any::<u64>(),
        ) {
            let noise = |n: usize| (seed.wrapping_add(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            let samples: Vec<u8> = (0..width * height).map(noise).collect();
            let got = scaled(&samples, width, height, to_width, to_height);
            let want = reference(&samples, width, height, to_width, to_height);
            // Weights down a column have 7 bits: the more rows a pixel covers, the more roundings add up, on noise most of all.
            let rows = (height as f64 / f64::from(to_height)).max(1.0);
            for (got, want) in got.iter().zip(&want) {
                prop_assert!((f64::from(*got) - want).abs() <= 4.0 + rows / 4.0, "{got} is not {want}");
            }
        }
    }

    #[test]
    fn flat_stays_flat_and_identity_is_exact() {
        for (to_width, to_height) in [(126, 70), (318, 178), (640, 360), (1280, 720), (320, 70)] {
            for level in [16, 127, 235, 255] {
                let got = scaled(&vec![level; 320 * 180], 320, 180, to_width, to_height);
                assert!(got.iter().all(|&sample| sample == level), "{level} at {to_width}x{to_height}");
            }
        }
        let samples: Vec<u8> = (0..64 * 48).map(|n| (n * 7 % 251) as u8).collect();
        assert_eq!(scaled(&samples, 64, 48, 64, 48), samples);
    }

    fn scaled(samples: &[u8], width: usize, height: usize, to_width: u32, to_height: u32) -> Vec<u8> {
        let mut scaler = Scaler::default();
        let plan = scaler.plan(Size::new(width as u32, height as u32), Size::new(to_width, to_height));
        let mut data = vec![0; (to_width * to_height) as usize];
        let plane = PlaneMut { data: &mut data, stride: to_width as usize, step: 1 };
        let rect = Rect { x: 0, y: 0, width: to_width, height: to_height };
        scaler.scale(&plan, PlaneRef { data: samples, stride: width }, plane, &rect, None);
        data
    }

    fn reference(samples: &[u8], width: usize, height: usize, to_width: u32, to_height: u32) -> Vec<f64> {
        let weights = |source: usize, target: u32, index: u32| {
            let (start, mut weights) = if source > target as usize {
                area(source as u32, target, index)
            } else {
                bilinear(source as u32, target, index)
            };
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= sum);
            (start as usize, weights)
        };
        let mut out = Vec::new();
        for y in 0..to_height {
            let (top, rows) = weights(height, to_height, y);
            for x in 0..to_width {
                let (left, columns) = weights(width, to_width, x);
                let row_sum = |dy: usize| -> f64 {
                    let at = |dx: usize| f64::from(samples[(top + dy) * width + left + dx]);
                    columns.iter().enumerate().map(|(dx, weight)| weight * at(dx)).sum()
                };
                out.push(rows.iter().enumerate().map(|(dy, weight)| weight * row_sum(dy)).sum());
            }
        }
        out
    }
}
