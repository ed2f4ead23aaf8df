//! **The question:** how does a voice play a little faster or slower without a click and at its pitch? One pitch period
//! is left out or played twice, with an overlap-add of 10 ms around the place (WSOLA: Verhelst and Roelands, ICASSP
//! 1993). Samples in, samples out; what to do and when is [`AudioJitter`](crate::core::jitter::AudioJitter)'s decision.

use crate::base::limits;

/// How long old and new are overlapped, and how much of them is compared: 10 ms.
const OVERLAP: usize = 480;
/// The search runs on every sixth sample, 8 kHz: pitch lies far below.
const COARSE: usize = 6;
/// Mean power below which any period will do: −50 dBFS.
const QUIET_POWER: f32 = 1e-5;
/// Among periods that fit about as well as the best one the longest wins: fewer places are touched.
const NEAR_BEST: f32 = 0.03;

/// How alike the sound must be at both ends of what is left out or played twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// Nobody will notice: steady vowels, pauses.
    High,
    /// The best there is: it has waited long enough.
    Any,
}

impl Likeness {
    /// Least normalized cross-correlation.
    fn correlation(self) -> f32 {
        match self {
            Self::High => 0.85,
            Self::Any => -1.0,
        }
    }
}

/// The kernel and its scratch memory, which is taken at the first use: most voices never need it.
#[derive(Debug, Default)]
pub struct Stretcher {
    /// What came before and what waits, interleaved stereo.
    line: Vec<f32>,
    /// The same, mono.
    mono: Vec<f32>,
    /// The same at 8 kHz.
    coarse: Vec<f32>,
}

impl Stretcher {
    /// A kernel without memory as yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shortens `waiting` (interleaved stereo, 48 kHz) near its begin by at most `frames_max` sample pairs, and says by
    /// how many: none when it is too short or nothing in it is alike enough. Its first samples stay as they are.
    pub fn shrink(&mut self, waiting: &mut Vec<f32>, frames_max: usize, likeness: Likeness) -> usize {
        let frames = waiting.len() / 2;
        let longest = limits::STRETCH_FRAMES_MAX.min(frames_max).min(frames.saturating_sub(OVERLAP + COARSE));
        self.line.clear();
        self.line.extend_from_slice(waiting);
        let Some(period) = self.period(0, longest, Direction::Later, likeness) else { return 0 };
        for (n, sample) in waiting[..OVERLAP * 2].iter_mut().enumerate() {
            *sample = blend(n / 2, self.line[n], self.line[n + period * 2]);
        }
        waiting.drain(OVERLAP * 2..(OVERLAP + period) * 2);
        period
    }

    /// Lengthens `waiting` by repeating the end of `played`, the samples right before it, and says by how many sample
    /// pairs: none when either is too short or nothing in them is alike enough. The first sample stays as it is, the
    /// rest comes later.
    pub fn grow(&mut self, played: &[f32], waiting: &mut Vec<f32>, likeness: Likeness) -> usize {
        if waiting.len() < (OVERLAP + COARSE) * 2 {
            return 0;
        }
        let longest = limits::STRETCH_FRAMES_MAX.min(played.len() / 2);
        self.line.clear();
        self.line.extend_from_slice(&played[played.len() - longest * 2..]);
        self.line.extend_from_slice(waiting);
        let Some(period) = self.period(longest, longest, Direction::Earlier, likeness) else { return 0 };
        let (now, before) = (longest * 2, (longest - period) * 2);
        waiting.clear();
        waiting.extend((0..OVERLAP * 2).map(|n| blend(n / 2, self.line[now + n], self.line[before + n])));
        waiting.extend_from_slice(&self.line[before + OVERLAP * 2..]);
        period
    }

