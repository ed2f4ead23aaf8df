//! **The question:** what do the heads of a Matroska or WebM file say of its tracks (RFC 9559; AV1 and Opus mappings of
//! the Matroska project)? Elements that are not there have the defaults of RFC 9559, section 5.

use std::time::Duration;

use bytes::Bytes;

use crate::base::media::Orientation;
use crate::base::media::{Matrix, NANOS_PER_SECOND, Size};
use crate::engine::decode::{Cut, Reshape};
use crate::io::demux::ebml::{child, children, float, unsigned};
use crate::io::demux::orientation::quarter_turns;
use crate::io::demux::stored::{Fault, broken, span};

/// Elements by their identifiers.
pub(super) mod id {
    pub(in crate::io::demux) const EBML: u32 = 0x1a45_dfa3;
    pub(in crate::io::demux) const SEGMENT: u32 = 0x1853_8067;
    pub(in crate::io::demux) const SEEK_HEAD: u32 = 0x114d_9b74;
    pub(in crate::io::demux) const INFO: u32 = 0x1549_a966;
    pub(in crate::io::demux) const TRACKS: u32 = 0x1654_ae6b;
    pub(in crate::io::demux) const CLUSTER: u32 = 0x1f43_b675;
    pub(in crate::io::demux) const TIMESTAMP: u32 = 0xe7;
    pub(in crate::io::demux) const SIMPLE_BLOCK: u32 = 0xa3;
    pub(in crate::io::demux) const BLOCK_GROUP: u32 = 0xa0;
    pub(in crate::io::demux) const BLOCK: u32 = 0xa1;
    pub(in crate::io::demux) const BLOCK_DURATION: u32 = 0x9b;
    pub(in crate::io::demux) const REFERENCE_BLOCK: u32 = 0xfb;
    pub(in crate::io::demux) const DISCARD_PADDING: u32 = 0x75a2;
}

/// What `Info` says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Info {
    /// Nanoseconds of one unit of time.
    pub(super) unit: u64,
    pub(super) span: Option<Duration>,
}

impl Default for Info {
    fn default() -> Self {
        Self { unit: 1_000_000, span: None }
    }
}

impl Info {
    pub(super) fn parse(body: &[u8]) -> Self {
        let unit = child(body, 0x2a_d7b1).and_then(unsigned).filter(|unit| *unit > 0).unwrap_or(Self::default().unit);
        let units = child(body, 0x4489).and_then(float).filter(|units| (1.0..1e15).contains(units));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie within 1 and 1e15")]
        let span = units.map(|units| span((units as u64).saturating_mul(unit), NANOS_PER_SECOND));
        Self { unit, span }
    }
}

/// Where `SeekHead` says that an element lies, from the start of the segment's body.
pub(super) fn seek_position(body: &[u8], wanted: u32) -> Option<u64> {
    let entries = children(body).filter(|(id, _)| *id == 0x4dbb);
    let mut found = entries.filter(|(_, seek)| child(seek, 0x53ab).and_then(unsigned) == Some(wanted.into()));
    found.next().and_then(|(_, seek)| child(seek, 0x53ac)).and_then(unsigned)
}

/// What a track carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Audio,
    Other,
}

/// What `TrackEntry` says.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) codec: String,
    pub(super) private: Bytes,
    /// It may be played; a player chooses it unasked; it is somebody who talks about the film.
    pub(super) enabled: bool,
    pub(super) default: bool,
    pub(super) commentary: bool,
    /// How much earlier a sample sounds than its time says.
    pub(super) delay: Duration,
    /// Of one sample.
    pub(super) span: Option<Duration>,
    pub(super) video: Option<Video>,
    /// Bytes that were taken from the front of each sample, or why samples cannot be read.
    pub(super) stripped: Result<Bytes, &'static str>,
}

/// What `Video` says.
#[derive(Debug, Clone)]
pub(super) struct Video {
    pub(super) size: Size,
    pub(super) reshape: Reshape,
    /// What is not obeyed.
    pub(super) note: Option<&'static str>,
    /// H.273's matrix if it is stated, and whether the range is full if that is.
    pub(super) colour: Option<(Matrix, Option<bool>)>,
}

