//! **The question:** how is a name written on a tile? A dark pill in the tile's lower left corner; drawn once, then kept.

use std::sync::Arc;

use crate::compose::colour::Yuv;
use crate::compose::draw::{Mask, Operation, Paint, Shared};
use crate::compose::letters::{rounded, written};
use crate::media::Size;
use crate::scene::{Rect, Rgb, Tile};

const PILL: Rgb = Rgb::new(0x0c, 0x0e, 0x12);
const PILL_OPACITY: u8 = 170;
const INK: Rgb = Rgb::new(0xf4, 0xf6, 0xf8);
const MUTED: Rgb = Rgb::new(0xe0, 0x4a, 0x4a);
/// The lowest tile that carries a label, pixels.
const TILE_HEIGHT_MIN: u32 = 48;

/// Name and marks of a tile.
pub(super) fn marks(tile: &Tile) -> Vec<Operation> {
    let Some(label) = &tile.label else { return Vec::new() };
    let rect = tile.rect;
    if rect.height < TILE_HEIGHT_MIN {
        return Vec::new();
    }
    let height = (rect.height * 13 / 100).clamp(14, 44) & !1;
    let margin = (height / 3) & !1;
    let dot = if tile.muted { height } else { 0 };
    let room = rect.width.saturating_sub(2 * margin + height + dot);
    let Some((mask, width)) = written(label, height * 62 / 100, room, height) else { return Vec::new() };
    let pill = Rect {
        x: rect.x + margin,
        y: rect.bottom() - margin - height,
        width: (width + height + dot).next_multiple_of(2).min(rect.width - 2 * margin) & !1,
        height,
    };
    let size = Size::new(pill.width, pill.height);
    let shape = Mask::new(rounded(size, height / 2, None), pill.width);
    let mut out = vec![masked(pill, PILL, PILL_OPACITY, shape)];
    let text = Rect { x: pill.x + ((height / 2 + dot) & !1), width, ..pill };
    if text.right() <= rect.right() {
        out.push(masked(text, INK, 255, Mask::new(mask, width)));
    }
    if tile.muted {
        let side = (height * 3 / 5) & !1;
        let inset = ((height - side) / 2) & !1;
        let disc = Rect { x: pill.x + inset.max(2), y: pill.y + inset, width: side, height: side };
        out.push(masked(disc, MUTED, 255, Mask::new(rounded(Size::new(side, side), side / 2, None), side)));
    }
    out
}

/// A line of text as high as `rect` allows, on a panel if there is one.
pub(super) fn line_on(rect: Rect, text: &str, colour: Rgb, panel: Option<(Rgb, u8)>) -> Vec<Operation> {
    let mut out = Vec::new();
    if let Some((panel, opacity)) = panel {
        let samples = Yuv::from(panel).samples();
        out.push(Operation { opacity, ..Operation::fill(rect, samples) });
    }
    let inset = (rect.height / 4) & !1;
    if let Some((mask, width)) =
        written(text, rect.height * 62 / 100, rect.width.saturating_sub(2 * inset), rect.height)
    {
        let line = Rect { x: rect.x + inset, width, ..rect };
        out.push(masked(line, colour, 255, Mask::new(mask, width)));
    }
    out
}

fn masked(rect: Rect, colour: Rgb, opacity: u8, mask: Mask) -> Operation {
    let paint = Paint::Flat(Yuv::from(colour).samples());
    Operation { rect, paint, opacity, mask: Some(Shared(Arc::new(mask))) }
}
