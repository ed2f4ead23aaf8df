//! **The question:** where do the large picture, the strip beside it and the small picture in the corner lie?

use crate::base::media::Size;
use crate::core::scene::rect::{Rect, even};

/// The shape of a camera unless it says otherwise.
pub(super) const WIDE: Size = Size::new(16, 9);
/// With fewer places the strip does not get wider than for these: the large picture keeps three quarters of the canvas'
/// side.
const STRIP_PLACES_MIN: u32 = 4;
/// The small picture's width, as a share of the canvas' width: one in this many.
const INSET_SHARE: u32 = 4;

/// A canvas cut in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    /// For the large picture, gap taken off.
    pub(super) large: Rect,
    /// For the others: all of the rest.
    pub(super) strip: Rect,
}

/// The whole of `canvas`.
pub(super) fn whole(canvas: Size) -> Rect {
    Rect { x: 0, y: 0, width: canvas.width, height: canvas.height }
}

/// Cuts `canvas` so that the large picture, of `shape`, gets most beside a strip of `places`: right of it, or below it
/// on canvases that are narrower.
pub(super) fn stage(canvas: Size, shape: Size, places: usize) -> Stage {
    let places = u32::try_from(places).expect("bounded by limits::PARTICIPANTS_MAX").max(STRIP_PLACES_MIN);
    let beside = {
        let most = canvas.width - even(canvas.width / places).max(2);
        let width = fitted(Size::new(most, canvas.height), shape).width;
        let large = Rect { width, ..whole(canvas) };
        Stage { large, strip: Rect { x: width, width: canvas.width - width, ..whole(canvas) } }
    };
    let below = {
        let most = canvas.height - even(canvas.height / places).max(2);
        let height = fitted(Size::new(canvas.width, most), shape).height;
        let large = Rect { height, ..whole(canvas) };
        Stage { large, strip: Rect { y: height, height: canvas.height - height, ..whole(canvas) } }
    };
    let seen = |stage: &Stage| area(fitted(Size::new(stage.large.width, stage.large.height), shape));
    let chosen = if seen(&below) > seen(&beside) { below } else { beside };
    Stage { large: inset_by(chosen.large, even(canvas.height / 180).max(2)), ..chosen }
}

/// The largest even rectangle of `shape` in the middle of `area`; within 4 % of its shape it is `area` itself.
pub(super) fn contained(area: Rect, shape: Size) -> Rect {
    let size = fitted(Size::new(area.width, area.height), shape);
    Rect {
        x: area.x + even((area.width - size.width) / 2),
        y: area.y + even((area.height - size.height) / 2),
        width: size.width,
        height: size.height,
    }
}

/// The small picture in the lower right corner.
pub(super) fn corner(canvas: Size) -> Rect {
    let width = even(canvas.width / INSET_SHARE).max(2);
    let most = Size::new(width, even(canvas.height / 2).max(2));
    let size = fitted(most, WIDE);
    let margin = even(canvas.width.min(canvas.height) / 36);
    Rect {
        x: even(canvas.width - size.width - margin),
        y: even(canvas.height - size.height - margin),
        width: size.width,
        height: size.height,
    }
}

/// How much of `shape` is cut off when it covers `tile`, in millionths of its area.
pub(super) fn cut_by_cover(shape: Size, tile: Size) -> u64 {
    let (wide, high) = crossed(shape, tile);
    1_000_000 - wide.min(high) * 1_000_000 / wide.max(high).max(1)
}

fn fitted(most: Size, shape: Size) -> Size {
    let (wide, high) = crossed(shape, most);
    // As the compositors do: nobody sees so little difference, and no bars are needed.
    if wide.abs_diff(high) * 25 <= wide.max(high) {
        return most;
    }
    let narrow = |extent: u64, most: u32| even(u32::try_from(extent).unwrap_or(most).min(most)).max(2);
    let (width, height) = (u64::from(shape.width.max(1)), u64::from(shape.height.max(1)));
    if wide > high {
        Size::new(most.width, narrow(height * u64::from(most.width) / width, most.height))
    } else {
        Size::new(narrow(width * u64::from(most.height) / height, most.width), most.height)
    }
}

/// Both widths times the other's height: equal when the shapes are.
fn crossed(shape: Size, other: Size) -> (u64, u64) {
    let [width, height] = [shape.width, shape.height].map(|extent| u64::from(extent.max(1)));
    (width * u64::from(other.height), height * u64::from(other.width))
}

fn area(size: Size) -> u64 {
    u64::from(size.width) * u64::from(size.height)
}

fn inset_by(rect: Rect, gap: u32) -> Rect {
    let shrink = |extent: u32| extent.saturating_sub(2 * gap).max(2);
    Rect { x: rect.x + gap, y: rect.y + gap, width: shrink(rect.width), height: shrink(rect.height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_stands_beside_on_wide_canvases_and_below_on_narrow_ones() {
        let hd = stage(Size::new(1280, 720), WIDE, 5);
        assert_eq!(hd.strip, Rect { x: 1024, y: 0, width: 256, height: 720 });
        assert_eq!(hd.large, Rect { x: 4, y: 4, width: 1016, height: 712 });
        let tall = stage(Size::new(720, 1280), WIDE, 5);
        assert_eq!(tall.strip, Rect { x: 0, y: 404, width: 720, height: 876 });
        let cinema = stage(Size::new(1720, 720), WIDE, 5);
        assert_eq!(cinema.strip.width, 1720 - 1280, "the strip takes what the large picture cannot use");
    }

    #[test]
    fn shapes_are_kept_in_the_middle() {
        let area = Rect { x: 10, y: 20, width: 400, height: 400 };
        assert_eq!(contained(area, WIDE), Rect { x: 10, y: 108, width: 400, height: 224 });
        assert_eq!(contained(area, Size::new(100, 400)), Rect { x: 160, y: 20, width: 100, height: 400 });
        assert_eq!(contained(area, Size::new(101, 100)), area);
    }

    #[test]
    fn what_cover_cuts_is_known() {
        assert_eq!(cut_by_cover(Size::new(640, 360), Size::new(128, 72)), 0);
        assert_eq!(cut_by_cover(Size::new(640, 400), Size::new(1600, 900)), 100_000, "16:10 loses a tenth");
        assert_eq!(cut_by_cover(Size::new(640, 480), Size::new(1600, 900)), 250_000, "4:3 loses a quarter");
    }
}
