//! **The question:** what is told by feedback to a sender who is not reached by words, or does not listen? One number
//! for all it sends (REMB, draft-alvestrand-rmcat-remb): what its tiles need, and a little more.

use std::time::Instant;

use crate::base::limits;
use crate::base::media::TrackKind;

/// How much more than its target a sender may use: encoders aim below what they may.
const HEADROOM: u32 = 4;
/// Layers below the one that is taken are sent too, each about a third of the next.
const LAYERED_HEADROOM: u32 = 2;
/// A sender does not listen that sends more than so many halves of what it may.
const DEAF_HALVES: u64 = 3;

/// Decides what one connection's sender is told.
#[derive(Debug, Default)]
pub struct Steering {
    /// Bits a second of each of its tracks of pictures that has a target.
    targets: Vec<(TrackKind, u32)>,
    /// When the targets changed last.
    aimed: Option<Instant>,
    /// It has several layers of one picture.
    pub layered: bool,
    /// It can be told in words.
    pub has_words: bool,
    /// It goes beyond what it was told; from then on it is steered for good, for a limit stays until another is told.
    is_deaf: bool,
    /// Since when `bits` are counted.
    since: Option<Instant>,
    bits: u64,
    told: Option<Instant>,
}

impl Steering {
    /// A track is asked for so many bits a second from now on.
    pub fn aim(&mut self, now: Instant, kind: TrackKind, bitrate: u32) {
        self.targets.retain(|(aimed, _)| *aimed != kind);
        self.targets.push((kind, bitrate));
        self.aimed = Some(now);
    }

    /// The track is sent no more.
    pub fn forget(&mut self, kind: TrackKind) {
        self.targets.retain(|(aimed, _)| *aimed != kind);
    }

    /// Bytes of pictures came.
    pub fn hear(&mut self, now: Instant, len: usize) {
        let since = *self.since.get_or_insert(now);
        self.bits += len as u64 * 8;
        let passed = now.saturating_duration_since(since);
        if passed < limits::STEERING_WINDOW {
            return;
        }
        let rate = u128::from(self.bits) * 1_000 / passed.as_millis().max(1);
        (self.since, self.bits) = (Some(now), 0);
        // What was asked just now is not obeyed yet.
        let is_old = self.aimed.is_some_and(|at| at + limits::STEERING_WINDOW <= since);
        let over = self.limit().is_some_and(|limit| rate * 2 > u128::from(u64::from(limit) * DEAF_HALVES));
        self.is_deaf |= is_old && over;
    }

    /// The bits a second to tell now: once a [`limits::STEERING_SPACING`], for a packet may be lost.
    pub fn due(&mut self, now: Instant) -> Option<u32> {
        if (self.has_words && !self.is_deaf) || self.told.is_some_and(|at| now < at + limits::STEERING_SPACING) {
            return None;
        }
        let limit = self.limit()?;
        self.told = Some(now);
        Some(limit)
    }

    fn limit(&self) -> Option<u32> {
        if self.targets.is_empty() {
            return None;
        }
        let pictures = self.targets.iter().fold(0_u32, |sum, (_, bitrate)| sum.saturating_add(*bitrate));
        let headroom = pictures / if self.layered { LAYERED_HEADROOM } else { HEADROOM };
        let all = pictures.saturating_add(headroom).saturating_add(limits::STEERING_SOUND);
        Some(all.max(limits::STEERING_MIN))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sends at a rate for some seconds.
    fn send(steering: &mut Steering, from: Instant, seconds: u64, bitrate: u64) -> Instant {
        for n in 0..seconds * 100 {
            steering.hear(from + Duration::from_millis(n * 10), usize::try_from(bitrate / 800).unwrap());
        }
        from + Duration::from_secs(seconds)
    }

    #[test]
    fn who_has_no_words_is_told_what_its_tiles_need_every_second() {
        let (now, mut steering) = (Instant::now(), Steering::default());
        assert_eq!(steering.due(now), None, "nobody knows its tile yet");
        steering.aim(now, TrackKind::Camera, 1_600_000);
        assert_eq!(steering.due(now), Some(2_000_000 + limits::STEERING_SOUND));
        assert_eq!(steering.due(now), None);
        steering.aim(now, TrackKind::Screen, 3_000_000);
        let later = now + limits::STEERING_SPACING;
        assert_eq!(steering.due(later), Some(5_750_000 + limits::STEERING_SOUND), "one number for both");
        steering.forget(TrackKind::Screen);
        steering.aim(later, TrackKind::Camera, 40_000);
        assert_eq!(steering.due(later + limits::STEERING_SPACING), Some(limits::STEERING_MIN));
    }

    #[test]
    fn layers_below_the_one_that_is_taken_have_room() {
        let (now, mut steering) = (Instant::now(), Steering { layered: true, ..Steering::default() });
        steering.aim(now, TrackKind::Camera, 1_600_000);
        assert_eq!(steering.due(now), Some(2_400_000 + limits::STEERING_SOUND));
    }

    #[test]
    fn who_obeys_words_is_never_limited_and_who_does_not_is_from_then_on() {
        let (start, mut steering) = (Instant::now(), Steering { has_words: true, ..Steering::default() });
        steering.aim(start, TrackKind::Camera, 200_000);
        let now = send(&mut steering, start, 20, 300_000);
        assert_eq!(steering.due(now), None, "near enough");
        let aimed = now;
        steering.aim(aimed, TrackKind::Camera, 100_000);
        let now = send(&mut steering, now, 2, 2_000_000);
        assert_eq!(steering.due(now), None, "it has had no time to obey");
        let now = send(&mut steering, now, 6, 2_000_000);
        assert_eq!(steering.due(now), Some(125_000 + limits::STEERING_SOUND));
        steering.aim(now, TrackKind::Camera, 1_600_000);
        let now = send(&mut steering, now, 6, 100_000);
        assert!(steering.due(now).is_some_and(|limit| limit > 1_600_000), "a limit stays until another is told");
    }
}
