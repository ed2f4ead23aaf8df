//! **The question:** who is told what happens? Whoever tells it hands it over and goes on: a server that is slow or
//! gone delays nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use rand::Rng as _;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::webhook::{Happening, Message, Sender};
use crate::io::webhook::counters::WebhookCounters;
use crate::io::webhook::hook::{Hook, HookWord};
use crate::io::webhook::target::WebhookTarget;

/// Which servers are told, and as whom.
pub struct WebhookSetup {
    /// They.
    pub targets: Vec<WebhookTarget>,
    /// What the node is called in messages.
    pub node: String,
    /// Whether addresses that are not public may be gone to, and servers spoken to in the clear.
    pub allow_private: bool,
}

/// Tells the operator's servers; clones are the same. Without servers, telling costs nothing.
#[derive(Clone, Default)]
pub struct Webhooks(Option<Arc<Inner>>);

struct Inner {
    intakes: Vec<Intake>,
    sender: Sender,
    sequence: AtomicU64,
    counters: WebhookCounters,
    closing: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

struct Intake {
    target: Arc<WebhookTarget>,
    words: mpsc::Sender<HookWord>,
}

impl Webhooks {
    /// Begins a task on `runtime` for each server.
    #[must_use]
    pub fn start(setup: WebhookSetup, runtime: &Handle, counters: WebhookCounters) -> Self {
        let WebhookSetup { targets, node, allow_private } = setup;
        if targets.is_empty() {
            return Self(None);
        }
        let (closing, closes) = watch::channel(false);
        let mut tasks = Vec::new();
        let begin = |(at, target): (usize, WebhookTarget)| {
            let target = Arc::new(target);
            let (words, heard) = mpsc::channel(limits::WEBHOOK_QUEUE_LEN);
            let hook = Hook::new(at, target.clone(), allow_private, counters.clone());
            tasks.push(runtime.spawn(hook.run(heard, closes.clone())));
            Intake { target, words }
        };
        let intakes = targets.into_iter().enumerate().map(begin).collect();
        let sender = Sender { node, run: format!("{:016x}", rand::rng().random::<u64>()) };
        let (sequence, tasks) = (AtomicU64::new(0), Mutex::new(tasks));
        Self(Some(Arc::new(Inner { intakes, sender, sequence, counters, closing, tasks })))
    }

    /// Says what happened to those who want to know. Never waits.
    pub fn tell(&self, happening: &Happening) {
        let Some(inner) = &self.0 else { return };
        let kind = happening.kind();
        let sequence = inner.sequence.fetch_add(1, Ordering::Relaxed);
        let is_meant = |intake: &&Intake| intake.target.wants(kind) && intake.target.concerns(happening.room());
        let mut wanting = inner.intakes.iter().filter(is_meant).peekable();
        if wanting.peek().is_none() {
            return;
        }
        let id = format!("msg_{:032x}", rand::rng().random::<u128>());
        let body = inner.sender.body(&id, Wallclock::from_system_time(SystemTime::now()), sequence, happening);
        let message = Message { id: id.into(), room: happening.room().cloned(), body: body.into() };
        for intake in wanting {
            // Only where the whole node is behind: the task does nothing but move it on.
            if intake.words.try_send((Instant::now(), message.clone())).is_err() {
                inner.counters.discarded.add(1);
            }
        }
    }

    /// The node ends: what was said is tried once more, within `limits::WEBHOOK_FLUSH_SPAN`.
    pub fn end(&self, runtime: &Runtime) {
        let Some(inner) = &self.0 else { return };
        inner.closing.send_replace(true);
        let tasks = std::mem::take(&mut *inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        // They keep that time by themselves; one that panicked has nothing to say.
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = runtime.block_on(async { timeout(limits::WEBHOOK_FLUSH_SPAN * 2, all).await });
    }
}
