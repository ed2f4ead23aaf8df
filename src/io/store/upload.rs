//! **The question:** how does a growing recording reach the vault without ever holding up the call? Sealed objects go
//! into a bounded queue of each recording; a task stores them in order, or has them wait in the spool, and tries again
//! for as long as it takes.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use bytes::Bytes;
use crossbeam_channel::TryRecvError;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::base::limits;
use crate::core::record::Object;
use crate::core::retention::{RecordingName, Secret, seal};
use crate::engine::flow::Waker;
use crate::io::store::custody::KeyCustody;
use crate::io::store::spool::{Spool, Waiting};
use crate::io::store::underway::{Erased, Underway};
use crate::io::store::upload_counters::UploadCounters;
use crate::io::store::vault::Vault;

/// The queue had no room: the store is down or too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store takes no more for now")]
pub struct Behind;

/// A recording in the making: seals what it is given and has it stored.
#[derive(Debug)]
pub struct SealedRecording {
    recording: RecordingName,
    key: Arc<Secret>,
    jobs: mpsc::Sender<Job>,
    /// Places in the queue for the call itself.
    call: Arc<Semaphore>,
    /// Bytes in the queue for own tracks.
    tracks: Arc<Semaphore>,
    counters: UploadCounters,
    erased: Erased,
    done: crossbeam_channel::Receiver<()>,
}

#[derive(Debug)]
struct Job {
    path: String,
    sealed: Bytes,
    /// What it takes up while it waits.
    place: OwnedSemaphorePermit,
}

impl SealedRecording {
    /// Starts the task that stores a recording.
    pub(super) fn start(
        recording: RecordingName,
        key: Secret,
        (vault, custody): (Vault, Arc<KeyCustody>),
        underway: Underway,
        counters: UploadCounters,
        (runtime, waker): (&Handle, Waker),
    ) -> Self {
        let tracks = limits::UPLOAD_TRACKS_BYTES / limits::UPLOAD_TRACK_BYTES_MIN;
        let (jobs, queue) = mpsc::channel(limits::UPLOAD_QUEUE_LEN + tracks);
        let call = Arc::new(Semaphore::new(limits::UPLOAD_QUEUE_LEN));
        let tracks = Arc::new(Semaphore::new(limits::UPLOAD_TRACKS_BYTES));
        let (finished, done) = crossbeam_channel::bounded(1);
        let key = Arc::new(key);
        let (own, erased) = (counters.clone(), underway.begin(recording, Arc::downgrade(&key)));
        let gone = erased.clone();
        runtime.spawn(async move {
            store(queue, (recording, &gone), &vault, &custody, &counters).await;
            underway.end(recording);
            // Anyone who waited may have given up.
            let _ = finished.try_send(());
            waker.wake();
        });
        Self { recording, key, jobs, call, tracks, counters: own, erased, done }
    }

    /// Which recording it is, and when it expires.
    #[must_use]
    pub fn recording(&self) -> RecordingName {
        self.recording
    }

    /// Whether it was erased, or its hour came, while it was made: nothing more of it is taken.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.erased.is_set()
    }

    /// Whether somebody wanted it erased.
    #[must_use]
    pub fn is_shredded(&self) -> bool {
        self.erased.is_shredded()
    }

    /// Seals an object and has it stored, without waiting. Its sealed length.
    ///
    /// # Errors
    /// When so much waits already that nothing more is taken.
    pub fn put(&self, object: Object, plain: &[u8]) -> Result<usize, Behind> {
        use Object::{Captions, Index, Init, Segment, TrackInit, TrackSegment};
        // An init segment goes before the first segment, which is lost with it.
        let media = matches!(object, Init { .. } | Segment { .. } | TrackInit { .. } | TrackSegment { .. });
        // The last places are for what closes a recording, so that it never has to wait.
        let growing = matches!(object, Init { .. } | Segment { .. } | Captions { .. } | Index { .. });
        let put = if growing && self.call.available_permits() <= limits::UPLOAD_RESERVE {
            Err(Behind)
        } else {
            self.put_clear(object, seal(&self.key, &object.context(self.recording), plain).into())
        };
        self.counters.lost.add(u64::from(media && put.is_err()));
        put
    }

    /// Has an object stored as it is.
    ///
    /// # Errors
    /// When so much waits already that nothing more is taken.
    pub(super) fn put_clear(&self, object: Object, bytes: Bytes) -> Result<usize, Behind> {
        if self.is_erased() {
            return Err(Behind);
        }
        let len = bytes.len();
        // However much waits of own tracks, the call itself has its places.
        let own = matches!(object, Object::TrackInit { .. } | Object::TrackHead { .. } | Object::TrackSegment { .. });
        let place = if own {
            let counted = u32::try_from(len.max(limits::UPLOAD_TRACK_BYTES_MIN)).map_err(|_| Behind)?;
            self.tracks.clone().try_acquire_many_owned(counted)
        } else {
            self.call.clone().try_acquire_owned()
        };
        let place = place.map_err(|_| Behind)?;
        let job = Job { path: object.path(self.recording), sealed: bytes, place };
        self.jobs.try_send(job).map(|()| len).map_err(|_| Behind)
    }

    /// Nothing more comes. What waits is stored, for as long as the node runs.
    #[must_use]
    pub fn finish(self) -> Storing {
        Storing { recording: self.recording, done: self.done }
    }
}

