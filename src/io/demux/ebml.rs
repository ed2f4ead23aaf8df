//! **The question:** which element comes next in an EBML file (RFC 8794)? Identifiers and sizes as they are written,
//! unknown sizes included, read front to back; small elements as bytes with their children.

use std::io::{Read, Seek, SeekFrom};

use bytes::Bytes;

use crate::io::demux::stored::{Fault, Reader, broken, read_bytes};

/// Bytes of the longest identifier (Matroska: `EBMLMaxIDLength` 4) and of the longest size.
const ID_BYTES: usize = 4;
const SIZE_BYTES: usize = 8;

/// An element's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: u32,
    /// Bytes of its body; `None`: until an element comes that cannot lie in it (RFC 8794 section 6.2).
    pub(super) size: Option<u64>,
}

/// A file, element by element.
pub(super) struct Elements {
    file: Reader,
    at: u64,
    len: u64,
}

impl Elements {
    pub(super) fn of(file: Reader) -> Result<Self, Fault> {
        let len = file.get_ref().metadata()?.len();
        Ok(Self { file, at: 0, len })
    }

    /// Where the next byte lies.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// The next element's head; its body is to be read or skipped. `None` at the end of the file.
    pub(super) fn head(&mut self) -> Result<Option<Head>, Fault> {
        if self.at >= self.len {
            return Ok(None);
        }
        let id = self.number(ID_BYTES, true)?.0;
        let (size, digits) = self.number(SIZE_BYTES, false)?;
        let is_unknown = size == (1 << (7 * digits)) - 1;
        Ok(Some(Head { id: u32::try_from(id).map_err(|_| Fault::Cut)?, size: (!is_unknown).then_some(size) }))
    }

    /// The body of an element of `size` bytes, of which at most `most` are read.
    pub(super) fn body(&mut self, size: Option<u64>, most: usize) -> Result<Bytes, Fault> {
        let size = size.ok_or_else(|| broken("an element without a size"))?;
        let len = usize::try_from(size).ok().filter(|len| *len <= most);
        let len = len.ok_or_else(|| broken(format!("an element of {size} bytes")))?;
        if size > self.len.saturating_sub(self.at) {
            return Err(Fault::Cut);
        }
        let bytes = read_bytes(&mut self.file, len)?;
        self.at += size;
        Ok(bytes)
    }

    /// Goes past the body of an element of `size` bytes.
    pub(super) fn skip(&mut self, size: Option<u64>) -> Result<(), Fault> {
        let size = size.ok_or_else(|| broken("an element without a size"))?;
        let to = self.at.checked_add(size).filter(|to| *to <= self.len).ok_or(Fault::Cut)?;
        self.go(to)
    }

    /// Reads on at `to`.
    pub(super) fn go(&mut self, to: u64) -> Result<(), Fault> {
        match i64::try_from(i128::from(to) - i128::from(self.at)) {
            // A jump within the buffer keeps it.
            Ok(by) => self.file.seek_relative(by)?,
            Err(_) => drop(self.file.seek(SeekFrom::Start(to))?),
        }
        self.at = to;
        Ok(())
    }

    /// A number whose first byte says by its leading zeros how many follow: how many bytes it has; with that mark or
    /// without it.
    fn number(&mut self, most: usize, marked: bool) -> Result<(u64, usize), Fault> {
        let mut byte = [0];
        self.file.read_exact(&mut byte).map_err(|_| Fault::Cut)?;
        let count = byte[0].leading_zeros() as usize + 1;
        if count > most {
            return Err(broken(format!("no element begins at byte {}", self.at)));
        }
        let first = if marked { byte[0] } else { without_mark(byte[0], count) };
        let mut value = u64::from(first);
        for _ in 1..count {
            self.file.read_exact(&mut byte).map_err(|_| Fault::Cut)?;
            value = value << 8 | u64::from(byte[0]);
        }
        self.at += count as u64;
        Ok((value, count))
    }
}

fn without_mark(byte: u8, count: usize) -> u8 {
    if count == 8 { 0 } else { byte & (0xff >> count) }
}

/// A number at the front of `bytes`, its mark taken away, and what follows.
pub(super) fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let count = bytes.first()?.leading_zeros() as usize + 1;
    let (number, rest) = bytes.split_at_checked(count).filter(|_| count <= SIZE_BYTES)?;
    let first = u64::from(without_mark(number[0], count));
    Some((number[1..].iter().fold(first, |value, byte| value << 8 | u64::from(*byte)), rest))
}

/// The children of an element whose body is `bytes`, one after the other; what is cut short ends them.
pub(super) fn children(bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let count = rest.first()?.leading_zeros() as usize + 1;
        let (id, after) = rest.split_at_checked(count).filter(|_| count <= ID_BYTES)?;
        let id = id.iter().fold(0_u32, |id, byte| id << 8 | u32::from(*byte));
        let (size, after) = read_number(after)?;
        let (body, after) = after.split_at_checked(usize::try_from(size).ok()?)?;
        rest = after;
        Some((id, body))
    })
}

/// The first child of that name.
pub(super) fn child(bytes: &[u8], id: u32) -> Option<&[u8]> {
    children(bytes).find(|(found, _)| *found == id).map(|(_, body)| body)
}

/// An unsigned integer of up to eight bytes (RFC 8794 section 7.2).
pub(super) fn unsigned(body: &[u8]) -> Option<u64> {
    (body.len() <= 8).then(|| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// A signed one (section 7.1).
pub(super) fn signed(body: &[u8]) -> Option<i64> {
    let value = unsigned(body)?;
    let spare = 64 - 8 * body.len();
    Some(if spare == 64 { 0 } else { value.cast_signed() << spare >> spare })
}

/// A float of four or eight bytes, or none, which is zero (section 7.3).
pub(super) fn float(body: &[u8]) -> Option<f64> {
    match *body {
        [] => Some(0.0),
        [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
        _ => body.try_into().ok().map(f64::from_be_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_rfc_8794_writes_them() {
        assert_eq!(read_number(&[0x81, 7]), Some((1, &[7][..])));
        assert_eq!(read_number(&[0x40, 0x7f]), Some((127, &[][..])));
        assert_eq!(read_number(&[0x01, 0, 0, 0, 0, 0, 1, 0]), Some((256, &[][..])));
        assert_eq!(read_number(&[0x40]), None);
        assert_eq!(read_number(&[0]), None);
        assert_eq!([signed(&[0xff]), signed(&[0, 0x80]), signed(&[])], [Some(-1), Some(128), Some(0)]);
        assert_eq!([float(&90.0_f32.to_be_bytes()), float(&[]), float(&[1])], [Some(90.0), Some(0.0), None]);
        let bytes = [0xb0, 0x82, 1, 0x40, 0x55, 0xaa, 0x81, 1, 0xba, 0x85, 1];
        assert_eq!(children(&bytes).collect::<Vec<_>>(), [(0xb0, &[1, 0x40][..]), (0x55aa, &[1][..])]);
        assert_eq!(child(&bytes, 0x55aa), Some(&[1][..]));
    }
}
