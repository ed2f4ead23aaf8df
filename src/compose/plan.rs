//! **The question:** what must be drawn at this tick? Compares the scene and its pictures with what the canvas shows, and lists
//! the operations that bring it up to date, from the lowest to the highest.
//!
//! What changed is drawn anew with all that overlaps it, from the background up, so that no clipping is needed and nothing is
//! blended twice. In layouts without overlaps, the usual ones, that is the changed tiles alone.

use std::collections::HashMap;
use std::sync::Arc;

use crate::compose::Sources;
use crate::compose::colour::Yuv;
use crate::compose::draw::{Mask, Operation, Paint, Shared};
use crate::compose::ink;
use crate::compose::letters::{self, rounded};
use crate::compose::scale::{Axes, Crop};
use crate::compose::still::{Still, contained, still};
use crate::media::{Bitmap, Damage, Size, TrackId, TrackKind, VideoFrame};
use crate::scene::{Background, Fit, Identity, Overlay, OverlayContent, Rect, Rgb, Scene, Tile, TilePicture};

/// The frame around someone who speaks, pixels inside the tile.
pub(super) const RING: u32 = 4;
/// The ring's colour.
pub(super) const RING_COLOUR: Rgb = Rgb::new(0x4c, 0xd9, 0x8a);
/// Behind pictures that do not fill their tile.
pub(super) const LETTERBOX: Rgb = Rgb::new(0x1d, 0x20, 0x26);
/// How much a picture that stands still because nothing new comes is darkened, of 255.
const STALLED_SHADE: u8 = 110;
/// Masks of shapes kept; a canvas whose tiles change size all the time costs time, not memory.
const SHAPES_MAX: usize = 512;

/// What one canvas shows, and what it needs to show the next scene.
pub(super) struct Planner {
    canvas: Size,
    background: Option<(Background, Option<Still>)>,
    /// From the lowest to the highest.
    items: Vec<Item>,
    axes: Axes,
    shapes: Shapes,
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
}

enum What {
    Tile(Box<Shown>),
    Overlay(Overlay, Vec<Operation>),
}

/// A tile as it stands on the canvas.
struct Shown {
    tile: Tile,
    content: Content,
    /// What is drawn over its picture: label and marks.
    marks: Vec<Operation>,
    /// What is drawn without a picture, kept while a camera is on.
    placeholder: Option<(Identity, Vec<Operation>)>,
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

impl Planner {
    pub(super) fn new(canvas: Size) -> Self {
        assert!(canvas.width.is_multiple_of(2) && canvas.height.is_multiple_of(2), "4:2:0 needs even sides");
        Self {
            canvas,
            background: None,
            items: Vec::new(),
            axes: Axes::default(),
            shapes: Shapes::default(),
            operations: Vec::new(),
            damage: Damage::none(canvas),
        }
    }

    /// Plans a tick; [`operations`](Self::operations) and [`damage`](Self::damage) give the result.
    pub(super) fn plan(&mut self, scene: &Scene, sources: &dyn Sources) {
        assert_eq!(scene.canvas, self.canvas, "a room's canvas keeps its size");
        self.operations.clear();
        self.damage.clear();
        let anew = !self.stands(scene);
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
            let open: Vec<Rect> =
                self.items.iter().filter(|item| item.dirty && !item.hides()).map(|item| item.rect).collect();
            open.into_iter().for_each(|rect| self.draw_background(Some(rect)));
        }
        for index in 0..self.items.len() {
            if std::mem::take(&mut self.items[index].dirty) {
                let Rect { x, y, width, height } = self.items[index].rect;
                self.damage.mark(x, y, width, height);
                self.draw(index);
            }
        }
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
        let order = draw_order(scene);
        let same_item = |(item, tile): (&Item, &&Tile)| match &item.what {
            What::Tile(shown) => {
                shown.tile.participant == tile.participant && item.rect == tile.rect && shown.tile.z == tile.z
            }
            What::Overlay(..) => false,
        };
        let same_overlay =
            |(item, overlay): (&Item, &Overlay)| matches!(item.what, What::Overlay(..)) && item.rect == overlay.rect;
        self.background.as_ref().is_some_and(|(background, _)| *background == scene.background)
            && self.items.len() == order.len() + scene.overlays.len()
            && self.items.iter().zip(&order).all(same_item)
            && self.items[order.len()..].iter().zip(&scene.overlays).all(same_overlay)
    }

