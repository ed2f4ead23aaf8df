//! **The question:** as what is a playlist sent? As it is, or in gzip (RFC 1952) to whoever reads that, as RFC 8216bis
//! wants it (section 6.2.1): an eighth of it, packed when the first one asks, and once for all who do.

use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

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

    /// In gzip. Nobody waits for this but those who ask for the same text.
    #[must_use]
    pub fn gzip(&self) -> &Bytes {
        self.packed.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::with_capacity(self.plain.len() / 4), Compression::default());
            encoder.write_all(&self.plain).expect("memory takes what is written to it");
            encoder.finish().expect("memory takes what is written to it").into()
        })
    }
}
