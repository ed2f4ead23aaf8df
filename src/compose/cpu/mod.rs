//! **The question:** how does a processor draw a scene? One persistent I420 canvas; tiles are redrawn only when they change.
//!
//! Kernels: `scale` (pictures), `place` (fills, masks and copies), `letters` (panels and initials), `colour` (RGB and ranges).

mod canvas;
mod colour;
mod letters;
mod place;
mod scale;

use std::sync::Arc;

use self::canvas::Canvas;
use self::colour::Yuv;
use self::letters::Letters;
use self::scale::{PlanePlan, Scaler};
use crate::compose::{Compositor, FramePool, Sources};
use crate::media::{ComposedFrame, Picture, Pts, Size, TrackId, TrackKind, VideoFrame};
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
        ComposedFrame::new(scene.canvas, pts, self.pool.copy_of(self.canvas.samples()))
    }

    fn pool(&self) -> FramePool {
        self.pool.clone()
    }
}

impl CpuCompositor {
    /// Takes the scene over; clears the canvas if a tile moved, redraws the rings if voices changed.
    fn arrange(&mut self, scene: &Scene) {
        let same_places = self.background == Some(scene.background.colour)
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
            self.draw_rings(scene.background.colour);
        }
    }

    /// Clears the canvas and lists the tiles from the lowest to the highest; nothing is drawn yet.
    fn place_anew(&mut self, scene: &Scene) {
        self.background = Some(scene.background.colour);
        self.canvas.fill_all(Yuv::from(scene.background.colour));
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
            TilePicture::Camera => {
                sources.frame(TrackId { participant: drawn.tile.participant, kind: TrackKind::Camera })
            }
            TilePicture::Screen => {
                sources.frame(TrackId { participant: drawn.tile.participant, kind: TrackKind::Screen })
            }
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
        x: rect.x + (((rect.width - inner_width) / 2) & !1),
        y: rect.y + (((rect.height - inner_height) / 2) & !1),
        width: inner_width,
        height: inner_height,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::media::{Outbox, ParticipantId, PlaneRef};
    use crate::scene::{Input, SceneCore};

    struct Planes([Vec<u8>; 3], usize);

    impl Picture for Planes {
        fn plane(&self, index: usize) -> PlaneRef<'_> {
            PlaneRef { data: &self.0[index], stride: if index == 0 { self.1 } else { self.1.div_ceil(2) } }
        }
    }

    type Pictures = BTreeMap<ParticipantId, VideoFrame>;

    fn picture(width: usize, height: usize, sample: impl Fn(usize, usize, usize) -> u8) -> VideoFrame {
        let plane = |index: usize| {
            let half = |extent: usize| if index == 0 { extent } else { extent.div_ceil(2) };
            let row = |y: usize| (0..half(width)).map(move |x| (x, y));
            (0..half(height)).flat_map(row).map(|(x, y)| sample(index, x, y)).collect()
        };
        let planes = Planes([plane(0), plane(1), plane(2)], width);
        let size = Size::new(u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        VideoFrame { size, full_range: false, arrival: Instant::now(), picture: Arc::new(planes) }
    }

    fn flat(width: usize, height: usize, level: u8) -> VideoFrame {
        picture(width, height, |plane, _, _| level + u8::try_from(plane).unwrap())
    }

    fn noise(width: usize, height: usize, seed: usize) -> VideoFrame {
        picture(width, height, |plane, x, y| {
            let n = (x * 31 + y * 17 + plane * 7 + seed * 101).wrapping_mul(0x9e37_79b9);
            u8::try_from(16 + (n >> 13) % 220).unwrap()
        })
    }

    /// A scene of `count` people, all with cameras.
    fn seated(canvas: Size, count: u64) -> (SceneCore, Arc<Scene>) {
        let (mut core, mut out, now) = (SceneCore::new(canvas), Outbox::new(), Instant::now());
        for id in 0..count {
            let participant = ParticipantId(id);
            core.handle(now, Input::Joined { participant, name: format!("Ada {id}") }, &mut out);
            core.handle(now, Input::CameraFrame { participant }, &mut out);
        }
        let scene = core.scene();
        (core, scene)
    }

    fn compose(compositor: &mut dyn Compositor, scene: &Scene, pictures: &Pictures) -> ComposedFrame {
        compositor.compose(scene, pictures, Pts(7))
    }

    /// The canvas a new compositor draws.
    fn from_scratch(scene: &Scene, pictures: &Pictures) -> Vec<u8> {
        compose(&mut *cpu_compositor(scene.canvas), scene, pictures).samples
    }

    fn luma(frame: &ComposedFrame, x: u32, y: u32) -> u8 {
        frame.samples[(y * frame.size.width + x) as usize]
    }

    #[test]
    fn a_picture_of_the_canvas_size_arrives_untouched() {
        let (_, scene) = seated(Size::new(320, 180), 1);
        let source = noise(320, 180, 1);
        let frame =
            compose(&mut *cpu_compositor(scene.canvas), &scene, &Pictures::from([(ParticipantId(0), source.clone())]));
        assert_eq!((frame.size, frame.pts), (scene.canvas, Pts(7)));
        for (index, plane) in frame.planes().iter().enumerate() {
            assert_eq!(plane.data, source.picture.plane(index).data);
        }
    }

    #[test]
    fn a_hundred_pictures_fill_a_hundred_tiles_to_the_edge() {
        let (_, scene) = seated(Size::new(1280, 720), 100);
        let level = |id: u64| 30 + u8::try_from(id).unwrap() * 2;
        let pictures: Pictures = (0..100).map(|id| (ParticipantId(id), flat(320, 180, level(id)))).collect();
        let frame = compose(&mut *cpu_compositor(scene.canvas), &scene, &pictures);
        let planes = frame.planes();
        for tile in &scene.tiles {
            let rect = &tile.rect;
            for (x, y) in [(rect.x, rect.y), (rect.right() - 1, rect.bottom() - 1), (rect.x + 50, rect.y + 30)] {
                for (index, plane) in planes.iter().enumerate() {
                    let shrink = if index == 0 { 1 } else { 2 };
                    let sample = plane.data[(y / shrink) as usize * plane.stride + (x / shrink) as usize];
                    assert_eq!(sample, level(tile.participant.0) + u8::try_from(index).unwrap(), "{tile:?}");
                }
            }
        }
        assert_eq!(luma(&frame, 0, 0), Yuv::from(scene.background.colour).luma, "the margin shows the background");
    }

    #[test]
    fn other_shapes_keep_theirs_and_full_range_is_limited() {
        let (_, scene) = seated(Size::new(640, 360), 1);
        let mut source = flat(120, 160, 253);
        source.full_range = true;
        let frame = compose(&mut *cpu_compositor(scene.canvas), &scene, &Pictures::from([(ParticipantId(0), source)]));
        let bar = Yuv::from(LETTERBOX).luma;
        assert_eq!((luma(&frame, 10, 180), luma(&frame, 630, 180)), (bar, bar), "a portrait has bars left and right");
        assert_eq!((luma(&frame, 320, 0), luma(&frame, 320, 359)), (233, 233), "and reaches from top to bottom");
        assert_eq!(fit(Size::new(640, 480), &scene.tiles[0].rect), Rect { x: 80, y: 0, width: 480, height: 360 });
        assert_eq!(fit(Size::new(4000, 2), &scene.tiles[0].rect), Rect { x: 0, y: 178, width: 640, height: 2 });
        assert_eq!(fit(Size::new(320, 180), &Rect { x: 2, y: 2, width: 126, height: 70 }).width, 126);
    }

    #[test]
    fn a_changed_picture_changes_its_tile_only() {
        let (_, scene) = seated(Size::new(640, 360), 9);
        let mut pictures: Pictures = (0..9).map(|id| (ParticipantId(id), noise(320, 180, 3))).collect();
        let mut compositor = cpu_compositor(scene.canvas);
        let before = compose(&mut *compositor, &scene, &pictures);
        assert_eq!(compose(&mut *compositor, &scene, &pictures).samples, before.samples);
        pictures.insert(ParticipantId(4), noise(320, 180, 4));
        let after = compose(&mut *compositor, &scene, &pictures);
        let rect = scene.tiles[4].rect;
        let mut changed = 0;
        for y in 0..360 {
            for x in 0..640 {
                let inside = (rect.x..rect.right()).contains(&x) && (rect.y..rect.bottom()).contains(&y);
                let same = luma(&before, x, y) == luma(&after, x, y);
                assert!(inside || same, "{x},{y} lies outside");
                changed += u32::from(!same);
            }
        }
        assert!(changed > rect.width * rect.height / 2);
    }

    #[test]
    fn a_voice_lights_a_ring_outside_the_picture() {
        let canvas = Size::new(1280, 720);
        let (mut core, quiet) = seated(canvas, 100);
        let mut out = Outbox::new();
        let speaks = |id, speaking| Input::Speaking { participant: ParticipantId(id), speaking };
        core.handle(Instant::now(), speaks(44, true), &mut out);
        core.handle(Instant::now(), speaks(45, true), &mut out);
        let loud = core.scene();
        let pictures: Pictures = (0..100).map(|id| (ParticipantId(id), noise(320, 180, 5))).collect();
        let mut compositor = cpu_compositor(canvas);
        let before = compose(&mut *compositor, &quiet, &pictures);
        let ringed = compose(&mut *compositor, &loud, &pictures);
        let rect = quiet.tiles[44].rect;
        assert_eq!(luma(&ringed, rect.x - 1, rect.y + 9), Yuv::from(RING_COLOUR).luma);
        assert_eq!(luma(&ringed, rect.x + 9, rect.bottom() + 1), Yuv::from(RING_COLOUR).luma);
        for tile in &quiet.tiles {
            for y in tile.rect.y..tile.rect.bottom() {
                let row = |frame: &ComposedFrame| {
                    let start = (y * canvas.width + tile.rect.x) as usize;
                    frame.samples[start..start + tile.rect.width as usize].to_vec()
                };
                assert_eq!(row(&before), row(&ringed), "rings never cover a picture");
            }
        }
        core.handle(Instant::now(), speaks(45, false), &mut out);
        let one = compose(&mut *compositor, &core.scene(), &pictures);
        assert_eq!(luma(&one, rect.right(), rect.y + 9), Yuv::from(RING_COLOUR).luma, "the shared gap stays lit");
        core.handle(Instant::now(), speaks(44, false), &mut out);
        assert!(compose(&mut *compositor, &core.scene(), &pictures).samples == before.samples);
    }

    #[test]
    fn placeholders_carry_ink_for_any_name_and_give_way_to_cameras() {
        let canvas = Size::new(640, 360);
        for name in ["Ada Lovelace", "Žofie", "Ωμέγα", "Юлия Щ", "田中", "🦀", ""] {
            let (mut core, mut out) = (SceneCore::new(canvas), Outbox::new());
            let participant = ParticipantId(3);
            core.handle(Instant::now(), Input::Joined { participant, name: name.into() }, &mut out);
            let mut compositor = cpu_compositor(canvas);
            let none = Pictures::new();
            let blank = compose(&mut *compositor, &core.scene(), &none);
            let bright = blank.planes()[0].data.iter().filter(|&&sample| sample > 200).count();
            assert!((200..40_000).contains(&bright), "{name:?} has {bright} bright pixels");
            core.handle(Instant::now(), Input::CameraFrame { participant }, &mut out);
            assert!(compose(&mut *compositor, &core.scene(), &none).samples == blank.samples, "no picture yet");
            let pictures = Pictures::from([(participant, flat(320, 180, 90))]);
            assert_eq!(luma(&compose(&mut *compositor, &core.scene(), &pictures), 320, 180), 90);
            core.handle(Instant::now(), Input::CameraEnded { participant }, &mut out);
            assert!(compose(&mut *compositor, &core.scene(), &pictures).samples == blank.samples, "and back");
        }
    }

    #[test]
    fn buffers_return_and_are_used_again() {
        let (_, scene) = seated(Size::new(320, 180), 2);
        let mut compositor = cpu_compositor(scene.canvas);
        let first = compose(&mut *compositor, &scene, &Pictures::new());
        let address = first.samples.as_ptr();
        compositor.pool().recycle(first);
        assert_eq!(compose(&mut *compositor, &scene, &Pictures::new()).samples.as_ptr(), address);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Scene(Input),
        Picture(u64, usize, usize),
        NoPicture(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let who = 0_u64..7;
        prop_oneof![
            (who.clone(), 0..3).prop_map(|(id, name)| {
                Step::Scene(Input::Joined { participant: ParticipantId(id), name: format!("N{name}") })
            }),
            who.clone().prop_map(|id| Step::Scene(Input::Left { participant: ParticipantId(id) })),
            who.clone().prop_map(|id| Step::Scene(Input::CameraFrame { participant: ParticipantId(id) })),
            who.clone().prop_map(|id| Step::Scene(Input::CameraEnded { participant: ParticipantId(id) })),
            (who.clone(), any::<bool>())
                .prop_map(|(id, speaking)| Step::Scene(Input::Speaking { participant: ParticipantId(id), speaking })),
            (who.clone(), 1_usize..120, 1_usize..90).prop_map(|(id, width, height)| Step::Picture(id, width, height)),
            who.prop_map(Step::NoPicture),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn drawing_only_what_changed_is_as_good_as_drawing_all(steps in prop::collection::vec(step(), 1..40)) {
            let canvas = Size::new(256, 144);
            let (mut core, mut out, mut pictures) = (SceneCore::new(canvas), Outbox::new(), Pictures::new());
            let mut compositor = cpu_compositor(canvas);
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Scene(input) => core.handle(Instant::now(), input, &mut out),
                    Step::Picture(id, width, height) => {
                        pictures.insert(ParticipantId(id), noise(width, height, number));
                    }
                    Step::NoPicture(id) => {
                        pictures.remove(&ParticipantId(id));
                    }
                }
                let frame = compose(&mut *compositor, &core.scene(), &pictures);
                prop_assert!(frame.samples == from_scratch(&core.scene(), &pictures), "after step {number}");
                compositor.pool().recycle(frame);
            }
        }
    }
}
