//! **The question:** how does a file that an operator hands in become blocks for the mix? WAV, or Opus in Ogg (RFC
//! 7845), bounded in length; one channel or two, of any usual rate.

use std::io::Cursor;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::PcmBlock;
use crate::engine::decode::{OpusDecodeError, OpusDecoder};

/// Sample rates taken, Hz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;
/// Input samples each side of an output one that the resampler looks at.
const REACH: i64 = 16;
/// Bytes before each Ogg page's segment table (RFC 3533 section 6).
const OGG_HEADER_BYTES: usize = 27;

/// Why a file cannot be announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    /// Neither `RIFF` nor `OggS`.
    #[error("the file is neither WAV nor Ogg Opus")]
    Format,
    /// A WAV file that is malformed.
    #[error("the WAV file cannot be read: {0}")]
    Wav(#[from] hound::Error),
    /// More channels, or another rate, than is taken.
    #[error("a WAV file has one or two channels and {} to {} samples a second", RATES.start(), RATES.end())]
    Shape,
    /// An Ogg file that is cut off, or none of Opus.
    #[error("the Ogg Opus file is malformed")]
    Ogg,
    /// A packet that libopus refuses.
    #[error(transparent)]
    Opus(#[from] OpusDecodeError),
    /// It lasts longer than the limit.
    #[error("an announcement lasts at most {} s", limits::ANNOUNCEMENT_SPAN.as_secs())]
    TooLong,
    /// There is no sample in it.
    #[error("the file is empty")]
    Empty,
}

/// Reads an announcement to blocks of the mix, the last one filled up with silence.
///
/// # Errors
/// [`AnnouncementError`] says what is wrong with the file.
pub fn announcement(file: &[u8]) -> Result<Vec<PcmBlock>, AnnouncementError> {
    let samples = match file {
        [b'R', b'I', b'F', b'F', ..] => wav(file)?,
        [b'O', b'g', b'g', b'S', ..] => ogg_opus(file)?,
        _ => return Err(AnnouncementError::Format),
    };
    if samples.is_empty() {
        return Err(AnnouncementError::Empty);
    }
    let blocks = samples.chunks(limits::PCM_SAMPLES).map(|chunk| {
        let mut block = PcmBlock::silence();
        block.samples[..chunk.len()].copy_from_slice(chunk);
        block
    });
    Ok(blocks.collect())
}

/// Sample pairs that an announcement may have at a rate.
fn frames_max(rate: u32) -> usize {
    limits::ANNOUNCEMENT_SPAN.as_secs() as usize * rate as usize
}

fn wav(file: &[u8]) -> Result<Vec<f32>, AnnouncementError> {
    let mut reader = hound::WavReader::new(Cursor::new(file))?;
    let spec = reader.spec();
    if !(1..=2).contains(&spec.channels) || !RATES.contains(&spec.sample_rate) {
        return Err(AnnouncementError::Shape);
    }
    if reader.duration() as usize > frames_max(spec.sample_rate) {
        return Err(AnnouncementError::TooLong);
    }
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => {
            // A file may hold anything; what is no number is silence.
            let finite = |s: f32| if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 };
            reader.samples::<f32>().map(|s| s.map(finite)).collect::<Result<_, _>>()?
        }
        hound::SampleFormat::Int => {
            let full = (1_u64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map(|s| s.map(|s| s as f32 / full)).collect::<Result<_, _>>()?
        }
    };
    let channels = spec.channels as usize;
    let channel = |n: usize| resampled(samples.iter().skip(n).step_by(channels).copied().collect(), spec.sample_rate);
    let left = channel(0);
    let right = if channels == 2 { channel(1) } else { left.clone() };
    Ok(left.into_iter().zip(right).flat_map(|(left, right)| [left, right]).collect())
}

/// One channel at 48 kHz, by a windowed sinc that keeps what both rates can carry.
fn resampled(samples: Vec<f32>, rate: u32) -> Vec<f32> {
    if rate == limits::SAMPLE_RATE {
        return samples;
    }
    let ratio = f64::from(rate) / f64::from(limits::SAMPLE_RATE);
    let band = ratio.recip().min(1.0);
    let reach = (REACH as f64 / band) as i64;
    let count = (samples.len() as f64 / ratio) as usize;
    let at = |index: i64| usize::try_from(index).ok().and_then(|n| samples.get(n)).copied().unwrap_or(0.0);
    let value = |n: usize| {
        let centre = n as f64 * ratio;
        let nearest = centre.floor() as i64;
        let sum: f64 = (nearest - reach + 1..=nearest + reach)
            .map(|index| f64::from(at(index)) * sinc((index as f64 - centre) * band, f64::from(REACH as i32)))
            .sum();
        (sum * band) as f32
    };
    (0..count).map(value).collect()
}

