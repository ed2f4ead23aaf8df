//! **The question:** what does each simulated microphone send? A loop of speech with a pilot tone of its own, gated in
//! step with the picture, as Opus packets; or silence.

use std::f32::consts::TAU;
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::app::load::clip::LOOP_SECONDS;
use crate::app::load::container;
use crate::app::load::pilot;
use crate::base::limits;
use crate::base::media::{AudioLevel, PcmBlock, Pts};
use crate::engine::decode::OpusDecoder;
use crate::engine::encode::{OpusEncoder, OpusEncoderConfig};

/// Made with espeak-ng; see `assets/ATTRIBUTION.md`.
const SPEECH: [&[u8]; 4] = [
    include_bytes!("assets/voice1.ogg"),
    include_bytes!("assets/voice2.ogg"),
    include_bytes!("assets/voice3.ogg"),
    include_bytes!("assets/voice4.ogg"),
];
/// Opus packets of 20 ms in the loop.
pub const LOOP_PACKETS: usize = LOOP_SECONDS as usize * 50;
const BITRATE: u32 = 40_000;
/// Amplitude of the pilot: −26 dBFS.
const PILOT_AMPLITUDE: f32 = 0.05;
/// The gate opens and closes over 5 ms, so that it does not click.
const RAMP_SAMPLES: usize = 240;
/// Speech pauses for 120 ms when the gate opens, as long as it takes to tell that the tone is steady.
const PAUSE_SAMPLES: usize = 5_760;

/// One microphone's loop of `LOOP_PACKETS` packets.
#[derive(Debug)]
pub struct Voice {
    /// Opus, 20 ms each.
    pub packets: Vec<Bytes>,
    /// RFC 6464 level of each packet.
    pub levels: Vec<AudioLevel>,
}

/// What participant `number` says.
///
/// # Errors
/// When libopus refuses, which means that memory is out.
pub fn speech(number: usize) -> io::Result<Arc<Voice>> {
    let mut samples = decoded(SPEECH[number % SPEECH.len()])?;
    samples.resize(LOOP_PACKETS * limits::PCM_FRAMES, 0.0);
    let frequency = pilot::frequency(number);
    for (at, sample) in samples.iter_mut().enumerate() {
        let phase = at % limits::SAMPLE_RATE as usize;
        let open = gate(phase);
        *sample *= speech_share(phase);
        *sample += PILOT_AMPLITUDE * open * (TAU * frequency * phase as f32 / limits::SAMPLE_RATE as f32).sin();
    }
    encoded(&samples)
}

/// What a muted microphone of a browser sends: packets of silence.
///
/// # Errors
/// As [`speech`].
pub fn silence() -> io::Result<Arc<Voice>> {
    encoded(&vec![0.0; LOOP_PACKETS * limits::PCM_FRAMES])
}

/// How much of the speech is left: none while the gate opens, so that no vowel's overtone hides where it does.
fn speech_share(phase: usize) -> f32 {
    let (before, after) = (limits::SAMPLE_RATE as usize - phase, phase.saturating_sub(PAUSE_SAMPLES));
    (before.min(after) as f32 / RAMP_SAMPLES as f32).min(1.0)
}

/// Open in the first half of each second.
fn gate(phase: usize) -> f32 {
    let half = limits::SAMPLE_RATE as usize / 2;
    if phase >= half {
        return 0.0;
    }
    let edge = phase.min(half - phase).min(RAMP_SAMPLES);
    edge as f32 / RAMP_SAMPLES as f32
}

fn decoded(file: &[u8]) -> io::Result<Vec<f32>> {
    let mut decoder = OpusDecoder::new().map_err(io::Error::other)?;
    let mut mono = Vec::new();
    for packet in container::ogg_opus_packets(file)? {
        let stereo = decoder.decode(&packet).map_err(io::Error::other)?;
        mono.extend(stereo.chunks_exact(2).map(|pair| pair[0]));
    }
    Ok(mono)
}

fn encoded(samples: &[f32]) -> io::Result<Arc<Voice>> {
    let mut encoder = OpusEncoder::new(OpusEncoderConfig { bitrate: BITRATE, ..OpusEncoderConfig::default() })
        .map_err(io::Error::other)?;
    let (mut packets, mut levels) = (Vec::new(), Vec::new());
    for mono in samples.chunks_exact(limits::PCM_FRAMES) {
        let mut block = PcmBlock::silence();
        for (pair, sample) in block.samples.chunks_exact_mut(2).zip(mono) {
            pair.fill(*sample);
        }
        packets.push(encoder.encode(&block, Pts(0)).map_err(io::Error::other)?.data);
        levels.push(level_of(mono));
    }
    Ok(Arc::new(Voice { packets, levels }))
}

/// RFC 6464 section 3: the level in −dBov.
fn level_of(mono: &[f32]) -> AudioLevel {
    let power = mono.iter().map(|sample| sample * sample).sum::<f32>() / mono.len() as f32;
    let decibels = if power > 0.0 { -10.0 * power.log10() } else { 127.0 };
    AudioLevel(decibels.clamp(0.0, 127.0) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_loud_and_silence_is_silent() {
        let (speech, silence) = (speech(3).unwrap(), silence().unwrap());
        assert_eq!((speech.packets.len(), silence.packets.len()), (LOOP_PACKETS, LOOP_PACKETS));
        assert!(speech.levels.iter().any(|level| level.0 < 30));
        assert!(silence.levels.iter().all(|level| level.0 == 127));
        assert!(silence.packets[100].len() < 16, "silence costs next to nothing");
    }
}
