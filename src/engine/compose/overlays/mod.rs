//! **The question:** what do the stills look like that lie on a canvas: names, marks, initials, banner, logo, clock,
//! background? Drawn once when they change, kept, never per tick.
//!
//! Doors: [`Ink`] draws and keeps, [`load_fonts`] reads the system's fonts ahead, [`read_picture`] takes in what people
//! upload. Inside: `faces` (which font for which character), `pen` (lines of text), `words` (which characters at all),
//! `marks` (signs), `sheet` (shapes on pixels), `shrink` (a large picture, row by row), `resize`, `upright` (how a
//! camera was held), `still` (pixels as a canvas takes them), `shelf` (what is kept).

mod cache;
mod fonts;
mod marks;
mod picture;
mod pixmap;
mod resize;
mod sanitize;
mod shrink;
mod still;
mod text;
mod upright;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use self::fonts::load_fonts;
pub use self::marks::Mark;
pub use self::picture::{PictureError, PictureUse, read_picture};
pub use self::still::Still;

use self::cache::{Kind, Shelf, Wanted};
use self::pixmap::{Sheet, disc, rounded};
use self::resize::{covering, fitting, stretched};
use self::still::Draft;
use self::text::Pen;
use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::core::scene::{Identity, Overlay, OverlayContent, Rect, Rgb};

const WHITE: Rgb = Rgb::new(0xf4, 0xf6, 0xf8);
/// Behind a name: dark enough for white letters on any picture.
const PILL: (Rgb, u8) = (Rgb::new(0x0c, 0x0e, 0x12), 158);

/// Draws stills and keeps them; belongs to one compose thread. What it is asked for and has not yet drawn is drawn now
/// if this tick's allowance (`limits::INK_STILLS_A_TICK`) lasts, else `None` says: ask again at the next tick.
pub struct Ink {
    pen: Option<Pen>,
    shelf: Shelf,
    /// A background on its way, over several ticks.
    draft: Option<(Wanted, Draft)>,
}

impl Default for Ink {
    fn default() -> Self {
        Self::new()
    }
}

impl Ink {
    /// An empty shelf. Does not wait for fonts.
    #[must_use]
    pub fn new() -> Self {
        Self { pen: None, shelf: Shelf::default(), draft: None }
    }

    /// An empty shelf that writes in our own font, whatever the machine has.
    #[cfg(test)]
    pub(in crate::engine::compose) fn of_own_font() -> Self {
        Self { pen: Some(Pen::of_own_font()), shelf: Shelf::default(), draft: None }
    }

    /// A new tick begins, with a new allowance. Returns whether the last one left something undrawn, that is, whether a
    /// compositor that got `None` has reason to ask again.
    pub fn tick(&mut self) -> bool {
        self.shelf.tick()
    }

    /// A name with its mark on a dark pill, for a tile of `tile` pixels: its height says how large. It belongs where
    /// [`label_rect`] says. Tiles too small for one never get any.
    pub fn label(&mut self, tile: Size, name: &str, mark: Mark) -> Option<Arc<Still>> {
        label_extent(tile)?;
        let kind = Kind::Label { name: name.into(), mark };
        self.still(tile, kind, |pen, tile| draw_label(pen?, tile, name, mark))
    }

    /// Someone without a picture: their avatar cut round, or a disc in their colour with their initials, or a
    /// silhouette when the name gives none. A square of `side` pixels, even, clear outside the disc.
    pub fn portrait(&mut self, side: u32, identity: &Identity) -> Option<Arc<Still>> {
        let kind = Kind::Portrait {
            initials: identity.initials.clone(),
            colour: identity.colour,
            avatar: identity.avatar.clone().map(cache::Same),
        };
        let words = identity.avatar.is_none() && !identity.initials.is_empty();
        self.still_with(Size::new(side, side), kind, words, |pen, size| draw_portrait(pen, size.width, identity))
    }

    /// The mark over a picture that has stood still for long, for a tile of `tile` pixels; it belongs in its middle.
    /// Square, even.
    pub fn stalled(&mut self, tile: Size) -> Option<Arc<Still>> {
        let side = even(tile.width.min(tile.height) / 4).max(12);
        self.still_with(Size::new(side, side), Kind::Stalled, false, |_, size| {
            let mut sheet = Sheet::new(size);
            marks::waiting(&mut sheet, real(size.width));
            Some(sheet.into_bitmap())
        })
    }

