//! **The question:** which temporal layers of a track are decoded? As few as make the rate that its tile is shown at.
//! No picture refers to one of a higher layer, so those above can be left without anybody noticing.

use std::time::Instant;

use crate::base::limits;
use crate::base::media::TemporalLayer;

/// Layers that codecs can tell apart.
const LAYERS: usize = 8;

/// The temporal layers of one track, and how many of them are taken.
#[derive(Debug)]
pub struct TemporalChoice {
    /// Frames a second that are of use; without a word all are.
    wanted: Option<u32>,
    /// The highest layer that is taken.
    kept: usize,
    /// The highest that shall be.
    chosen: usize,
    /// Frames of each layer since `since`.
    counts: [u64; LAYERS],
    since: Option<Instant>,
}

impl Default for TemporalChoice {
    fn default() -> Self {
        Self { wanted: None, kept: LAYERS - 1, chosen: LAYERS - 1, counts: [0; LAYERS], since: None }
    }
}

impl TemporalChoice {
    /// So many frames a second are of use from now on.
    pub fn aim(&mut self, fps: u32) {
        if self.wanted != Some(fps) {
            self.wanted = Some(fps);
            // What was counted may be of a sender that was asked for another rate: it is counted anew.
            (self.counts, self.since) = ([0; LAYERS], None);
        }
    }

    /// Whether a frame is to be decoded. `layer`: what it says of itself, if it has layers.
    pub fn admit(&mut self, now: Instant, layer: Option<TemporalLayer>, keyframe: bool) -> bool {
        let Some(TemporalLayer { id, is_sync }) = layer else { return true };
        let id = usize::from(id).min(LAYERS - 1);
        self.count(now, id);
        if keyframe {
            self.kept = self.chosen;
        } else if self.kept < self.chosen && id == self.kept + 1 && is_sync {
            // Nothing that was left is behind it.
            self.kept = id;
        }
        id <= self.kept
    }

    /// Whether more is wanted than is taken, and only a keyframe or a picture that says so lets it begin.
    #[must_use]
    pub fn is_climbing(&self) -> bool {
        self.kept < self.chosen
    }

    fn count(&mut self, now: Instant, id: usize) {
        let since = *self.since.get_or_insert(now);
        self.counts[id] += 1;
        let passed = now.saturating_duration_since(since);
        if passed < limits::TEMPORAL_WINDOW {
            return;
        }
        let counts = std::mem::take(&mut self.counts);
        self.since = Some(now);
        let Some(wanted) = self.wanted else { return };
        // A tenth less than wanted is near enough: rates are never what they are said to be.
        let needed = u128::from(wanted) * passed.as_millis() * 9 / 10_000;
        let mut sum = 0;
        let enough = counts.iter().position(|count| {
            sum += u128::from(*count);
            sum >= needed
        });
        self.chosen = enough.unwrap_or(LAYERS - 1);
        // Fewer at once; more when it can be.
        self.kept = self.kept.min(self.chosen);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Sends L1T3 at 30 frames/s for some seconds; how many of the last second's frames are decoded.
    fn send(choice: &mut TemporalChoice, from: &mut Instant, seconds: u32, syncs: bool) -> usize {
        let mut decoded = Vec::new();
        for n in 0..seconds * 30 {
            let id = [0, 2, 1, 2][n as usize % 4];
            let layer = TemporalLayer { id, is_sync: syncs && id > 0 };
            decoded.push(choice.admit(*from, Some(layer), false));
            *from += Duration::from_micros(33_333);
        }
        decoded[decoded.len() - 30..].iter().filter(|one| **one).count()
    }

    #[test]
    fn as_many_layers_are_decoded_as_the_tile_shows() {
        let (mut now, mut choice) = (Instant::now(), TemporalChoice::default());
        assert_eq!(send(&mut choice, &mut now, 3, true), 30, "nobody said how many are of use");
        for (fps, decoded) in [(15, 15), (5, 7), (30, 30), (60, 30)] {
            choice.aim(fps);
            let came = send(&mut choice, &mut now, 4, true);
            assert!(came.abs_diff(decoded) <= 1, "{fps}: {came}");
        }
    }

    #[test]
    fn more_layers_wait_for_a_picture_that_refers_to_none_of_those_left() {
        let (mut now, mut choice) = (Instant::now(), TemporalChoice::default());
        choice.aim(5);
        let _ = send(&mut choice, &mut now, 4, false);
        choice.aim(30);
        assert!(send(&mut choice, &mut now, 4, false) < 10 && choice.is_climbing());
        assert!(choice.admit(now, Some(TemporalLayer { id: 0, is_sync: false }), true));
        assert!(!choice.is_climbing());
        assert_eq!(send(&mut choice, &mut now, 1, false), 30);
    }

    #[test]
    fn what_has_no_layers_is_decoded() {
        let mut choice = TemporalChoice::default();
        choice.aim(1);
        let start = Instant::now();
        assert!((0..300).all(|n| choice.admit(start + Duration::from_millis(n * 10), None, false)));
    }
}
