//! **The question:** how do samples become AAC? LC, 48 kHz, stereo (ISO/IEC 14496-3, subpart 4), for servers that take
//! nothing else; only pushes ask. Long windows alone, both channels as middle and side where that is less, noise laid
//! under what is heard, and as coarse as a packet's share of the bits wants it. Written for mixes of voices at 128
//! kb/s: it knows no short windows, no prediction and no noise shaping in time.

mod bits;
mod channel;
mod mdct;
mod tables;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::ShortBlock;
use crate::core::bitstream::aac::PACKET_SAMPLES;
use crate::engine::encode::aac::bits::BitWriter;
use crate::engine::encode::aac::channel::{Channel, Spectrum, USED_BANDS};
use crate::engine::encode::aac::mdct::{HALF, Mdct};

/// Bits a second: what platforms advise for stereo.
const BITRATE: u32 = 128_000;
/// How much later than it was given a sample comes out of a decoder: packets overlap by half.
pub const AAC_DELAY_SAMPLES: u64 = PACKET_SAMPLES as u64;

/// Samples of a packet, both channels.
const HOP: usize = PACKET_SAMPLES * 2;
/// Bits of a packet, and how many that were not needed may be spent later: decoders keep 6,144 a channel (section
/// 4.5.3.1).
const PACKET_BITS: u32 = BITRATE * PACKET_SAMPLES as u32 / limits::SAMPLE_RATE;
const MOST_SAVED_BITS: u32 = 2 * 6144 - 2 * PACKET_BITS;
/// `ID_CPE` and `ID_END` (table 4.85).
const PAIR: (u32, u32) = (1, 3);
const END: (u32, u32) = (7, 3);
/// How coarse a packet may become, in steps of 1.5 dB: no spectrum is that loud.
const COARSEST: i32 = 127;

/// The encoder of one stream.
pub struct AacEncoder {
    mdct: Mdct,
    channels: [Channel; 2],
    /// Samples of no whole packet yet.
    waiting: Vec<i16>,
    saved: u32,
    /// How much coarser than wished the last packet was.
    coarser: i32,
}

impl std::fmt::Debug for AacEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AacEncoder").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Default for AacEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl AacEncoder {
    /// An encoder in its initial state.
    #[must_use]
    pub fn new() -> Self {
        let channels = [Channel::new(), Channel::new()];
        Self { mdct: Mdct::new(), channels, waiting: Vec::with_capacity(2 * HOP), saved: 0, coarser: 0 }
    }

    /// Takes interleaved stereo samples of −1.0 to 1.0 and appends the packets that they complete, without headers.
    pub fn encode(&mut self, samples: &[f32], out: &mut Vec<Bytes>) {
        self.waiting.extend(samples.iter().map(|sample| ShortBlock::sample(*sample)));
        while self.waiting.len() >= HOP {
            out.push(self.packet());
            self.waiting.drain(..HOP);
        }
    }

    fn packet(&mut self) -> Bytes {
        let mut coefficients = [[0.0; HALF]; 2];
        for (n, (channel, out)) in self.channels.iter_mut().zip(&mut coefficients).enumerate() {
            let samples = self.waiting[..HOP].iter().skip(n).step_by(2);
            channel.take(samples.map(|sample| f32::from(*sample)), &mut self.mdct, out);
        }
        let (middle_side, spectra) = joined(coefficients);
        let budget = PACKET_BITS + self.saved;
        let fits = |coarser: i32| {
            spectra.iter().map(|spectrum| spectrum.quantized(coarser).bits()).sum::<u32>() + 32 <= budget
        };
        // As fine as what is heard asks for, if that fits; else the least coarseness that does.
        let coarser = least(self.coarser, fits);
        self.coarser = coarser;
        let mut writer = BitWriter::default();
        writer.put(PAIR.0, PAIR.1);
        // The first pair; one window for both: long, a sine, without prediction.
        writer.put(0, 4);
        writer.put(1, 1);
        writer.put(0, 4);
        writer.put(USED_BANDS as u32, 6);
        writer.put(0, 1);
        writer.put(if middle_side { 2 } else { 0 }, 2);
        for spectrum in &spectra {
            spectrum.quantized(coarser).write(&mut writer);
        }
        writer.put(END.0, END.1);
        let bytes = writer.into_bytes();
        let used = 8 * u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.saved = budget.saturating_sub(used).min(MOST_SAVED_BITS);
        bytes.into()
    }
}

/// The least that fits, or nearly; what is coarser takes fewer bits. It is mostly near the last packet's.
fn least(last: i32, fits: impl Fn(i32) -> bool) -> i32 {
    let (mut below, mut enough, mut step) = (-1, COARSEST, 1);
    if fits(last) {
        enough = last;
        while enough > 0 && below < 0 {
            let finer = (enough - step).max(0);
            if fits(finer) {
                enough = finer;
            } else {
                below = finer;
            }
            step *= 2;
        }
    } else {
        below = last;
        while enough == COARSEST && below + step < COARSEST {
            let coarser = below + step;
            if fits(coarser) {
                enough = coarser;
            } else {
                below = coarser;
            }
            step *= 2;
        }
    }
    while enough - below > 1 {
        let middle = below.midpoint(enough);
        if fits(middle) { enough = middle } else { below = middle }
    }
    enough
}