/// A recording whose last objects are on their way.
#[derive(Debug)]
pub struct Storing {
    recording: RecordingName,
    done: crossbeam_channel::Receiver<()>,
}

impl Storing {
    /// Which recording it is.
    #[must_use]
    pub fn recording(&self) -> RecordingName {
        self.recording
    }

    /// Whether everything is stored or waits on disk; false if that will never be told, `None` while it is on its way.
    #[must_use]
    pub fn poll(&self) -> Option<bool> {
        match self.done.try_recv() {
            Ok(()) => Some(true),
            Err(TryRecvError::Empty) => None,
            // The runtime ended.
            Err(TryRecvError::Disconnected) => Some(false),
        }
    }
}

/// Stores what waits in the spool, the oldest of each recording first. What has expired meanwhile is left to the sweep.
pub(super) async fn drain(spool: &Arc<Spool>, vault: &Vault, custody: &KeyCustody, counters: &UploadCounters) {
    let mut pause = limits::UPLOAD_RETRY;
    loop {
        let oldest = spool.oldest(custody.certain());
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

async fn store_waiting(spool: &Arc<Spool>, waiting: &Waiting, vault: &Vault, counters: &UploadCounters) -> bool {
    let sealed = match on_disk(spool, waiting, Spool::read).await {
        Ok(sealed) => sealed,
        // Swept or erased meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return is_removed(spool, waiting).await,
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
            if !spool.holds(waiting) {
                // Erased meanwhile, and so is this; what is not is the sweep's.
                let _ = vault.delete(&waiting.path).await;
            }
            is_removed(spool, waiting).await
        }
        Err(error) => {
            counters.failed(&error);
            false
        }
    }
}

async fn is_removed(spool: &Arc<Spool>, waiting: &Waiting) -> bool {
    on_disk(spool, waiting, |spool, waiting| spool.remove(waiting).map_err(io::Error::other)).await.is_ok()
}

// The spool's disk may take its time, and the runtime's own threads have others to serve.
async fn on_disk<T: Send + 'static>(
    spool: &Arc<Spool>,
    waiting: &Waiting,
    act: impl FnOnce(&Spool, &Waiting) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let (spool, waiting) = (spool.clone(), waiting.clone());
    tokio::task::spawn_blocking(move || act(&spool, &waiting))
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}

