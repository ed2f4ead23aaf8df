//! **The question:** when does a datagram come out of a bad link, if it does? A seeded link of one person's: loss,
//! delay, jitter, and a rate behind a bounded queue, each way for itself, and other ones later on. Pure.

use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::base::limits;

/// What one way of a link does to datagrams.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Way {
    /// Share that is lost, 0 to 1.
    loss: f64,
    delay: Duration,
    /// The delay is so much shorter or longer, drawn for each datagram: they overtake each other.
    jitter: Duration,
    /// Bits a second; `None`: any number.
    rate: Option<u64>,
    /// How long a datagram may wait for its turn; what would wait longer is lost.
    queue: Duration,
}

/// Both ways from a moment on: up is to the node, down from it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stage {
    from: Duration,
    up: Way,
    down: Way,
}

/// A link, as typed: what it does first, and what it does later on.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkPlan {
    stages: Vec<Stage>,
}

/// One stage as typed: `10s:loss=5%,down-rate=300k`; without a time it holds from the start.
#[derive(Debug, Clone, PartialEq)]
pub struct StagePlan {
    from: Duration,
    changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    up: bool,
    down: bool,
    what: Quality,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Quality {
    Loss(f64),
    Delay(Duration),
    Jitter(Duration),
    Rate(Option<u64>),
    Queue(Duration),
}

/// What came of one way's datagrams so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WayCounts {
    /// Given to it.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost because the queue was full.
    pub overflowed: u64,
    /// The longest that one waited for its turn.
    pub queue_max: Duration,
    /// For how long what came had to wait for more than [`limits::LOAD_QUEUE_LONG`].
    pub queue_long: Duration,
}

/// One way of one person's link.
#[derive(Debug)]
pub(super) struct Carrier {
    random: StdRng,
    /// Bits that wait for their turn, and when that was so.
    backlog: f64,
    at: Option<Instant>,
    /// What is counted.
    pub counts: WayCounts,
}

impl Way {
    const CLEAR: Self =
        Self { loss: 0.0, delay: Duration::ZERO, jitter: Duration::ZERO, rate: None, queue: limits::LOAD_QUEUE_SPAN };

    fn take(&mut self, what: Quality) {
        match what {
            Quality::Loss(loss) => self.loss = loss,
            Quality::Delay(delay) => self.delay = delay,
            Quality::Jitter(jitter) => self.jitter = jitter,
            Quality::Rate(rate) => self.rate = rate,
            Quality::Queue(queue) => self.queue = queue,
        }
    }
}

impl LinkPlan {
    /// These stages in the order of their times; what one does not name stays as it was.
    #[must_use]
    pub fn new(mut plans: Vec<StagePlan>) -> Option<Self> {
        plans.sort_by_key(|plan| plan.from);
        let (mut up, mut down) = (Way::CLEAR, Way::CLEAR);
        let mut stages = Vec::new();
        for plan in &plans {
            for change in &plan.changes {
                if change.up {
                    up.take(change.what);
                }
                if change.down {
                    down.take(change.what);
                }
            }
            stages.push(Stage { from: plan.from, up, down });
        }
        (!stages.is_empty()).then_some(Self { stages })
    }

    /// The way to the node (`up`) or from it, once so much was measured.
    fn way(&self, measured: Duration, up: bool) -> Way {
        let stage = self.stages.iter().rev().find(|stage| stage.from <= measured);
        stage.map_or(Way::CLEAR, |stage| if up { stage.up } else { stage.down })
    }
}

impl FromStr for StagePlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, list) = match text.split_once(':') {
            Some((from, list)) => (span(from)?, list),
            None => (Duration::ZERO, text),
        };
        let changes = list.split(',').map(change).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { from, changes })
    }
}

