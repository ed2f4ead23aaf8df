//! **The question:** what of a node is drawn in its console? Each second the counters are looked at, and what happened
//! since the look before is one point.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::MissedTickBehavior;

use crate::app::workers::counters::Counts;
use crate::base::limits;
use crate::io::telemetry::history::{Chart, History};
use crate::io::telemetry::panics::Panics;
use crate::io::telemetry::threads::{ThreadClock, Usage};

/// As `points` gives them, in this order.
const CHARTS: &[Chart] = &[
    Chart { name: "Ticks left out", unit: "%", lines: &["picture", "sound"] },
    Chart {
        name: "Processor",
        unit: "cores",
        lines: &["net", "decode", "mix", "compose", "encode", "package", "other"],
    },
    Chart { name: "Memory", unit: "MiB", lines: &["resident"] },
    Chart { name: "Packets", unit: "1/s", lines: &["in", "out"] },
    Chart { name: "Pictures", unit: "1/s", lines: &["decoded", "encoded", "sent"] },
    Chart { name: "Lost on the way in", unit: "1/s", lines: &["gaps in pictures", "sounds restored"] },
    Chart { name: "Sound made up", unit: "ms/s", lines: &["concealed", "stretched"] },
    Chart { name: "Lip-sync", unit: "ms", lines: &["skew, mean"] },
    Chart {
        name: "Lost at seams",
        unit: "1/s",
        lines: &[
            "peer to decoder",
            "decoder to tick",
            "peer to mixer",
            "encoder to viewer",
            "events",
            "commands",
            "messages",
        ],
    },
    Chart { name: "Viewers by rung", unit: "", lines: &["full", "half", "quarter"] },
    Chart { name: "HTTP connections", unit: "", lines: &["standing"] },
];

/// What the counters said at one moment.
struct Look {
    at: Instant,
    usage: Usage,
    counts: [u64; COUNTED],
}

const COUNTED: usize = 23;

/// Counts, in the order in which `points` takes them.
fn counted(counts: &Counts) -> [u64; COUNTED] {
    let Counts { node, net, sound, .. } = counts;
    [
        &node.ticks_skipped,
        &node.ticks,
        &node.audio_ticks_skipped,
        &node.audio_ticks,
        &net.datagrams_in,
        &net.datagrams_out,
        &node.frames_decoded,
        &node.frames_encoded,
        &net.frames_out,
        &net.gaps_skipped,
        &net.sounds_restored,
        &sound.pcm_concealed,
        &sound.pcm_stretched,
        &node.lip_sync.skew_us,
        &node.lip_sync.pictures,
        &node.ingest_discarded,
        &node.frames_superseded,
        &node.opus_discarded,
        &node.reader_lagged,
        &node.events_refused,
        &net.events_refused,
        &node.commands_refused,
        &net.signals_discarded,
    ]
    .map(crate::engine::flow::Counter::get)
}

/// One point: what happened between two looks, and how it stands.
fn points(before: &Look, now: &Look, counts: &Counts) -> Vec<f64> {
    let seconds = (now.at - before.at).as_secs_f64().max(0.001);
    let since = |n: usize| now.counts[n].saturating_sub(before.counts[n]) as f64;
    let rate = |n: usize| since(n) / seconds;
    // Those skipped may have been due before the others were counted.
    let share = |part: usize, of: usize| 100.0 * since(part) / since(of).max(since(part)).max(1.0);
    // Pairs of samples at 48 kHz.
    let spoken_ms = |n: usize| rate(n) * 1000.0 / f64::from(limits::SAMPLE_RATE);
    let cores = now.usage.seconds.cores_since(&before.usage.seconds, seconds);
    let mut of = vec![share(0, 1), share(2, 3)];
    of.extend([cores.net, cores.decode, cores.mix, cores.compose, cores.encode, cores.package, cores.other]);
    of.push(now.usage.resident_mib());
    of.extend((4..=10).map(rate));
    of.extend([spoken_ms(11), spoken_ms(12)]);
    of.push(since(13) / 1000.0 / since(14).max(1.0));
    of.extend((15..=18).map(rate));
    of.extend([rate(19) + rate(20), rate(21), rate(22)]);
    of.extend(counts.node.rung_viewers.iter().map(|level| level.get() as f64));
    of.push(counts.http.connections.get() as f64);
    of
}

/// The history of a node's charts, which gets a point a second as long as `runtime` lives.
pub(super) fn begin(runtime: &Runtime, counts: &Counts, panics: &Panics) -> Arc<History> {
    let history = Arc::new(History::new(CHARTS));
    runtime.spawn(watch(history.clone(), counts.clone(), panics.clone()));
    history
}

async fn watch(history: Arc<History>, counts: Counts, panics: Panics) {
    let mut clock = ThreadClock::default();
    let mut look = move |counts: &Counts| {
        let usage = clock.read(std::process::id()).ok()?;
        Some(Look { at: Instant::now(), usage, counts: counted(counts) })
    };
    let mut turns = tokio::time::interval(limits::HISTORY_SPACING);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Look> = None;
    loop {
        turns.tick().await;
        let mut now = None;
        panics.minor("history", || now = look(&counts));
        if let (Some(before), Some(now)) = (&before, &now)
            && now.at - before.at > Duration::ZERO
        {
            history.push(&points(before, now, &counts));
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_says_what_happened_since_the_look_before() {
        let counts = Counts::default();
        let look = |at| Look { at, usage: Usage::default(), counts: counted(&counts) };
        let start = Instant::now();
        let before = look(start);
        counts.node.ticks.add(60);
        counts.node.ticks_skipped.add(15);
        counts.net.datagrams_in.add(500);
        counts.node.lip_sync.note(Some(-12_000_000));
        counts.net.events_refused.add(2);
        counts.sound.pcm_concealed.add(u64::from(limits::SAMPLE_RATE) / 100);
        counts.node.rung_viewers[2].set(3);
        let now = Look {
            usage: Usage { resident_bytes: 2 << 20, ..Usage::default() },
            ..look(start + Duration::from_secs(2))
        };
        let history = History::new(CHARTS);
        let point = points(&before, &now, &counts);
        let lines: usize = CHARTS.iter().map(|chart| chart.lines.len()).sum();
        assert_eq!(point.len(), lines, "a value for each line");
        history.push(&point);
        let told = history.since(0);
        let value = |chart: &str, line: &str| {
            let of = told.charts.iter().find(|told| told.name == chart).unwrap();
            of.lines.iter().find(|told| told.name == line).unwrap().values[0]
        };
        assert_eq!((value("Ticks left out", "picture"), value("Packets", "in")), (25.0, 250.0));
        assert_eq!((value("Lip-sync", "skew, mean"), value("Lost at seams", "events")), (12.0, 1.0));
        assert_eq!((value("Sound made up", "concealed"), value("Memory", "resident")), (5.0, 2.0));
        assert_eq!(value("Viewers by rung", "quarter"), 3.0);
    }
}
