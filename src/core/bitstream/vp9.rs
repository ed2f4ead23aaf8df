//! **The question:** what does a VP9 frame say of itself (VP9 Bitstream & Decoding Process Specification, sections 6.2
//! and 7.2; annex B for superframes)?

use crate::base::media::Size;

/// What the uncompressed header of a keyframe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyframeHeader {
    /// 0 and 2: 4:2:0; 0 and 1: 8 bits.
    pub profile: u8,
    /// Bits of a sample.
    pub bit_depth: u8,
    /// `color_space` (section 7.2.2): 1 BT.601, 2 BT.709, 7 RGB, 0 unknown.
    pub color_space: u8,
    /// Full range samples.
    pub full_range: bool,
    /// Chroma halved horizontally, vertically.
    pub subsampling: (bool, bool),
    /// Of the picture.
    pub size: Size,
}

/// Reads the header of a frame; `None` if it is no keyframe, or none that can be read.
#[must_use]
pub fn keyframe_header(frame: &[u8]) -> Option<KeyframeHeader> {
    match header(frame)? {
        Header::Key(header) => Some(header),
        Header::Sized(_) => None,
    }
}

/// The largest size that a frame of this unit states; `None` where all take theirs from frames before.
#[must_use]
pub fn largest_size(unit: &[u8]) -> Option<Size> {
    let sizes = frames(unit).filter_map(header).map(|header| match header {
        Header::Key(header) => header.size,
        Header::Sized(size) => size,
    });
    sizes.max_by_key(|size| u64::from(size.width) * u64::from(size.height))
}

/// What a frame that states its size says.
enum Header {
    Key(KeyframeHeader),
    Sized(Size),
}

/// Section 6.2: `None` for frames that state none, and for what cannot be read.
fn header(frame: &[u8]) -> Option<Header> {
    let mut bits = Bits { bytes: frame, at: 0 };
    let marker = bits.take(2)?;
    let profile = bits.take(1)? | bits.take(1)? << 1;
    if marker != 2 || (profile == 3 && bits.take(1)? != 0) || bits.take(1)? == 1 {
        return None;
    }
    let (inter, shown, resilient) = (bits.take(1)? == 1, bits.take(1)? == 1, bits.take(1)? == 1);
    if !inter {
        return keyframe(&mut bits, profile).map(Header::Key);
    }
    let intra_only = !shown && bits.take(1)? == 1;
    if !resilient {
        bits.take(2)?;
    }
    if intra_only {
        if bits.take(24)? != SYNC {
            return None;
        }
        if profile > 0 {
            depth_and_colours(&mut bits, profile)?;
        }
        bits.take(8)?;
        return size(&mut bits).map(Header::Sized);
    }
    bits.take(8 + 3 * 4)?;
    for _ in 0..3 {
        if bits.take(1)? == 1 {
            return None;
        }
    }
    size(&mut bits).map(Header::Sized)
}

const SYNC: u32 = 0x49_83_42;

fn keyframe(bits: &mut Bits<'_>, profile: u32) -> Option<KeyframeHeader> {
    if bits.take(24)? != SYNC {
        return None;
    }
    let (bit_depth, color_space, full_range, subsampling) = depth_and_colours(bits, profile)?;
    let size = size(bits)?;
    let [profile, bit_depth, color_space] = [profile, bit_depth, color_space].map(|value| value as u8);
    Some(KeyframeHeader { profile, bit_depth, color_space, full_range, subsampling, size })
}

fn depth_and_colours(bits: &mut Bits<'_>, profile: u32) -> Option<(u32, u32, bool, (bool, bool))> {
    let bit_depth = if profile >= 2 { 10 + 2 * bits.take(1)? } else { 8 };
    let color_space = bits.take(3)?;
    let (full_range, subsampling) = colours(bits, profile, color_space)?;
    Some((bit_depth, color_space, full_range, subsampling))
}

fn size(bits: &mut Bits<'_>) -> Option<Size> {
    Some(Size::new(bits.take(16)? + 1, bits.take(16)? + 1))
}

/// The frames of a superframe, or the one that `unit` is.
fn frames(unit: &[u8]) -> impl Iterator<Item = &[u8]> {
    let sizes = superframe_sizes(unit).unwrap_or_else(|| vec![unit.len()]);
    let mut rest = unit;
    sizes.into_iter().map_while(move |length| {
        let (frame, following) = rest.split_at_checked(length)?;
        rest = following;
        Some(frame)
    })
}

