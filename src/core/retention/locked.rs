//! **The question:** where do secrets lie while they live? All of them in one arena, on pages that are never swapped
//! out and never dumped; each is overwritten when it is let go, and none is ever moved: what owns a secret owns the
//! way to its place.

use std::ptr::from_ref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zeroize::Zeroize;

/// Bytes of one place: a key, or two of them side by side, or a key as it lies in the keeper's file.
pub(super) const PLACE_BYTES: usize = 64;
const PAGE: usize = 4096;
/// Eight pages at a time; a node that plays to dozens needs one such block.
const BLOCK_PLACES: usize = 8 * PAGE / PLACE_BYTES;
const BLOCK_BYTES: usize = BLOCK_PLACES * PLACE_BYTES;

// Pages are locked whole, so nothing else may share one.
#[repr(C, align(4096))]
struct Block([[u8; PLACE_BYTES]; BLOCK_PLACES]);

const _: () = assert!(size_of::<Block>() == BLOCK_BYTES && BLOCK_BYTES.is_multiple_of(PAGE));

struct Arena {
    free: Vec<&'static mut [u8; PLACE_BYTES]>,
    blocks: usize,
    /// Blocks that the kernel would not lock, or keep out of dumps.
    refused: usize,
}

// One for the process: the kernel's limit on locked memory is the process's too.
static ARENA: Mutex<Arena> = Mutex::new(Arena { free: Vec::new(), blocks: 0, refused: 0 });

fn arena() -> MutexGuard<'static, Arena> {
    // Anyone who panicked in here left at most a place unused.
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Arena {
    // Blocks are never given back: their places are used again.
    fn grow(&mut self) {
        let block = Box::leak(Box::new(Block([[0; PLACE_BYTES]; BLOCK_PLACES])));
        let at = from_ref::<Block>(block).cast_mut().cast::<libc::c_void>();
        // SAFETY: `at` is the start of BLOCK_BYTES mapped bytes, aligned to a page, that live as long as the process.
        // Neither call reads or writes them, and a refusal changes nothing.
        let (kept, hidden) =
            unsafe { (libc::mlock(at, BLOCK_BYTES), libc::madvise(at, BLOCK_BYTES, libc::MADV_DONTDUMP)) };
        self.blocks += 1;
        self.refused += usize::from(kept != 0 || hidden != 0);
        self.free.extend(block.0.iter_mut().rev());
    }
}

/// Whether the kernel granted for every page of secrets that it is neither swapped nor dumped. It may refuse by a limit
/// (RLIMIT_MEMLOCK): then swap has to be off or encrypted.
#[must_use]
pub fn secrets_are_locked() -> bool {
    let mut arena = arena();
    if arena.blocks == 0 {
        arena.grow();
    }
    arena.refused == 0
}

/// A place of the arena, all zero at first, overwritten when let go.
pub(super) struct Place(Option<&'static mut [u8; PLACE_BYTES]>);

impl Place {
    pub(super) fn blank() -> Self {
        let mut arena = arena();
        if arena.free.is_empty() {
            arena.grow();
        }
        Self(arena.free.pop())
    }

    pub(super) fn bytes(&self) -> &[u8; PLACE_BYTES] {
        self.0.as_deref().expect("a place is given back only when it is let go")
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8; PLACE_BYTES] {
        self.0.as_deref_mut().expect("a place is given back only when it is let go")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(bytes) = self.0.take() {
            bytes.zeroize();
            arena().free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_stays_where_it_is_and_is_blank_when_it_is_used_again() {
        let mut places: Vec<_> = (0..2 * BLOCK_PLACES).map(|_| Place::blank()).collect();
        let at = |place: &Place| from_ref(place.bytes()) as usize;
        let before: Vec<_> = places.iter().map(at).collect();
        places.iter_mut().for_each(|place| place.bytes_mut().fill(0xa5));
        let moved: Vec<_> = places.into_iter().map(Box::new).collect();
        assert_eq!(moved.iter().map(|place| at(place)).collect::<Vec<_>>(), before);
        drop(moved);
        for _ in 0..2 * BLOCK_PLACES {
            assert_eq!(Place::blank().bytes(), &[0; PLACE_BYTES]);
        }
    }

    #[test]
    fn the_pages_are_kept_out_of_dumps_and_swap() {
        let place = Place::blank();
        let at = from_ref(place.bytes()) as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
            let parse = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((from, to)) = bounds.and_then(|(from, to)| Some((parse(from)?, parse(to)?))) {
                inside = (from..to).contains(&at);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                assert!(!secrets_are_locked() || (flags.contains(" lo") && flags.contains(" dd")), "{flags}");
                return;
            }
        }
        panic!("the pages stand in no mapping");
    }
}
