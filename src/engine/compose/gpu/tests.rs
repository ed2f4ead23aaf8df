//! Does a GPU draw what the processor draws? On Mesa's llvmpipe, which `make setup` installs (mesa-vulkan-drivers), or
//! on the adapter that `TESSERA_ADAPTER` names.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;

use super::*;
use crate::base::limits;
use crate::base::media::{Bitmap, Matrix, ParticipantId, Picture, PlaneRef, TrackId, TrackKind, VideoFrame};
use crate::core::scene::{
    Background, Border, Fit, Identity, Overlay, OverlayContent, Rect, Rgb, Tile, TilePicture, colour_of, initials_of,
};
use crate::engine::compose::cpu_compositor;
use crate::engine::compose::draw::{Mask, Paint, Shared};

struct Planes {
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
}

impl Picture for Planes {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.planes[index], stride: self.strides[index] }
    }
}

type Pictures = BTreeMap<TrackId, VideoFrame>;

/// One device for all tests that do not destroy theirs.
fn device() -> Arc<Device> {
    static SHARED: OnceLock<Arc<Device>> = OnceLock::new();
    SHARED.get_or_init(fresh_device).clone()
}

fn fresh_device() -> Arc<Device> {
    let name = std::env::var("TESSERA_ADAPTER").unwrap_or_else(|_| "llvmpipe".into());
    Arc::new(Device::open(Wanted::Named(&name)).expect("make setup installs mesa-vulkan-drivers"))
}

/// A picture of smooth waves and some noise; rows are `padding` bytes apart beyond their width, as a decoder's are.
fn picture(width: u32, height: u32, seed: u32, padding: usize, full_range: bool) -> VideoFrame {
    let extent = |index: usize, side: u32| if index == 0 { side as usize } else { side.div_ceil(2) as usize };
    let strides = [0, 1, 2].map(|index| extent(index, width) + padding);
    let sample = |index: usize, at: usize| {
        let (x, y) = (at % strides[index], at / strides[index]);
        let noise = (at as u32 ^ seed).wrapping_mul(0x9e37_79b9) >> 27;
        let wave = (x * (3 + index) + y * 5 + seed as usize * 11) % 230;
        u8::try_from(wave).expect("below 230").saturating_add(u8::try_from(noise).expect("5 bits"))
    };
    let planes = [0, 1, 2].map(|index| {
        let rows = extent(index, height);
        // The last row ends with its samples, as a decoder may hand it out.
        (0..strides[index] * (rows - 1) + extent(index, width)).map(|at| sample(index, at)).collect::<Vec<u8>>()
    });
    let owner = Arc::new(Planes { planes, strides });
    VideoFrame { size: Size::new(width, height), full_range, matrix: Matrix::default(), arrival: None, picture: owner }
}

fn bitmap(width: u32, height: u32, seed: u32) -> Bitmap {
    let byte = |at: u32| u8::try_from((at ^ seed).wrapping_mul(0x85eb_ca6b) >> 24).expect("8 bits");
    Bitmap::new(Size::new(width, height), (0..width * height * 4).map(byte).collect())
}

fn tile(id: u64, rect: Rect) -> Tile {
    let participant = ParticipantId(id);
    let identity =
        Identity { initials: initials_of("Ada Lovelace").into(), colour: colour_of(participant), avatar: None };
    Tile {
        participant,
        rect,
        z: 0,
        picture: TilePicture::Camera,
        fit: Fit::Contain,
        corner_radius: 0,
        border: None,
        opacity: 255,
        identity,
        label: None,
        speaking: false,
        muted: false,
        stalled: false,
    }
}

fn scene(canvas: Size, tiles: Vec<Tile>) -> Scene {
    let background = Background { colour: Rgb::new(20, 22, 27), image: None };
    Scene { canvas, background, tiles, overlays: Vec::new() }
}

fn camera(id: u64) -> TrackId {
    TrackId { participant: ParticipantId(id), kind: TrackKind::Camera }
}

