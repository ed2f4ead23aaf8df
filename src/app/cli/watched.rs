//! **The question:** what did a node, and the simulated people beside it, use of the machine while it was measured?

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::app::node::Node;
use crate::io::telemetry::threads::{ByThread, Usage};

/// One look at both processes.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    node: Usage,
    load: Usage,
    ticks: u64,
    ticks_skipped: u64,
}

/// What both used while the room lived.
#[derive(Debug, Default)]
pub(super) struct Watched {
    looks: Vec<Look>,
    resident_mib_max: (f64, f64),
}

/// What was used in the measured span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct CoreFigures {
    /// Cores of the node.
    pub node: f64,
    /// Cores of the simulated people.
    pub load: f64,
    /// The node's, by what its threads do.
    pub by_thread: ByThread,
}

/// Memory at its highest, MiB.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct MemoryFigures {
    /// Of the node.
    pub node: f64,
    /// Of the simulated people.
    pub load: f64,
}

impl Watched {
    /// Looks at this process, which is the node, and at the load's.
    pub fn look(&mut self, now: Instant, node: &Node, load: u32) {
        // The load process may just have ended.
        let (Ok(own), Ok(load)) = (Usage::own(), Usage::of(load)) else { return };
        let (node_mib, load_mib) = self.resident_mib_max;
        self.resident_mib_max = (node_mib.max(own.resident_mib()), load_mib.max(load.resident_mib()));
        let counters = node.counters();
        let (ticks, ticks_skipped) = (counters.ticks.get(), counters.ticks_skipped.get());
        let look = Look { at: now, node: own, load, ticks, ticks_skipped };
        // Threads that ended take their time with them: the last look is the last one at a whole room.
        if self.looks.last().is_none_or(|before| look.node.seconds.encode >= before.node.seconds.encode) {
            self.looks.push(look);
        }
    }

    /// The first and the last look from `begin` on for `span`, or at all if there were none in it.
    fn ends(&self, begin: Instant, span: Duration) -> Option<(Look, Look)> {
        let is_within = |look: &&Look| look.at >= begin && look.at <= begin + span;
        let mut within = self.looks.iter().filter(is_within);
        let ends = within.next().zip(within.next_back());
        ends.or_else(|| self.looks.first().zip(self.looks.last())).map(|(first, last)| (*first, *last))
    }

    /// The cores used from `begin` on for `span`.
    pub fn cores(&self, begin: Instant, span: Duration) -> CoreFigures {
        let Some((first, last)) = self.ends(begin, span) else { return CoreFigures::default() };
        let span_s = (last.at - first.at).as_secs_f64().max(0.001);
        let by_thread = last.node.seconds.cores_since(&first.node.seconds, span_s);
        let load = last.load.seconds.cores_since(&first.load.seconds, span_s).total();
        CoreFigures { node: by_thread.total(), load, by_thread }
    }

    /// Ticks that were due from `begin` on for `span`, and how many of them were skipped.
    pub fn ticks(&self, begin: Instant, span: Duration) -> (u64, u64) {
        let ends = self.ends(begin, span);
        ends.map_or((0, 0), |(first, last)| (last.ticks - first.ticks, last.ticks_skipped - first.ticks_skipped))
    }

    /// Memory at its highest.
    pub fn memory(&self) -> MemoryFigures {
        let (node, load) = self.resident_mib_max;
        MemoryFigures { node, load }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_and_after_the_measured_span_does_not_count() {
        let start = Instant::now();
        let look = |second: u64| {
            // A core and a half skipped ticks while all join, half a core and none from the tenth second on.
            let busy = second.min(10) as f64 + second.saturating_sub(10) as f64 / 2.0;
            let usage = Usage { seconds: ByThread { encode: busy, ..ByThread::default() }, resident_bytes: 0 };
            let at = start + Duration::from_secs(second);
            Look { at, node: usage, load: usage, ticks: second * 30, ticks_skipped: second.min(10) * 3 }
        };
        let watched = Watched { looks: (0..=20).map(look).collect(), ..Watched::default() };
        let (begin, span) = (start + Duration::from_secs(10), Duration::from_secs(8));
        let cores = watched.cores(begin, span);
        assert!((cores.node - 0.5).abs() < 1e-9 && (cores.by_thread.encode - 0.5).abs() < 1e-9, "{cores:?}");
        assert_eq!(watched.ticks(begin, span), (240, 0));
        let (ticks, skipped) = watched.ticks(start + Duration::from_secs(60), span);
        assert_eq!((ticks, skipped), (600, 30), "a span without a look: the whole life");
        assert_eq!(Watched::default().ticks(begin, span), (0, 0));
    }
}
