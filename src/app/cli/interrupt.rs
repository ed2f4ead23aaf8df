//! **The question:** when does the operator want the process to end?

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::app::cli::failure::Failure;

/// Ctrl-C or SIGTERM, which is how Kubernetes asks. Listened for before a process says that it is there: anyone who
/// waits for that line may end it at once, and one that a script started in the background begins with Ctrl-C ignored.
pub(super) struct Interrupt {
    runtime: Runtime,
    signals: [Signal; 2],
}

impl Interrupt {
    /// From now on neither ends the process by itself.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::Failed(format!("cannot wait for Ctrl-C: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let entered = runtime.enter();
        let listen = |kind| signal(kind).map_err(failed);
        let signals = [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?];
        drop(entered);
        Ok(Self { runtime, signals })
    }

    /// Returns when either came.
    pub(super) fn wait(self) {
        let [mut interrupt, mut terminate] = self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    }

    /// Returns when either came, when something is lost, or with `done`.
    pub(super) fn wait_or(
        &mut self,
        mut lost: watch::Receiver<Option<String>>,
        done: impl Future<Output = ()>,
    ) -> Woken {
        let [interrupt, terminate] = &mut self.signals;
        self.runtime.block_on(async {
            tokio::select! {
                // What is lost is told before it is gone, so it comes before what is done then.
                biased;
                _ = interrupt.recv() => Woken::Interrupt,
                _ = terminate.recv() => Woken::Terminate,
                // Whoever could tell of a loss is gone only with the node.
                Ok(name) = lost.wait_for(Option::is_some) => Woken::Lost(name.clone().unwrap_or_default()),
                () = done => Woken::Done,
            }
        })
    }
}

/// What ended a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Woken {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// A thread without which the node cannot go on; its name.
    Lost(String),
    /// What was waited for.
    Done,
}

/// While it lives, Ctrl-C does not end this process, but those that it started.
pub(super) struct Ignored {
    came: Arc<AtomicBool>,
    _runtime: Runtime,
}

impl Ignored {
    /// From now on.
    pub(super) fn begin() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let guard = runtime.enter();
        let mut interrupts = signal(SignalKind::interrupt())?;
        drop(guard);
        let came = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&came);
        runtime.spawn(async move {
            while interrupts.recv().await.is_some() {
                told.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { came, _runtime: runtime })
    }

    /// Whether it came meanwhile.
    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}
