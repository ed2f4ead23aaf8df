//! **The question:** which recordings still have objects in memory, and which of them were erased or expired meanwhile?
//! What is stored nowhere yet can be erased all the same, and nothing more of it comes to the store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::media::Wallclock;
use crate::core::retention::RecordingName;

/// Recordings whose objects are on their way; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway(Arc<Mutex<BTreeMap<RecordingName, Erased>>>);

/// Whether a recording was erased, or expired, while its objects were on their way; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Erased(Arc<AtomicBool>);

impl Underway {
    /// Objects of this one are on their way from now on.
    pub(super) fn begin(&self, recording: RecordingName) -> Erased {
        self.all().entry(recording).or_default().clone()
    }

    /// No more of them are.
    pub(super) fn end(&self, recording: RecordingName) {
        self.all().remove(&recording);
    }

    /// Nothing more of this one is stored; false if nothing of it is on its way.
    pub(super) fn erase(&self, recording: RecordingName) -> bool {
        let all = self.all();
        all.get(&recording).inspect(|erased| erased.0.store(true, Ordering::Release)).is_some()
    }

    /// Nothing more is stored of those whose hour has come: only a leap of the clock brings it on while they are made.
    pub(super) fn expire(&self, now: Wallclock) {
        let all = self.all();
        let expired = all.iter().filter(|(recording, _)| recording.hour.is_expired(now));
        expired.for_each(|(_, erased)| erased.0.store(true, Ordering::Release));
    }

    /// Whether any of this one are on their way.
    pub(super) fn has(&self, recording: RecordingName) -> bool {
        self.all().contains_key(&recording)
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<RecordingName, Erased>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Erased {
    /// Whether it was.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
