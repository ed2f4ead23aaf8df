//! **The question:** how does AVX-512 scale? As `scale` does, to the last bit, but 64 samples of a column sum and 16
//! outputs of a row at once: an output's inputs are picked out of two registers instead of being loaded one by one.
//!
//! Plain loops compiled for AVX-512 took 2.2 ms for 100 pictures of 320×180 on 126×70; this takes 0.8 ms.

use std::arch::x86_64::{
    _mm_mask_storeu_epi8, _mm512_add_epi16, _mm512_add_epi32, _mm512_cvtepi32_epi8, _mm512_load_si512,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_maddubs_epi16, _mm512_maskz_loadu_epi8, _mm512_permutex2var_epi16,
    _mm512_permutex2var_epi64, _mm512_set_epi64, _mm512_set1_epi8, _mm512_set1_epi16, _mm512_set1_epi32,
    _mm512_setzero_si512, _mm512_srli_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi8, _mm512_unpacklo_epi8,
    _mm512_xor_si512,
};
use std::ops::Range;

use crate::base::media::PlaneRef;
use crate::engine::compose::lanes::{Lanes, WINDOW};
use crate::engine::compose::scale::{Axis, HORIZONTAL_BITS, VERTICAL_BITS};

/// Rows that share the loading of weights.
pub(super) const BATCH: usize = 4;
/// Bytes of a register.
const REGISTER: usize = 64;
const BITS: u32 = VERTICAL_BITS + HORIZONTAL_BITS;
/// What is taken off each sample (half of 2^16) times the weights along a row, and the half that rounds.
const BIAS: i32 = (1 << (15 + HORIZONTAL_BITS)) + (1 << (BITS - 1));

/// Whether this processor can.
pub(super) fn available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
}

/// Weighs a plane by two axes.
pub(super) struct Wide<'a> {
    pub(super) across: &'a Axis,
    pub(super) lanes: &'a Lanes,
    pub(super) down: &'a Axis,
    pub(super) source: PlaneRef<'a>,
}

impl Wide<'_> {
    /// Writes output rows `rows`, at most [`BATCH`], to `target`, whose rows are `stride` apart; `scratch` is kept
    /// between calls.
    pub(super) fn draw(&self, rows: Range<usize>, scratch: &mut Vec<i16>, target: &mut [u8], stride: usize) {
        assert!(available(), "asked for before");
        // SAFETY: the processor has just been asked.
        unsafe { self.draw_rows(rows, scratch, target, stride) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn draw_rows(&self, rows: Range<usize>, scratch: &mut Vec<i16>, target: &mut [u8], stride: usize) {
        // A window may begin at the last input, and whole registers are written.
        let length = self.across.window().len().next_multiple_of(REGISTER) + WINDOW;
        scratch.resize(length * BATCH, 0);
        for (index, row) in rows.clone().zip(scratch.chunks_exact_mut(length)) {
            self.sum_rows(index, row);
        }
        if rows.len() == BATCH {
            self.sum_along::<BATCH>(scratch, target, stride);
        } else {
            for (index, row) in scratch.chunks_exact(length).take(rows.len()).enumerate() {
                self.sum_along::<1>(row, &mut target[index * stride..], stride);
            }
        }
    }

    /// `row` becomes the weighted sum of the source rows of output row `index`, scaled by 2^8, less 2^15.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn sum_rows(&self, index: usize, row: &mut [i16]) {
        let (window, taps) = (self.across.window(), self.down.taps());
        let weights = &self.down.weights()[index * taps..(index + 1) * taps];
        let used = weights.iter().rposition(|&weight| weight != 0).map_or(1, |last| last + 1);
        let start = self.down.starts()[index] as usize;
        let lines = |tap: usize| Lines {
            data: &self.source.data[(start + tap) * self.source.stride + window.start..],
            stride: self.source.stride,
            width: window.len(),
        };
        // A whole weight, 2^8, is one more than a byte holds, and alone: its line takes both halves of a pair.
        if let Some(tap) = weights[..used].iter().position(|&weight| weight == 1 << VERTICAL_BITS) {
            return weigh::<1, false>(&Lines { stride: 0, ..lines(tap) }, &[255, 1], row);
        }
        for first in (0..used).step_by(8) {
            let part = &weights[first..used.min(first + 8)];
            match (part.len(), first > 0) {
                (1 | 2, false) => weigh::<1, false>(&lines(first), part, row),
                (3 | 4, false) => weigh::<2, false>(&lines(first), part, row),
                (5 | 6, false) => weigh::<3, false>(&lines(first), part, row),
                (_, false) => weigh::<4, false>(&lines(first), part, row),
                (_, true) => weigh::<4, true>(&lines(first), part, row),
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn sum_along<const ROWS: usize>(&self, rows: &[i16], target: &mut [u8], stride: usize) {
        match self.lanes.pairs {
            1 => self.sum_pairs::<1, ROWS>(rows, target, stride),
            2 => self.sum_pairs::<2, ROWS>(rows, target, stride),
            3 => self.sum_pairs::<3, ROWS>(rows, target, stride),
            _ => self.sum_pairs::<4, ROWS>(rows, target, stride),
        }
    }

    /// Output rows become weighted sums along `ROWS` rows that lie one after the other.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn sum_pairs<const PAIRS: usize, const ROWS: usize>(&self, rows: &[i16], target: &mut [u8], stride: usize) {
        let width = self.across.starts().len();
        let length = rows.len() / ROWS;
        assert!(target.len() >= (ROWS - 1) * stride + width, "the rows are inside");
        let ((picks, _), (weights, _)) =
            (self.lanes.picks.as_chunks::<PAIRS>(), self.lanes.weights.as_chunks::<PAIRS>());
        for (index, ((&base, picks), weights)) in self.lanes.bases.iter().zip(picks).zip(weights).enumerate() {
            let (mut pick, mut weight) = ([_mm512_setzero_si512(); PAIRS], [_mm512_setzero_si512(); PAIRS]);
            for pair in 0..PAIRS {
                // SAFETY: a lane is 64 bytes and lies at a multiple of 64.
                unsafe {
                    pick[pair] = _mm512_load_si512(picks[pair].0.as_ptr().cast());
                    weight[pair] = _mm512_load_si512(weights[pair].0.as_ptr().cast());
                }
            }
            let x = index * self.lanes.group;
            let seen = (width - x).min(self.lanes.group);
            #[expect(clippy::cast_possible_truncation, reason = "at most 16 bits are set")]
            let mask = ((1_u32 << seen) - 1) as u16;
            for row in 0..ROWS {
                let window: &[i16; WINDOW] =
                    rows[row * length + base as usize..].first_chunk().expect("rows end a window after their samples");
                // SAFETY: both read 32 of the window's 64 samples.
                let (near, far) = unsafe {
                    (_mm512_loadu_si512(window.as_ptr().cast()), _mm512_loadu_si512(window[32..].as_ptr().cast()))
                };
                let mut sum = _mm512_set1_epi32(BIAS);
                for pair in 0..PAIRS {
                    let picked = _mm512_permutex2var_epi16(near, pick[pair], far);
                    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(picked, weight[pair]));
                }
                let bytes = _mm512_cvtepi32_epi8(_mm512_srli_epi32::<BITS>(sum));
                // SAFETY: the mask lets through the `seen` bytes from `x` that `width` has left; the row is inside
                // (asserted).
                unsafe { _mm_mask_storeu_epi8(target.as_mut_ptr().add(row * stride + x).cast(), mask, bytes) };
            }
        }
    }
}

/// Rows of a plane, `stride` apart, of which `width` samples are looked at.
struct Lines<'a> {
    data: &'a [u8],
    stride: usize,
    width: usize,
}

