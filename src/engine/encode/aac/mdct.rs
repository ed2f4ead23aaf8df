//! **The question:** which coefficients does a span of samples have? The modified discrete cosine transform of 2,048
//! samples under a sine window (ISO/IEC 14496-3, section 4.6.11), by a complex transform of a quarter of that.

use std::f64::consts::PI;

/// Coefficients of a packet, and samples that it is later by.
pub(super) const HALF: usize = 1024;
const QUARTER: usize = HALF / 2;

type Complex = [f32; 2];

fn product([a, b]: Complex, [c, d]: Complex) -> Complex {
    [a * c - b * d, a * d + b * c]
}

/// What is computed once.
pub(super) struct Mdct {
    window: Vec<f32>,
    /// Of the turns before and after.
    twist: Vec<Complex>,
    /// Of the complex transform.
    roots: Vec<Complex>,
    work: Vec<Complex>,
    folded: Vec<f32>,
}

impl Mdct {
    pub(super) fn new() -> Self {
        let turn = |angle: f64| [angle.cos() as f32, -angle.sin() as f32];
        let half = HALF as f64;
        Self {
            window: (0..2 * HALF).map(|n| (PI / (2.0 * half) * (n as f64 + 0.5)).sin() as f32).collect(),
            twist: (0..QUARTER).map(|n| turn(PI * (8 * n + 1) as f64 / (8.0 * half))).collect(),
            roots: (0..QUARTER / 2).map(|n| turn(2.0 * PI * n as f64 / QUARTER as f64)).collect(),
            work: vec![[0.0; 2]; QUARTER],
            folded: vec![0.0; HALF],
        }
    }

    /// The coefficients of `2 * HALF` samples.
    pub(super) fn transform(&mut self, samples: &[f32], out: &mut [f32; HALF]) {
        let at = |n: usize| samples[n] * self.window[n];
        for n in 0..QUARTER {
            // Four quarters a, b, c, d fold to −c' − d, a − b', where ' is backwards.
            self.folded[n] = -at(3 * QUARTER - 1 - n) - at(3 * QUARTER + n);
            self.folded[QUARTER + n] = at(n) - at(2 * QUARTER - 1 - n);
        }
        for n in 0..QUARTER {
            self.work[n] = product([self.folded[2 * n], self.folded[HALF - 1 - 2 * n]], self.twist[n]);
        }
        self.complex();
        for n in 0..QUARTER {
            let [real, imaginary] = product(self.work[n], self.twist[n]);
            out[2 * n] = 2.0 * real;
            out[HALF - 1 - 2 * n] = -2.0 * imaginary;
        }
    }

    /// Cooley and Tukey's, of two, in place.
    fn complex(&mut self) {
        let (work, bits) = (&mut self.work, QUARTER.trailing_zeros());
        for n in 0..QUARTER {
            let mirrored = n.reverse_bits() >> (usize::BITS - bits);
            if mirrored > n {
                work.swap(n, mirrored);
            }
        }
        let mut length = 2;
        while length <= QUARTER {
            let step = QUARTER / length;
            for begin in (0..QUARTER).step_by(length) {
                for n in 0..length / 2 {
                    let (near, far) = (begin + n, begin + n + length / 2);
                    let [a, b] = product(work[far], self.roots[n * step]);
                    let [c, d] = work[near];
                    work[near] = [c + a, d + b];
                    work[far] = [c - a, d - b];
                }
            }
            length *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_its_definition_says() {
        let samples: Vec<f32> = (0..2 * HALF).map(|n| ((n * n * 7 + 3 * n) % 1013) as f32 - 500.0).collect();
        let (mut mdct, mut found) = (Mdct::new(), [0.0; HALF]);
        mdct.transform(&samples, &mut found);
        let loudest = found.iter().fold(0.0_f32, |loudest, value| loudest.max(value.abs()));
        for k in [0, 1, 2, 77, 511, 512, 1022, 1023] {
            let term = |n: usize| {
                let phase = PI / HALF as f64 * (n as f64 + 0.5 + HALF as f64 / 2.0) * (k as f64 + 0.5);
                f64::from(samples[n]) * (PI / (2.0 * HALF as f64) * (n as f64 + 0.5)).sin() * phase.cos()
            };
            let expected = 2.0 * (0..2 * HALF).map(term).sum::<f64>();
            let error = (f64::from(found[k]) - expected).abs() / f64::from(loudest);
            assert!(error < 1e-5, "{k}: {} {expected} of {loudest}", found[k]);
        }
    }
}
