//! **The question:** which spans wait, and when are they sent?

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::Rng as _;
use reqwest::{Client, StatusCode, header};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::base::limits;
use crate::core::backoff::Backoff;
use crate::core::trace::{Span, TraceSeed, body};
use crate::engine::flow::Counter;
use crate::io::egress::{Trouble, client, retry_after};

/// What is counted of traces; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct TraceCounters {
    /// Spans that the collector took.
    pub sent: Counter,
    /// Spans that it never saw: too many waited, it refused them, or the node ended.
    pub dropped: Counter,
    /// Joins and recordings that were not followed, for too many were already.
    pub unfollowed: Counter,
    /// Requests that failed.
    pub failures: Counter,
}

/// Hands spans on to a collector; clones are the same. Without one it does nothing.
#[derive(Clone, Default)]
pub struct Tracer(Option<Arc<Inner>>);

struct Inner {
    spans: mpsc::Sender<Vec<Span>>,
    counters: TraceCounters,
    closing: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What came of a request.
enum Sent {
    Taken,
    /// The same again later; how long the collector wants to wait at least.
    Later(String, Option<Duration>),
    /// It would never take this.
    Never(String),
}

impl Tracer {
    /// Begins the task that sends to `<collector>/v1/traces`; without one, nothing.
    #[must_use]
    pub fn start(collector: Option<&str>, runtime: &Handle, counters: TraceCounters) -> Self {
        let Some(collector) = collector else { return Self(None) };
        let (closing, closes) = watch::channel(false);
        let (spans, heard) = mpsc::channel(limits::TRACE_QUEUE_LEN);
        let url = format!("{}/v1/traces", collector.trim_end_matches('/'));
        let (instance, seed) = (rand::rng().random(), rand::rng().random());
        let backoff = Backoff::new(limits::TRACE_PAUSE_FIRST, limits::TRACE_PAUSE_MOST, seed);
        let (of_task, held) = (counters.clone(), VecDeque::new());
        let task = Sending { url, instance, held, backoff, counters: of_task, is_failing: false };
        let task = Mutex::new(Some(runtime.spawn(task.run(heard, closes))));
        Self(Some(Arc::new(Inner { spans, counters, closing, task })))
    }

    /// Whether anybody wants spans.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Numbers for a new trace.
    #[must_use]
    pub fn seed(&self) -> TraceSeed {
        TraceSeed { trace: rand::rng().random(), spans: rand::rng().random() }
    }

    /// Hands spans over. Never waits.
    pub fn send(&self, spans: Vec<Span>) {
        let Some(inner) = &self.0 else { return };
        if let Err(error) = inner.spans.try_send(spans) {
            let (mpsc::error::TrySendError::Full(spans) | mpsc::error::TrySendError::Closed(spans)) = error;
            inner.counters.dropped.add(spans.len() as u64);
        }
    }

    /// Something was not followed.
    pub fn leave_out(&self) {
        if let Some(inner) = &self.0 {
            inner.counters.unfollowed.add(1);
        }
    }

    /// The node ends: what waits is sent once more, within `limits::TRACE_FLUSH_SPAN`.
    pub fn end(&self, runtime: &Runtime) {
        let Some(inner) = &self.0 else { return };
        inner.closing.send_replace(true);
        let task = inner.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = runtime.block_on(async { timeout(limits::TRACE_FLUSH_SPAN * 2, task).await });
        }
    }
}

/// What the task wakes for.
enum Woken {
    Closes,
    Due,
    Heard(Vec<Span>),
}

/// The task.
struct Sending {
    url: String,
    instance: u64,
    held: VecDeque<Span>,
    backoff: Backoff,
    counters: TraceCounters,
    is_failing: bool,
}