async fn store(
    mut queue: mpsc::Receiver<Job>,
    (recording, erased): (RecordingName, &Erased),
    vault: &Vault,
    custody: &KeyCustody,
    counters: &UploadCounters,
) {
    while let Some(Job { path, sealed, place }) = queue.recv().await {
        drop(place);
        let mut pause = limits::UPLOAD_RETRY;
        while !erased.is_set() && !store_or_spool(&path, &sealed, vault, counters).await {
            if recording.hour.is_expired(custody.certain()) {
                // Nobody could open it any more.
                return;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(limits::UPLOAD_RETRY_MAX);
        }
        if erased.is_shredded() {
            forget(recording, &path, vault).await;
        }
    }
}

// Erased while this was on its way: whoever erased it may have looked before it came.
async fn forget(recording: RecordingName, path: &str, vault: &Vault) {
    // It opens nothing without its wraps, and what cannot be deleted now is the sweep's.
    let _ = vault.delete(path).await;
    if let Some(spool) = vault.spool().cloned() {
        let _ = tokio::task::spawn_blocking(move || spool.forget(recording)).await;
    }
}

// Whether it was stored or waits on disk. While anything waits there everything else does too: so the order stays.
async fn store_or_spool(path: &str, sealed: &Bytes, vault: &Vault, counters: &UploadCounters) -> bool {
    let Some(spool) = vault.spool() else { return store_now(path, sealed, vault, counters).await };
    if spool.is_empty() {
        let soon = tokio::time::timeout(limits::UPLOAD_PATIENCE, store_now(path, sealed, vault, counters)).await;
        match soon {
            Ok(true) => return true,
            Ok(false) => {}
            Err(_) => counters.failed(&"it did not answer in time"),
        }
    }
    let (spool, path, sealed) = (spool.clone(), path.to_owned(), sealed.clone());
    // It waits for the disk itself.
    let spooled = tokio::task::spawn_blocking(move || spool.put(&path, &sealed)).await;
    matches!(spooled, Ok(Ok(())))
}

async fn store_now(path: &str, sealed: &Bytes, vault: &Vault, counters: &UploadCounters) -> bool {
    match vault.put(path, sealed.clone()).await {
        Ok(()) => {
            counters.stored(sealed.len() as u64);
            true
        }
        Err(error) => {
            counters.failed(&error);
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use object_store::memory::InMemory;

    use super::*;
    use crate::core::retention::{Hour, KeeperId, Pair, RecordingId};
    use crate::engine::flow::Counter;
    use crate::io::store::spool::SpoolPlace;

    #[tokio::test]
    async fn what_expired_while_it_was_made_is_left_to_the_sweep_and_what_was_erased_is_not() {
        let home = tempfile::tempdir().unwrap();
        let custody = KeyCustody::open(&home.path().join("keeper"), Counter::default()).unwrap();
        let (counters, underway) = (UploadCounters::default(), Underway::default());
        let place = SpoolPlace { folder: home.path().join("spool"), bytes_max: 1 << 20 };
        let spool = Arc::new(Spool::open(&place, counters.clone()).unwrap());
        let mut vault = Vault::on(Arc::new(InMemory::new()), "memory");
        vault.set_spool(spool.clone());
        let recording = RecordingName { hour: Hour(500_000), recording: RecordingId([7; 16]) };
        let erased = underway.begin(recording, std::sync::Weak::new());
        let wrap = Object::Wrap(Pair::alone(KeeperId([1; 8]))).path(recording);
        spool.put(&wrap, b"wrapped").unwrap();
        // With something of it in hand.
        let in_hand = async || {
            let (jobs, queue) = mpsc::channel(1);
            let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
            let path = Object::Fin.path(recording);
            jobs.try_send(Job { path, sealed: Bytes::from_static(b"whole"), place }).unwrap();
            drop(jobs);
            store(queue, (recording, &erased), &vault, &custody, &counters).await;
        };
        underway.expire(|hour| hour.is_expired(recording.hour.start()));
        in_hand().await;
        assert!(erased.is_set() && spool.has(recording), "a clock may have leapt: nothing is deleted for it");
        underway.erase(recording);
        in_hand().await;
        assert!(!spool.has(recording));
    }

    #[test]
    fn a_call_whose_store_hangs_is_closed_whole_however_many_own_tracks_wait() {
        let home = tempfile::tempdir().unwrap();
        let custody = Arc::new(KeyCustody::open(home.path(), Counter::default()).unwrap());
        // Nothing drives it: no object ever leaves the queue.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (vault, counters) = (Vault::on(Arc::new(InMemory::new()), "memory"), UploadCounters::default());
        let recording = RecordingName { hour: Hour(500_000), recording: RecordingId([7; 16]) };
        let (place, waker) = ((vault, custody), Waker::new().unwrap());
        let (underway, at) = (Underway::default(), (runtime.handle(), waker));
        let sealed = SealedRecording::start(recording, Secret::random(), place, underway, counters.clone(), at);

        let all = 2 * limits::PARTICIPANTS_MAX as u32;
        let fragment = vec![0; 200_000];
        for track in 0..all {
            sealed.put(Object::TrackInit { track }, b"head").unwrap();
            sealed.put(Object::TrackSegment { track, number: 0 }, &fragment).unwrap();
            sealed.put(Object::TrackHead { track }, b"head").unwrap();
        }
        assert_eq!(counters.lost.get(), 0, "everybody's last fragments wait");
        while sealed.put(Object::TrackSegment { track: 0, number: 1 }, &fragment).is_ok() {}
        assert_eq!(counters.lost.get(), 1);

        let queued =
            (0..).take_while(|number| sealed.put(Object::Segment { take: 0, number: *number }, &fragment).is_ok());
        assert_eq!(queued.count(), limits::UPLOAD_QUEUE_LEN - limits::UPLOAD_RESERVE, "the call has its own places");
        assert!(sealed.put(Object::Index { number: 0 }, b"so far").is_err(), "what says so far may be left out");
        sealed.put(Object::Head { take: 0 }, b"head").unwrap();
        sealed.put(Object::Fin, b"whole").unwrap();
    }
}
