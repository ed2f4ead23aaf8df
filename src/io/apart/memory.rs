//! **The question:** how do the node and a process of decoders see the same bytes? One file in memory, sealed so that
//! nobody can shorten it, and so that no address of it ever fails; both map it. Every `unsafe` block for that stands
//! here.
//!
//! It begins with a page for the number of the frame in hand, goes on with the ring of coded frames, which the node
//! writes, and ends with the arena of pictures, which the process writes and the node can only read.
//!
//! **What a process that is no longer ours can do with it.** An honest one never writes a picture that it handed over
//! before the node returns it. A hostile one can write it while the node reads: Rust lets nobody change what a
//! `&[u8]` shows, so what the node then computes from these samples is anybody's guess. It is bounded by what is done
//! with them: samples are scaled, weighed and encoded, and no length, place or branch that guards memory is taken from
//! a sample. Lengths and places come by the socket, whose messages are the node's own copies, and are compared with the
//! mapping once. A copy of each picture would buy the last doubt off, for some 3 % of the decoding.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};

use crate::base::limits::{DECODER_ARENA_LEN, DECODER_RING_LEN};
use crate::engine::decode::Arena;

/// The number of the frame in hand has a page of its own.
const HEAD_BYTES: usize = 4096;
const FRONT_BYTES: usize = HEAD_BYTES + DECODER_RING_LEN;

const _: () = assert!(DECODER_RING_LEN.is_multiple_of(4096) && DECODER_ARENA_LEN.is_multiple_of(4096));

/// A part of the file, mapped. It stays mapped until it is dropped.
struct Mapped {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; how its bytes are reached is the owner's care.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(file: &OwnedFd, offset: usize, len: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: no address is asked for, so nothing that is mapped already changes.
        let base = unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, file, offset as u64)? };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, len })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new`, and whoever saw its bytes has borrowed it. A refusal leaves it mapped.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// As the node sees it.
pub(super) struct NodeMemory {
    front: Mapped,
    arena: Mapped,
}

impl NodeMemory {
    /// New memory, and the file for the process.
    pub(super) fn create() -> io::Result<(Self, OwnedFd)> {
        let file = memfd_create("tessera-decoder", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&file, (FRONT_BYTES + DECODER_ARENA_LEN) as u64)?;
        fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let front = Mapped::new(&file, 0, FRONT_BYTES, ProtFlags::READ | ProtFlags::WRITE)?;
        let arena = Mapped::new(&file, FRONT_BYTES, DECODER_ARENA_LEN, ProtFlags::READ)?;
        Ok((Self { front, arena }, file))
    }

    /// Writes a coded frame into the ring, where none lies that is still to be read.
    pub(super) fn write(&self, at: usize, coded: &[u8]) {
        assert!(at.checked_add(coded.len()).is_some_and(|end| end <= DECODER_RING_LEN), "the ring has room there");
        // SAFETY: within the ring; both sides reach it by raw pointers only, and `coded` is not of it.
        unsafe {
            let to = self.front.base.add(HEAD_BYTES + at);
            std::ptr::copy_nonoverlapping(coded.as_ptr(), to.as_ptr(), coded.len());
        }
    }

    /// The number of the frame that the process has in hand, by its own word; 0: none.
    pub(super) fn in_hand(&self) -> u32 {
        in_hand(&self.front).load(Ordering::Acquire)
    }

    /// `len` bytes of the arena from `at` on, if all of them are.
    pub(super) fn plane(&self, at: usize, len: usize) -> Option<&[u8]> {
        let end = at.checked_add(len)?;
        // SAFETY: within the arena, which stays mapped as long as `self`. Nothing in this process writes there, and an
        // honest process of decoders does not while the picture is here; the head says what a hostile one causes.
        (end <= self.arena.len).then(|| unsafe { std::slice::from_raw_parts(self.arena.base.add(at).as_ptr(), len) })
    }
}

/// As the process of decoders sees it.
pub(super) struct ProcessMemory {
    front: Mapped,
    arena: Arc<Arena>,
    base: NonNull<u8>,
}

impl ProcessMemory {
    /// Maps the node's file, for as long as the process lives.
    pub(super) fn map(file: &OwnedFd) -> io::Result<Self> {
        let front = Mapped::new(file, 0, FRONT_BYTES, ProtFlags::READ | ProtFlags::WRITE)?;
        let arena = Mapped::new(file, FRONT_BYTES, DECODER_ARENA_LEN, ProtFlags::READ | ProtFlags::WRITE)?;
        let base = arena.base;
        // Pictures may outlive whatever is dropped.
        let arena = std::mem::ManuallyDrop::new(arena);
        // SAFETY: a mapping begins at a page and is never taken away, and this process writes it by the arena alone.
        let arena = unsafe { Arena::new(arena.base, arena.len) };
        Ok(Self { front, arena: Arc::new(arena), base })
    }

    /// Where pictures are put.
    pub(super) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// A copy of `len` bytes of the ring from `at` on, if all of them are.
    pub(super) fn coded(&self, at: usize, len: usize) -> Option<Bytes> {
        let end = at.checked_add(len)?;
        if end > DECODER_RING_LEN {
            return None;
        }
        let mut coded = vec![0; len];
        // SAFETY: within the ring; both sides reach it by raw pointers only. The node writes there no more until it
        // hears that this frame is dealt with.
        unsafe {
            let from = self.front.base.add(HEAD_BYTES + at);
            std::ptr::copy_nonoverlapping(from.as_ptr(), coded.as_mut_ptr(), len);
        }
        Some(coded.into())
    }

    /// Tells the node which frame is in hand; 0: none.
    pub(super) fn take_in_hand(&self, serial: u32) {
        in_hand(&self.front).store(serial, Ordering::Release);
    }

    /// Gives memory of pictures that are no more back to the system.
    pub(super) fn trim(&self) {
        for (at, len) in self.arena.gaps() {
            let begin = at.next_multiple_of(4096);
            let end = (at + len) / 4096 * 4096;
            if end > begin {
                // SAFETY: whole pages within the mapping, of which no block has a byte. A refusal keeps them.
                let _ = unsafe { madvise(self.base.add(begin).as_ptr().cast(), end - begin, Advice::LinuxRemove) };
            }
        }
    }
}

fn in_hand(front: &Mapped) -> &AtomicU32 {
    // SAFETY: the first bytes of a page, mapped as long as `front`, and reached as this atomic only.
    unsafe { AtomicU32::from_ptr(front.base.as_ptr().cast()) }
}