fn change(word: &str) -> Result<Change, String> {
    let wrong = || format!("'{word}' is nothing of a link; give such as loss=5%, delay=50ms, up-rate=300k");
    let (key, value) = word.split_once('=').ok_or_else(wrong)?;
    let (up, down, key) = match (key.strip_prefix("up-"), key.strip_prefix("down-")) {
        (Some(key), _) => (true, false, key),
        (_, Some(key)) => (false, true, key),
        _ => (true, true, key),
    };
    let what = match key {
        "loss" => Quality::Loss(share(value).ok_or_else(wrong)?),
        "delay" => Quality::Delay(span(value)?),
        "jitter" => Quality::Jitter(span(value)?),
        "rate" if value == "none" => Quality::Rate(None),
        "rate" => Quality::Rate(Some(rate(value).ok_or_else(wrong)?)),
        "queue" => Quality::Queue(span(value)?),
        _ => return Err(wrong()),
    };
    Ok(Change { up, down, what })
}

/// `5%`.
fn share(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// `300k`, `3M`, with or without `bps`.
fn rate(text: &str) -> Option<u64> {
    let text = text.strip_suffix("bps").unwrap_or(text);
    let (number, unit) = match (text.strip_suffix('k'), text.strip_suffix('M')) {
        (Some(number), _) => (number, 1_000),
        (_, Some(number)) => (number, 1_000_000),
        _ => (text, 1),
    };
    let bits = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (limits::LOAD_RATE_MIN..=limits::LOAD_RATE_MAX).contains(&bits).then_some(bits)
}

/// `50ms`, `3s`.
fn span(text: &str) -> Result<Duration, String> {
    let (number, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 1_000),
        _ => ("", 0),
    };
    let span = number.parse::<u64>().ok().and_then(|count| count.checked_mul(unit_ms)).map(Duration::from_millis);
    let told = || format!("'{text}' is no span of time here; give such as 50ms or 3s, up to 24h");
    span.filter(|span| *span <= limits::LOAD_STAGE_MAX).ok_or_else(told)
}

