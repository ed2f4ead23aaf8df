//! **The question:** how does a processor draw a scene? One persistent I420 canvas; tiles are redrawn only when they change.
//!
//! Kernels: [`scale`] (pictures), [`place`] (fills, rings and copies), [`letters`] (masks of panels and initials),
//! [`colour`] (RGB and ranges).

mod canvas;
mod colour;
mod letters;
mod place;
mod scale;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::canvas::Canvas;
use self::colour::Yuv;
use self::letters::Letters;
use self::scale::{PlanePlan, Scaler};
use crate::compose::{Compositor, FramePool, Sources};
use crate::media::{ComposedFrame, Picture, Pts, Size, VideoFrame};
use crate::scene::{Rect, Rgb, Scene, Tile, TilePicture};

/// The ring around someone who speaks, pixels of luma; the gap between tiles is at least as wide.
const RING: u32 = 2;
/// The ring's colour.
const RING_COLOUR: Rgb = Rgb::new(0x4c, 0xd9, 0x8a);
/// Behind pictures that do not fill their tile.
const LETTERBOX: Rgb = Rgb::new(0x1d, 0x20, 0x26);

/// A compositor for one room on `canvas`, whose sides are even, by the processor alone.
#[must_use]
pub fn cpu_compositor(canvas: Size) -> Box<dyn Compositor> {
    Box::new(CpuCompositor {
        canvas: Canvas::new(canvas),
        drawn: Vec::new(),
        background: None,
        scaler: Scaler::default(),
        letters: Letters::new(),
        pool: FramePool::default(),
    })
}

struct CpuCompositor {
    canvas: Canvas,
    /// What the canvas shows, in the scene's order.
    drawn: Vec<Drawn>,
    background: Option<Rgb>,
    scaler: Scaler,
    letters: Letters,
    pool: FramePool,
}

/// One tile as it stands on the canvas.
struct Drawn {
    tile: Tile,
    content: Content,
    /// How the newest picture maps onto the tile; kept over placeholders.
    plan: Option<Plan>,
}

enum Content {
    Nothing,
    Placeholder,
    /// Holding the picture makes its address unique: a new picture cannot take it while this one is on show.
    Picture(Arc<dyn Picture>),
}

/// How pictures of one size map onto one rect.
struct Plan {
    source: Size,
    inner: Rect,
    luma: PlanePlan,
    chroma: PlanePlan,
}

impl Compositor for CpuCompositor {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn compose(&mut self, scene: &Scene, sources: &dyn Sources, pts: Pts) -> ComposedFrame {
        assert_eq!(scene.canvas, self.canvas.size(), "a room's canvas keeps its size");
        self.arrange(scene);
        for index in 0..self.drawn.len() {
            self.draw_tile(index, sources);
        }
        ComposedFrame { size: scene.canvas, pts, samples: self.pool.copy_of(self.canvas.samples()) }
    }

    fn pool(&self) -> FramePool {
        self.pool.clone()
    }
}

impl CpuCompositor {
    /// Takes the scene over; clears the canvas if a tile moved, redraws the rings if voices changed.
    fn arrange(&mut self, scene: &Scene) {
        let same_places = self.background == Some(scene.background)
            && self.drawn.len() == scene.tiles.len()
            && self.drawn.iter().zip(&scene.tiles).all(|(drawn, tile)| {
                drawn.tile.participant == tile.participant && drawn.tile.rect == tile.rect && drawn.tile.z == tile.z
            });
        if !same_places {
            self.place_anew(scene);
        }
        let mut voices_changed = !same_places;
        for (drawn, tile) in self.drawn.iter_mut().zip(&scene.tiles) {
            if drawn.tile == *tile {
                continue;
            }
            voices_changed |= drawn.tile.speaking != tile.speaking;
            if drawn.tile.identity != tile.identity && matches!(drawn.content, Content::Placeholder) {
                drawn.content = Content::Nothing;
            }
            drawn.tile.clone_from(tile);
        }
        if voices_changed {
            self.draw_rings(scene.background);
        }
    }

