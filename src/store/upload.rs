//! **The question:** how does a growing recording reach the vault without ever holding up the call? Sealed objects go into a bounded
//! queue of each recording; a task stores them in order and tries again for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::flow::Counter;
use crate::limits;
use crate::record::Object;
use crate::retention::{Filed, Secret, seal};
use crate::store::keeping::Keeping;
use crate::store::vault::Vault;

/// What recordings count on their way to the vault; clones share it.
#[derive(Debug, Clone, Default)]
pub struct UploadCounters {
    /// Bytes stored, sealed.
    pub bytes: Counter,
    /// Tries that failed.
    pub errors: Counter,
}

/// The queue had no room: the store is down or too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store takes no more for now")]
pub struct Behind;

/// A recording in the making: seals what it is given and has it stored.
#[derive(Debug)]
pub struct SealedRecording {
    filed: Filed,
    key: Secret,
    jobs: mpsc::Sender<Job>,
    done: crossbeam_channel::Receiver<()>,
}

#[derive(Debug)]
struct Job {
    path: String,
    sealed: Bytes,
}

impl SealedRecording {
    /// Starts the task that stores a recording.
    pub(super) fn start(
        filed: Filed,
        key: Secret,
        (vault, keeping): (Vault, Arc<Keeping>),
        counters: UploadCounters,
        runtime: &Handle,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(limits::UPLOAD_QUEUE_LEN);
        let (finished, done) = crossbeam_channel::bounded(1);
        runtime.spawn(async move {
            store(queue, filed, &vault, &keeping, &counters).await;
            // Whoever waited may have given up.
            let _ = finished.try_send(());
        });
        Self { filed, key, jobs, done }
    }

    /// Which recording it is, and when it expires.
    #[must_use]
    pub fn filed(&self) -> Filed {
        self.filed
    }

    /// Seals an object and has it stored, without waiting. Its sealed length.
    ///
    /// # Errors
    /// When so much waits already that nothing more is taken.
    pub fn put(&self, object: Object, plain: &[u8]) -> Result<usize, Behind> {
        // The last places are for what closes a recording, so that it never has to wait.
        if matches!(object, Object::Segment { .. }) && self.jobs.capacity() <= limits::UPLOAD_RESERVE {
            return Err(Behind);
        }
        self.put_clear(object, seal(&self.key, &object.context(self.filed), plain).into())
    }

    /// Has an object stored as it is.
    ///
    /// # Errors
    /// When so much waits already that nothing more is taken.
    pub(super) fn put_clear(&self, object: Object, bytes: Bytes) -> Result<usize, Behind> {
        let len = bytes.len();
        let job = Job { path: object.path(self.filed), sealed: bytes };
        self.jobs.try_send(job).map(|()| len).map_err(|_| Behind)
    }

    /// Whether everything was stored within `limits::UPLOAD_FINISH_SPAN`. What was not is tried on as long as the node runs.
    #[must_use]
    pub fn finish(self) -> bool {
        drop(self.jobs);
        self.done.recv_timeout(limits::UPLOAD_FINISH_SPAN).is_ok()
    }
}

async fn store(
    mut queue: mpsc::Receiver<Job>,
    filed: Filed,
    vault: &Vault,
    keeping: &Keeping,
    counters: &UploadCounters,
) {
    while let Some(job) = queue.recv().await {
        let mut pause = limits::UPLOAD_RETRY;
        while let Err(error) = vault.put(&job.path, job.sealed.clone()).await {
            counters.errors.add(1);
            tracing::warn!(%error, "an object of a recording could not be stored; trying again");
            if filed.hour.has_come(keeping.certain()) {
                // Nobody could open it any more.
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        counters.bytes.add(job.sealed.len() as u64);
    }
}
