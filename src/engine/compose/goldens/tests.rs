//! **The question:** does every layout still look as it did when somebody last looked at it?
//!
//! The pictures lie in `tests/goldens/`, one for each layout and number of people. After a change that is meant to be
//! seen, renew them with `TESSERA_GOLDENS=renew cargo test --release --lib compose::goldens`, look at them, and commit
//! them with the change. `TESSERA_GOLDENS=show` compares nothing: it paints them on 1280x720, with the machine's fonts
//! and names in many scripts, into the folder for temporary files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::base::media::{
    Bitmap, ComposedFrame, Matrix, Outbox, ParticipantId, Picture, PlaneRef, Pts, Size, TrackId, TrackKind, VideoFrame,
};
use crate::core::scene::{Input, Layout, Rgb, Scene, SceneCore};
use crate::engine::compose::colour::Yuv;
use crate::engine::compose::cpu::with_own_font;
use crate::engine::compose::gpu::{self, Device, Wanted};
use crate::engine::compose::overlays::{PictureUse, read_picture};
use crate::engine::compose::{Compositor, cpu_compositor};

const CANVAS: Size = Size::new(416, 234);
/// The canvas of those that somebody looks at.
const CANVAS_SHOWN: Size = Size::new(1280, 720);
const COUNTS: [u64; 9] = [1, 2, 3, 5, 9, 16, 25, 49, 100];
/// A golden is no larger than this, so that a checkout stays small.
const GOLDEN_LEN_MAX: u64 = 64 * 1024;
/// How far a channel may be off; masks and letters are drawn with real numbers, which other processors may round
/// another way.
const DIFFERENCE_MAX: u8 = 1;

