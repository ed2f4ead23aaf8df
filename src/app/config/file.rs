//! **The question:** what is in a file that the configuration names? It is read and checked together with the
//! configuration, so that a wrong one is told with its line before anything runs.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

/// A file that was found good when the configuration was read.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct CheckedFile(Arc<[u8]>);

impl CheckedFile {
    /// Reads the file at `path` up to one byte more than `len_max`, so that `check` can say that it is too long.
    pub(super) fn read<E: fmt::Display>(
        path: &str,
        len_max: usize,
        check: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let opened = File::open(path).map(|file| file.take(len_max as u64 + 1));
        let read = opened.and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| format!("{path}: {error}"))?;
        check(&bytes).map_err(|error| format!("{path}: {error}"))?;
        Ok(Self(bytes.into()))
    }

    /// What is in it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CheckedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a file of {} bytes", self.0.len())
    }
}
