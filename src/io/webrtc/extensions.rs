//! **The question:** which RTP header extensions does this node take, and what does `color-space` say? An extension
//! that would not be obeyed is left out of answers: a phone that is not told that its orientation is obeyed turns its
//! pictures itself (3GPP TS 26.114, section 7.4.5).

use str0m::rtp::{Extension, ExtensionMap, ExtensionSerializer, ExtensionValues};

use crate::base::media::{Colour, Matrix};

/// What a frame's samples mean, as libwebrtc says it in its packets.
const COLOUR: &str = "http://www.webrtc.org/experiments/rtp-hdrext/color-space";
/// str0m knows that name and reads nothing of it; under this one it asks us.
const COLOUR_HERE: &str = "urn:tessera:color-space";

/// Every one that is taken, by str0m's names.
const TAKEN: [Extension; 6] = [
    Extension::AudioLevel,
    Extension::AbsoluteSendTime,
    Extension::TransportSequenceNumber,
    Extension::RtpMid,
    Extension::RtpStreamId,
    Extension::RepairedRtpStreamId,
];

/// What str0m is to take.
pub(super) fn map() -> ExtensionMap {
    let mut map = ExtensionMap::empty();
    for (id, extension) in (1..).zip(TAKEN) {
        map.set(id, extension);
    }
    map.set(14, Extension::with_serializer(COLOUR_HERE, ColourReader));
    map
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
    let uri = if uri == COLOUR { COLOUR_HERE } else { uri };
    (uri == COLOUR_HERE || TAKEN.iter().any(|taken| taken.as_uri() == uri)).then(|| format!("{number} {uri}"))
}

/// An answered `extmap` line as the other side is to read it.
pub(super) fn answered(line: &str) -> String {
    line.replace(COLOUR_HERE, COLOUR)
}

/// What a packet says of its frame's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatedColour(pub(super) Colour);

/// Reads four bytes (libwebrtc, `rtp_header_extensions.cc`): primaries, transfer, matrix by ITU-T H.273; then two bits
/// of range (1 limited, 2 full, 0 and 3 not said) above four of where chroma lies. HDR's 24 more are not looked at.
#[derive(Debug)]
struct ColourReader;

impl ExtensionSerializer for ColourReader {
    fn write_to(&self, _: &mut [u8], _: &ExtensionValues) -> usize {
        0
    }

    fn parse_value(&self, bytes: &[u8], values: &mut ExtensionValues) -> bool {
        let Some(colour) = read_colour(bytes) else { return false };
        values.user_values.set(StatedColour(colour));
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
    fn what_would_not_be_obeyed_is_not_taken() {
        assert_eq!(offered("13 urn:3gpp:video-orientation"), None);
        let mid = "4 urn:ietf:params:rtp-hdrext:sdes:mid";
        assert_eq!(offered("4/recvonly urn:ietf:params:rtp-hdrext:sdes:mid x").as_deref(), Some(mid));
        let colour = format!("8 {COLOUR}");
        assert_eq!(answered(&offered(&colour).unwrap()), colour);
        assert_eq!(offered(&format!("15 {COLOUR}")), None);
    }
}