    /// Lists the items anew; nothing of them is on the canvas.
    fn place(&mut self, scene: &Scene) {
        let image = scene.background.image.as_ref();
        let known = self.background.take().filter(|(background, _)| background.image.as_ref() == image);
        let drawn = match known {
            Some((_, drawn)) => drawn,
            None => image.map(|image| still(image, self.canvas, Fit::Cover)),
        };
        self.background = Some((scene.background.clone(), drawn));
        let mut before: HashMap<_, Box<Shown>> = HashMap::new();
        for item in self.items.drain(..) {
            if let What::Tile(shown) = item.what {
                before.insert(shown.tile.participant, shown);
            }
        }
        for tile in draw_order(scene) {
            assert!(self.contains(&tile.rect), "{:?} lies inside the even canvas", tile.rect);
            let kept = before.remove(&tile.participant).filter(|shown| same_size(&shown.tile, tile));
            let mut shown = kept.unwrap_or_else(|| {
                Box::new(Shown { tile: tile.clone(), content: Content::Nothing, marks: Vec::new(), placeholder: None })
            });
            shown.move_to(tile);
            self.items.push(Item { rect: tile.rect, what: What::Tile(shown), touches: Vec::new(), dirty: true });
        }
        for overlay in &scene.overlays {
            assert!(self.contains(&overlay.rect), "{:?} lies inside the even canvas", overlay.rect);
            let what = What::Overlay(overlay.clone(), overlay_operations(overlay));
            self.items.push(Item { rect: overlay.rect, what, touches: Vec::new(), dirty: true });
        }
        for index in 0..self.items.len() {
            let rect = self.items[index].rect;
            let others = self.items.iter().enumerate().filter(|(n, other)| *n != index && other.rect.overlaps(&rect));
            self.items[index].touches = others.map(|(n, _)| n).collect();
        }
    }

    fn contains(&self, rect: &Rect) -> bool {
        let even = [rect.x, rect.y, rect.width, rect.height].iter().all(|value| value.is_multiple_of(2));
        even && rect.width > 0
            && rect.height > 0
            && rect.right() <= self.canvas.width
            && rect.bottom() <= self.canvas.height
    }

    /// Items that say something else than before are drawn anew.
    fn take_over(&mut self, scene: &Scene) {
        let tiles = draw_order(scene);
        for (item, tile) in self.items.iter_mut().zip(&tiles) {
            if let What::Tile(shown) = &mut item.what
                && shown.tile != **tile
            {
                item.dirty = true;
                shown.move_to(tile);
            }
        }
        for (item, overlay) in self.items[tiles.len()..].iter_mut().zip(&scene.overlays) {
            if let What::Overlay(before, operations) = &mut item.what
                && before != overlay
            {
                item.dirty = true;
                *operations = overlay_operations(overlay);
                before.clone_from(overlay);
            }
        }
    }

    /// What overlaps something that is drawn is drawn too.
    fn spread(&mut self) {
        let mut open: Vec<usize> = (0..self.items.len()).filter(|&index| self.items[index].dirty).collect();
        while let Some(index) = open.pop() {
            for touched in std::mem::take(&mut self.items[index].touches) {
                if !self.items[touched].dirty {
                    self.items[touched].dirty = true;
                    open.push(touched);
                }
                self.items[index].touches.push(touched);
            }
        }
    }

    /// The background of the canvas, or of one rectangle.
    fn draw_background(&mut self, rect: Option<Rect>) {
        let (background, image) = self.background.as_ref().expect("the scene was placed");
        let whole = Rect { x: 0, y: 0, width: self.canvas.width, height: self.canvas.height };
        let rect = rect.unwrap_or(whole);
        let colour = Operation::fill(rect, Yuv::from(background.colour).samples());
        match image {
            None => self.operations.push(colour),
            Some(image) => {
                if image.mask.is_some() {
                    self.operations.push(colour);
                }
                let part = cut_still(image, self.canvas, &rect);
                let paint = Paint::Still(part.samples);
                self.operations.push(Operation { rect, paint, opacity: 255, mask: part.mask });
            }
        }
    }