const LAYOUTS: [(&str, &str); 6] = [
    ("grid", r#"{"layout": "grid", "corner_radius": 0.06}"#),
    ("speaker", r#"{"layout": "speaker", "corner_radius": 0.05}"#),
    ("presentation", r#"{"layout": "presentation", "corner_radius": 0.03}"#),
    ("pip", r#"{"layout": "pip"}"#),
    ("single", r#"{"layout": "single"}"#),
    (
        "custom",
        r##"{"layout": "custom", "regions": [
            {"show": "speaker", "rect": {"x": 0, "y": 0, "width": 1, "height": 1}, "fit": "cover"},
            {"show": {"seat": 1}, "rect": {"x": 0.04, "y": 0.55, "width": 0.2, "height": 0.36}, "z": 2,
             "corner_radius": 0.5, "fit": "cover", "border": {"width": 0.012, "colour": "#ffffff"}},
            {"show": {"seat": 2}, "rect": {"x": 0.62, "y": 0.5, "width": 0.34, "height": 0.42}, "z": 1,
             "corner_radius": 0.1, "border": {"width": 0.008, "colour": "#ffb454"}, "opacity": 0.85},
            {"show": {"seat": 3}, "rect": {"x": 0.5, "y": 0.3, "width": 0.24, "height": 0.32}, "z": 3, "opacity": 0.6}
        ]}"##,
    ),
];

const NAMES: [&str; 8] = [
    "Ada Lovelace",
    "Žofie Nováková",
    "Ольга Петрова",
    "Νίκος Παππάς",
    "Bo",
    "Maximiliane von Habsburg",
    "Łukasz",
    "Ines",
];

/// For anyone who looks at them large.
const NAMES_SHOWN: [&str; 8] = [
    "Ada Lovelace",
    "Žofie Nováková",
    "प्रिया शर्मा",
    "محمد علي",
    "王小明",
    "Maximiliane von Habsburg",
    "Zoë 👩🏽‍🚀 🎉",
    "สมชาย ใจดี",
];

struct Planes([Vec<u8>; 3], usize);

impl Picture for Planes {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.0[index], stride: if index == 0 { self.1 } else { self.1.div_ceil(2) } }
    }
}

/// A picture of `size`, painted by colours.
fn painted(size: Size, paint: impl Fn(f64, f64) -> Rgb) -> VideoFrame {
    let at = |x: u32, y: u32| {
        let point = ((f64::from(x) + 0.5) / f64::from(size.width), (f64::from(y) + 0.5) / f64::from(size.height));
        Yuv::from(paint(point.0, point.1)).samples()
    };
    let plane = |index: usize, step: usize| -> Vec<u8> {
        let row = |y: u32| (0..size.width).step_by(step).map(move |x| (x, y));
        (0..size.height).step_by(step).flat_map(row).map(|(x, y)| at(x, y)[index]).collect()
    };
    let picture = Arc::new(Planes([plane(0, 1), plane(1, 2), plane(2, 2)], size.width as usize));
    VideoFrame { size, full_range: false, matrix: Matrix::CANVAS, arrival: None, picture }
}

/// Head and shoulders before a wall of a colour of their own, seen by a camera of `size`.
fn person(size: Size, number: u64) -> VideoFrame {
    let wave = |phase: u64| (((number * 7 + phase) % 16) as f64 / 16.0 * std::f64::consts::TAU).sin();
    let shade = |base: f64, phase: u64, light: f64| ((base + 34.0 * wave(phase)) * light).clamp(0.0, 255.0) as u8;
    let skin =
        [Rgb::new(0xe8, 0xbf, 0x9c), Rgb::new(0x8d, 0x5a, 0x3a), Rgb::new(0xc6, 0x90, 0x68)][number as usize % 3];
    let aspect = f64::from(size.width) / f64::from(size.height);
    painted(size, |x, y| {
        let (dx, dy) = ((x - 0.5) * aspect, y);
        if dx.hypot((dy - 0.42) * 0.85) < 0.17 {
            skin
        } else if (dx / 0.36).hypot((dy - 1.02) / 0.36) < 1.0 {
            Rgb::new(shade(70.0, 9, 1.0), shade(80.0, 2, 1.0), shade(110.0, 5, 1.0))
        } else {
            // A few broad steps instead of a gradient: small files.
            let light = 1.0 - (y * 6.0).floor() * 0.05;
            Rgb::new(shade(150.0, 0, light), shade(158.0, 5, light), shade(165.0, 11, light))
        }
    })
}

/// A shared document: lines of words on white.
fn document() -> VideoFrame {
    painted(Size::new(1280, 800), |x, y| {
        let (line, word) = ((y * 20.0) as i32, (x * 16.0) as i32);
        let inked = (0.1..0.9).contains(&x) && (2..18).contains(&line) && (y * 20.0).fract() > 0.55;
        match (inked, line) {
            (true, 2) if x < 0.5 => Rgb::new(0x1a, 0x4f, 0x9c),
            (true, 3..) if (word * 5 + line * 3) % 7 != 0 && line % 5 != 0 => Rgb::new(0x30, 0x30, 0x34),
            _ => Rgb::new(0xfb, 0xfb, 0xf8),
        }
    })
}

/// A white ring with an amber heart, clear around.
fn logo() -> Bitmap {
    let pixel = |at: u32| {
        let (x, y) = (f64::from(at % 96) - 47.5, f64::from(at / 96) - 47.5);
        match x.hypot(y) {
            0.0..22.0 => [0xff, 0xb4, 0x54, 0xff],
            30.0..44.0 => [0xff; 4],
            _ => [0; 4],
        }
    };
    Bitmap::new(Size::new(96, 96), (0..96 * 96).flat_map(pixel).collect())
}

/// A room of `count` people in `layout`: every fourth without a camera, some speaking, some muted, some with cameras of
/// other shapes.
fn room(layout: &str, count: u64, canvas: Size, names: &[&str]) -> (Arc<Scene>, BTreeMap<TrackId, VideoFrame>) {
    let layout = Layout::parse(layout).expect("a valid document");
    let (now, mut out) = (Instant::now(), Outbox::new());
    let mut core = SceneCore::with_layout(canvas, layout.clone());
    let mut pictures = BTreeMap::new();
    let mut tell = |input| core.handle(now, input, &mut out);
    tell(Input::Labels(true));
    for id in 0..count {
        let participant = ParticipantId(id);
        tell(Input::Joined { participant, name: names[id as usize % names.len()].into() });
        tell(Input::Muted { participant, muted: id % 3 == 1 });
        tell(Input::Speaking { participant, speaking: id % 6 == 2 });
        if id % 4 != 3 {
            let size =
                [Size::new(320, 180), Size::new(320, 240), Size::new(180, 320)][[0, 0, 1, 0, 0, 2][id as usize % 6]];
            let track = TrackId { participant, kind: TrackKind::Camera };
            tell(Input::Shape { track, size });
            tell(Input::CameraFrame { participant });
            pictures.insert(track, person(size, id));
        }
    }
    if layout.name() == crate::core::scene::LayoutName::Presentation {
        let participant = ParticipantId(0);
        let track = TrackId { participant, kind: TrackKind::Screen };
        let frame = document();
        tell(Input::Shape { track, size: frame.size });
        tell(Input::ScreenFrame { participant });
        pictures.insert(track, frame);
    }
    tell(Input::Dominant { participant: Some(ParticipantId(2 % count)) });
    if layout.name() == crate::core::scene::LayoutName::Speaker {
        tell(Input::Banner("Quarterly review".into()));
        tell(Input::Clock("12:05 UTC".into()));
        tell(Input::Logo(Some(logo())));
    }
    (core.scene(), pictures)
}

/// What is seen once everything that is drawn over several ticks is drawn.
fn settled(
    mut compositor: Box<dyn Compositor>,
    scene: &Scene,
    pictures: &BTreeMap<TrackId, VideoFrame>,
) -> ComposedFrame {
    let mut frame = compositor.compose(scene, pictures, Pts(0));
    for _ in 0..64 {
        let next = compositor.compose(scene, pictures, Pts(0));
        compositor.pool().recycle(std::mem::replace(&mut frame, next));
    }
    assert!(frame.damage.is_none(), "a scene that does not change comes to rest");
    frame
}

/// As a screen shows it, each chroma sample over its four pixels.
fn shown(frame: &ComposedFrame) -> Bitmap {
    let planes = frame.planes();
    let pixel = |(x, y): (u32, u32)| {
        let at = |index: usize, step: u32| {
            f64::from(planes[index].data[(y / step) as usize * planes[index].stride + (x / step) as usize])
        };
        let luma = (at(0, 1) - 16.0) / 219.0;
        let [kr, kg, kb] = Matrix::CANVAS.weights();
        let (blue, red) = ((at(1, 2) - 128.0) / 112.0 * (1.0 - kb), (at(2, 2) - 128.0) / 112.0 * (1.0 - kr));
        let green = -(kb * blue + kr * red) / kg;
        let [red, green, blue] =
            [luma + red, luma + green, luma + blue].map(|part| (part * 255.0).round().clamp(0.0, 255.0) as u8);
        [red, green, blue, u8::MAX]
    };
    let pixels = (0..frame.size.height).flat_map(|y| (0..frame.size.width).map(move |x| (x, y)));
    Bitmap::new(frame.size, pixels.flat_map(pixel).collect())
}

/// The largest difference of any channel; `None` if the sizes differ.
fn difference(got: &Bitmap, want: &Bitmap) -> Option<u8> {
    let off = |(got, want): (&u8, &u8)| got.abs_diff(*want);
    (got.size() == want.size()).then(|| got.rgba().iter().zip(want.rgba()).map(off).max().unwrap_or(0))
}

fn check(name: &str) {
    let (_, layout) = LAYOUTS.iter().find(|(known, _)| *known == name).expect("a layout");
    let mode = std::env::var("TESSERA_GOLDENS").unwrap_or_default();
    if mode == "show" {
        return show(name, layout);
    }
    let device = Arc::new(Device::open(Wanted::Named("llvmpipe")).expect("make setup installs mesa-vulkan-drivers"));
    let mut complaints = String::new();
    for count in COUNTS {
        let (scene, pictures) = room(layout, count, CANVAS, &NAMES);
        let drawn = settled(with_own_font(CANVAS), &scene, &pictures);
        let twin = settled(gpu::with_own_font(device.clone(), CANVAS), &scene, &pictures);
        let far = drawn.samples.iter().zip(&twin.samples).map(|(a, b)| a.abs_diff(*b)).max();
        if far > Some(DIFFERENCE_MAX) {
            let _ = writeln!(complaints, "{name} of {count}: the GPU's differs by {far:?}");
        }
        let got = shown(&drawn);
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests/goldens", &format!("{name}-{count}.png")].iter().collect();
        if mode == "renew" {
            save(&got, &path);
        }
        let len = std::fs::metadata(&path).map_or(0, |file| file.len());
        let want = std::fs::read(&path).ok().and_then(|file| read_picture(&file, PictureUse::Background(CANVAS)).ok());
        let off = want.and_then(|want| difference(&got, &want));
        if len > GOLDEN_LEN_MAX || off.is_none_or(|off| off > DIFFERENCE_MAX) {
            let seen = std::env::temp_dir().join(format!("tessera-{name}-{count}.png"));
            save(&got, &seen);
            let _ =
                writeln!(complaints, "{name} of {count}: off by {off:?}, {len} bytes; now it is {}", seen.display());
        }
    }
    assert!(complaints.is_empty(), "{complaints}If this is meant, renew them: see the head of {}", file!());
}

/// Paints them large for somebody to look at.
fn show(name: &str, layout: &str) {
    crate::engine::compose::overlays::load_fonts();
    for count in COUNTS {
        let (scene, pictures) = room(layout, count, CANVAS_SHOWN, &NAMES_SHOWN);
        let picture = shown(&settled(cpu_compositor(CANVAS_SHOWN), &scene, &pictures));
        save(&picture, &std::env::temp_dir().join(format!("tessera-{name}-{count}.png")));
    }
}

fn save(picture: &Bitmap, path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for goldens");
    let file = std::fs::File::create(path).expect("a golden is written");
    let mut encoder = png::Encoder::new(file, picture.size().width, picture.size().height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::Adaptive);
    let rgb: Vec<u8> = picture.rgba().chunks_exact(4).flat_map(|pixel| &pixel[..3]).copied().collect();
    let mut writer = encoder.write_header().expect("a golden is written");
    writer.write_image_data(&rgb).expect("a golden is written");
}

#[test]
fn grid_looks_as_it_did() {
    check("grid");
}

#[test]
fn speaker_looks_as_it_did() {
    check("speaker");
}

#[test]
fn presentation_looks_as_it_did() {
    check("presentation");
}

#[test]
fn pip_looks_as_it_did() {
    check("pip");
}

#[test]
fn single_looks_as_it_did() {
    check("single");
}

#[test]
fn custom_looks_as_it_did() {
    check("custom");
}
