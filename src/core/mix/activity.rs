//! **The question:** is this voice speech, or a room's noise? A floor that follows the quietest of the last second, and
//! what stands out above it; told by levels alone, so that nobody is decoded for it.

use crate::core::mix::Loudness;

/// Nothing below −60 dBov is heard.
const AUDIBLE: f32 = 127.0 - 60.0;
/// Speech is louder than −55 dBov.
const SPEECH: f32 = 127.0 - 55.0;
/// What stands out of the noise by so many dB is no noise: the floor is the noise's minimum, and its level wobbles by 6
/// dB.
const ABOVE_FLOOR: f32 = 9.0;
/// However steady, what is louder than −45 dBov and this is worth hearing: an instrument, a tone, music in a shop.
const LOUD_FLOOR: f32 = 127.0 - 45.0;
/// A room is at least so noisy: −80 dBov. Less is a sender's own silence and says nothing of the room.
const FLOOR_MIN: f32 = 127.0 - 80.0;
/// Below this a level is digital silence (DTX, a gate), which is no floor to measure from: −90 dBov.
const DIGITAL_SILENCE: f32 = 127.0 - 90.0;
/// Ticks of which each minimum is taken: 500 ms. Speech dips to the floor at least that often.
const BUCKET_TICKS: u8 = 25;
/// Minima remembered, the one under way not counted.
const BUCKETS: usize = 2;
/// What is so much below the latest peak is its echo, or the decay of a slammed door, dB.
const BELOW_PEAK: f32 = 20.0;
/// How fast the latest peak is forgotten, dB a tick: 20 dB a second.
const PEAK_DECAY: f32 = 0.4;

/// What one voice does, followed tick by tick.
#[derive(Debug, Clone, Copy)]
pub struct Activity {
    current: f32,
    minima: [f32; BUCKETS],
    ticks: u8,
    peak: f32,
    audible: bool,
    speech: bool,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            current: f32::INFINITY,
            minima: [FLOOR_MIN; BUCKETS],
            ticks: 0,
            peak: 0.0,
            audible: false,
            speech: false,
        }
    }
}

impl Activity {
    /// One tick's loudness; call it at every tick.
    pub fn hear(&mut self, loudness: Loudness) {
        let level = loudness.0;
        if level >= DIGITAL_SILENCE {
            self.current = self.current.min(level);
        }
        self.peak = (self.peak - PEAK_DECAY).max(level);
        let floor = self.floor().0;
        self.audible = level >= AUDIBLE && level >= floor.min(LOUD_FLOOR) + ABOVE_FLOOR;
        self.speech = level >= SPEECH && level >= floor + ABOVE_FLOOR && level >= self.peak - BELOW_PEAK;
        self.ticks += 1;
        if self.ticks == BUCKET_TICKS {
            self.ticks = 0;
            // A bucket of digital silence only has nothing to say; the older minimum stays.
            if self.current.is_finite() {
                self.minima.rotate_right(1);
                self.minima[0] = self.current;
            }
            self.current = f32::INFINITY;
        }
    }

    /// Whether the last tick is worth hearing.
    #[must_use]
    pub fn is_audible(&self) -> bool {
        self.audible
    }

    /// Whether the last tick looks like speech. A single one proves nothing.
    #[must_use]
    pub fn is_speech(&self) -> bool {
        self.speech
    }

    /// The noise it stands in.
    #[must_use]
    pub fn floor(&self) -> Loudness {
        let floor = self.minima.iter().fold(self.current, |least, minimum| least.min(*minimum));
        Loudness(floor.max(FLOOR_MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds levels in −dBov; says of each tick whether it is audible and whether it is speech.
    fn hear(activity: &mut Activity, levels: impl IntoIterator<Item = f32>) -> Vec<(bool, bool)> {
        let mut heard = Vec::new();
        for level in levels {
            activity.hear(Loudness(127.0 - level));
            heard.push((activity.is_audible(), activity.is_speech()));
        }
        heard
    }

    fn wobble(level: f32, ticks: usize) -> impl Iterator<Item = f32> {
        (0..ticks).map(move |n| level + (n * 7 % 5) as f32 - 2.0)
    }

    #[test]
    fn a_fan_is_heard_for_a_moment_and_then_taken_for_the_room() {
        let mut activity = Activity::default();
        let heard = hear(&mut activity, wobble(50.0, 200));
        assert!(heard[0].0, "nobody knows yet what it is");
        assert!(heard[75..].iter().all(|(audible, speech)| !audible && !speech), "1.5 s later it is the room");
        let spoken = hear(&mut activity, wobble(30.0, 20));
        assert!(spoken.iter().all(|(audible, speech)| *audible && *speech), "speech stands out of it");
        let again = hear(&mut activity, wobble(50.0, 50));
        assert!(again.iter().all(|(audible, speech)| !audible && !speech), "and the fan is still known");
    }

    #[test]
    fn steady_music_stays_audible_and_is_no_speech() {
        let mut activity = Activity::default();
        let heard = hear(&mut activity, wobble(20.0, 300));
        assert!(heard.iter().all(|(audible, _)| *audible));
        assert!(heard[100..].iter().all(|(_, speech)| !speech));
    }

    #[test]
    fn pauses_of_digital_silence_teach_nothing_about_the_room() {
        let mut activity = Activity::default();
        hear(&mut activity, wobble(50.0, 200));
        hear(&mut activity, [127.0; 200]);
        assert!(hear(&mut activity, wobble(50.0, 20)).iter().all(|(audible, _)| !audible));
    }

    #[test]
    fn the_decay_of_a_slammed_door_is_no_speech() {
        let mut activity = Activity::default();
        hear(&mut activity, wobble(70.0, 200));
        let slam = (0..50).map(|n| 5.0 + n as f32 * 2.0);
        let speech = hear(&mut activity, slam).iter().filter(|(_, speech)| *speech).count();
        assert!(speech <= 14, "280 ms of 1 s: {speech}");
    }
}
