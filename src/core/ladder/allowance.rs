//! **The question:** does one track send more than anybody can want? Beyond an allowance its frames are left before
//! they cost a decoder anything, until it has sent less for a while: who floods is not seen, and nobody else notices.

use std::time::{Duration, Instant};

use crate::base::limits;

/// How many times its target a sender may send: senders that cannot be steered know one rate.
const TIMES: u64 = 10;

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It goes to its decoder.
    Taken,
    /// The first of a track that is over its allowance: it is left, and so are those after it.
    Stops,
    /// It is left.
    Left,
    /// It is left for want of a keyframe alone, which is to be asked for.
    Awaits,
    /// A keyframe of a track that is within its allowance again.
    GoesOn,
}

/// The allowance of one track of pictures.
#[derive(Debug)]
pub struct Allowance {
    /// Of frames.
    frames: Bucket,
    /// Of bits.
    bits: Bucket,
    /// Of pixels to be decoded.
    pixels: Bucket,
    is_over: bool,
}

impl Default for Allowance {
    fn default() -> Self {
        Self::new()
    }
}

impl Allowance {
    /// A track that sent nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let (frames, bits) = (Bucket::new(limits::INGEST_FPS_MAX), Bucket::new(limits::INGEST_BITRATE_MIN));
        Self { frames, bits, pixels: Bucket::new(limits::INGEST_PIXELS_A_SECOND_MAX), is_over: false }
    }

    /// The track is asked for so many bits a second.
    pub fn aim(&mut self, bitrate: u32) {
        let wide = u64::from(bitrate) * TIMES;
        self.bits.rate = wide.clamp(limits::INGEST_BITRATE_MIN, limits::INGEST_BITRATE_MAX);
    }

    /// A frame of `len` bytes and `pixels` came whole.
    pub fn admit(&mut self, now: Instant, (len, pixels): (usize, u64), keyframe: bool) -> Admission {
        let within = self.frames.take(now, 1) & self.bits.take(now, len as u64 * 8) & self.pixels.take(now, pixels);
        if !self.is_over {
            self.is_over = !within;
            return if within { Admission::Taken } else { Admission::Stops };
        }
        if !(self.frames.is_calm() && self.bits.is_calm() && self.pixels.is_calm()) {
            return Admission::Left;
        }
        if !keyframe {
            return Admission::Awaits;
        }
        self.is_over = false;
        Admission::GoesOn
    }
}

/// Holds what comes in `SPAN` at most.
#[derive(Debug)]
struct Bucket {
    /// Units a second.
    rate: u64,
    /// Units that are left, times a million.
    left: u128,
    filled: Option<Instant>,
}

impl Bucket {
    /// What may come at once, as a time's worth.
    const SPAN: Duration = Duration::from_secs(2);

    fn new(rate: u64) -> Self {
        let mut bucket = Self { rate, left: 0, filled: None };
        bucket.left = bucket.whole();
        bucket
    }

    fn whole(&self) -> u128 {
        u128::from(self.rate) * Self::SPAN.as_micros()
    }

    /// Takes so many units, or all that is left; whether there were enough.
    fn take(&mut self, now: Instant, units: u64) -> bool {
        let passed = self.filled.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.filled = self.filled.max(Some(now));
        self.left = (self.left + u128::from(self.rate) * passed.as_micros()).min(self.whole());
        let wanted = u128::from(units) * 1_000_000;
        let enough = self.left >= wanted;
        self.left = self.left.saturating_sub(wanted);
        enough
    }

    fn is_calm(&self) -> bool {
        self.left * 2 >= self.whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: u64 = 1_920 * 1_080;

    /// Sends frames of so many pixels for some seconds; how many were taken, and what became of the last.
    fn send(
        allowance: &mut Allowance,
        from: &mut Instant,
        (seconds, fps): (u64, u64),
        (bitrate, pixels): (u64, u64),
    ) -> (u64, Admission) {
        let (mut taken, mut last) = (0, Admission::Left);
        for n in 0..seconds * fps {
            let len = usize::try_from(bitrate / fps / 8).unwrap();
            last = allowance.admit(*from, (len, pixels), n % (2 * fps) == 0);
            taken += u64::from(matches!(last, Admission::Taken | Admission::GoesOn));
            *from += Duration::from_secs(1) / u32::try_from(fps).unwrap();
        }
        (taken, last)
    }

    #[test]
    fn cameras_screens_and_whoever_cannot_be_steered_are_within_it() {
        for (fps, bitrate, pixels, target) in [
            (30, 2_500_000, HD, 80_000),
            (60, 6_000_000, 2_560 * 1_440, 80_000),
            (30, 20_000_000, 3_840 * 2_160, 3_000_000),
            (30, 8_000_000, 5_120 * 1_440, 3_000_000),
        ] {
            let mut now = Instant::now();
            let mut allowance = Allowance::new();
            allowance.aim(target);
            assert_eq!(send(&mut allowance, &mut now, (60, fps), (bitrate, pixels)), (60 * fps, Admission::Taken));
        }
    }

    #[test]
    fn the_largest_pictures_as_often_as_small_ones_stop_however_few_their_bits() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new();
        let (taken, last) = send(&mut allowance, &mut now, (20, 70), (1_000_000, limits::INGEST_PIXELS_MAX.into()));
        assert!(taken < 210 && last == Admission::Left, "{taken} {last:?}");
        let (taken, last) = send(&mut allowance, &mut now, (20, 70), (1_000_000, HD));
        assert!(taken > 1_000 && last == Admission::Taken, "{taken} {last:?}");
    }

    #[test]
    fn two_hundred_and_forty_frames_a_second_stop_and_go_on_once_they_are_fewer() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new();
        let (taken, last) = send(&mut allowance, &mut now, (60, 240), (1_000_000, 0));
        assert!(taken < 240 && last == Admission::Left, "{taken} {last:?}");
        let (taken, last) = send(&mut allowance, &mut now, (10, 30), (1_000_000, 0));
        assert!(taken > 200 && last == Admission::Taken, "{taken} {last:?}");
    }

    #[test]
    fn ten_times_the_bits_stop_and_a_keyframe_is_awaited_before_it_goes_on() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new();
        allowance.aim(1_600_000);
        let (taken, last) = send(&mut allowance, &mut now, (30, 30), (60_000_000, HD));
        assert!(taken < 60 && last == Admission::Left, "{taken} {last:?}");
        let became: Vec<_> =
            (0..300_u32).map(|n| allowance.admit(now + Duration::from_millis(33) * n, (6_000, HD), n == 200)).collect();
        assert_eq!((became[0], became[199], became[200]), (Admission::Left, Admission::Awaits, Admission::GoesOn));
        assert!(became[201..].iter().all(|one| *one == Admission::Taken));
    }
}
