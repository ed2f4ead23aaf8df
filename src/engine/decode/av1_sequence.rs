//! **The question:** what does an AV1 temporal unit say about its sequence? Only what the decoders' crate does not pass on:
//! whether a sequence header is there, its colour range and its matrix (AV1 specification, sections 5.3 and 5.5).

use crate::base::media::Matrix;

/// What a sequence header says that decoding does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// `color_range`: samples use 0..=255 rather than 16..=235.
    pub(super) full_range: bool,
    /// `matrix_coefficients`.
    pub(super) matrix: Matrix,
}

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;
const OBU_METADATA: u8 = 5;
const OBU_PADDING: u8 = 15;

/// Finds and reads the sequence header in a temporal unit whose OBUs carry size fields; `None` if there is none before the
/// first frame or if it cannot be read.
pub(super) fn find_sequence(mut unit: &[u8]) -> Option<Sequence> {
    while let Some((kind, payload, rest)) = split_obu(unit) {
        match kind {
            OBU_SEQUENCE_HEADER => return read_sequence(payload),
            OBU_TEMPORAL_DELIMITER | OBU_METADATA | OBU_PADDING => unit = rest,
            _ => return None,
        }
    }
    None
}

/// The first OBU's type and payload, and what follows it. An OBU without a size field reaches to the end.
fn split_obu(unit: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&header, mut rest) = unit.split_first()?;
    if header & 0x80 != 0 {
        return None;
    }
    if header & 0b100 != 0 {
        rest = rest.get(1..)?;
    }
    let kind = (header >> 3) & 0xf;
    if header & 0b10 == 0 {
        return Some((kind, rest, &[]));
    }
    let mut size = 0_usize;
    for index in 0..5 {
        let byte = *rest.get(index)?;
        size |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let body = rest.get(index + 1..)?;
            return (size <= body.len()).then(|| (kind, &body[..size], &body[size..]));
        }
    }
    None
}

struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    fn number(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0_u32, |value, _| Some(value << 1 | u32::from(self.flag()?)))
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        self.position += usize::try_from(bits).ok()?;
        (self.position <= self.data.len() * 8).then_some(())
    }

    /// Section 4.10.3.
    fn skip_uvlc(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 { self.skip(zeros) } else { Some(()) }
    }
}

/// Section 5.5.1.
fn read_sequence(payload: &[u8]) -> Option<Sequence> {
    let mut bits = Bits { data: payload, position: 0 };
    let profile = bits.number(3)?;
    let _still_picture = bits.flag()?;
    let reduced = bits.flag()?;
    if reduced {
        bits.skip(5)?;
    } else {
        skip_operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.number(4)? + 1, bits.number(4)? + 1);
    bits.skip(width_bits + height_bits)?;
    if !reduced && bits.flag()? {
        bits.skip(4 + 3)?;
    }
    // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    bits.skip(3)?;
    if !reduced {
        skip_inter_tools(&mut bits)?;
    }
    // enable_superres, enable_cdef, enable_restoration
    bits.skip(3)?;
    read_colour(&mut bits, profile)
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut decoder_delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?;
        if bits.flag()? {
            bits.skip_uvlc()?;
        }
        if bits.flag()? {
            decoder_delay_bits = Some(bits.number(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let initial_display_delay = bits.flag()?;
    for _ in 0..=bits.number(5)? {
        bits.skip(12)?;
        let level = bits.number(5)?;
        if level > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = decoder_delay_bits
            && bits.flag()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if initial_display_delay && bits.flag()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

fn skip_inter_tools(bits: &mut Bits<'_>) -> Option<()> {
    // enable_interintra_compound, enable_masked_compound, enable_warped_motion, enable_dual_filter
    bits.skip(4)?;
    let order_hint = bits.flag()?;
    if order_hint {
        bits.skip(2)?;
    }
    let screen_content = if bits.flag()? { true } else { bits.flag()? };
    if screen_content && !bits.flag()? {
        bits.skip(1)?;
    }
    if order_hint { bits.skip(3) } else { Some(()) }
}

/// Section 5.5.2, as far as `color_range`.
fn read_colour(bits: &mut Bits<'_>, profile: u32) -> Option<Sequence> {
    let high_bit_depth = bits.flag()?;
    if profile == 2 && high_bit_depth {
        bits.skip(1)?;
    }
    let monochrome = profile != 1 && bits.flag()?;
    let description = if bits.flag()? { [bits.number(8)?, bits.number(8)?, bits.number(8)?] } else { [2, 2, 2] };
    // BT.709 primaries, sRGB curve, identity matrix: RGB, always full range.
    let full_range = if !monochrome && description == [1, 13, 0] { true } else { bits.flag()? };
    Some(Sequence { full_range, matrix: Matrix::of(description[2]) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_unit_without_a_sequence_header_has_none() {
        assert_eq!(find_sequence(&[]), None);
        assert_eq!(find_sequence(&[0x12, 0x00]), None, "a temporal delimiter alone");
        assert_eq!(find_sequence(&[0x32, 0x01, 0x00, 0x0a, 0x01, 0x00]), None, "a frame comes first");
        assert_eq!(find_sequence(&[0x0a, 0x05, 0x00]), None, "shorter than its size field says");
    }

    /// Headers of libaom's for 64×48, made by FFmpeg 5.1 with `-colorspace smpte170m`, with `bt709`, and with neither.
    #[test]
    fn the_matrix_is_told() {
        let begin = [0x12, 0x00, 0x0a, 0x0d, 0x00, 0x00, 0x00, 0x02, 0xaf, 0xf7, 0x9b, 0x5f];
        let matrix = |end: &[u8]| find_sequence(&[&begin, end].concat()).map(|sequence| sequence.matrix);
        assert_eq!(matrix(&[0x22, 0x0c, 0x0c, 0x0c, 0x08]), Some(Matrix::Bt601));
        assert_eq!(matrix(&[0x22, 0x04, 0x04, 0x02, 0x08]), Some(Matrix::Bt709));
        assert_eq!(matrix(&[0x20, 0x08, 0, 0, 0]), Some(Matrix::Bt709));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_sequence(&bytes);
            let mut unit = vec![0x0a, u8::try_from(bytes.len().min(127)).unwrap()];
            unit.extend_from_slice(&bytes);
            let _ = find_sequence(&unit);
        }
    }
}