/// Both twins draw one tick; every sample differs by 1 at most, and they agree on the damage.
fn compare(gpu: &mut dyn Compositor, cpu: &mut dyn Compositor, scene: &Scene, pictures: &Pictures) {
    let drawn = gpu.compose(scene, pictures, Pts(5));
    let expected = cpu.compose(scene, pictures, Pts(5));
    assert_eq!(gpu.name(), NAME, "the device held");
    assert_eq!((drawn.size, drawn.pts), (expected.size, expected.pts));
    assert_eq!(drawn.damage, expected.damage);
    let far = drawn.samples.iter().zip(&expected.samples).position(|(a, b)| a.abs_diff(*b) > 1);
    if let Some(at) = far {
        let (width, luma) = (scene.canvas.width as usize, (scene.canvas.width * scene.canvas.height) as usize);
        let (plane, at_plane, width) = if at < luma { (0, at, width) } else { (1, at - luma, width / 2) };
        let (x, y) = (at_plane % width, at_plane / width);
        panic!("plane {plane} at {x},{y}: gpu {}, cpu {}", drawn.samples[at], expected.samples[at]);
    }
    gpu.pool().recycle(drawn);
    cpu.pool().recycle(expected);
}

/// A number that was drawn for a canvas of 1024, brought inside one of `extent`, even.
fn even_within(drawn: u32, extent: u32) -> u32 {
    (drawn * extent / 1024) & !1
}

fn rect_in(canvas: Size, (x, y, width, height): (u32, u32, u32, u32)) -> Rect {
    let (x, y) = (even_within(x, canvas.width - 2), even_within(y, canvas.height - 2));
    let (width, height) = (even_within(width, canvas.width - x).max(2), even_within(height, canvas.height - y).max(2));
    Rect { x, y, width, height }
}

fn corners() -> impl Strategy<Value = (u32, u32, u32, u32)> {
    (0..1024_u32, 0..1024_u32, 0..1024_u32, 0..1024_u32)
}

fn any_tile() -> impl Strategy<Value = (Tile, (u32, u32, u32, u32))> {
    let [camera, screen, empty] = [TilePicture::Camera, TilePicture::Screen, TilePicture::Placeholder].map(Just);
    let kind = prop_oneof![5 => camera, 1 => screen, 1 => empty];
    let border = prop::option::weighted(0.3, (1..4_u32, any::<[u8; 3]>()));
    let opacity = prop_oneof![3 => Just(255_u8), 1 => any::<u8>()];
    let label = prop::option::weighted(0.4, prop::sample::select(vec!["Ada", "Žofie Кот", "長い名前", ""]));
    let avatar = prop::option::weighted(0.2, (1..40_u32, 1..40_u32, any::<u32>()));
    let looks = (kind, any::<bool>(), 0..30_u32, border, opacity, label, avatar, any::<[bool; 3]>());
    (0..6_u64, corners(), -2..3_i32, looks).prop_map(|(id, corners, z, looks)| {
        let (picture, cover, corner_radius, border, opacity, label, avatar, [speaking, muted, stalled]) = looks;
        let mut tile = tile(id, Rect { x: 0, y: 0, width: 2, height: 2 });
        tile.identity.avatar = avatar.map(|(width, height, seed)| bitmap(width, height, seed));
        let fit = if cover { Fit::Cover } else { Fit::Contain };
        let line = |(width, [red, green, blue]): (u32, [u8; 3])| Border {
            width: width * 2,
            colour: Rgb::new(red, green, blue),
        };
        let border = border.map(line);
        let label = label.map(Arc::from);
        (Tile { z, picture, fit, corner_radius, border, opacity, label, speaking, muted, stalled, ..tile }, corners)
    })
}

fn any_overlay() -> impl Strategy<Value = (OverlayContent, (u32, u32, u32, u32))> {
    let picture =
        (1..90_u32, 1..60_u32, any::<u32>()).prop_map(|(w, h, seed)| OverlayContent::Picture(bitmap(w, h, seed)));
    let text = (any::<[u8; 3]>(), prop::option::of((any::<[u8; 3]>(), any::<u8>()))).prop_map(|([r, g, b], panel)| {
        let panel = panel.map(|([r, g, b], opacity)| (Rgb::new(r, g, b), opacity));
        OverlayContent::Text { text: "12:07 नमस्ते".into(), colour: Rgb::new(r, g, b), panel }
    });
    (prop_oneof![picture, text], corners())
}

