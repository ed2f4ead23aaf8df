//! **The question:** what must be drawn at this tick? Compares the scene and its pictures with what the canvas shows,
//! and lists the operations that bring it up to date, from the lowest to the highest.
//!
//! What changed is drawn anew with all that overlaps it, from the background up, so that no clipping is needed and
//! nothing is blended twice. In layouts without overlaps, the usual ones, that is the changed tiles alone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::limits;
use crate::base::media::{Damage, Size, TrackId, TrackKind, VideoFrame};
use crate::core::scene::{Background, Fit, Overlay, Rect, Rgb, Scene, Tile, TilePicture};
use crate::engine::compose::Sources;
use crate::engine::compose::colour::Yuv;
use crate::engine::compose::draw::{Mask, Operation, Paint, Shared};
use crate::engine::compose::overlays::{Ink, Mark, Still, label_rect, portrait_side};
use crate::engine::compose::scale::{Axes, Crop};
use crate::engine::compose::shapes::rounded;

/// The frame around someone who speaks, pixels inside the tile.
pub(super) const RING: u32 = 4;
/// The ring's colour.
pub(super) const RING_COLOUR: Rgb = Rgb::new(0x4c, 0xd9, 0x8a);
/// Behind pictures that do not fill their tile.
pub(super) const LETTERBOX: Rgb = Rgb::new(0x1d, 0x20, 0x26);
/// How much of a person's colour the panel behind their portrait keeps, of 256.
const PANEL_SHADE: u32 = 88;
/// How much a picture that stands still because nothing new comes is darkened, of 255.
const STALLED_SHADE: u8 = 110;

/// What one canvas shows, and what it needs to show the next scene.
pub(super) struct Planner {
    canvas: Size,
    background: Option<(Background, Option<Arc<Still>>)>,
    /// The background's picture is still on its way; the one before it, or the colour, shows.
    awaits_backdrop: bool,
    /// From the lowest to the highest.
    items: Vec<Item>,
    /// The scene's tiles by their places in it, lower ones first, equal ones in its order.
    order: Vec<usize>,
    /// Items whose neighbours [`spread`](Self::spread) has not looked at; kept, so that a tick allocates nothing.
    open: Vec<usize>,
    axes: Axes,
    shapes: Shapes,
    ink: Ink,
    operations: Vec<Operation>,
    damage: Damage,
}

/// Something on the canvas.
struct Item {
    rect: Rect,
    what: What,
    /// Items that share a pixel with it.
    touches: Vec<usize>,
    /// It must be drawn at this tick.
    dirty: bool,
    /// A still that belongs to it was not drawn yet.
    lacks: bool,
}

enum What {
    Tile(Box<Shown>),
    Overlay(Overlay),
}

/// A tile as it stands on the canvas.
struct Shown {
    tile: Tile,
    content: Content,
    /// Its size was the same at the tick before; while it changes, no still is drawn for it: it keeps those it has.
    settled: bool,
    label: Option<Arc<Still>>,
    portrait: Option<Arc<Still>>,
}

enum Content {
    Nothing,
    Placeholder,
    /// Holding the picture makes its address unique: a new picture cannot take it while this one is on show.
    Picture(VideoFrame),
}

/// Masks of rounded shapes: extent, radius, inset, and the part of it that is asked for.
#[derive(Default)]
struct Shapes(HashMap<(Size, u32, Option<u32>, Rect), Shared<Mask>>);

/// Where a tile's drawing goes, and where its parts come from.
struct Easel<'a> {
    axes: &'a mut Axes,
    shapes: &'a mut Shapes,
    ink: &'a mut Ink,
    out: &'a mut Vec<Operation>,
}

impl Planner {
    pub(super) fn new(canvas: Size) -> Self {
        assert!(canvas.width.is_multiple_of(2) && canvas.height.is_multiple_of(2), "4:2:0 needs even sides");
        Self {
            canvas,
            background: None,
            awaits_backdrop: false,
            items: Vec::new(),
            order: Vec::new(),
            open: Vec::new(),
            axes: Axes::default(),
            shapes: Shapes::default(),
            ink: Ink::new(),
            operations: Vec::new(),
            damage: Damage::none(canvas),
        }
    }

    /// Writes in our own font from now on, whatever the machine has.
    #[cfg(test)]
    pub(super) fn use_own_font(&mut self) {
        self.ink = Ink::of_own_font();
    }

