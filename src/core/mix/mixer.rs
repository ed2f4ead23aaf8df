//! **The question:** what is the sum for each listener? The shared mix is the sum of all voices; a mix-minus is summed
//! anew without the listener's own, because a limited sum cannot be subtracted from. After start nothing is allocated.

use crate::base::limits;
use crate::base::media::{ParticipantId, PcmBlock};
use crate::core::mix::Limiter;
use crate::core::mix::leveller::{amplitude, scale};

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

/// What a sound is, which says what makes way for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoundKind {
    /// A person's voice; makes way for announcements.
    Speech,
    /// A shared screen's sound; makes way for announcements, and for speech if asked.
    Programme,
    /// The node's own words; they make way for nothing.
    Announcement,
}

/// One voice's part in a tick.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// Whose it is; a person's own voices are all left out of their mix-minus. `None`: nobody's, heard by all.
    pub participant: Option<ParticipantId>,
    /// What it is.
    pub kind: SoundKind,
    /// Its samples.
    pub block: &'a PcmBlock,
    /// How it enters the sum.
    pub fade: Fade,
}

/// dB by which a sound is lowered that makes way.
const DUCKED: f32 = -12.0;
/// dB a tick that it falls by: it is down within 120 ms.
const DUCK_FALL: f32 = 2.0;
/// dB a tick that it rises by: it is back within 1.2 s, so that pauses between words do not pump.
const DUCK_RISE: f32 = 0.2;

/// How far sounds of one kind are lowered.
#[derive(Debug, Clone, Copy, Default)]
struct Duck {
    /// At the last tick's begin and end, dB.
    from: f32,
    to: f32,
}

impl Duck {
    fn tick(&mut self, lower: bool) {
        self.from = self.to;
        self.to = if lower { (self.to - DUCK_FALL).max(DUCKED) } else { (self.to + DUCK_RISE).min(0.0) };
    }

    fn apply(self, block: &mut [f32; limits::PCM_SAMPLES]) {
        if self.from != 0.0 || self.to != 0.0 {
            scale(block, amplitude(self.from), amplitude(self.to));
        }
    }
}

/// Mixes one room.
#[derive(Debug)]
pub struct Mixer {
    duck_programme: bool,
    speech: Duck,
    programme: Duck,
    shared: PcmBlock,
    shared_limiter: Limiter,
    slots: Vec<Slot>,
    /// The tick's parts with their fades applied.
    faded: Vec<PcmBlock>,
}

/// Where a mix-minus is made. A participant keeps their slot from tick to tick, so that its limiter and the encoder
/// behind it keep their state.
#[derive(Debug)]
struct Slot {
    participant: Option<ParticipantId>,
    /// It was taken for its participant at this very tick.
    fresh: bool,
    /// Its participant was not heard at this tick.
    lingers: bool,
    limiter: Limiter,
    block: PcmBlock,
}

