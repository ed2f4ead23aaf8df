//! **The question:** in what pieces does memory come from the system? A node's in small ones: one that comes in pieces
//! of 2 MiB, as the allocator asks for, is zeroed piece by piece while whoever touched it first waits. On a virtual
//! machine whose host has yet to find it that is some 7 ms each, and while a hundred people joined, a net thread stood
//! still for a quarter of a second (`docs/benchmarks.md`).

/// From now on it comes in small pieces, to this process and those that it starts. Where the system knows no other, or
/// none that one may choose, nothing changes.
pub fn take_small_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_memory_of_this_process_comes_in_huge_pages() {
        take_small_pages();
        assert_eq!(rustix::thread::transparent_huge_pages_are_disabled(), Ok(true));
    }
}
