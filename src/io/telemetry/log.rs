//! **The question:** what may a log line say, and how often? Names of people and rooms, IP addresses and SDP never
//! appear; what repeats is told once a second with its count.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::io::telemetry::panics::log_panics;

/// The environment variable whose `tracing` directives (`info,tessera::io::webrtc=debug`) win over the configured
/// level.
pub const LOG_VARIABLE: &str = "TESSERA_LOG";

/// The least level that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what went wrong.
    Error,
    /// And what may go wrong.
    Warn,
    /// And what happens: rooms, participants, recordings.
    #[default]
    Info,
    /// And why.
    Debug,
    /// And everything else.
    Trace,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What libraries may say unless the variable asks for more: clients could flood the log through their warnings.
const LIBRARIES: &str = "str0m=error,is=error,sctp_proto=error,dimpl=error,webrtc=off,rtc=off,webrtc_ice=off";

/// A library that writes what it is given to draw, which is people's names. Nothing brings its lines back.
const NEVER: &str = "cosmic_text";

/// Begins writing this process's log to stderr. A second call changes nothing: a log is set up once.
pub fn init(level: Level, format: Format) {
    let allowed = tracing_subscriber::registry().with(filter(level, std::env::var(LOG_VARIABLE).ok().as_deref()));
    let allowed = allowed.with(filter_fn(|line| may_be_written(line.target())));
    // Colours are for eyes: a file or a collector gets the words alone (no-color.org).
    let coloured = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_ansi(coloured).with_writer(std::io::stderr);
    // It would say by `eprintln!`, which panics, that stderr cannot be written.
    let lines = lines.log_internal_errors(false);
    // Both fail only if this process already has a log, which then stays.
    let _ = match format {
        Format::Text => allowed.with(lines).try_init(),
        Format::Json => allowed.with(lines.json().flatten_event(true)).try_init(),
    };
    log_panics();
}

/// What a room is called in this process's log: the same in all its lines, and never its name, which may tell who meets
/// about what.
#[must_use]
pub fn alias(room: &RoomId) -> Alias {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    Alias(KEYS.hash_one(room))
}

/// See [`alias`]: 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias(u64);

impl Alias {
    /// The same as a number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What is written: the level for everything, the libraries' own, and what the variable says, each over those before
/// it. The level is spelled out because a filter's default holds only where nothing else is said. A directive that
/// cannot be read is left out.
fn filter(level: Level, variable: Option<&str>) -> Targets {
    let level = match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let all = [Some(level), Some(LIBRARIES), variable];
    let each = all.into_iter().flatten().flat_map(|some| some.split(',')).map(str::trim);
    let known = each.filter(|one| !one.is_empty() && one.parse::<Targets>().is_ok()).collect::<Vec<_>>();
    known.join(",").parse().expect("each of them can be read")
}

/// Whether a line of that target is one that could name nobody, whatever was asked for.
fn may_be_written(target: &str) -> bool {
    target.strip_prefix(NEVER).is_none_or(|rest| !rest.is_empty() && !rest.starts_with("::"))
}

/// Something that must not be logged: a display name, an address, an SDP. Its text forms hide it; only `reveal` shows
/// it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Hides `value` from every log.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for its purpose.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value, no longer hidden.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Redacted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Turns a flood into one line a second. A static beside the line it guards; any thread may ask.
///
/// ```
/// # use std::time::Instant;
/// # use tessera::io::telemetry::log::Limiter;
/// static UNKNOWN: Limiter = Limiter::new();
/// if let Some(times) = UNKNOWN.note(Instant::now()) {
///     tracing::warn!(times, "datagrams from unknown senders");
/// }
/// ```
#[derive(Debug, Default)]
pub struct Limiter {
    epoch: OnceLock<Instant>,
    /// Nanoseconds after `epoch` from which the next line may be written.
    due: AtomicU64,
    held: AtomicU64,
}

impl Limiter {
    /// A limiter that lets the first line through.
    #[must_use]
    pub const fn new() -> Self {
        Self { epoch: OnceLock::new(), due: AtomicU64::new(0), held: AtomicU64::new(0) }
    }

    /// Counts one occurrence at `now`. With `Some(n)` the caller writes a line that stands for `n` of them.
    pub fn note(&self, now: Instant) -> Option<u64> {
        self.held.fetch_add(1, Ordering::Relaxed);
        let epoch = *self.epoch.get_or_init(|| now);
        let at = nanos(now.saturating_duration_since(epoch));
        let due = self.due.load(Ordering::Relaxed);
        if at < due {
            return None;
        }
        // Of the threads that find a line due, the one that moves the time writes it.
        let next = at.saturating_add(nanos(limits::LOG_REPEAT_SPACING));
        self.due.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(self.held.swap(0, Ordering::Relaxed))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_draws_names_writes_nothing() {
        for (target, may) in [("cosmic_text", false), ("cosmic_text::shape", false), ("cosmic_texture", true)] {
            assert_eq!(may_be_written(target), may, "{target}");
        }
    }

    #[test]
    fn a_flood_is_told_once_a_second_with_its_count() {
        let limiter = Limiter::new();
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(limiter.note(at(0)), Some(1));
        assert!((1..1000).all(|millis| limiter.note(at(millis)).is_none()));
        assert_eq!(limiter.note(at(1000)), Some(1000));
        assert_eq!(limiter.note(at(1001)), None);
        assert_eq!(limiter.note(at(9000)), Some(2));
    }

    #[test]
    fn four_threads_at_one_instant_write_one_line_and_lose_no_count() {
        let limiter = Limiter::new();
        let now = Instant::now();
        let told: Vec<u64> = std::thread::scope(|scope| {
            let ask = || (0..1000).filter_map(|_| limiter.note(now)).collect::<Vec<_>>();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(told.len(), 1);
        let rest = limiter.note(now + limits::LOG_REPEAT_SPACING).unwrap();
        assert_eq!(told[0] + rest, 4001);
    }

    #[test]
    fn the_configured_level_holds_beside_the_libraries_and_the_variable_wins() {
        use tracing::Level as L;
        let levels =
            [(Level::Error, L::ERROR, L::WARN), (Level::Info, L::INFO, L::DEBUG), (Level::Debug, L::DEBUG, L::TRACE)];
        for (level, written, not) in levels {
            let filter = filter(level, None);
            assert!(filter.would_enable("tessera::app", &written) && !filter.would_enable("tessera::app", &not));
            assert!(!filter.would_enable("str0m::rtp", &L::WARN), "libraries say less");
        }
        let asked = filter(Level::Info, Some("debug,str0m=info,no such thing"));
        assert!(asked.would_enable("tessera::app", &L::DEBUG) && asked.would_enable("str0m::rtp", &L::INFO));
        assert!(!asked.would_enable("str0m::rtp", &L::DEBUG));
    }

    #[test]
    fn what_is_redacted_shows_in_no_text_form() {
        let name = Redacted::new("Ada Lovelace");
        assert_eq!(format!("{name} {name:?} {:#?}", Some(&name)).matches("Ada").count(), 0);
        assert_eq!(*name.reveal(), "Ada Lovelace");
    }
}
