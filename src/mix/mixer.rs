//! **The question:** what is the sum for each listener? The shared mix is the sum of all voices; a mix-minus is summed anew
//! without the listener's own, because a limited sum cannot be subtracted from. After start nothing is allocated.

use crate::limits;
use crate::media::{ParticipantId, PcmBlock};
use crate::mix::Limiter;

/// How a voice's loudness runs through a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fade {
    /// From nothing to full, over the tick.
    In,
    /// Full.
    Hold,
    /// From full to nothing.
    Out,
}

/// One voice's part in a tick.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// Whose it is; a person's own voices are all left out of their mix-minus.
    pub participant: ParticipantId,
    /// Its samples.
    pub block: &'a PcmBlock,
    /// How it enters the sum.
    pub fade: Fade,
}

/// Mixes one room.
#[derive(Debug)]
pub struct Mixer {
    shared: PcmBlock,
    shared_limiter: Limiter,
    slots: Vec<Slot>,
    /// The tick's voices with their fades applied.
    faded: Vec<PcmBlock>,
}

/// Where a mix-minus is made. A participant keeps their slot from tick to tick, so that its limiter and the encoder behind it
/// keep their state.
#[derive(Debug)]
struct Slot {
    participant: Option<ParticipantId>,
    /// It was taken for its participant at this very tick.
    fresh: bool,
    limiter: Limiter,
    block: PcmBlock,
}

/// One participant's mix-minus.
#[derive(Debug, Clone, Copy)]
pub struct Minus<'a> {
    /// Who hears it.
    pub participant: ParticipantId,
    /// Which of the `limits::VOICES_MAX` slots it is in, the same at each tick while they are heard.
    pub slot: usize,
    /// Whether the slot served somebody else, or nobody, at the last tick.
    pub fresh: bool,
    /// Everybody but them.
    pub block: &'a PcmBlock,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// A silent room.
    #[must_use]
    pub fn new() -> Self {
        let slot = || Slot { participant: None, fresh: false, limiter: Limiter::default(), block: PcmBlock::silence() };
        Self {
            shared: PcmBlock::silence(),
            shared_limiter: Limiter::default(),
            slots: (0..limits::VOICES_MAX).map(|_| slot()).collect(),
            faded: (0..limits::VOICES_MAX).map(|_| PcmBlock::silence()).collect(),
        }
    }

    /// Mixes one tick of at most `limits::VOICES_MAX` voices.
    pub fn mix(&mut self, voices: &[Voice<'_>]) {
        assert!(voices.len() <= limits::VOICES_MAX, "the choice bounds the voices");
        for (faded, voice) in self.faded.iter_mut().zip(voices) {
            fade_into(&mut faded.samples[..], &voice.block.samples[..], voice.fade);
        }
        self.seat(voices);
        let faded = &self.faded[..voices.len()];
        sum_into(&mut self.shared, faded.iter());
        self.shared_limiter.apply(&mut self.shared.samples[..]);
        for slot in &mut self.slots {
            let Some(own) = slot.participant else { continue };
            let others = voices.iter().zip(faded).filter(|(voice, _)| voice.participant != own).map(|(_, block)| block);
            sum_into(&mut slot.block, others);
            slot.limiter.apply(&mut slot.block.samples[..]);
        }
    }

    /// The last tick's mix for everybody who is not heard in it.
    #[must_use]
    pub fn shared(&self) -> &PcmBlock {
        &self.shared
    }

    /// The last tick's mix-minus of each who is heard in it.
    pub fn minus(&self) -> impl Iterator<Item = Minus<'_>> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let participant = slot.participant?;
            Some(Minus { participant, slot: index, fresh: slot.fresh, block: &slot.block })
        })
    }

    /// Gives each participant among the voices a slot, their old one where they had one.
    fn seat(&mut self, voices: &[Voice<'_>]) {
        for slot in &mut self.slots {
            slot.fresh = false;
            if slot.participant.is_some_and(|own| voices.iter().all(|voice| voice.participant != own)) {
                slot.participant = None;
            }
        }
        for voice in voices {
            if self.slots.iter().any(|slot| slot.participant == Some(voice.participant)) {
                continue;
            }
            let free = self.slots.iter_mut().find(|slot| slot.participant.is_none());
            let slot = free.expect("there are as many slots as voices");
            slot.participant = Some(voice.participant);
            slot.fresh = true;
            // They heard the shared mix until now; go on from its loudness.
            slot.limiter = self.shared_limiter.clone();
        }
    }
}

fn fade_into(target: &mut [f32], source: &[f32], fade: Fade) {
    target.copy_from_slice(source);
    let (from, step) = match fade {
        Fade::Hold => return,
        Fade::In => (0.0, 1.0 / limits::PCM_FRAMES as f32),
        Fade::Out => (1.0, -1.0 / limits::PCM_FRAMES as f32),
    };
    for (n, pair) in target.chunks_exact_mut(2).enumerate() {
        let gain = from + step * n as f32;
        pair[0] *= gain;
        pair[1] *= gain;
    }
}

