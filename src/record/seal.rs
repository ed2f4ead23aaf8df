//! **The question:** in what form does a piece leave for the store? The one place where bytes that are to be stored pass by.
//!
//! Now every piece leaves in the clear. Part 4 adds a variant that holds a data key and turns each piece into a sealed chunk, and
//! then a piece is an object of its own: nothing is patched any more, the total duration moves into the sealed manifest.

use bytes::Bytes;

use crate::record::PieceKind;

/// How pieces are sealed.
#[derive(Debug, Clone, Default)]
pub enum Seal {
    /// As they are: a plain file that any player opens.
    #[default]
    Clear,
}

impl Seal {
    /// The form in which `bytes` are stored. `kind` names what they are; a sealed form authenticates it.
    #[must_use]
    pub fn seal(&self, _kind: &PieceKind, bytes: Bytes) -> Bytes {
        match self {
            Self::Clear => bytes,
        }
    }
}
