//! **The question:** whose voice is in this sound? Each speaker's loop carries a pilot tone; a bank of Goertzel filters
//! (Goertzel, 1958) over windows of 80 ms tells which are there, and when they begin.

use std::collections::{BTreeSet, VecDeque};
use std::f32::consts::TAU;

use crate::base::limits;

/// Filters that run at once: as many as a wide vector register holds, for each waits for its own last step.
const LANES: usize = 16;
/// Filters of a pilot: at its tone, and half-way to either neighbour.
const OFFSETS: [f32; 3] = [0.0, -SPACING / 2.0, SPACING / 2.0];
/// The first participant's tone, Hz.
const FIRST: f32 = 1_500.0;
/// Between two participants' tones, Hz.
const SPACING: f32 = 70.0;
/// Sample pairs in a window: 80 ms, so that a Hann window's main lobe is ±25 Hz.
const WINDOW: usize = 3_840;
/// Sample pairs between two windows: 20 ms.
const HOP: usize = limits::PCM_FRAMES;
/// A tone stands so far above what lies between the tones (power ratio, 13 dB).
const ABOVE_NEIGHBOURS: f32 = 20.0;
/// And above this amplitude (−52 dBFS).
const AMPLITUDE_MIN: f32 = 0.0025;
/// Heard is who was found in so many of all windows; a pilot is open half of the time.
const SHARE_MIN: f64 = 0.2;

/// The pilot of participant `number`, Hz: 1.5 kHz and up, 8.5 kHz for the hundredth.
#[must_use]
pub fn frequency(number: usize) -> f32 {
    FIRST + SPACING * number as f32
}

/// A pilot's gate opened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Onset {
    /// Whose.
    pub number: usize,
    /// When, in sample pairs since the bank's start; ±20 ms, a hop.
    pub sample: u64,
}

/// Listens for the pilots of some participants in one sound.
#[derive(Debug)]
pub struct PilotBank {
    pilots: Vec<Pilot>,
    samples: VecDeque<f32>,
    hann: Vec<f32>,
    /// `2 cos ω` of each pilot's filters, one pilot's after the other's.
    coefficients: Vec<[f32; LANES]>,
    /// Sample pairs that came in.
    position: u64,
    windows: u64,
    onsets: Vec<Onset>,
}

#[derive(Debug)]
struct Pilot {
    number: usize,
    found: u64,
    /// Amplitudes at the tone's frequency in the last windows, newest last, whether they were the tone's or not.
    recent: [f32; 8],
    /// The last window held the tone.
    was_there: bool,
}

impl PilotBank {
    /// Listens for `numbers`.
    #[must_use]
    pub fn new(numbers: impl IntoIterator<Item = usize>) -> Self {
        let pilot = |number| Pilot { number, found: 0, recent: [0.0; 8], was_there: false };
        let hann = (0..WINDOW).map(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos()).collect();
        let pilots: Vec<Pilot> = numbers.into_iter().map(pilot).collect();
        let tones = pilots.iter().flat_map(|pilot| OFFSETS.map(|off| frequency(pilot.number) + off));
        let tones: Vec<f32> = tones.collect();
        let lanes = |tones: &[f32]| {
            let coefficient = |at: usize| tones.get(at).map_or(0.0, |tone| coefficient(*tone));
            std::array::from_fn(coefficient)
        };
        Self {
            coefficients: tones.chunks(LANES).map(lanes).collect(),
            pilots,
            samples: VecDeque::with_capacity(2 * WINDOW),
            hann,
            position: 0,
            windows: 0,
            onsets: Vec::new(),
        }
    }

    /// Takes interleaved stereo at 48 kHz.
    pub fn push(&mut self, stereo: &[f32]) {
        self.samples.extend(stereo.chunks_exact(2).map(|pair| (pair[0] + pair[1]) / 2.0));
        while self.samples.len() >= WINDOW {
            self.look();
            self.samples.drain(..HOP);
            self.position += HOP as u64;
        }
    }

