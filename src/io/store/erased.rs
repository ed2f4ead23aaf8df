//! **The question:** who hears of a recording that is deleted?

use std::fmt;
use std::sync::OnceLock;

use crate::core::retention::RecordingName;

/// What is told: which recording, and whether its time was over, in place of somebody's asking.
type Told = Box<dyn Fn(RecordingName, bool) + Send + Sync>;

/// Whoever hears of it; nobody, until somebody is named.
#[derive(Default)]
pub(super) struct ErasedEar(OnceLock<Told>);

impl ErasedEar {
    /// From now on `told` hears of it; whoever was named first stays.
    pub(super) fn set(&self, told: impl Fn(RecordingName, bool) + Send + Sync + 'static) {
        let _ = self.0.set(Box::new(told));
    }

    /// Whether anybody hears.
    pub(super) fn is_set(&self) -> bool {
        self.0.get().is_some()
    }

    /// Nothing of it is left in the store.
    pub(super) fn tell(&self, recording: RecordingName, expired: bool) {
        if let Some(told) = self.0.get() {
            told(recording, expired);
        }
    }
}

impl fmt::Debug for ErasedEar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedEar").field(&self.is_set()).finish()
    }
}