fn sum_into<'a>(target: &mut PcmBlock, blocks: impl Iterator<Item = &'a PcmBlock>) {
    target.samples.fill(0.0);
    for block in blocks {
        for (sum, sample) in target.samples.iter_mut().zip(block.samples.iter()) {
            *sum += sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f32, amplitude: f32) -> PcmBlock {
        let mut block = PcmBlock::silence();
        for (n, pair) in block.samples.chunks_exact_mut(2).enumerate() {
            let sample = (n as f32 * frequency / 48_000.0 * std::f32::consts::TAU).sin() * amplitude;
            pair.fill(sample);
        }
        block
    }

    /// Amplitude of `frequency` in the left channel (Goertzel's sum, written out).
    fn amplitude_of(block: &PcmBlock, frequency: f32) -> f32 {
        let (mut re, mut im) = (0.0_f32, 0.0_f32);
        for (n, pair) in block.samples.chunks_exact(2).enumerate() {
            let phase = n as f32 * frequency / 48_000.0 * std::f32::consts::TAU;
            re += pair[0] * phase.cos();
            im += pair[0] * phase.sin();
        }
        (re * re + im * im).sqrt() * 2.0 / limits::PCM_FRAMES as f32
    }

    #[test]
    fn a_person_hears_all_but_themselves() {
        let blocks: Vec<_> = (0..3).map(|n| tone(500.0 + 250.0 * n as f32, 0.2)).collect();
        let mut mixer = Mixer::new();
        let voices: Vec<_> = blocks
            .iter()
            .enumerate()
            .map(|(n, block)| Voice { participant: ParticipantId(n as u64), block, fade: Fade::Hold })
            .collect();
        mixer.mix(&voices);
        for n in 0..3 {
            let frequency = 500.0 + 250.0 * n as f32;
            assert!((amplitude_of(mixer.shared(), frequency) - 0.2).abs() < 0.01);
            for minus in mixer.minus() {
                let heard = amplitude_of(minus.block, frequency);
                if minus.participant == ParticipantId(n) {
                    assert!(heard < 0.2 * 0.001, "60 dB below: {heard}");
                } else {
                    assert!((heard - 0.2).abs() < 0.01);
                }
            }
        }
    }

    #[test]
    fn full_scale_voices_do_not_clip_in_any_mix() {
        let block = tone(440.0, 1.0);
        let mut mixer = Mixer::new();
        for _ in 0..20 {
            let voices: Vec<_> = (0..limits::VOICES_MAX as u64)
                .map(|n| Voice { participant: ParticipantId(n), block: &block, fade: Fade::Hold })
                .collect();
            mixer.mix(&voices);
            assert!(mixer.shared().samples.iter().all(|s| s.abs() < 1.0));
            assert!(mixer.minus().all(|m| m.block.samples.iter().all(|s| s.abs() < 1.0)));
            assert_eq!(mixer.minus().count(), limits::VOICES_MAX);
        }
    }

    #[test]
    fn a_fade_has_no_step_and_slots_stay_with_their_people() {
        let block = tone(50.0, 0.5);
        let mut mixer = Mixer::new();
        let voice = |n, fade| Voice { participant: ParticipantId(n), block: &block, fade };
        mixer.mix(&[voice(1, Fade::In)]);
        assert_eq!(mixer.shared().samples[0], 0.0);
        mixer.mix(&[voice(1, Fade::Hold), voice(2, Fade::In)]);
        let slot_of =
            |mixer: &Mixer, n| mixer.minus().find(|m| m.participant == ParticipantId(n)).map(|m| (m.slot, m.fresh));
        assert_eq!(slot_of(&mixer, 2), Some((1, true)));
        mixer.mix(&[voice(1, Fade::Out), voice(2, Fade::Hold)]);
        mixer.mix(&[voice(2, Fade::Hold), voice(3, Fade::In)]);
        assert_eq!((slot_of(&mixer, 2), slot_of(&mixer, 3)), (Some((1, false)), Some((0, true))));
        mixer.mix(&[]);
        assert!(mixer.shared().samples.iter().all(|s| *s == 0.0));
        assert_eq!(mixer.minus().count(), 0);
    }

    #[test]
    fn two_voices_of_one_person_are_both_left_out() {
        let block = tone(440.0, 0.3);
        let mut mixer = Mixer::new();
        let voice = Voice { participant: ParticipantId(9), block: &block, fade: Fade::Hold };
        mixer.mix(&[voice, voice]);
        let minus: Vec<_> = mixer.minus().collect();
        assert_eq!(minus.len(), 1);
        assert!(minus[0].block.samples.iter().all(|s| *s == 0.0));
    }
}