    /// The distance from `at` to where the line sounds alike, 120 to `longest` sample pairs.
    fn period(&mut self, at: usize, longest: usize, direction: Direction, likeness: Likeness) -> Option<usize> {
        if longest < limits::STRETCH_FRAMES_MIN {
            return None;
        }
        self.make_mono();
        // Rounded so that `at` lies on the coarse grid's sample that holds it; off by less than one coarse sample.
        let (start, span) = (at / COARSE, OVERLAP / COARSE);
        let score = |lag: usize| {
            let other = direction.from(start, lag)?;
            let (here, there) = (self.coarse.get(start..start + span)?, self.coarse.get(other..other + span)?);
            Some(correlation(here, there))
        };
        let lags = limits::STRETCH_FRAMES_MIN / COARSE..=longest / COARSE;
        let best = lags.clone().filter_map(score).fold(f32::NEG_INFINITY, f32::max);
        if best < likeness.correlation() {
            return None;
        }
        let coarse = lags.rev().find(|lag| score(*lag).is_some_and(|alike| alike >= best - NEAR_BEST))?;
        self.refine(at, coarse * COARSE, longest, direction)
    }

    /// The best period within one coarse step of `about`, at full rate.
    fn refine(&self, at: usize, about: usize, longest: usize, direction: Direction) -> Option<usize> {
        let here = self.mono.get(at..at + OVERLAP)?;
        let first = about.saturating_sub(COARSE - 1).max(limits::STRETCH_FRAMES_MIN);
        let scored = (first..=(about + COARSE - 1).min(longest)).filter_map(|lag| {
            let other = direction.from(at, lag)?;
            Some((lag, correlation(here, self.mono.get(other..other + OVERLAP)?)))
        });
        scored.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(lag, _)| lag)
    }

    fn make_mono(&mut self) {
        self.mono.clear();
        self.mono.extend(self.line.chunks_exact(2).map(|pair| (pair[0] + pair[1]) * 0.5));
        self.coarse.clear();
        self.coarse.extend(self.mono.chunks_exact(COARSE).map(|chunk| chunk.iter().sum::<f32>() / COARSE as f32));
    }
}

/// Where the sound is compared with.
#[derive(Debug, Clone, Copy)]
enum Direction {
    Later,
    Earlier,
}

impl Direction {
    fn from(self, at: usize, lag: usize) -> Option<usize> {
        match self {
            Self::Later => Some(at + lag),
            Self::Earlier => at.checked_sub(lag),
        }
    }
}

/// From `old` to `new` over the overlap; all of `old` at its first frame, so that nothing jumps there.
fn blend(frame: usize, old: f32, new: f32) -> f32 {
    let share = frame as f32 / OVERLAP as f32;
    old + (new - old) * share
}

/// Normalized cross-correlation of two stretches of the same length, 1.0 for two quiet ones.
fn correlation(here: &[f32], there: &[f32]) -> f32 {
    // Sums in lanes, which the compiler puts side by side; both lengths in use are multiples of eight.
    let mut lanes = [[0.0_f32; 8]; 3];
    for (a, b) in here.chunks_exact(8).zip(there.chunks_exact(8)) {
        for (at, (a, b)) in a.iter().zip(b).enumerate() {
            lanes[0][at] += a * b;
            lanes[1][at] += a * a;
            lanes[2][at] += b * b;
        }
    }
    let [both, first, second] = lanes.map(|lane| lane.iter().sum::<f32>());
    if first.max(second) <= QUIET_POWER * here.len() as f32 {
        return 1.0;
    }
    both / (first * second).sqrt().max(f32::MIN_POSITIVE)
}

