//! No sample clips, none between samples either, and what is quiet stays as it is.

use super::*;

const FRAMES: usize = limits::PCM_FRAMES;

/// A long wave through a limiter: what went in, aligned with what came out; left channel.
fn limited(frames: usize, wave: impl Fn(usize) -> f32) -> (Vec<f32>, Vec<f32>) {
    let (mut limiter, mut output) = (Limiter::default(), Vec::new());
    let input: Vec<f32> = (0..frames).map(&wave).collect();
    for chunk in input.chunks_exact(FRAMES) {
        let mut block = [0.0; limits::PCM_SAMPLES];
        for (pair, sample) in block.chunks_exact_mut(2).zip(chunk) {
            pair.fill(*sample);
        }
        limiter.apply(&mut block);
        output.extend(block.iter().step_by(2));
    }
    output.drain(..LIMITER_DELAY_FRAMES);
    (input[..output.len()].to_vec(), output)
}

/// The highest value of a wave at 16 times its rate, by a windowed sinc that shares nothing with the detector.
fn true_peak(samples: &[f32]) -> f64 {
    let mut highest = 0.0_f64;
    for at in 32..samples.len() - 32 {
        for step in 0..16 {
            let shift = f64::from(step) / 16.0;
            let sum: f64 = (-31..=32_i32)
                .map(|k| {
                    let x = f64::from(k) - shift;
                    let sinc =
                        if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
                    let window = 0.5 + 0.5 * (std::f64::consts::PI * x / 33.0).cos();
                    f64::from(samples[(at as i32 + k) as usize]) * sinc * window
                })
                .sum();
            highest = highest.max(sum.abs());
        }
    }
    highest
}

/// Power of what is not `input` times the gain that fits each 10 ms best, against the whole: dB. A gain that moves
/// within 10 ms counts as distortion, one that rides slower does not.
fn distortion(input: &[f32], output: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let (mut whole, mut explained) = (0.0, 0.0);
    for (input, output) in input.chunks_exact(480).zip(output.chunks_exact(480)) {
        whole += dot(output, output);
        explained += dot(input, output).powi(2) / dot(input, input).max(1e-12);
    }
    10.0 * ((whole - explained) / whole).max(1e-12).log10()
}

#[test]
fn quiet_sound_is_delayed_and_otherwise_untouched() {
    let (input, output) = limited(FRAMES * 5, |n| (n as f32 * 0.07).sin() * 0.4);
    assert!(output == input);
    let (input, output) = limited(FRAMES * 5, |n| (n as f32 * 0.07).sin() * 0.88);
    assert!(output == input, "looked at closely, and still untouched");
}

#[test]
fn six_full_scale_voices_do_not_clip() {
    // Voices of six pitches with overtones, each at full scale by itself, syllables of their own.
    let voice = |n: usize, pitch: f32, number: usize| {
        let phase = n as f32 * pitch / 48_000.0 * std::f32::consts::TAU;
        let syllable = 0.6 + 0.4 * (n as f32 * (3.1 + number as f32 * 0.37) / 48_000.0 * std::f32::consts::TAU).sin();
        (phase.sin() * 0.6 + (2.0 * phase).sin() * 0.3 + (5.0 * phase).sin() * 0.1) * 1.2 * syllable
    };
    let pitches = [98.0, 123.0, 147.0, 175.0, 208.0, 233.0];
    let sum = |n: usize| pitches.iter().enumerate().map(|(at, pitch)| voice(n, *pitch, at)).sum::<f32>();
    let (input, output) = limited(FRAMES * 100, sum);
    let most = input.iter().fold(0.0_f32, |most, s| most.max(s.abs()));
    assert!(most > 3.0, "the sum alone would clip: {most}");
    assert!(output.iter().all(|s| s.abs() < 1.0), "no sample clips");
    let peak = 20.0 * true_peak(&output[FRAMES * 20..FRAMES * 60]).log10();
    // The first second is the limiter's own entrance.
    let distortion = distortion(&input[48_000..], &output[48_000..]);
    println!("six full-scale voices: true peak {peak:.2} dBTP, distortion {distortion:.1} dB");
    assert!(peak < -0.7, "true peak {peak} dBTP");
    assert!(distortion < -24.0, "{distortion} dB");
}

#[test]
fn peaks_between_samples_are_limited_too() {
    let (_, output) =
        limited(FRAMES * 20, |n| (n as f32 * std::f32::consts::FRAC_PI_2 + std::f32::consts::FRAC_PI_4).sin() * 1.2);
    let peak = 20.0 * true_peak(&output[FRAMES..FRAMES * 5]).log10();
    assert!(peak < -0.6, "{peak} dBTP");
}

#[test]
fn a_sudden_peak_is_met_by_a_gain_that_has_fallen_already() {
    let at = FRAMES * 2 + 500;
    let (input, output) = limited(FRAMES * 105, |n| if n == at { 9.0 } else { (n as f32 * 0.05).sin() * 0.5 });
    assert!(output.iter().all(|s| s.abs() <= CEILING * 1.0001));
    let before = at - LIMITER_DELAY_FRAMES;
    assert!(output[..before] == input[..before], "untouched before");
    let late = FRAMES * 100;
    assert!(output[late..] == input[late..], "and recovered after");
    let steps = output.windows(2).enumerate().filter(|(n, _)| n.abs_diff(at) > 1).map(|(_, w)| (w[1] - w[0]).abs());
    assert!(steps.fold(0.0, f32::max) < 0.03, "no click on the way");
}

#[test]
fn what_is_no_sample_is_silence() {
    let mut limiter = Limiter::default();
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 1e5] {
        for _ in 0..3 {
            let mut block = [wrong; limits::PCM_SAMPLES];
            limiter.apply(&mut block);
            assert!(block.iter().all(|s| s.is_finite() && s.abs() < 1.0), "{wrong}");
        }
    }
    let mut block = [0.3; limits::PCM_SAMPLES];
    for _ in 0..200 {
        block = [0.3; limits::PCM_SAMPLES];
        limiter.apply(&mut block);
    }
    assert!(block.iter().all(|s| *s == 0.3) && limiter.gain() == 1.0);
}