impl Entry {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let number = |id: u32| child(body, id).and_then(unsigned);
        let flag = |id: u32, default: bool| number(id).map_or(default, |value| value != 0);
        let kind = match number(0x83) {
            Some(1) => Kind::Video,
            Some(2) => Kind::Audio,
            _ => Kind::Other,
        };
        let video = child(body, 0xe0).filter(|_| kind == Kind::Video).map(Video::parse).transpose()?;
        let codec = String::from_utf8_lossy(child(body, 0x86).unwrap_or_default());
        Ok(Self {
            number: number(0xd7).ok_or_else(|| broken("a track without a number"))?,
            kind,
            codec: codec.trim_end_matches('\0').to_owned(),
            private: Bytes::copy_from_slice(child(body, 0x63a2).unwrap_or_default()),
            enabled: flag(0xb9, true),
            default: flag(0x88, true),
            commentary: flag(0x55af, false),
            delay: Duration::from_nanos(number(0x56aa).unwrap_or(0)),
            span: number(0x23_e383).filter(|nanos| *nanos > 0).map(Duration::from_nanos),
            video,
            stripped: child(body, 0x6d80).map_or(Ok(Bytes::new()), stripped),
        })
    }
}

/// Of `ContentEncodings`: header stripping is undone; what else was done to samples is not.
fn stripped(encodings: &[u8]) -> Result<Bytes, &'static str> {
    let mut prefix = Bytes::new();
    for (_, encoding) in children(encodings).filter(|(id, _)| *id == 0x6240) {
        if child(encoding, 0x5033).and_then(unsigned).unwrap_or(0) != 0 {
            return Err("encrypted samples");
        }
        let compression = child(encoding, 0x5034).unwrap_or_default();
        // 3 is header stripping; 0, the default, is zlib.
        if child(compression, 0x4254).and_then(unsigned).unwrap_or(0) != 3 {
            return Err("compressed samples");
        }
        if child(encoding, 0x5032).and_then(unsigned).unwrap_or(1) & 1 != 0 {
            prefix = Bytes::copy_from_slice(child(compression, 0x4255).unwrap_or_default());
        }
    }
    Ok(prefix)
}

impl Video {
    fn parse(body: &[u8]) -> Result<Self, Fault> {
        let number = |id: u32| child(body, id).and_then(unsigned);
        let side = |id: u32| number(id).map_or(0, |pixels| u32::try_from(pixels).unwrap_or(u32::MAX));
        let size = Size::new(side(0xb0), side(0xba));
        if size.width == 0 || size.height == 0 {
            return Err(broken("its video track has no size"));
        }
        let [bottom, top, left, right] = [0x54aa, 0x54bb, 0x54cc, 0x54dd].map(side);
        let shown = Size::new(
            size.width.saturating_sub(left.saturating_add(right)),
            size.height.saturating_sub(top.saturating_add(bottom)),
        );
        let is_cut = shown != size && shown.width > 0 && shown.height > 0;
        let cut = is_cut.then_some(Cut { of: size, left, top, size: shown });
        let shown = if is_cut { shown } else { size };
        let orientation = child(body, 0x7670).map_or(Ok(Orientation::default()), projection)?;
        let aspect = aspect([side(0x54b0), side(0x54ba)], number(0x54b2).unwrap_or(0), shown);
        let Orientation { mirrored, turns } = orientation;
        let is_around = child(body, 0x7670).and_then(|body| child(body, 0x7671)).and_then(unsigned).unwrap_or(0) != 0;
        let note = match number(0x53b8) {
            Some(mode) if mode != 0 => Some("its pictures hold two eyes' views, and are shown as they are stored"),
            _ if is_around => Some("its pictures look around, and are shown flat, as they are stored"),
            _ => None,
        };
        let colour = child(body, 0x55b0).and_then(|colour| {
            let value = |id: u32| child(colour, id).and_then(unsigned).and_then(|value| u32::try_from(value).ok());
            // Ranges: 1 is limited, 2 full.
            let range = value(0x55b9).and_then(|range| [None, Some(false), Some(true)].get(range as usize).copied()?);
            value(0x55b1).and_then(Matrix::of).map(|matrix| (matrix, range))
        });
        Ok(Self { size, reshape: Reshape { cut, mirrored, turns, aspect }, note, colour })
    }
}

/// Of `Projection`: a picture that is flat may be rolled, and seen from behind (yaw of half a turn).
fn projection(body: &[u8]) -> Result<Orientation, Fault> {
    let angle = |id: u32| child(body, id).and_then(float).filter(|angle| angle.is_finite()).unwrap_or(0.0);
    let (yaw, pitch, roll) = (angle(0x7673), angle(0x7674), angle(0x7675));
    let is_flat = child(body, 0x7671).and_then(unsigned).unwrap_or(0) == 0;
    if !is_flat {
        return Ok(Orientation::default());
    }
    let mirrored = (yaw.abs() - 180.0).abs() < 1.0;
    if pitch != 0.0 || (yaw != 0.0 && !mirrored) {
        return Err(Fault::Kind(format!("pictures tilted by {pitch}° and {yaw}°")));
    }
    // Rolls count against the clock; of a picture seen from behind, with it. There the roll comes first, which is the
    // other way round once the picture was mirrored.
    let turns = quarter_turns(-roll).ok_or_else(|| Fault::Kind(format!("pictures rolled by {roll}°")))?;
    Ok(Orientation { mirrored, turns })
}

