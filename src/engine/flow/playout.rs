//! **The question:** how long do a person's camera and microphone wait before they play, so that lips and voice agree?
//! The larger wish wins; where sender reports tell when each was captured, the quicker path waits for the slower one
//! too. The picture of somebody who says nothing need not wait for their sound.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::base::limits;
use crate::base::media::Wallclock;

/// Which of a person's two tracks, or of a screen's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The camera, or the screen.
    Picture,
    /// The microphone, or the screen's sound.
    Sound,
}

/// A path is stated anew when it has changed by so much; less is the noise of sender reports, and not worth a stretched
/// sound.
const PATH_STEP_NANOS: i64 = 5_000_000;
/// A path not stated for so long tells nothing: the track is muted, and clocks drift.
const PATH_LIFE_NANOS: i64 = 5_000_000_000;
/// Nothing known.
const UNKNOWN: i64 = i64::MIN;

/// What one participant's two jitter buffers want and know; clones share it.
#[derive(Debug, Clone, Default)]
pub struct PlayoutCell(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// What paths are counted from: the first moment stated, and the sender's clock then.
    origin: OnceLock<(Instant, Wallclock)>,
    halves: [Half; 2],
}

#[derive(Debug)]
struct Half {
    /// The delay wished for, nanoseconds.
    wish: AtomicU64,
    /// How much of it the other side has to wait for too, nanoseconds.
    shared: AtomicU64,
    /// From capture to the fastest arrival, nanoseconds beyond the origin's.
    path: AtomicI64,
    /// When the path was last stated, nanoseconds after the origin.
    stated: AtomicI64,
    /// From capture to playing, nanoseconds beyond the origin's.
    played: AtomicI64,
}

impl Default for Half {
    fn default() -> Self {
        Self {
            wish: AtomicU64::new(0),
            shared: AtomicU64::new(0),
            path: AtomicI64::new(UNKNOWN),
            stated: AtomicI64::new(UNKNOWN),
            played: AtomicI64::new(UNKNOWN),
        }
    }
}

impl PlayoutCell {
    /// A jitter buffer states the delay that it wants for the network's sake.
    pub fn want(&self, side: Side, delay: Duration) {
        self.want_apart(side, delay, delay);
    }

