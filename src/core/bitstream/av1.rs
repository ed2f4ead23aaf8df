//! **The question:** what does an AV1 temporal unit say of itself? Its OBUs (AV1 specification, section 5.3), its
//! sequence header (section 5.5), and whether decoding may start with it (section 5.9.2). The one place that walks
//! OBUs: containers, payload formats, decoders and encoders all ask here. Bytes come from the world: every fault is a
//! typed error.

use bytes::Bytes;

use crate::base::media::{Colour, Size};

/// Why bytes are no temporal unit.
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

/// What an OBU is: `obu_type` of AV1 section 6.2.2, as far as anyone here asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObuKind {
    /// Codec-wide settings; decoding starts behind one.
    SequenceHeader,
    /// Opens a temporal unit; neither RTP nor MP4 carries it.
    TemporalDelimiter,
    /// A frame's header alone.
    FrameHeader,
    /// HDR levels, timecodes, scalability.
    Metadata,
    /// A frame's header and its tiles.
    Frame,
    /// Large-scale tiles.
    TileList,
    /// Nothing.
    Padding,
    /// Anything else, by its number.
    Other(u8),
}

impl ObuKind {
    const fn of(header: u8) -> Self {
        match header >> 3 & 0b1111 {
            1 => Self::SequenceHeader,
            2 => Self::TemporalDelimiter,
            3 => Self::FrameHeader,
            5 => Self::Metadata,
            6 => Self::Frame,
            8 => Self::TileList,
            15 => Self::Padding,
            number => Self::Other(number),
        }
    }
}

const FORBIDDEN: u8 = 0b1000_0000;
const HAS_EXTENSION: u8 = 0b0000_0100;
const HAS_SIZE: u8 = 0b0000_0010;
/// Bytes of the longest leb128 (section 4.10.5).
const LEB128_BYTES: usize = 8;

/// One OBU in parts, all of which lie in the bytes it was read from.
#[derive(Debug, Clone, Copy)]
pub struct Obu<'a> {
    header: u8,
    extension: Option<u8>,
    /// All of it, with header and size.
    pub whole: &'a [u8],
    /// What follows header and size.
    pub payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The OBU at the front of `bytes`, and what follows it; without a size field it takes everything.
    ///
    /// # Errors
    /// Whatever breaks the framing.
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), ObuError> {
        let (header, extension, rest) = read_head(bytes)?;
        let (payload, after) = if header & HAS_SIZE == 0 {
            rest.split_at(rest.len())
        } else {
            let (size, rest) = read_leb128(rest)?;
            rest.split_at_checked(size).ok_or(ObuError::Truncated)?
        };
        let whole = &bytes[..bytes.len() - after.len()];
        Ok((Self { header, extension, whole, payload }, after))
    }

    /// The OBU that begins with `bytes`, which may be cut short, or belong to more than it: whatever its size field
    /// says, its payload is what is there.
    ///
    /// # Errors
    /// If the bytes end within its header or size field.
    pub fn begin(bytes: &'a [u8]) -> Result<Self, ObuError> {
        let (header, extension, rest) = read_head(bytes)?;
        let payload = if header & HAS_SIZE == 0 { rest } else { read_leb128(rest)?.1 };
        Ok(Self { header, extension, whole: bytes, payload })
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> ObuKind {
        ObuKind::of(self.header)
    }

    /// The temporal layer that it belongs to, where it says so (section 5.3.3).
    #[must_use]
    pub fn temporal_id(&self) -> Option<u8> {
        self.extension.map(|extension| extension >> 5)
    }

    /// Whether it says itself how long it is.
    #[must_use]
    pub const fn has_size(&self) -> bool {
        self.header & HAS_SIZE != 0
    }

    /// Appends it with a size field, whether it has one or not.
    pub fn write_sized(&self, out: &mut Vec<u8>) {
        out.push(self.header | HAS_SIZE);
        out.extend(self.extension);
        put_leb128(out, self.payload.len());
        out.extend_from_slice(self.payload);
    }
}

/// Header, extension and the rest (sections 5.3.2 and 5.3.3).
fn read_head(bytes: &[u8]) -> Result<(u8, Option<u8>, &[u8]), ObuError> {
    let (&header, rest) = bytes.split_first().ok_or(ObuError::Truncated)?;
    if header & FORBIDDEN != 0 {
        return Err(ObuError::Forbidden);
    }
    if header & HAS_EXTENSION == 0 {
        return Ok((header, None, rest));
    }
    let (&extension, rest) = rest.split_first().ok_or(ObuError::Truncated)?;
    Ok((header, Some(extension), rest))
}

/// The OBUs of a temporal unit, one after the other; a fault is the last item.
#[derive(Debug, Clone)]
pub struct Obus<'a> {
    rest: &'a [u8],
}