    /// Plans a tick; [`operations`](Self::operations) and [`damage`](Self::damage) give the result.
    pub(super) fn plan(&mut self, scene: &Scene, sources: &dyn Sources) {
        assert_eq!(scene.canvas, self.canvas, "a room's canvas keeps its size");
        self.operations.clear();
        self.damage.clear();
        // Words and portraits have an allowance a tick. Where it ran out at the last one, what lacks something may get
        // it now.
        if self.ink.tick() {
            self.items.iter_mut().for_each(|item| item.dirty |= item.lacks);
        }
        self.order.clear();
        self.order.extend(0..scene.tiles.len());
        self.order.sort_unstable_by_key(|&at| (scene.tiles[at].z, at));
        let anew = !self.stands(scene) || self.backdrop_arrives(scene);
        // While every item keeps its place, what touches what stays true, and only what changed is drawn. While
        // something moves, nothing on the canvas can be trusted: all of it is drawn, and no rectangle is kept for what
        // it uncovers.
        if anew {
            self.place(scene);
            self.draw_background(None);
        } else {
            self.take_over(scene);
        }
        for item in &mut self.items {
            item.look(sources);
        }
        if !anew {
            self.spread();
            // Below a tile that hides what it covers, the background would be drawn for nothing.
            for index in 0..self.items.len() {
                if self.items[index].dirty && !self.items[index].hides() {
                    self.draw_background(Some(self.items[index].rect));
                }
            }
        }
        // From the lowest to the highest, so that each lies over those before it.
        for index in 0..self.items.len() {
            if std::mem::take(&mut self.items[index].dirty) {
                let Rect { x, y, width, height } = self.items[index].rect;
                self.damage.mark(x, y, width, height);
                self.draw(index);
            }
        }
        // The items' own marks lack the background that was drawn between them.
        if anew {
            self.damage = Damage::full(self.canvas);
        }
    }

    /// What to draw, in order.
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// What it changes.
    pub(super) fn damage(&self) -> &Damage {
        &self.damage
    }

    /// Whether every item is where it was and the background is the same.
    fn stands(&self, scene: &Scene) -> bool {
        let order = &self.order;
        let same_item = |(item, &at): (&Item, &usize)| match (&item.what, &scene.tiles[at]) {
            (What::Tile(shown), tile) => {
                shown.tile.participant == tile.participant && item.rect == tile.rect && shown.tile.z == tile.z
            }
            (What::Overlay(_), _) => false,
        };
        let same_overlay =
            |(item, overlay): (&Item, &Overlay)| matches!(item.what, What::Overlay(..)) && item.rect == overlay.rect;
        self.background.as_ref().is_some_and(|(background, _)| *background == scene.background)
            && self.items.len() == order.len() + scene.overlays.len()
            && self.items.iter().zip(order).all(same_item)
            && self.items[order.len()..].iter().zip(&scene.overlays).all(same_overlay)
    }

    /// Goes on with a background that is on its way; whether it is there now.
    fn backdrop_arrives(&mut self, scene: &Scene) -> bool {
        let image = scene.background.image.as_ref().filter(|_| self.awaits_backdrop);
        image.is_some_and(|image| self.ink.background(self.canvas, image).is_some())
    }

