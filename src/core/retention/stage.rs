//! **The question:** where does a recording stand between its beginning and its end?

use crate::base::media::Wallclock;
use crate::core::retention::Hour;

/// Reserved → recording → final → expired → swept; each step goes forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It has an id, an hour and its wraps, and no picture yet.
    Reserved,
    /// It grows.
    Recording,
    /// It is whole.
    Final,
    /// Its hour has come or it was shredded: nobody opens it.
    Expired,
    /// Its objects are deleted.
    Swept,
}

/// A step that leads backward or over another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recording does not go from {from:?} to {to:?}")]
pub struct OutOfStep {
    /// Where it stands.
    pub from: Stage,
    /// Where it was to go.
    pub to: Stage,
}

impl Stage {
    /// The stage after this step. Everything that is not swept may expire; only what has expired is swept.
    ///
    /// # Errors
    /// When the step leads backward or over another.
    pub fn step(self, to: Self) -> Result<Self, OutOfStep> {
        let allowed = match to {
            Self::Reserved => false,
            Self::Recording => self == Self::Reserved,
            Self::Final => self == Self::Recording,
            Self::Expired => self < Self::Expired,
            Self::Swept => self == Self::Expired,
        };
        allowed.then_some(to).ok_or(OutOfStep { from: self, to })
    }

    /// The stage at `now` of what expires at `hour`: time alone takes everything to expired.
    #[must_use]
    pub fn at(self, now: Wallclock, hour: Hour) -> Self {
        if hour.is_expired(now) { self.max(Self::Expired) } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Stage; 5] = [Stage::Reserved, Stage::Recording, Stage::Final, Stage::Expired, Stage::Swept];

    #[test]
    fn every_step_goes_forward() {
        for from in ALL {
            for to in ALL {
                assert!(from.step(to).is_err() || from < to, "{from:?} → {to:?}");
            }
        }
        assert_eq!(Stage::Reserved.step(Stage::Expired), Ok(Stage::Expired));
        assert!(Stage::Final.step(Stage::Swept).is_err(), "what can be read is never swept");
    }

    #[test]
    fn time_alone_expires() {
        let hour = Hour(500_000);
        let just_before = Wallclock(hour.start().0 - 1);
        for stage in ALL {
            assert_eq!(stage.at(just_before, hour), stage);
            assert!(stage.at(hour.start(), hour) >= Stage::Expired);
        }
    }
}
