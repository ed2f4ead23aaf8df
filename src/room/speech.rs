//! **The question:** who speaks, and who has the word? Levels come with every packet and wobble; what is told to people must not.

use std::time::{Duration, Instant};

use crate::media::{AudioLevel, ParticipantId};

/// Speech is louder than this, −dBov.
const SPEECH: AudioLevel = AudioLevel(50);
/// Somebody speaks on through a pause of this length.
const PAUSE: Duration = Duration::from_millis(600);
/// Who speaks for so long while the dominant speaker is silent gets the word.
const TAKES_WORD: Duration = Duration::from_millis(300);
/// Who speaks over the dominant speaker gets the word after so long, if louder by `LOUDER`.
const TALKS_DOWN: Duration = Duration::from_secs(2);
/// dB by which one must be louder than who has the word.
const LOUDER: f32 = 6.0;
/// Share of a new level in the smoothed one.
const SMOOTHING: f32 = 0.1;

/// The speakers of one room.
#[derive(Debug, Default)]
pub(super) struct Speech {
    /// Those who speak, in the order of their ids.
    speakers: Vec<Speaker>,
    dominant: Option<ParticipantId>,
    dominant_changes: u64,
    changed: bool,
}

#[derive(Debug)]
struct Speaker {
    participant: ParticipantId,
    since: Instant,
    heard: Instant,
    /// dBov, smoothed.
    loudness: f32,
}

impl Speech {
    pub(super) fn level(&mut self, now: Instant, participant: ParticipantId, level: AudioLevel) {
        let loudness = -f32::from(level.0);
        let found = self.speakers.binary_search_by_key(&participant, |s| s.participant);
        if level >= SPEECH {
            if let Ok(at) = found {
                let speaker = &mut self.speakers[at];
                speaker.loudness += (loudness - speaker.loudness) * SMOOTHING;
            }
            return;
        }
        match found {
            Ok(at) => {
                let speaker = &mut self.speakers[at];
                speaker.heard = now;
                speaker.loudness += (loudness - speaker.loudness) * SMOOTHING;
            }
            Err(at) => {
                self.speakers.insert(at, Speaker { participant, since: now, heard: now, loudness });
                self.changed = true;
            }
        }
    }

    /// A microphone was muted.
    pub(super) fn silence(&mut self, participant: ParticipantId) {
        let before = self.speakers.len();
        self.speakers.retain(|s| s.participant != participant);
        self.changed |= self.speakers.len() < before;
    }

    /// A member left.
    pub(super) fn forget(&mut self, participant: ParticipantId) {
        self.silence(participant);
        if self.dominant == Some(participant) {
            self.dominant = None;
            self.changed = true;
        }
    }

    /// Brings everything up to `now`; whether somebody must be told.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let before = self.speakers.len();
        self.speakers.retain(|s| now.saturating_duration_since(s.heard) < PAUSE);
        self.changed |= self.speakers.len() < before;
        if let Some(next) = self.challenger(now) {
            self.dominant = Some(next);
            self.dominant_changes += 1;
            self.changed = true;
        }
        std::mem::take(&mut self.changed)
    }

    /// When a pause becomes silence, or somebody may get the word.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pauses = self.speakers.iter().map(|s| s.heard + PAUSE).min();
        let word_free = !self.speakers.iter().any(|s| Some(s.participant) == self.dominant);
        let takes = self.speakers.iter().filter(|_| word_free).map(|s| s.since + TAKES_WORD).min();
        pauses.into_iter().chain(takes).min()
    }

    pub(super) fn speaking(&self) -> impl Iterator<Item = ParticipantId> {
        self.speakers.iter().map(|s| s.participant)
    }

    pub(super) fn dominant(&self) -> Option<ParticipantId> {
        self.dominant
    }

    pub(super) fn dominant_changes(&self) -> u64 {
        self.dominant_changes
    }

    fn challenger(&self, now: Instant) -> Option<ParticipantId> {
        let holder = self.speakers.iter().find(|s| Some(s.participant) == self.dominant);
        let (patience, floor) = match holder {
            Some(holder) => (TALKS_DOWN, holder.loudness + LOUDER),
            None => (TAKES_WORD, f32::NEG_INFINITY),
        };
        let able = |s: &&Speaker| now.saturating_duration_since(s.since) >= patience && s.loudness > floor;
        let others = self.speakers.iter().filter(|s| Some(s.participant) != self.dominant);
        let loudest = others.filter(able).max_by(|a, b| a.loudness.total_cmp(&b.loudness));
        loudest.map(|s| s.participant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a level for each of `voices` every 20 ms for `ticks` ticks; returns the time after.
    fn talk(speech: &mut Speech, from: Instant, ticks: u32, voices: &[(u64, u8)]) -> Instant {
        let mut now = from;
        for _ in 0..ticks {
            for (n, level) in voices {
                speech.level(now, ParticipantId(*n), AudioLevel(*level));
            }
            speech.settle(now);
            now += Duration::from_millis(20);
        }
        now
    }

    #[test]
    fn who_speaks_alone_soon_has_the_word_and_keeps_it_in_a_pause() {
        let mut speech = Speech::default();
        let now = talk(&mut Speech::default(), Instant::now(), 1, &[]);
        let now = talk(&mut speech, now, 10, &[(1, 25), (2, 127)]);
        assert_eq!((speech.dominant(), speech.speaking().count()), (None, 1), "a cough is no speech");
        let now = talk(&mut speech, now, 10, &[(1, 25), (2, 127)]);
        assert_eq!(speech.dominant(), Some(ParticipantId(1)));
        let now = talk(&mut speech, now, 50, &[(1, 127), (2, 127)]);
        assert_eq!((speech.dominant(), speech.speaking().count()), (Some(ParticipantId(1)), 0));
        talk(&mut speech, now, 20, &[(2, 40)]);
        assert_eq!(speech.dominant(), Some(ParticipantId(2)), "the word was free, however quiet they are");
    }

    #[test]
    fn an_interruption_needs_time_and_loudness() {
        let mut speech = Speech::default();
        let now = talk(&mut speech, Instant::now(), 50, &[(1, 30)]);
        let now = talk(&mut speech, now, 500, &[(1, 30), (2, 27)]);
        assert_eq!(speech.dominant(), Some(ParticipantId(1)), "3 dB are not enough");
        let now = talk(&mut speech, now, 200, &[(1, 30), (3, 15)]);
        assert_eq!(speech.dominant(), Some(ParticipantId(3)));
        assert_eq!(speech.dominant_changes(), 2);
        speech.forget(ParticipantId(3));
        assert!(speech.settle(now));
        assert!(speech.dominant().is_none() || speech.dominant() == Some(ParticipantId(1)));
    }

    #[test]
    fn the_deadline_ends_a_pause() {
        let mut speech = Speech::default();
        let start = Instant::now();
        speech.level(start, ParticipantId(1), AudioLevel(20));
        assert!(speech.settle(start));
        assert_eq!(speech.deadline(), Some(start + TAKES_WORD));
        assert!(speech.settle(start + TAKES_WORD));
        assert_eq!(speech.dominant(), Some(ParticipantId(1)));
        let end = speech.deadline().unwrap();
        assert_eq!(end, start + PAUSE);
        assert!(speech.settle(end));
        assert_eq!(speech.deadline(), None);
    }
}
