//! **The question:** which recordings still have objects in memory, which of them were erased or expired meanwhile, and
//! what is the data key of those that are still made? What is stored nowhere yet can be erased all the same, and
//! nothing more of it comes to the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::core::retention::{Hour, RecordingName, Secret};

/// Recordings whose objects are on their way; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway(Arc<Mutex<BTreeMap<RecordingName, One>>>);

#[derive(Debug)]
struct One {
    erased: Erased,
    /// Gone as soon as the recording is no longer made.
    key: Weak<Secret>,
}

/// Whether a recording was erased, or expired, while its objects were on their way; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Erased(Arc<AtomicU8>);

const EXPIRED: u8 = 1;
const SHREDDED: u8 = 2;

impl Underway {
    /// Objects of this one are on their way from now on.
    pub(super) fn begin(&self, recording: RecordingName, key: Weak<Secret>) -> Erased {
        let erased = Erased::default();
        self.all().insert(recording, One { erased: erased.clone(), key });
        erased
    }

    /// No more of them are.
    pub(super) fn end(&self, recording: RecordingName) {
        self.all().remove(&recording);
    }

    /// Nothing more of this one is stored; false if nothing of it is on its way.
    pub(super) fn erase(&self, recording: RecordingName) -> bool {
        self.all().get(&recording).inspect(|one| one.erased.set(SHREDDED)).is_some()
    }

    /// Nothing more is stored of those whose hour has come or has lost its key: a clock that leaps, or is put right,
    /// brings that on while they are made.
    pub(super) fn expire(&self, is_over: impl Fn(Hour) -> bool) {
        let all = self.all();
        let expired = all.iter().filter(|(recording, _)| is_over(recording.hour));
        expired.for_each(|(_, one)| one.erased.set(EXPIRED));
    }

    /// Whether any of this one are on their way.
    pub(super) fn has(&self, recording: RecordingName) -> bool {
        self.all().contains_key(&recording)
    }

    /// All of which any are.
    pub(super) fn recordings(&self) -> Vec<RecordingName> {
        self.all().keys().copied().collect()
    }

    /// The data key of one that is still made.
    pub(super) fn key(&self, recording: RecordingName) -> Option<Arc<Secret>> {
        self.all().get(&recording).and_then(|one| one.key.upgrade())
    }

    /// Whether this one was erased, or expired, and objects of it are still on their way.
    pub(super) fn is_erased(&self, recording: RecordingName) -> bool {
        self.all().get(&recording).is_some_and(|one| one.erased.is_set())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<RecordingName, One>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Erased {
    /// Whether it was.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Whether somebody wanted it erased: then what is stored of it goes too. What expired is the sweep's, once that is
    /// certain.
    pub(super) fn is_shredded(&self) -> bool {
        self.0.load(Ordering::Acquire) == SHREDDED
    }

    fn set(&self, how: u8) {
        self.0.fetch_max(how, Ordering::AcqRel);
    }
}
