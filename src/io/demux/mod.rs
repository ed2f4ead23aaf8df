//! **The question:** what lies in a media file? Floor 4: one reader a container, told apart by content, never by name.
//!
//! Doors: [`pictures`] opens a file's picture track (AV1 in IVF, MP4 or WebM; raw 8-bit 4:2:0 in Y4M), [`sound`] its
//! Opus track (MP4, WebM). A file is read front to back through a small buffer; files of any length cost the same
//! memory.

mod ivf;
mod mp4;
mod mp4_index;
mod stored;
#[cfg(test)]
mod tests;
mod webm;
mod y4m;

pub use stored::{Coding, Fault, Pictures, Stored, Track};

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::base::limits;
use crate::base::media::Size;
use crate::core::bitstream::av1::{SequenceHeader, TemporalUnit};
use stored::Reader;

/// Bytes read at once.
const BUFFER_BYTES: usize = 32 * 1024;

/// The containers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Ivf,
    Mp4,
    WebM,
    Y4m,
}

/// Opens the picture track of the file at `path`.
///
/// # Errors
/// Whatever makes the file useless as a whole.
pub fn pictures(path: &Path) -> Result<Pictures, Fault> {
    let (container, file) = open(path)?;
    let pictures = match container {
        Container::Ivf => ivf::pictures(file),
        Container::Mp4 => mp4::pictures(file),
        Container::WebM => webm::pictures(file),
        Container::Y4m => y4m::pictures(file),
    }?;
    check(pictures)
}

/// Opens the Opus track of the file at `path`; `None` if it has none, or a codec that is not Opus.
///
/// # Errors
/// Whatever makes the file useless as a whole.
pub fn sound(path: &Path) -> Result<Option<Box<dyn Track>>, Fault> {
    let (container, file) = open(path)?;
    match container {
        Container::Mp4 => mp4::sound(file),
        Container::WebM => webm::sound(file),
        Container::Ivf | Container::Y4m => Ok(None),
    }
}

fn open(path: &Path) -> Result<(Container, Reader), Fault> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path)?);
    let mut head = Vec::with_capacity(16);
    (&mut file).take(16).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok((recognise(&head).ok_or(Fault::Unknown)?, file))
}

fn recognise(head: &[u8]) -> Option<Container> {
    const MP4_BOXES: [&[u8]; 7] = [b"ftyp", b"moov", b"styp", b"free", b"skip", b"wide", b"mdat"];
    if head.starts_with(b"DKIF") {
        Some(Container::Ivf)
    } else if head.starts_with(b"YUV4MPEG2 ") {
        Some(Container::Y4m)
    } else if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        Some(Container::WebM)
    } else {
        head.get(4..8).is_some_and(|kind| MP4_BOXES.contains(&kind)).then_some(Container::Mp4)
    }
}

/// Looks at the first sample, so that what can never be composed is refused before anything is written.
fn check(pictures: Pictures) -> Result<Pictures, Fault> {
    let Pictures { coding, mut size, span, nominal, mut track } = pictures;
    let first = track.next()?.ok_or(Fault::NoPictures)?;
    if coding == Coding::Av1 {
        let header = TemporalUnit::parse(&first.data).ok().and_then(|unit| unit.sequence_header);
        // Without one, decoding begins where the first keyframe is.
        if let Some(header) = header.and_then(|obu| SequenceHeader::parse(&obu).ok()) {
            let faults = [(header.high_bitdepth, "more than 8 bits a sample"), (header.monochrome, "grey pictures")];
            let other = (header.subsampling != (true, true), "chroma that is not 4:2:0");
            if let Some((_, what)) = faults.into_iter().chain([other]).find(|(is, _)| *is) {
                return Err(Fault::Kind(what.to_owned()));
            }
            size = header.size;
        }
    }
    let Size { width, height } = size;
    if width.max(height) > limits::INGEST_SIDE_MAX
        || u64::from(width) * u64::from(height) > limits::INGEST_PIXELS_MAX.into()
    {
        return Err(Fault::Kind(format!("pictures of {width}x{height}")));
    }
    Ok(Pictures { coding, size, span, nominal, track: Box::new(Again { first: Some(first), rest: track }) })
}

/// A track of which the first sample has been looked at.
struct Again {
    first: Option<Stored>,
    rest: Box<dyn Track>,
}

impl Track for Again {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.rest.next(),
        }
    }
}