/// One participant's mix-minus.
#[derive(Debug, Clone, Copy)]
pub struct Minus<'a> {
    /// Who hears it.
    pub participant: ParticipantId,
    /// Which of the `limits::MIX_SLOTS` slots it is in, the same at each tick while they are heard.
    pub slot: usize,
    /// Whether the slot served somebody else, or nobody, at the last tick.
    pub fresh: bool,
    /// Whether they are no longer heard, so that this is the last one of them unless they are heard again.
    pub last: bool,
    /// Everybody but them.
    pub block: &'a PcmBlock,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Mixer {
    /// A silent room. `duck_programme`: shared screens' sound makes way for speech.
    #[must_use]
    pub fn new(duck_programme: bool) -> Self {
        let slot = || Slot {
            participant: None,
            fresh: false,
            lingers: false,
            limiter: Limiter::default(),
            block: PcmBlock::silence(),
        };
        Self {
            duck_programme,
            speech: Duck::default(),
            programme: Duck::default(),
            shared: PcmBlock::silence(),
            shared_limiter: Limiter::default(),
            slots: (0..limits::MIX_SLOTS).map(|_| slot()).collect(),
            faded: (0..limits::MIX_PARTS_MAX).map(|_| PcmBlock::silence()).collect(),
        }
    }

    /// Mixes one tick of at most `limits::VOICES_MAX` voices and one announcement. What comes out is late by the
    /// limiters' `LIMITER_DELAY_FRAMES`.
    pub fn mix(&mut self, voices: &[Voice<'_>]) {
        assert!(voices.len() <= limits::MIX_PARTS_MAX, "the choice bounds the voices");
        let sounds = |kind| voices.iter().any(|voice| voice.kind == kind && voice.fade != Fade::Out);
        let announcement = sounds(SoundKind::Announcement);
        self.speech.tick(announcement);
        self.programme.tick(announcement || (self.duck_programme && sounds(SoundKind::Speech)));
        for (faded, voice) in self.faded.iter_mut().zip(voices) {
            fade_into(&mut faded.samples, &voice.block.samples, voice.fade);
            match voice.kind {
                SoundKind::Speech => self.speech.apply(&mut faded.samples),
                SoundKind::Programme => self.programme.apply(&mut faded.samples),
                SoundKind::Announcement => {}
            }
        }
        self.seat(voices);
        let faded = &self.faded[..voices.len()];
        sum_into(&mut self.shared, faded.iter());
        for slot in &mut self.slots {
            let Some(own) = slot.participant else { continue };
            let others = voices.iter().zip(faded).filter(|(voice, _)| voice.participant != Some(own));
            sum_into(&mut slot.block, others.map(|(_, block)| block));
            slot.limiter.apply(&mut slot.block.samples);
        }
        self.shared_limiter.apply(&mut self.shared.samples);
    }

    /// Whether the last tick's mix is silence, all that was delayed put out.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.shared.samples.iter().all(|sample| *sample == 0.0)
    }

    /// The last tick's mix for everybody who is not heard in it.
    #[must_use]
    pub fn shared(&self) -> &PcmBlock {
        &self.shared
    }

    /// The last tick's mix-minus of each who is heard in it, or was at the tick before: the shared mix still puts out
    /// what the limiter delayed of them, and a codec's lookahead comes on top.
    pub fn minus(&self) -> impl Iterator<Item = Minus<'_>> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let participant = slot.participant?;
            Some(Minus { participant, slot: index, fresh: slot.fresh, last: slot.lingers, block: &slot.block })
        })
    }

    /// Gives each participant among the voices a slot, their old one where they had one.
    fn seat(&mut self, voices: &[Voice<'_>]) {
        for slot in &mut self.slots {
            slot.fresh = false;
            let absent = slot.participant.is_some_and(|own| voices.iter().all(|voice| voice.participant != Some(own)));
            if absent && slot.lingers {
                slot.participant = None;
            }
            slot.lingers = absent;
        }
        for voice in voices {
            let Some(participant) = voice.participant else { continue };
            if self.slots.iter().any(|slot| slot.participant == Some(participant)) {
                continue;
            }
            let free = self.slots.iter_mut().find(|slot| slot.participant.is_none());
            let slot = free.expect("there is a slot for each voice, and for each that was one");
            slot.participant = Some(participant);
            slot.fresh = true;
            // They heard the shared mix until now; go on from its loudness and what it still delays.
            slot.limiter = self.shared_limiter.clone();
        }
    }
}

