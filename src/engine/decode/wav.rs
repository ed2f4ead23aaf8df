//! **The question:** what sounds in a WAVE file? Any usual sample format, any number of loudspeakers brought to two
//! sides, and lengths as programs that write to a pipe leave them: 0, all ones, or more than there is.
//!
//! Microsoft's *Multiple channel audio data and WAVE files* (`WAVE_FORMAT_EXTENSIBLE`), EBU Tech 3306 (RF64).

use crate::base::media::Law;

/// A length that was never filled in.
const UNKNOWN: u32 = u32::MAX;
/// Loudspeakers that a file may have.
const CHANNELS: std::ops::RangeInclusive<usize> = 1..=32;

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// It ends before its sound, or a field contradicts another.
    #[error("its {0} is missing or malformed")]
    Malformed(&'static str),
    /// Samples that are not read.
    #[error("samples of format {tag} with {bits} bits are not read; make it with: ffmpeg -i IN -c:a pcm_s16le OUT.wav")]
    Samples {
        /// The format's number.
        tag: u16,
        /// Bits of a sample.
        bits: u16,
    },
}

/// How a sample is written, its bytes lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Samples {
    /// One byte, 128 is silence.
    Unsigned,
    /// So many bytes, the value in the upper bits.
    Signed(usize),
    Float32,
    Float64,
    Telephone(Law),
}

impl Samples {
    fn of(tag: u16, bits: u16, bytes: usize) -> Option<Self> {
        match (tag, bytes) {
            (1, 1) => Some(Self::Unsigned),
            (1, 2..=4) if usize::from(bits) > 8 * (bytes - 1) || bits == 0 => Some(Self::Signed(bytes)),
            (1, 2..=4) => Some(Self::Signed(bytes)).filter(|_| bits >= 8),
            (3, 4) => Some(Self::Float32),
            (3, 8) => Some(Self::Float64),
            (6, 1) => Some(Self::Telephone(Law::A)),
            (7, 1) => Some(Self::Telephone(Law::Mu)),
            _ => None,
        }
    }

    /// Full scale is one; what is no number is silence.
    fn read(self, bytes: &[u8]) -> f32 {
        let value = match self {
            Self::Unsigned => (f32::from(bytes[0]) - 128.0) / 128.0,
            Self::Signed(count) => {
                let mut word = [0; 4];
                word[4 - count..].copy_from_slice(bytes);
                i32::from_le_bytes(word) as f32 / 2_147_483_648.0
            }
            Self::Float32 => bytes.try_into().map_or(0.0, f32::from_le_bytes),
            #[expect(clippy::cast_possible_truncation, reason = "a sample needs no more")]
            Self::Float64 => bytes.try_into().map_or(0.0, f64::from_le_bytes) as f32,
            Self::Telephone(law) => f32::from(law.expand(bytes[0])) / 32_768.0,
        };
        if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 }
    }
}

/// A file's sound.
#[derive(Debug)]
pub(super) struct Wav<'a> {
    /// Sample frames a second.
    pub(super) rate: u32,
    samples: Samples,
    /// Bytes of one channel's sample.
    bytes: usize,
    /// How loud each channel is on either side.
    gains: Vec<[f32; 2]>,
    data: &'a [u8],
}

/// What `fmt ` says.
struct Format {
    tag: u16,
    channels: usize,
    rate: u32,
    align: usize,
    bits: u16,
    /// Which loudspeakers, a bit each.
    mask: Option<u32>,
}

impl<'a> Wav<'a> {
    /// Whether a file says that it is one.
    pub(super) fn is_one(file: &[u8]) -> bool {
        matches!(file.first_chunk::<4>(), Some(b"RIFF" | b"RF64" | b"BW64"))
    }

    /// Finds the sound of a file.
    pub(super) fn parse(file: &'a [u8]) -> Result<Self, WavError> {
        let mut rest = file.get(12..).filter(|_| &file[8..12] == b"WAVE").ok_or(WavError::Malformed("header"))?;
        let (mut format, mut data_len) = (None, None);
        loop {
            let (head, body) = rest.split_first_chunk::<8>().ok_or(WavError::Malformed("sound (data)"))?;
            let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            match &head[..4] {
                // 64-bit lengths: of the file, of the sound.
                b"ds64" => data_len = body.get(8..16).and_then(|len| len.try_into().ok()).map(u64::from_le_bytes),
                b"fmt " => format = Some(Format::parse(body).ok_or(WavError::Malformed("format (fmt)"))?),
                b"data" => {
                    let format = format.ok_or(WavError::Malformed("format (fmt)"))?;
                    let data = if is_empty(size, body) { &[] } else { sound(size, data_len, body) };
                    return Self::of(&format, data);
                }
                _ => {}
            }
            // Chunks begin at even places.
            let len = size as usize + (size % 2) as usize;
            rest = body.get(len..).ok_or(WavError::Malformed("sound (data)"))?;
        }
    }

