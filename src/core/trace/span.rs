//! **The question:** what is followed, from when until when, and which of it is the other's part?

use std::time::Instant;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::trace::context::TraceStart;
use crate::core::trace::ids::{SpanId, TraceId};

/// Random numbers from which a trace's ids are made.
#[derive(Debug, Clone, Copy)]
pub struct TraceSeed {
    /// The trace's own, where the request names none.
    pub trace: u128,
    /// Of its spans.
    pub spans: u64,
}

/// What a span says of itself: a number, a switch, a word of this program's, or what a room is called in its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceValue {
    /// How many.
    Number(u64),
    /// Whether.
    Flag(bool),
    /// A word that stands in the source.
    Word(&'static str),
    /// The alias of a room: 16 hexadecimal digits, another one in each process.
    Alias(u64),
}

/// Something that took its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Of which trace.
    pub trace: TraceId,
    /// Which.
    pub id: SpanId,
    /// Of which span it is a part.
    pub parent: Option<SpanId>,
    /// What.
    pub name: &'static str,
    /// Whether it answers a request.
    pub is_answer: bool,
    /// When it began.
    pub from: Wallclock,
    /// When it was over.
    pub to: Wallclock,
    /// Why it failed, if it did.
    pub failed: Option<&'static str>,
    /// What it says of itself.
    pub values: Vec<(&'static str, TraceValue)>,
}

/// One join or recording, phase after phase.
#[derive(Debug)]
pub struct Trace {
    root: Span,
    began: Instant,
    phase: Option<Phase>,
    done: Vec<Span>,
    seed: u64,
}

#[derive(Debug)]
struct Phase {
    name: &'static str,
    from: Instant,
    values: Vec<(&'static str, TraceValue)>,
}

impl Trace {
    /// `name` began at `start`, and it is `now`, by both clocks. `None` where whoever asks does not keep the trace.
    #[must_use]
    pub fn begin(name: &'static str, start: &TraceStart, now: (Instant, Wallclock), seed: TraceSeed) -> Option<Self> {
        if start.parent.is_some_and(|parent| !parent.sampled) {
            return None;
        }
        let own = TraceId(seed.trace.max(1));
        let (trace, parent) = start.parent.map_or((own, None), |parent| (parent.trace, Some(parent.span)));
        let since = now.0.saturating_duration_since(start.at);
        let from = Wallclock(now.1.0.saturating_sub(since.as_nanos() as u64));
        let mut trace = Self {
            root: Span {
                trace,
                id: SpanId(1),
                parent,
                name,
                is_answer: true,
                from,
                to: from,
                failed: None,
                values: Vec::new(),
            },
            began: now.0.checked_sub(since).unwrap_or(now.0),
            phase: None,
            done: Vec::new(),
            seed: seed.spans,
        };
        trace.root.id = trace.next_id();
        Some(trace)
    }

    /// The whole says so of itself.
    pub fn says(&mut self, key: &'static str, value: TraceValue) {
        self.root.values.push((key, value));
    }

    /// The phase that runs, if one does, is over, and the next begins.
    pub fn enter(&mut self, now: Instant, name: &'static str) {
        if self.done.len() + 1 >= limits::TRACE_PHASES_MAX {
            return;
        }
        self.leave(now, None);
        self.phase = Some(Phase { name, from: now, values: Vec::new() });
    }

    /// The phase that runs says so of itself.
    pub fn phase_says(&mut self, key: &'static str, value: TraceValue) {
        if let Some(phase) = &mut self.phase {
            phase.values.push((key, value));
        }
    }

    /// The phase that runs is over, and none begins.
    pub fn leave(&mut self, now: Instant, failed: Option<&'static str>) {
        let Some(Phase { name, from, values }) = self.phase.take() else { return };
        let id = self.next_id();
        let (trace, parent) = (self.root.trace, Some(self.root.id));
        let (from, to) = (self.at(from), self.at(now));
        self.done.push(Span { trace, id, parent, name, is_answer: false, from, to, failed, values });
    }

    /// The phase that runs came to nothing, and is not told.
    pub fn forget_phase(&mut self) {
        self.phase = None;
    }

    /// Which phase runs.
    #[must_use]
    pub fn phase(&self) -> Option<&'static str> {
        self.phase.as_ref().map(|phase| phase.name)
    }

    /// When it began.
    #[must_use]
    pub const fn began(&self) -> Instant {
        self.began
    }

    /// It is over; all its spans, the whole last.
    #[must_use]
    pub fn end(mut self, now: Instant, failed: Option<&'static str>) -> Vec<Span> {
        self.leave(now, failed);
        self.root.to = self.at(now);
        self.root.failed = failed;
        self.done.push(self.root);
        self.done
    }

    /// The same clock throughout, whatever becomes of the system's.
    fn at(&self, instant: Instant) -> Wallclock {
        let since = instant.saturating_duration_since(self.began);
        Wallclock(self.root.from.0.saturating_add(since.as_nanos() as u64))
    }

    fn next_id(&mut self) -> SpanId {
        // The first is random, and they need only differ.
        self.seed = self.seed.wrapping_add(1).max(1);
        SpanId(self.seed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::core::trace::context::TraceParent;

    const SEED: TraceSeed = TraceSeed { trace: 7, spans: 9 };

    #[test]
    fn phases_lie_one_after_the_other_within_the_whole() {
        let now = Instant::now();
        let later = |ms: u64| now + Duration::from_millis(ms);
        let start = TraceStart { at: now, parent: None };
        let clock = Wallclock(1_000_000_000);
        let mut trace = Trace::begin("join", &start, (later(2), clock), SEED).unwrap();
        trace.enter(later(2), "offer");
        trace.enter(later(5), "connect");
        trace.phase_says("tries", TraceValue::Number(3));
        trace.leave(later(30), None);
        let spans = trace.end(later(40), Some("late"));
        let ms = |span: &Span| (span.from.0 / 1_000_000, span.to.0 / 1_000_000);
        let told: Vec<_> = spans.iter().map(|span| (span.name, ms(span))).collect();
        assert_eq!(told, [("offer", (1000, 1003)), ("connect", (1003, 1028)), ("join", (998, 1038))]);
        let root = spans.last().unwrap();
        assert!(spans[..2].iter().all(|span| span.parent == Some(root.id) && span.trace == root.trace));
        assert_eq!((root.parent, root.failed, spans[1].failed), (None, Some("late"), None));
        assert_eq!(spans.iter().map(|span| span.id.0).collect::<BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn whoever_asks_says_which_trace_and_whether_it_is_kept() {
        let now = Instant::now();
        let asks = |flags: &str| {
            let parent = TraceParent::parse(&format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"));
            Trace::begin("join", &TraceStart { at: now, parent }, (now, Wallclock(0)), SEED)
        };
        assert!(asks("00").is_none());
        let spans = asks("01").unwrap().end(now, None);
        assert_eq!(spans[0].trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(spans[0].parent.unwrap().to_string(), "00f067aa0ba902b7");
    }

    #[test]
    fn there_are_no_more_phases_than_that() {
        let now = Instant::now();
        let start = TraceStart { at: now, parent: None };
        let mut trace = Trace::begin("recording", &start, (now, Wallclock(0)), SEED).unwrap();
        (0..1000).for_each(|_| trace.enter(now, "segment"));
        assert!(trace.end(now, None).len() <= limits::TRACE_PHASES_MAX + 1);
    }
}
