//! **The question:** how finely is each band of a channel written? By how much noise its neighbours and itself hide
//! (3GPP TS 26.403, sections 5.4 and 5.6, much simplified), and coarser by as much as the bits want.

use crate::engine::encode::aac::bits::{BitWriter, ZERO, sections, write, write_sections};
use crate::engine::encode::aac::mdct::{HALF, Mdct};
use crate::engine::encode::aac::tables::{BANDS, SCALE};

/// Bands that are written: up to 17 kHz.
pub(super) const USED_BANDS: usize = 42;
/// How far noise lies below what hides it: 26 dB, which a mix of voices affords at this rate.
const HIDDEN: f32 = 0.0025;
/// What a band hides of the one above it, and of the one below.
const SPREAD_UP: f32 = 0.05;
const SPREAD_DOWN: f32 = 0.003;
/// Noise that nobody hears in any room, for each coefficient: some −96 dB of full scale, as this transform has it.
const QUIET: f32 = 700.0;
/// Scale factors count steps of 1.5 dB from here (ISO/IEC 14496-3, section 4.6.2.3.3).
const SCALE_ZERO: i32 = 100;
/// The largest value of a coefficient (section 4.6.1.3), and what is added before the fraction is cut off.
const LARGEST_VALUE: f32 = 8191.0;
const ROUND: f32 = 0.405;
/// Differences of scale factors have codes up to this.
const LARGEST_STEP: i32 = 60;

/// One channel's samples.
pub(super) struct Channel {
    /// The last packet's, and this one's.
    samples: Vec<f32>,
}

impl Channel {
    pub(super) fn new() -> Self {
        Self { samples: vec![0.0; 2 * HALF] }
    }

    /// Takes a packet's samples, in units of 16 bits.
    pub(super) fn take(&mut self, samples: impl Iterator<Item = f32>, mdct: &mut Mdct, out: &mut [f32; HALF]) {
        self.samples.copy_within(HALF.., 0);
        self.samples[HALF..].iter_mut().zip(samples).for_each(|(to, from)| *to = from);
        mdct.transform(&self.samples, out);
    }
}

/// How much noise nobody hears, by bands, where two channels are heard at once: by the one that hides less.
pub(super) fn heard(left: &[f32; HALF], right: &[f32; HALF]) -> [f32; USED_BANDS] {
    let [left, right] = [left, right].map(hidden);
    std::array::from_fn(|band| left[band].min(right[band]))
}

fn hidden(coefficients: &[f32; HALF]) -> [f32; USED_BANDS] {
    let energy: [f32; USED_BANDS] =
        std::array::from_fn(|band| coefficients[BANDS[band]..BANDS[band + 1]].iter().map(|value| value * value).sum());
    let mut spread = energy;
    for band in 1..USED_BANDS {
        spread[band] = spread[band].max(spread[band - 1] * SPREAD_UP);
    }
    for band in (0..USED_BANDS - 1).rev() {
        spread[band] = spread[band].max(spread[band + 1] * SPREAD_DOWN);
    }
    std::array::from_fn(|band| {
        let quiet = QUIET * (BANDS[band + 1] - BANDS[band]) as f32;
        (spread[band] * HIDDEN).max(quiet)
    })
}

/// A channel's coefficients, and how finely they want to be written.
pub(super) struct Spectrum {
    coefficients: [f32; HALF],
    /// Their magnitudes, by the power that quantising takes.
    powers: [f32; HALF],
    scales: [i32; USED_BANDS],
    /// Below this a band's largest value has no code.
    scales_min: [i32; USED_BANDS],
}

