//! **The question:** what are the packets of this Ogg stream (RFC 3533)? One at a time, each bounded.

use crate::base::limits;

/// Bytes before each Ogg page's segment table (RFC 3533 section 6).
const HEADER_BYTES: usize = 27;

/// The file is cut off, or has a packet longer than `limits::OGG_PACKET_LEN_MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MalformedOgg;

/// The packets of a file of one stream, in order; only the one under way is held.
pub(super) struct OggPackets<'a> {
    rest: &'a [u8],
    /// Lengths of the segments of this page that are not read.
    lacing: &'a [u8],
    packet: Vec<u8>,
}

impl<'a> OggPackets<'a> {
    pub(super) fn new(file: &'a [u8]) -> Self {
        Self { rest: file, lacing: &[], packet: Vec::new() }
    }

    /// The next packet; `None` at the end.
    ///
    /// # Errors
    /// [`MalformedOgg`] where there can be none.
    pub(super) fn next_packet(&mut self) -> Result<Option<&[u8]>, MalformedOgg> {
        self.packet.clear();
        loop {
            let Some((length, lacing)) = self.lacing.split_first() else {
                if self.rest.is_empty() {
                    // A packet that no page ends is none.
                    return Ok(None);
                }
                self.begin_page().ok_or(MalformedOgg)?;
                continue;
            };
            self.lacing = lacing;
            let (segment, rest) = self.rest.split_at_checked(usize::from(*length)).ok_or(MalformedOgg)?;
            self.rest = rest;
            self.packet.extend_from_slice(segment);
            if self.packet.len() > limits::OGG_PACKET_LEN_MAX {
                return Err(MalformedOgg);
            }
            if *length < 255 {
                return Ok(Some(&self.packet));
            }
        }
    }

    fn begin_page(&mut self) -> Option<()> {
        let header = self.rest.get(..HEADER_BYTES).filter(|header| header.starts_with(b"OggS"))?;
        let segments = HEADER_BYTES + usize::from(header[26]);
        self.lacing = self.rest.get(HEADER_BYTES..segments)?;
        self.rest = &self.rest[segments..];
        Some(())
    }
}