    /// Who was heard so far.
    #[must_use]
    pub fn heard(&self) -> BTreeSet<usize> {
        let enough = (self.windows as f64 * SHARE_MIN).ceil().max(1.0) as u64;
        self.pilots.iter().filter(|pilot| pilot.found >= enough).map(|pilot| pilot.number).collect()
    }

    /// Whose gate opened when, since the last call.
    pub fn take_onsets(&mut self) -> Vec<Onset> {
        std::mem::take(&mut self.onsets)
    }

    fn look(&mut self) {
        self.windows += 1;
        let samples = self.samples.make_contiguous();
        let powers = self.coefficients.iter().map(|lanes| goertzel(&samples[..WINDOW], &self.hann, lanes));
        let powers: Vec<f32> = powers.flatten().collect();
        for (pilot, powers) in self.pilots.iter_mut().zip(powers.chunks_exact(OFFSETS.len())) {
            let (power, between) = (powers[0], &powers[1..]);
            // The Hann window's mean is one half, a sine's power half its amplitude's square.
            let amplitude = 4.0 * power.sqrt() / WINDOW as f32;
            let there = amplitude > AMPLITUDE_MIN && power > ABOVE_NEIGHBOURS * (between[0] + between[1]) / 2.0;
            pilot.found += u64::from(there);
            if let Some(into) = pilot.note(amplitude, there) {
                let sample = (self.position + WINDOW as u64 / 2).saturating_sub((into * HOP as f32) as u64);
                self.onsets.push(Onset { number: pilot.number, sample });
            }
        }
    }
}

impl Pilot {
    /// Notes one window's amplitude, and whether it is the tone's. When the tone has just become steady after a pause,
    /// says how many hops ago the middle of the window passed the onset: where the amplitude rose through half. A tone
    /// that comes out from under speech was no pause: there was sound at its frequency before.
    fn note(&mut self, amplitude: f32, there: bool) -> Option<f32> {
        let is_steady = std::mem::replace(&mut self.was_there, there) && there;
        self.recent.rotate_left(1);
        self.recent[7] = amplitude;
        let [before, .., last, now] = self.recent;
        let quiet = self.recent[0].max(self.recent[1]);
        // Six hops are longer than a window: between `before` and `last` the tone went from absent to whole.
        let whole = (now + last) / 2.0;
        if !is_steady
            || quiet > whole / 8.0
            || whole < 2.0 * AMPLITUDE_MIN
            || (now - last).abs() > whole / 6.0
            || before > last
        {
            return None;
        }
        // Only at the first window that is whole: the one before `last` still rose.
        if (self.recent[5] - whole).abs() <= whole / 6.0 {
            return None;
        }
        let half = whole / 2.0;
        let at = (0..7).rfind(|at| self.recent[*at] < half && self.recent[at + 1] >= half)?;
        let (low, high) = (self.recent[at], self.recent[at + 1]);
        Some(7.0 - (at as f32 + (half - low) / (high - low)))
    }
}

/// What a filter at `frequency` multiplies its last state by.
fn coefficient(frequency: f32) -> f32 {
    2.0 * (TAU * frequency / limits::SAMPLE_RATE as f32).cos()
}

