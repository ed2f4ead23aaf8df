//! **The question:** as what is a playlist sent? As it is, or in gzip (RFC 1952) to whoever reads that, as RFC 8216bis
//! wants it (section 6.2.1): an eighth of it, packed when the first one asks, and once for all who do.

use std::sync::OnceLock;

use bytes::Bytes;

/// A text of a rung's.
#[derive(Debug)]
pub struct Text {
    plain: Bytes,
    packed: OnceLock<Bytes>,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { plain: text.into(), packed: OnceLock::new() }
    }

    /// As it is.
    #[must_use]
    pub fn plain(&self) -> &Bytes {
        &self.plain
    }

    /// As the door packs it. Nobody waits for this but those who ask for the same text.
    #[must_use]
    pub fn packed(&self, pack: impl FnOnce(&[u8]) -> Bytes) -> &Bytes {
        self.packed.get_or_init(|| pack(&self.plain))
    }
}
