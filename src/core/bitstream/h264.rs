//! **The question:** what does an H.264 access unit say of itself? NAL units behind start codes (ITU-T H.264 annex B),
//! whether decoding may start with it, and its sequence parameter set (7.3.2.1.1, annex E for colours).

use bytes::Bytes;

use crate::base::media::Size;

/// What stands before each NAL unit here.
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// `nal_unit_type` (table 7-1), as far as anybody here asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NalKind {
    /// A slice of any picture but an IDR's.
    Slice,
    /// A slice of an IDR picture: nothing after it needs anything before it.
    Idr,
    /// Sequence parameter set.
    Sps,
    /// Picture parameter set.
    Pps,
    /// What no decoder needs: delimiter, end of sequence or stream, filler.
    Dispensable,
    /// All others, kept as they are.
    Other,
}

/// What a NAL unit's first byte says.
#[must_use]
pub const fn kind_of(header: u8) -> NalKind {
    match header & 0x1f {
        1..=4 => NalKind::Slice,
        5 => NalKind::Idr,
        7 => NalKind::Sps,
        8 => NalKind::Pps,
        9..=12 => NalKind::Dispensable,
        _ => NalKind::Other,
    }
}

/// The NAL units of a byte stream, without start codes and trailing zeros; empty ones are left out.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        loop {
            let stream = rest?;
            let (unit, next) = match start_code(stream) {
                Some(at) => (&stream[..at], Some(&stream[at + 3..])),
                None => (stream, None),
            };
            rest = next;
            let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if end > 0 {
                return Some(&unit[..end]);
            }
        }
    })
}

/// Where three bytes 0 0 1 stand first.
fn start_code(stream: &[u8]) -> Option<usize> {
    stream.windows(3).position(|bytes| bytes == [0, 0, 1])
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    start_code(stream).map(|at| &stream[at + 3..])
}

/// What an access unit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// A slice of an IDR picture.
    pub idr: bool,
    /// Slices of any kind.
    pub slices: bool,
    /// A sequence parameter set.
    pub sps: bool,
    /// A picture parameter set.
    pub pps: bool,
}

/// Looks through an access unit.
#[must_use]
pub fn contents(unit: &[u8]) -> Contents {
    let mut found = Contents::default();
    for nal in nal_units(unit) {
        match kind_of(nal[0]) {
            NalKind::Idr => (found.idr, found.slices) = (true, true),
            NalKind::Slice => found.slices = true,
            NalKind::Sps => found.sps = true,
            NalKind::Pps => found.pps = true,
            NalKind::Dispensable | NalKind::Other => {}
        }
    }
    found
}

/// The parameter sets of an access unit, each behind its start code; `None` if it lacks one of both kinds.
#[must_use]
pub fn parameter_sets(unit: &[u8]) -> Option<Bytes> {
    let sets = nal_units(unit).filter(|nal| matches!(kind_of(nal[0]), NalKind::Sps | NalKind::Pps));
    let Contents { sps: true, pps: true, .. } = contents(unit) else { return None };
    let mut joined = Vec::new();
    for nal in sets {
        joined.extend_from_slice(&START_CODE);
        joined.extend_from_slice(nal);
    }
    Some(joined.into())
}

/// A sequence parameter set, as far as a decoder's owner asks before it decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sps {
    /// `profile_idc`, 66 for Baseline.
    pub profile: u8,
    /// `constraint_set0_flag` and the others, from the top bit on.
    pub constraints: u8,
    /// `level_idc`, ten times the level.
    pub level: u8,
    /// Bits of a luma sample.
    pub bit_depth: u8,
    /// `chroma_format_idc`: 0 monochrome, 1 4:2:0, 2 4:2:2, 3 4:4:4.
    pub chroma_format: u8,
    /// Of the picture that is shown: what is cropped is left out.
    pub size: Size,
    /// `video_full_range_flag`, if colours are described.
    pub full_range: Option<bool>,
    /// `matrix_coefficients` (ITU-T H.273), if described.
    pub matrix: Option<u8>,
}

