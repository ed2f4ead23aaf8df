//! **The question:** which voices are heard at this tick? The loudest few, chosen by what the senders say of their level
//! (RFC 6464), with hysteresis and hangover, so that no voice flutters.

use crate::limits;
use crate::media::{AudioLevel, TrackId};
use crate::mix::Fade;

/// A voice is loud enough to be heard from −60 dBov.
const AUDIBLE: f32 = 127.0 - 60.0;
/// What a voice that is heard has ahead of one that is not, dB.
const HYSTERESIS: f32 = 6.0;
/// Ticks that a voice stays after its last audible one: 400 ms, longer than the pauses between words.
const HANGOVER_TICKS: u32 = 20;
/// How fast the remembered loudness fades, dB a tick: 25 dB a second.
const DECAY: f32 = 0.5;

/// How loud a voice is: 0 is silence, 127 full scale; 127 − the RFC 6464 level.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Loudness(pub f32);

impl Loudness {
    /// Nothing to hear.
    pub const SILENCE: Self = Self(0.0);

    /// Of samples within −1.0 to 1.0, by their mean power (RFC 6464 section 3).
    #[must_use]
    pub fn of_samples(samples: &[f32]) -> Self {
        if samples.is_empty() {
            return Self::SILENCE;
        }
        let power = samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32;
        // A sine at full scale has a power of one half and is 0 dBov.
        let dbov = 10.0 * (power * 2.0).max(1e-13).log10();
        Self((127.0 + dbov).clamp(0.0, 127.0))
    }

    /// The RFC 6464 level.
    #[must_use]
    pub fn level(self) -> AudioLevel {
        // In range by the clamp; NaN becomes silence.
        AudioLevel(127 - self.0.round().clamp(0.0, 127.0) as u8)
    }
}

impl From<AudioLevel> for Loudness {
    fn from(level: AudioLevel) -> Self {
        Self(127.0 - f32::from(level.0.min(127)))
    }
}

/// A voice that takes part in this tick's mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// Whose.
    pub track: TrackId,
    /// `Fade::In` marks its first tick: pre-roll its decoder. `Fade::Out` marks its last.
    pub fade: Fade,
}

/// How the choice stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VoiceStats {
    /// Voices known.
    pub voices: usize,
    /// Voices heard now.
    pub heard: usize,
    /// Voices that began to be heard, ever.
    pub begun: u64,
}

/// Chooses the voices of one room.
#[derive(Debug, Default)]
pub struct VoiceChoice {
    /// In the order of their tracks.
    voices: Vec<Candidate>,
    chosen: Vec<Chosen>,
    ranked: Vec<(f32, usize)>,
    begun: u64,
}

#[derive(Debug)]
struct Candidate {
    track: TrackId,
    loudness: f32,
    quiet_ticks: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unheard,
    Heard,
}

impl VoiceChoice {
    /// A room without voices.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A voice joins, silent as yet. Joining twice changes nothing.
    pub fn join(&mut self, track: TrackId) {
        if let Err(at) = self.find(track) {
            let voice = Candidate { track, loudness: 0.0, quiet_ticks: HANGOVER_TICKS, state: State::Unheard };
            self.voices.insert(at, voice);
            self.chosen.reserve(limits::VOICES_MAX);
            self.ranked.reserve(self.voices.len());
        }
    }

    /// A voice leaves, at once and without a fade: its samples are gone.
    pub fn leave(&mut self, track: TrackId) {
        if let Ok(at) = self.find(track) {
            self.voices.remove(at);
        }
    }

    /// How loud a voice is at this tick. One that reports nothing counts as silent.
    pub fn report(&mut self, track: TrackId, loudness: Loudness) {
        if let Ok(at) = self.find(track) {
            let voice = &mut self.voices[at];
            voice.loudness = voice.loudness.max(loudness.0);
            if loudness.0 >= AUDIBLE {
                voice.quiet_ticks = 0;
            }
        }
    }

    /// Ends the tick: who is heard in it, at most `limits::VOICES_MAX`, fading ones included. A newcomer whose place is still
    /// taken by one who fades out begins one tick later.
    pub fn choose(&mut self) -> &[Chosen] {
        self.rank();
        let wanted = &self.ranked[..self.ranked.len().min(limits::VOICES_MAX)];
        self.chosen.clear();
        for (at, voice) in self.voices.iter_mut().enumerate().filter(|(_, v)| v.state == State::Heard) {
            let stays = wanted.iter().any(|(_, index)| *index == at);
            let fade = if stays { Fade::Hold } else { Fade::Out };
            if !stays {
                voice.state = State::Unheard;
            }
            self.chosen.push(Chosen { track: voice.track, fade });
        }
        let already = self.chosen.len();
        for (_, at) in wanted {
            let voice = &mut self.voices[*at];
            if voice.state == State::Heard || self.chosen.len() == limits::VOICES_MAX {
                continue;
            }
            // One who fades out at this very tick is never also wanted, so nobody stands here twice.
            voice.state = State::Heard;
            self.begun += 1;
            self.chosen.push(Chosen { track: voice.track, fade: Fade::In });
        }
        debug_assert!(
            self.chosen.len() <= limits::VOICES_MAX && already <= limits::VOICES_MAX,
            "the voices are bounded"
        );
        for voice in &mut self.voices {
            voice.loudness = (voice.loudness - DECAY).max(0.0);
            voice.quiet_ticks = voice.quiet_ticks.saturating_add(1);
        }
        &self.chosen
    }

