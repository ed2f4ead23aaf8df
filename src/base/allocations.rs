//! **The question:** of tests: does this path allocate? Every allocation of a thread is counted, its own alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what it hands out to each thread.
struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// A thread that ends has no count any more.
fn count() {
    let _gone = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: everything is the system allocator's own doing; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is what is asked for here.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        count();
        // SAFETY: `block` came from the system allocator, by one of the functions here.
        unsafe { System.realloc(block, layout, len) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often `act` allocates on this thread; what a C library takes is not seen.
pub fn allocations(act: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    act();
    ALLOCATIONS.get() - before
}

#[test]
fn what_is_allocated_is_counted() {
    let mut kept = Vec::new();
    assert_eq!(allocations(|| kept.push(1_u8)), 1);
    assert_eq!(allocations(|| kept.extend([2; 100])), 1, "it grows");
    assert_eq!(allocations(|| kept.clear()), 0);
}
