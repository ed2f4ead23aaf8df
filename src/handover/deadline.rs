//! **The question:** has the hour come while something still moves? Then it is cut within a second.

use std::future::Future;
use std::time::Duration;

use crate::handover::HandOverError;
use crate::retention::Hour;
use crate::store::{Keeping, ReadError};

/// The hour of one recording, by its keepers' time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline<'a> {
    keeping: &'a Keeping,
    hour: Hour,
}

impl<'a> Deadline<'a> {
    pub(super) fn new(keeping: &'a Keeping, hour: Hour) -> Self {
        Self { keeping, hour }
    }

    /// What `work` ends with, unless the hour comes before.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it came, and those of `work`.
    pub(super) async fn cut<T>(
        &self,
        work: impl Future<Output = Result<T, HandOverError>>,
    ) -> Result<T, HandOverError> {
        tokio::select! {
            biased;
            () = self.come() => Err(ReadError::Gone.into()),
            done = work => done,
        }
    }

    async fn come(&self) {
        while !self.keeping.has_come(self.hour) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