    /// The same, of which the other side has to wait for `shared` alone: nobody sees that lips and a silent voice
    /// disagree.
    pub fn want_apart(&self, side: Side, delay: Duration, shared: Duration) {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).expect("playout delays are bounded in limits.rs");
        let half = self.half(side);
        half.wish.store(nanos(delay), Ordering::Relaxed);
        half.shared.store(nanos(shared.min(delay)), Ordering::Relaxed);
    }

    /// What was captured at `captured`, by its sender's clock, would play at `at` without any delay.
    pub fn expect(&self, side: Side, at: Instant, captured: Wallclock) {
        let (Some(path), half) = (self.path(at, captured), self.half(side)) else { return };
        let known = half.path.load(Ordering::Relaxed);
        if known == UNKNOWN || known.abs_diff(path) >= PATH_STEP_NANOS.unsigned_abs() {
            half.path.store(path, Ordering::Relaxed);
        }
        half.stated.store(self.since_origin(at), Ordering::Relaxed);
    }

    /// The delay that a side uses: at least its own wish, and so much more that both sides play what was captured at
    /// the same time together (RFC 3550 section 6.4.1). At most `limits::PLAYOUT_DELAY_MAX`.
    #[must_use]
    pub fn delay(&self, side: Side) -> Duration {
        let [picture, sound] = [Side::Picture, Side::Sound].map(|of| {
            let half = self.half(of);
            let wish = if of == side { &half.wish } else { &half.shared };
            wish.load(Ordering::Relaxed)
        });
        let Some([picture_path, sound_path]) = self.paths() else { return Duration::from_nanos(picture.max(sound)) };
        let due = (picture_path.saturating_add_unsigned(picture)).max(sound_path.saturating_add_unsigned(sound));
        let own = if side == Side::Picture { picture_path } else { sound_path };
        Duration::from_nanos(due.saturating_sub(own).max(0).unsigned_abs()).min(limits::PLAYOUT_DELAY_MAX)
    }

    /// What was captured at `captured`, by its sender's clock, plays at `at`.
    pub fn played(&self, side: Side, at: Instant, captured: Wallclock) {
        if let Some(path) = self.path(at, captured) {
            self.half(side).played.store(path, Ordering::Relaxed);
        }
    }

    /// By how many nanoseconds the picture played last was behind the sound; `None` while one of them has no sender
    /// reports, or has been silent for a while, so that the other does not wait for it.
    #[must_use]
    pub fn skew(&self) -> Option<i64> {
        self.paths()?;
        let is_apart = |half: &Half| half.shared.load(Ordering::Relaxed) < half.wish.load(Ordering::Relaxed);
        if self.0.halves.iter().any(is_apart) {
            return None;
        }
        let [picture, sound] = [Side::Picture, Side::Sound].map(|side| self.half(side).played.load(Ordering::Relaxed));
        (picture != UNKNOWN && sound != UNKNOWN).then(|| picture.saturating_sub(sound))
    }

    /// Both paths, if both are known, fresh and believable.
    fn paths(&self) -> Option<[i64; 2]> {
        let paths = [Side::Picture, Side::Sound].map(|side| self.half(side).path.load(Ordering::Relaxed));
        let stated = [Side::Picture, Side::Sound].map(|side| self.half(side).stated.load(Ordering::Relaxed));
        let known = !paths.contains(&UNKNOWN);
        let fresh = stated[0].abs_diff(stated[1]) <= PATH_LIFE_NANOS.unsigned_abs();
        let believable = u128::from(paths[0].abs_diff(paths[1])) <= limits::LIP_SYNC_PATH_MAX.as_nanos();
        (known && fresh && believable).then_some(paths)
    }

    fn half(&self, side: Side) -> &Half {
        &self.0.halves[usize::from(side == Side::Sound)]
    }

    /// `None` for clocks so far apart that they are no clocks.
    fn path(&self, at: Instant, captured: Wallclock) -> Option<i64> {
        let (_, origin) = *self.0.origin.get_or_init(|| (at, captured));
        let passed = captured.0.checked_signed_diff(origin.0)?;
        self.since_origin(at).checked_sub(passed)
    }

    fn since_origin(&self, at: Instant) -> i64 {
        let Some((origin, _)) = self.0.origin.get() else { return 0 };
        let nanos = |span: Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        match at.checked_duration_since(*origin) {
            Some(after) => nanos(after),
            None => -nanos(origin.duration_since(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// A clock of the sender's that reads `millis` after some moment of its own.
    fn captured(millis: u64) -> Wallclock {
        Wallclock(1_700_000_000_000_000_000 + millis * 1_000_000)
    }

    #[test]
    fn without_reports_the_larger_wish_wins() {
        let cell = PlayoutCell::default();
        cell.want(Side::Picture, ms(30));
        cell.want(Side::Sound, ms(20));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(30), ms(30)]);
        // One side's reports alone change nothing.
        cell.expect(Side::Picture, Instant::now(), captured(0));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(30), ms(30)]);
        assert_eq!(cell.skew(), None);
    }

    #[test]
    fn a_picture_waits_for_no_more_of_its_sound_than_that_asks_for() {
        let (cell, start) = (PlayoutCell::default(), Instant::now());
        cell.want(Side::Picture, ms(30));
        cell.want_apart(Side::Sound, ms(200), ms(50));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(50), ms(200)]);
        cell.want_apart(Side::Sound, ms(200), ms(0));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(30), ms(200)]);
        for side in [Side::Picture, Side::Sound] {
            cell.expect(side, start, captured(0));
            cell.played(side, start, captured(0));
        }
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(30), ms(200)]);
        assert_eq!(cell.skew(), None, "nobody sees it");
        cell.want(Side::Sound, ms(200));
        assert_eq!((cell.delay(Side::Picture), cell.skew()), (ms(200), Some(0)));
    }

    #[test]
    fn the_quicker_path_waits_for_the_slower_one() {
        let (cell, start) = (PlayoutCell::default(), Instant::now());
        cell.want(Side::Picture, ms(10));
        cell.want(Side::Sound, ms(40));
        cell.expect(Side::Sound, start + ms(5), captured(0));
        cell.expect(Side::Picture, start + ms(105), captured(0));
        // The picture is due 100 + 10 ms after the sound's path, so the sound waits 110 ms, and the picture its own 10.
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(10), ms(110)]);
        cell.want(Side::Sound, ms(130));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(30), ms(130)]);
    }

    #[test]
    fn delays_stay_within_the_bound_and_reports_that_lie_are_not_believed() {
        let (cell, start) = (PlayoutCell::default(), Instant::now());
        cell.want(Side::Sound, ms(20));
        cell.expect(Side::Sound, start, captured(0));
        let late = limits::PLAYOUT_DELAY_MAX + ms(50);
        cell.expect(Side::Picture, start + late, captured(0));
        assert_eq!(cell.delay(Side::Sound), limits::PLAYOUT_DELAY_MAX);
        let lie = limits::LIP_SYNC_PATH_MAX + ms(10);
        cell.expect(Side::Picture, start + lie, captured(0));
        assert_eq!([cell.delay(Side::Picture), cell.delay(Side::Sound)], [ms(20), ms(20)]);
        for extreme in [Wallclock(0), Wallclock(u64::MAX)] {
            cell.expect(Side::Picture, start, extreme);
            cell.played(Side::Picture, start, extreme);
            assert_eq!(cell.delay(Side::Sound), ms(20));
        }
    }

    #[test]
    fn what_a_muted_track_last_said_is_forgotten() {
        let (cell, start) = (PlayoutCell::default(), Instant::now());
        cell.expect(Side::Picture, start + ms(100), captured(0));
        cell.expect(Side::Sound, start, captured(0));
        assert_eq!(cell.delay(Side::Sound), ms(100));
        cell.expect(Side::Sound, start + ms(6000), captured(6000));
        assert_eq!(cell.delay(Side::Sound), ms(0));
    }

    #[test]
    fn skew_is_how_much_later_the_picture_played() {
        let (cell, start) = (PlayoutCell::default(), Instant::now());
        for (side, path) in [(Side::Sound, 3), (Side::Picture, 43)] {
            cell.expect(side, start + ms(path), captured(0));
        }
        cell.played(Side::Sound, start + ms(60), captured(10));
        cell.played(Side::Picture, start + ms(70), captured(15));
        assert_eq!(cell.skew(), Some(5_000_000));
    }
}
