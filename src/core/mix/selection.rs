//! **The question:** which voices are heard at this tick? The loudest few that stand out of their noise, chosen by what
//! the senders say of their level (RFC 6464), or by what was measured, with hysteresis and hangover, so that no voice
//! flutters.

use crate::base::limits;
use crate::base::media::{TrackId, TrackKind};
use crate::core::mix::{Activity, Dominance, Fade, Loudness};

/// What a voice that is heard has ahead of one that is not, dB.
const HYSTERESIS: f32 = 6.0;
/// Ticks that a voice stays after its last audible one: 400 ms, longer than the pauses between words.
const HANGOVER_TICKS: u32 = 20;
/// How fast the remembered loudness fades, dB a tick: 25 dB a second.
const DECAY: f32 = 0.5;

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
#[derive(Debug)]
pub struct VoiceChoice {
    voices_max: usize,
    /// In the order of their tracks.
    voices: Vec<Candidate>,
    chosen: Vec<Chosen>,
    ranked: Vec<(f32, usize)>,
    dominance: Dominance,
    speech_changed: bool,
    begun: u64,
}

#[derive(Debug)]
struct Candidate {
    track: TrackId,
    /// This tick's, as reported.
    reported: Option<Loudness>,
    activity: Activity,
    /// The latest peak, fading.
    loudness: f32,
    quiet_ticks: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Unheard,
    Heard,
}

impl Default for VoiceChoice {
    fn default() -> Self {
        Self::new(limits::VOICES_DEFAULT)
    }
}

impl VoiceChoice {
    /// A room without voices, of which at most `voices_max` will be heard at once: 1 to `limits::VOICES_MAX`.
    #[must_use]
    pub fn new(voices_max: usize) -> Self {
        Self {
            voices_max: voices_max.clamp(1, limits::VOICES_MAX),
            voices: Vec::new(),
            chosen: Vec::with_capacity(limits::VOICES_MAX),
            ranked: Vec::new(),
            dominance: Dominance::new(),
            speech_changed: false,
            begun: 0,
        }
    }

    /// A voice joins, silent as yet. Joining twice changes nothing.
    pub fn join(&mut self, track: TrackId) {
        if let Err(at) = self.find(track) {
            let voice = Candidate {
                track,
                reported: None,
                activity: Activity::default(),
                loudness: 0.0,
                quiet_ticks: HANGOVER_TICKS,
                state: State::Unheard,
            };
            self.voices.insert(at, voice);
            self.ranked.reserve(self.voices.len());
            if track.kind == TrackKind::Microphone {
                self.dominance.join(track.participant);
            }
        }
    }

    /// A voice leaves, at once and without a fade: its samples are gone.
    pub fn leave(&mut self, track: TrackId) {
        if let Ok(at) = self.find(track) {
            self.voices.remove(at);
            if track.kind == TrackKind::Microphone {
                self.dominance.leave(track.participant);
            }
        }
    }

    /// How loud a voice is at this tick. One that reports nothing counts as silent.
    pub fn report(&mut self, track: TrackId, loudness: Loudness) {
        if let Ok(at) = self.find(track) {
            self.voices[at].reported = Some(loudness);
        }
    }

    /// Ends the tick: who is heard in it, at most `voices_max`, fading ones included. A newcomer whose place is still
    /// taken by one who fades out begins one tick later.
    pub fn choose(&mut self) -> &[Chosen] {
        self.take_reports();
        self.rank();
        let wanted = &self.ranked[..self.ranked.len().min(self.voices_max)];
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
            if voice.state == State::Heard || self.chosen.len() == self.voices_max {
                continue;
            }
            // One who fades out at this very tick is never also wanted, so nobody stands here twice.
            voice.state = State::Heard;
            self.begun += 1;
            self.chosen.push(Chosen { track: voice.track, fade: Fade::In });
        }
        debug_assert!(self.chosen.len() <= self.voices_max && already <= self.voices_max, "the voices are bounded");
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