    /// Lists the items anew; nothing of them is on the canvas.
    fn place(&mut self, scene: &Scene) {
        let image = scene.background.image.as_ref();
        let still = image.and_then(|image| self.ink.background(self.canvas, image));
        self.awaits_backdrop = image.is_some() && still.is_none();
        // A new picture takes some ticks to be made ready. The one before it stays meanwhile: a flash of bare colour
        // would be seen.
        let before = self.background.take().and_then(|(_, still)| still).filter(|_| self.awaits_backdrop);
        self.background = Some((scene.background.clone(), still.or(before)));
        // A tile that only moves keeps its picture, name and portrait: they are made once, and during a glide this runs
        // at each tick.
        let mut before: HashMap<_, Box<Shown>> = HashMap::new();
        for item in self.items.drain(..) {
            if let What::Tile(shown) = item.what {
                before.insert(shown.tile.participant, shown);
            }
        }
        let mut put = |rect: Rect, what| {
            self.items.push(Item { rect, what, touches: Vec::new(), dirty: true, lacks: false });
        };
        for tile in self.order.iter().map(|&at| &scene.tiles[at]) {
            assert!(contains(self.canvas, &tile.rect), "{:?} lies inside the even canvas", tile.rect);
            let mut shown = before.remove(&tile.participant).unwrap_or_else(|| Box::new(Shown::new(tile)));
            shown.take_over(tile);
            put(tile.rect, What::Tile(shown));
        }
        for overlay in &scene.overlays {
            assert!(contains(self.canvas, &overlay.rect), "{:?} lies inside the even canvas", overlay.rect);
            put(overlay.rect, What::Overlay(overlay.clone()));
        }
        // Pairs are looked at here, once for each placing, so that a tick of a room that stands still compares nothing.
        for index in 0..self.items.len() {
            let rect = self.items[index].rect;
            let others = self.items.iter().enumerate().filter(|(n, other)| *n != index && other.rect.overlaps(&rect));
            self.items[index].touches = others.map(|(n, _)| n).collect();
        }
    }

    /// Items that say something else than before are drawn anew.
    fn take_over(&mut self, scene: &Scene) {
        for (item, &at) in self.items.iter_mut().zip(&self.order) {
            let tile = &scene.tiles[at];
            if let What::Tile(shown) = &mut item.what
                && (shown.tile != *tile || !shown.settled)
            {
                item.dirty = true;
                shown.take_over(tile);
            }
        }
        for (item, overlay) in self.items[self.order.len()..].iter_mut().zip(&scene.overlays) {
            if let What::Overlay(before) = &mut item.what
                && before != overlay
            {
                item.dirty = true;
                before.clone_from(overlay);
            }
        }
    }

    /// What overlaps something that is drawn is drawn too.
    fn spread(&mut self) {
        let Self { items, open, .. } = self;
        open.extend((0..items.len()).filter(|&index| items[index].dirty));
        while let Some(index) = open.pop() {
            for nth in 0..items[index].touches.len() {
                let touched = items[index].touches[nth];
                if !std::mem::replace(&mut items[touched].dirty, true) {
                    open.push(touched);
                }
            }
        }
    }

    /// The background of the canvas, or of one rectangle.
    fn draw_background(&mut self, rect: Option<Rect>) {
        let (background, image) = self.background.as_ref().expect("the scene was placed");
        let whole = Rect { x: 0, y: 0, width: self.canvas.width, height: self.canvas.height };
        let rect = rect.unwrap_or(whole);
        let colour = Operation::fill(rect, Yuv::from(background.colour).samples());
        let Some(image) = image else { return self.operations.push(colour) };
        if image.mask.is_some() {
            self.operations.push(colour);
        }
        let part = cut_still(image, &rect);
        self.operations.push(still_on(rect, &part));
    }

    fn draw(&mut self, index: usize) {
        let item = &mut self.items[index];
        let (axes, shapes, ink, out) = (&mut self.axes, &mut self.shapes, &mut self.ink, &mut self.operations);
        item.lacks = match &mut item.what {
            What::Overlay(overlay) => {
                let still = ink.overlay(overlay);
                out.extend(still.iter().map(|still| still_on(overlay.rect, still)));
                still.is_none()
            }
            What::Tile(shown) => shown.draw(&mut Easel { axes, shapes, ink, out }),
        };
    }
}

fn contains(canvas: Size, rect: &Rect) -> bool {
    let even = [rect.x, rect.y, rect.width, rect.height].iter().all(|value| value.is_multiple_of(2));
    even && rect.width > 0 && rect.height > 0 && rect.right() <= canvas.width && rect.bottom() <= canvas.height
}

fn same_size(before: &Tile, now: &Tile) -> bool {
    (before.rect.width, before.rect.height) == (now.rect.width, now.rect.height)
}

impl Item {
    /// Looks for a newer picture.
    fn look(&mut self, sources: &dyn Sources) {
        let What::Tile(shown) = &mut self.what else { return };
        let participant = shown.tile.participant;
        let frame = match shown.tile.picture {
            TilePicture::Camera => sources.frame(TrackId { participant, kind: TrackKind::Camera }),
            TilePicture::Screen => sources.frame(TrackId { participant, kind: TrackKind::Screen }),
            TilePicture::Placeholder => None,
        };
        match (frame, &shown.content) {
            (Some(new), Content::Picture(old)) if Arc::ptr_eq(&new.picture, &old.picture) => {}
            (None, Content::Placeholder) => {}
            (Some(new), _) => (shown.content, self.dirty) = (Content::Picture(new.clone()), true),
            (None, _) => (shown.content, self.dirty) = (Content::Placeholder, true),
        }
    }