const _: () = assert!(OVERLAP.is_multiple_of(8 * COARSE));

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice-like sound: a pulse train's first harmonics at `pitch` Hz, a little different in both channels.
    fn voiced(frames: usize, pitch: f32, from: usize) -> Vec<f32> {
        let wave = |n: usize, harmonic: f32| {
            let turns = f64::from(pitch * harmonic) * (from + n) as f64 / 48_000.0;
            (turns.fract() * std::f64::consts::TAU).sin() as f32
        };
        let sum = |n: usize| (1..=6).map(|h| wave(n, h as f32) * 0.2 / h as f32).sum::<f32>();
        (0..frames).flat_map(|n| [sum(n), sum(n) * 0.8]).collect()
    }

    fn noise(frames: usize, amplitude: f32) -> Vec<f32> {
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 40) as f32 / (1 << 23) as f32 - 1.0) * amplitude
        };
        (0..frames * 2).map(|_| next()).collect()
    }

    fn steepest(samples: &[f32]) -> f32 {
        samples.windows(3).map(|w| (w[2] - w[0]).abs()).fold(0.0, f32::max)
    }

    /// Rising zero crossings of the left channel.
    fn cycles(samples: &[f32]) -> usize {
        let left: Vec<f32> = samples.iter().copied().step_by(2).collect();
        left.windows(2).filter(|w| w[0] < 0.0 && w[1] >= 0.0).count()
    }

    /// Ten seconds in ticks of 20 ms, stretched at every fourth; the sound, and what was added or left out.
    fn run(pitch: f32, faster: bool) -> (Vec<f32>, i64) {
        let mut stretcher = Stretcher::new();
        let (mut played, mut waiting, mut made, mut changed) = (Vec::new(), Vec::new(), 0, 0_i64);
        for tick in 0..500 {
            while waiting.len() / 2 < 960 + limits::STRETCH_FRAMES_MAX {
                waiting.extend(voiced(960, pitch, made));
                made += 960;
            }
            if tick % 4 == 3 {
                let frames = waiting.len() as i64 / 2;
                let by = if faster {
                    -(stretcher.shrink(&mut waiting, limits::STRETCH_FRAMES_MAX, Likeness::High) as i64)
                } else {
                    stretcher.grow(&played, &mut waiting, Likeness::High) as i64
                };
                assert_eq!(waiting.len() as i64 / 2, frames + by, "the length changes by what is said");
                changed += by;
            }
            played.extend(waiting.drain(..1920));
        }
        (played, changed)
    }

    #[test]
    fn a_voice_changes_its_pace_and_keeps_its_pitch_without_a_click() {
        for pitch in [80.0, 125.0, 220.0, 390.0] {
            let plain = voiced(480_000, pitch, 0);
            for faster in [true, false] {
                let (played, changed) = run(pitch, faster);
                assert!(changed.abs() > 120 * 200, "{pitch} Hz: only {changed} of 480,000 frames");
                assert!((changed < 0) == faster);
                let (was, is) = (cycles(&plain) as f32, cycles(&played) as f32);
                assert!((is / was - 1.0).abs() < 0.005, "{pitch} Hz: {was} cycles became {is}");
                assert!(steepest(&played) < steepest(&plain) * 1.1, "{pitch} Hz: a click");
            }
        }
    }

    #[test]
    fn noise_is_left_alone_until_it_must_change_and_then_does_not_click() {
        let mut stretcher = Stretcher::new();
        let mut waiting = noise(1920, 0.3);
        assert_eq!(stretcher.shrink(&mut waiting, limits::STRETCH_FRAMES_MAX, Likeness::High), 0);
        assert_eq!(stretcher.grow(&noise(960, 0.3), &mut waiting, Likeness::High), 0);
        assert_eq!(waiting, noise(1920, 0.3), "untouched");
        let by = stretcher.shrink(&mut waiting, limits::STRETCH_FRAMES_MAX, Likeness::Any);
        assert!(by >= limits::STRETCH_FRAMES_MIN && waiting.len() == (1920 - by) * 2);
        assert_eq!(waiting[..2], noise(1920, 0.3)[..2], "it goes on from what was played");
        assert!(waiting.iter().all(|s| s.abs() <= 0.3));
    }

    #[test]
    fn silence_stretches_as_far_as_it_may() {
        let mut stretcher = Stretcher::new();
        let mut waiting = noise(1920, 0.0005);
        assert!(stretcher.shrink(&mut waiting, 300, Likeness::High) > 280);
        assert!(stretcher.grow(&noise(960, 0.0005), &mut waiting, Likeness::High) > 700);
    }

    #[test]
    fn too_little_is_left_alone_whatever_its_length() {
        let mut stretcher = Stretcher::new();
        for frames in (0..2000).step_by(37) {
            for past in [0, 1, 119, 120, 500, 960] {
                let (mut short, mut long) = (voiced(frames, 150.0, 0), voiced(frames, 150.0, 0));
                let less = stretcher.shrink(&mut short, limits::STRETCH_FRAMES_MAX, Likeness::Any);
                assert_eq!(short.len() / 2, frames - less);
                let more = stretcher.grow(&voiced(past, 150.0, 0), &mut long, Likeness::Any);
                assert_eq!(long.len() / 2, frames + more);
                assert!(more <= past && (frames >= 606 || less == 0));
            }
        }
    }
}