    fn draw(&mut self, index: usize) {
        let (axes, shapes, operations) = (&mut self.axes, &mut self.shapes, &mut self.operations);
        match &mut self.items[index].what {
            What::Overlay(_, drawn) => operations.extend_from_slice(drawn),
            What::Tile(shown) => shown.draw(axes, shapes, operations),
        }
    }
}

/// Lower tiles first; equal ones in the scene's order.
fn draw_order(scene: &Scene) -> Vec<&Tile> {
    let mut tiles: Vec<&Tile> = scene.tiles.iter().collect();
    tiles.sort_by_key(|tile| tile.z);
    tiles
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
    /// Takes the tile over; what is drawn once is drawn anew where it has to be.
    fn move_to(&mut self, tile: &Tile) {
        let same = same_size(&self.tile, tile) && self.tile.corner_radius == tile.corner_radius;
        if !same || self.placeholder.as_ref().is_some_and(|(identity, _)| *identity != tile.identity) {
            self.placeholder = None;
        }
        let (dx, dy) = (tile.rect.x.wrapping_sub(self.tile.rect.x), tile.rect.y.wrapping_sub(self.tile.rect.y));
        let moved = |operation: &mut Operation| {
            operation.rect.x = operation.rect.x.wrapping_add(dx);
            operation.rect.y = operation.rect.y.wrapping_add(dy);
        };
        if let Some((_, operations)) = &mut self.placeholder {
            operations.iter_mut().for_each(moved);
        }
        let marked = |tile: &Tile| (tile.label.clone(), tile.muted);
        if same && marked(&self.tile) == marked(tile) && !(self.marks.is_empty() && tile.label.is_some()) {
            self.marks.iter_mut().for_each(moved);
        } else {
            self.marks = ink::marks(tile);
        }
        self.tile.clone_from(tile);
    }

    fn draw(&mut self, axes: &mut Axes, shapes: &mut Shapes, out: &mut Vec<Operation>) {
        let first = out.len();
        let tile = &self.tile;
        let mask = shapes.whole(tile);
        match &self.content {
            Content::Picture(frame) => draw_picture(tile, frame, axes, shapes, out),
            Content::Placeholder | Content::Nothing => {
                let make = || (tile.identity.clone(), placeholder(tile));
                out.extend_from_slice(&self.placeholder.get_or_insert_with(make).1);
            }
        }
        if tile.stalled {
            let paint = Paint::Flat(Yuv::from(Rgb::new(0, 0, 0)).samples());
            out.push(Operation { rect: tile.rect, paint, opacity: STALLED_SHADE, mask });
        }
        if let Some(border) = tile.border.filter(|border| border.width > 0) {
            draw_frame(tile, border.width, border.colour, shapes, out);
        }
        out.extend_from_slice(&self.marks);
        if tile.speaking {
            draw_frame(tile, RING, RING_COLOUR, shapes, out);
        }
        if tile.opacity < 255 {
            let share =
                |part: u8| u8::try_from((u16::from(part) * u16::from(tile.opacity) + 127) / 255).expect("a share");
            out[first..].iter_mut().for_each(|operation| operation.opacity = share(operation.opacity));
        }
    }
}

