//! **The question:** how does a growing recording reach the vault without ever holding up the call? Sealed objects go into a bounded
//! queue of each recording; a task stores them in order, or has them wait in the spool, and tries again for as long as it takes.

use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::flow::{Counter, Level};
use crate::limits;
use crate::record::Object;
use crate::retention::{Filed, Secret, seal};
use crate::store::keeping::Keeping;
use crate::store::spool::{Spool, Waiting};
use crate::store::vault::Vault;

/// What recordings count on their way to the vault; clones share it.
#[derive(Debug, Clone, Default)]
pub struct UploadCounters {
    /// Bytes stored, sealed.
    pub bytes: Counter,
    /// Tries that failed.
    pub errors: Counter,
    /// 1 while the last try failed.
    pub store_failing: Level,
    /// Segments for which no room was left: a recording lacks them.
    pub lost: Counter,
    /// Sealed bytes that wait on disk.
    pub spool_bytes: Level,
    /// 1 while the spool takes nothing more: its bound is reached, or its disk refuses.
    pub spool_full: Level,
    /// Times that the spool's disk refused.
    pub spool_errors: Counter,
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
    counters: UploadCounters,
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
        let own = counters.clone();
        runtime.spawn(async move {
            store(queue, filed, &vault, &keeping, &counters).await;
            // Whoever waited may have given up.
            let _ = finished.try_send(());
        });
        Self { filed, key, jobs, counters: own, done }
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
        // Own tracks may take half of the queue: the call itself comes first.
        let own = matches!(object, Object::TrackInit { .. } | Object::TrackSegment { .. });
        if own && self.jobs.capacity() <= limits::UPLOAD_QUEUE_LEN / 2 {
            self.counters.lost.add(1);
            return Err(Behind);
        }
        // The last places are for what closes a recording, so that it never has to wait.
        if matches!(object, Object::Segment { .. }) && self.jobs.capacity() <= limits::UPLOAD_RESERVE {
            self.counters.lost.add(1);
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

    /// Whether everything was stored or waits on disk within `limits::UPLOAD_FINISH_SPAN`. What was not is tried on as long as the node runs.
    #[must_use]
    pub fn finish(self) -> bool {
        drop(self.jobs);
        self.done.recv_timeout(limits::UPLOAD_FINISH_SPAN).is_ok()
    }
}

/// Stores what waits in the spool, the oldest of each recording first. What has expired meanwhile is left to the sweep.
pub(super) async fn drain(spool: &Spool, vault: &Vault, keeping: &Keeping, counters: &UploadCounters) {
    let mut pause = limits::UPLOAD_RETRY;
    loop {
        let oldest = spool.oldest(keeping.certain());
        if oldest.is_empty() {
            spool.came().await;
            continue;
        }
        let stored = join_all(oldest.iter().map(|waiting| store_waiting(spool, waiting, vault, counters))).await;
        if stored.contains(&true) {
            pause = limits::UPLOAD_RETRY;
        } else {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::UPLOAD_RETRY_MAX);
        }
    }
}

async fn store_waiting(spool: &Spool, waiting: &Waiting, vault: &Vault, counters: &UploadCounters) -> bool {
    let sealed = match spool.read(waiting) {
        Ok(sealed) => sealed,
        // Swept or erased meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return spool.remove(waiting).is_ok(),
        Err(error) => {
            counters.spool_errors.add(1);
            tracing::warn!(%error, "an object that waits cannot be read");
            return false;
        }
    };
    let len = sealed.len() as u64;
    match vault.put(&waiting.path, sealed).await {
        Ok(()) => {
            counters.stored(len);
            spool.remove(waiting).is_ok()
        }
        Err(error) => {
            counters.failed(&error);
            false
        }
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
        while !store_or_spool(&job, vault, counters).await {
            if filed.hour.has_come(keeping.certain()) {
                // Nobody could open it any more.
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::UPLOAD_RETRY_MAX);
        }
    }
}

// Whether it was stored or waits on disk. While anything waits there everything else does too: so the order stays.
async fn store_or_spool(job: &Job, vault: &Vault, counters: &UploadCounters) -> bool {
    let Some(spool) = vault.spool() else { return store_now(job, vault, counters).await };
    if spool.is_empty() {
        let soon = tokio::time::timeout(limits::UPLOAD_PATIENCE, store_now(job, vault, counters)).await;
        match soon {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => counters.failed(&"it did not answer in time"),
        }
    }
    let (spool, path, sealed) = (spool.clone(), job.path.clone(), job.sealed.clone());
    // It waits for the disk itself.
    let spooled = tokio::task::spawn_blocking(move || spool.put(&path, &sealed)).await;
    matches!(spooled, Ok(Ok(())))
}

async fn store_now(job: &Job, vault: &Vault, counters: &UploadCounters) -> bool {
    match vault.put(&job.path, job.sealed.clone()).await {
        Ok(()) => {
            counters.stored(job.sealed.len() as u64);
            true
        }
        Err(error) => {
            counters.failed(&error);
            false
        }
    }
}

impl UploadCounters {
    fn stored(&self, len: u64) {
        self.bytes.add(len);
        if self.store_failing.set(0) == 1 {
            tracing::info!("the store takes recordings again");
        }
    }

    fn failed(&self, error: &dyn fmt::Display) {
        self.errors.add(1);
        if self.store_failing.set(1) == 0 {
            tracing::warn!(%error, "objects of recordings could not be stored; trying again");
        }
    }
}