fn any_scene(canvas: Size) -> impl Strategy<Value = Scene> {
    let tiles = prop::collection::vec(any_tile(), 0..9);
    let overlays = prop::collection::vec(any_overlay(), 0..3);
    let image = prop::option::weighted(0.3, (1..50_u32, 1..50_u32, any::<u32>()));
    (any::<[u8; 3]>(), image, tiles, overlays).prop_map(move |([red, green, blue], image, tiles, overlays)| {
        let image = image.map(|(width, height, seed)| bitmap(width, height, seed));
        let place = |(tile, corners)| Tile { rect: rect_in(canvas, corners), ..tile };
        let over = |(content, corners)| Overlay { rect: rect_in(canvas, corners), content };
        Scene {
            canvas,
            background: Background { colour: Rgb::new(red, green, blue), image },
            tiles: tiles.into_iter().map(place).collect(),
            overlays: overlays.into_iter().map(over).collect(),
        }
    })
}

/// Whose picture changes to which size.
#[derive(Debug, Clone)]
struct Fresh {
    id: u64,
    screen: bool,
    size: Option<(u32, u32)>,
    padding: usize,
    full_range: bool,
    matrix: Matrix,
}

fn any_fresh() -> impl Strategy<Value = Fresh> {
    // llvmpipe ends the loops of an invocation after 65,535 turns altogether: a larger picture of another matrix in a
    // tile of 2 x 2 takes more.
    let size = prop::option::weighted(0.9, (1..150_u32, 1..100_u32));
    (0..6_u64, any::<bool>(), size, 0..70_usize, any::<bool>(), any::<bool>()).prop_map(
        |(id, screen, size, padding, full_range, other)| {
            let matrix = if other { Matrix::Bt709 } else { Matrix::CANVAS };
            Fresh { id, screen, size, padding, full_range, matrix }
        },
    )
}