/// `row` = Σ `weights[k] · lines[k]` − 2^15, or more of it if `MORE`. Samples less 128 are signed bytes and weights
/// unsigned ones, so that one instruction multiplies 64 of them and adds pairs: at most 2^8 · 2^7, which a signed
/// 16-bit sum holds.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn weigh<const PAIRS: usize, const MORE: bool>(lines: &Lines<'_>, weights: &[i16], row: &mut [i16]) {
    let Lines { data, stride, width } = *lines;
    let last = weights.len() - 1;
    assert!(data.len() >= last * stride + width && last < 2 * PAIRS, "the lines are inside");
    assert!(row.len() >= width.next_multiple_of(REGISTER), "whole registers are written");
    // Where each line begins; beyond the last one its samples come again, with no weight.
    let (mut shares, mut starts) = ([_mm512_setzero_si512(); PAIRS], [(0, 0); PAIRS]);
    for pair in 0..PAIRS {
        let (first, second) = (2 * pair, 2 * pair + 1);
        let share = |tap: usize| weights.get(tap).map_or(0, |&weight| weight.cast_unsigned());
        shares[pair] = _mm512_set1_epi16((share(first) | share(second) << 8).cast_signed());
        starts[pair] = (first.min(last) * stride, second.min(last) * stride);
    }
    let middle = _mm512_set1_epi8(i8::MIN);
    // Unpacking interleaves within quarters of a register; these put the quarters back in line.
    let lower = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    let upper = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    for x in (0..width).step_by(REGISTER) {
        let mask = u64::MAX >> (REGISTER - (width - x).min(REGISTER));
        let (mut even, mut odd) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for pair in 0..PAIRS {
            let (first, second) = starts[pair];
            // SAFETY: the mask lets through what each line has from `x` on; the last line ends inside (asserted).
            let (first, second) = unsafe {
                let at = data.as_ptr().add(x);
                (
                    _mm512_maskz_loadu_epi8(mask, at.add(first).cast()),
                    _mm512_maskz_loadu_epi8(mask, at.add(second).cast()),
                )
            };
            let (first, second) = (_mm512_xor_si512(first, middle), _mm512_xor_si512(second, middle));
            even = _mm512_add_epi16(even, _mm512_maddubs_epi16(shares[pair], _mm512_unpacklo_epi8(first, second)));
            odd = _mm512_add_epi16(odd, _mm512_maddubs_epi16(shares[pair], _mm512_unpackhi_epi8(first, second)));
        }
        let (left, right) = (_mm512_permutex2var_epi64(even, lower, odd), _mm512_permutex2var_epi64(even, upper, odd));
        for (part, sums) in row[x..x + REGISTER].as_chunks_mut::<32>().0.iter_mut().zip([left, right]) {
            // SAFETY: a part is as long as a register.
            unsafe {
                let sums = if MORE { _mm512_add_epi16(sums, _mm512_loadu_si512(part.as_ptr().cast())) } else { sums };
                _mm512_storeu_si512(part.as_mut_ptr().cast(), sums);
            }
        }
    }
}