    /// Who speaks and who has the word, as of the last choice.
    #[must_use]
    pub fn dominance(&self) -> &Dominance {
        &self.dominance
    }

    /// Whether what `dominance` says has changed since this was asked last.
    pub fn take_speech_changed(&mut self) -> bool {
        std::mem::take(&mut self.speech_changed)
    }

    /// What a voice did at the last tick; `None` for one that is not here.
    #[must_use]
    pub fn activity(&self, track: TrackId) -> Option<&Activity> {
        self.find(track).ok().map(|at| &self.voices[at].activity)
    }

    /// How the choice stands.
    #[must_use]
    pub fn stats(&self) -> VoiceStats {
        let heard = self.voices.iter().filter(|v| v.state == State::Heard).count();
        VoiceStats { voices: self.voices.len(), heard, begun: self.begun }
    }

    fn take_reports(&mut self) {
        for voice in &mut self.voices {
            let loudness = voice.reported.take().unwrap_or(Loudness::SILENCE);
            voice.activity.hear(loudness);
            if voice.activity.is_audible() {
                voice.loudness = voice.loudness.max(loudness.0);
                voice.quiet_ticks = 0;
            }
            if voice.track.kind == TrackKind::Microphone {
                self.dominance.hear(voice.track.participant, voice.activity.is_speech(), loudness);
            }
        }
        self.speech_changed |= self.dominance.advance();
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
    (track.participant.0, track.kind == TrackKind::ScreenSound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::AudioLevel;
    use crate::base::media::ParticipantId;

    const PLACES: usize = 6;

    fn track(n: u64) -> TrackId {
        TrackId { participant: ParticipantId(n), kind: TrackKind::Microphone }
    }

    fn room(voices: u64) -> VoiceChoice {
        let mut choice = VoiceChoice::new(PLACES);
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
        let mut choice = room(PLACES as u64 + 2);
        let levels: Vec<_> = (0..PLACES as u64 + 2).map(|n| (n, 30 - n as u8)).collect();
        let first = heard(&mut choice, &levels);
        assert_eq!(first.len(), PLACES);
        assert!(first.iter().all(|(n, _)| *n >= 2), "{first:?}");
        // A quieter one becomes a little louder than the quietest heard: within the hysteresis nobody changes.
        for tick in 0..100 {
            let wobble = if tick % 2 == 0 { 26 } else { 29 };
            let mut levels = levels.clone();
            levels[0].1 = wobble;
            let now = heard(&mut choice, &levels);
            assert!(now.iter().all(|(n, fade)| *n >= 2 && *fade == Fade::Hold), "{now:?}");
        }
        assert_eq!(choice.stats().begun, PLACES as u64);
    }

    #[test]
    fn a_newcomer_takes_the_place_only_after_the_fade() {
        let mut choice = room(PLACES as u64 + 1);
        let levels: Vec<_> = (0..PLACES as u64).map(|n| (n, 30)).collect();
        heard(&mut choice, &levels);
        let newcomer = PLACES as u64;
        let mut louder = levels.clone();
        louder.push((newcomer, 10));
        let fading = heard(&mut choice, &louder);
        assert_eq!(fading.len(), PLACES);
        assert_eq!(fading.iter().filter(|(_, fade)| *fade == Fade::Out).count(), 1);
        let after = heard(&mut choice, &louder);
        assert!(after.contains(&(newcomer, Fade::In)), "{after:?}");
        assert_eq!(after.len(), PLACES);
    }

    #[test]
    fn steady_noise_takes_no_place() {
        let mut choice = room(2);
        for tick in 0..200_u8 {
            heard(&mut choice, &[(0, 48 + tick % 3), (1, 127)]);
        }
        assert_eq!(heard(&mut choice, &[(0, 49)]), []);
    }

    #[test]
    fn one_who_leaves_is_gone_at_once() {
        let mut choice = room(2);
        heard(&mut choice, &[(0, 10), (1, 10)]);
        choice.leave(track(0));
        assert_eq!(heard(&mut choice, &[(0, 10), (1, 10)]), [(1, Fade::Hold)]);
    }
}
