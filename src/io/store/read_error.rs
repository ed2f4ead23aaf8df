//! **The question:** why can a recording not be had?

use crate::core::retention::{Refusal, Tampered};
use crate::io::store::local_keeper::KeyCustodyError;
use crate::io::store::vault::VaultError;

/// Why a recording cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Its hour has come, or it was erased. Whether it ever was is not told.
    #[error("this recording is gone")]
    Gone,
    /// There is none of that name.
    #[error("there is no such recording")]
    Missing,
    /// It is not known how late it is: this machine came up a moment ago and its clock leads.
    #[error("the clock is in doubt; try again in some minutes, or when it is synchronised")]
    Doubt,
    /// What is stored is not what was recorded.
    #[error("this recording is damaged")]
    Damaged,
    /// The store.
    #[error(transparent)]
    Store(VaultError),
}

impl From<VaultError> for ReadError {
    fn from(error: VaultError) -> Self {
        if matches!(error, VaultError::Missing) { Self::Missing } else { Self::Store(error) }
    }
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Expired | Refusal::Denied => Self::Gone,
            Refusal::Doubt => Self::Doubt,
            Refusal::NoKey | Refusal::TooFarAhead | Refusal::Full => Self::Missing,
        }
    }
}

impl From<Tampered> for ReadError {
    fn from(_: Tampered) -> Self {
        Self::Damaged
    }
}

impl From<KeyCustodyError> for ReadError {
    fn from(error: KeyCustodyError) -> Self {
        match error {
            KeyCustodyError::Refused(refusal) => refusal.into(),
            other => Self::Store(VaultError::Failed(other.to_string())),
        }
    }
}
