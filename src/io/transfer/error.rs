//! **The question:** why was a recording not handed over, and may another try do better?

use crate::io::store::ReadError;

/// Why a recording was not handed over. Except for [`TransferError::Kept`] nothing was erased, and nothing is at the
/// host under its final name that was not verified.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It cannot be read here.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Only what is complete is handed over.
    #[error("this recording is not final: its call still runs, or a crash left it open")]
    NotFinal,
    /// The host says no, and would again.
    #[error("the host refuses: {0}")]
    Refused(String),
    /// The host cannot be reached, broke off, or failed.
    #[error("the host failed: {0}")]
    Failed(String),
    /// What the host gives back is not what was sent.
    #[error("what the host holds is not what was sent; it was not kept")]
    Differs,
    /// Everything lies at the host, verified, and yet it could not be erased here.
    #[error("handed over and verified, but not erased here: {0}")]
    Kept(ReadError),
}

impl TransferError {
    /// Whether another try may do better.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Differs | Self::Read(ReadError::Store(_) | ReadError::Doubt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(TransferError::Failed(String::new()).may_pass() && TransferError::Differs.may_pass());
        for lasting in [TransferError::Read(ReadError::Gone), TransferError::NotFinal] {
            assert!(!lasting.may_pass());
        }
        assert!(!TransferError::Refused(String::new()).may_pass());
    }
}
