//! **The question:** which numbers may a scraper read? A registry of families, rendered in Prometheus' text format
//! 0.0.4.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::engine::flow::Counter;
use crate::io::telemetry::threads::{ThreadClock, Usage};

/// The content type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a number does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only rises; its name ends in `_total`.
    Counter,
    /// It rises and falls.
    Gauge,
}

/// Names and values that tell the series of one family apart.
pub type Labels<'a> = &'a [(&'static str, &'a str)];

/// The numbers of this node; clones share them. Registering is rare and locks; counting never comes here.
#[derive(Clone, Default)]
pub struct Metrics {
    families: Arc<RwLock<Vec<Family>>>,
}

struct Family {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    series: Vec<Series>,
}

struct Series {
    labels: Vec<(&'static str, String)>,
    read: Box<dyn Fn(&mut Samples<'_>) + Send + Sync>,
}

/// Where a series writes what it reads.
pub struct Samples<'a> {
    name: &'static str,
    labels: &'a [(&'static str, String)],
    text: &'a mut String,
}

impl Samples<'_> {
    /// Writes one sample of the series.
    pub fn push(&mut self, value: f64) {
        self.push_with(&[], value);
    }

    /// Writes one sample with further labels.
    pub fn push_with(&mut self, more: Labels<'_>, value: f64) {
        self.text.push_str(self.name);
        let own = self.labels.iter().map(|(key, value)| (*key, value.as_str()));
        let mut open = '{';
        for (key, value) in own.chain(more.iter().copied()) {
            self.text.push(open);
            open = ',';
            self.text.push_str(key);
            self.text.push_str("=\"");
            escape(value, true, self.text);
            self.text.push('"');
        }
        self.text.push_str(if open == ',' { "} " } else { " " });
        number(value, self.text);
        self.text.push('\n');
    }
}

impl Metrics {
    /// A registry without families.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows `counter` as `name` with `labels`.
    pub fn counter(&self, name: &'static str, help: &'static str, labels: Labels<'_>, counter: &Counter) {
        let counter = counter.clone();
        self.series(name, help, Kind::Counter, labels, move |samples| samples.push(counter.get() as f64));
    }

    /// Shows what `read` returns at each scrape as `name` with `labels`.
    pub fn gauge(
        &self,
        name: &'static str,
        help: &'static str,
        labels: Labels<'_>,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.series(name, help, Kind::Gauge, labels, move |samples| samples.push(read()));
    }

    /// Shows every sample that `read` pushes at each scrape: a family whose further labels are known only then.
    ///
    /// # Panics
    /// When the name breaks the house's rule (`tessera_` first; `_total` last for counters and for them alone), or when
    /// one name is registered as two kinds: both are mistakes in the source, not in the world.
    pub fn series(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: Labels<'_>,
        read: impl Fn(&mut Samples<'_>) + Send + Sync + 'static,
    ) {
        assert!(well_named(name, kind), "{name}: metrics start with tessera_, counters alone end in _total");
        let labels = labels.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        let series = Series { labels, read: Box::new(read) };
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        let Some(family) = families.iter_mut().find(|family| family.name == name) else {
            families.push(Family { name, help, kind, series: vec![series] });
            return;
        };
        assert!(family.kind == kind, "{name} is registered as a counter and as a gauge");
        family.series.retain(|old| old.labels != series.labels);
        family.series.push(series);
    }

    /// Shows this process's processor seconds by thread group and its resident memory.
    pub fn process(&self) {
        let name = "tessera_processor_seconds_total";
        let clock = Mutex::new(ThreadClock::default());
        self.series(name, "Processor time by thread group", Kind::Counter, &[], move |samples| {
            let usage = clock.lock().unwrap_or_else(PoisonError::into_inner).read(std::process::id());
            // A scrape without the family is a gap; one with zeros would be a restart.
            for (group, seconds) in usage.iter().flat_map(|usage| usage.seconds.groups()) {
                samples.push_with(&[("thread", group)], seconds);
            }
        });
        self.gauge("tessera_resident_bytes", "Resident memory", &[], || {
            Usage::own().unwrap_or_default().resident_bytes as f64
        });
    }

    /// Forgets every series that carries this label: the room it told of has ended.
    pub fn forget(&self, label: &'static str, value: &str) {
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        for family in families.iter_mut() {
            family.series.retain(|series| !series.labels.iter().any(|(key, own)| *key == label && own == value));
        }
    }

    /// Every number as it stands now.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for family in self.families.read().unwrap_or_else(PoisonError::into_inner).iter() {
            family.render(&mut text);
        }
        // Answers that nobody reads are kept by the hundred, and a text that grew has up to twice its length.
        text.shrink_to_fit();
        text
    }
}