    /// Whether nothing of what lies below is seen.
    fn hides(&self) -> bool {
        let What::Tile(shown) = &self.what else { return false };
        shown.tile.opacity == 255 && shown.tile.corner_radius == 0 && matches!(shown.content, Content::Picture(_))
    }
}

impl Shown {
    fn new(tile: &Tile) -> Self {
        Self { tile: tile.clone(), content: Content::Nothing, settled: true, label: None, portrait: None }
    }

    fn take_over(&mut self, tile: &Tile) {
        self.settled = same_size(&self.tile, tile);
        if self.tile.label != tile.label {
            self.label = None;
        }
        if self.tile.identity != tile.identity {
            self.portrait = None;
        }
        self.tile.clone_from(tile);
    }

    /// Draws the tile; whether something of it is still to come.
    fn draw(&mut self, easel: &mut Easel<'_>) -> bool {
        // What this tile adds from here on is made translucent together at the end.
        let first = easel.out.len();
        let mut lacks = false;
        match &self.content {
            Content::Picture(frame) => draw_picture(&self.tile, frame, easel),
            Content::Placeholder | Content::Nothing => lacks |= self.draw_placeholder(easel),
        }
        let tile = &self.tile;
        let size = Size::new(tile.rect.width, tile.rect.height);
        if tile.stalled {
            let mask = easel.shapes.part(tile, &tile.rect);
            let shade = Operation::fill(tile.rect, Yuv::from(Rgb::new(0, 0, 0)).samples());
            easel.out.push(Operation { opacity: STALLED_SHADE, mask, ..shade });
            let mark = easel.ink.stalled(size);
            lacks |= mark.is_none();
            easel.out.extend(mark.and_then(|mark| Some(still_on(middle(&tile.rect, mark.size)?, &mark))));
        }
        if let Some(border) = tile.border.filter(|border| border.width > 0) {
            draw_frame(tile, border.width, border.colour, easel);
        }
        if let Some(name) = &tile.label {
            // While a tile glides to another size, each tick would want a label of its own. The old one stays, if it
            // still fits.
            if self.settled {
                self.label = easel.ink.label(size, name, Mark::of(tile.muted, tile.speaking));
                lacks |= self.label.is_none();
            }
            let fits = |label: &&Arc<Still>| label.size.width <= size.width && label.size.height <= size.height;
            let label = self.label.as_ref().filter(fits);
            easel.out.extend(label.map(|label| still_on(label_rect(&tile.rect, label.size), label)));
        }
        // Last, so that neither name nor border covers who speaks.
        if tile.speaking {
            draw_frame(tile, RING, RING_COLOUR, easel);
        }
        if tile.opacity < 255 {
            let opacity = u16::from(tile.opacity);
            let share = |part: u8| u8::try_from((u16::from(part) * opacity + 127) / 255).expect("a share of a byte");
            easel.out[first..].iter_mut().for_each(|operation| operation.opacity = share(operation.opacity));
        }
        lacks
    }

    /// What stands for someone without a picture: a panel in their colour, on it their portrait.
    fn draw_placeholder(&mut self, easel: &mut Easel<'_>) -> bool {
        let tile = &self.tile;
        let size = Size::new(tile.rect.width, tile.rect.height);
        let radius = if tile.corner_radius > 0 { tile.corner_radius } else { (size.height / 14).clamp(2, 20) };
        let whole = Rect { x: 0, y: 0, ..tile.rect };
        let panel = Operation::fill(tile.rect, Yuv::from(shaded(tile.identity.colour)).samples());
        easel.out.push(Operation { mask: Some(easel.shapes.get(size, radius, None, whole)), ..panel });
        if self.settled {
            self.portrait = easel.ink.portrait(portrait_side(size), &tile.identity);
        }
        let portrait = self.portrait.as_ref();
        easel.out.extend(portrait.and_then(|still| Some(still_on(middle(&tile.rect, still.size)?, still))));
        portrait.is_none()
    }
}

