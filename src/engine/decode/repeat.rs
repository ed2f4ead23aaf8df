//! **The question:** what fills the place of lost G.711? The last pitch period over and over, fading out: the idea of
//! ITU-T G.711 Appendix I, at 8 kHz and one channel, without its look-back delay.

/// Samples remembered: two of the longest periods, and a window to compare over.
const HISTORY: usize = 400;
/// The shortest and longest pitch period looked for: 200 and 66 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 40..=120;
/// Samples over which two periods are compared: 20 ms.
const WINDOW: usize = 160;
/// Samples concealed at full strength: 10 ms.
const FULL: usize = 80;
/// Samples after which nothing is left: 60 ms.
const GONE: usize = 480;
/// The joint to what was made up before, and to what comes after: 4 ms.
const JOINT: usize = 32;

/// What was heard last, and how it goes on.
#[derive(Debug)]
pub(super) struct Repeater {
    history: [f32; HISTORY],
    /// The period that is repeated; empty while nothing is lost.
    period: Vec<f32>,
    /// How much the first sample made up would jump.
    jump: f32,
    /// Samples made up in a row.
    lost: usize,
}

impl Repeater {
    pub(super) fn new() -> Self {
        Self { history: [0.0; HISTORY], period: Vec::with_capacity(*PERIODS.end()), jump: 0.0, lost: 0 }
    }

    /// Takes what came, and joins it to what was made up before it.
    pub(super) fn came(&mut self, samples: &mut [f32]) {
        if self.lost > 0 {
            for (at, sample) in samples.iter_mut().take(JOINT).enumerate() {
                let share = (at + 1) as f32 / (JOINT + 1) as f32;
                *sample = *sample * share + self.next() * (1.0 - share);
            }
            self.lost = 0;
            self.period.clear();
        }
        self.store(samples);
    }

    /// Appends `count` samples made up.
    pub(super) fn conceal(&mut self, count: usize, out: &mut Vec<f32>) {
        if self.period.is_empty() {
            self.begin();
        }
        let begin = out.len();
        for _ in 0..count {
            let next = self.next();
            out.push(next);
        }
        let (_, made) = out.split_at(begin);
        self.store(made);
    }

    fn begin(&mut self) {
        let length = pitch(&self.history);
        self.period.extend_from_slice(&self.history[HISTORY - length..]);
        // The end of the period flows into its begin: its last quarter becomes what came before the period.
        let quarter = length / 4;
        for at in 0..quarter {
            let share = (at + 1) as f32 / (quarter + 1) as f32;
            let before = self.history[HISTORY - length - quarter + at];
            let own = &mut self.period[length - quarter + at];
            *own = *own * (1.0 - share) + before * share;
        }
        self.jump = self.history[HISTORY - 1] - self.history[HISTORY - 1 - length];
    }

    fn next(&mut self) -> f32 {
        let Some(sample) = self.period.get(self.lost % self.period.len().max(1)) else { return 0.0 };
        let decay = 1.0 - self.lost.min(JOINT) as f32 / JOINT as f32;
        let gain = 1.0 - self.lost.saturating_sub(FULL).min(GONE - FULL) as f32 / (GONE - FULL) as f32;
        let value = (sample + self.jump * decay) * gain;
        self.lost = self.lost.saturating_add(1);
        value
    }

    fn store(&mut self, samples: &[f32]) {
        let newest = &samples[samples.len().saturating_sub(HISTORY)..];
        self.history.copy_within(newest.len().., 0);
        self.history[HISTORY - newest.len()..].copy_from_slice(newest);
    }
}

/// The period after which the end of `history` repeats best, by normalised correlation.
fn pitch(history: &[f32; HISTORY]) -> usize {
    let newest = &history[HISTORY - WINDOW..];
    let likeness = |period: usize| {
        let earlier = &history[HISTORY - WINDOW - period..HISTORY - period];
        let product: f32 = newest.iter().zip(earlier).map(|(a, b)| a * b).sum();
        let energy: f32 = earlier.iter().map(|sample| sample * sample).sum();
        product / (energy + 1e-9).sqrt()
    };
    PERIODS.max_by(|a, b| likeness(*a).total_cmp(&likeness(*b))).unwrap_or(*PERIODS.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buzz(at: usize) -> f32 {
        let phase = at as f32 / 57.0 * std::f32::consts::TAU;
        0.4 * phase.sin() + 0.2 * (3.0 * phase).sin()
    }

    #[test]
    fn a_lost_packet_of_a_steady_voice_is_hardly_heard_and_a_long_loss_fades() {
        let mut repeater = Repeater::new();
        let mut came: Vec<f32> = (0..1600).map(buzz).collect();
        repeater.came(&mut came);
        let mut made = Vec::new();
        repeater.conceal(80, &mut made);
        let error = made.iter().enumerate().map(|(n, s)| (s - buzz(1600 + n)).powi(2)).sum::<f32>();
        let power = (0..80).map(|n| buzz(1600 + n).powi(2)).sum::<f32>();
        assert!(error < power / 100.0, "{} dB", 10.0 * (error / power).log10());
        repeater.conceal(400, &mut made);
        let step = made.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        let own = (0..200).map(|n| (buzz(n + 1) - buzz(n)).abs()).fold(0.0, f32::max);
        assert!(step < own * 1.1, "no jump inside: {step} of {own}");
        assert!(made[470].abs() < 0.02, "{}", made[470]);
        made.clear();
        repeater.conceal(80, &mut made);
        assert!(made.iter().all(|sample| *sample == 0.0), "silence after 60 ms");
    }

    #[test]
    fn what_comes_after_a_loss_is_joined() {
        let mut repeater = Repeater::new();
        repeater.came(&mut (0..800).map(buzz).collect::<Vec<_>>());
        let mut made = Vec::new();
        repeater.conceal(160, &mut made);
        // It goes on in another phase.
        let mut came: Vec<f32> = (0..160).map(|n| buzz(n + 28)).collect();
        repeater.came(&mut came);
        let step = (came[0] - made[159]).abs();
        assert!(step < 0.12, "{step}");
        assert_eq!(came[JOINT], buzz(28 + JOINT), "untouched after 4 ms");
    }

    #[test]
    fn out_of_nothing_comes_nothing() {
        let mut made = Vec::new();
        Repeater::new().conceal(160, &mut made);
        assert!(made.iter().all(|sample| *sample == 0.0));
    }
}
