//! **The question:** until when is a certificate good, and when is the next one asked for? Floor 2: at the last third
//! of its life, as issuers advise, and after a failure by pauses that double, or as long as the issuer asks.
//!
//! Doors: [`Validity`], [`Renewal`].

use std::time::Duration;

use crate::base::limits;
use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::backoff::Backoff;

/// From when and until when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub from: Wallclock,
    /// `notAfter`.
    pub to: Wallclock,
}

impl Validity {
    /// When two thirds of it are over: of 90 days, 30 are left (letsencrypt.org, "Integration Guide").
    #[must_use]
    pub const fn renewal(&self) -> Wallclock {
        Wallclock(self.to.0 - self.to.0.saturating_sub(self.from.0) / 3)
    }
}

/// When the next certificate is asked for.
#[derive(Debug, Clone)]
pub struct Renewal {
    due: Wallclock,
    backoff: Backoff,
}

impl Renewal {
    /// With a certificate that is good so long, or with none; `seed` tells its pauses from those of other nodes.
    #[must_use]
    pub const fn new(have: Option<Validity>, seed: u64) -> Self {
        let due = match have {
            Some(validity) => validity.renewal(),
            None => Wallclock(0),
        };
        Self { due, backoff: Backoff::new(limits::ACME_PAUSE_FIRST, limits::ACME_PAUSE_MOST, seed) }
    }

    /// When.
    #[must_use]
    pub const fn due(&self) -> Wallclock {
        self.due
    }

    /// How long that is from `now`; nothing: at once.
    #[must_use]
    pub const fn wait(&self, now: Wallclock) -> Duration {
        Duration::from_nanos(self.due.0.saturating_sub(now.0))
    }

    /// There is a new one.
    pub fn succeeded(&mut self, now: Wallclock, have: Validity) {
        self.backoff.reset();
        // An issuer whose certificates are over when they come, or a clock that is wrong, is not asked without a pause.
        self.due = Wallclock(have.renewal().0.max(now.0 + NANOS_PER_SECOND));
    }

    /// There is none; `asked`: how long the issuer wants to be left in peace, if it said so.
    pub fn failed(&mut self, now: Wallclock, asked: Option<Duration>) {
        let asked = asked.unwrap_or_default().min(limits::ACME_PAUSE_ASKED_MOST);
        let pause = self.backoff.pause().max(asked);
        self.due = Wallclock(now.0.saturating_add(pause.as_nanos() as u64));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Wallclock {
        Wallclock(seconds * NANOS_PER_SECOND)
    }

    const DAY: u64 = 86_400;

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_it_is_left() {
        let validity = Validity { from: at(10 * DAY), to: at(100 * DAY) };
        assert_eq!(validity.renewal(), at(70 * DAY));
        let renewal = Renewal::new(Some(validity), 1);
        assert_eq!(renewal.wait(at(69 * DAY)), Duration::from_secs(DAY));
        assert_eq!(renewal.wait(at(71 * DAY)), Duration::ZERO);
        assert_eq!(Renewal::new(None, 1).wait(at(0)), Duration::ZERO, "none at all is asked for at once");
        let backwards = Validity { from: at(9), to: at(3) };
        assert_eq!(backwards.renewal(), at(3));
    }

    #[test]
    fn no_issuer_is_asked_more_than_five_times_an_hour() {
        for seed in 0..50 {
            let (mut renewal, mut now, mut tries) = (Renewal::new(None, seed), at(1000), Vec::new());
            for _ in 0..20 {
                tries.push(now.unix_seconds());
                renewal.failed(now, None);
                now = renewal.due();
            }
            assert!(tries.windows(6).all(|six| six[5] - six[0] > 3600), "{tries:?}");
            for _ in 0..40 {
                renewal.failed(now, None);
                assert!(renewal.wait(now) <= limits::ACME_PAUSE_MOST);
            }
        }
    }

    #[test]
    fn an_issuer_that_asks_for_peace_gets_it_within_reason() {
        let mut renewal = Renewal::new(None, 3);
        renewal.failed(at(0), Some(Duration::from_secs(7200)));
        assert_eq!(renewal.due(), at(7200));
        renewal.failed(at(0), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(renewal.wait(at(0)), limits::ACME_PAUSE_ASKED_MOST);
    }

    #[test]
    fn what_is_over_already_is_no_reason_to_ask_without_a_pause() {
        let mut renewal = Renewal::new(None, 3);
        renewal.succeeded(at(100), Validity { from: at(10), to: at(20) });
        assert_eq!(renewal.due(), at(101));
    }
}