/// Ticks: sometimes a new scene, always some new pictures.
fn any_ticks() -> impl Strategy<Value = Vec<(Option<Scene>, Vec<Fresh>)>> {
    (8..180_u32, 8..120_u32).prop_flat_map(|(width, height)| {
        let canvas = Size::new(width * 2, height * 2);
        let first = (any_scene(canvas).prop_map(Some), prop::collection::vec(any_fresh(), 0..9));
        let later = (prop::option::of(any_scene(canvas)), prop::collection::vec(any_fresh(), 0..4));
        (first, prop::collection::vec(later, 0..5)).prop_map(|(first, mut later)| {
            later.insert(0, first);
            later
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn both_twins_draw_any_scene_alike(ticks in any_ticks()) {
        let mut now = ticks[0].0.clone().expect("the first tick has a scene");
        let (mut gpu, mut cpu) = (compositor(device(), now.canvas), cpu_compositor(now.canvas));
        let mut pictures = Pictures::new();
        for (number, (scene, fresh)) in ticks.into_iter().enumerate() {
            now = scene.unwrap_or(now);
            for Fresh { id, screen, size, padding, full_range, matrix } in fresh {
                let kind = if screen { TrackKind::Screen } else { TrackKind::Camera };
                let track = TrackId { participant: ParticipantId(id), kind };
                let seed = u32::try_from(number).expect("a few ticks") * 31 + 7;
                match size {
                    Some((width, height)) => {
                        let frame = VideoFrame { matrix, ..picture(width, height, seed, padding, full_range) };
                        drop(pictures.insert(track, frame));
                    }
                    None => drop(pictures.remove(&track)),
                }
            }
            compare(&mut *gpu, &mut *cpu, &now, &pictures);
        }
    }
}

/// What any operation may look like but for a picture, in numbers.
type Looks = ((u32, u32, u32, u32), [u8; 3], u8, bool, bool, u32);

fn operation(canvas: Size, (corners, colour, opacity, still, masked, seed): Looks) -> Operation {
    let rect = rect_in(canvas, corners);
    let luma = (rect.width * rect.height) as usize;
    let noise = |at: usize| u8::try_from((at as u32 ^ seed).wrapping_mul(0x9e37_79b9) >> 24).expect("8 bits");
    // Many samples wholly covered or not at all, as a mask has.
    let cover = |at: usize| noise(at).saturating_sub(60).saturating_mul(2);
    let plane = |length: usize| (0..length).map(cover).collect();
    let mask = masked.then(|| Shared(Arc::new(Mask { luma: plane(luma), chroma: plane(luma / 4) })));
    let paint = if still {
        Paint::Still(Shared(Arc::new((0..luma * 3 / 2).map(noise).collect())))
    } else {
        Paint::Flat(colour)
    };
    Operation { rect, paint, opacity, mask }
}

/// What `place.wgsl` and `label.wgsl` say, said once more.
fn draw_plainly(canvas: Size, samples: &mut [u8], operation: &Operation) {
    let luma = (canvas.width * canvas.height) as usize;
    let Operation { rect, paint, opacity, mask } = operation;
    for (plane, start, shrink) in [(0, 0, 1), (1, luma, 2), (2, luma + luma / 4, 2)] {
        let (width, height) = ((rect.width / shrink) as usize, (rect.height / shrink) as usize);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let at = start + (y + (rect.y / shrink) as usize) * (canvas.width / shrink) as usize;
            let under = &mut samples[at + x + (rect.x / shrink) as usize];
            let inside = y * width + x;
            let cover = mask.as_ref().map_or(255, |m| u32::from([&m.0.luma, &m.0.chroma][plane.min(1)][inside]));
            let cover = (cover * u32::from(*opacity) + 127) / 255;
            let area = (rect.width * rect.height) as usize;
            let over = match paint {
                Paint::Flat(colour) => colour[plane],
                Paint::Still(samples) => samples.0[[0, area, area + area / 4][plane] + inside],
                Paint::Picture { .. } => unreachable!("pictures have their own test"),
            };
            let mixed = (u32::from(*under) * (255 - cover) + u32::from(over) * cover + 127) / 255;
            *under = u8::try_from(mixed).expect("a mean of bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn masks_stills_and_opacities_land_in_their_order(
        (width, height) in (1..60_u32, 1..40_u32),
        ticks in prop::collection::vec(
            prop::collection::vec(
                (corners(), any::<[u8; 3]>(), any::<u8>(), any::<bool>(), any::<bool>(), any::<u32>()), 0..6,
            ),
            1..4,
        ),
    ) {
        let canvas = Size::new(width * 2, height * 2);
        let whole = Rect { x: 0, y: 0, width: canvas.width, height: canvas.height };
        let mut easel = Easel::new(device(), canvas);
        let mut expected = vec![0; (canvas.width * canvas.height * 3 / 2) as usize];
        let clear = Operation { rect: whole, paint: Paint::Flat([9, 8, 7]), opacity: 255, mask: None };
        let mut list = vec![clear];
        for tick in ticks {
            list.extend(tick.into_iter().map(|looks| operation(canvas, looks)));
            list.iter().for_each(|operation| draw_plainly(canvas, &mut expected, operation));
            let damage = if list.is_empty() { Damage::none(canvas) } else { Damage::full(canvas) };
            prop_assert!(easel.ready().is_ok() && easel.draw(Pts(1), &list, &damage).is_ok());
            easel.wait();
            let frame = easel.finished(&FramePool::default()).expect("it was waited for");
            prop_assert!(frame.samples == expected, "{canvas:?}");
            list.clear();
        }
    }
}

/// Four tiles that fill the canvas.
fn quarters(canvas: Size) -> Scene {
    let (width, height) = (canvas.width / 2, canvas.height / 2);
    let rect = |id: u32| Rect { x: id % 2 * width, y: id / 2 * height, width, height };
    scene(canvas, (0..4).map(|id| tile(u64::from(id), rect(id))).collect())
}

fn four_pictures(seed: u32) -> Pictures {
    (0..4).map(|id| (camera(u64::from(id)), picture(320, 180, seed + id, 0, false))).collect()
}

#[test]
fn only_changed_pictures_are_uploaded() {
    let scene = quarters(Size::new(256, 144));
    let mut gpu = GpuCompositor::new(device(), scene.canvas);
    let mut pictures = four_pictures(1);
    let first = gpu.compose(&scene, &pictures, Pts(0));
    let picture_len = 320 * 180 * 3 / 2;
    assert_eq!(gpu.uploaded(), 4 * picture_len);
    pictures.insert(camera(2), picture(320, 180, 77, 0, false));
    let second = gpu.compose(&scene, &pictures, Pts(1));
    assert_eq!(gpu.uploaded(), 5 * picture_len);
    let third = gpu.compose(&scene, &pictures, Pts(2));
    assert_eq!(gpu.uploaded(), 5 * picture_len);
    assert!(third.damage.is_none() && third.samples == second.samples && second.samples != first.samples);
}

#[test]
fn pictures_come_back_in_the_order_of_their_ticks_and_no_more_than_three_wait() {
    let scene = quarters(Size::new(256, 144));
    let (mut gpu, mut cpu) = (compositor(device(), scene.canvas), cpu_compositor(scene.canvas));
    let sets: Vec<Pictures> = (0..4).map(|n| four_pictures(n * 10)).collect();
    let most = u64::try_from(limits::GPU_TICKS_MAX).unwrap();
    for number in 0..most {
        assert!(gpu.begin(&scene, &sets[number as usize], Pts(number)), "there is room for {number}");
    }
    assert_eq!(gpu.in_flight(), limits::GPU_TICKS_MAX);
    assert!(!gpu.begin(&scene, &sets[3], Pts(99)), "a fourth one is skipped, nothing waits");
    for number in 0..most {
        let frame = finish(&mut *gpu);
        assert_eq!(frame.pts, Pts(number));
        assert!(frame.samples == cpu.compose(&scene, &sets[number as usize], Pts(number)).samples, "tick {number}");
    }
    assert_eq!(gpu.in_flight(), 0);
    // The skipped tick's pictures are part of the next one.
    compare(&mut *gpu, &mut *cpu, &scene, &sets[3]);
}

fn finish(compositor: &mut dyn Compositor) -> ComposedFrame {
    loop {
        if let Some(frame) = compositor.finished() {
            return frame;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_room_that_ends_with_ticks_in_flight_takes_nothing_from_the_others() {
    let scene = quarters(Size::new(256, 144));
    let device = fresh_device();
    let (mut ends, mut stays) = (compositor(device.clone(), scene.canvas), compositor(device.clone(), scene.canvas));
    let mut cpu = cpu_compositor(scene.canvas);
    compare(&mut *stays, &mut *cpu, &scene, &four_pictures(1));
    for number in 0..2 {
        assert!(ends.begin(&scene, &four_pictures(number), Pts(0)));
    }
    drop(ends);
    device.wait();
    assert_eq!(device.loss().reason(), None);
    compare(&mut *stays, &mut *cpu, &scene, &four_pictures(9));
}

#[test]
fn a_lost_device_costs_the_ticks_in_flight_and_no_more() {
    let scene = quarters(Size::new(256, 144));
    let device = fresh_device();
    let mut gpu = compositor(device.clone(), scene.canvas);
    let held = gpu.compose(&scene, &four_pictures(1), Pts(0));
    assert!(gpu.begin(&scene, &four_pictures(2), Pts(1)));
    device.destroy();
    let next = four_pictures(3);
    assert!(gpu.begin(&scene, &next, Pts(2)), "the very next tick is drawn");
    let mut frames: Vec<ComposedFrame> = std::iter::from_fn(|| gpu.finished()).collect();
    let after = frames.pop().expect("the processor's picture is there at once");
    let expected = cpu_compositor(scene.canvas).compose(&scene, &next, Pts(2));
    assert_eq!((gpu.name(), after.pts), ("cpu", Pts(2)));
    assert!(after.samples == expected.samples && after.samples != held.samples);
    assert_eq!(after.damage, Damage::full(scene.canvas), "nobody knows what the lost ticks showed");
    let loss = gpu.loss().expect("it says so");
    assert_eq!(loss.ticks + frames.len() as u64, 1, "the tick in flight came back or is counted");
    assert!(!loss.reason.is_empty());
    assert_eq!((gpu.loss(), gpu.in_flight()), (None, 0), "once");
    let compositors = crate::engine::compose::Compositors::on(device);
    assert_eq!(compositors.make(scene.canvas).name(), "cpu", "later rooms do not try again");
}
