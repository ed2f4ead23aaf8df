//! **The question:** what are these samples at 48 kHz? A windowed sinc that keeps what both rates can carry, its
//! weights worked out once for so many places between two samples and drawn out between these.

use std::f64::consts::PI;

use crate::base::limits;

/// Input samples each side of an output one that are looked at, where the band is whole.
const REACH: f64 = 16.0;
/// Places between two input samples; between two of them weights are a straight line, 2e-5 off at most.
const PLACES: usize = 256;
/// Sample pairs that may lie behind before they are let go, so that they are moved seldom.
const BEHIND: usize = 4096;

/// Two channels, sample pair by sample pair.
pub(super) struct Resampler {
    /// Input samples an output one.
    ratio: f64,
    reach: usize,
    /// For each place, what the samples around weigh, and by how much that differs at the next place.
    weights: Vec<Vec<[f32; 2]>>,
    held: Vec<[f32; 2]>,
    /// The index of the first one held, `reach` of silence before the sound counted.
    first: usize,
    pushed: usize,
    made: usize,
}

impl Resampler {
    pub(super) fn new(rate: u32) -> Self {
        let ratio = f64::from(rate) / f64::from(limits::SAMPLE_RATE);
        let band = ratio.recip().min(1.0);
        let reach = (REACH / band).ceil() as usize;
        let weights = if rate == limits::SAMPLE_RATE { Vec::new() } else { weights(reach, band) };
        Self { ratio, reach, weights, held: vec![[0.0; 2]; reach], first: 0, pushed: 0, made: 0 }
    }

    /// Takes in one pair and gives out what can be made now.
    pub(super) fn push<E>(
        &mut self,
        pair: [f32; 2],
        give: &mut impl FnMut([f32; 2]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pushed += 1;
        if self.weights.is_empty() {
            return give(pair);
        }
        self.held.push(pair);
        self.make(give, usize::MAX)
    }

    /// Gives out the rest, into silence.
    pub(super) fn finish<E>(mut self, give: &mut impl FnMut([f32; 2]) -> Result<(), E>) -> Result<(), E> {
        if self.weights.is_empty() {
            return Ok(());
        }
        let all = (self.pushed as f64 / self.ratio) as usize;
        self.held.extend(std::iter::repeat_n([0.0; 2], self.reach + 1));
        self.make(give, all)
    }

    fn make<E>(&mut self, give: &mut impl FnMut([f32; 2]) -> Result<(), E>, all: usize) -> Result<(), E> {
        while self.made < all {
            let centre = self.made as f64 * self.ratio;
            let nearest = centre as usize;
            // The window's first sample is `reach - 1` before the nearest; silence shifts all by `reach`.
            let from = nearest + 1 - self.first;
            if from + 2 * self.reach > self.held.len() {
                break;
            }
            let place = (centre - nearest as f64) * PLACES as f64;
            let (at, part) = (place as usize, (place - place.floor()) as f32);
            let mut sum = [0.0_f32; 2];
            for (pair, [weight, step]) in self.held[from..].iter().zip(&self.weights[at]) {
                let weight = weight + part * step;
                sum[0] += pair[0] * weight;
                sum[1] += pair[1] * weight;
            }
            give(sum)?;
            self.made += 1;
            if from > BEHIND {
                self.held.drain(..from);
                self.first += from;
            }
        }
        Ok(())
    }
}

fn weights(reach: usize, band: f64) -> Vec<Vec<[f32; 2]>> {
    let at = |place: usize| {
        let between = place as f64 / PLACES as f64;
        let of = move |k: usize| {
            let index = k as f64 - (reach as f64 - 1.0);
            sinc((index - between) * band, REACH) * band
        };
        (0..2 * reach).map(of).collect::<Vec<f64>>()
    };
    let all: Vec<Vec<f64>> = (0..=PLACES).map(at).collect();
    let with_step = |pair: &[Vec<f64>]| {
        let both = pair[0].iter().zip(&pair[1]);
        both.map(|(here, next)| [*here as f32, (next - here) as f32]).collect()
    };
    all.windows(2).map(with_step).collect()
}

/// Sine over its argument, under a Hann window that ends at `reach`.
fn sinc(x: f64, reach: f64) -> f64 {
    let window = if x.abs() >= reach { 0.0 } else { 0.5 + 0.5 * (PI * x / reach).cos() };
    if x == 0.0 { window } else { (PI * x).sin() / (PI * x) * window }
}