    /// The last choice.
    #[must_use]
    pub fn chosen(&self) -> &[Chosen] {
        &self.chosen
    }

    /// How the choice stands.
    #[must_use]
    pub fn stats(&self) -> VoiceStats {
        let heard = self.voices.iter().filter(|v| v.state == State::Heard).count();
        VoiceStats { voices: self.voices.len(), heard, begun: self.begun }
    }

    /// Puts those who may be heard into `ranked`, the loudest first.
    fn rank(&mut self) {
        self.ranked.clear();
        for (at, voice) in self.voices.iter().enumerate() {
            let heard = voice.state == State::Heard;
            let patience = if heard { HANGOVER_TICKS } else { 0 };
            if voice.quiet_ticks <= patience {
                self.ranked.push((voice.loudness + if heard { HYSTERESIS } else { 0.0 }, at));
            }
        }
        self.ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    }

    fn find(&self, track: TrackId) -> Result<usize, usize> {
        self.voices.binary_search_by_key(&key(track), |v| key(v.track))
    }
}

fn key(track: TrackId) -> (u64, bool) {
    (track.participant.0, track.kind == crate::media::TrackKind::ScreenSound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{ParticipantId, TrackKind};

    fn track(n: u64) -> TrackId {
        TrackId { participant: ParticipantId(n), kind: TrackKind::Microphone }
    }

    fn room(voices: u64) -> VoiceChoice {
        let mut choice = VoiceChoice::new();
        (0..voices).for_each(|n| choice.join(track(n)));
        choice
    }

    fn heard(choice: &mut VoiceChoice, levels: &[(u64, u8)]) -> Vec<(u64, Fade)> {
        for (n, level) in levels {
            choice.report(track(*n), AudioLevel(*level).into());
        }
        choice.choose().iter().map(|c| (c.track.participant.0, c.fade)).collect()
    }

    #[test]
    fn silence_is_not_heard_and_a_voice_fades_in_holds_and_fades_out() {
        let mut choice = room(3);
        assert_eq!(heard(&mut choice, &[(0, 127), (1, 90)]), []);
        assert_eq!(heard(&mut choice, &[(1, 20)]), [(1, Fade::In)]);
        for _ in 0..HANGOVER_TICKS {
            assert_eq!(heard(&mut choice, &[(1, 127)]), [(1, Fade::Hold)], "a pause between words");
        }
        assert_eq!(heard(&mut choice, &[]), [(1, Fade::Out)]);
        assert_eq!(heard(&mut choice, &[]), []);
    }

    #[test]
    fn the_loudest_win_and_two_alike_do_not_flutter() {
        let mut choice = room(limits::VOICES_MAX as u64 + 2);
        let levels: Vec<_> = (0..limits::VOICES_MAX as u64 + 2).map(|n| (n, 40 - n as u8)).collect();
        let first = heard(&mut choice, &levels);
        assert_eq!(first.len(), limits::VOICES_MAX);
        assert!(first.iter().all(|(n, _)| *n >= 2), "{first:?}");
        // A quieter one becomes a little louder than the quietest heard: within the hysteresis nobody changes.
        for tick in 0..100 {
            let wobble = if tick % 2 == 0 { 36 } else { 39 };
            let mut levels = levels.clone();
            levels[0].1 = wobble;
            let now = heard(&mut choice, &levels);
            assert!(now.iter().all(|(n, fade)| *n >= 2 && *fade == Fade::Hold), "{now:?}");
        }
        assert_eq!(choice.stats().begun, limits::VOICES_MAX as u64);
    }

    #[test]
    fn a_newcomer_takes_the_place_only_after_the_fade() {
        let mut choice = room(limits::VOICES_MAX as u64 + 1);
        let levels: Vec<_> = (0..limits::VOICES_MAX as u64).map(|n| (n, 40)).collect();
        heard(&mut choice, &levels);
        let newcomer = limits::VOICES_MAX as u64;
        let mut louder = levels.clone();
        louder.push((newcomer, 10));
        let fading = heard(&mut choice, &louder);
        assert_eq!(fading.len(), limits::VOICES_MAX);
        assert_eq!(fading.iter().filter(|(_, fade)| *fade == Fade::Out).count(), 1);
        let after = heard(&mut choice, &louder);
        assert!(after.contains(&(newcomer, Fade::In)), "{after:?}");
        assert_eq!(after.len(), limits::VOICES_MAX);
    }

    #[test]
    fn one_who_leaves_is_gone_at_once() {
        let mut choice = room(2);
        heard(&mut choice, &[(0, 10), (1, 10)]);
        choice.leave(track(0));
        assert_eq!(heard(&mut choice, &[(0, 10), (1, 10)]), [(1, Fade::Hold)]);
    }

    #[test]
    fn loudness_of_samples_agrees_with_rfc_6464() {
        let sine: Vec<f32> = (0..960).map(|i| (i as f32 * 0.1309).sin()).collect();
        assert_eq!(Loudness::of_samples(&sine).level(), AudioLevel(0));
        let quiet: Vec<f32> = sine.iter().map(|s| s * 0.01).collect();
        assert_eq!(Loudness::of_samples(&quiet).level(), AudioLevel(40));
        assert_eq!(Loudness::of_samples(&[0.0; 960]).level(), AudioLevel(127));
        assert_eq!(Loudness::from(AudioLevel(30)).level(), AudioLevel(30));
    }
}
