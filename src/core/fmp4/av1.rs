//! **The question:** what does an AV1 temporal unit say of itself? OBU framing (AV1 specification, section 5.3) and the sequence
//! header (section 5.5), as far as a container needs them. Bytes come from the world: every fault is a typed error.

use bytes::Bytes;

use crate::base::media::Size;

/// Why bytes are no temporal unit that can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ObuError {
    /// The bytes end within an OBU.
    #[error("an OBU is cut short")]
    Truncated,
    /// The forbidden bit is set.
    #[error("the forbidden bit of an OBU header is set")]
    Forbidden,
    /// An OBU without its own size; only the last one of a unit may lack it, and we store none such.
    #[error("an OBU carries no size")]
    NoSize,
    /// A size of more than eight bytes, or beyond 32 bits (AV1 specification, section 4.10.5).
    #[error("an OBU size is no valid leb128")]
    Leb128,
    /// A profile above 2.
    #[error("profile {0} is reserved")]
    Profile(u8),
    /// Nothing to show.
    #[error("the temporal unit is empty")]
    Empty,
}

const OBU_SEQUENCE_HEADER: u8 = 1;
const OBU_TEMPORAL_DELIMITER: u8 = 2;

/// A temporal unit as a container stores it: without its temporal delimiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporalUnit {
    /// The OBUs to store; shares the frame's bytes.
    pub obus: Bytes,
    /// The first sequence header OBU with its own header and size, if there is one; shares the frame's bytes.
    pub sequence_header: Option<Bytes>,
}

impl TemporalUnit {
    /// Reads the framing of `data`, nothing deeper.
    ///
    /// # Errors
    /// Whatever breaks the framing.
    pub fn parse(data: &Bytes) -> Result<Self, ObuError> {
        let (mut at, mut start, mut sequence_header) = (0, 0, None);
        while at < data.len() {
            let obu = Obu::parse(&data[at..])?;
            let end = at + obu.len;
            // A delimiter opens the unit (section 7.5), so cutting it off needs no copy.
            if obu.kind == OBU_TEMPORAL_DELIMITER && at == start {
                start = end;
            } else if obu.kind == OBU_SEQUENCE_HEADER && sequence_header.is_none() {
                sequence_header = Some(data.slice(at..end));
            }
            at = end;
        }
        if start == data.len() {
            return Err(ObuError::Empty);
        }
        Ok(Self { obus: data.slice(start..), sequence_header })
    }
}

struct Obu {
    kind: u8,
    payload_at: usize,
    len: usize,
}

impl Obu {
    fn parse(data: &[u8]) -> Result<Self, ObuError> {
        let head = *data.first().ok_or(ObuError::Truncated)?;
        if head & 0x80 != 0 {
            return Err(ObuError::Forbidden);
        }
        if head & 0x02 == 0 {
            return Err(ObuError::NoSize);
        }
        let mut payload_at = if head & 0x04 != 0 { 2 } else { 1 };
        let mut size = 0_u64;
        for index in 0.. {
            if index == 8 {
                return Err(ObuError::Leb128);
            }
            let byte = *data.get(payload_at).ok_or(ObuError::Truncated)?;
            payload_at += 1;
            size |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let size = u32::try_from(size).map_err(|_| ObuError::Leb128)? as usize;
        if size > data.len() - payload_at {
            return Err(ObuError::Truncated);
        }
        Ok(Self { kind: (head >> 3) & 0x0f, payload_at, len: payload_at + size })
    }
}

/// Colours by the code points of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColorDescription {
    /// `color_primaries`.
    pub primaries: u8,
    /// `transfer_characteristics`.
    pub transfer: u8,
    /// `matrix_coefficients`.
    pub matrix: u8,
}

/// What a container tells of a sequence: the fields of `av1C` (av1-isobmff, section 2.3.3), the size and the colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceHeader {
    /// The whole OBU as found in the stream.
    pub obu: Bytes,
    /// `seq_profile`, 0 to 2.
    pub profile: u8,
    /// `seq_level_idx[0]`.
    pub level: u8,
    /// `seq_tier[0]`.
    pub tier: bool,
    /// More than 8 bits a sample.
    pub high_bitdepth: bool,
    /// 12 bits a sample.
    pub twelve_bit: bool,
    /// No chroma planes.
    pub monochrome: bool,
    /// Chroma halved horizontally, vertically.
    pub subsampling: (bool, bool),
    /// `chroma_sample_position`, 0 to 3.
    pub chroma_sample_position: u8,
    /// Largest frame of the sequence.
    pub size: Size,
    /// Colours, if the stream describes them.
    pub color: Option<ColorDescription>,
    /// Full range samples.
    pub full_range: bool,
}