impl Spectrum {
    pub(super) fn new(coefficients: [f32; HALF], noise: &[f32; USED_BANDS]) -> Self {
        let powers = coefficients.map(|value| value.abs().powf(0.75));
        let (mut scales, mut scales_min) = ([0; USED_BANDS], [0; USED_BANDS]);
        for band in 0..USED_BANDS {
            let of = &coefficients[BANDS[band]..BANDS[band + 1]];
            // Section 5.6.2 of TS 26.403: noise as the band's form wants it.
            let form: f32 = of.iter().map(|value| value.abs().sqrt()).sum();
            let wanted = 8.8585 * ((6.75 * noise[band]).log10() - form.max(1e-3).log10());
            let largest = of.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            scales_min[band] = (4.0 * (largest.max(1.0) / LARGEST_VALUE.powf(4.0 / 3.0)).log2()).ceil() as i32;
            scales[band] = (wanted.floor() as i32).clamp(-SCALE_ZERO, 155);
        }
        Self { coefficients, powers, scales, scales_min }
    }

    /// As coarse as that beyond what it wants.
    pub(super) fn quantized(&self, coarser: i32) -> Quantized {
        let mut scales = self.scales;
        for (scale, least) in scales.iter_mut().zip(self.scales_min) {
            *scale = (*scale + coarser).max(least).min(155);
        }
        // So that any two differ by no more than has a code.
        let coarsest = scales.iter().copied().max().unwrap_or(0);
        scales.iter_mut().for_each(|scale| *scale = (*scale).max(coarsest - LARGEST_STEP));
        let mut values = [0; HALF];
        for band in 0..USED_BANDS {
            let factor = (-0.1875 * scales[band] as f32).exp2();
            let of = BANDS[band]..BANDS[band + 1];
            let magnitudes = self.powers[of.clone()].iter().zip(&self.coefficients[of.clone()]);
            for (value, (power, coefficient)) in values[of].iter_mut().zip(magnitudes) {
                let magnitude = (power * factor + ROUND).min(LARGEST_VALUE) as i32;
                *value = if *coefficient < 0.0 { -magnitude } else { magnitude };
            }
        }
        let (books, value_bits) = sections(&values, USED_BANDS);
        // A band of nothing that shares its neighbour's book has its neighbour's scale.
        let mut last = None;
        for band in (0..USED_BANDS).filter(|band| books[*band] != ZERO) {
            let is_nothing = values[BANDS[band]..BANDS[band + 1]].iter().all(|value| *value == 0);
            if let Some(last) = last.filter(|_| is_nothing) {
                scales[band] = last;
            }
            last = Some(scales[band]);
        }
        Quantized { values, scales, books, value_bits }
    }
}

/// What is written.
pub(super) struct Quantized {
    values: [i32; HALF],
    scales: [i32; USED_BANDS],
    books: Vec<usize>,
    value_bits: u32,
}

impl Quantized {
    /// How many bits that takes.
    pub(super) fn bits(&self) -> u32 {
        let (_, differences) = self.differences();
        self.value_bits + 8 + 3 + differences.iter().map(|code| code >> 20).sum::<u32>() + 9
    }

    /// `individual_channel_stream` (table 4.50) of a common window.
    pub(super) fn write(&self, out: &mut BitWriter) {
        let (first, differences) = self.differences();
        out.put((first + SCALE_ZERO) as u32, 8);
        write_sections(&self.books, out);
        differences.iter().for_each(|code| out.code(*code));
        // Neither pulses, nor noise shaping in time, nor gain control.
        out.put(0, 3);
        for (band, book) in self.books.iter().enumerate() {
            write(*book, &self.values[BANDS[band]..BANDS[band + 1]], out);
        }
    }

    /// The first scale, and the codes of how each differs from the one before.
    fn differences(&self) -> (i32, Vec<u32>) {
        let written =
            || self.scales.iter().zip(&self.books).filter(|(_, book)| **book != ZERO).map(|(scale, _)| *scale);
        let first = written().next().unwrap_or(0);
        let mut last = first;
        let codes = written().map(|scale| {
            let step = (scale - last).clamp(-LARGEST_STEP, LARGEST_STEP);
            last = scale;
            SCALE[(step + LARGEST_STEP) as usize]
        });
        (first, codes.collect())
    }
}