    /// Clears the canvas and lists the tiles from the lowest to the highest; nothing is drawn yet.
    fn place_anew(&mut self, scene: &Scene) {
        self.background = Some(scene.background);
        self.canvas.fill_all(Yuv::from(scene.background));
        self.drawn.clear();
        for tile in &scene.tiles {
            assert!(self.canvas.contains(&tile.rect), "{:?} lies inside the even canvas", tile.rect);
            self.drawn.push(Drawn { tile: tile.clone(), content: Content::Nothing, plan: None });
        }
    }

    /// Rings of neighbours may share a gap: first all are wiped, then those of speakers drawn.
    fn draw_rings(&mut self, background: Rgb) {
        for speaking in [false, true] {
            let colour = Yuv::from(if speaking { RING_COLOUR } else { background });
            for drawn in self.drawn.iter().filter(|drawn| drawn.tile.speaking == speaking) {
                self.canvas.ring(&drawn.tile.rect, RING, colour);
            }
        }
    }

    /// Brings one tile up to date.
    fn draw_tile(&mut self, index: usize, sources: &dyn Sources) {
        let drawn = &mut self.drawn[index];
        let frame = match drawn.tile.picture {
            TilePicture::Camera => sources.frame(drawn.tile.participant),
            TilePicture::Placeholder => None,
        };
        match frame {
            Some(frame) => {
                let shown = matches!(&drawn.content, Content::Picture(picture) if Arc::ptr_eq(picture, &frame.picture));
                if !shown {
                    draw_picture(&mut self.canvas, &mut self.scaler, drawn, frame);
                    drawn.content = Content::Picture(frame.picture.clone());
                }
            }
            None if !matches!(drawn.content, Content::Placeholder) => {
                let background = Yuv::from(self.background.expect("set when the tile was placed"));
                self.letters.draw_placeholder(&mut self.canvas, &drawn.tile, background);
                drawn.content = Content::Placeholder;
            }
            None => {}
        }
    }
}

fn draw_picture(canvas: &mut Canvas, scaler: &mut Scaler, drawn: &mut Drawn, frame: &VideoFrame) {
    if drawn.plan.as_ref().is_none_or(|plan| plan.source != frame.size) {
        drawn.plan = Some(plan(scaler, frame.size, &drawn.tile.rect));
        drawn.content = Content::Nothing;
    }
    let plan = drawn.plan.as_ref().expect("made above");
    if plan.inner != drawn.tile.rect && !matches!(drawn.content, Content::Picture(_)) {
        canvas.fill(&drawn.tile.rect, Yuv::from(LETTERBOX));
    }
    for index in 0..3 {
        let axes = if index == 0 { &plan.luma } else { &plan.chroma };
        let range = frame.full_range.then_some(if index == 0 { colour::Range::Luma } else { colour::Range::Chroma });
        scaler.scale(axes, frame.picture.plane(index), canvas.plane(index), &plan.inner, range);
    }
}

/// Pictures within 4 % of the tile's shape fill it (a 320×180 camera in a 126×70 tile is 1 % off, which nobody sees); others
/// keep their shape inside it.
fn plan(scaler: &mut Scaler, source: Size, rect: &Rect) -> Plan {
    let inner = fit(source, rect);
    let half = |extent: u32| extent.div_ceil(2);
    Plan {
        source,
        inner,
        luma: scaler.plan(source, Size::new(inner.width, inner.height)),
        chroma: scaler
            .plan(Size::new(half(source.width), half(source.height)), Size::new(inner.width / 2, inner.height / 2)),
    }
}

fn fit(source: Size, rect: &Rect) -> Rect {
    let (width, height) = (u64::from(source.width.max(1)), u64::from(source.height.max(1)));
    let (room_x, room_y) = (u64::from(rect.width), u64::from(rect.height));
    let (wide, high) = (width * room_y, height * room_x);
    if wide.abs_diff(high) * 25 <= wide.max(high) {
        return *rect;
    }
    let even = |extent: u64, most: u32| (u32::try_from(extent).expect("at most the rect") & !1).clamp(2, most);
    let (inner_width, inner_height) = if wide > high {
        (rect.width, even(height * room_x / width, rect.height))
    } else {
        (even(width * room_y / height, rect.width), rect.height)
    };
    Rect {
        x: rect.x + ((rect.width - inner_width) / 2 & !1),
        y: rect.y + ((rect.height - inner_height) / 2 & !1),
        width: inner_width,
        height: inner_height,
    }
}
