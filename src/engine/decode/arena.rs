//! **The question:** in whose memory do decoded pictures lie? In the decoder's own, or in an arena that another process
//! sees too: then decoders write their pictures right into it.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What blocks begin at, and are multiples of: dav1d's `DAV1D_PICTURE_ALIGNMENT`, and a cache line.
pub(super) const ALIGN_BYTES: usize = 64;

/// Memory of the caller's, from which blocks are taken and given back: the lowest that fits, so that few pages are ever
/// touched.
pub struct Arena {
    base: NonNull<u8>,
    len: usize,
    /// Bytes that nobody has, by where they begin; neighbours are one.
    free: Mutex<BTreeMap<usize, usize>>,
}

// SAFETY: `base` is only ever used to make blocks, no two of which share a byte; what is free is kept behind a lock.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

impl Arena {
    /// An arena of the `len` bytes at `base`.
    ///
    /// # Safety
    /// `base` is aligned to a page, and `len` bytes from it on can be read and written for as long as the process
    /// lives. Nothing in this process writes them but through blocks of this arena.
    #[must_use]
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, free: Mutex::new(BTreeMap::from([(0, len)])) }
    }

    fn free(&self) -> MutexGuard<'_, BTreeMap<usize, usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `len` bytes, rounded up; where they begin.
    fn take(&self, len: usize) -> Option<usize> {
        let mut free = self.free();
        let (at, there) = free.iter().find(|(_, there)| **there >= len).map(|(at, there)| (*at, *there))?;
        free.remove(&at);
        if there > len {
            free.insert(at + len, there - len);
        }
        Some(at)
    }

    fn give_back(&self, at: usize, len: usize) {
        let (mut at, mut len) = (at, len);
        let mut free = self.free();
        if let Some(behind) = free.remove(&(at + len)) {
            len += behind;
        }
        if let Some((before, there)) = free.range(..at).next_back().map(|(before, there)| (*before, *there))
            && before + there == at
        {
            (at, len) = (before, len + there);
        }
        free.insert(at, len);
    }

    /// Where in the arena `bytes` begin, if all of them lie in it.
    #[must_use]
    pub fn place_of(&self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.as_ptr().addr().checked_sub(self.base.addr().get())?;
        (at.checked_add(bytes.len())? <= self.len).then_some(at)
    }

    /// Bytes that nobody has: where they begin, and how many.
    #[must_use]
    pub fn gaps(&self) -> Vec<(usize, usize)> {
        self.free().iter().map(|(at, len)| (*at, *len)).collect()
    }
}

/// Bytes of one picture.
pub(super) struct Block {
    /// `None`: of the heap.
    arena: Option<Arc<Arena>>,
    at: usize,
    base: NonNull<u8>,
    len: usize,
    heap: Vec<u8>,
}

// SAFETY: a block is the only owner of its bytes.
unsafe impl Send for Block {}
// SAFETY: as above; shared, it is only read.
unsafe impl Sync for Block {}

impl Block {
    /// `len` bytes of `arena`, or of the heap if there is none, whatever they hold; `None` if the arena is full.
    pub(super) fn new(len: usize, arena: Option<&Arc<Arena>>) -> Option<Self> {
        let Some(arena) = arena else {
            return Some(Self { arena: None, at: 0, base: NonNull::dangling(), len, heap: vec![0; len] });
        };
        let len = len.next_multiple_of(ALIGN_BYTES).max(ALIGN_BYTES);
        let at = arena.take(len)?;
        // SAFETY: `at` is within the arena.
        let base = unsafe { arena.base.add(at) };
        Some(Self { arena: Some(arena.clone()), at, base, len, heap: Vec::new() })
    }

    /// Where it begins, for a library that writes it.
    #[cfg_attr(any(not(feature = "dav1d"), feature = "rav1d"), expect(dead_code, reason = "of dav1d alone"))]
    pub(super) fn start(&mut self) -> *mut u8 {
        if self.arena.is_some() { self.base.as_ptr() } else { self.heap.as_mut_ptr() }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.arena {
            // SAFETY: these bytes of the arena are this block's alone until it is dropped.
            Some(_) => unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.len) },
            None => &self.heap,
        }
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &self.arena {
            // SAFETY: as in `deref`, and `self` is borrowed alone.
            Some(_) => unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) },
            None => &mut self.heap,
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(arena) = &self.arena {
            arena.give_back(self.at, self.len);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An arena of the heap, as large as that; it stays.
    pub(in crate::engine::decode) fn arena(len: usize) -> Arc<Arena> {
        let bytes = Vec::leak(vec![0_u8; len + 4096]);
        let skipped = bytes.as_ptr().align_offset(4096);
        let base = NonNull::new(bytes[skipped..].as_mut_ptr()).unwrap();
        // SAFETY: leaked, aligned above, and used here only.
        Arc::new(unsafe { Arena::new(base, len) })
    }

    #[test]
    fn blocks_share_no_byte_and_all_come_back() {
        let arena = arena(64 * 64);
        let mut blocks: Vec<Option<Block>> = (1..=8).map(|n| Block::new(n * 50, Some(&arena))).collect();
        for (n, block) in (1_u8..).zip(blocks.iter_mut().flatten()) {
            block.fill(n);
        }
        for n in [1, 5, 2, 7] {
            blocks[n] = None;
        }
        blocks.extend((0..60).map(|_| Block::new(64, Some(&arena))));
        assert!(blocks.last().unwrap().is_none(), "it is full");
        for (n, block) in (1_u8..9).zip(&blocks) {
            assert!(block.iter().all(|block| block.iter().all(|byte| *byte == n)), "{n}");
            assert!(block.iter().all(|block| arena.place_of(block).is_some()));
        }
        drop(blocks);
        assert_eq!(arena.gaps(), [(0, 64 * 64)]);
        assert!(Block::new(64 * 64 + 1, Some(&arena)).is_none());
        assert_eq!(Block::new(7, None).unwrap().len(), 7);
        assert_eq!(arena.place_of(&[1, 2]), None, "of the heap");
    }
}
