//! **The question:** do stills come out as they should? With the fonts that lie embedded, and with those of the system
//! where there are any.

use super::*;
use crate::base::media::ParticipantId;
use crate::core::scene::{colour_of, initials_of};

/// One name a script, with a character by which to know whether a font for it is installed.
const NAMES: [(&str, char); 11] = [
    ("Ada Lovelace", 'A'),
    ("Łukasz Żółć-Ångström", 'Ł'),
    ("Ольга Жукова", 'О'),
    ("Ολυμπία Νικολάου", 'Ο'),
    ("प्रिया शर्मा", 'प'),
    ("محمد علي", 'م'),
    ("שרה לוי", 'ש'),
    ("王小明", '王'),
    ("佐藤さくら", 'さ'),
    ("สมชาย ใจดี", 'ส'),
    ("Zoë 👩🏽‍🚀 🎉", '🎉'),
];

fn pen() -> Pen {
    load_fonts();
    Pen::new().expect("the fonts are read")
}

/// How many pixels of `bitmap` are nearly white.
fn white(bitmap: &Bitmap) -> usize {
    bitmap.rgba().chunks_exact(4).filter(|p| p[..3].iter().all(|v| *v > 200) && p[3] > 200).count()
}

#[test]
fn every_script_is_drawn_without_boxes() {
    let mut pen = pen();
    for (name, probe) in NAMES {
        assert!(pen.faces().covers(probe), "no font for {name}: make setup installs them");
        let line = pen.shape(name, 20.0, 1000.0);
        assert_eq!(Pen::missing(&line), 0, "{name} has boxes");
        assert!(line.width > 30.0, "{name} is {} wide", line.width);
    }
}

#[test]
fn our_own_font_draws_alone_and_tells_what_it_lacks() {
    let faces = fonts::Faces::choose(cosmic_text::fontdb::Database::new());
    assert!(faces.covers('Ж') && !faces.covers('王'));
    let runs = faces.runs("Ada 王小明 Ж");
    let text: String = runs.iter().map(|(run, _)| run.as_str()).collect();
    assert_eq!(text, "Ada ? Ж", "one sign for a run of unknown characters");
    let family: String = faces.runs("Zoë 👩🏽‍🚀").iter().map(|(run, _)| run.as_str()).collect();
    assert_eq!(family, "Zoë ?", "joined signs go with the unknown one before them");
}

#[test]
fn emoji_keep_their_colours() {
    let mut pen = pen();
    assert!(pen.faces().covers('🎉'), "no emoji font: make setup installs one");
    let mut sheet = Sheet::new(Size::new(64, 40));
    let line = pen.shape("🎉", 24.0, 60.0);
    pen.write(&line, &mut sheet, 4.0, 28.0, WHITE);
    let bitmap = sheet.into_bitmap();
    let coloured = bitmap.rgba().chunks_exact(4).filter(|p| p[3] > 128 && p[0].abs_diff(p[2]) > 60).count();
    assert!(coloured > 40, "{coloured} coloured pixels");
}

#[test]
fn a_long_name_ends_in_an_ellipsis_inside_its_tile() {
    let mut pen = pen();
    for width in [40.0, 90.0, 200.0] {
        for name in ["Wolfeschlegelsteinhausenbergerdorff Senior", "محمد علي محمد علي محمد علي محمد علي محمد علي"]
        {
            let line = pen.shape(name, 16.0, width);
            assert!(line.width <= width + 0.5, "{name} is {} wide in {width}", line.width);
            assert!(line.width > width * 0.5, "{name} is {} wide in {width}", line.width);
        }
    }
}

#[test]
fn a_name_of_ten_kilobytes_and_one_of_controls_are_bounded() {
    // While another test loads them, no words are drawn.
    load_fonts();
    let mut ink = Ink::new();
    let tile = Size::new(320, 180);
    let (controls, family) = ("\u{202e}\u{7}\n\u{0}".repeat(2_560), "👩‍👩‍👧".repeat(600));
    for name in ["M".repeat(10_240), controls, family, "Z\u{301}".repeat(3_000)] {
        ink.tick();
        let still = ink.label(tile, &name, Mark::Muted).expect("the first of a tick is drawn");
        let rect = label_rect(&Rect { x: 10, y: 20, width: 320, height: 180 }, still.size);
        assert!(rect.x >= 10 && rect.right() <= 330 && rect.y >= 20 && rect.bottom() <= 200, "{rect:?}");
    }
}

#[test]
fn labels_fit_tiles_of_every_size_or_stay_away() {
    let mut ink = Ink::new();
    for (width, height) in [(2, 2), (16, 16), (24, 90), (126, 70), (90, 400), (1280, 720), (3840, 2160), (4000, 20)] {
        ink.tick();
        let tile = Size::new(width, height);
        if let Some(still) = ink.label(tile, "Ada Lovelace", Mark::Quiet) {
            let rect = label_rect(&Rect { x: 0, y: 0, width, height }, still.size);
            assert!(rect.right() <= width && rect.bottom() <= height, "{rect:?} in {tile:?}");
            assert!(rect.x.is_multiple_of(2) && rect.y.is_multiple_of(2));
        } else {
            assert!(height < 30 || width < 30, "{tile:?} has room");
        }
    }
    assert!(!ink.tick(), "nothing was postponed: small tiles have no label at all");
}

