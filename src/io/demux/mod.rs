//! **The question:** what lies in a media file? Floor 4: one reader a container, told apart by content, never by name.
//!
//! Door: [`open`] gives a file's picture track (AV1 in IVF, MP4, WebM or Matroska; raw 8-bit 4:2:0 in Y4M) and its Opus
//! track (MP4, WebM, Matroska, Ogg), of which either may be missing. A file is read front to back through a small
//! buffer; files of any length cost the same memory.

mod blocks;
mod ebml;
mod ivf;
mod matroska;
mod mp4;
mod mp4_edits;
mod mp4_index;
mod mp4_picture;
mod ogg;
mod orientation;
mod stored;
#[cfg(test)]
mod tests;
mod webm;
mod y4m;

pub use stored::{Coding, Fault, Media, Pictures, Sound, Stored, Track};

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crate::base::media::{Colour, Pts};
use crate::core::bitstream::av1::{SequenceHeader, TemporalUnit};
use stored::{check_size, reader};

/// The containers that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    Ivf,
    Mp4,
    Ogg,
    WebM,
    Y4m,
}

/// Opens the tracks of the file at `path`. Its first picture or sound, whichever comes first, is its time zero: files
/// cut out of longer ones begin at once. Only a recording's own tracks keep their times, by which they line up.
///
/// # Errors
/// Whatever makes the file useless as a whole.
pub fn open(path: &Path) -> Result<Media, Fault> {
    let mut head = Vec::with_capacity(16);
    reader(path)?.take(16).read_to_end(&mut head)?;
    let media = match recognise(&head)? {
        Container::Ivf => ivf::open(path),
        Container::Mp4 => mp4::open(path),
        Container::Ogg => ogg::open(path),
        Container::WebM => webm::open(path),
        Container::Y4m => y4m::open(path),
    }?;
    begin(media)
}

fn recognise(head: &[u8]) -> Result<Container, Fault> {
    const MP4_BOXES: [&[u8]; 7] = [b"ftyp", b"moov", b"styp", b"free", b"skip", b"wide", b"mdat"];
    if head.starts_with(b"DKIF") {
        Ok(Container::Ivf)
    } else if head.starts_with(b"YUV4MPEG2 ") {
        Ok(Container::Y4m)
    } else if head.starts_with(b"OggS") {
        Ok(Container::Ogg)
    } else if head.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) {
        Ok(Container::WebM)
    } else if head.starts_with(b"RIFF") || head.starts_with(b"RF64") || head.starts_with(b"fLaC") {
        Err(Fault::SoundCodec("uncompressed or lossless sound".to_owned()))
    } else if head.get(4..8).is_some_and(|kind| MP4_BOXES.contains(&kind)) {
        Ok(Container::Mp4)
    } else {
        Err(Fault::Unknown)
    }
}

/// Looks at the first samples: what can never be composed is refused before anything is written, and the earlier one is
/// the file's zero.
fn begin(media: Media) -> Result<Media, Fault> {
    let Media { pictures, sound, notes, keeps_time } = media;
    let mut pictures = pictures.map(first_picture).transpose()?.flatten();
    let mut sound = sound.map(first_sound).transpose()?.flatten();
    let first = |track: &Peeked| track.first.as_ref().map_or(Pts(0), |stored| stored.at);
    let starts = [pictures.as_ref().map(|(_, track)| first(track)), sound.as_ref().map(|(_, track)| first(track))];
    let zero = starts.into_iter().flatten().min().ok_or(Fault::Nothing)?;
    let zero = if keeps_time { Pts(0) } else { zero };
    let shift = zero.since(Pts(0));
    // What a file says of its length counts from where its own time begins.
    let shorter = |span: Option<Duration>| span.map(|span| span.checked_sub(shift).unwrap_or(span));
    let moved = |track: Peeked| Box::new(Peeked { zero, ..track });
    let pictures = pictures.take().map(|(pictures, track)| Pictures {
        span: shorter(pictures.span),
        track: moved(track),
        ..pictures
    });
    let sound = sound.take().map(|(sound, track)| Sound { span: shorter(sound.span), track: moved(track), ..sound });
    Ok(Media { pictures, sound, notes, keeps_time })
}

/// A picture track whose first sample has been looked at; `None` if it has none.
fn first_picture(mut pictures: Pictures) -> Result<Option<(Pictures, Peeked)>, Fault> {
    let mut rest = std::mem::replace(&mut pictures.track, Box::new(Nothing));
    let Some(first) = rest.next()? else { return Ok(None) };
    let mut full_range = false;
    if pictures.coding == Coding::Av1 {
        let header = TemporalUnit::parse(&first.data).ok().and_then(|unit| unit.sequence_header);
        // Without one, decoding begins where the first keyframe is.
        if let Some(header) = header.and_then(|obu| SequenceHeader::parse(&obu).ok()) {
            if header.color.is_some_and(|color| color.matrix == 0) && !header.monochrome {
                return Err(Fault::Kind("planes of red, green and blue".to_owned()));
            }
            (pictures.size, full_range) = (header.size, header.full_range);
        }
    }
    check_size(pictures.size)?;
    // A container that states a matrix may leave the range to the bitstream.
    let stated = pictures.stated.take();
    pictures.colour = stated.map(|(matrix, full)| Colour { matrix, full_range: full.unwrap_or(full_range) });
    Ok(Some((pictures, Peeked { first: Some(first), rest, zero: Pts(0) })))
}

/// A sound track whose first packet has been looked at; `None` if it has none.
fn first_sound(mut sound: Sound) -> Result<Option<(Sound, Peeked)>, Fault> {
    let mut rest = std::mem::replace(&mut sound.track, Box::new(Nothing));
    let first = rest.next()?;
    Ok(first.map(|first| (sound, Peeked { first: Some(first), rest, zero: Pts(0) })))
}

/// A track of which the first sample has been looked at, and whose times count from `zero`.
struct Peeked {
    first: Option<Stored>,
    rest: Box<dyn Track>,
    zero: Pts,
}

impl Track for Peeked {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        let stored = match self.first.take() {
            Some(first) => Some(first),
            None => self.rest.next()?,
        };
        Ok(stored.map(|stored| Stored { at: Pts(0) + stored.at.since(self.zero), ..stored }))
    }
}

/// The place of a track that is being looked at.
struct Nothing;

impl Track for Nothing {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        Ok(None)
    }
}
