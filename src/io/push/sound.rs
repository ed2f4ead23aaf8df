//! **The question:** how does the room's mix become sound that a server takes? Opus as it is; for AAC it is decoded and
//! encoded anew, one tick after the other, and what is missing for a short while is silence, so that packets, which
//! have no gaps between them, keep to the room's clock.

use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::{Pts, SoundCodec, pts_from_tick};
use crate::core::bitstream::aac::PACKET_SAMPLES;
use crate::core::bitstream::opus;
use crate::engine::decode::OpusDecoder;
use crate::engine::encode::{AAC_DELAY_SAMPLES, AacEncoder};
use crate::io::push::error::PushError;

/// Nanoseconds of a tick.
const TICK: u64 = limits::AUDIO_TICK.as_nanos() as u64;

/// A packet, and when it is heard.
pub(super) type Sounded = (Pts, Bytes);

/// One stream's sound.
#[derive(Debug)]
pub(super) enum Sound {
    /// None.
    None,
    /// As it comes.
    Opus,
    /// Coded anew.
    Aac(Box<Transcoder>),
}

/// From Opus to AAC.
#[derive(Debug)]
pub(super) struct Transcoder {
    decoder: OpusDecoder,
    encoder: AacEncoder,
    /// The first tick of the packets that follow each other without a gap, and the next one.
    run: Option<(u64, u64)>,
    /// Packets since then.
    packets: u64,
}

impl Sound {
    pub(super) fn new(codec: Option<SoundCodec>) -> Result<Self, PushError> {
        Ok(match codec {
            None => Self::None,
            Some(SoundCodec::Opus) => Self::Opus,
            Some(SoundCodec::Aac) => Self::Aac(Box::new(Transcoder::new()?)),
        })
    }

    /// Takes the packet of the tick at `pts`, and appends what is to be sent.
    pub(super) fn tick(&mut self, pts: Pts, packet: &Bytes, out: &mut Vec<Sounded>) -> Result<(), PushError> {
        match self {
            Self::None => {}
            // What a decoder gives out first is of before the packet.
            Self::Opus => out.push((earlier(pts, opus::PRE_SKIP.into()), packet.clone())),
            Self::Aac(transcoder) => transcoder.tick(pts, packet, out)?,
        }
        Ok(())
    }
}

impl Transcoder {
    fn new() -> Result<Self, PushError> {
        let decoder = OpusDecoder::new().map_err(|error| PushError::Broken(error.to_string()))?;
        Ok(Self { decoder, encoder: AacEncoder::new(), run: None, packets: 0 })
    }

    fn tick(&mut self, pts: Pts, packet: &Bytes, out: &mut Vec<Sounded>) -> Result<(), PushError> {
        let tick = (pts.0 + TICK / 2) / TICK;
        let next = match self.run {
            Some((_, next)) if tick < next => return Ok(()),
            Some((_, next)) if tick - next <= limits::PUSH_SILENCE_TICKS_MAX => next,
            // Too much is missing, or nothing was before.
            _ => {
                *self = Self::new()?;
                self.run = Some((tick, tick));
                tick
            }
        };
        for _ in next..tick {
            self.code(opus::SILENCE, out);
        }
        self.code(packet, out);
        Ok(())
    }

    fn code(&mut self, packet: &[u8], out: &mut Vec<Sounded>) {
        const SILENT: [f32; limits::PCM_SAMPLES] = [0.0; limits::PCM_SAMPLES];
        let decoded = self.decoder.decode(packet).ok().filter(|samples| samples.len() == limits::PCM_SAMPLES);
        let mut packets = Vec::new();
        self.encoder.encode(decoded.unwrap_or(&SILENT), &mut packets);
        let Some((first, next)) = &mut self.run else { return };
        *next += 1;
        let begins = pts_from_tick(*first, ticks_per_second());
        for packet in packets {
            let samples = self.packets * PACKET_SAMPLES as u64;
            self.packets += 1;
            let at = begins + pts_from_tick(samples, limits::SAMPLE_RATE).since(Pts(0));
            out.push((earlier(at, AAC_DELAY_SAMPLES + u64::from(opus::PRE_SKIP)), packet));
        }
    }
}

fn ticks_per_second() -> u32 {
    (Duration::from_secs(1).as_nanos() / limits::AUDIO_TICK.as_nanos()) as u32
}

fn earlier(at: Pts, samples: u64) -> Pts {
    Pts(at.0.saturating_sub(pts_from_tick(samples, limits::SAMPLE_RATE).0))
}
