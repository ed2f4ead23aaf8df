//! **The question:** which thread is gone that the node cannot go on without? A panic is our bug; what remains of the
//! node would only look alive, so the process says so and ends.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::watch;

use crate::engine::flow::Counter;

/// Where threads and tasks tell that they panicked; clones tell the same.
#[derive(Debug, Clone)]
pub struct Panics {
    lost: Arc<watch::Sender<Option<String>>>,
    failed: Counter,
}

impl Default for Panics {
    fn default() -> Self {
        Self::new(Counter::default())
    }
}

impl Panics {
    /// Nothing panicked yet; what does is counted in `failed`.
    #[must_use]
    pub fn new(failed: Counter) -> Self {
        Self { lost: Arc::new(watch::channel(None).0), failed }
    }

    /// Names the first that is gone and cannot be done without.
    #[must_use]
    pub fn lost(&self) -> watch::Receiver<Option<String>> {
        self.lost.subscribe()
    }

    /// The body of a thread without which the node cannot go on. A panic goes on after it was told.
    pub fn vital<T>(&self, name: &str, body: impl FnOnce() -> T) -> T {
        // Nobody looks at what the body held: the panic goes on.
        catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
            self.failed.add(1);
            self.lose(name);
            resume_unwind(panic)
        })
    }

    /// The body of a thread that can be done without.
    pub fn minor(&self, name: &str, body: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(body)).is_err() {
            self.failed.add(1);
            tracing::error!(thread = name, "a thread panicked; the node goes on without it");
        }
    }

    /// A task without which the node cannot go on.
    pub async fn vital_task(self, name: &'static str, task: impl Future<Output = ()>) {
        if AssertUnwindSafe(task).catch_unwind().await.is_err() {
            self.failed.add(1);
            self.lose(name);
        }
    }

    /// Something is gone that the node cannot go on without.
    pub fn lose(&self, name: &str) {
        tracing::error!(thread = name, "a thread ended that the node cannot go on without; the process ends");
        self.lost.send_if_modified(|lost| {
            let first = lost.is_none();
            lost.get_or_insert_with(|| name.to_owned());
            first
        });
    }
}

/// From now on a panic is a line of the log, with its place and without its words: those may hold what a client sent.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map_or_else(String::new, ToString::to_string);
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(thread, at, "a panic");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_a_vital_thread_is_told_counted_and_goes_on() {
        let failed = Counter::default();
        let panics = Panics::new(failed.clone());
        let lost = panics.lost();
        panics.minor("fonts", || panic!("tested"));
        assert_eq!((lost.borrow().clone(), failed.get()), (None, 1));
        assert_eq!(panics.vital("mix-0", || 7), 7);
        let (of_thread, of_other) = (panics.clone(), panics.clone());
        let joined = std::thread::spawn(move || of_thread.vital::<()>("net-0", || panic!("tested"))).join();
        assert!(joined.is_err(), "whoever joins it learns of it too");
        let _ = std::thread::spawn(move || of_other.vital::<()>("control", || panic!("tested"))).join();
        assert_eq!((lost.borrow().as_deref(), failed.get()), (Some("net-0"), 3), "the first one is named");
    }

    #[tokio::test]
    async fn whoever_waits_for_it_is_woken() {
        let panics = Panics::default();
        let mut lost = panics.lost();
        tokio::spawn(panics.clone().vital_task("sweeper", async { panic!("tested") }));
        assert!(lost.wait_for(Option::is_some).await.is_ok());
        panics.vital_task("other", async {}).await;
        assert_eq!(lost.borrow().as_deref(), Some("sweeper"));
    }
}