/// Annex B: the index at the end.
fn superframe_sizes(unit: &[u8]) -> Option<Vec<usize>> {
    let &marker = unit.last().filter(|marker| **marker >> 5 == 0b110)?;
    let (bytes, count) = (usize::from(marker >> 3 & 0b11) + 1, usize::from(marker & 0b111) + 1);
    let index = unit.len().checked_sub(2 + bytes * count).and_then(|at| unit.get(at..))?;
    if index.first() != Some(&marker) {
        return None;
    }
    let sizes = index[1..=bytes * count].chunks(bytes);
    Some(sizes.map(|size| size.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte))).collect())
}

/// Whether decoding may start with the frame.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    keyframe_header(frame).is_some()
}

/// `color_config`, after the space.
fn colours(bits: &mut Bits<'_>, profile: u32, color_space: u32) -> Option<(bool, (bool, bool))> {
    const RGB: u32 = 7;
    let told = profile == 1 || profile == 3;
    if color_space == RGB {
        if told {
            bits.take(1)?;
        }
        return Some((true, (false, false)));
    }
    let full_range = bits.take(1)? == 1;
    if !told {
        return Some((full_range, (true, true)));
    }
    let subsampling = (bits.take(1)? == 1, bits.take(1)? == 1);
    bits.take(1)?;
    Some((full_range, subsampling))
}

/// Joins the frames of one picture's spatial layers, lowest first, as a decoder takes them: a superframe (annex B). One
/// frame stays as it is; more than eight, or one of more than 16 MiB, are none.
#[must_use]
pub fn superframe(frames: &[&[u8]]) -> Option<Vec<u8>> {
    if let [frame] = frames {
        return Some(frame.to_vec());
    }
    if frames.is_empty() || frames.len() > 8 || frames.iter().any(|frame| frame.len() >= 1 << 24) {
        return None;
    }
    // Sizes of three bytes each.
    let marker = 0b1100_0000 | 2 << 3 | u8::try_from(frames.len() - 1).ok()?;
    let mut joined = frames.concat();
    joined.push(marker);
    for frame in frames {
        joined.extend_from_slice(&u32::try_from(frame.len()).ok()?.to_le_bytes()[..3]);
    }
    joined.push(marker);
    Some(joined)
}

/// Bits from the top; `None` past the end.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 640×360, profile 0, BT.601 limited, as libvpx writes it.
    const KEYFRAME: [u8; 12] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x27, 0xf0, 0x16, 0x70, 0, 0, 0];

    #[test]
    fn a_keyframe_tells_its_size_and_colours() {
        let header = keyframe_header(&KEYFRAME).unwrap();
        assert_eq!(header.size, Size::new(640, 360));
        assert_eq!((header.profile, header.bit_depth, header.color_space, header.full_range), (0, 8, 1, false));
        assert_eq!(header.subsampling, (true, true));
        let mut inter = KEYFRAME;
        inter[0] |= 0b100;
        assert!(!is_keyframe(&inter));
        for length in 0..9 {
            assert!(!is_keyframe(&KEYFRAME[..length]));
        }
    }

    #[test]
    fn a_frame_that_grows_says_so_before_it_is_decoded() {
        // Shown, inter, of no other frame's size: 65,536 in both directions.
        let grown = [0b1000_0110, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0x80];
        assert_eq!(largest_size(&grown), Some(Size::new(65_536, 65_536)));
        let unit = superframe(&[&KEYFRAME, &grown]).unwrap();
        assert_eq!(largest_size(&unit), Some(Size::new(65_536, 65_536)));
        assert_eq!(largest_size(&KEYFRAME), Some(Size::new(640, 360)));
        assert_eq!(largest_size(&[]), None);
    }

    #[test]
    fn layers_are_joined_as_a_decoder_takes_them_apart() {
        assert_eq!(superframe(&[&[1, 2]]), Some(vec![1, 2]));
        let joined = superframe(&[&[1, 2], &[3]]).unwrap();
        assert_eq!(joined, [1, 2, 3, 0b1101_0001, 2, 0, 0, 1, 0, 0, 0b1101_0001]);
        assert_eq!(frames(&joined).collect::<Vec<_>>(), [&[1, 2][..], &[3]]);
        assert_eq!(superframe(&[]), None);
        assert_eq!(superframe(&[&[0][..]; 9]), None);
    }
}