    fn of(format: &Format, data: &'a [u8]) -> Result<Self, WavError> {
        let Format { tag, channels, rate, align, bits, mask } = *format;
        if !CHANNELS.contains(&channels) || align == 0 || !align.is_multiple_of(channels) || rate == 0 {
            return Err(WavError::Malformed("format (fmt)"));
        }
        let bytes = align / channels;
        let samples = Samples::of(tag, bits, bytes).ok_or(WavError::Samples { tag, bits })?;
        Ok(Self { rate, samples, bytes, gains: gains(channels, mask), data })
    }

    /// Sample frames; one that is cut off at the end is none.
    pub(super) fn len(&self) -> usize {
        self.data.len() / (self.bytes * self.gains.len())
    }

    /// Left and right, one after the other.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [f32; 2]> + '_ {
        self.data.chunks_exact(self.bytes * self.gains.len()).map(|frame| {
            let mut pair = [0.0; 2];
            for (sample, gain) in frame.chunks_exact(self.bytes).zip(&self.gains) {
                let value = self.samples.read(sample);
                pair = [pair[0] + value * gain[0], pair[1] + value * gain[1]];
            }
            pair
        })
    }
}

/// Whether a `data` chunk of length 0 holds nothing: another chunk follows, or the end.
fn is_empty(size: u32, body: &[u8]) -> bool {
    let follows: [&[u8]; 4] = [b"LIST", b"id3 ", b"cue ", b"bext"];
    size == 0 && (body.is_empty() || follows.iter().any(|name| body.starts_with(name)))
}

/// The bytes of a `data` chunk that says `size`, of which `body` begins with the first.
fn sound(size: u32, long: Option<u64>, body: &[u8]) -> &[u8] {
    let long = long.and_then(|len| usize::try_from(len).ok()).filter(|len| *len > 0);
    let len = match size {
        UNKNOWN => long.unwrap_or(usize::MAX),
        0 => usize::MAX,
        size => size as usize,
    };
    &body[..len.min(body.len())]
}