    /// A background picture that covers a canvas of `canvas` pixels. A large canvas takes several ticks; ask once in
    /// each. What [`read_picture`] gave for the canvas needs no scaling here.
    pub fn background(&mut self, canvas: Size, picture: &Bitmap) -> Option<Arc<Still>> {
        let wanted = Wanted { size: canvas, kind: Kind::Cover(cache::Same(picture.clone())) };
        if let Some(still) = self.shelf.find(&wanted) {
            return Some(still);
        }
        let begun = self.draft.take().filter(|(begun, _)| *begun == wanted);
        let mut draft = begun.map_or_else(|| Draft::new(covering(picture, canvas)), |(_, draft)| draft);
        self.shelf.spend(limits::INK_PIXELS_A_TICK);
        if draft.advance(limits::INK_PIXELS_A_TICK) {
            return Some(self.shelf.keep(wanted, draft.finish()));
        }
        self.draft = Some((wanted, draft));
        self.shelf.postpone();
        None
    }

    /// What `overlay` shows, as large as its rectangle: pictures in its middle, their shape kept; text centred on its
    /// panel.
    pub fn overlay(&mut self, overlay: &Overlay) -> Option<Arc<Still>> {
        let size = Size::new(overlay.rect.width, overlay.rect.height);
        match &overlay.content {
            OverlayContent::Picture(picture) => {
                let kind = Kind::Contain(cache::Same(picture.clone()));
                self.still_with(size, kind, false, |_, size| Some(draw_contained(size, picture)))
            }
            OverlayContent::Text { text, colour, panel } => {
                let kind = Kind::Text { text: text.clone(), colour: *colour, panel: *panel };
                self.still(size, kind, |pen, size| Some(draw_text(pen?, size, text, *colour, *panel)))
            }
        }
    }

    fn still(
        &mut self,
        size: Size,
        kind: Kind,
        draw: impl FnOnce(Option<&mut Pen>, Size) -> Option<Bitmap>,
    ) -> Option<Arc<Still>> {
        self.still_with(size, kind, true, draw)
    }

    /// The still from the shelf, or drawn if this tick still may; `words` says whether fonts are needed.
    fn still_with(
        &mut self,
        size: Size,
        kind: Kind,
        words: bool,
        draw: impl FnOnce(Option<&mut Pen>, Size) -> Option<Bitmap>,
    ) -> Option<Arc<Still>> {
        assert!(size.width.is_multiple_of(2) && size.height.is_multiple_of(2), "stills have even sides");
        let wanted = Wanted { size, kind };
        if let Some(still) = self.shelf.find(&wanted) {
            return Some(still);
        }
        if !self.shelf.may_draw(&wanted) {
            return None;
        }
        if words && self.pen.is_none() {
            self.pen = Pen::new();
            if self.pen.is_none() {
                self.shelf.postpone();
                return None;
            }
        }
        let bitmap = draw(self.pen.as_mut(), size)?;
        Some(self.shelf.keep(wanted, Still::from_bitmap(&bitmap)))
    }
}

/// Where a label of `label` pixels lies on the tile at `tile`: in the lower left corner, a little off the edges.
#[must_use]
pub fn label_rect(tile: &Rect, label: Size) -> Rect {
    let margin = label_margin(tile.height);
    Rect {
        x: tile.x + margin.min(tile.width - label.width),
        y: tile.bottom().saturating_sub(label.height + margin).max(tile.y),
        width: label.width,
        height: label.height,
    }
}

/// How large the portrait on a tile of `tile` pixels is.
#[must_use]
pub fn portrait_side(tile: Size) -> u32 {
    even(tile.width.min(tile.height) * 31 / 50).max(2)
}

/// Pixels of an em on a tile `height` pixels high: readable on the smallest of a hundred, calm on a single one.
fn label_em(height: u32) -> f32 {
    (7.5 + real(height) * 0.028).min(40.0)
}