impl SequenceHeader {
    /// Reads a sequence header OBU, with its OBU header and size, as `TemporalUnit` finds it.
    ///
    /// # Errors
    /// When the bytes end too early or are no sequence header this version of AV1 knows.
    pub fn parse(obu: &Bytes) -> Result<Self, ObuError> {
        let framed = Obu::parse(obu)?;
        let mut bits = Bits { data: &obu[framed.payload_at..framed.len], at: 0 };
        let profile = bits.read_u8(3)?;
        if profile > 2 {
            return Err(ObuError::Profile(profile));
        }
        bits.skip(1)?; // still_picture
        let reduced = bits.flag()?;
        let (level, tier) = operating_points(&mut bits, reduced)?;
        let (width_bits, height_bits) = (bits.read(4)? + 1, bits.read(4)? + 1);
        let size = Size::new(bits.read(width_bits)? + 1, bits.read(height_bits)? + 1);
        tools(&mut bits, reduced)?;
        let mut header = Self {
            obu: obu.slice(..framed.len),
            profile,
            level,
            tier,
            high_bitdepth: bits.flag()?,
            twelve_bit: false,
            monochrome: false,
            subsampling: (true, true),
            chroma_sample_position: 0,
            size,
            color: None,
            full_range: false,
        };
        header.color_config(&mut bits)?;
        Ok(header)
    }

    // Section 5.5.2, after `high_bitdepth`.
    fn color_config(&mut self, bits: &mut Bits<'_>) -> Result<(), ObuError> {
        self.twelve_bit = self.profile == 2 && self.high_bitdepth && bits.flag()?;
        self.monochrome = self.profile != 1 && bits.flag()?;
        if bits.flag()? {
            let (primaries, transfer, matrix) = (bits.read_u8(8)?, bits.read_u8(8)?, bits.read_u8(8)?);
            self.color = Some(ColorDescription { primaries, transfer, matrix });
        }
        if self.monochrome {
            self.full_range = bits.flag()?;
            return Ok(());
        }
        // BT.709 primaries, sRGB transfer, identity matrix: RGB, always 4:4:4 and full range.
        if self.color == Some(ColorDescription { primaries: 1, transfer: 13, matrix: 0 }) {
            self.full_range = true;
            self.subsampling = (false, false);
            return Ok(());
        }
        self.full_range = bits.flag()?;
        self.subsampling = match (self.profile, self.twelve_bit) {
            (0, _) => (true, true),
            (1, _) => (false, false),
            (_, false) => (true, false),
            (_, true) => {
                let horizontal = bits.flag()?;
                (horizontal, horizontal && bits.flag()?)
            }
        };
        if self.subsampling == (true, true) {
            self.chroma_sample_position = bits.read_u8(2)?;
        }
        Ok(())
    }
}

