//! **The question:** why was a room not taken in? In words that tell neither an address nor a secret, so that they may
//! stand in a log.

use crate::core::rtmp::RtmpError;
use crate::core::srt::SrtError;

/// Why another server did not take a room in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It is somewhere where nothing is sent.
    #[error("it leads to an address that is not public; [push] allow_private lets pushes go there")]
    Private,
    /// It is not there, or not who it says.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It says no.
    #[error("it answers {0}")]
    Refused(String),
    /// It sends to somewhere else, and not as RFC 9725 has it.
    #[error("it redirects {0}")]
    Redirect(&'static str),
    /// What it answers is none.
    #[error("its answer is none: {0}")]
    BadAnswer(String),
    /// A server of RTMP did not take it.
    #[error("{0}")]
    Rtmp(#[from] RtmpError),
    /// A listener of SRT did not.
    #[error("{0}")]
    Srt(#[from] SrtError),
    /// The connection is no more.
    #[error("it ended the connection")]
    Gone,
    /// It takes nothing any more.
    #[error("it takes less than it is sent: choose a smaller rung, or look at the link")]
    Stalled,
    /// What is sent can be made no longer.
    #[error("nothing can be made for it here: {0}")]
    Broken(String),
    /// It took too long.
    #[error("it did not answer in time")]
    Late,
}