/// The squared magnitudes at the frequencies of some coefficients, windowed.
fn goertzel(samples: &[f32], window: &[f32], coefficients: &[f32; LANES]) -> [f32; LANES] {
    let (mut one, mut two) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for (sample, weight) in samples.iter().zip(window) {
        let windowed = sample * weight;
        for lane in 0..LANES {
            let next = windowed + coefficients[lane] * one[lane] - two[lane];
            (two[lane], one[lane]) = (one[lane], next);
        }
    }
    std::array::from_fn(|lane| {
        let (one, two) = (one[lane], two[lane]);
        one * one + two * two - coefficients[lane] * one * two
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::load::{container, voice};
    use crate::base::media::{PcmBlock, Pts};
    use crate::engine::decode::OpusDecoder;
    use crate::engine::encode::{OpusEncoder, OpusEncoderConfig};

    /// The voices summed and sent through Opus at the node's bitrate.
    fn listen(numbers: &[usize], bank: &mut PilotBank) {
        let voices: Vec<_> = numbers.iter().map(|n| voice::speech(*n).unwrap()).collect();
        let mut decoders: Vec<_> = numbers.iter().map(|_| OpusDecoder::new().unwrap()).collect();
        let mut encoder = OpusEncoder::new(OpusEncoderConfig::default()).unwrap();
        let mut far = OpusDecoder::new().unwrap();
        for at in 0..voice::LOOP_PACKETS {
            let mut block = PcmBlock::silence();
            for (voice, decoder) in voices.iter().zip(&mut decoders) {
                let samples = decoder.decode(&voice.packets[at]).unwrap();
                block.samples.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += sample * 0.7);
            }
            let packet = encoder.encode(&block, Pts(0)).unwrap();
            bank.push(far.decode(&packet.data).unwrap());
        }
    }

    #[test]
    fn speech_without_a_pilot_and_silence_are_nobody() {
        let voices: [&[u8]; 4] = [
            include_bytes!("assets/voice1.ogg"),
            include_bytes!("assets/voice2.ogg"),
            include_bytes!("assets/voice3.ogg"),
            include_bytes!("assets/voice4.ogg"),
        ];
        for (first, file) in voices.into_iter().enumerate() {
            let mut bank = PilotBank::new((first..100).step_by(4));
            let mut decoder = OpusDecoder::new().unwrap();
            for packet in container::ogg_opus_packets(file).unwrap() {
                bank.push(decoder.decode(&packet).unwrap());
            }
            assert_eq!(bank.heard(), BTreeSet::new());
        }
        let mut bank = PilotBank::new(0..16);
        (0..voice::LOOP_PACKETS).for_each(|_| bank.push(&PcmBlock::silence().samples[..]));
        assert_eq!((bank.heard(), bank.take_onsets()), (BTreeSet::new(), Vec::new()));
    }

    #[test]
    fn the_highest_pilots_survive_opus_and_stay_apart() {
        let mut bank = PilotBank::new(60..100);
        let speakers = [70, 94, 95, 97, 98, 99];
        listen(&speakers, &mut bank);
        assert_eq!(bank.heard(), BTreeSet::from(speakers));
    }

    #[test]
    fn those_who_speak_are_heard_and_nobody_else() {
        let mut bank = PilotBank::new(0..16);
        let speakers = [0, 3, 4, 7, 9, 15];
        listen(&speakers, &mut bank);
        assert_eq!(bank.heard(), BTreeSet::from(speakers));
    }

    #[test]
    fn a_tone_that_speech_had_covered_does_not_begin_anew() {
        let second = limits::SAMPLE_RATE as usize;
        let sine = |n: usize, tone: f32| (TAU * tone * n as f32 / limits::SAMPLE_RATE as f32).sin();
        let (tone, mut bank) = (frequency(2), PilotBank::new([2]));
        let mono = (0..2 * second).map(|n| {
            let pilot = if n > second / 2 { 0.05 * sine(n, tone) } else { 0.0 };
            let covered = (second..second * 5 / 4).contains(&n);
            let cover = if covered { 0.2 * sine(n, tone - SPACING / 2.0) } else { 0.0 };
            pilot + cover
        });
        bank.push(&mono.flat_map(|sample| [sample, sample]).collect::<Vec<_>>());
        let onsets = bank.take_onsets();
        assert_eq!(onsets.len(), 1, "{onsets:?}");
        assert!(onsets[0].sample.abs_diff(second as u64 / 2) < HOP as u64, "{onsets:?}");
    }

    #[test]
    fn onsets_come_once_a_second_and_where_the_gate_opens() {
        let mut bank = PilotBank::new([2]);
        listen(&[2], &mut bank);
        let onsets = bank.take_onsets();
        assert!(onsets.len() >= 5, "{onsets:?}");
        for onset in onsets {
            // Two Opus encodes delay by 6.5 ms each.
            let into = (onset.sample as f64 / 48.0 - 13.0).rem_euclid(1000.0);
            let off = into.min(1000.0 - into);
            assert!(off < 20.0, "{off} ms off a whole second");
        }
    }
}