impl Format {
    fn parse(body: &[u8]) -> Option<Self> {
        let half = |at: usize| Some(u16::from_le_bytes(body.get(at..at + 2)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_le_bytes(body.get(at..at + 4)?.try_into().ok()?));
        let (mut tag, mut mask) = (half(0)?, None);
        if tag == 0xfffe {
            // The mask, then a GUID that begins with the format's number.
            (mask, tag) = (Some(word(20)?), half(24)?);
        }
        let (channels, align) = (half(2)?.into(), half(12)?.into());
        Some(Self { tag, channels, rate: word(4)?, align, bits: half(14)?, mask })
    }
}

/// Loudspeakers that stand where a mask does not say: mono to 7.1.
const USUAL: [u32; 8] = [0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f];

/// How loud each channel is to the left and to the right: together never louder than one of them at full scale.
fn gains(channels: usize, mask: Option<u32>) -> Vec<[f32; 2]> {
    let mask = mask.filter(|mask| mask.count_ones() as usize == channels);
    let Some(mask) = mask.or_else(|| USUAL.get(channels - 1).copied()) else {
        return vec![[(channels as f32).recip(); 2]; channels];
    };
    let half = 0.5_f32.sqrt();
    let speakers = (0..32).filter(|bit| mask >> bit & 1 == 1);
    let gains: Vec<[f32; 2]> = speakers
        .map(|bit| match bit {
            0 | 6 => [1.0, 0.0],
            1 | 7 => [0.0, 1.0],
            // Beside, behind or above.
            4 | 9 | 12 | 15 => [half, 0.0],
            5 | 10 | 14 | 17 => [0.0, half],
            // The low one carries what the others carry too.
            3 => [0.0, 0.0],
            _ if channels == 1 => [1.0, 1.0],
            _ => [half, half],
        })
        .collect();
    let sum = |side: usize| gains.iter().map(|gain| gain[side]).sum::<f32>();
    let most = sum(0).max(sum(1)).max(1.0);
    gains.into_iter().map(|[left, right]| [left / most, right / most]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of 8 kHz.
    fn file(riff: &[u8; 4], fmt: &[u8], data_len: u32, data: &[u8]) -> Vec<u8> {
        let fmt_len = u32::try_from(fmt.len()).unwrap().to_le_bytes();
        [&riff[..], &[0xff; 4], b"WAVEfmt ", &fmt_len, fmt, b"data", &data_len.to_le_bytes(), data].concat()
    }

    fn fmt(tag: u16, channels: u16, bits: u16) -> Vec<u8> {
        let align = channels * bits.div_ceil(8);
        let rate = 8_000_u32;
        let words = [rate.to_le_bytes(), (rate * u32::from(align)).to_le_bytes()].concat();
        [&tag.to_le_bytes()[..], &channels.to_le_bytes(), &words, &align.to_le_bytes(), &bits.to_le_bytes()].concat()
    }

    fn pairs(file: &[u8]) -> Vec<[f32; 2]> {
        let wav = Wav::parse(file).unwrap();
        let pairs: Vec<_> = wav.pairs().collect();
        assert_eq!(pairs.len(), wav.len());
        pairs
    }

    #[test]
    fn case_59_lengths_that_were_never_filled_in_mean_to_the_end() {
        let samples = [0_i16, 16_384, -16_384].map(i16::to_le_bytes).concat();
        let heard = vec![[0.0; 2], [0.5; 2], [-0.5; 2]];
        for len in [6, 0, UNKNOWN, 600, 0x8000_0000] {
            assert_eq!(pairs(&file(b"RIFF", &fmt(1, 1, 16), len, &samples)), heard, "{len:#x}");
        }
        let cut = [&samples[..], &[7]].concat();
        assert_eq!(pairs(&file(b"RIFF", &fmt(1, 1, 16), UNKNOWN, &cut)), heard, "half a sample is none");
        let long = [&b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0"[..], &[0; 8], &4_u64.to_le_bytes(), &[0; 12]].concat();
        let long = [&long[..], &file(b"RF64", &fmt(1, 1, 16), UNKNOWN, &samples)[12..]].concat();
        assert_eq!(pairs(&long), heard[..2], "its own 64-bit length counts");
        let none = file(b"RIFF", &fmt(1, 1, 16), 0, b"LIST\x02\0\0\0ab");
        assert_eq!(Wav::parse(&none).unwrap().len(), 0);
    }

    #[test]
    fn case_59_every_usual_sample_format_is_read() {
        let is_half = |tag: u16, bits: u16, sample: &[u8]| {
            let heard = pairs(&file(b"RIFF", &fmt(tag, 1, bits), UNKNOWN, sample));
            assert!((heard[0][0] - 0.5).abs() < 0.02, "format {tag} with {bits} bits: {heard:?}");
        };
        is_half(1, 8, &[192]);
        is_half(1, 16, &[0, 0x40]);
        is_half(1, 12, &[0, 0x40]);
        is_half(1, 24, &[0, 0, 0x40]);
        is_half(1, 32, &[0, 0, 0, 0x40]);
        is_half(3, 32, &0.5_f32.to_le_bytes());
        is_half(3, 64, &0.5_f64.to_le_bytes());
        is_half(6, 8, &[0xa5]);
        is_half(7, 8, &[0x8f]);
        let nan = pairs(&file(b"RIFF", &fmt(3, 1, 32), 4, &f32::NAN.to_le_bytes()));
        assert_eq!(nan, [[0.0; 2]]);
        let adpcm = file(b"RIFF", &fmt(2, 1, 4), 4, &[0; 4]);
        assert_eq!(Wav::parse(&adpcm).unwrap_err(), WavError::Samples { tag: 2, bits: 4 });
    }

    #[test]
    fn case_59_loudspeakers_come_to_two_sides() {
        let extensible = |channels: u16, mask: u32| {
            [&fmt(0xfffe, channels, 16)[..], &[22, 0, 16, 0], &mask.to_le_bytes(), &[1, 0], &[0; 14]].concat()
        };
        let full = i16::MIN.to_le_bytes();
        let heard = |mask: u32, sounding: usize| {
            let channels = u16::try_from(mask.count_ones()).unwrap();
            let frame: Vec<u8> = (0..channels.into()).flat_map(|n| if n == sounding { full } else { [0; 2] }).collect();
            pairs(&file(b"RIFF", &extensible(channels, mask), UNKNOWN, &frame))[0]
        };
        assert_eq!(heard(0x4, 0), [-1.0, -1.0], "mono");
        assert_eq!(heard(0x3, 1), [0.0, -1.0]);
        assert_eq!(heard(0x2, 0), [0.0, -1.0], "the right one alone");
        let centre = heard(0x3f, 2);
        assert!((centre[0] + 0.293).abs() < 0.001 && centre[0] == centre[1], "{centre:?}");
        assert_eq!(heard(0x3f, 3), [0.0, 0.0]);
        assert_eq!(gains(10, None), vec![[0.1; 2]; 10]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..120), whole in any::<bool>()) {
            let bytes = if whole { file(b"RIFF", &bytes[..bytes.len().min(40)], UNKNOWN, &bytes) } else { bytes };
            if Wav::is_one(&bytes) && let Ok(wav) = Wav::parse(&bytes) {
                prop_assert_eq!(wav.pairs().count(), wav.len());
            }
        }
    }
}