fn label_margin(height: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
    let margin = (label_em(height) * 0.55) as u32;
    even(margin).max(2)
}

/// How wide a label may be on such a tile, and how high it is; `None` where not even its mark has room.
fn label_extent(tile: Size) -> Option<Size> {
    let em = label_em(tile.height);
    let height = even_up(em * 1.75);
    let width = even(tile.width.checked_sub(2 * label_margin(tile.height))?);
    (height + 2 <= tile.height && real(width) >= em * 2.2).then_some(Size::new(width, height))
}

fn draw_label(pen: &mut Pen, tile: Size, name: &str, mark: Mark) -> Option<Bitmap> {
    let em = label_em(tile.height);
    let Size { width: room, height } = label_extent(tile)?;
    let (pad, sign) = (em * 0.6, em * 1.0);
    let before = pad + sign + em * 0.35;
    let letters = real(room) - before - pad;
    let line = pen.shape(name, em, letters.max(0.0));
    let alone = line.width == 0.0 || letters < em;
    let width = even_up(if alone { pad * 2.0 + sign } else { before + line.width + pad }).min(even(room));
    let mut sheet = Sheet::new(Size::new(width, height));
    let middle = real(height) / 2.0;
    sheet.fill(PILL.0, PILL.1, rounded(0.0, 0.0, real(width), real(height), em * 0.5));
    marks::draw(&mut sheet, mark, pad + sign / 2.0, middle, sign);
    if !alone {
        pen.write(&line, &mut sheet, before, middle + em * 0.36, WHITE);
    }
    Some(sheet.into_bitmap())
}

fn draw_portrait(pen: Option<&mut Pen>, side: u32, identity: &Identity) -> Option<Bitmap> {
    let mut sheet = Sheet::new(Size::new(side, side));
    let radius = real(side) / 2.0;
    let rim = disc(radius, radius, radius - 0.5);
    sheet.fill(identity.colour, 255, rim);
    if let Some(avatar) = &identity.avatar {
        sheet.lay(&covering(avatar, Size::new(side, side)), 0, 0, rim);
    } else if identity.initials.is_empty() {
        marks::silhouette(&mut sheet, WHITE, radius, radius, radius);
    } else {
        let em = (radius * 0.86).max(6.0);
        let pen = pen?;
        let line = pen.shape(&identity.initials, em, real(side));
        pen.write(&line, &mut sheet, radius - line.width / 2.0, radius + em * 0.36, WHITE);
    }
    Some(sheet.into_bitmap())
}

fn draw_contained(size: Size, picture: &Bitmap) -> Bitmap {
    let inner = fitting(picture.size(), size);
    let (x, y) = ((size.width - inner.width) / 2, (size.height - inner.height) / 2);
    let mut sheet = Sheet::new(size);
    let at = |offset: u32| i32::try_from(offset).expect("inside a canvas");
    sheet.lay(&stretched(picture, inner), at(x), at(y), |_, _| -1.0);
    sheet.into_bitmap()
}

/// Text as high as the rectangle allows, centred; its panel hugs it.
fn draw_text(pen: &mut Pen, size: Size, text: &str, colour: Rgb, panel: Option<(Rgb, u8)>) -> Bitmap {
    let mut sheet = Sheet::new(size);
    let (width, height) = (real(size.width), real(size.height));
    let em = height * 0.56;
    let pad = em * 0.7;
    let line = pen.shape(text, em, (width - pad * 2.0).max(0.0));
    let left = (width - line.width) / 2.0;
    if let Some((colour, opacity)) = panel
        && line.width > 0.0
    {
        sheet.fill(colour, opacity, rounded(left - pad, 0.0, left + line.width + pad, height, height * 0.3));
    }
    pen.write(&line, &mut sheet, left, height / 2.0 + em * 0.36, colour);
    sheet.into_bitmap()
}

const fn even(extent: u32) -> u32 {
    extent & !1
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below a canvas's side")]
fn even_up(extent: f32) -> u32 {
    (extent.max(1.0).ceil() as u32).next_multiple_of(2)
}

#[expect(clippy::cast_precision_loss, reason = "canvas extents are far below 2^23")]
fn real(extent: u32) -> f32 {
    extent as f32
}
