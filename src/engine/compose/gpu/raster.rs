//! **The question:** where do the canvas's samples lie on the device? As I420 with rows padded to whole words; a canvas
//! whose width divides by 8 lies there as it is handed out, and is read back in place, only the bands that changed.

use std::ops::Range;

use crate::base::media::{DAMAGE_BLOCK, Damage, Size};

/// The canvas's layout on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raster {
    pub(super) size: Size,
}

impl Raster {
    /// Words from one row to the next: luma, chroma.
    pub(super) fn strides(self) -> (u32, u32) {
        (self.size.width.div_ceil(4), (self.size.width / 2).div_ceil(4))
    }

    /// First words of the three planes.
    pub(super) fn planes(self) -> [u32; 3] {
        let (luma, chroma) = self.strides();
        let (luma, chroma) = (luma * self.size.height, chroma * self.size.height / 2);
        [0, luma, luma + chroma]
    }

    /// Bytes on the device.
    pub(super) fn len(self) -> u64 {
        let [_, _, red] = self.planes();
        u64::from(red + self.strides().1 * self.size.height / 2) * 4
    }

    /// Bytes of the frame that is handed out, brought up to whole words.
    pub(super) fn packed_len(self) -> u64 {
        (u64::from(self.size.width) * u64::from(self.size.height) * 3 / 2).next_multiple_of(4)
    }

    /// Whether the device's layout is the frame's.
    pub(super) fn is_packed(self) -> bool {
        self.size.width.is_multiple_of(8)
    }

    /// The bytes of the frame that `damage` touches, in whole rows: ranges in order, none empty, whole words.
    pub(super) fn damaged(self, damage: &Damage) -> Vec<Range<u64>> {
        let (width, height) = (u64::from(self.size.width), u64::from(self.size.height));
        if !self.is_packed() {
            let whole = (!damage.is_none()).then_some(0..self.packed_len());
            return whole.into_iter().collect();
        }
        let (columns, rows) = damage.extent();
        let touched = |row: u32| (0..columns).any(|column| damage.is_marked(column, row));
        let mut bands: Vec<Range<u64>> = Vec::new();
        for row in (0..rows).filter(|&row| touched(row)) {
            let band = u64::from(row * DAMAGE_BLOCK)..u64::from((row + 1) * DAMAGE_BLOCK).min(height);
            match bands.last_mut() {
                Some(last) if last.end == band.start => last.end = band.end,
                _ => bands.push(band),
            }
        }
        let luma = width * height;
        let plane = |start: u64, shrink: u64| {
            let stride = width / shrink;
            bands.iter().map(move |band| start + band.start / shrink * stride..start + band.end / shrink * stride)
        };
        plane(0, 1).chain(plane(luma, 2)).chain(plane(luma + luma / 4, 2)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_bands_are_whole_rows_of_all_planes() {
        let raster = Raster { size: Size::new(64, 50) };
        let mut damage = Damage::none(raster.size);
        assert_eq!(raster.damaged(&damage), []);
        damage.mark(20, 17, 2, 2);
        damage.mark(0, 49, 2, 1);
        assert_eq!(raster.damaged(&damage), [1024..2048, 3072..3200, 3456..3712, 3968..4000, 4256..4512, 4768..4800]);
        assert_eq!(raster.damaged(&Damage::full(raster.size)), [0..3200, 3200..4000, 4000..4800]);
        assert_eq!(raster.len(), 4800);
    }

    #[test]
    fn other_widths_are_padded_and_come_back_whole() {
        let raster = Raster { size: Size::new(10, 6) };
        assert_eq!((raster.strides(), raster.planes(), raster.len()), ((3, 2), [0, 18, 24], 120));
        assert_eq!(raster.damaged(&Damage::full(raster.size)).first(), Some(&(0..92)));
        assert_eq!(raster.damaged(&Damage::none(raster.size)), []);
    }
}
