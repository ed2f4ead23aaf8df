//! **The question:** who owns planes that were converted after decoding? Buffers that come back to where they were made
//! when nobody shows them any more, so that a running track allocates nothing.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::base::media::{Picture, PlaneRef, Size};

/// Buffers at rest: one shown, one on its way, one being written, and one to spare.
const AT_REST: usize = 4;

/// Columns and rows of plane `index` of a picture in 4:2:0.
pub(super) fn plane_size(size: Size, index: usize) -> (usize, usize) {
    let half = |extent: u32| if index == 0 { extent } else { extent.div_ceil(2) } as usize;
    (half(size.width), half(size.height))
}

/// Bytes of all planes of a picture in 4:2:0.
pub(super) fn packed_len(size: Size) -> usize {
    (0..3).map(|index| plane_size(size, index)).map(|(width, height)| width * height).sum()
}

/// Where buffers come from and return to.
#[derive(Debug)]
pub(super) struct PackedPool {
    home: Sender<Vec<u8>>,
    resting: Receiver<Vec<u8>>,
}

impl PackedPool {
    pub(super) fn new() -> Self {
        let (home, resting) = bounded(AT_REST);
        Self { home, resting }
    }

    /// A picture whose planes Y, U, V, without gaps, `fill` appends to an empty buffer.
    pub(super) fn picture(&self, size: Size, fill: impl FnOnce(&mut Vec<u8>)) -> Packed {
        let mut samples = self.resting.try_recv().unwrap_or_default();
        samples.clear();
        samples.reserve_exact(packed_len(size));
        fill(&mut samples);
        assert_eq!(samples.len(), packed_len(size), "all three planes are written");
        Packed { samples, size, home: self.home.clone() }
    }
}

/// A picture in 8-bit 4:2:0 without gaps between its rows.
#[derive(Debug)]
pub(super) struct Packed {
    samples: Vec<u8>,
    size: Size,
    home: Sender<Vec<u8>>,
}

impl Picture for Packed {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        let begin = (0..index).map(|n| plane_size(self.size, n)).map(|(width, height)| width * height).sum();
        let (width, height) = plane_size(self.size, index);
        PlaneRef { data: &self.samples[begin..begin + width * height], stride: width }
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        // A full or closed pool needs no more.
        let _ = self.home.try_send(std::mem::take(&mut self.samples));
    }
}
