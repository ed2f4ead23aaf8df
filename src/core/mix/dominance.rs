//! **The question:** who speaks, and who has the word? Three windows over what looked like speech, after the idea of
//! Volfin and Cohen ("Dominant speaker identification for multipoint videoconferencing", 2013): 100 ms say that
//! somebody speaks now, half a second that it is speech and no cough, 2.5 seconds whose speech it mostly is.

use crate::base::media::ParticipantId;
use crate::core::mix::Loudness;

/// Ticks of the immediate window: 100 ms.
const IMMEDIATE: u32 = 5;
/// Ticks of the medium window: 500 ms.
const MEDIUM: u32 = 25;
/// Ticks of the long window: 2.5 s.
const LONG: u32 = 125;
/// Of the immediate window, so much is speech while somebody speaks.
const SPEAKS_NOW: u32 = 2;
/// Of the medium window, so much must be speech, bridges included: 420 ms, more than a cough and more than a door.
const TAKES_WORD: u32 = 21;
/// The word is free once its holder spoke so much less than the challenger in the medium window.
const FREES_WORD: u32 = 14;
/// Ticks after speech that count as speech too: the stops and hisses inside words, 80 ms.
const BRIDGE: u32 = 4;
/// Of the long window, so much at the same time as the holder is talking over each other: 600 ms.
const OVERLAPS: u32 = 30;
/// Ticks that a holder is silent before one who talked over them gets the word: 1 s.
const YIELDS: u32 = 50;
/// Of the long window, so much must be speech to take the word from somebody who goes on: 1.5 s.
const TALKS_DOWN: u32 = 75;
/// dB by which one must be louder than somebody who goes on.
const LOUDER: f32 = 6.0;
/// Somebody is shown as speaking from so much speech in the immediate window …
const BEGINS: u32 = 4;
/// … until there was none in this many ticks: 600 ms.
const PAUSE: u32 = 30;
/// Share of a new tick of speech in the remembered loudness.
const SMOOTHING: f32 = 0.05;

/// The speakers of one room.
#[derive(Debug, Default)]
pub struct Dominance {
    /// In the order of their ids.
    people: Vec<Speaker>,
    dominant: Option<ParticipantId>,
    changes: u64,
    changed: bool,
}

#[derive(Debug)]
struct Speaker {
    participant: ParticipantId,
    /// One bit a tick, the newest lowest: whether it was speech.
    history: u128,
    /// Of their speech, smoothed.
    loudness: f32,
    speaking: bool,
}

impl Speaker {
    /// Ticks of speech among the last so many.
    fn spoke(&self, ticks: u32) -> u32 {
        (self.history & last(ticks)).count_ones()
    }

    /// The same history with its short gaps closed.
    fn bridged(&self) -> u128 {
        (1..=BRIDGE).fold(self.history, |bridged, older| bridged | self.history >> older)
    }

    /// Ticks of speech among the last so many, bridges included.
    fn held(&self, ticks: u32) -> u32 {
        (self.bridged() & last(ticks)).count_ones()
    }

    /// Whether `self`, who has the word, leaves it to `challenger`.
    fn yields_to(&self, challenger: &Self) -> bool {
        let overlap = (self.bridged() & challenger.bridged() & last(LONG)).count_ones();
        let silent = self.held(MEDIUM) + FREES_WORD <= challenger.held(MEDIUM);
        let paused = silent && (overlap < OVERLAPS || self.spoke(YIELDS) == 0);
        let loudest = challenger.loudness > self.loudness + LOUDER;
        paused || (loudest && challenger.held(LONG) >= TALKS_DOWN)
    }
}

fn last(ticks: u32) -> u128 {
    (1 << ticks) - 1
}

impl Dominance {
    /// A room in which nobody has spoken.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Somebody may speak from now on. Joining twice changes nothing.
    pub fn join(&mut self, participant: ParticipantId) {
        if let Err(at) = self.people.binary_search_by_key(&participant, |s| s.participant) {
            self.people.insert(at, Speaker { participant, history: 0, loudness: 0.0, speaking: false });
        }
    }

    /// Somebody no longer speaks here; the word they had is free.
    pub fn leave(&mut self, participant: ParticipantId) {
        if let Ok(at) = self.people.binary_search_by_key(&participant, |s| s.participant) {
            self.people.remove(at);
            self.changed = true;
            self.dominant = self.dominant.filter(|holder| *holder != participant);
        }
    }

    /// One tick of one person. Each person is told of once a tick.
    pub fn hear(&mut self, participant: ParticipantId, speech: bool, loudness: Loudness) {
        let Ok(at) = self.people.binary_search_by_key(&participant, |s| s.participant) else { return };
        let speaker = &mut self.people[at];
        speaker.history = (speaker.history << 1) | u128::from(speech);
        if speech {
            speaker.loudness += (loudness.0 - speaker.loudness) * SMOOTHING;
        }
    }

    /// Ends the tick: whether anything that people are told has changed.
    pub fn advance(&mut self) -> bool {
        for speaker in self.people.iter_mut().filter(|s| s.history != 0 || s.speaking) {
            let speaking = if speaker.speaking { speaker.spoke(PAUSE) > 0 } else { speaker.spoke(IMMEDIATE) >= BEGINS };
            self.changed |= std::mem::replace(&mut speaker.speaking, speaking) != speaking;
        }
        if let Some(next) = self.challenger() {
            self.dominant = Some(next);
            self.changes += 1;
            self.changed = true;
        }
        std::mem::take(&mut self.changed)
    }

    /// Everybody who speaks, in the order of their ids.
    pub fn speaking(&self) -> impl Iterator<Item = ParticipantId> {
        self.people.iter().filter(|s| s.speaking).map(|s| s.participant)
    }

    /// Who has the word: stays the last speaker in a pause, `None` before anybody spoke.
    #[must_use]
    pub fn dominant(&self) -> Option<ParticipantId> {
        self.dominant
    }

    /// How often the word went to somebody else.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    fn challenger(&self) -> Option<ParticipantId> {
        let holder = self.people.iter().find(|s| Some(s.participant) == self.dominant);
        let speaks = |s: &Speaker| s.spoke(IMMEDIATE) >= SPEAKS_NOW && s.held(MEDIUM) >= TAKES_WORD;
        let able = |s: &&Speaker| speaks(s) && holder.is_none_or(|holder| holder.yields_to(s));
        let others = self.people.iter().filter(|s| s.history != 0 && Some(s.participant) != self.dominant);
        let by_share =
            |a: &&Speaker, b: &&Speaker| a.held(LONG).cmp(&b.held(LONG)).then(a.loudness.total_cmp(&b.loudness));
        others.filter(able).max_by(by_share).map(|s| s.participant)
    }
}

#[cfg(test)]
mod tests;