impl Sps {
    /// The first one of an access unit; `None` if there is none, or none that can be read.
    #[must_use]
    pub fn find(unit: &[u8]) -> Option<Self> {
        nal_units(unit).find(|nal| kind_of(nal[0]) == NalKind::Sps).and_then(Self::parse)
    }

    /// Reads a NAL unit with its header byte.
    #[must_use]
    pub fn parse(nal: &[u8]) -> Option<Self> {
        let bytes = without_emulation_prevention(nal.get(1..)?);
        let mut bits = Bits { bytes: &bytes, at: 0 };
        let [profile, constraints, level] = [bits.byte()?, bits.byte()?, bits.byte()?];
        bits.golomb()?;
        let (chroma_format, bit_depth, separate) =
            if HAS_CHROMA_FORMAT.contains(&profile) { high_profile(&mut bits)? } else { (1, 8, false) };
        bits.golomb()?;
        match bits.golomb()? {
            0 => drop(bits.golomb()?),
            1 => {
                bits.skip(1)?;
                bits.golomb()?;
                bits.golomb()?;
                for _ in 0..bits.golomb()?.min(256) {
                    bits.golomb()?;
                }
            }
            _ => {}
        }
        bits.golomb()?;
        bits.skip(1)?;
        let (columns, rows) = (bits.golomb()?.checked_add(1)?, bits.golomb()?.checked_add(1)?);
        let frames_only = bits.bit()?;
        bits.skip(if frames_only { 1 } else { 2 })?;
        let crop = if bits.bit()? { [bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?] } else { [0; 4] };
        let size = cropped(columns, rows, frames_only, if separate { 0 } else { chroma_format }, crop)?;
        let (full_range, matrix) = if bits.bit()? { colours(&mut bits).unwrap_or_default() } else { (None, None) };
        Some(Self { profile, constraints, level, bit_depth, chroma_format, size, full_range, matrix })
    }
}

