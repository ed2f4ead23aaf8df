//! **The question:** what does one room hear at one audio tick? Everything between the Opus queues and the fan, without a thread and
//! without a clock: the mix thread calls [`RoomSound::tick`] every 20 ms for each of its rooms.

mod voice;

use std::time::Instant;

use crate::encode::{OpusEncodeError, OpusEncoder, OpusEncoderConfig};
use crate::flow::{Counter, OpusReceiver, PlayoutCell};
use crate::limits;
use crate::media::{AudioLevel, EncodedFrame, MixTick, ParticipantId, Pts, TrackId, Wallclock};
use crate::mix::{Chosen, Fade, Minus, Mixer, Voice, VoiceChoice};
use crate::node::sound::voice::VoiceTrack;

/// What a room's sound counts; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct SoundCounters {
    /// Opus packets discarded by the jitter buffers: late, repeated, malformed or surplus.
    pub opus_discarded: Counter,
    /// Sample pairs that were concealed or restored from FEC, in voices that were decoded.
    pub pcm_concealed: Counter,
    /// Ticks times voices decoded.
    pub voices_decoded: Counter,
    /// Packets that libopus refused; they are concealed.
    pub opus_malformed: Counter,
    /// Sample pairs put in or left out to follow networks and clocks, in voices that were decoded.
    pub pcm_stretched: Counter,
    /// Ticks of voices whose stated level was not believed.
    pub levels_corrected: Counter,
    /// Packets of shared mixes encoded.
    pub shared_encoded: Counter,
    /// Packets of mixes-minus encoded.
    pub minus_encoded: Counter,
    /// Ticks mixed.
    pub ticks: Counter,
}

/// How one voice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaking {
    /// Whose voice.
    pub track: TrackId,
    /// How loud it was at the last tick: what its sender says, or what was measured.
    pub level: AudioLevel,
    /// Whether it is in the mix.
    pub heard: bool,
}

/// All sound of one room.
#[derive(Debug)]
pub struct RoomSound {
    voices: Vec<VoiceTrack>,
    choice: VoiceChoice,
    mixer: Mixer,
    shared: OpusEncoder,
    /// One a slot of the mixer, made when it is first needed.
    minus: [Option<OpusEncoder>; limits::VOICES_MAX],
    counters: SoundCounters,
}

impl RoomSound {
    /// A room without voices.
    ///
    /// # Errors
    /// When memory is out.
    pub fn new(counters: SoundCounters) -> Result<Self, OpusEncodeError> {
        let shared = OpusEncoder::new(OpusEncoderConfig::default())?;
        let minus = [const { None }; limits::VOICES_MAX];
        Ok(Self { voices: Vec::new(), choice: VoiceChoice::new(), mixer: Mixer::new(), shared, minus, counters })
    }

    /// A microphone or a screen's sound begins; one that is here already is replaced.
    pub fn add_voice(&mut self, track: TrackId, receiver: OpusReceiver, playout: PlayoutCell) {
        self.remove_voice(track);
        self.choice.join(track);
        self.voices.push(VoiceTrack::new(track, receiver, playout));
    }

    /// It ends. Unknown ones are ignored.
    pub fn remove_voice(&mut self, track: TrackId) {
        self.choice.leave(track);
        self.voices.retain(|voice| voice.track() != track);
    }

    /// Every voice, and how it stands since the last tick.
    pub fn speaking(&self) -> impl Iterator<Item = Speaking> {
        self.voices.iter().map(|voice| {
            let track = voice.track();
            Speaking { track, level: voice.loudness().level(), heard: self.is_heard(track) }
        })
    }

    /// One tick: takes what came, chooses, decodes the chosen, mixes, encodes.
    pub fn tick(&mut self, now: Instant, pts: Pts, wallclock: Wallclock) -> MixTick {
        for voice in &mut self.voices {
            voice.pull(now, &self.counters);
            self.choice.report(voice.track(), voice.loudness());
        }
        let chosen = self.choice.choose();
        for voice in &mut self.voices {
            let fade = chosen.iter().find(|c| c.track == voice.track()).map(|c| c.fade);
            voice.render(now, fade, &self.counters);
        }
        self.mix();
        self.counters.ticks.add(1);
        let (shared, minus) = self.encode(pts);
        MixTick { pts, wallclock, shared, minus }
    }

    fn is_heard(&self, track: TrackId) -> bool {
        self.choice.chosen().iter().any(|c| c.track == track && c.fade != Fade::Out)
    }

    fn mix(&mut self) {
        let chosen = self.choice.chosen();
        let part = |c: &Chosen| {
            let voice = self.voices.iter().find(|v| v.track() == c.track)?;
            Some(Voice { participant: c.track.participant, block: voice.block(), fade: c.fade })
        };
        let parts: smallvec::SmallVec<[Voice<'_>; limits::VOICES_MAX]> = chosen.iter().filter_map(part).collect();
        self.mixer.mix(&parts);
    }

    fn encode(&mut self, pts: Pts) -> (EncodedFrame, Vec<(ParticipantId, EncodedFrame)>) {
        let shared = self.shared.encode(self.mixer.shared(), pts).expect("a limited block of 20 ms encodes");
        self.counters.shared_encoded.add(1);
        let (mixer, encoders) = (&self.mixer, &mut self.minus);
        let encoded = mixer.minus().filter_map(|minus| encode_minus(&mut encoders[minus.slot], &minus, pts));
        let minus: Vec<_> = encoded.collect();
        self.counters.minus_encoded.add(minus.len() as u64);
        (shared, minus)
    }
}

/// `None` only when memory is out; the listener then hears the shared mix for a tick.
fn encode_minus(
    encoder: &mut Option<OpusEncoder>,
    minus: &Minus<'_>,
    pts: Pts,
) -> Option<(ParticipantId, EncodedFrame)> {
    if encoder.is_none() {
        *encoder = OpusEncoder::new(OpusEncoderConfig::default()).ok();
    }
    let encoder = encoder.as_mut()?;
    if minus.fresh {
        encoder.reset();
    }
    let frame = encoder.encode(minus.block, pts).expect("a limited block of 20 ms encodes");
    Some((minus.participant, frame))
}

#[cfg(test)]
mod tests;