#[test]
fn a_still_is_drawn_once_and_a_tick_draws_few() {
    load_fonts();
    let mut ink = Ink::new();
    let tile = Size::new(126, 70);
    let names: Vec<String> = (0..100).map(|n| format!("Person {n}")).collect();
    let mut ticks = 0;
    loop {
        ticks += 1;
        ink.tick();
        let drawn = names.iter().filter(|name| ink.label(tile, name, Mark::Quiet).is_some()).count();
        assert!(drawn <= ticks * limits::INK_STILLS_A_TICK);
        if drawn == names.len() {
            break;
        }
    }
    assert_eq!(ticks, names.len().div_ceil(limits::INK_STILLS_A_TICK));
    let (once, again) = (ink.label(tile, "Person 7", Mark::Quiet), ink.label(tile, "Person 7", Mark::Quiet));
    assert!(Arc::ptr_eq(&once.unwrap(), &again.unwrap()));
}

#[test]
fn a_large_background_is_made_over_several_ticks() {
    let (mut ink, canvas) = (Ink::new(), Size::new(1920, 1080));
    let pixels: Vec<u8> = (0..1920 * 1080 * 4_u32).map(|n| u8::try_from(n / 7 % 256).unwrap()).collect();
    let picture = Bitmap::new(canvas, pixels);
    let mut ticks = 1;
    let still = loop {
        let postponed = ink.tick();
        assert_eq!(postponed, ticks > 1);
        if let Some(still) = ink.background(canvas, &picture) {
            break still;
        }
        assert!(ink.stalled(Size::new(320, 180)).is_none(), "the tick's allowance is spent");
        ticks += 1;
    };
    assert_eq!(ticks, (1920 * 1080_usize).div_ceil(limits::INK_PIXELS_A_TICK));
    // Stills are equal only while they are the same memory, so their contents are compared; and not by `assert_eq!`,
    // which would print millions of samples.
    let at_once = Still::from_bitmap(&covering(&picture, canvas));
    assert!(still.samples.0 == at_once.samples.0, "the samples are as if it had been made at once");
    let (mask, whole) = (still.mask.as_ref().expect("not opaque"), at_once.mask.as_ref().expect("not opaque"));
    assert!(mask.0.luma == whole.0.luma && mask.0.chroma == whole.0.chroma, "so is what is seen of them");
}

#[test]
fn the_shelf_forgets_the_longest_unused() {
    let mut shelf = Shelf::default();
    let still = || Still::from_bitmap(&Bitmap::new(Size::new(2, 2), vec![9; 16]));
    let wanted = |n: usize| Wanted {
        size: Size::new(2, 2),
        kind: Kind::Label { name: n.to_string().into(), mark: Mark::Quiet },
    };
    for n in 0..limits::STILLS_MAX * 2 {
        shelf.tick();
        let _ = shelf.find(&wanted(0));
        shelf.keep(wanted(n), still());
    }
    assert_eq!(shelf.kept(), (limits::STILLS_MAX, limits::STILLS_MAX * still().len()));
    assert!(shelf.find(&wanted(0)).is_some(), "asked for at every tick");
    assert!(shelf.find(&wanted(1)).is_none());
}

#[test]
fn a_portrait_shows_avatar_initials_or_silhouette() {
    let mut pen = pen();
    let mut identity = Identity { initials: "".into(), colour: colour_of(ParticipantId(1)), avatar: None };
    let silhouette = draw_portrait(None, 96, &identity).unwrap();
    identity.initials = initials_of("Ada Lovelace").into();
    let initials = draw_portrait(Some(&mut pen), 96, &identity).unwrap();
    assert!(white(&silhouette) > 500 && (150..3_000).contains(&white(&initials)), "{}", white(&initials));
    let red = Bitmap::new(Size::new(40, 20), [255, 0, 0, 255].repeat(800));
    identity.avatar = Some(red);
    let avatar = draw_portrait(None, 96, &identity).unwrap();
    let at = |x: usize, y: usize| &avatar.rgba()[(y * 96 + x) * 4..][..4];
    assert_eq!((at(48, 48), at(48, 2)[0], at(0, 0)[3]), (&[255, 0, 0, 255][..], 255, 0), "round and filled");
}

#[test]
fn overlays_fill_their_rectangle_and_hug_their_words() {
    load_fonts();
    let mut ink = Ink::new();
    let rect = Rect { x: 0, y: 600, width: 1280, height: 50 };
    let panel = Some((Rgb::new(0, 0, 0), 180));
    let words =
        |text: &str| Overlay { rect, content: OverlayContent::Text { text: text.into(), colour: WHITE, panel } };
    ink.tick();
    let banner = ink.overlay(&words("We begin at nine")).unwrap();
    assert_eq!(banner.size, Size::new(1280, 50));
    let covered = |still: &Still| still.mask.as_ref().unwrap().0.luma.iter().filter(|cover| **cover > 0).count();
    assert!((8_000..40_000).contains(&covered(&banner)), "{} pixels", covered(&banner));
    ink.tick();
    assert_eq!(covered(&ink.overlay(&words("\u{202e}\n")).unwrap()), 0, "no words, no panel");
    let logo = Bitmap::new(Size::new(10, 10), vec![255; 400]);
    let still = ink.overlay(&Overlay { rect, content: OverlayContent::Picture(logo) }).unwrap();
    assert_eq!(covered(&still), 100, "a small logo stays as it is");
}
