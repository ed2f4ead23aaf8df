//! **The question:** has the hour come while something still moves? Then it is cut within a second.

use std::future::Future;
use std::time::Duration;

use crate::core::retention::Hour;
use crate::io::store::{KeyCustody, ReadError};
use crate::io::transfer::error::TransferError;

/// The hour of one recording, by its keepers' time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline<'a> {
    custody: &'a KeyCustody,
    hour: Hour,
}

impl<'a> Deadline<'a> {
    pub(super) fn new(custody: &'a KeyCustody, hour: Hour) -> Self {
        Self { custody, hour }
    }

    /// What `work` ends with, unless the hour comes before.
    ///
    /// # Errors
    /// [`ReadError::Gone`] when it came, and those of `work`.
    pub(super) async fn cut<T>(
        &self,
        work: impl Future<Output = Result<T, TransferError>>,
    ) -> Result<T, TransferError> {
        tokio::select! {
            biased;
            () = self.come() => Err(ReadError::Gone.into()),
            done = work => done,
        }
    }

    async fn come(&self) {
        while !self.custody.is_expired(self.hour) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}
