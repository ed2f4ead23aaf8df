//! **The question:** which frames does an IVF file hold? 32 bytes of header, then frames, each behind 4 bytes of length
//! and 8 of time; all little-endian. The first frame is the file's zero.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::base::media::{Pts, Size};
use crate::engine::decode::Reshape;
use crate::io::demux::stored::{
    Coding, Fault, Media, NOMINAL, Pictures, Reader, Stored, Track, read_bytes, reader, sample_len, span,
};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 12;

struct Ivf {
    file: Reader,
    /// Units of time a second: a fraction.
    rate: u64,
    scale: u64,
    first: Option<u64>,
}

pub(super) fn open(path: &Path) -> Result<Media, Fault> {
    let pictures = Some(pictures(reader(path)?)?);
    Ok(Media { pictures, ..Media::default() })
}

fn pictures(mut file: Reader) -> Result<Pictures, Fault> {
    let header = read_bytes(&mut file, HEADER_BYTES)?;
    let half = |at: usize| u32::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let word = |at: usize| u64::from(u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]));
    if &header[8..12] != b"AV01" {
        return Err(Fault::Codec(match &header[8..12] {
            b"VP80" => "VP8".to_owned(),
            b"VP90" => "VP9".to_owned(),
            other => other.escape_ascii().to_string(),
        }));
    }
    if half(6) > HEADER_BYTES as u32 {
        read_bytes(&mut file, half(6) as usize - HEADER_BYTES)?;
    }
    let (rate, scale, frames) = (word(16).max(1), word(20).max(1), word(24));
    // Writers of units finer than a frame (1/90000 and the like) say nothing about its span.
    let spacing = span(scale, rate);
    let nominal = if spacing.as_millis() >= 4 { spacing } else { NOMINAL };
    let total = (frames > 0 && nominal == spacing).then(|| nominal.saturating_mul(u32::try_from(frames).unwrap_or(0)));
    let size = Size::new(half(12), half(14));
    let track = Box::new(Ivf { file, rate, scale, first: None });
    Ok(Pictures {
        coding: Coding::Av1,
        size,
        span: total,
        nominal,
        reshape: Reshape::default(),
        colour: None,
        stated: None,
        track,
    })
}

impl Track for Ivf {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        let mut header = Vec::with_capacity(FRAME_HEADER_BYTES);
        (&mut self.file).take(FRAME_HEADER_BYTES as u64).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(None);
        }
        let (length, time) = header.split_first_chunk::<4>().ok_or(Fault::Cut)?;
        let time = u64::from_le_bytes(time.try_into().map_err(|_| Fault::Cut)?);
        let data: Bytes = read_bytes(&mut self.file, sample_len(u32::from_le_bytes(*length).into())?)?;
        let keyframe = self.first.is_none();
        let first = *self.first.get_or_insert(time);
        let at = span(time.saturating_sub(first).saturating_mul(self.scale), self.rate);
        let none = Duration::ZERO;
        Ok(Some(Stored { at: Pts(0) + at, skip: none, trim: none, span: None, data, keyframe }))
    }
}