/// A still as large as `rect`.
fn still_on(rect: Rect, still: &Still) -> Operation {
    Operation { rect, paint: Paint::Still(still.samples.clone()), opacity: 255, mask: still.mask.clone() }
}

/// Where something of `size` lies in the middle of `rect`; `None` if it does not fit.
fn middle(rect: &Rect, size: Size) -> Option<Rect> {
    let at = |from: u32, room: u32, extent: u32| room.checked_sub(extent).map(|rest| from + ((rest / 2) & !1));
    let (x, y) = (at(rect.x, rect.width, size.width)?, at(rect.y, rect.height, size.height)?);
    Some(Rect { x, y, width: size.width, height: size.height })
}

fn shaded(colour: Rgb) -> Rgb {
    let shade = |channel: u8| u8::try_from(u32::from(channel) * PANEL_SHADE / 256 + 14).expect("darker than a byte");
    Rgb::new(shade(colour.red), shade(colour.green), shade(colour.blue))
}

/// The picture, and bars beside it where it does not fill the tile.
fn draw_picture(tile: &Tile, frame: &VideoFrame, easel: &mut Easel<'_>) {
    let Easel { axes, shapes, out, .. } = easel;
    let (inner, crop) = fit(frame.size, tile);
    let bar = Yuv::from(LETTERBOX).samples();
    let rect = tile.rect;
    let bars = [
        Rect { height: inner.y - rect.y, ..rect },
        Rect { y: inner.bottom(), height: rect.bottom() - inner.bottom(), ..rect },
        Rect { y: inner.y, height: inner.height, width: inner.x - rect.x, ..rect },
        Rect { x: inner.right(), y: inner.y, width: rect.right() - inner.right(), height: inner.height },
    ];
    for rect in bars.into_iter().filter(|bar| bar.width > 0 && bar.height > 0) {
        out.push(Operation { mask: shapes.part(tile, &rect), ..Operation::fill(rect, bar) });
    }
    let axes = axes.of(frame.size, crop, Size::new(inner.width, inner.height));
    let paint = Paint::Picture { frame: frame.clone(), axes };
    out.push(Operation { rect: inner, paint, opacity: 255, mask: shapes.part(tile, &inner) });
}

/// Where a picture of `source` goes on `tile`, and which part of it. Pictures within 4 % of the tile's shape fill it (a
/// 320×180 camera in a 126×70 tile is 1 % off, which nobody sees).
pub(super) fn fit(source: Size, tile: &Tile) -> (Rect, Crop) {
    let rect = tile.rect;
    let all = Crop { x: 0, y: 0, size: source };
    let (wide, high) =
        (u64::from(source.width) * u64::from(rect.height), u64::from(source.height) * u64::from(rect.width));
    if wide.abs_diff(high) * 25 <= wide.max(high) {
        return (rect, all);
    }
    match tile.fit {
        Fit::Contain => (contained(source, rect), all),
        Fit::Cover => {
            let even = |extent: u64, most: u32| {
                (u32::try_from(extent).expect("at most the source") & !1).clamp(2.min(most), most)
            };
            let (width, height) = if wide > high {
                (
                    even(u64::from(source.height) * u64::from(rect.width) / u64::from(rect.height), source.width),
                    source.height,
                )
            } else {
                (
                    source.width,
                    even(u64::from(source.width) * u64::from(rect.height) / u64::from(rect.width), source.height),
                )
            };
            let middle = |whole: u32, part: u32| ((whole - part) / 2) & !1;
            let (x, y) = (middle(source.width, width), middle(source.height, height));
            (rect, Crop { x, y, size: Size::new(width, height) })
        }
    }
}

/// A line inside the tile's edge.
fn draw_frame(tile: &Tile, width: u32, colour: Rgb, easel: &mut Easel<'_>) {
    let Easel { shapes, out, .. } = easel;
    let (rect, samples) = (tile.rect, Yuv::from(colour).samples());
    let width = width.min(rect.width / 2).min(rect.height / 2) & !1;
    if tile.corner_radius > 0 {
        let mask = shapes.frame(tile, width);
        return out.push(Operation { mask: Some(mask), ..Operation::fill(rect, samples) });
    }
    let bands = [
        Rect { height: width, ..rect },
        Rect { y: rect.bottom() - width, height: width, ..rect },
        Rect { y: rect.y + width, width, height: rect.height - 2 * width, ..rect },
        Rect { x: rect.right() - width, y: rect.y + width, width, height: rect.height - 2 * width },
    ];
    let seen = bands.into_iter().filter(|band| band.width > 0 && band.height > 0);
    out.extend(seen.map(|band| Operation::fill(band, samples)));
}