impl Family {
    fn render(&self, text: &mut String) {
        if self.series.is_empty() {
            return;
        }
        text.push_str("# HELP ");
        text.push_str(self.name);
        text.push(' ');
        escape(self.help, false, text);
        let kind = match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        writeln!(text, "\n# TYPE {} {kind}", self.name).expect("writing to a String cannot fail");
        for series in &self.series {
            (series.read)(&mut Samples { name: self.name, labels: &series.labels, text });
        }
    }
}

fn well_named(name: &str, kind: Kind) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    plain && name.starts_with("tessera_") && name.ends_with("_total") == (kind == Kind::Counter)
}

/// The format's escapes: `\\` and `\n` everywhere, `\"` in label values.
fn escape(value: &str, quoted: bool, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '"' if quoted => text.push_str("\\\""),
            other => text.push(other),
        }
    }
}

/// The format's spelling of a float; whole numbers without a point.
fn number(value: f64, text: &mut String) {
    let written = if value.is_nan() {
        text.write_str("NaN")
    } else if value.is_infinite() {
        text.write_str(if value > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        write!(text, "{value}")
    };
    written.expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scrape_shows_families_with_escaped_labels_and_current_values() {
        let metrics = Metrics::new();
        let skipped = Counter::default();
        metrics.counter("tessera_ticks_skipped_total", "Ticks\nwithout a frame", &[("room", "a\"b\\c")], &skipped);
        metrics.gauge("tessera_rooms", "Rooms now", &[], || 2.5);
        metrics.gauge("tessera_odd", "Never a number", &[], || f64::NAN);
        skipped.add(7);
        let expected = "# HELP tessera_ticks_skipped_total Ticks\\nwithout a frame\n\
            # TYPE tessera_ticks_skipped_total counter\n\
            tessera_ticks_skipped_total{room=\"a\\\"b\\\\c\"} 7\n\
            # HELP tessera_rooms Rooms now\n# TYPE tessera_rooms gauge\ntessera_rooms 2.5\n\
            # HELP tessera_odd Never a number\n# TYPE tessera_odd gauge\ntessera_odd NaN\n";
        assert_eq!(metrics.render(), expected);
    }

    #[test]
    fn a_room_that_ended_is_forgotten_and_one_that_returns_is_not_doubled() {
        let metrics = Metrics::new();
        let (old, new) = (Counter::default(), Counter::default());
        old.add(1);
        new.add(2);
        for counter in [&old, &new] {
            metrics.counter("tessera_ticks_total", "Ticks", &[("room", "a")], counter);
        }
        metrics.counter("tessera_ticks_total", "Ticks", &[("room", "b")], &old);
        let text = metrics.render();
        assert!(text.contains("{room=\"a\"} 2\n") && !text.contains("{room=\"a\"} 1\n"), "{text}");
        metrics.forget("room", "a");
        metrics.forget("room", "b");
        assert_eq!(metrics.render(), "");
    }

    #[test]
    fn the_process_tells_of_itself() {
        let metrics = Metrics::new();
        metrics.process();
        let text = metrics.render();
        assert!(text.contains("tessera_processor_seconds_total{thread=\"decode\"} "), "{text}");
        assert!(text.contains("\ntessera_resident_bytes "), "{text}");
    }

    #[test]
    fn a_badly_named_metric_is_a_bug() {
        assert!(well_named("tessera_rooms", Kind::Gauge));
        assert!(!well_named("rooms", Kind::Gauge));
        assert!(!well_named("tessera_ticks", Kind::Counter));
        assert!(!well_named("tessera_ticks_total", Kind::Gauge));
        assert!(!well_named("tessera_Ticks_total", Kind::Counter));
    }
}