/// Sine over its argument, under a Hann window that ends at `reach`.
fn sinc(x: f64, reach: f64) -> f64 {
    use std::f64::consts::PI;
    let window = if x.abs() >= reach { 0.0 } else { 0.5 + 0.5 * (PI * x / reach).cos() };
    if x == 0.0 { window } else { (PI * x).sin() / (PI * x) * window }
}

fn ogg_opus(file: &[u8]) -> Result<Vec<f32>, AnnouncementError> {
    let packets = ogg_packets(file).ok_or(AnnouncementError::Ogg)?;
    // RFC 7845 sections 5.1 and 5.2: two header packets, the first with the samples to leave out at the start.
    let head = packets.first().filter(|head| head.starts_with(b"OpusHead") && head.len() >= 19);
    let head = head.ok_or(AnnouncementError::Ogg)?;
    let preskip = usize::from(u16::from_le_bytes([head[10], head[11]]));
    let mut decoder = OpusDecoder::new()?;
    let mut samples = Vec::new();
    for packet in packets.iter().skip(2) {
        samples.extend_from_slice(decoder.decode(packet)?);
        if samples.len() / 2 > frames_max(limits::SAMPLE_RATE) + preskip {
            return Err(AnnouncementError::TooLong);
        }
    }
    samples.drain(..(preskip * 2).min(samples.len()));
    Ok(samples)
}

/// Every packet of an Ogg file of one stream; `None` if it is cut off.
fn ogg_packets(file: &[u8]) -> Option<Vec<Bytes>> {
    let (mut packets, mut packet, mut rest) = (Vec::new(), Vec::new(), file);
    while !rest.is_empty() {
        let header = rest.get(..OGG_HEADER_BYTES).filter(|header| header.starts_with(b"OggS"))?;
        let mut at = OGG_HEADER_BYTES + usize::from(header[26]);
        for length in rest.get(OGG_HEADER_BYTES..at)? {
            let end = at + usize::from(*length);
            packet.extend_from_slice(rest.get(at..end)?);
            at = end;
            if *length < 255 {
                packets.push(Bytes::from(std::mem::take(&mut packet)));
            }
        }
        rest = &rest[at..];
    }
    Some(packets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav_file(rate: u32, channels: u16, seconds: f32) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for n in 0..(seconds * rate as f32) as u32 {
            let value = (f64::from(n) * 440.0 / f64::from(rate) * std::f64::consts::TAU).sin() * 16_000.0;
            (0..channels).for_each(|_| writer.write_sample(value as i16).unwrap());
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    #[test]
    fn wav_of_every_usual_rate_becomes_the_same_tone() {
        for (rate, channels) in [(8_000, 1), (16_000, 1), (44_100, 2), (48_000, 2), (96_000, 2)] {
            let blocks = announcement(&wav_file(rate, channels, 0.5)).unwrap();
            assert!((24..=26).contains(&blocks.len()), "{rate}: {} blocks", blocks.len());
            for (n, pair) in blocks[10].samples.chunks_exact(2).enumerate() {
                let time = (10 * limits::PCM_FRAMES + n) as f64 / 48_000.0;
                let expected = (time * 440.0 * std::f64::consts::TAU).sin() * 16_000.0 / 32_768.0;
                assert!((f64::from(pair[0]) - expected).abs() < 0.01, "{rate}: {} at {n}, not {expected}", pair[0]);
                assert_eq!(pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn opus_in_ogg_is_read() {
        let blocks = announcement(include_bytes!("../../app/load/assets/voice1.ogg")).unwrap();
        assert!((350..400).contains(&blocks.len()), "{}", blocks.len());
        assert!(blocks.iter().any(|block| block.samples.iter().any(|s| s.abs() > 0.1)));
    }

    #[test]
    fn what_is_no_announcement_is_a_typed_error() {
        assert!(matches!(announcement(b""), Err(AnnouncementError::Format)));
        assert!(matches!(announcement(b"RIFF"), Err(AnnouncementError::Wav(_))));
        assert!(matches!(announcement(b"OggS"), Err(AnnouncementError::Ogg)));
        assert!(matches!(announcement(&wav_file(8_000, 3, 0.1)), Err(AnnouncementError::Shape)));
        assert!(matches!(announcement(&wav_file(8_000, 1, 0.0)), Err(AnnouncementError::Empty)));
        let seconds = limits::ANNOUNCEMENT_SPAN.as_secs_f32() + 1.0;
        assert!(matches!(announcement(&wav_file(8_000, 1, seconds)), Err(AnnouncementError::TooLong)));
        let voice = include_bytes!("../../app/load/assets/voice1.ogg");
        for cut in (0..voice.len()).step_by(997) {
            let _ = announcement(&voice[..cut]);
        }
    }
}
