//! **The question:** how long do a person's camera and microphone wait before they play? One delay for both; the larger wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The playout delays that one participant's two jitter buffers want; clones share it.
#[derive(Debug, Clone, Default)]
pub struct PlayoutCell(Arc<[AtomicU64; 2]>);

impl PlayoutCell {
    /// The camera's jitter buffer states its wish.
    pub fn want_video(&self, delay: Duration) {
        self.store(0, delay);
    }

    /// The microphone's jitter buffer states its wish.
    pub fn want_audio(&self, delay: Duration) {
        self.store(1, delay);
    }

    /// The delay both use: the larger of the two wishes.
    #[must_use]
    pub fn delay(&self) -> Duration {
        let [video, audio] = [0, 1].map(|at: usize| self.0[at].load(Ordering::Relaxed));
        Duration::from_nanos(video.max(audio))
    }

    fn store(&self, at: usize, delay: Duration) {
        let nanos = u64::try_from(delay.as_nanos()).expect("playout delays are bounded in limits.rs");
        self.0[at].store(nanos, Ordering::Relaxed);
    }
}