/// Of `DisplayWidth` and `DisplayHeight`: the shape of one sample.
fn aspect([width, height]: [u32; 2], unit: u64, shown: Size) -> (u32, u32) {
    // In pixels, centimetres, inches or as a ratio (0 to 3) it is the same ratio; 4 is unknown. In pixels either may be
    // left out.
    let (width, height) = match (width, height) {
        _ if unit > 3 => return (1, 1),
        (0, 0) => return (1, 1),
        (0, height) => (shown.width, height),
        (width, 0) => (width, shown.height),
        both => both,
    };
    ratio(u64::from(width) * u64::from(shown.height), u64::from(height) * u64::from(shown.width))
}

/// A fraction whose terms fit 32 bits; what is within 1 % of square is square, for writers round.
pub(super) fn ratio(width: u64, height: u64) -> (u32, u32) {
    if width == 0 || height == 0 || width.abs_diff(height).saturating_mul(100) <= height {
        return (1, 1);
    }
    let shift = (64 - width.max(height).leading_zeros()).saturating_sub(32);
    let term = |term: u64| u32::try_from(term >> shift).unwrap_or(u32::MAX).max(1);
    (term(width), term(height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_33_what_matroska_says_of_shape_is_read() {
        let size = Size::new(720, 576);
        assert_eq!(aspect([0, 0], 0, size), (1, 1));
        assert_eq!(aspect([720, 576], 0, size), (1, 1));
        let wide = aspect([1024, 576], 0, size);
        assert!((f64::from(wide.0) / f64::from(wide.1) - 64.0 / 45.0).abs() < 1e-6, "{wide:?}");
        let wide = aspect([16, 9], 3, size);
        assert!((f64::from(wide.0) / f64::from(wide.1) - 64.0 / 45.0).abs() < 1e-6, "{wide:?}");
        assert_eq!(aspect([16, 9], 4, size), (1, 1));
        assert_eq!(ratio(u64::from(u32::MAX) * 4, u64::from(u32::MAX)), (u32::MAX, u32::MAX >> 2));
    }

    #[test]
    fn case_60_colours_are_read_where_they_are_stated() {
        let video = |colour: &[u8]| {
            let body = [&[0xb0, 0x81, 64, 0xba, 0x81, 36, 0x55, 0xb0, 0x80 | colour.len() as u8][..], colour].concat();
            Video::parse(&body).unwrap().colour
        };
        assert_eq!(video(&[0x55, 0xb1, 0x81, 1, 0x55, 0xb9, 0x81, 2]), Some((Matrix::Bt709, Some(true))));
        assert_eq!(video(&[0x55, 0xb1, 0x81, 9]), Some((Matrix::Bt2020, None)));
        assert_eq!(video(&[0x55, 0xb1, 0x81, 2, 0x55, 0xb9, 0x81, 1]), None, "unspecified");
        assert_eq!(video(&[]), None);
    }

    #[test]
    fn case_33_rolls_are_turns_against_the_clock() {
        let roll = |angle: f32| [&[0x76, 0x75, 0x84][..], &angle.to_be_bytes()].concat();
        let turns = |angle: f32| projection(&roll(angle)).map(|orientation| orientation.turns).ok();
        assert_eq!([0.0, 90.0, -90.0, 180.0].map(turns), [Some(0), Some(3), Some(1), Some(2)]);
        assert!(projection(&roll(45.0)).is_err_and(|fault| fault.to_string().contains("rolled by 45°")));
        let behind = [&roll(0.0)[..], &[0x76, 0x73, 0x84], &180.0_f32.to_be_bytes()].concat();
        assert_eq!(projection(&behind).unwrap(), Orientation { mirrored: true, turns: 0 });
    }

    #[test]
    fn case_37_headers_that_were_stripped_are_known_and_encryption_is_named() {
        let encoding = |body: &[u8]| [&[0x62, 0x40, 0x80 | body.len() as u8][..], body].concat();
        let stripping = encoding(&[0x50, 0x34, 0x88, 0x42, 0x54, 0x81, 3, 0x42, 0x55, 0x81, 9]);
        assert_eq!(stripped(&stripping), Ok(Bytes::from_static(&[9])));
        assert_eq!(stripped(&encoding(&[0x50, 0x33, 0x81, 1])), Err("encrypted samples"));
        assert_eq!(stripped(&encoding(&[0x50, 0x34, 0x80])), Err("compressed samples"));
    }
}
