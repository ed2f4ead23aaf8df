//! **The question:** how does a file that an operator hands in become blocks for the mix? WAV, or Opus in Ogg (RFC
//! 7845), of any number of channels and any usual rate. Strangers send these files: what they hold is gone through
//! once, piece by piece, and what comes out is bounded, whatever the file says.

mod ogg;
mod resample;

use crate::base::limits;
use crate::base::media::ShortBlock;
use crate::core::bitstream::opus_head::{OpusHead, OpusHeadError};
use crate::engine::decode::announcement::ogg::{MalformedOgg, OggPackets};
use crate::engine::decode::announcement::resample::Resampler;
use crate::engine::decode::wav::{Wav, WavError};
use crate::engine::decode::{OpusDecodeError, OpusFileDecoder};

/// Sample rates taken, Hz.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=96_000;

/// Why a file cannot be announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    /// Neither `RIFF` nor `OggS`.
    #[error("the file is neither WAV nor Ogg Opus")]
    Format,
    /// A WAV file that is malformed.
    #[error("the WAV file cannot be read: {0}")]
    Wav(#[from] WavError),
    /// Another rate than is taken.
    #[error("a WAV file has {} to {} samples a second", RATES.start(), RATES.end())]
    Rate,
    /// An Ogg file that is cut off, or none of Opus.
    #[error("the Ogg Opus file is malformed")]
    Ogg,
    /// A header of Opus that is not understood.
    #[error(transparent)]
    Head(#[from] OpusHeadError),
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

impl From<MalformedOgg> for AnnouncementError {
    fn from(_: MalformedOgg) -> Self {
        Self::Ogg
    }
}

/// Reads an announcement to blocks of the mix, the last one filled up with silence. Costs some milliseconds for each
/// second of it, and no memory but the blocks.
///
/// # Errors
/// [`AnnouncementError`] says what is wrong with the file.
pub fn announcement(file: &[u8]) -> Result<Vec<ShortBlock>, AnnouncementError> {
    let mut blocks = Blocks::default();
    match file {
        _ if Wav::is_one(file) => wav(file, &mut blocks)?,
        [b'O', b'g', b'g', b'S', ..] => ogg_opus(file, &mut blocks)?,
        _ => return Err(AnnouncementError::Format),
    }
    if blocks.full.is_empty() { Err(AnnouncementError::Empty) } else { Ok(blocks.full) }
}

/// Sample pairs that an announcement may have at a rate.
fn frames_max(rate: u32) -> usize {
    limits::ANNOUNCEMENT_SPAN.as_secs() as usize * rate as usize
}

/// What was read so far, at 48 kHz.
#[derive(Default)]
struct Blocks {
    full: Vec<ShortBlock>,
    frames: usize,
}

impl Blocks {
    fn push(&mut self, pair: [f32; 2]) -> Result<(), AnnouncementError> {
        if self.frames == frames_max(limits::SAMPLE_RATE) {
            return Err(AnnouncementError::TooLong);
        }
        let at = self.frames % limits::PCM_FRAMES;
        if at == 0 {
            self.full.push(ShortBlock::silence());
        }
        if let Some(block) = self.full.last_mut() {
            block.samples[2 * at..2 * at + 2].copy_from_slice(&pair.map(ShortBlock::sample));
        }
        self.frames += 1;
        Ok(())
    }
}

fn wav(file: &[u8], blocks: &mut Blocks) -> Result<(), AnnouncementError> {
    let wav = Wav::parse(file)?;
    if !RATES.contains(&wav.rate) {
        return Err(AnnouncementError::Rate);
    }
    if wav.len() > frames_max(wav.rate) {
        return Err(AnnouncementError::TooLong);
    }
    let mut resampler = Resampler::new(wav.rate);
    for pair in wav.pairs() {
        resampler.push(pair, &mut |pair| blocks.push(pair))?;
    }
    resampler.finish(&mut |pair| blocks.push(pair))
}

fn ogg_opus(file: &[u8], blocks: &mut Blocks) -> Result<(), AnnouncementError> {
    let mut packets = OggPackets::new(file);
    // RFC 7845 sections 5.1 and 5.2: two header packets, the first with the samples to leave out at the start.
    let head = packets.next_packet()?.filter(|head| head.starts_with(b"OpusHead")).ok_or(AnnouncementError::Ogg)?;
    let head = OpusHead::parse(head)?;
    let mut to_skip = usize::from(head.pre_skip);
    packets.next_packet()?.ok_or(AnnouncementError::Ogg)?;
    let mut decoder = OpusFileDecoder::new(&head)?;
    while let Some(packet) = packets.next_packet()? {
        for pair in decoder.decode(packet)?.chunks_exact(2) {
            match to_skip {
                0 => blocks.push([pair[0], pair[1]])?,
                _ => to_skip -= 1,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

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
                assert!(
                    (f64::from(pair[0]) / 32_768.0 - expected).abs() < 0.01,
                    "{rate}: {} at {n}, not {expected}",
                    pair[0]
                );
                assert_eq!(pair[0], pair[1]);
            }
        }
    }

    #[test]
    fn case_59_a_wav_out_of_a_pipe_is_announced_whole() {
        let whole = wav_file(16_000, 2, 0.5);
        let data = whole.windows(4).position(|window| window == b"data").unwrap();
        for len in [0, u32::MAX] {
            let mut piped = whole.clone();
            piped[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            piped[data + 4..data + 8].copy_from_slice(&len.to_le_bytes());
            assert_eq!(announcement(&piped).unwrap().len(), 25, "{len:#x}");
        }
        assert_eq!(announcement(&wav_file(48_000, 6, 0.1)).unwrap().len(), 5, "5.1");
    }

    #[test]
    fn opus_in_ogg_is_read() {
        let blocks = announcement(include_bytes!("../../app/load/assets/voice1.ogg")).unwrap();
        assert!((350..400).contains(&blocks.len()), "{}", blocks.len());
        assert!(blocks.iter().any(|block| block.samples.iter().any(|s| s.abs() > 3_000)));
    }

    #[test]
    fn what_is_no_announcement_is_a_typed_error() {
        assert!(matches!(announcement(b""), Err(AnnouncementError::Format)));
        assert!(matches!(announcement(b"RIFF"), Err(AnnouncementError::Wav(_))));
        assert!(matches!(announcement(b"OggS"), Err(AnnouncementError::Ogg)));
        assert!(matches!(announcement(&wav_file(4_000, 1, 0.1)), Err(AnnouncementError::Rate)));
        assert!(matches!(announcement(&wav_file(8_000, 1, 0.0)), Err(AnnouncementError::Empty)));
        let seconds = limits::ANNOUNCEMENT_SPAN.as_secs_f32() + 1.0;
        assert!(matches!(announcement(&wav_file(8_000, 1, seconds)), Err(AnnouncementError::TooLong)));
        let voice = include_bytes!("../../app/load/assets/voice1.ogg");
        for cut in (0..voice.len()).step_by(997) {
            let _ = announcement(&voice[..cut]);
        }
    }
    /// An Ogg page of these packets, each shorter than 255 bytes.
    fn page(packets: &[&[u8]]) -> Vec<u8> {
        let mut page = b"OggS\0\0".to_vec();
        page.extend([0; 20]);
        page.push(u8::try_from(packets.len()).unwrap());
        page.extend(packets.iter().map(|packet| u8::try_from(packet.len()).unwrap()));
        page.extend(packets.concat());
        page
    }

    #[test]
    fn a_file_of_countless_packets_ends_at_the_limit_and_costs_no_more() {
        let head = page(&[b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0"]);
        let begun = [head, page(&[b"OpusTags"])].concat();
        let many = |packet: &[u8]| {
            let mut file = begun.clone();
            let full = page(&[packet; 255]);
            while file.len() + full.len() <= limits::ANNOUNCEMENT_LEN_MAX {
                file.extend(&full);
            }
            file
        };
        // One byte: 20 ms of nothing. Six million of them are some 35 hours.
        let told = announcement(&many(&[0xfc]));
        assert!(matches!(told, Err(AnnouncementError::TooLong)), "{:?}", told.map(|blocks| blocks.len()));
        let told = announcement(&many(&[]));
        assert!(matches!(told, Err(AnnouncementError::Opus(OpusDecodeError::Empty))));
        let seconds = announcement(&[begun.clone(), page(&[&[0xfc][..]; 100])].concat()).unwrap();
        assert_eq!(seconds.len(), 100, "two seconds");
        let mut endless = begun;
        // One packet that never ends.
        while endless.len() < limits::ANNOUNCEMENT_LEN_MAX - 70_000 {
            endless.extend(b"OggS\0\0");
            endless.extend([0; 20]);
            endless.push(255);
            endless.extend([255; 255]);
            endless.extend([0; 255 * 255]);
        }
        assert!(matches!(announcement(&endless), Err(AnnouncementError::Ogg)));
    }

    #[test]
    fn any_rate_keeps_length_and_level() {
        for rate in [8_001, 11_025, 22_050, 44_100, 47_999, 95_999] {
            let blocks = announcement(&wav_file(rate, 2, 1.0)).unwrap();
            assert!((49..=51).contains(&blocks.len()), "{rate}: {} blocks", blocks.len());
            let peak = blocks[25].samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
            assert!(peak.abs_diff(16_000) < 330, "{rate}: {peak}");
        }
    }
}
