//! **The question:** how does one server get its messages? One task, which holds its queue and sends what that says is
//! due.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use rand::Rng as _;
use reqwest::{Client, StatusCode, header};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::webhook::{Delivery, Message, Outcome, Queue, signatures};
use crate::io::egress::{Trouble, client, retry_after};
use crate::io::webhook::counters::WebhookCounters;
use crate::io::webhook::target::WebhookTarget;

/// A message, and when it was said.
pub(super) type HookWord = (Instant, Message);

/// What came of a try: which message's, how it fared, and what went wrong, in words without a secret.
type Tried = (u64, Outcome, Option<String>);

/// One server.
pub(super) struct Hook {
    /// Its place in the configuration, from 1: its URL is nobody's business.
    number: usize,
    target: Arc<WebhookTarget>,
    allow_private: bool,
    counters: WebhookCounters,
    queue: Queue,
    flights: JoinSet<Tried>,
    /// As it was counted.
    waiting: u64,
}

impl Hook {
    pub(super) fn new(at: usize, target: Arc<WebhookTarget>, allow_private: bool, counters: WebhookCounters) -> Self {
        let (queue, flights) = (Queue::new(rand::rng().random()), JoinSet::new());
        Self { number: at + 1, target, allow_private, counters, queue, flights, waiting: 0 }
    }

    /// Sends what comes, until the node ends.
    pub(super) async fn run(mut self, mut heard: mpsc::Receiver<HookWord>, mut closes: watch::Receiver<bool>) {
        // To read the system's certificates takes a while.
        let allow_private = self.allow_private;
        let made = tokio::task::spawn_blocking(move || client(allow_private, limits::WEBHOOK_CALL_SPAN)).await;
        let client = match made.map_err(|error| error.to_string()).flatten() {
            Ok(client) => client,
            Err(why) => {
                tracing::error!(hook = self.number, why, "a webhook has no HTTP client: nothing is told there");
                return;
            }
        };
        let mut ends: Option<Instant> = None;
        loop {
            self.send_due(&client);
            if ends.is_some_and(|at| self.queue.is_empty() || at <= Instant::now()) {
                break;
            }
            let wakes = [self.queue.deadline(), ends].into_iter().flatten().min();
            tokio::select! {
                word = heard.recv(), if ends.is_none() => match word {
                    Some((said, message)) => self.counters.discarded.add(self.queue.push(said, message)),
                    None => ends = ends.or_else(|| Some(self.close())),
                },
                Some(tried) = self.flights.join_next(), if !self.flights.is_empty() => self.settle(tried.ok()),
                () = sleep_until(wakes.unwrap_or_else(Instant::now).into()), if wakes.is_some() => {}
                _ = closes.wait_for(|closes| *closes), if ends.is_none() => {
                    heard.close();
                    while let Ok((said, message)) = heard.try_recv() {
                        self.counters.discarded.add(self.queue.push(said, message));
                    }
                    ends = Some(self.close());
                }
            }
        }
        let left = self.queue.len() as u64;
        self.counters.given_up.add(left);
        self.counters.waiting.lower(self.waiting);
        if left > 0 {
            tracing::warn!(hook = self.number, messages = left, "the node ends, and a webhook has not heard of all");
        }
    }

    fn close(&mut self) -> Instant {
        self.queue.close();
        Instant::now() + limits::WEBHOOK_FLUSH_SPAN
    }

    /// Sends what is due now.
    fn send_due(&mut self, client: &Client) {
        let now = Instant::now();
        let expired = self.queue.expire(now);
        self.give_up(expired, "they are too old");
        while let Some(Delivery { number, message }) = self.queue.take(now) {
            let (client, target) = (client.clone(), self.target.clone());
            self.flights.spawn(async move {
                let posted = timeout(limits::WEBHOOK_CALL_SPAN, post(&client, &target, &message)).await;
                let (outcome, why) =
                    posted.unwrap_or((Outcome::Failed(None), Some("it did not answer in time".into())));
                (number, outcome, why)
            });
        }
        let waiting = self.queue.len() as u64;
        self.counters.waiting.raise(waiting);
        self.counters.waiting.lower(std::mem::replace(&mut self.waiting, waiting));
    }

    /// What came of a try; none: its task panicked, which is ours.
    fn settle(&mut self, tried: Option<Tried>) {
        let Some((number, outcome, why)) = tried else { return };
        let settled = self.queue.settle(Instant::now(), number, outcome);
        match outcome {
            Outcome::Delivered => self.counters.delivered.add(1),
            Outcome::Failed(_) | Outcome::Refused | Outcome::Gone => self.counters.failures.add(1),
        }
        if settled.fails_now {
            tracing::warn!(hook = self.number, why, "a webhook fails; its messages wait and are tried again");
        }
        if settled.is_back {
            tracing::info!(hook = self.number, "a webhook is back");
        }
        let why = match outcome {
            Outcome::Gone => "its server wants no more (410), until a restart",
            Outcome::Refused => "its server refuses them again and again",
            _ => "it failed",
        };
        self.give_up(settled.given_up, why);
    }

    fn give_up(&self, messages: u64, why: &str) {
        if messages > 0 {
            self.counters.given_up.add(messages);
            tracing::warn!(hook = self.number, messages, why, "messages to a webhook are given up");
        }
    }
}

/// Whether it is the message that a server does not want, whenever it came: not that it is busy or waits for too long.
fn is_refusal(status: StatusCode) -> bool {
    let of_a_moment = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !of_a_moment.contains(&status)
}

/// One try. What the server says beside its status is not read.
async fn post(client: &Client, target: &WebhookTarget, message: &Message) -> (Outcome, Option<String>) {
    let at = Wallclock::from_system_time(SystemTime::now()).unix_seconds();
    let request = client
        .post(target.url().clone())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("tessera/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", &*message.id)
        .header("webhook-timestamp", at.to_string())
        .header("webhook-signature", signatures(target.secrets(), &message.id, at, &message.body))
        .body(message.body.to_string());
    match request.send().await {
        Ok(response) if response.status().is_success() => (Outcome::Delivered, None),
        Ok(response) if response.status() == StatusCode::GONE => (Outcome::Gone, None),
        Ok(response) if is_refusal(response.status()) => {
            (Outcome::Refused, Some(format!("it answers {}", response.status())))
        }
        Ok(response) => {
            let asked = retry_after(response.headers());
            (Outcome::Failed(asked), Some(format!("it answers {}", response.status())))
        }
        Err(error) => {
            let why = match Trouble::of(&error) {
                Trouble::NotPublic => {
                    "it leads to an address that is not public; [webhooks] allow_private lets messages go there".into()
                }
                Trouble::Unreachable(why) => format!("it cannot be reached: {why}"),
            };
            (Outcome::Failed(None), Some(why))
        }
    }
}