/// Profiles whose parameter sets tell the chroma format (7.3.2.1.1).
const HAS_CHROMA_FORMAT: [u8; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Chroma format, bit depth, and whether the three planes are coded as pictures of their own.
fn high_profile(bits: &mut Bits<'_>) -> Option<(u8, u8, bool)> {
    let chroma_format = u8::try_from(bits.golomb()?).ok().filter(|format| *format <= 3)?;
    let separate = chroma_format == 3 && bits.bit()?;
    let bit_depth = u8::try_from(bits.golomb()?).ok().filter(|more| *more <= 6)? + 8;
    bits.golomb()?;
    bits.skip(1)?;
    if bits.bit()? {
        for list in 0..if chroma_format == 3 { 12 } else { 8 } {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some((chroma_format, bit_depth, separate))
}

/// 7.3.2.1.1.1.
fn skip_scaling_list(bits: &mut Bits<'_>, length: usize) -> Option<()> {
    let (mut last, mut next) = (8_i64, 8_i64);
    for _ in 0..length {
        if next != 0 {
            next = (last + bits.signed_golomb()? + 256).rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// Formulas 7-19 to 7-22: cropping counts in units of chroma samples and, with fields, of two rows.
fn cropped(columns: u32, rows: u32, frames_only: bool, chroma_format: u8, crop: [u32; 4]) -> Option<Size> {
    let fields = if frames_only { 1 } else { 2 };
    let (unit_x, unit_y) = match chroma_format {
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => (1, fields),
    };
    let side = |blocks: u32, times: u32, unit: u32, crop: [u32; 2]| {
        let whole = blocks.checked_mul(16)?.checked_mul(times)?;
        whole.checked_sub(crop[0].checked_add(crop[1])?.checked_mul(unit)?).filter(|left| *left > 0)
    };
    Some(Size::new(side(columns, 1, unit_x, [crop[0], crop[1]])?, side(rows, fields, unit_y, [crop[2], crop[3]])?))
}

/// The part of annex E that describes colours.
fn colours(bits: &mut Bits<'_>) -> Option<(Option<bool>, Option<u8>)> {
    if bits.bit()? && bits.byte()? == 255 {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.skip(1)?;
    }
    if !bits.bit()? {
        return Some((None, None));
    }
    bits.skip(3)?;
    let full_range = bits.bit()?;
    let matrix = if bits.bit()? {
        bits.skip(16)?;
        Some(bits.byte()?)
    } else {
        None
    };
    Some((Some(full_range), matrix))
}

/// 7.4.1: a byte 3 after two zeros is no part of the contents.
fn without_emulation_prevention(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for &byte in bytes {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// Bits from the top; `None` past the end.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1 == 1;
        self.at += 1;
        Some(bit)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        (0..8).try_fold(0_u8, |byte, _| Some(byte << 1 | u8::from(self.bit()?)))
    }

    /// Clause 9.1, at most 32 bits.
    fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = (0..zeros).try_fold(0_u32, |value, _| Some(value << 1 | u32::from(self.bit()?)))?;
        Some((1_u32 << zeros) - 1 + rest)
    }

    /// Clause 9.1.1.
    fn signed_golomb(&mut self) -> Option<i64> {
        let code = i64::from(self.golomb()?);
        Some(if code % 2 == 0 { -(code / 2) } else { (code + 1) / 2 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::hostile::{Mutator, rounds};

    /// Of x264: 1920×1080 High, level 4.0, BT.709 limited.
    const HIGH: &[u8] = &[
        0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x5a, 0x80, 0x80, 0x80, 0xa0, 0x00,
        0x00, 0x03, 0x00, 0x20, 0x00, 0x00, 0x07, 0x81, 0xe3, 0x06, 0x32, 0xc0,
    ];
    /// Of x264: 640×360 cropped from 640×368, Constrained Baseline, level 3.1, colours untold.
    const BASELINE: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01, 0x00, 0x00,
        0x03, 0x00, 0x3c, 0x0f, 0x18, 0x32, 0x48,
    ];

    #[test]
    fn an_access_unit_falls_into_its_nal_units() {
        let stream =
            [&[0, 0, 1, 9, 0x10][..], &[0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 0]].concat();
        let units: Vec<&[u8]> = nal_units(&stream).collect();
        assert_eq!(units, [&[9, 0x10][..], &[0x67, 1], &[0x68, 2], &[0x65, 3]]);
        assert_eq!(contents(&stream), Contents { idr: true, slices: true, sps: true, pps: true });
        assert_eq!(parameter_sets(&stream).unwrap()[..], [0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2]);
        assert_eq!(parameter_sets(&[0, 0, 1, 0x67, 1]), None);
        assert_eq!(nal_units(&[1, 2, 3]).count(), 0);
        assert_eq!(nal_units(&[0, 0, 1, 0, 0, 1, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn a_sequence_parameter_set_tells_size_and_colours() {
        let sps = Sps::parse(HIGH).unwrap();
        assert_eq!((sps.profile, sps.level, sps.bit_depth, sps.chroma_format), (100, 40, 8, 1));
        assert_eq!((sps.size, sps.full_range, sps.matrix), (Size::new(1920, 1080), Some(false), Some(1)));
        let sps = Sps::parse(BASELINE).unwrap();
        assert_eq!((sps.profile, sps.constraints & 0xc0, sps.level), (66, 0xc0, 31));
        assert_eq!((sps.size, sps.full_range, sps.matrix), (Size::new(640, 360), None, None));
    }

    #[test]
    fn hostile_parameter_sets_are_refused_or_read() {
        let right = [HIGH.to_vec(), BASELINE.to_vec()];
        let mut mutator = Mutator::new(7);
        for _ in 0..rounds() {
            let bytes = mutator.bytes(&right);
            let _ = (Sps::parse(&bytes), contents(&bytes), parameter_sets(&bytes));
        }
    }

    proptest! {
        #[test]
        fn what_is_joined_falls_apart_again(
            units in prop::collection::vec(prop::collection::vec(1_u8..=255, 1..40), 1..8)
        ) {
            let joined = |unit: &Vec<u8>| START_CODE.into_iter().chain(unit.clone()).collect::<Vec<u8>>();
            let stream = units.iter().map(joined).collect::<Vec<_>>().concat();
            let apart: Vec<Vec<u8>> = nal_units(&stream).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(apart, units);
        }
    }
}
