//! **The question:** how do flat colours, masks and unscaled pictures land on a plane?

use crate::compose::cpu::canvas::{Area, PlaneMut};
use crate::media::PlaneRef;

/// Sets every sample of `area`.
pub(super) fn fill(plane: PlaneMut<'_>, area: Area, sample: u8) {
    for row in rows(plane, area) {
        row.fill(sample);
    }
}

/// Copies `source`, which is as large as `area`, row by row.
pub(super) fn copy(plane: PlaneMut<'_>, area: Area, source: PlaneRef<'_>) {
    for (row, from) in rows(plane, area).zip(source.data.chunks(source.stride)) {
        row.copy_from_slice(&from[..area.width]);
    }
}

/// Mixes `sample` into `area` by `mask`, one coverage byte a sample (255 covers), rows packed.
pub(super) fn blend(plane: PlaneMut<'_>, area: Area, mask: &[u8], sample: u8) {
    for (row, covers) in rows(plane, area).zip(mask.chunks_exact(area.width)) {
        for (under, &cover) in row.iter_mut().zip(covers) {
            let cover = u32::from(cover);
            let mixed = u32::from(*under) * (255 - cover) + u32::from(sample) * cover + 127;
            *under = u8::try_from(mixed / 255).expect("a mean of bytes is a byte");
        }
    }
}

fn rows(plane: PlaneMut<'_>, area: Area) -> impl Iterator<Item = &mut [u8]> {
    let columns = area.x..area.x + area.width;
    plane.data.chunks_exact_mut(plane.stride).skip(area.y).take(area.height).map(move |row| &mut row[columns.clone()])
}
