//! **The question:** which of the three times is meant? `Instant` is now, [`Pts`] the room's media clock, [`Wallclock`]
//! UTC. Every conversion stands here and carries its name.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The room's media clock: integer nanoseconds since the room's epoch. Computed, never accumulated, never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pts(pub u64);

impl Pts {
    /// Nanoseconds since the room's epoch.
    #[must_use]
    pub fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span since `earlier`, zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Pts) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Pts {
    type Output = Pts;

    fn add(self, span: Duration) -> Pts {
        Pts(self.0 + u64::try_from(span.as_nanos()).expect("media spans stay below 584 years"))
    }
}

/// UTC as nanoseconds since 1970, for capture times and expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Wallclock(pub u64);

impl Wallclock {
    /// From the system's clock reading; times before 1970 become 1970.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Self {
        let nanos = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn unix_seconds(self) -> u64 {
        self.0 / NANOS_PER_SECOND
    }
}

/// Where a room's media clock stands in the two other times: the instant and the wallclock at which its `Pts` is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomEpoch {
    /// `Pts(0)` on the monotonic clock.
    pub instant: Instant,
    /// `Pts(0)` in UTC.
    pub wallclock: Wallclock,
}

impl RoomEpoch {
    /// The instant at which `pts` is due.
    #[must_use]
    pub fn instant_at(&self, pts: Pts) -> Instant {
        self.instant + Duration::from_nanos(pts.0)
    }

    /// The UTC time of `pts`.
    #[must_use]
    pub fn wallclock_at(&self, pts: Pts) -> Wallclock {
        Wallclock(self.wallclock.0.saturating_add(pts.0))
    }
}

/// The media time of `now`; zero before the epoch.
#[must_use]
pub fn pts_from_instant(epoch: &RoomEpoch, now: Instant) -> Pts {
    let nanos = now.saturating_duration_since(epoch.instant).as_nanos();
    Pts(u64::try_from(nanos).expect("a room lives below 584 years"))
}

/// The media time of tick `n` at `ticks_per_second`, exact to the nanosecond for any n.
#[must_use]
pub fn pts_from_tick(n: u64, ticks_per_second: u32) -> Pts {
    let rate = u64::from(ticks_per_second);
    Pts((n / rate) * NANOS_PER_SECOND + (n % rate) * NANOS_PER_SECOND / rate)
}

/// An RTP timestamp of `clock_rate` Hz for `pts`, extended (not wrapped to 32 bits), rounded to the nearest unit.
#[must_use]
pub fn rtp_from_pts(pts: Pts, clock_rate: u32) -> u64 {
    let scaled = u128::from(pts.0) * u128::from(clock_rate) + u128::from(NANOS_PER_SECOND / 2);
    u64::try_from(scaled / u128::from(NANOS_PER_SECOND)).expect("extended RTP time fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_do_not_drift() {
        assert_eq!(pts_from_tick(30 * 86_400, 30), Pts(86_400 * NANOS_PER_SECOND));
        assert_eq!(pts_from_tick(1, 30), Pts(33_333_333));
        assert_eq!(pts_from_tick(3, 30), Pts(100_000_000));
    }

    #[test]
    fn rtp_time_of_a_tick_is_exact_at_90_khz() {
        for n in 0..1000 {
            assert_eq!(rtp_from_pts(pts_from_tick(n, 30), 90_000), n * 3000);
        }
    }
}