/// Both channels, as middle and side where less is left to say then.
fn joined([left, right]: [[f32; HALF]; 2]) -> (bool, [Spectrum; 2]) {
    let (mut middle, mut side) = ([0.0; HALF], [0.0; HALF]);
    for n in 0..HALF {
        (middle[n], side[n]) = ((left[n] + right[n]) / 2.0, (left[n] - right[n]) / 2.0);
    }
    let weight = |of: &[f32; HALF]| of.iter().map(|value| value.abs().sqrt()).sum::<f32>();
    let is_less = weight(&middle) + weight(&side) < weight(&left) + weight(&right);
    let heard = channel::heard(&left, &right);
    if is_less {
        // Noise of both is added in each ear.
        let quieter = heard.map(|noise| noise / 2.0);
        (true, [Spectrum::new(middle, &quieter), Spectrum::new(side, &quieter)])
    } else {
        (false, [Spectrum::new(left, &heard), Spectrum::new(right, &heard)])
    }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::PI;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::core::bitstream::aac::adts;

    fn encoded(samples: &[f32]) -> Vec<Bytes> {
        let (mut encoder, mut packets) = (AacEncoder::new(), Vec::new());
        // In ticks, as they come.
        samples.chunks(limits::PCM_SAMPLES).for_each(|block| encoder.encode(block, &mut packets));
        packets
    }

    /// What ffmpeg makes of it, both channels.
    fn decoded(packets: &[Bytes]) -> Vec<f32> {
        let stream: Vec<u8> =
            packets.iter().flat_map(|packet| [&adts(packet.len()).unwrap()[..], packet].concat()).collect();
        let arguments = "-v error -xerror -f aac -i - -f f32le -ac 2 -ar 48000 -";
        let mut ffmpeg = Command::new("ffmpeg");
        let ffmpeg = ffmpeg.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut ffmpeg = ffmpeg.spawn().expect("ffmpeg is installed");
        let mut stdin = ffmpeg.stdin.take().expect("it has one");
        let writer = std::thread::spawn(move || stdin.write_all(&stream));
        let output = ffmpeg.wait_with_output().expect("it ends");
        writer.join().expect("it does not panic").expect("it is read to its end");
        assert!(output.status.success(), "ffmpeg takes every packet");
        output.stdout.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    /// How much louder it is than what came out otherwise, decibels.
    fn fidelity(sent: &[f32], came: &[f32]) -> f32 {
        let late = &came[2 * AAC_DELAY_SAMPLES as usize..];
        let both = || sent.iter().zip(late).skip(HOP).take(late.len() - 2 * HOP);
        let (loud, wrong) = both().fold((0.0, 0.0), |(loud, wrong), (a, b)| (loud + a * a, wrong + (a - b) * (a - b)));
        10.0 * f32::log10(loud / wrong)
    }

    fn stereo(seconds: usize, mut sample: impl FnMut(f32) -> [f32; 2]) -> Vec<f32> {
        (0..seconds * 48_000).flat_map(|n| sample(n as f32 / 48_000.0)).collect()
    }

    #[test]
    fn what_a_decoder_gives_out_is_what_was_said_a_packet_later() {
        let tone = |t: f32, hz: f32| (2.0 * PI * hz * t).sin();
        // A chord in the middle; one tone in each ear; a voice's harmonics that rise and fall.
        let chord = stereo(2, |t| [0.2 * (tone(t, 440.0) + tone(t, 1000.0) + tone(t, 3100.0)); 2]);
        let apart = stereo(2, |t| [0.5 * tone(t, 300.0), 0.3 * tone(t, 2345.0)]);
        let voice = stereo(2, |t| {
            let harmonics: f32 = (1..20).map(|n| tone(t, 130.0 * n as f32) / n as f32).sum();
            [0.2 * harmonics * (0.5 + 0.5 * tone(t, 3.0)); 2]
        });
        for (name, sent, least) in [("chord", chord, 25.0), ("apart", apart, 25.0), ("voice", voice, 20.0)] {
            let packets = encoded(&sent);
            let bytes: usize = packets.iter().map(Bytes::len).sum();
            assert!(bytes * 8 <= 2 * 129_000, "{name}: {bytes} bytes in two seconds");
            let found = fidelity(&sent, &decoded(&packets));
            assert!(found > least, "{name}: {found} dB");
        }
    }

    #[test]
    fn nothing_that_is_loud_or_strange_is_more_than_decoders_take() {
        let mut dice = 7_u32;
        let mut noise = || {
            dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (dice >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let noisy = stereo(1, |_| [noise(), noise()]);
        let square =
            stereo(1, |t| if ((t * 50.0) as u32).is_multiple_of(2) { [9.0, -9.0] } else { [f32::NAN, f32::INFINITY] });
        let clicks = stereo(1, |t| if ((t * 48_000.0) as u32).is_multiple_of(4800) { [1.0; 2] } else { [0.0; 2] });
        for sent in [noisy, square, clicks, stereo(1, |_| [0.0; 2])] {
            let packets = encoded(&sent);
            assert_eq!(packets.len(), 46);
            assert!(packets.iter().all(|packet| packet.len() * 8 <= 2 * 6144));
            assert_eq!(decoded(&packets).len(), 46 * HOP);
        }
        assert!(encoded(&stereo(1, |_| [0.0; 2])).iter().all(|packet| packet.len() < 12), "silence is short");
    }
}
