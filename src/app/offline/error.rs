//! **The question:** why was nothing made?

use std::io;
use std::path::PathBuf;

use crate::base::limits;
use crate::engine::encode::EncodeError;
use crate::io::demux::Fault;

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum RecomposeError {
    /// A file in is useless: wrong usage.
    #[error("{} {fault}", path.display())]
    Input {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Fault,
    },
    /// More files than a room has seats, or none.
    #[error("{0} files; give 1 to {max}", max = limits::PARTICIPANTS_MAX)]
    Count(usize),
    /// The file out is one of those in.
    #[error("{} is read and cannot be written at the same time; choose another --out", .0.display())]
    Same(PathBuf),
    /// The file out cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Output {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The encoder does not take the job, or failed.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The system has no thread left.
    #[error("no thread: {0}")]
    Thread(io::Error),
}
