//! **The question:** does a canvas show what its scene says, however little of it is drawn?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use proptest::prelude::*;

use crate::base::media::{
    Bitmap, ComposedFrame, DAMAGE_BLOCK, Damage, Matrix, Outbox, ParticipantId, Picture, PlaneRef, Pts, Size,
    VideoFrame,
};
use crate::core::scene::{Border, Fit, Input, Overlay, OverlayContent, Rect, Rgb, Scene, SceneCore};
use crate::engine::compose::colour::Yuv;
use crate::engine::compose::overlays::load_fonts;
use crate::engine::compose::plan::{LETTERBOX, RING, RING_COLOUR, fit};
use crate::engine::compose::scale::Crop;
use crate::engine::compose::{Compositor, cpu_compositor};

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
    VideoFrame { size, full_range: false, matrix: Matrix::default(), arrival: None, picture: Arc::new(planes) }
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

/// Samples of a colour by real numbers: red, green and blue from 0 to 1, a matrix's weights of red and blue, the range.
fn samples_of([red, green, blue]: [f64; 3], (red_share, blue_share): (f64, f64), full_range: bool) -> [f64; 3] {
    let luma = red_share * red + (1.0 - red_share - blue_share) * green + blue_share * blue;
    let difference = |colour: f64, share: f64| (colour - luma) / (2.0 * (1.0 - share));
    let (zero, luma_span, span) = if full_range { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
    [zero + luma_span * luma, 128.0 + span * difference(blue, blue_share), 128.0 + span * difference(red, red_share)]
}

#[test]
fn colours_of_every_matrix_and_range_come_out_alike() {
    let canvas = Size::new(64, 48);
    let (_, scene) = seated(canvas, 1);
    let steps = [0.0, 0.35, 0.7, 1.0];
    let shares = |matrix: Matrix| (matrix.weights()[0], matrix.weights()[2]);
    for matrix in [Matrix::Bt601, Matrix::Bt709, Matrix::Smpte240, Matrix::Bt2020] {
        for (full_range, n) in [false, true].into_iter().flat_map(|full_range| (0..64).map(move |n| (full_range, n))) {
            let colour = [steps[n % 4], steps[n / 4 % 4], steps[n / 16]];
            let sent =
                samples_of(colour, shares(matrix), full_range).map(|sample| sample.round().clamp(0.0, 255.0) as u8);
            let frame = VideoFrame { matrix, full_range, ..picture(64, 48, |plane, _, _| sent[plane]) };
            let shown = cpu_compositor(canvas).compose(&scene, &Pictures::from([(ParticipantId(0), frame)]), Pts(0));
            let want = samples_of(colour, shares(Matrix::CANVAS), false);
            for (plane, want) in shown.planes().iter().zip(want) {
                let (middle, row) = (plane.stride / 2, if plane.stride == 64 { 24 } else { 12 });
                let got = f64::from(plane.data[row * plane.stride + middle]);
                assert!(
                    (got - want).abs() <= 2.0,
                    "{matrix:?}, full range {full_range}, {colour:?}: {got}, not {want}"
                );
            }
        }
    }
}

#[test]
fn a_background_stays_until_the_next_one_is_ready() {
    let canvas = Size::new(1280, 720);
    let mut scene = Scene::clone(&seated(canvas, 0).1);
    let mut compositor = cpu_compositor(canvas);
    let mut luma_after = |image: Option<u8>| {
        let image = image.map(|level| Bitmap::new(canvas, [level, level, level, 255].repeat(1280 * 720)));
        scene.background.image = image;
        let mut seen: Vec<u8> =
            (0..8).map(|_| compositor.compose(&scene, &Pictures::new(), Pts(0)).samples[0]).collect();
        seen.dedup();
        seen
    };
    let colour = luma_after(None);
    assert_eq!(luma_after(Some(255)), [colour[0], 235]);
    assert_eq!(luma_after(Some(0)), [235, 16], "the one before stays meanwhile");
    assert_eq!(luma_after(None), colour);
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

/// Composes until nothing is missing any more: stills come a few a tick. The frame's damage is that of all these ticks.
fn compose(compositor: &mut dyn Compositor, scene: &Scene, pictures: &Pictures) -> ComposedFrame {
    load_fonts();
    let mut damage = Damage::none(scene.canvas);
    loop {
        let mut frame = compositor.compose(scene, pictures, Pts(7));
        damage.add(&frame.damage);
        if frame.damage.is_none() {
            frame.damage = damage;
            return frame;
        }
        compositor.pool().recycle(frame);
    }
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
    let mut tile = scene.tiles[0].clone();
    assert_eq!(fit(Size::new(640, 480), &tile).0, Rect { x: 80, y: 0, width: 480, height: 360 });
    assert_eq!(fit(Size::new(4000, 2), &tile).0, Rect { x: 0, y: 178, width: 640, height: 2 });
    tile.fit = Fit::Cover;
    assert_eq!(fit(Size::new(640, 480), &tile), (tile.rect, Crop { x: 0, y: 60, size: Size::new(640, 360) }));
    assert_eq!(fit(Size::new(1000, 100), &tile), (tile.rect, Crop { x: 412, y: 0, size: Size::new(176, 100) }));
    tile.rect = Rect { x: 2, y: 2, width: 126, height: 70 };
    assert_eq!(fit(Size::new(320, 180), &tile).1.size, Size::new(320, 180));
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
fn a_voice_lights_a_ring_inside_its_tile() {
    let canvas = Size::new(1280, 720);
    let (mut core, quiet) = seated(canvas, 100);
    let mut out = Outbox::new();
    let speaks = |id, speaking| Input::Speaking { participant: ParticipantId(id), speaking };
    core.handle(Instant::now(), speaks(44, true), &mut out);
    let loud = core.scene();
    let pictures: Pictures = (0..100).map(|id| (ParticipantId(id), noise(320, 180, 5))).collect();
    let mut compositor = cpu_compositor(canvas);
    let before = compose(&mut *compositor, &quiet, &pictures);
    let ringed = compose(&mut *compositor, &loud, &pictures);
    let rect = quiet.tiles[44].rect;
    let ring = Yuv::from(RING_COLOUR).luma;
    for (x, y) in [(rect.x, rect.y), (rect.x + RING - 1, rect.y + 9), (rect.right() - 1, rect.bottom() - 1)] {
        assert_eq!(luma(&ringed, x, y), ring);
    }
    for y in 0..canvas.height {
        for x in 0..canvas.width {
            let inner =
                (rect.x + RING..rect.right() - RING).contains(&x) && (rect.y + RING..rect.bottom() - RING).contains(&y);
            let outside = !(rect.x..rect.right()).contains(&x) || !(rect.y..rect.bottom()).contains(&y);
            assert!(!(inner || outside) || luma(&before, x, y) == luma(&ringed, x, y), "{x},{y} is no ring");
        }
    }
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

/// What one step does to a scene of overlapping tiles.
#[derive(Debug, Clone)]
enum Change {
    Tile(usize, Rect, i32, u32, u8),
    Look(usize, bool, bool, bool, Option<u32>),
    Label(usize, Option<u8>),
    Fit(usize, bool),
    Picture(usize, usize, usize, bool),
    NoPicture(usize),
    Overlay(Option<(Rect, u8)>),
    Background(bool),
}

const SMALL: Size = Size::new(192, 112);

fn rect() -> impl Strategy<Value = Rect> {
    (0_u32..80, 0_u32..48, 1_u32..60, 1_u32..40).prop_map(|(x, y, width, height)| {
        let (x, y) = (x * 2, y * 2);
        Rect { x, y, width: (width * 2).min(SMALL.width - x), height: (height * 2).min(SMALL.height - y) }
    })
}

fn change() -> impl Strategy<Value = Change> {
    let who = 0_usize..4;
    prop_oneof![
        (who.clone(), rect(), 0..3, 0_u32..20, prop::sample::select(vec![255_u8, 255, 128, 0]))
            .prop_map(|(n, rect, z, radius, opacity)| Change::Tile(n, rect, z, radius, opacity)),
        (who.clone(), any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(0_u32..8))
            .prop_map(|(n, a, b, c, d)| Change::Look(n, a, b, c, d)),
        (who.clone(), prop::option::of(0_u8..3)).prop_map(|(n, label)| Change::Label(n, label)),
        (who.clone(), any::<bool>()).prop_map(|(n, cover)| Change::Fit(n, cover)),
        (who.clone(), 1_usize..120, 1_usize..90, any::<bool>())
            .prop_map(|(n, w, h, full)| Change::Picture(n, w, h, full)),
        who.prop_map(Change::NoPicture),
        prop::option::of((rect(), 0_u8..3)).prop_map(Change::Overlay),
        any::<bool>().prop_map(Change::Background),
    ]
}

/// A picture of `size` whose alpha runs from left to right.
fn gradient(size: Size) -> Bitmap {
    let pixel = |n: u32| [(n % 251) as u8, 90, 200, (n % size.width * 255 / size.width) as u8];
    Bitmap::new(size, (0..size.width * size.height).flat_map(pixel).collect())
}

fn apply(scene: &mut Scene, pictures: &mut Pictures, change: Change, number: usize, stills: &[Bitmap; 2]) {
    match change {
        Change::Tile(n, rect, z, radius, opacity) => {
            let tile = &mut scene.tiles[n];
            (tile.rect, tile.z, tile.corner_radius, tile.opacity) = (rect, z, radius, opacity);
        }
        Change::Look(n, speaking, muted, stalled, border) => {
            let border = border.map(|width| Border { width: width * 2, colour: Rgb::new(200, 30, 60) });
            let tile = &mut scene.tiles[n];
            (tile.speaking, tile.muted, tile.stalled, tile.border) = (speaking, muted, stalled, border);
        }
        Change::Label(n, label) => scene.tiles[n].label = label.map(|label| format!("Žofie {label}").into()),
        Change::Fit(n, cover) => scene.tiles[n].fit = if cover { Fit::Cover } else { Fit::Contain },
        Change::Picture(n, width, height, full_range) => {
            let matrix = if number.is_multiple_of(3) { Matrix::Bt601 } else { Matrix::Bt709 };
            pictures
                .insert(scene.tiles[n].participant, VideoFrame { full_range, matrix, ..noise(width, height, number) });
        }
        Change::NoPicture(n) => drop(pictures.remove(&scene.tiles[n].participant)),
        Change::Overlay(overlay) => {
            let content = |kind| match kind {
                0 => OverlayContent::Picture(stills[0].clone()),
                kind => OverlayContent::Text {
                    text: format!("12:0{kind}").into(),
                    colour: Rgb::new(255, 255, 255),
                    panel: (kind == 1).then_some((Rgb::new(0, 0, 60), 150)),
                },
            };
            scene.overlays = overlay.into_iter().map(|(rect, kind)| Overlay { rect, content: content(kind) }).collect();
        }
        Change::Background(image) => scene.background.image = image.then(|| stills[1].clone()),
    }
}

/// Every sample of `after` that differs from `before` lies in a block that `after` says is damaged.
fn damage_tells_all(before: &[u8], after: &ComposedFrame) -> bool {
    let (width, luma) = (SMALL.width as usize, (SMALL.width * SMALL.height) as usize);
    before.iter().zip(&after.samples).enumerate().filter(|(_, (a, b))| a != b).all(|(at, _)| {
        let (x, y) = if at < luma {
            (at % width, at / width)
        } else {
            let at = (at - luma) % (luma / 4);
            (at % (width / 2) * 2, at / (width / 2) * 2)
        };
        after.damage.is_marked(x as u32 / DAMAGE_BLOCK, y as u32 / DAMAGE_BLOCK)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_overlaps_is_as_if_all_were_drawn(changes in prop::collection::vec(change(), 1..30)) {
        let (_, seated) = seated(SMALL, 4);
        let (mut scene, mut pictures) = ((*seated).clone(), Pictures::new());
        let stills = [gradient(Size::new(40, 30)), gradient(Size::new(64, 20))];
        let mut compositor = cpu_compositor(SMALL);
        let mut before = vec![0; from_scratch(&scene, &pictures).len()];
        for (number, change) in changes.into_iter().enumerate() {
            apply(&mut scene, &mut pictures, change.clone(), number, &stills);
            let frame = compose(&mut *compositor, &scene, &pictures);
            prop_assert!(frame.samples == from_scratch(&scene, &pictures), "after step {number}, {change:?}");
            prop_assert!(damage_tells_all(&before, &frame), "step {number}, {change:?}");
            before.clone_from(&frame.samples);
            compositor.pool().recycle(frame);
            let again = compose(&mut *compositor, &scene, &pictures);
            prop_assert!(again.damage.is_none() && again.samples == before, "a tick without change, {change:?}");
            compositor.pool().recycle(again);
        }
    }
}