/// `rect`'s part of a still.
fn cut_still(image: &Arc<Still>, rect: &Rect) -> Arc<Still> {
    let whole = image.size;
    if (rect.width, rect.height) == (whole.width, whole.height) {
        return image.clone();
    }
    let cut = |plane: &[u8], step: u32, out: &mut Vec<u8>| {
        let width = (whole.width / step) as usize;
        let columns = (rect.x / step) as usize..(rect.right() / step) as usize;
        let rows = (rect.y / step) as usize..(rect.bottom() / step) as usize;
        let rows = plane.chunks_exact(width).take(rows.end).skip(rows.start);
        rows.for_each(|row| out.extend_from_slice(&row[columns.clone()]));
    };
    let luma = (whole.width * whole.height) as usize;
    let mut samples = Vec::with_capacity((rect.width * rect.height * 3 / 2) as usize);
    cut(&image.samples.0[..luma], 1, &mut samples);
    cut(&image.samples.0[luma..luma + luma / 4], 2, &mut samples);
    cut(&image.samples.0[luma + luma / 4..], 2, &mut samples);
    let mask = image.mask.as_ref().map(|mask| {
        let (mut luma, mut chroma) = (Vec::new(), Vec::new());
        cut(&mask.0.luma, 1, &mut luma);
        cut(&mask.0.chroma, 2, &mut chroma);
        Shared(Arc::new(Mask { luma, chroma }))
    });
    Arc::new(Still { size: Size::new(rect.width, rect.height), samples: Shared(Arc::new(samples)), mask })
}

impl Shapes {
    /// The tile's shape on a part of its rectangle; `None` if it is square.
    fn part(&mut self, tile: &Tile, part: &Rect) -> Option<Shared<Mask>> {
        let part = Rect { x: part.x - tile.rect.x, y: part.y - tile.rect.y, ..*part };
        let size = Size::new(tile.rect.width, tile.rect.height);
        (tile.corner_radius > 0).then(|| self.get(size, tile.corner_radius, None, part))
    }

    /// A line inside the tile's rounded edge.
    fn frame(&mut self, tile: &Tile, width: u32) -> Shared<Mask> {
        let size = Size::new(tile.rect.width, tile.rect.height);
        self.get(size, tile.corner_radius, Some(width), Rect { x: 0, y: 0, ..tile.rect })
    }

    fn get(&mut self, size: Size, radius: u32, inset: Option<u32>, part: Rect) -> Shared<Mask> {
        if self.0.len() >= limits::SHAPE_MASKS_MAX {
            self.0.clear();
        }
        let make = || {
            let whole = rounded(size, radius, inset);
            let rows = whole.chunks_exact(size.width as usize).skip(part.y as usize).take(part.height as usize);
            let columns = part.x as usize..part.right() as usize;
            let cut: Vec<u8> = rows.flat_map(|row| row[columns.clone()].iter().copied()).collect();
            Shared(Arc::new(Mask::new(cut, part.width)))
        };
        self.0.entry((size, radius, inset, part)).or_insert_with(make).clone()
    }
}

/// A picture's extent within `rect` of the canvas: all of it seen and its shape kept, in the middle, even.
fn contained(source: Size, rect: Rect) -> Rect {
    let (width, height) = (u64::from(source.width.max(1)), u64::from(source.height.max(1)));
    let (room_x, room_y) = (u64::from(rect.width), u64::from(rect.height));
    let even = |extent: u64, most: u32| (u32::try_from(extent).expect("at most the rect") & !1).clamp(2, most);
    let (inner_width, inner_height) = if width * room_y > height * room_x {
        (rect.width, even(height * room_x / width, rect.height))
    } else {
        (even(width * room_y / height, rect.width), rect.height)
    };
    Rect {
        x: rect.x + (((rect.width - inner_width) / 2) & !1),
        y: rect.y + (((rect.height - inner_height) / 2) & !1),
        width: inner_width,
        height: inner_height,
    }
}
