//! **The question:** how are quantised coefficients written? Bands that share a codebook are a section; each pair or
//! four of coefficients is a code, with signs and, beyond 15, the rest behind it (ISO/IEC 14496-3, sections 4.6.2 and
//! 4.6.3).

use crate::engine::encode::aac::tables::{BANDS, BOOKS};

/// Bits, from the top on.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Bits of the last byte that are free.
    free: u32,
}

impl BitWriter {
    pub(super) fn put(&mut self, value: u32, mut count: u32) {
        while count > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let taken = count.min(self.free);
            let part = value >> (count - taken) & ((1 << taken) - 1);
            self.free -= taken;
            count -= taken;
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part << self.free) as u8;
            }
        }
    }

    pub(super) fn code(&mut self, code: u32) {
        self.put(code & 0xf_ffff, code >> 20);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The book of bands that hold nothing.
pub(super) const ZERO: usize = 0;
/// The one that writes values of any size.
const ESCAPE: usize = 11;
/// The largest value of each book.
const LARGEST: [i32; 12] = [0, 1, 1, 2, 2, 4, 4, 7, 7, 12, 12, i32::MAX];

/// Where a code stands in its book: the values' places, and which of them have signs behind it.
fn code(book: usize, values: &[i32]) -> u32 {
    let (base, offset) = match book {
        1 | 2 => (3, 1),
        3 | 4 => (3, 0),
        5 | 6 => (9, 4),
        7 | 8 => (8, 0),
        9 | 10 => (13, 0),
        _ => (17, 0),
    };
    let place = |value: &i32| if offset > 0 { value + offset } else { value.abs().min(16) };
    let at = values.iter().fold(0, |at, value| at * base + place(value));
    BOOKS[book][at as usize]
}

const fn is_signed(book: usize) -> bool {
    matches!(book, 1 | 2 | 5 | 6)
}

const fn dimension(book: usize) -> usize {
    if book <= 4 { 4 } else { 2 }
}

/// Bits of an escape: as many ones as the value has bits beyond 16, a zero, and the rest (section 4.6.3.3).
fn escape(value: i32) -> (u32, u32, u32) {
    let value = value.unsigned_abs();
    let length = value.ilog2();
    let ones = length - 4;
    ((1 << (ones + 1)) - 2, ones + 1, length)
}

/// Bits that a band takes by a book; `None` where it cannot be written by it.
pub(super) fn cost(book: usize, values: &[i32], largest: i32) -> Option<u32> {
    if largest > LARGEST[book] {
        return None;
    }
    if book == ZERO {
        return Some(0);
    }
    let mut bits = 0;
    for group in values.chunks_exact(dimension(book)) {
        bits += code(book, group) >> 20;
        for value in group {
            bits += u32::from(*value != 0 && !is_signed(book));
            if book == ESCAPE && value.abs() >= 16 {
                let (_, ones, rest) = escape(*value);
                bits += ones + rest;
            }
        }
    }
    Some(bits)
}

/// Writes a band.
pub(super) fn write(book: usize, values: &[i32], out: &mut BitWriter) {
    if book == ZERO {
        return;
    }
    for group in values.chunks_exact(dimension(book)) {
        out.code(code(book, group));
        for value in group.iter().filter(|value| **value != 0 && !is_signed(book)) {
            out.put(u32::from(*value < 0), 1);
        }
        for value in group.iter().filter(|value| book == ESCAPE && value.abs() >= 16) {
            let (prefix, ones, length) = escape(*value);
            out.put(prefix, ones);
            out.put(value.unsigned_abs() & ((1 << length) - 1), length);
        }
    }
}

/// Books that are tried for a band, from the first that can write it on.
const BOOKS_TRIED: usize = 5;
/// Bits that say a section's book and length.
const SECTION_BITS: u32 = 9;
/// The length that says that more follows.
const SECTION_MORE: usize = 31;

/// A book for each band, and the bits that all of them take: neighbours share one where that is shorter.
pub(super) fn sections(values: &[i32], bands: usize) -> (Vec<usize>, u32) {
    let costs: Vec<[Option<u32>; 12]> = (0..bands)
        .map(|band| {
            let values = &values[BANDS[band]..BANDS[band + 1]];
            let largest = values.iter().map(|value| value.abs()).max().unwrap_or(0);
            let first = LARGEST.iter().position(|book| *book >= largest).unwrap_or(ESCAPE);
            let mut costs = [None; 12];
            // A book for somewhat larger values than there are costs more, but may be the neighbour's.
            for (book, cost_of) in costs.iter_mut().enumerate().skip(first).take(BOOKS_TRIED) {
                *cost_of = cost(book, values, largest);
            }
            costs
        })
        .collect();
    // The cheapest way to each band and book (Viterbi); a band of nothing is written by no book but its own.
    let mut ways: Vec<[(u32, usize); 12]> = Vec::with_capacity(bands);
    for costs in &costs {
        let before = ways.last().copied();
        let best = before.map_or((0, 0), |ways| {
            ways.iter().enumerate().map(|(book, (bits, _))| (*bits, book)).min().unwrap_or((0, 0))
        });
        let mut here = [(u32::MAX / 2, 0); 12];
        for (book, way) in here.iter_mut().enumerate() {
            let Some(cost) = costs[book] else { continue };
            let stays = before.map_or(u32::MAX / 2, |ways| ways[book].0);
            *way = if stays <= best.0 + SECTION_BITS {
                (stays + cost, book)
            } else {
                (best.0 + SECTION_BITS + cost, best.1)
            };
        }
        ways.push(here);
    }
    let mut books = vec![0; bands];
    let Some(last) = ways.last() else { return (books, 0) };
    let (bits, mut book) = last.iter().enumerate().map(|(book, (bits, _))| (*bits, book)).min().unwrap_or((0, 0));
    for band in (0..bands).rev() {
        books[band] = book;
        book = ways[band][book].1;
    }
    (books, bits)
}

/// Writes which band has which book.
pub(super) fn write_sections(books: &[usize], out: &mut BitWriter) {
    for section in books.chunk_by(|a, b| a == b) {
        out.put(section[0] as u32, 4);
        let mut length = section.len();
        while length >= SECTION_MORE {
            out.put(SECTION_MORE as u32, 5);
            length -= SECTION_MORE;
        }
        out.put(length as u32, 5);
    }
}