impl Carrier {
    /// The same `seed`, the same fate of each datagram.
    pub fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), backlog: 0.0, at: None, counts: WayCounts::default() }
    }

    /// A datagram of so many bytes comes, of a link that was measured for so long; when it comes out, if it does.
    pub fn carry(
        &mut self,
        now: Instant,
        len: usize,
        (plan, up): (&LinkPlan, bool),
        measured: Duration,
    ) -> Option<Instant> {
        let way = plan.way(measured, up);
        self.counts.sent += 1;
        // Drawn whatever comes of it, so that one datagram's fate does not hang on how many waited before.
        let (fate, part) = (self.random.random_range(0.0..1.0), self.random.random_range(-1.0..1.0));
        let passed = now.saturating_duration_since(self.at.replace(now).unwrap_or(now));
        let waits = self.queued(passed, way.rate);
        if waits > limits::LOAD_QUEUE_LONG {
            self.counts.queue_long += passed;
        }
        if fate < way.loss {
            self.counts.lost += 1;
            return None;
        }
        if waits > way.queue {
            self.counts.overflowed += 1;
            return None;
        }
        let bits = len as f64 * 8.0;
        let turn = way.rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits / rate as f64));
        if way.rate.is_some() {
            self.backlog += bits;
        }
        self.counts.queue_max = self.counts.queue_max.max(waits);
        let jitter = way.jitter.mul_f64(f64::abs(part));
        let delay = if part < 0.0 { way.delay.saturating_sub(jitter) } else { way.delay + jitter };
        Some(now + waits + turn + delay)
    }

    /// How long a datagram that comes now waits for its turn.
    fn queued(&mut self, passed: Duration, rate: Option<u64>) -> Duration {
        let Some(rate) = rate else {
            self.backlog = 0.0;
            return Duration::ZERO;
        };
        self.backlog = (self.backlog - passed.as_secs_f64() * rate as f64).max(0.0);
        Duration::from_secs_f64(self.backlog / rate as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(stages: &[&str]) -> LinkPlan {
        LinkPlan::new(stages.iter().map(|stage| stage.parse().unwrap()).collect()).unwrap()
    }

    /// What comes of so many datagrams of 1,000 bytes, one each `spacing_ms`: how late each is, in milliseconds.
    fn send(carrier: &mut Carrier, plan: &LinkPlan, count: u32, spacing_ms: u64) -> Vec<Option<u64>> {
        let start = Instant::now();
        let carry = |at: u32| {
            let measured = Duration::from_millis(spacing_ms) * at;
            let out = carrier.carry(start + measured, 1_000, (plan, false), measured)?;
            u64::try_from((out - (start + measured)).as_millis()).ok()
        };
        (0..count).map(carry).collect()
    }

    #[test]
    fn loss_and_jitter_are_as_typed_and_the_same_again_by_the_same_seed() {
        let bad = plan(&["loss=10%,delay=50ms,jitter=20ms"]);
        let first = send(&mut Carrier::new(7), &bad, 10_000, 1);
        assert_eq!(first, send(&mut Carrier::new(7), &bad, 10_000, 1));
        assert_ne!(first, send(&mut Carrier::new(8), &bad, 10_000, 1));
        let late: Vec<u64> = first.iter().copied().flatten().collect();
        assert!((8_800..9_200).contains(&late.len()), "{}", late.len());
        assert!(late.iter().all(|ms| (30..=70).contains(ms)) && late.contains(&31) && late.contains(&69));
    }

    #[test]
    fn a_rate_makes_a_queue_that_is_bounded_and_drains_once_the_rate_is_back() {
        let narrow = plan(&["rate=8M", "1s:down-rate=800k,queue=500ms", "2s:down-rate=8M"]);
        let mut carrier = Carrier::new(1);
        // 1.6 Mb/s.
        let late = send(&mut carrier, &narrow, 600, 5);
        assert!(late[..200].iter().all(|ms| *ms == Some(1)), "{late:?}");
        assert!(late[210].is_some_and(|ms| (50..=70).contains(&ms)), "{:?}", late[210]);
        let lost = late[200..400].iter().filter(|ms| ms.is_none()).count();
        assert!((40..60).contains(&lost), "{lost}: half, once the queue is full");
        assert!(late[415..].iter().all(|ms| *ms == Some(1)), "{:?}", &late[400..]);
        let counts = carrier.counts;
        assert_eq!((counts.sent, counts.lost, counts.overflowed), (600, 0, lost as u64));
        assert!(counts.queue_max <= Duration::from_millis(500), "{counts:?}");
    }

    #[test]
    fn each_way_is_for_itself_and_what_is_not_named_stays() {
        let one = plan(&["3s:loss=100%", "loss=2%,up-delay=9ms", "6s:down-loss=0%"]);
        let at = |seconds, up| one.way(Duration::from_secs(seconds), up);
        assert_eq!((at(0, true).delay, at(0, false).delay), (Duration::from_millis(9), Duration::ZERO));
        assert_eq!([0, 3, 5, 6].map(|seconds| at(seconds, false).loss), [0.02, 1.0, 1.0, 0.0]);
        assert_eq!((at(6, true).loss, at(6, true).delay), (1.0, Duration::from_millis(9)));
    }

    #[test]
    fn what_is_nothing_of_a_link_is_told() {
        for wrong in ["", "loss", "loss=5", "loss=101%", "delay=5", "rate=9k9", "rate=1", "x:loss=5%", "up-=1", "a=b"] {
            assert!(wrong.parse::<StagePlan>().is_err(), "{wrong}");
        }
        assert_eq!("rate=300kbps".parse::<StagePlan>(), "rate=300k".parse());
        assert_eq!("0s:rate=none".parse::<StagePlan>(), "rate=none".parse());
        assert_eq!(LinkPlan::new(Vec::new()), None);
    }
}
