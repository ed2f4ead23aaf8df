//! **The question:** what stays on the device between ticks? Axes (which inputs an output sample weighs), masks and
//! stills, each uploaded when it is first used. When the memory is full all of it is forgotten, and what the tick needs
//! comes again.

use std::collections::HashMap;
use std::hash::Hash;

use crate::base::limits;

const CAPACITY_WORDS: usize = (limits::GPU_TABLES_LEN / 4) as usize;

/// The tables' memory is full; after [`Tables::forget`] there is room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Where each table lies, and what is not uploaded yet. `K` names a table for as long as it may be used again.
#[derive(Debug)]
pub(super) struct Tables<K> {
    places: HashMap<K, u32>,
    /// Words that the device has.
    settled: usize,
    /// Words behind them that it must still get.
    fresh: Vec<u32>,
}

impl<K: Eq + Hash> Tables<K> {
    pub(super) fn new() -> Self {
        Self { places: HashMap::new(), settled: 0, fresh: Vec::new() }
    }

    /// Where the table `key` begins, in words; `make` appends it if it is new.
    pub(super) fn place(&mut self, key: K, make: impl FnOnce(&mut Vec<u32>)) -> Result<u32, Full> {
        if let Some(&place) = self.places.get(&key) {
            return Ok(place);
        }
        let length = self.fresh.len();
        make(&mut self.fresh);
        if self.settled + self.fresh.len() > CAPACITY_WORDS {
            self.fresh.truncate(length);
            return Err(Full);
        }
        let place = u32::try_from(self.settled + length).expect("the capacity is far below 2^32");
        self.places.insert(key, place);
        Ok(place)
    }

    /// Begins anew; nothing that was placed may be used again.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Words to upload, and where to.
    pub(super) fn fresh(&self) -> (usize, &[u32]) {
        (self.settled, &self.fresh)
    }

    /// The fresh words are on their way.
    pub(super) fn end_tick(&mut self) {
        self.settled += self.fresh.len();
        self.fresh.clear();
    }
}

/// Appends `bytes` as words, the last one filled up with zeros.
pub(super) fn push_bytes(words: &mut Vec<u32>, bytes: &[u8]) {
    let (whole, rest) = bytes.as_chunks::<4>();
    words.extend(whole.iter().map(|chunk| u32::from_le_bytes(*chunk)));
    if !rest.is_empty() {
        let mut last = [0; 4];
        last[..rest.len()].copy_from_slice(rest);
        words.push(u32::from_le_bytes(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_made_once_and_lies_where_it_was_placed() {
        let mut tables = Tables::new();
        assert_eq!(tables.place("a", |words| words.extend([1, 2, 3])), Ok(0));
        assert_eq!(tables.place("b", |words| push_bytes(words, &[1, 2, 3, 4, 5])), Ok(3));
        assert_eq!(tables.fresh(), (0, &[1, 2, 3, 0x0403_0201, 5][..]));
        tables.end_tick();
        assert_eq!(tables.place("b", |_| unreachable!("it is there")), Ok(3));
        assert_eq!(tables.place("c", |words| words.push(9)), Ok(5));
        assert_eq!(tables.fresh(), (5, &[9][..]));
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let mut tables = Tables::new();
        tables.place(0, |words| words.resize(CAPACITY_WORDS - 1, 7)).unwrap();
        assert_eq!(tables.place(1, |words| words.extend([1, 2])), Err(Full));
        assert_eq!(tables.fresh().1.len(), CAPACITY_WORDS - 1);
        tables.forget();
        assert_eq!(tables.place(1, |words| words.extend([1, 2])), Ok(0));
    }
}
