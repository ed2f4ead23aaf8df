//! **The question:** which input samples does each output sample weigh, and how much? Whole-number weights, computed
//! once for each pair of extents, that the processor's `scale` kernel and the GPU's read alike.
//!
//! Shrinking weighs by area: each output sample is the mean of what it covers, which lets no frequency through that the
//! output cannot carry and rings nowhere. Growing is bilinear.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::base::limits;
use crate::base::media::Size;
#[cfg(target_arch = "x86_64")]
use crate::engine::compose::lanes::Lanes;

/// Vertical weights sum to 2^8: a weighted column of bytes stays below 2^16 and needs no rounding.
pub(super) const VERTICAL_BITS: u32 = 8;
/// Horizontal weights sum to 2^14, the largest power that fits a signed 16-bit value.
pub(super) const HORIZONTAL_BITS: u32 = 14;

/// For each output position of one axis: which inputs, with which weights.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Axis {
    window: Range<usize>,
    starts: Vec<u32>,
    /// `taps` weights for each output position, zero-padded.
    weights: Vec<i16>,
    taps: usize,
    /// The same for vectors of outputs; along rows only.
    #[cfg(target_arch = "x86_64")]
    lanes: Option<Lanes>,
}

/// What part of a source is shown: luma pixels, even.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Crop {
    /// Its left upper corner.
    pub(super) x: u32,
    /// Its left upper corner.
    pub(super) y: u32,
    /// Its extent.
    pub(super) size: Size,
}

/// Axes that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Axes(HashMap<(u32, u32, u32, u32), Arc<Axis>>);

impl Axes {
    /// The weights that draw `crop` of a picture of `source` at `target` (even): luma across, luma down, chroma across,
    /// down.
    pub(super) fn of(&mut self, source: Size, crop: Crop, target: Size) -> [Arc<Axis>; 4] {
        // A source of odd extent has a last chroma sample of its own: it belongs to the window.
        let half = |from: u32, length: u32, whole: u32| {
            let from = from / 2;
            (from, if from * 2 + length >= whole { whole.div_ceil(2) - from } else { length / 2 })
        };
        let across = half(crop.x, crop.size.width, source.width);
        let down = half(crop.y, crop.size.height, source.height);
        [
            self.axis((crop.x, crop.size.width), target.width, HORIZONTAL_BITS),
            self.axis((crop.y, crop.size.height), target.height, VERTICAL_BITS),
            self.axis(across, target.width / 2, HORIZONTAL_BITS),
            self.axis(down, target.height / 2, VERTICAL_BITS),
        ]
    }

    fn axis(&mut self, (from, length): (u32, u32), target: u32, bits: u32) -> Arc<Axis> {
        if self.0.len() >= limits::SCALE_AXES_MAX {
            self.0.clear();
        }
        let make = || Arc::new(Axis::new(from, length, target, bits));
        self.0.entry((from, length, target, bits)).or_insert_with(make).clone()
    }
}

impl Axis {
    /// Weights that draw the inputs `from..from + length` as `target` outputs; they sum to 2^`bits`.
    pub(super) fn new(from: u32, length: u32, target: u32, bits: u32) -> Self {
        let position =
            |index| if length > target { area(length, target, index) } else { bilinear(length, target, index) };
        let positions: Vec<(u32, Vec<f64>)> = (0..target).map(position).collect();
        let widest = positions.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1);
        // The horizontal kernels are made for 2, 4 and 8 taps; a few zero weights cost less than a loop of odd length.
        let taps = match widest {
            0..=2 => 2,
            3..=4 => 4,
            5..=8 => 8,
            more => more.next_multiple_of(2),
        };
        let mut axis = Self {
            window: from as usize..(from + length) as usize,
            starts: Vec::with_capacity(positions.len()),
            weights: Vec::with_capacity(positions.len() * taps),
            taps,
            #[cfg(target_arch = "x86_64")]
            lanes: None,
        };
        for (start, weights) in positions {
            axis.starts.push(from + start);
            axis.weights.extend(round_weights(&weights, bits));
            axis.weights.resize(axis.starts.len() * taps, 0);
        }
        #[cfg(target_arch = "x86_64")]
        if bits == HORIZONTAL_BITS {
            axis.lanes = Lanes::of(axis.window.start, &axis.starts, &axis.weights, taps);
        }
        axis
    }

    /// The inputs that are looked at.
    pub(super) fn window(&self) -> Range<usize> {
        self.window.clone()
    }

    /// The first input of each output.
    pub(super) fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// `taps` weights for each output; those behind the last input are zero.
    pub(super) fn weights(&self) -> &[i16] {
        &self.weights
    }

    /// Weights for each output: 2, 4, 8, or a larger even number.
    pub(super) fn taps(&self) -> usize {
        self.taps
    }

    /// The same weights, laid out for vectors; `None` down columns and where outputs lie far apart.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn lanes(&self) -> Option<&Lanes> {
        self.lanes.as_ref()
    }

    /// Whether each output is one input.
    pub(super) fn is_identity(&self) -> bool {
        self.window.len() == self.starts.len()
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

/// Weights as integers that sum to exactly 2^`bits`, so that a flat picture stays flat: what rounding leaves over goes
/// from each weight to the next.
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
        fn weights_sum_up_and_stay_inside(
            from in 0_u32..50, length in 1_u32..3000, target in 1_u32..1500,
            bits in prop::sample::select(vec![VERTICAL_BITS, HORIZONTAL_BITS]),
        ) {
            let axis = Axis::new(from, length, target, bits);
            prop_assert_eq!(axis.starts.len(), target as usize);
            for (start, weights) in axis.starts.iter().zip(axis.weights.chunks(axis.taps)) {
                prop_assert_eq!(weights.iter().map(|&weight| i32::from(weight)).sum::<i32>(), 1 << bits);
                prop_assert!(weights.iter().all(|&weight| weight >= 0));
                let used = weights.iter().rposition(|&weight| weight != 0).unwrap();
                prop_assert!(*start >= from && *start as usize + used < axis.window.end);
            }
        }

        #[test]
        fn chroma_windows_cover_what_luma_shows(
            (width, height) in (2_u32..400, 2_u32..400), (x, y) in (0_u32..100, 0_u32..100),
            (w, h) in (1_u32..200, 1_u32..200),
        ) {
            let x = (x * 2).min(width - 1) & !1;
            let y = (y * 2).min(height - 1) & !1;
            let even = |length: u32, from: u32, whole: u32| (length * 2).min(whole - from);
            let size = Size::new(even(w, x, width), even(h, y, height));
            let axes = Axes::default().of(Size::new(width, height), Crop { x, y, size }, Size::new(64, 36));
            prop_assert_eq!(axes[0].window(), x as usize..(x + size.width) as usize);
            prop_assert_eq!(axes[2].window(), x as usize / 2..(x + size.width).div_ceil(2) as usize);
            prop_assert_eq!(axes[3].window(), y as usize / 2..(y + size.height).div_ceil(2) as usize);
        }
    }
}
