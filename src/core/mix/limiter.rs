//! **The question:** how does a sum of voices stay below full scale without clipping? A gain that looks ahead at the
//! true peaks, has fallen smoothly before one comes, and recovers slowly.

use std::collections::VecDeque;

use crate::base::limits;
use crate::core::mix::true_peak::{PHASE_RISE, TAPS, TruePeak};

/// Highest true peak the gain aims at: −1 dBTP, what EBU R 128 allows.
const CEILING: f32 = 0.891;
/// Samples in which the gain falls: 3 ms.
const ATTACK_FRAMES: usize = 144;
/// Samples of delay: while they wait, the gain falls for them. The detector itself is late by up to its taps.
pub const LIMITER_DELAY_FRAMES: usize = ATTACK_FRAMES + TAPS;
/// How much of the way back to unity the gain goes in a sample: a time constant of 150 ms.
const RELEASE: f32 = 1.0 / (0.150 * limits::SAMPLE_RATE as f32);
/// What is left of a recovery beyond this is none: four thousandths of a decibel. (Nearer to one, a step is below an
/// f32's grain.)
const RECOVERED: f32 = 0.9995;
/// No sample is louder than this; what comes in beyond is a fault somewhere, and silenced.
const SANE: f32 = 1e6;

/// The limiter of one mix: stereo, both channels turned down alike. Delays by `LIMITER_DELAY_FRAMES`.
#[derive(Debug, Clone)]
pub struct Limiter {
    /// The last samples of the block before, not yet put out.
    delayed: Box<[f32; LIMITER_DELAY_FRAMES * 2]>,
    detectors: [TruePeak; 2],
    /// Samples since the start.
    now: u64,
    /// Gains below one that are needed and not yet over, rising, each with its sample.
    needed: VecDeque<(u64, f32)>,
    /// Falls at once with what is needed, recovers slowly.
    released: f32,
    /// The last `ATTACK_FRAMES` of `released`, whose mean is the gain, and their sum.
    recent: Box<[f32; ATTACK_FRAMES]>,
    sum: f64,
    /// The gain is one, and has been throughout `recent`.
    idle: bool,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            delayed: Box::new([0.0; LIMITER_DELAY_FRAMES * 2]),
            detectors: [TruePeak::new(), TruePeak::new()],
            now: 0,
            needed: VecDeque::with_capacity(LIMITER_DELAY_FRAMES + 1),
            released: 1.0,
            recent: Box::new([1.0; ATTACK_FRAMES]),
            sum: ATTACK_FRAMES as f64,
            idle: true,
        }
    }
}

impl Limiter {
    /// Brings a block of interleaved stereo below −1 dBTP; it comes out late by `LIMITER_DELAY_FRAMES`. What is quiet
    /// enough is only delayed.
    pub fn apply(&mut self, block: &mut [f32; limits::PCM_SAMPLES]) {
        let peak = sane_peak(block);
        // The detector's memory may hold a louder block's end, so that the block after it is looked at too.
        let quiet = peak * PHASE_RISE < CEILING && self.detectors.iter().all(|d| d.tail_peak() * PHASE_RISE < CEILING);
        for (channel, detector) in self.detectors.iter_mut().enumerate() {
            detector.take(block, channel);
        }
        if quiet && self.idle {
            self.delay(block);
            self.now += limits::PCM_FRAMES as u64;
            return;
        }
        let [left, right] = &mut self.detectors;
        let (left, right) = (left.peaks(), right.peaks());
        let mut gains = [1.0; limits::PCM_FRAMES];
        for (n, gain) in gains.iter_mut().enumerate() {
            let peak = left[n].max(right[n]);
            *gain = if peak > CEILING { CEILING / peak } else { 1.0 };
        }
        gains.iter_mut().for_each(|gain| *gain = self.next_gain(*gain));
        self.delay(block);
        for (pair, gain) in block.chunks_exact_mut(2).zip(&gains) {
            pair[0] *= gain;
            pair[1] *= gain;
        }
        self.idle = self.released == 1.0 && self.recent.iter().all(|gain| *gain == 1.0);
        if self.idle {
            self.sum = ATTACK_FRAMES as f64;
        }
    }

    /// The gain that recovers now, 0 to 1.
    #[must_use]
    pub fn gain(&self) -> f32 {
        self.released
    }

    /// One sample on: what it needs goes in, the gain for the one that leaves the delay comes out.
    fn next_gain(&mut self, needed: f32) -> f32 {
        if needed < 1.0 {
            while self.needed.back().is_some_and(|(_, gain)| *gain >= needed) {
                self.needed.pop_back();
            }
            self.needed.push_back((self.now, needed));
        }
        // A need holds until its sample, and the detector's lateness, have left the delay.
        if self.needed.front().is_some_and(|(since, _)| since + (LIMITER_DELAY_FRAMES as u64) < self.now) {
            self.needed.pop_front();
        }
        let least = self.needed.front().map_or(1.0, |(_, gain)| *gain);
        let recovered = self.released + (1.0 - self.released) * RELEASE;
        self.released = least.min(if recovered > RECOVERED { 1.0 } else { recovered });
        let slot = (self.now % ATTACK_FRAMES as u64) as usize;
        self.sum += f64::from(self.released) - f64::from(self.recent[slot]);
        self.recent[slot] = self.released;
        self.now += 1;
        (self.sum / ATTACK_FRAMES as f64) as f32
    }

    /// Puts out what waited, and keeps the block's end.
    fn delay(&mut self, block: &mut [f32; limits::PCM_SAMPLES]) {
        let waits = LIMITER_DELAY_FRAMES * 2;
        block.rotate_right(waits);
        self.delayed.swap_with_slice(&mut block[..waits]);
    }
}

/// The highest magnitude; what is no sample is silenced.
fn sane_peak(block: &mut [f32; limits::PCM_SAMPLES]) -> f32 {
    let mut peak = 0.0_f32;
    for sample in block.iter_mut() {
        if sample.is_nan() || sample.abs() > SANE {
            *sample = 0.0;
        }
        peak = peak.max(sample.abs());
    }
    peak
}

#[cfg(test)]
mod tests;
