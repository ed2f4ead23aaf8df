//! **The question:** what do a voice's pieces sound like? Decoder, joints and stretching: whatever packets do, the
//! sound goes on without a jump, and lasts as long as the jitter buffer counts.

use crate::base::limits;
use crate::base::media::PcmBlock;
use crate::core::jitter::{AudioPiece, Stretch, Stretcher};
use crate::engine::decode::VoiceDecoder;

/// Sound that stops or changes its source does so over 5 ms, in sample pairs.
const JOINT: usize = 240;
/// Nothing a decoder gives is louder: twice full scale. What a broken packet decodes to may be anything.
const LOUDEST_SAMPLE: f32 = 2.0;

/// Whether libopus took a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoded {
    /// It did.
    Well,
    /// It refused the packet, which was concealed.
    Malformed,
}

/// One voice's decoder and what it made that is not mixed yet.
#[derive(Debug)]
pub(super) struct VoicePcm {
    /// Holds nothing until the voice is first decoded; most never speak.
    decoder: VoiceDecoder,
    /// Decoded, interleaved, not yet mixed.
    waiting: Vec<f32>,
    /// The last tick.
    block: PcmBlock,
    stretcher: Stretcher,
    /// The last piece was no silence.
    is_sounding: bool,
}

impl VoicePcm {
    pub(super) fn new() -> Self {
        let block = PcmBlock::silence();
        Self {
            decoder: VoiceDecoder::default(),
            waiting: Vec::new(),
            block,
            stretcher: Stretcher::new(),
            is_sounding: false,
        }
    }

    /// The samples of the last tick.
    pub(super) fn block(&self) -> &PcmBlock {
        &self.block
    }

    /// The same, to be changed before it is mixed.
    pub(super) fn block_mut(&mut self) -> &mut PcmBlock {
        &mut self.block
    }

    /// Nobody hears it: what waits is given up, and what comes later follows nothing.
    pub(super) fn pause(&mut self) {
        self.waiting.clear();
        self.is_sounding = false;
    }

    /// Back to the decoder's initial state.
    pub(super) fn reset(&mut self) {
        self.decoder.reset();
    }

    /// Appends what `piece` sounds like.
    pub(super) fn decode(&mut self, piece: &AudioPiece) -> Decoded {
        let frames = piece.samples() as usize;
        let begin = self.waiting.len();
        if matches!(piece, AudioPiece::Silence { .. }) {
            self.fall_silent(frames);
            return Decoded::Well;
        }
        let fade = match piece {
            AudioPiece::Play { begins: true, .. } => self.end_of_source(),
            _ if self.is_sounding => None,
            _ => Some([0.0; JOINT * 2]),
        };
        let outcome = self.append(piece, frames);
        // Whatever libopus gave, the piece lasts as long as the jitter buffer said.
        self.waiting.resize(begin + frames * 2, 0.0);
        bound(&mut self.waiting[begin..]);
        if let Some(fade) = fade {
            join(&fade, &mut self.waiting[begin..]);
        }
        self.is_sounding = true;
        outcome
    }

    /// Does what the jitter buffer advises to this tick's sound, of which `after` sample pairs belong after it, and
    /// says by how many sample pairs it became longer.
    pub(super) fn stretch(&mut self, advice: Stretch, after: usize) -> i32 {
        let tick = limits::PCM_FRAMES + after;
        if advice == Stretch::Keep || self.waiting.len() < tick * 2 {
            return 0;
        }
        // Sound of an earlier tick is still there when the decoder was warmed up.
        self.waiting.drain(..self.waiting.len() - tick * 2);
        match advice {
            Stretch::Keep => 0,
            Stretch::Shrink { samples_max, likeness } => {
                let cut = self.stretcher.shrink(&mut self.waiting, after.min(samples_max as usize), likeness);
                -i32::try_from(cut).expect("a cut is 15 ms at most")
            }
            Stretch::Grow { likeness } => {
                let more = self.stretcher.grow(&self.block.samples[..], &mut self.waiting, likeness);
                i32::try_from(more).expect("a repetition is 15 ms at most")
            }
        }
    }

    /// The next 20 ms; `after` sample pairs belong after them. A surplus (pre-roll) goes from the front, and what is
    /// missing (the begin of a long packet that was not decoded) is silence there.
    pub(super) fn take_block(&mut self, after: usize) {
        let surplus = self.waiting.len().saturating_sub(after * 2 + limits::PCM_SAMPLES);
        let ready = (self.waiting.len() - surplus).saturating_sub(after * 2).min(limits::PCM_SAMPLES);
        let missing = limits::PCM_SAMPLES - ready;
        self.block.samples[..missing].fill(0.0);
        self.block.samples[missing..].copy_from_slice(&self.waiting[surplus..surplus + ready]);
        self.waiting.drain(..surplus + ready);
    }

    fn append(&mut self, piece: &AudioPiece, frames: usize) -> Decoded {
        let decoder = &mut self.decoder;
        let decoded = match piece {
            AudioPiece::Play { packet, .. } => decoder.decode(packet.coded()),
            AudioPiece::Conceal { next: Some(next), .. } => decoder.restore(next, frames),
            _ => decoder.conceal(frames),
        };
        if let Ok(pcm) = decoded {
            self.waiting.extend_from_slice(&pcm[..pcm.len().min(frames * 2)]);
            return Decoded::Well;
        }
        // As if it were lost.
        if let Ok(pcm) = decoder.conceal(frames) {
            self.waiting.extend_from_slice(&pcm[..pcm.len().min(frames * 2)]);
        }
        Decoded::Malformed
    }

    /// What the old source would have gone on with, and a decoder that knows nothing of it.
    fn end_of_source(&mut self) -> Option<[f32; JOINT * 2]> {
        let tail = self.tail();
        self.reset();
        Some(tail)
    }

    fn fall_silent(&mut self, frames: usize) {
        let begin = self.waiting.len();
        if self.is_sounding {
            let tail = self.tail();
            self.waiting.extend_from_slice(&tail[..(frames * 2).min(tail.len())]);
            let mut silence = [0.0; JOINT * 2];
            let end = self.waiting.len();
            silence[..end - begin].copy_from_slice(&self.waiting[begin..]);
            self.waiting[begin..].fill(0.0);
            join(&silence, &mut self.waiting[begin..]);
            self.is_sounding = false;
        }
        self.waiting.resize(begin + frames * 2, 0.0);
    }

    /// The next 5 ms as the decoder makes them up; silence after silence.
    fn tail(&mut self) -> [f32; JOINT * 2] {
        let mut tail = [0.0; JOINT * 2];
        if self.is_sounding
            && let Ok(pcm) = self.decoder.conceal(JOINT)
        {
            tail[..pcm.len()].copy_from_slice(pcm);
            bound(&mut tail);
        }
        tail
    }
}

fn bound(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-LOUDEST_SAMPLE, LOUDEST_SAMPLE) };
    }
}

/// From `old` to what stands in `new`, over the joint or as much of it as there is.
fn join(old: &[f32], new: &mut [f32]) {
    for (at, (old, new)) in old.iter().zip(new).enumerate() {
        let share = (at / 2) as f32 / JOINT as f32;
        *new = old + (*new - old) * share;
    }
}