impl<'a> Obus<'a> {
    /// Those of `unit`; none of empty bytes.
    #[must_use]
    pub const fn of(unit: &'a [u8]) -> Self {
        Self { rest: unit }
    }
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>, ObuError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        // What follows a fault cannot be told apart.
        let split = Obu::split(std::mem::take(&mut self.rest));
        Some(split.map(|(obu, rest)| {
            self.rest = rest;
            obu
        }))
    }
}

/// A leb128 value and what follows it (section 4.10.5).
///
/// # Errors
/// [`ObuError::Truncated`] where it has no end, [`ObuError::Leb128`] beyond eight bytes or 32 bits.
pub fn read_leb128(bytes: &[u8]) -> Result<(usize, &[u8]), ObuError> {
    let mut value = 0_u64;
    for (n, &byte) in bytes.iter().take(LEB128_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| ObuError::Leb128)?;
            return Ok((value as usize, &bytes[n + 1..]));
        }
    }
    Err(if bytes.len() < LEB128_BYTES { ObuError::Truncated } else { ObuError::Leb128 })
}

/// Appends a leb128 value in as few bytes as it needs.
pub fn put_leb128(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Whether the sequence is one still picture with a short header, by the payload of its sequence header. Section 5.5.1:
/// `seq_profile` (3 bits), `still_picture` (1), `reduced_still_picture_header` (1).
#[must_use]
pub fn is_reduced_still_picture(sequence_header: &[u8]) -> bool {
    sequence_header.first().is_some_and(|byte| byte & 0b0000_1000 != 0)
}

/// Whether a frame, by the payload of its frame or frame header OBU, is a keyframe that is shown. Section 5.9.2:
/// `show_existing_frame` (1 bit) = 0, `frame_type` (2) = KEY_FRAME (0), `show_frame` (1) = 1; all of them implied by a
/// reduced still picture header.
#[must_use]
pub fn is_shown_keyframe(frame_header: &[u8], reduced: bool) -> bool {
    reduced || frame_header.first().is_some_and(|byte| byte >> 4 == 0b0001)
}

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
        for obu in Obus::of(data) {
            let obu = sized(obu?)?;
            let end = at + obu.whole.len();
            // A delimiter opens the unit (section 7.5), so cutting it off needs no copy.
            if obu.kind() == ObuKind::TemporalDelimiter && at == start {
                start = end;
            } else if obu.kind() == ObuKind::SequenceHeader && sequence_header.is_none() {
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

/// An encoder's packet without its temporal delimiters, which neither RTP (AV1 RTP specification, section 5) nor MP4
/// (AV1-ISOBMFF, section 2.4) carries.
#[derive(Debug, PartialEq, Eq)]
pub struct StrippedUnit {
    /// Everything else, in order.
    pub data: Vec<u8>,
    /// Whether decoding may start with it, if its frame is a keyframe.
    pub has_sequence_header: bool,
}

impl StrippedUnit {
    /// Copies the OBUs of `packet`, all of which carry size fields.
    ///
    /// # Errors
    /// Whatever breaks the framing.
    pub fn copy(packet: &[u8]) -> Result<Self, ObuError> {
        let mut unit = Self { data: Vec::with_capacity(packet.len()), has_sequence_header: false };
        for obu in Obus::of(packet) {
            let obu = sized(obu?)?;
            if obu.kind() != ObuKind::TemporalDelimiter {
                unit.has_sequence_header |= obu.kind() == ObuKind::SequenceHeader;
                unit.data.extend_from_slice(obu.whole);
            }
        }
        Ok(unit)
    }
}

fn sized(obu: Obu<'_>) -> Result<Obu<'_>, ObuError> {
    if obu.has_size() { Ok(obu) } else { Err(ObuError::NoSize) }
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

/// What containers and decoders ask of a sequence: the fields of `av1C` (av1-isobmff, section 2.3.3), the size and the
/// colours.
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
    /// The one that stands in `unit` before its first frame; `None` if there is none, or none that can be read.
    #[must_use]
    pub fn find(unit: &Bytes) -> Option<Self> {
        for obu in Obus::of(unit) {
            let obu = obu.ok()?;
            match obu.kind() {
                ObuKind::SequenceHeader => return Self::parse(&unit.slice_ref(obu.whole)).ok(),
                ObuKind::TemporalDelimiter | ObuKind::Metadata | ObuKind::Padding => {}
                _ => return None,
            }
        }
        None
    }

    /// What its samples mean; a matrix that is not described is [`Matrix::default`](crate::base::media::Matrix).
    #[must_use]
    pub fn colour(&self) -> Colour {
        // 2 is "unspecified".
        Colour::of(self.color.map_or(2, |color| color.matrix.into()), self.full_range)
    }

    /// Reads a sequence header OBU, with its OBU header and size, as `TemporalUnit` finds it.
    ///
    /// # Errors
    /// When the bytes end too early or are no sequence header this version of AV1 knows.
    pub fn parse(obu: &Bytes) -> Result<Self, ObuError> {
        let (framed, _) = Obu::split(obu)?;
        let framed = sized(framed)?;
        let mut bits = Bits { data: framed.payload, at: 0 };
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
            obu: obu.slice_ref(framed.whole),
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

// Section 5.5.1 from `frame_id_numbers_present_flag` to `enable_restoration`: coding tools a container does not ask
// about.
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
    use crate::base::media::Matrix;

    // libaom 3.6, real time, 640×360, 8 bits 4:2:0: temporal delimiter, sequence header, and in place of the frame some
    // padding.
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

    #[test]
    fn delimiters_go_and_the_rest_stays() {
        let packet = [0x12, 0x00, 0x0a, 0x02, 7, 8, 0x32, 0x03, 1, 2, 3];
        let unit = StrippedUnit::copy(&packet).unwrap();
        assert_eq!(unit.data, packet[2..]);
        assert!(unit.has_sequence_header);
        let unit = StrippedUnit::copy(&packet[6..]).unwrap();
        assert_eq!(unit.data, packet[6..]);
        assert!(!unit.has_sequence_header);
        assert!(StrippedUnit::copy(&packet[..9]).is_err());
        assert!(StrippedUnit::copy(&[0x30, 1]).is_err());
    }

    #[test]
    fn a_unit_without_a_sequence_header_has_none() {
        let find = |unit: &'static [u8]| SequenceHeader::find(&Bytes::from_static(unit));
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[0x12, 0x00]), None, "a temporal delimiter alone");
        assert_eq!(find(&[0x32, 0x01, 0x00, 0x0a, 0x01, 0x00]), None, "a frame comes first");
        assert_eq!(find(&[0x0a, 0x05, 0x00]), None, "shorter than its size field says");
    }

    /// Headers of libaom's for 64×48, made by FFmpeg 5.1 with `-colorspace smpte170m`, with `bt709`, and with neither.
    #[test]
    fn the_colours_are_told_and_what_is_untagged_is_bt_601() {
        let begin = [0x12, 0x00, 0x0a, 0x0d, 0x00, 0x00, 0x00, 0x02, 0xaf, 0xf7, 0x9b, 0x5f];
        let colour =
            |end: &[u8]| SequenceHeader::find(&Bytes::from([&begin, end].concat())).map(|header| header.colour());
        let limited = |matrix| Some(Colour { matrix, full_range: false });
        assert_eq!(colour(&[0x22, 0x0c, 0x0c, 0x0c, 0x08]), limited(Matrix::Bt601));
        assert_eq!(colour(&[0x22, 0x04, 0x04, 0x02, 0x08]), limited(Matrix::Bt709));
        assert_eq!(colour(&[0x20, 0x08, 0, 0, 0]), limited(Matrix::Bt601));
    }

    proptest! {
        #[test]
        fn the_walk_covers_every_byte_once_and_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut walked = 0;
            let mut is_broken = false;
            for obu in Obus::of(&bytes) {
                prop_assert!(!is_broken, "a fault is the last item");
                match obu {
                    Ok(obu) => {
                        prop_assert_eq!(obu.whole, &bytes[walked..walked + obu.whole.len()]);
                        prop_assert!(obu.whole.ends_with(obu.payload) && !obu.whole.is_empty());
                        walked += obu.whole.len();
                    }
                    Err(_) => is_broken = true,
                }
            }
            prop_assert!(is_broken || walked == bytes.len());
            let _ = Obu::begin(&bytes);
            let _ = StrippedUnit::copy(&bytes);
            let _ = (is_reduced_still_picture(&bytes), is_shown_keyframe(&bytes, false));
        }

        #[test]
        fn what_is_written_is_read(
            value in any::<u32>(),
            payload in prop::collection::vec(any::<u8>(), 0..300),
            head in any::<u8>(),
        ) {
            let mut bytes = Vec::new();
            put_leb128(&mut bytes, value as usize);
            prop_assert_eq!(read_leb128(&bytes), Ok((value as usize, &[][..])));
            let unsized_obu = [&[head & !(FORBIDDEN | HAS_SIZE), 1][..], &payload].concat();
            let (obu, _) = Obu::split(&unsized_obu).unwrap();
            let mut written = Vec::new();
            obu.write_sized(&mut written);
            let (again, rest) = Obu::split(&written).unwrap();
            prop_assert_eq!((again.kind(), again.extension, again.payload), (obu.kind(), obu.extension, obu.payload));
            prop_assert!(again.has_size() && rest.is_empty());
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_but_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let data = Bytes::from(bytes);
            let _ = SequenceHeader::find(&data);
            if let Ok(unit) = TemporalUnit::parse(&data) {
                prop_assert!(unit.obus.len() <= data.len());
            }
            let mut framed = vec![0x0a, data.len().min(127) as u8];
            framed.extend_from_slice(&data[..data.len().min(127)]);
            let framed = Bytes::from(framed);
            let _ = SequenceHeader::find(&framed);
            if let Ok(header) = SequenceHeader::parse(&framed) {
                prop_assert!(header.size.width <= 65_536 && header.size.height <= 65_536);
            }
        }
    }
}
