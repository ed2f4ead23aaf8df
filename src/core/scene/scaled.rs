//! **The question:** what does a scene look like on a smaller or larger canvas? For rungs of other sizes than the one
//! it was laid out for.

use crate::base::media::Size;
use crate::core::scene::{Border, Overlay, Rect, Scene, Tile};

/// `scene` on a canvas of `size`, whose sides are even: everything keeps its place in proportion, even-aligned and
/// inside.
#[must_use]
pub fn scaled(scene: &Scene, size: Size) -> Scene {
    let from = scene.canvas;
    let rect = |rect: &Rect| {
        let (left, right) = (along(rect.x, from.width, size.width), along(rect.right(), from.width, size.width));
        let (top, bottom) = (along(rect.y, from.height, size.height), along(rect.bottom(), from.height, size.height));
        Rect { x: left, y: top, width: right - left, height: bottom - top }
    };
    // By the smaller of the two ratios, so that lines and corners never grow out of their tiles.
    let length = |length: u32| {
        let (wide, high) = (along(length, from.width, size.width), along(length, from.height, size.height));
        wide.min(high)
    };
    let tile = |tile: &Tile| Tile {
        rect: rect(&tile.rect),
        corner_radius: length(tile.corner_radius),
        border: tile.border.map(|border| Border { width: length(border.width).max(2), ..border }),
        ..tile.clone()
    };
    // What would have no pixel is not there.
    let is_seen = |rect: &Rect| rect.width > 0 && rect.height > 0;
    let overlay = |overlay: &Overlay| Overlay { rect: rect(&overlay.rect), ..overlay.clone() };
    Scene {
        canvas: size,
        background: scene.background.clone(),
        tiles: scene.tiles.iter().map(tile).filter(|tile| is_seen(&tile.rect)).collect(),
        overlays: scene.overlays.iter().map(overlay).filter(|overlay| is_seen(&overlay.rect)).collect(),
    }
}

/// Where `at` of `from` lies on a side of `to`: the nearest even pixel.
fn along(at: u32, from: u32, to: u32) -> u32 {
    let (at, from, to) = (u64::from(at), u64::from(from), u64::from(to));
    let even = (at * to + from) / (2 * from) * 2;
    u32::try_from(even.min(to)).expect("it lies on the side")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{Outbox, ParticipantId};
    use crate::core::scene::{Input, SceneCore};

    fn scene_of(people: u64) -> Scene {
        let (mut core, mut out, now) = (SceneCore::new(Size::new(1280, 720)), Outbox::new(), Instant::now());
        core.handle(now, Input::Labels(true), &mut out);
        core.handle(now, Input::Banner("A banner".into()), &mut out);
        for id in 0..people {
            core.handle(now, Input::Joined { participant: ParticipantId(id), name: format!("P {id}") }, &mut out);
        }
        (*core.scene()).clone()
    }

    proptest! {
        #[test]
        fn everything_stays_even_inside_and_apart(people in 1_u64..60, width in 8_u32..1000, height in 8_u32..600) {
            let size = Size::new(width * 2, height * 2);
            let scene = scaled(&scene_of(people), size);
            prop_assert_eq!(scene.canvas, size);
            for rect in scene.tiles.iter().map(|tile| tile.rect).chain(scene.overlays.iter().map(|o| o.rect)) {
                prop_assert!([rect.x, rect.y, rect.width, rect.height].iter().all(|side| side % 2 == 0));
                prop_assert!(rect.right() <= size.width && rect.bottom() <= size.height);
            }
            for (at, tile) in scene.tiles.iter().enumerate() {
                for other in &scene.tiles[at + 1..] {
                    prop_assert!(!tile.rect.overlaps(&other.rect), "{:?} {:?}", tile.rect, other.rect);
                }
            }
        }
    }

    #[test]
    fn its_own_size_changes_nothing() {
        let scene = scene_of(7);
        assert_eq!(scaled(&scene, scene.canvas), scene);
        assert_eq!(scaled(&scene, Size::new(640, 360)).tiles.len(), 7);
    }
}
