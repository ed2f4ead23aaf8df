//! **The question:** which RTP header extensions does this node take, and what do `color-space` and
//! `video-orientation` say? An extension that would not be obeyed is left out of answers: a phone that is not told that
//! its orientation is obeyed turns its pictures itself (3GPP TS 26.114, section 7.4.5).

use str0m::rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues};

use crate::base::media::{Colour, Matrix, Orientation};

/// What a frame's samples mean, as libwebrtc says it in its packets.
const COLOUR: &str = "http://www.webrtc.org/experiments/rtp-hdrext/color-space";
/// str0m knows that name and reads nothing of it; under this one it asks us.
const COLOUR_HERE: &str = "urn:tessera:color-space";

/// Which way up pictures are.
const ORIENTATION: &str = "urn:3gpp:video-orientation";
/// str0m reads that one, but not whether the picture is mirrored.
const ORIENTATION_HERE: &str = "urn:tessera:video-orientation";

/// Those that are read here, by their own names and by those that str0m is given.
const READ_HERE: [(&str, &str); 2] = [(COLOUR, COLOUR_HERE), (ORIENTATION, ORIENTATION_HERE)];

/// Every one that is taken, by str0m's names.
const TAKEN: [Extension; 6] = [
    Extension::AudioLevel,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::RtpMid,
    Extension::RtpStreamId,
    Extension::RepairedRtpStreamId,
];

/// These, by their numbers, and no other.
pub(super) fn numbered(extensions: impl IntoIterator<Item = (u8, Extension)>) -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    extensions.into_iter().for_each(|(id, extension)| map.set(id, extension));
    map
}

/// What str0m is to take.
pub(super) fn map() -> ExtensionMap {
    let mut map = numbered((1..).zip(TAKEN));
    map.set(13, Extension::with_serializer(ORIENTATION_HERE, Reader(stated_orientation)));
    map.set(14, Extension::with_serializer(COLOUR_HERE, Reader(stated_colour)));
    map
}

fn stated_orientation(bytes: &[u8]) -> Option<StatedOrientation> {
    bytes.first().map(|byte| StatedOrientation(read_orientation(*byte)))
}

fn stated_colour(bytes: &[u8]) -> Option<StatedColour> {
    read_colour(bytes).map(StatedColour)
}

/// An offered `extmap` as str0m is to read it; `None` for one that is not taken.
pub(super) fn offered(value: &str) -> Option<String> {
    let mut words = value.split_ascii_whitespace();
    let (id, uri) = (words.next()?, words.next()?);
    // One-byte headers have 14 (RFC 8285 section 4.2).
    let number: u8 = id.split('/').next()?.parse().ok()?;
    if !(1..=14).contains(&number) {
        return None;
    }
    let here = READ_HERE.iter().find(|(name, _)| *name == uri).map(|(_, here)| *here);
    let taken = here.or_else(|| TAKEN.iter().any(|taken| taken.as_uri() == uri).then_some(uri));
    taken.map(|uri| format!("{number} {uri}"))
}

/// An answered `extmap` line as the other side is to read it.
pub(super) fn answered(line: &str) -> String {
    READ_HERE.iter().fold(line.to_owned(), |line, (name, here)| line.replace(here, name))
}

/// What a packet says of its frame's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatedColour(pub(super) Colour);

/// What a packet says of which way up its frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatedOrientation(pub(super) Orientation);

/// An extension of pictures' packets that is read and never written; what its bytes say, if they say anything.
#[derive(Debug)]
struct Reader<T>(fn(&[u8]) -> Option<T>);

impl<T: std::fmt::Debug + Send + Sync + 'static> ExtensionSerializer for Reader<T> {
    fn write_to(&self, _: &mut [u8], _: &ExtensionValues) -> usize {
        0
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        let Some(value) = (self.0)(bytes) else { return false };
        values.user_values.set(value);
        true
    }

    fn is_video(&self) -> bool {
        true
    }

    fn is_audio(&self) -> bool {
        false
    }

    // Never written; with one byte of header str0m would insist on a value.
    fn requires_two_byte_form(&self, _: &ExtensionValues) -> bool {
        false
    }
}

/// Reads one byte: in its low bits which camera it is, whether the picture is mirrored as it is sent, and by how many
/// quarter turns clockwise it is to be turned (3GPP TS 26.114, section 7.4.5 and table 7.2).
const fn read_orientation(byte: u8) -> Orientation {
    Orientation { mirrored: byte & 0b100 != 0, turns: byte & 0b11 }
}

/// Reads four bytes (libwebrtc, `rtp_header_extensions.cc`): primaries, transfer, matrix by ITU-T H.273; then two bits
/// of range (1 limited, 2 full, 0 and 3 not said) above four of where chroma lies. HDR's 24 more are not looked at.
fn read_colour(bytes: &[u8]) -> Option<Colour> {
    let [_, _, matrix, range, ..] = *bytes else { return None };
    let range = range >> 4 & 0b11;
    // Neither says anything: the bitstream may.
    if Matrix::of(matrix.into()).is_none() && !(1..=2).contains(&range) {
        return None;
    }
    Some(Colour::of(matrix.into(), range == 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colours_of_browsers_are_read() {
        let colour = |matrix, full_range| Some(Colour { matrix, full_range });
        // Captured of Chromium 156: its camera, and a canvas.
        assert_eq!(read_colour(&[6, 6, 6, 0x10]), colour(Matrix::Bt601, false));
        assert_eq!(read_colour(&[1, 13, 1, 0x20]), colour(Matrix::Bt709, true));
        assert_eq!(read_colour(&[9, 16, 9, 0x10, 0, 0, 0, 0]), colour(Matrix::Bt2020, false), "HDR follows");
        assert_eq!(read_colour(&[2, 2, 2, 0x20]), colour(Matrix::Bt601, true));
        assert_eq!(read_colour(&[2, 2, 2, 0]), None);
        assert_eq!(read_colour(&[1, 1, 1]), None);
    }

    #[test]
    fn case_17_video_orientation_is_read_with_its_mirror() {
        let turned = |mirrored, turns| Orientation { mirrored, turns };
        // A back camera's third bit says nothing of the picture.
        for (byte, orientation) in [(0, turned(false, 0)), (1, turned(false, 1)), (0b1011, turned(false, 3))] {
            assert_eq!(read_orientation(byte), orientation);
        }
        assert_eq!(read_orientation(0b110), turned(true, 2));
    }

    #[test]
    fn what_would_not_be_obeyed_is_not_taken() {
        assert_eq!(offered("13 urn:3gpp:video-orientation:6"), None, "it tells degrees of 64");
        let mid = "4 urn:ietf:params:rtp-hdrext:sdes:mid";
        assert_eq!(offered("4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid x").as_deref(), Some(mid));
        for name in [COLOUR, ORIENTATION] {
            let line = format!("8 {name}");
            assert_eq!(answered(&offered(&line).unwrap()), line);
        }
        assert_eq!(offered(&format!("15 {COLOUR}")), None);
    }
}
