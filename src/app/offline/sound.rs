//! **The question:** what do the files sound like together? Every Opus track decoded, added up, limited and encoded
//! once.

use std::collections::VecDeque;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use bytes::Bytes;
use crossbeam_channel::{Receiver, bounded};

use crate::app::offline::error::RecomposeError;
use crate::base::limits;
use crate::base::media::{NANOS_PER_SECOND, PcmBlock, Pts, pts_from_tick};
use crate::core::mix::Limiter;
use crate::engine::decode::OpusFileDecoder;
use crate::engine::encode::{OpusEncoder, OpusEncoderConfig};
use crate::io::demux::{Sound, Track};

/// Opus packets of 20 ms, the first at the file's zero, without an end.
pub(super) type Packets = Receiver<Bytes>;
type Mixing<'scope> = ScopedJoinHandle<'scope, ()>;

/// Starts the `mix` thread; it ends when nobody wants its packets any more.
pub(super) fn mix<'scope>(
    scope: &'scope Scope<'scope, '_>,
    sounds: Vec<Sound>,
) -> Result<(Option<Packets>, Option<Mixing<'scope>>), RecomposeError> {
    let (outlet, mailbox) = bounded(limits::AUDIO_FAN_LEN);
    let work = move || {
        let mut voices: Vec<Voice> = sounds.into_iter().filter_map(Voice::new).collect();
        let Ok(mut encoder) = OpusEncoder::new(OpusEncoderConfig::default()) else { return };
        let mut limiter = Limiter::default();
        let mut block = PcmBlock::silence();
        for tick in 0.. {
            block.samples.fill(0.0);
            for voice in &mut voices {
                voice.add_to(&mut block.samples[..], tick * limits::PCM_FRAMES as u64);
            }
            voices.retain(|voice| !voice.is_over());
            limiter.apply(&mut block.samples);
            let pts = pts_from_tick(tick, limits::SAMPLE_RATE / limits::PCM_FRAMES as u32);
            let Ok(packet) = encoder.encode(&block, pts) else { return };
            if outlet.send(packet.data).is_err() {
                return;
            }
        }
    };
    let builder = std::thread::Builder::new().name("mix".to_owned());
    let mixing = builder.spawn_scoped(scope, work).map_err(RecomposeError::Thread)?;
    Ok((Some(mailbox), Some(mixing)))
}

/// One file's sound.
struct Voice {
    track: Box<dyn Track>,
    decoder: OpusFileDecoder,
    /// Decoded, not mixed yet; interleaved, without holes.
    samples: VecDeque<f32>,
    /// The sample pair that `samples` begins with, since the file's zero.
    from: u64,
    /// What follows after a hole, and where.
    after_hole: Option<(u64, VecDeque<f32>)>,
    ended: bool,
}

/// Sample pairs by which times may be off: what is nearly next is next (WebM rounds to a millisecond).
const ROUNDING: u64 = limits::SAMPLE_RATE as u64 / 200;

impl Voice {
    fn new(sound: Sound) -> Option<Self> {
        let decoder = OpusFileDecoder::new(&sound.head).ok()?;
        Some(Self { track: sound.track, decoder, samples: VecDeque::new(), from: 0, after_hole: None, ended: false })
    }

    fn is_over(&self) -> bool {
        self.ended && self.samples.is_empty() && self.after_hole.is_none()
    }

    /// Adds this voice to `block`, which begins with the sample pair `at`.
    fn add_to(&mut self, block: &mut [f32], at: u64) {
        let end = at + block.len() as u64 / 2;
        loop {
            if self.samples.is_empty()
                && let Some((from, samples)) = self.after_hole.take()
            {
                (self.from, self.samples) = (from.max(at), samples);
            }
            while !self.ended && self.after_hole.is_none() && self.from + self.samples.len() as u64 / 2 < end {
                self.decode(at);
            }
            if self.from < end {
                let first = usize::try_from(self.from.saturating_sub(at)).expect("within the block") * 2;
                let count = (block.len() - first).min(self.samples.len());
                for (sample, value) in block[first..].iter_mut().zip(self.samples.drain(..count)) {
                    *sample += value;
                }
                self.from += count as u64 / 2;
            }
            if !self.samples.is_empty() || self.after_hole.as_ref().is_none_or(|(from, _)| *from >= end) {
                return;
            }
        }
    }

    /// Decodes the next packet; `now` is the sample pair before which nothing can sound any more.
    fn decode(&mut self, now: u64) {
        let Ok(Some(packet)) = self.track.next() else {
            self.ended = true;
            return;
        };
        // A broken packet is a hole.
        let Ok(samples) = self.decoder.decode(&packet.data) else { return };
        let count =
            |span: Duration| usize::try_from(pairs(span)).map_or(samples.len(), |pairs| pairs.saturating_mul(2));
        let end = samples.len().saturating_sub(count(packet.trim));
        let samples = &samples[count(packet.skip).min(end)..end];
        if samples.is_empty() {
            return;
        }
        let at = pairs(packet.at.since(Pts(0)));
        let next = self.from + self.samples.len() as u64 / 2;
        if self.samples.is_empty() {
            // Close to where the last one ended it goes on there.
            let close = next >= now && at.abs_diff(next) <= ROUNDING;
            self.from = if close { next } else { at.max(now) };
            self.samples.extend(samples);
        } else if at > next + ROUNDING {
            self.after_hole = Some((at, samples.iter().copied().collect()));
        } else {
            self.samples.extend(samples);
        }
    }
}

/// Sample pairs of a span, rounded.
fn pairs(span: Duration) -> u64 {
    let scaled = span.as_nanos() * u128::from(limits::SAMPLE_RATE) + u128::from(NANOS_PER_SECOND / 2);
    u64::try_from(scaled / u128::from(NANOS_PER_SECOND)).unwrap_or(u64::MAX / 4)
}
