//! **The question:** how do flat colours, masks and unscaled pictures land on a plane? The GPU's twin is
//! `shaders/place.wgsl`.

use crate::base::media::PlaneRef;
use crate::engine::compose::cpu::canvas::{Area, PlaneMut};
use crate::engine::compose::cpu::simd::{Kernel, fastest};

/// How much of a painted sample is seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cover<'a> {
    /// Of all samples alike, of 255.
    pub(super) opacity: u8,
    /// Of each one, a byte a sample of the area, rows packed.
    pub(super) mask: Option<&'a [u8]>,
}

impl Cover<'_> {
    /// Everything.
    #[cfg(test)]
    pub(super) const WHOLE: Self = Cover { opacity: 255, mask: None };

    /// Whether nothing of what lies below is seen.
    pub(super) fn is_whole(&self) -> bool {
        self.opacity == 255 && self.mask.is_none()
    }

    /// Mixes `paint` into row `index` of an area of `width` columns.
    #[inline(always)]
    pub(super) fn blend_row(&self, index: usize, width: usize, under: &mut [u8], paint: impl Fn(usize) -> u8) {
        match self.mask {
            None => {
                for (column, under) in under.iter_mut().enumerate() {
                    *under = blend(*under, paint(column), self.opacity);
                }
            }
            Some(mask) => {
                let mask = &mask[index * width..(index + 1) * width];
                for ((column, under), &cover) in under.iter_mut().enumerate().zip(mask) {
                    *under = blend(*under, paint(column), share(cover, self.opacity));
                }
            }
        }
    }
}

/// A byte's `share` of 255, rounded.
#[inline(always)]
fn share(cover: u8, opacity: u8) -> u8 {
    divide(u16::from(cover) * u16::from(opacity))
}

/// `over` hides `under` by `cover` of 255.
#[inline(always)]
fn blend(under: u8, over: u8, cover: u8) -> u8 {
    // At most 255 * 255 altogether, so that the sum stays below 2^16.
    divide(u16::from(under) * u16::from(255 - cover) + u16::from(over) * u16::from(cover))
}

/// `(sum + 127) / 255` for sums up to 255², without a division.
#[inline(always)]
fn divide(sum: u16) -> u8 {
    let sum = u32::from(sum) + 128;
    #[expect(clippy::cast_possible_truncation, reason = "a share of bytes is a byte")]
    {
        ((sum + (sum >> 8)) >> 8) as u8
    }
}

/// Paints one sample all over `area`.
pub(super) fn fill(plane: PlaneMut<'_>, area: Area, sample: u8, cover: Cover<'_>) {
    if cover.is_whole() {
        rows(plane, area).for_each(|row| row.fill(sample));
    } else {
        fastest(Fill { plane, area, sample, cover });
    }
}

/// Paints `source`, which is as large as `area`.
pub(super) fn copy(plane: PlaneMut<'_>, area: Area, source: PlaneRef<'_>, cover: Cover<'_>) {
    if cover.is_whole() {
        for (row, from) in rows(plane, area).zip(source.data.chunks(source.stride)) {
            row.copy_from_slice(&from[..area.width]);
        }
    } else {
        fastest(Copy { plane, area, source, cover });
    }
}

struct Fill<'a> {
    plane: PlaneMut<'a>,
    area: Area,
    sample: u8,
    cover: Cover<'a>,
}

impl Kernel for Fill<'_> {
    #[inline(always)]
    fn run(self) {
        for (index, row) in rows(self.plane, self.area).enumerate() {
            self.cover.blend_row(index, self.area.width, row, |_| self.sample);
        }
    }
}

struct Copy<'a> {
    plane: PlaneMut<'a>,
    area: Area,
    source: PlaneRef<'a>,
    cover: Cover<'a>,
}

impl Kernel for Copy<'_> {
    #[inline(always)]
    fn run(self) {
        let lines = self.source.data.chunks(self.source.stride);
        for ((index, row), line) in rows(self.plane, self.area).enumerate().zip(lines) {
            self.cover.blend_row(index, self.area.width, row, |column| line[column]);
        }
    }
}

fn rows(plane: PlaneMut<'_>, area: Area) -> impl Iterator<Item = &mut [u8]> {
    let columns = area.x..area.x + area.width;
    plane.data.chunks_exact_mut(plane.stride).skip(area.y).take(area.height).map(move |row| &mut row[columns.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_means() {
        for sum in 0..=255_u16 * 255 {
            assert_eq!(u32::from(divide(sum)), (u32::from(sum) + 127) / 255, "{sum}");
        }
        assert_eq!((blend(16, 235, 255), blend(16, 235, 0), blend(0, 255, 128)), (235, 16, 128));
    }
}