// Section 5.5.1 from `timing_info_present_flag` to the operating points; the level and tier of the first.
fn operating_points(bits: &mut Bits<'_>, reduced: bool) -> Result<(u8, bool), ObuError> {
    if reduced {
        return Ok((bits.read_u8(5)?, false));
    }
    let mut buffer_delay_bits = None;
    if bits.flag()? {
        bits.skip(64)?; // num_units_in_display_tick, time_scale
        if bits.flag()? {
            bits.skip_uvlc()?; // num_ticks_per_picture_minus_1
        }
        if bits.flag()? {
            buffer_delay_bits = Some(bits.read(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = bits.flag()?;
    let count = bits.read(5)? + 1;
    let mut first = None;
    for _ in 0..count {
        bits.skip(12)?; // operating_point_idc
        let level = bits.read_u8(5)?;
        let tier = level > 7 && bits.flag()?;
        if let Some(width) = buffer_delay_bits
            && bits.flag()?
        {
            bits.skip(2 * width + 1)?;
        }
        if display_delay && bits.flag()? {
            bits.skip(4)?;
        }
        first = first.or(Some((level, tier)));
    }
    Ok(first.expect("the count is at least one"))
}

// Section 5.5.1 from `frame_id_numbers_present_flag` to `enable_restoration`: coding tools a container does not ask about.
fn tools(bits: &mut Bits<'_>, reduced: bool) -> Result<(), ObuError> {
    if !reduced && bits.flag()? {
        bits.skip(4 + 3)?; // frame id lengths
    }
    bits.skip(3)?; // use_128x128_superblock, enable_filter_intra, enable_intra_edge_filter
    if !reduced {
        bits.skip(4)?; // interintra, masked compound, warped motion, dual filter
        let order_hint = bits.flag()?;
        if order_hint {
            bits.skip(2)?; // jnt_comp, ref_frame_mvs
        }
        let screen_content_tools = bits.flag()? || bits.flag()?;
        if screen_content_tools && !bits.flag()? {
            bits.skip(1)?; // seq_force_integer_mv
        }
        if order_hint {
            bits.skip(3)?; // order_hint_bits_minus_1
        }
    }
    bits.skip(3) // enable_superres, enable_cdef, enable_restoration
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Result<bool, ObuError> {
        let byte = *self.data.get(self.at / 8).ok_or(ObuError::Truncated)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Ok(bit == 1)
    }

    fn read(&mut self, count: u32) -> Result<u32, ObuError> {
        assert!(count <= 32, "no field of a sequence header is wider");
        (0..count).try_fold(0, |value, _| Ok(value << 1 | u32::from(self.flag()?)))
    }

    fn read_u8(&mut self, count: u32) -> Result<u8, ObuError> {
        assert!(count <= 8, "a byte holds eight bits");
        self.read(count).map(|value| value as u8)
    }

    fn skip(&mut self, count: u32) -> Result<(), ObuError> {
        self.at += count as usize;
        if self.at > self.data.len() * 8 { Err(ObuError::Truncated) } else { Ok(()) }
    }

    // Section 4.10.3.
    fn skip_uvlc(&mut self) -> Result<(), ObuError> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 { self.skip(zeros) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // libaom 3.6, real time, 640×360, 8 bits 4:2:0: temporal delimiter, sequence header, and in place of the frame some padding.
    const UNIT: &[u8] =
        &[0x12, 0x00, 0x0a, 0x0b, 0x00, 0x00, 0x00, 0x0c, 0xc4, 0xff, 0x67, 0x36, 0xbe, 0x40, 0x10, 0x7a, 0x01, 0x00];

    #[test]
    fn the_sequence_header_tells_what_a_container_asks() {
        let unit = TemporalUnit::parse(&Bytes::from_static(UNIT)).unwrap();
        let header = SequenceHeader::parse(&unit.sequence_header.unwrap()).unwrap();
        assert_eq!((header.size, header.profile, header.level, header.tier), (Size::new(640, 360), 0, 1, false));
        assert_eq!((header.high_bitdepth, header.monochrome, header.subsampling), (false, false, (true, true)));
        for len in 2..header.obu.len() - 1 {
            let mut cut = header.obu[..len].to_vec();
            cut[1] = len as u8 - 2;
            assert!(SequenceHeader::parse(&cut.into()).is_err_and(|error| error == ObuError::Truncated), "{len} bytes");
        }
    }

    #[test]
    fn the_delimiter_is_cut_off_and_the_sequence_header_found() {
        let data = Bytes::from_static(UNIT);
        let unit = TemporalUnit::parse(&data).unwrap();
        assert_eq!(unit.obus, data.slice(2..));
        assert_eq!(unit.sequence_header, Some(data.slice(2..15)));
        let again = TemporalUnit::parse(&unit.obus).unwrap();
        assert_eq!(again, unit, "a unit without a delimiter stays as it is");
    }

    #[test]
    fn framing_faults_have_names() {
        let fault = |bytes: &'static [u8]| TemporalUnit::parse(&Bytes::from_static(bytes)).unwrap_err();
        assert_eq!(fault(&[]), ObuError::Empty);
        assert_eq!(fault(&[0x12, 0x00]), ObuError::Empty);
        assert_eq!(fault(&[0x8a, 0x00]), ObuError::Forbidden);
        assert_eq!(fault(&[0x08, 0x00]), ObuError::NoSize);
        assert_eq!(fault(&[0x0a, 0x05, 0x00]), ObuError::Truncated);
        assert_eq!(fault(&[0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]), ObuError::Leb128);
        assert_eq!(fault(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]), ObuError::Leb128);
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_or_read_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let data = Bytes::from(bytes);
            if let Ok(unit) = TemporalUnit::parse(&data) {
                prop_assert!(unit.obus.len() <= data.len());
            }
            let mut framed = vec![0x0a, data.len().min(127) as u8];
            framed.extend_from_slice(&data[..data.len().min(127)]);
            if let Ok(header) = SequenceHeader::parse(&framed.into()) {
                prop_assert!(header.size.width <= 65_536 && header.size.height <= 65_536);
            }
        }
    }
}
