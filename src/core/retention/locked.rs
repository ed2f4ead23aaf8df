//! **The question:** where do hour keys lie while they live? On pages of their own that are never swapped out and never
//! dumped, and that are overwritten before they are given back.

use std::ptr::from_ref;

use zeroize::Zeroize;

use crate::base::limits::HOUR_KEYS_MAX;
use crate::core::retention::secret::KEY_BYTES;

const PAGE: usize = 4096;

#[repr(C, align(4096))]
struct Pages {
    keys: [[u8; KEY_BYTES]; HOUR_KEYS_MAX],
    // Pages are locked whole; nothing else may share the last one.
    rest: [u8; PAGES_BYTES - HOUR_KEYS_MAX * KEY_BYTES],
}

const PAGES_BYTES: usize = (HOUR_KEYS_MAX * KEY_BYTES).next_multiple_of(PAGE);
const _: () = assert!(size_of::<Pages>() == PAGES_BYTES && align_of::<Pages>() == PAGE);

/// Room for every hour key a keeper may hold at one time; all zero where there is none.
pub(super) struct LockedKeys {
    pages: Box<Pages>,
    locked: bool,
}

impl LockedKeys {
    pub(super) fn new() -> Self {
        let keys = [[0; KEY_BYTES]; HOUR_KEYS_MAX];
        let pages = Box::new(Pages { keys, rest: [0; PAGES_BYTES - HOUR_KEYS_MAX * KEY_BYTES] });
        let at = from_ref::<Pages>(&pages).cast_mut().cast::<libc::c_void>();
        // SAFETY: `at` is the start of PAGES_BYTES mapped bytes that this box owns alone, aligned to a page. Neither
        // call reads or writes them, and a refusal changes nothing.
        let (kept, hidden) =
            unsafe { (libc::mlock(at, PAGES_BYTES), libc::madvise(at, PAGES_BYTES, libc::MADV_DONTDUMP)) };
        Self { pages, locked: kept == 0 && hidden == 0 }
    }

    /// Whether the kernel granted both: never swapped, never in a core dump. It may refuse by a limit (RLIMIT_MEMLOCK).
    pub(super) fn locked(&self) -> bool {
        self.locked
    }

    pub(super) fn get(&self, slot: usize) -> &[u8; KEY_BYTES] {
        &self.pages.keys[slot]
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> &mut [u8; KEY_BYTES] {
        &mut self.pages.keys[slot]
    }

    pub(super) fn erase(&mut self, slot: usize) {
        self.pages.keys[slot].zeroize();
    }
}

impl Drop for LockedKeys {
    fn drop(&mut self) {
        self.pages.keys.zeroize();
        self.pages.rest.zeroize();
        let at = from_ref::<Pages>(&self.pages).cast_mut().cast::<libc::c_void>();
        // SAFETY: as in `new`; the box is still whole, and both calls only undo what was asked for there, so that the
        // allocator gets back ordinary pages.
        unsafe {
            libc::munlock(at, PAGES_BYTES);
            libc::madvise(at, PAGES_BYTES, libc::MADV_DODUMP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_apart_and_are_erased() {
        let mut keys = LockedKeys::new();
        keys.get_mut(0).fill(7);
        keys.get_mut(HOUR_KEYS_MAX - 1).fill(9);
        assert_eq!((keys.get(0), keys.get(1)), (&[7; KEY_BYTES], &[0; KEY_BYTES]));
        keys.erase(0);
        assert_eq!((keys.get(0), keys.get(HOUR_KEYS_MAX - 1)), (&[0; KEY_BYTES], &[9; KEY_BYTES]));
    }

    #[test]
    fn the_pages_are_kept_out_of_dumps_and_swap() {
        let keys = LockedKeys::new();
        let at = from_ref::<Pages>(&keys.pages) as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in maps.lines() {
            let bounds = line.split(' ').next().and_then(|range| range.split_once('-'));
            let parse = |text: &str| usize::from_str_radix(text, 16).ok();
            if let Some((from, to)) = bounds.and_then(|(from, to)| Some((parse(from)?, parse(to)?))) {
                inside = (from..to).contains(&at);
            } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| inside) {
                assert!(!keys.locked() || (flags.contains(" lo") && flags.contains(" dd")), "{flags}");
                return;
            }
        }
        panic!("the pages stand in no mapping");
    }
}