/// Half a cosine, so that neither end has a corner.
fn fade_into(target: &mut [f32; limits::PCM_SAMPLES], source: &[f32; limits::PCM_SAMPLES], fade: Fade) {
    target.copy_from_slice(source);
    let (begin, direction) = match fade {
        Fade::Hold => return,
        Fade::In => (0.0, 1.0),
        Fade::Out => (1.0, -1.0),
    };
    for (n, pair) in target.chunks_exact_mut(2).enumerate() {
        let along = begin + direction * n as f32 / limits::PCM_FRAMES as f32;
        let gain = 0.5 - 0.5 * (along * std::f32::consts::PI).cos();
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

    fn speech(n: u64, block: &PcmBlock, fade: Fade) -> Voice<'_> {
        Voice { participant: Some(ParticipantId(n)), kind: SoundKind::Speech, block, fade }
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
        let mut mixer = Mixer::new(false);
        let voices: Vec<_> = blocks.iter().enumerate().map(|(n, block)| speech(n as u64, block, Fade::Hold)).collect();
        // The first block is the limiters' delay in part.
        mixer.mix(&voices);
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
        let mut mixer = Mixer::new(false);
        for _ in 0..20 {
            let voices: Vec<_> = (0..limits::VOICES_MAX as u64).map(|n| speech(n, &block, Fade::Hold)).collect();
            mixer.mix(&voices);
            assert!(mixer.shared().samples.iter().all(|s| s.abs() < 1.0));
            assert!(mixer.minus().all(|m| m.block.samples.iter().all(|s| s.abs() < 1.0)));
            assert_eq!(mixer.minus().count(), limits::VOICES_MAX);
        }
    }

    #[test]
    fn a_fade_has_no_step_and_slots_stay_with_their_people() {
        let block = tone(50.0, 0.5);
        let mut mixer = Mixer::new(false);
        let voice = |n, fade| speech(n, &block, fade);
        mixer.mix(&[voice(1, Fade::In)]);
        assert_eq!(mixer.shared().samples[0], 0.0);
        mixer.mix(&[voice(1, Fade::Hold), voice(2, Fade::In)]);
        let slot_of =
            |mixer: &Mixer, n| mixer.minus().find(|m| m.participant == ParticipantId(n)).map(|m| (m.slot, m.fresh));
        assert_eq!(slot_of(&mixer, 2), Some((1, true)));
        mixer.mix(&[voice(1, Fade::Out), voice(2, Fade::Hold)]);
        mixer.mix(&[voice(2, Fade::Hold), voice(3, Fade::In)]);
        assert_eq!((slot_of(&mixer, 2), slot_of(&mixer, 3)), (Some((1, false)), Some((2, true))));
        assert_eq!(slot_of(&mixer, 1), Some((0, false)), "until the delays have put out their voice");
        mixer.mix(&[voice(2, Fade::Hold), voice(3, Fade::Hold)]);
        assert_eq!(slot_of(&mixer, 1), None);
        mixer.mix(&[]);
        assert!(!mixer.is_silent(), "the delay's rest");
        mixer.mix(&[]);
        assert!(mixer.is_silent());
        assert_eq!(mixer.minus().count(), 0);
    }

    #[test]
    fn two_voices_of_one_person_are_both_left_out() {
        let block = tone(440.0, 0.3);
        let mut mixer = Mixer::new(false);
        let voice = speech(9, &block, Fade::Hold);
        mixer.mix(&[voice, voice]);
        let minus: Vec<_> = mixer.minus().collect();
        assert_eq!(minus.len(), 1);
        assert!(minus[0].block.samples.iter().all(|s| *s == 0.0));
    }

    #[test]
    fn leakage_of_ones_own_voice_is_none_though_all_are_limited() {
        let mut mixer = Mixer::new(false);
        let (own, other) = (tone(500.0, 1.0), tone(750.0, 1.0));
        for _ in 0..50 {
            let pair = [speech(1, &own, Fade::Hold), speech(2, &other, Fade::Hold), speech(3, &other, Fade::Hold)];
            mixer.mix(&pair);
        }
        let minus = mixer.minus().find(|m| m.participant == ParticipantId(1)).unwrap();
        let leak = 20.0 * (amplitude_of(minus.block, 500.0) / amplitude_of(minus.block, 750.0)).log10();
        println!("mix-minus leakage before encoding: {leak:.0} dB");
        assert!(leak < -60.0, "{leak} dB");
    }

    #[test]
    fn a_screens_sound_makes_way_for_speech_and_all_for_an_announcement() {
        let (music, word, notice) = (tone(500.0, 0.3), tone(750.0, 0.3), tone(1000.0, 0.3));
        let programme =
            Voice { participant: Some(ParticipantId(1)), kind: SoundKind::Programme, block: &music, fade: Fade::Hold };
        let announcement = Voice { participant: None, kind: SoundKind::Announcement, block: &notice, fade: Fade::Hold };
        let mut mixer = Mixer::new(true);
        (0..10).for_each(|_| mixer.mix(&[programme, speech(2, &word, Fade::Hold)]));
        assert!((amplitude_of(mixer.shared(), 500.0) - 0.075).abs() < 0.01, "12 dB down");
        assert!((amplitude_of(mixer.shared(), 750.0) - 0.3).abs() < 0.01);
        (0..80).for_each(|_| mixer.mix(&[programme]));
        assert!((amplitude_of(mixer.shared(), 500.0) - 0.3).abs() < 0.01, "and back");
        (0..10).for_each(|_| mixer.mix(&[speech(2, &word, Fade::Hold), announcement]));
        assert!((amplitude_of(mixer.shared(), 750.0) - 0.075).abs() < 0.01);
        assert!((amplitude_of(mixer.shared(), 1000.0) - 0.3).abs() < 0.01);
        assert!(mixer.minus().all(|m| amplitude_of(m.block, 1000.0) > 0.29), "everybody hears it");
        let mut plain = Mixer::new(false);
        (0..10).for_each(|_| plain.mix(&[programme, speech(2, &word, Fade::Hold)]));
        assert!((amplitude_of(plain.shared(), 500.0) - 0.3).abs() < 0.01, "only if asked");
    }
}
