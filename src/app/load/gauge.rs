//! **The question:** how were these spans distributed? A histogram of fixed size, so that a long load needs no more
//! memory.

use std::time::Duration;

/// Width of one step.
const STEP: Duration = Duration::from_micros(250);
/// Steps; the last one takes everything longer.
const STEPS: usize = 20_000;

/// Spans, counted by steps of a quarter millisecond up to 5 s.
#[derive(Debug, Clone)]
pub(super) struct Gauge {
    steps: Vec<u32>,
    count: u64,
    longest: Duration,
}

impl Gauge {
    /// Without spans.
    pub fn new() -> Self {
        Self { steps: vec![0; STEPS], count: 0, longest: Duration::ZERO }
    }

    /// Counts one span.
    pub fn add(&mut self, span: Duration) {
        let step = usize::try_from(span.as_nanos() / STEP.as_nanos()).unwrap_or(usize::MAX);
        let count = &mut self.steps[step.min(STEPS - 1)];
        *count = count.saturating_add(1);
        self.count += 1;
        self.longest = self.longest.max(span);
    }

    /// Counts all of `other`'s spans.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// How many spans were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The span that `percent` of all spans do not exceed, in milliseconds; zero without spans.
    pub fn percentile_ms(&self, percent: u64) -> f64 {
        let wanted = (self.count * percent).div_ceil(100).max(1);
        let mut below = 0;
        for (step, count) in self.steps.iter().enumerate() {
            below += u64::from(*count);
            if below >= wanted {
                let end = STEP * u32::try_from(step + 1).expect("steps are few");
                return end.min(self.longest).as_secs_f64() * 1000.0;
            }
        }
        0.0
    }

    /// The longest span, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        self.longest.as_secs_f64() * 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_a_step() {
        let mut gauge = Gauge::new();
        assert!(gauge.percentile_ms(95).abs() < f64::EPSILON);
        (1..=100).rev().for_each(|ms| gauge.add(Duration::from_millis(ms)));
        assert!((gauge.percentile_ms(50) - 50.0).abs() <= 0.25);
        assert!((gauge.percentile_ms(95) - 95.0).abs() <= 0.25);
        assert!((gauge.percentile_ms(100) - 100.0).abs() < 0.001);
        let mut other = Gauge::new();
        other.add(Duration::from_secs(60));
        gauge.merge(&other);
        assert!((gauge.max_ms() - 60_000.0).abs() < 0.001);
        assert!((gauge.percentile_ms(50) - 51.0).abs() <= 0.25);
    }
}
