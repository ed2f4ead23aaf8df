//! **The question:** when does a recording expire? The arithmetic, and nothing that could lengthen it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::base::limits;
use crate::base::media::{NANOS_PER_SECOND, Wallclock};

const HOUR_NANOS: u64 = 3600 * NANOS_PER_SECOND;

/// A whole hour of UTC, counted from 1970: the moment at which everything filed under it expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(pub u32);

impl Hour {
    /// The hour in which `time` lies; its own start if `time` is that.
    #[must_use]
    pub fn containing(time: Wallclock) -> Self {
        Self(u32::try_from(time.0 / HOUR_NANOS).expect("64 bits of nanoseconds hold 5 million hours"))
    }

    /// The moment at which it begins.
    #[must_use]
    pub fn start(self) -> Wallclock {
        Wallclock(u64::from(self.0).saturating_mul(HOUR_NANOS))
    }

    /// The last one that anything may be filed under which begins at `now`.
    #[must_use]
    pub fn last_from(now: Wallclock) -> Self {
        Self(Self::containing(now).0.saturating_add(limits::HOUR_KEYS_MAX as u32))
    }

    /// Whether everything filed under it has expired at `now`.
    #[must_use]
    pub fn is_expired(self, now: Wallclock) -> bool {
        now >= self.start()
    }
}

/// Eight decimal digits, so that names sort as time runs.
impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

impl FromStr for Hour {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits).map(Self).ok_or(RetentionError::NoHour)
    }
}

/// Why a text or a span is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// Longer than anything is kept, or so short that the hour it is rounded down to may have passed.
    #[error("recordings are kept for 2 hours to 7 days")]
    Span,
    /// Not the text form of a recording's or a keeper's id.
    #[error("an id is a letter and hexadecimal digits")]
    NoId,
    /// Not eight digits.
    #[error("an hour has eight digits")]
    NoHour,
}

/// How long a recording is kept: `limits::RETENTION` unless shortened. There is no way to make a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention(Duration);

impl Default for Retention {
    fn default() -> Self {
        Self(limits::RETENTION)
    }
}

impl Retention {
    /// A span of `limits::RETENTION_MIN` to `limits::RETENTION`.
    ///
    /// # Errors
    /// When it lies outside.
    pub fn new(span: Duration) -> Result<Self, RetentionError> {
        let allowed = limits::RETENTION_MIN..=limits::RETENTION;
        allowed.contains(&span).then_some(Self(span)).ok_or(RetentionError::Span)
    }

    /// The span itself.
    #[must_use]
    pub fn span(self) -> Duration {
        self.0
    }

    /// The hour at which what starts at `start` expires: `start` + span, rounded down. Stamped once, never computed
    /// again.
    #[must_use]
    pub fn expiry(self, start: Wallclock) -> Hour {
        let span = u64::try_from(self.0.as_nanos()).expect("7 days of nanoseconds fit");
        Hour::containing(Wallclock(start.0.saturating_add(span)))
    }

    /// How long one recording may run before it goes on as another with an expiry of its own: a seventh, so that what
    /// is recorded last still lives for six sevenths.
    #[must_use]
    pub fn recording_span(self) -> Duration {
        self.0 / 7
    }
}