impl Sending {
    async fn run(mut self, mut heard: mpsc::Receiver<Vec<Span>>, mut closes: watch::Receiver<bool>) {
        // To read the system's certificates takes a while. The collector is whom the configuration names, wherever that
        // is.
        let made = tokio::task::spawn_blocking(|| client(true, limits::TRACE_CALL_SPAN)).await;
        let client = match made.map_err(|error| error.to_string()).flatten() {
            Ok(client) => client,
            Err(why) => return tracing::error!(why, "there is no HTTP client for traces: nothing is sent"),
        };
        let mut due: Option<Instant> = None;
        loop {
            let woken = tokio::select! {
                biased;
                _ = closes.wait_for(|closes| *closes) => Woken::Closes,
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Woken::Due,
                spans = heard.recv() => spans.map_or(Woken::Closes, Woken::Heard),
            };
            match woken {
                Woken::Closes => break,
                Woken::Heard(spans) => {
                    self.hold(spans);
                    due.get_or_insert_with(|| Instant::now() + limits::TRACE_BATCH_SPAN);
                }
                Woken::Due => {
                    // Whoever ends meanwhile does not wait for an answer.
                    let pause = tokio::select! {
                        pause = self.send(&client) => Some(pause),
                        _ = closes.wait_for(|closes| *closes) => None,
                    };
                    let Some(pause) = pause else { break };
                    due = (!self.held.is_empty()).then(|| Instant::now() + pause);
                }
            }
        }
        heard.close();
        while let Ok(spans) = heard.try_recv() {
            self.hold(spans);
        }
        let flush = async { while !self.held.is_empty() && self.send(&client).await.is_zero() {} };
        let _ = timeout(limits::TRACE_FLUSH_SPAN, flush).await;
        self.counters.dropped.add(self.held.len() as u64);
    }

    /// The oldest make way.
    fn hold(&mut self, spans: Vec<Span>) {
        self.held.extend(spans);
        let over = self.held.len().saturating_sub(limits::TRACE_SPANS_HELD);
        self.held.drain(..over);
        self.counters.dropped.add(over as u64);
    }

    /// Sends some; how long until the next.
    async fn send(&mut self, client: &Client) -> Duration {
        let count = self.held.len().min(limits::TRACE_BATCH_LEN);
        let told = body(self.held.iter().take(count), self.instance).to_string();
        let posted = timeout(limits::TRACE_CALL_SPAN, post(client, &self.url, told)).await;
        match posted.unwrap_or_else(|_| Sent::Later("it did not answer in time".into(), None)) {
            Sent::Taken => {
                self.held.drain(..count);
                self.counters.sent.add(count as u64);
                self.backoff.reset();
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("the collector of traces is back");
                }
                Duration::ZERO
            }
            Sent::Later(why, asked) => {
                self.fails(&why);
                self.backoff.pause().max(asked.unwrap_or_default().min(limits::TRACE_PAUSE_MOST))
            }
            Sent::Never(why) => {
                self.fails(&why);
                self.held.drain(..count);
                self.counters.dropped.add(count as u64);
                self.backoff.pause()
            }
        }
    }

    fn fails(&mut self, why: &str) {
        self.counters.failures.add(1);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(why, "the collector of traces takes nothing; it is tried again, calls are not touched");
        }
    }
}

/// One request. What the collector says beside its status is not read.
async fn post(client: &Client, url: &str, body: String) -> Sent {
    let request = client
        .post(url)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("tessera/", env!("CARGO_PKG_VERSION")))
        .body(body);
    match request.send().await {
        Ok(response) if response.status().is_success() => Sent::Taken,
        Ok(response) => {
            let (status, asked) = (response.status(), retry_after(response.headers()));
            let why = format!("it answers {status}");
            // Those that the protocol lets be tried again ("Failures").
            let again = [
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::BAD_GATEWAY,
                StatusCode::SERVICE_UNAVAILABLE,
                StatusCode::GATEWAY_TIMEOUT,
            ];
            if again.contains(&status) { Sent::Later(why, asked) } else { Sent::Never(why) }
        }
        Err(error) => match Trouble::of(&error) {
            Trouble::NotPublic => Sent::Later("it leads nowhere".into(), None),
            Trouble::Unreachable(why) => Sent::Later(format!("it cannot be reached: {why}"), None),
        },
    }
}
