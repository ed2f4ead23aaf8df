//! **The question:** which way up does a camera say its picture stands? EXIF orientation (CIPA DC-008,
//! 4.6.5), and the turn it asks for.

use crate::base::media::{Bitmap, Size};

/// What an EXIF block says, 1 to 8; 1, as it is stored, also where it says nothing that can be read.
pub(super) fn orientation(exif: &[u8]) -> u8 {
    find(exif).and_then(|value| u8::try_from(value).ok()).filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

/// The value of tag 0x112 in the first directory of a TIFF head.
fn find(exif: &[u8]) -> Option<u16> {
    let big = match exif.get(..4)? {
        b"II\x2a\0" => false,
        b"MM\0\x2a" => true,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    for entry in 0..usize::from(short(directory)?) {
        let at = directory.checked_add(2 + entry * 12)?;
        // One short integer.
        if (short(at)?, short(at + 2)?, long(at + 4)?) == (0x112, 3, 1) {
            return short(at + 8);
        }
    }
    None
}

/// `picture` as its camera saw it.
pub(super) fn upright(picture: Bitmap, orientation: u8) -> Bitmap {
    if !(2..=8).contains(&orientation) {
        return picture;
    }
    let stored = picture.size();
    let size = if orientation < 5 { stored } else { Size::new(stored.height, stored.width) };
    let (right, bottom) = (stored.width as usize - 1, stored.height as usize - 1);
    let from = |x: usize, y: usize| match orientation {
        2 => (right - x, y),
        3 => (right - x, bottom - y),
        4 => (x, bottom - y),
        5 => (y, x),
        6 => (y, bottom - x),
        7 => (right - y, bottom - x),
        _ => (right - y, x),
    };
    let mut rgba = Vec::with_capacity(picture.rgba().len());
    for y in 0..size.height as usize {
        for x in 0..size.width as usize {
            let (x, y) = from(x, y);
            let at = (y * (right + 1) + x) * 4;
            rgba.extend_from_slice(&picture.rgba()[at..at + 4]);
        }
    }
    Bitmap::new(size, rgba)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters as pixels, row by row.
    fn letters(picture: &Bitmap) -> String {
        let width = picture.size().width as usize;
        let letters: Vec<char> = picture.rgba().chunks_exact(4).map(|pixel| char::from(pixel[0])).collect();
        letters.chunks(width).map(|row| row.iter().collect::<String>()).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn each_orientation_shows_the_same_scene() {
        // The scene is "ab/cd/ef"; these are what cameras store of it, 1 to 8 (the table of the standard).
        let stored = ["ab/cd/ef", "ba/dc/fe", "fe/dc/ba", "ef/cd/ab", "ace/bdf", "bdf/ace", "fdb/eca", "eca/fdb"];
        for (orientation, stored) in (1..).zip(stored) {
            let rows: Vec<&str> = stored.split('/').collect();
            let size = Size::new(u32::try_from(rows[0].len()).unwrap(), u32::try_from(rows.len()).unwrap());
            let picture = Bitmap::new(size, rows.concat().bytes().flat_map(|letter| [letter; 4]).collect());
            assert_eq!(letters(&upright(picture, orientation)), "ab/cd/ef", "{orientation}");
        }
    }

    #[test]
    fn what_cannot_be_read_stands_as_it_is() {
        let exif = |value: u8| [&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[value, 0, 0, 0]].concat();
        assert_eq!((1..=8).map(|value| orientation(&exif(value))).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!([0, 9, 255].map(|value| orientation(&exif(value))), [1; 3]);
        let whole = exif(6);
        assert!((0..20).all(|len| orientation(&whole[..len]) == 1), "cut short");
        assert_eq!(orientation(b"II\x2a\0\xff\xff\xff\xff"), 1, "a directory far away");
        assert_eq!(orientation(b"hello, world, this is no EXIF"), 1);
    }
}