/// The picture, and bars beside it where it does not fill the tile.
fn draw_picture(tile: &Tile, frame: &VideoFrame, axes: &mut Axes, shapes: &mut Shapes, out: &mut Vec<Operation>) {
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

/// Where a picture of `source` goes on `tile`, and which part of it. Pictures within 4 % of the tile's shape fill it (a 320×180
/// camera in a 126×70 tile is 1 % off, which nobody sees).
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
fn draw_frame(tile: &Tile, width: u32, colour: Rgb, shapes: &mut Shapes, out: &mut Vec<Operation>) {
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

/// What stands for someone without a picture: the avatar on a panel, or initials.
fn placeholder(tile: &Tile) -> Vec<Operation> {
    let rect = tile.rect;
    let size = Size::new(rect.width, rect.height);
    let layers = letters::placeholder(size, tile.corner_radius, &tile.identity);
    let flat = |layer: letters::Layer| Operation {
        rect,
        paint: Paint::Flat(Yuv::from(layer.colour).samples()),
        opacity: 255,
        mask: Some(Shared(Arc::new(layer.mask))),
    };
    match &tile.identity.avatar {
        None => layers.into_iter().map(flat).collect(),
        Some(avatar) => {
            let [panel, ..] = layers;
            vec![flat(panel), avatar_on(rect, avatar)]
        }
    }
}

/// An avatar, round, where the initials' disc would be.
fn avatar_on(rect: Rect, avatar: &Bitmap) -> Operation {
    let side = ((rect.width.min(rect.height) * 31 / 50) & !1).max(2);
    let inner = Rect {
        x: rect.x + (((rect.width - side) / 2) & !1),
        y: rect.y + (((rect.height - side) / 2) & !1),
        width: side,
        height: side,
    };
    let Still { samples, mask } = still(avatar, Size::new(side, side), Fit::Cover);
    let mut round = rounded(Size::new(side, side), side / 2, None);
    if let Some(alpha) = mask {
        for (cover, alpha) in round.iter_mut().zip(&alpha.0.luma) {
            *cover = u8::try_from((u16::from(*cover) * u16::from(*alpha) + 127) / 255).expect("a share");
        }
    }
    let mask = Some(Shared(Arc::new(Mask::new(round, side))));
    Operation { rect: inner, paint: Paint::Still(samples), opacity: 255, mask }
}

fn overlay_operations(overlay: &Overlay) -> Vec<Operation> {
    match &overlay.content {
        OverlayContent::Picture(bitmap) => {
            let rect = contained(bitmap.size(), overlay.rect);
            let Still { samples, mask } = still(bitmap, Size::new(rect.width, rect.height), Fit::Contain);
            vec![Operation { rect, paint: Paint::Still(samples), opacity: 255, mask }]
        }
        OverlayContent::Text { text, colour, panel } => ink::line_on(overlay.rect, text, *colour, *panel),
    }
}

/// `rect`'s part of a still of `whole`.
fn cut_still(image: &Still, whole: Size, rect: &Rect) -> Still {
    if (rect.width, rect.height) == (whole.width, whole.height) {
        return image.clone();
    }
    let cut = |plane: &[u8], step: u32, out: &mut Vec<u8>| {
        let width = (whole.width / step) as usize;
        let columns = (rect.x / step) as usize..(rect.right() / step) as usize;
        let rows = (rect.y / step) as usize..(rect.bottom() / step) as usize;
        plane
            .chunks_exact(width)
            .take(rows.end)
            .skip(rows.start)
            .for_each(|row| out.extend_from_slice(&row[columns.clone()]));
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
    Still { samples: Shared(Arc::new(samples)), mask }
}

impl Shapes {
    /// The tile's own shape; `None` if it is square.
    fn whole(&mut self, tile: &Tile) -> Option<Shared<Mask>> {
        self.part(tile, &tile.rect)
    }

    /// The tile's shape on a part of its rectangle.
    fn part(&mut self, tile: &Tile, part: &Rect) -> Option<Shared<Mask>> {
        (tile.corner_radius > 0).then(|| self.get(tile, None, part))
    }

    /// A line inside the tile's rounded edge.
    fn frame(&mut self, tile: &Tile, width: u32) -> Shared<Mask> {
        self.get(tile, Some(width), &tile.rect)
    }

    fn get(&mut self, tile: &Tile, inset: Option<u32>, part: &Rect) -> Shared<Mask> {
        let size = Size::new(tile.rect.width, tile.rect.height);
        let part = Rect { x: part.x - tile.rect.x, y: part.y - tile.rect.y, ..*part };
        if self.0.len() >= SHAPES_MAX {
            self.0.clear();
        }
        let make = || {
            let whole = rounded(size, tile.corner_radius, inset);
            let rows = whole.chunks_exact(size.width as usize).skip(part.y as usize).take(part.height as usize);
            let cut: Vec<u8> =
                rows.flat_map(|row| row[part.x as usize..part.right() as usize].iter().copied()).collect();
            Shared(Arc::new(Mask::new(cut, part.width)))
        };
        self.0.entry((size, tile.corner_radius, inset, part)).or_insert_with(make).clone()
    }
}
