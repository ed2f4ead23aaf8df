//! **The question:** do seats, stage, pages and stalls behave as people expect, whatever happens?

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::core::scene::{LayoutName, Rect};

const HD: Size = Size::new(1280, 720);

fn run(core: &mut SceneCore, now: Instant, input: Input) -> Option<Arc<Scene>> {
    let mut out = Outbox::new();
    core.handle(now, input, &mut out);
    let mut scenes = out.drain();
    let Output::Scene(scene) = scenes.next()?;
    assert!(scenes.next().is_none(), "one input, at most one scene");
    Some(scene)
}

fn who(id: u64) -> ParticipantId {
    ParticipantId(id)
}

fn track_of(id: u64, kind: TrackKind) -> TrackId {
    TrackId { participant: who(id), kind }
}

fn join(id: u64) -> Input {
    Input::Joined { participant: who(id), name: format!("Person {id}") }
}

fn left(id: u64) -> Input {
    Input::Left { participant: who(id) }
}

fn layout(document: &str) -> Layout {
    Layout::parse(document).unwrap()
}

/// A room of people 1 to `count` under a layout.
fn room(document: &str, count: u64, now: Instant) -> SceneCore {
    let mut core = SceneCore::with_layout(HD, layout(document));
    for id in 1..=count {
        let _ = run(&mut core, now, join(id));
    }
    core
}

fn seat_ids(core: &SceneCore) -> Vec<Option<u64>> {
    core.seats.all().iter().map(|seat| seat.map(|id| id.0)).collect()
}

fn tile_ids(core: &SceneCore) -> Vec<u64> {
    core.scene().tiles.iter().map(|tile| tile.participant.0).collect()
}

/// `id` gets the word at `now` and has it until they may come to the front.
fn takes_word(core: &mut SceneCore, now: Instant, id: u64) -> Instant {
    run(core, now, Input::Dominant { participant: Some(who(id)) });
    let (_, at) = core.comer().expect("somebody waits to come to the front");
    run(core, at, Input::Tick).expect("the front changes");
    at
}

#[test]
fn a_leave_moves_only_the_last_when_the_grid_shrinks() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"grid"}"#, 5, now);
    run(&mut core, now, left(2)).expect("a leave is seen");
    assert_eq!(seat_ids(&core), [Some(1), Some(5), Some(3), Some(4)], "3x2 became 2x2: the last fills the hole");
    run(&mut core, now, join(6)).unwrap();
    run(&mut core, now, join(7)).unwrap();
    run(&mut core, now, left(1)).unwrap();
    assert_eq!(seat_ids(&core), [None, Some(5), Some(3), Some(4), Some(6), Some(7)], "still 3x2: nobody moves");
    run(&mut core, now, join(8)).unwrap();
    assert_eq!(seat_ids(&core)[0], Some(8), "the first free seat is taken");
}

#[test]
fn a_camera_comes_up_stalls_goes_stale_and_comes_back() {
    let start = Instant::now();
    let camera = Input::CameraFrame { participant: who(1) };
    let mut core = SceneCore::new(HD);
    let scene = run(&mut core, start, join(1)).unwrap();
    assert_eq!(scene.tiles[0].picture, TilePicture::Placeholder);
    assert_eq!(&*scene.tiles[0].identity.initials, "P1");
    assert_eq!(core.deadline(), None);
    let scene = run(&mut core, start, camera.clone()).expect("the first frame is seen");
    assert_eq!(scene.tiles[0].picture, TilePicture::Camera);
    let later = start + Duration::from_millis(900);
    assert!(run(&mut core, later, camera.clone()).is_none(), "later frames change no scene");
    assert_eq!(core.deadline(), Some(later + limits::SOURCE_STALLED_AFTER));
    assert!(run(&mut core, start + limits::SOURCE_STALLED_AFTER, Input::Tick).is_none());
    let scene = run(&mut core, later + limits::SOURCE_STALLED_AFTER, Input::Tick).expect("now it is marked");
    assert!(scene.tiles[0].stalled && scene.tiles[0].picture == TilePicture::Camera);
    assert_eq!(core.deadline(), Some(later + limits::SOURCE_STALE_AFTER));
    let scene = run(&mut core, later + limits::SOURCE_STALE_AFTER, Input::Tick).expect("now it is replaced");
    assert!(!scene.tiles[0].stalled && scene.tiles[0].picture == TilePicture::Placeholder);
    assert_eq!(core.stats().cameras_stale, 1);
    let back = later + Duration::from_secs(9);
    assert!(run(&mut core, back, camera.clone()).is_some(), "and back");
    run(&mut core, back + limits::SOURCE_STALLED_AFTER, Input::Tick).expect("marked again");
    let scene = run(&mut core, back + limits::SOURCE_STALLED_AFTER, camera).expect("one frame takes the mark away");
    assert!(!scene.tiles[0].stalled);
    let ended = Input::CameraEnded { participant: who(1) };
    assert!(run(&mut core, later, ended.clone()).is_some());
    assert!(run(&mut core, later, ended).is_none());
}

#[test]
fn a_picture_that_was_under_way_when_the_camera_was_switched_off_is_not_shown() {
    let now = Instant::now();
    let mut core = SceneCore::new(HD);
    let camera = Input::CameraFrame { participant: who(1) };
    let said = |off| Input::Off { track: track_of(1, TrackKind::Camera), off };
    run(&mut core, now, join(1));
    run(&mut core, now, camera.clone()).expect("the camera comes up");
    let scene = run(&mut core, now, said(true)).expect("the placeholder comes at once");
    assert_eq!(scene.tiles[0].picture, TilePicture::Placeholder);
    assert!(run(&mut core, now, camera.clone()).is_none());
    assert!(run(&mut core, now, said(false)).is_none(), "nothing to show yet");
    assert!(run(&mut core, now, camera).is_some());
}

#[test]
fn nothing_is_shown_of_a_screen_whose_owner_says_that_it_is_off() {
    let now = Instant::now();
    let mut core = SceneCore::new(HD);
    let screen = Input::ScreenFrame { participant: who(1) };
    let said = |off| Input::Off { track: track_of(1, TrackKind::Screen), off };
    run(&mut core, now, join(1));
    run(&mut core, now, screen.clone()).expect("the screen comes up");
    let scene = run(&mut core, now, said(true)).expect("it goes at once");
    assert!(scene.tiles.iter().all(|tile| tile.picture != TilePicture::Screen));
    let later = now + Duration::from_secs(60);
    assert!(run(&mut core, later, screen.clone()).is_none(), "however long its pictures come");
    assert!(run(&mut core, later, said(false)).is_none(), "nothing to show yet");
    assert!(run(&mut core, later, screen).is_some());
}

#[test]
fn strangers_and_repetitions_change_nothing() {
    let now = Instant::now();
    let mut core = SceneCore::new(HD);
    for input in [
        left(9),
        Input::CameraFrame { participant: who(9) },
        Input::ScreenFrame { participant: who(9) },
        Input::Muted { participant: who(9), muted: true },
        Input::Off { track: track_of(9, TrackKind::Screen), off: true },
        Input::Dominant { participant: Some(who(9)) },
    ] {
        assert!(run(&mut core, now, input).is_none());
    }
    run(&mut core, now, join(1)).unwrap();
    assert!(run(&mut core, now, join(1)).is_none());
    let speaks = Input::Speaking { participant: who(1), speaking: true };
    assert!(run(&mut core, now, speaks.clone()).unwrap().tiles[0].speaking);
    assert!(run(&mut core, now, speaks).is_none());
    assert!(run(&mut core, now, left(1)).unwrap().tiles.is_empty());
}

#[test]
fn the_speaker_takes_the_stage_after_a_while_and_two_people_move() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"speaker"}"#, 4, now);
    let large = core.scene().tiles[0].rect;
    assert!(core.scene().tiles[1..].iter().all(|tile| tile.rect.width * 3 < large.width));
    run(&mut core, now, Input::Dominant { participant: Some(who(3)) });
    assert!(run(&mut core, now + Duration::from_millis(900), Input::Tick).is_none(), "a cough takes no stage");
    run(&mut core, now + Duration::from_secs(1), Input::Tick).expect("the stage changes");
    assert_eq!(tile_ids(&core), [3, 2, 1, 4]);
    let soon = now + Duration::from_millis(1100);
    run(&mut core, soon, Input::Dominant { participant: Some(who(4)) });
    assert_eq!(core.deadline(), Some(now + Duration::from_secs(4)), "the stage is held for three seconds");
    run(&mut core, now + Duration::from_secs(4), Input::Tick).expect("then it changes");
    assert_eq!(tile_ids(&core), [4, 2, 1, 3]);
    run(&mut core, now, Input::Speaking { participant: who(2), speaking: true });
    run(&mut core, now, left(4)).unwrap();
    assert_eq!(tile_ids(&core), [2, 3, 1], "the newest speaker follows one who leaves the stage");
}

#[test]
fn a_screen_is_large_and_the_newest_one_wins() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"grid"}"#, 3, now);
    let scene = run(&mut core, now, Input::ScreenFrame { participant: who(2) }).expect("the layout changes");
    let screen = &scene.tiles[0];
    assert_eq!((screen.participant, screen.picture, screen.fit), (who(2), TilePicture::Screen, Fit::Contain));
    assert!(screen.rect.width >= 1000 && scene.tiles.len() == 4, "everyone is beside it");
    let tall = TrackId { participant: who(2), kind: TrackKind::Screen };
    let scene = run(&mut core, now, Input::Shape { track: tall, size: Size::new(900, 1600) }).unwrap();
    assert!(scene.tiles[0].rect.height > 700, "a tall window uses the height");
    let scene = run(&mut core, now, Input::ScreenFrame { participant: who(1) }).unwrap();
    assert_eq!(scene.tiles[0].participant, who(1));
    let scene = run(&mut core, now, Input::ScreenEnded { participant: who(1) }).unwrap();
    assert_eq!(scene.tiles[0].participant, who(2), "the one before is back");
    assert!(run(&mut core, now, Input::ScreenFrame { participant: who(1) }).is_none(), "an echo brings no screen back");
    let scene = run(&mut core, now, left(2)).unwrap();
    assert!(scene.tiles.iter().all(|tile| tile.picture != TilePicture::Screen));
    let mut core = room(r#"{"layout":"grid","screens":false}"#, 3, now);
    assert!(run(&mut core, now, Input::ScreenFrame { participant: who(2) }).is_none(), "unless they are not wanted");
}

#[test]
fn pages_turn_and_speakers_come_to_the_first() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"grid","tiles_max":4}"#, 10, now);
    assert_eq!((tile_ids(&core), core.stats().pages), (vec![1, 2, 3, 4], 3));
    let cells: Vec<_> = core.scene().tiles.iter().map(|tile| tile.rect).collect();
    run(&mut core, now, Input::Page(2)).expect("the page turns");
    assert_eq!(tile_ids(&core), [9, 10]);
    assert_eq!(core.scene().tiles[1].rect, cells[1], "cells keep their places");
    run(&mut core, now, Input::Page(99));
    assert_eq!(core.stats().page, 2, "the last page is the end");
    run(&mut core, now, left(9)).unwrap();
    run(&mut core, now, left(10)).expect("a page less");
    assert_eq!((tile_ids(&core), core.stats().page), (vec![5, 6, 7, 8], 1));
    run(&mut core, now, Input::Page(0)).unwrap();
    let at = takes_word(&mut core, now, 7);
    assert_eq!(tile_ids(&core), [1, 2, 3, 7], "who never spoke makes room, the last one first");
    run(&mut core, at, Input::Speaking { participant: who(3), speaking: true });
    takes_word(&mut core, at, 8);
    assert_eq!(tile_ids(&core), [1, 2, 3, 8], "7 never spoke up either; 3 speaks and stays");
    run(&mut core, at, left(1)).unwrap();
    assert_eq!(tile_ids(&core), [7, 2, 3, 8], "the last of all fills the hole, so pages stay full");
}

#[test]
fn pip_and_single_follow_the_word_and_the_screen() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"pip"}"#, 3, now);
    let scene = core.scene();
    assert_eq!((tile_ids(&core), core.stats().pages), (vec![1, 2], 2));
    assert!(scene.tiles[1].z > scene.tiles[0].z && scene.tiles[0].rect.overlaps(&scene.tiles[1].rect));
    assert!(scene.tiles[1].border.is_some() && scene.tiles[1].corner_radius > 0);
    run(&mut core, now, Input::Page(1)).unwrap();
    assert_eq!(tile_ids(&core), [1, 3]);
    let scene = run(&mut core, now, Input::ScreenFrame { participant: who(3) }).unwrap();
    assert_eq!((tile_ids(&core), scene.tiles[0].picture), (vec![3, 1], TilePicture::Screen));
    let scene = run(&mut core, now, Input::Layout(LayoutName::Single.into())).unwrap();
    assert_eq!((scene.tiles.len(), scene.tiles[0].picture), (1, TilePicture::Screen));
    run(&mut core, now, Input::ScreenEnded { participant: who(3) }).unwrap();
    takes_word(&mut core, now, 2);
    assert_eq!(tile_ids(&core), [2]);
}

const STUDIO: &str = r##"{"layout":"custom","regions":[
    {"show":"screen","rect":{"x":0,"y":0,"width":1,"height":1}},
    {"show":"speaker","rect":{"x":0.7,"y":0.05,"width":0.25,"height":0.25},"z":3,"fit":"cover","corner_radius":0.5,
     "border":{"width":0.005,"colour":"#ff8800"},"opacity":0.8},
    {"show":{"participant":"p0000000000000002"},"rect":{"x":0,"y":0.8,"width":0.2,"height":0.2},"z":2},
    {"show":{"seat":1},"rect":{"x":0.2,"y":0.8,"width":0.2,"height":0.2},"z":2},
    {"show":{"seat":2},"rect":{"x":0.4,"y":0.8,"width":0.2,"height":0.2},"z":2}]}"##;

#[test]
fn a_custom_layout_shows_everyone_once_where_it_says() {
    let now = Instant::now();
    let mut core = room(STUDIO, 6, now);
    assert_eq!((tile_ids(&core), core.stats().pages), (vec![1, 2, 3, 4], 2), "no screen is shared: nothing there");
    let scene = run(&mut core, now, Input::ScreenFrame { participant: who(2) }).unwrap();
    assert_eq!(tile_ids(&core), [2, 1, 2, 3, 4]);
    let speaker = &scene.tiles[1];
    assert_eq!((speaker.rect, speaker.z), (Rect { x: 896, y: 36, width: 320, height: 180 }, 3));
    assert_eq!((speaker.fit, speaker.corner_radius, speaker.opacity), (Fit::Cover, 90, 204));
    let border = speaker.border.unwrap();
    assert_eq!((border.width, border.colour), (4, Rgb::new(0xff, 0x88, 0)));
    takes_word(&mut core, now, 6);
    assert_eq!(tile_ids(&core), [2, 6, 2, 3, 4], "the speaker's region follows the word");
    run(&mut core, now, Input::Dominant { participant: Some(who(2)) });
    assert_eq!(core.comer(), None, "who has a region of their own does not move");
    run(&mut core, now, Input::Page(1)).unwrap();
    assert_eq!(tile_ids(&core), [2, 6, 2, 5, 1]);
    run(&mut core, now, left(2)).unwrap();
    assert_eq!(tile_ids(&core), [6, 4, 5], "seats of the second page; 2's region and screen are empty");
}

#[test]
fn marks_labels_and_overlays_change_the_scene_once() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"grid","corner_radius":0.1}"#, 2, now);
    let tile = &core.scene().tiles[0];
    assert!((tile.corner_radius * 10).abs_diff(tile.rect.height) <= 5, "{tile:?}");
    assert_eq!(core.scene().tiles[0].label, None);
    let scene = run(&mut core, now, Input::Labels(true)).unwrap();
    assert_eq!(scene.tiles[1].label.as_deref(), Some("Person 2"));
    let muted = Input::Muted { participant: who(2), muted: true };
    assert!(run(&mut core, now, muted.clone()).unwrap().tiles[1].muted);
    assert!(run(&mut core, now, muted).is_none());
    let face = Bitmap::new(Size::new(1, 1), vec![9; 4]);
    let avatar = Input::Avatar { participant: who(1), avatar: Some(face.clone()) };
    assert_eq!(run(&mut core, now, avatar).unwrap().tiles[0].identity.avatar, Some(face.clone()));
    let long = format!("now {}", "x".repeat(10_000));
    assert_eq!(run(&mut core, now, Input::Banner(long)).unwrap().overlays.len(), 1);
    assert_eq!(run(&mut core, now, Input::Logo(Some(face.clone()))).unwrap().overlays.len(), 2);
    assert_eq!(run(&mut core, now, Input::Clock("12:00".into())).unwrap().overlays.len(), 3);
    assert!(run(&mut core, now, Input::Clock("12:00".into())).is_none());
    assert_eq!(run(&mut core, now, Input::Banner(String::new())).unwrap().overlays.len(), 2);
    let background = Background { colour: Rgb::new(1, 2, 3), image: Some(face) };
    assert_eq!(run(&mut core, now, Input::Background(Some(background.clone()))).unwrap().background, background);
    assert_eq!(run(&mut core, now, Input::Background(None)).unwrap().background.colour, BACKGROUND);
}

#[test]
fn cameras_fill_their_tiles_unless_faces_would_be_cut() {
    let now = Instant::now();
    let mut core = room(r#"{"layout":"grid"}"#, 2, now);
    let camera = TrackId { participant: who(1), kind: TrackKind::Camera };
    for (size, fit) in [
        (Size::new(1280, 720), Fit::Cover),
        (Size::new(1280, 800), Fit::Cover),
        (Size::new(640, 480), Fit::Contain),
        (Size::new(720, 1280), Fit::Contain),
    ] {
        run(&mut core, now, Input::Shape { track: camera, size });
        assert_eq!(core.scene().tiles[0].fit, fit, "{size:?}");
    }
}

const LAYOUTS: [&str; 9] = [
    r#"{"layout":"grid"}"#,
    r#"{"layout":"grid","tiles_max":9}"#,
    r#"{"layout":"speaker"}"#,
    r#"{"layout":"speaker","tiles_max":1}"#,
    r#"{"layout":"presentation","tiles_max":20}"#,
    r#"{"layout":"pip"}"#,
    r#"{"layout":"pip","screens":false}"#,
    r#"{"layout":"single"}"#,
    STUDIO,
];

fn any_input() -> impl Strategy<Value = Input> {
    let id = (0_u64..30).prop_map(ParticipantId);
    prop_oneof![
        4 => id.clone().prop_map(|participant| Input::Joined { participant, name: "Ada".into() }),
        2 => id.clone().prop_map(|participant| Input::Left { participant }),
        1 => id.clone().prop_map(|participant| Input::ScreenFrame { participant }),
        1 => id.clone().prop_map(|participant| Input::ScreenEnded { participant }),
        1 => id.clone().prop_map(|participant| Input::CameraFrame { participant }),
        1 => (id.clone(), any::<bool>(), any::<bool>()).prop_map(|(participant, camera, off)| {
            let kind = if camera { TrackKind::Camera } else { TrackKind::Screen };
            Input::Off { track: TrackId { participant, kind }, off }
        }),
        2 => id.clone().prop_map(|participant| Input::Dominant { participant: Some(participant) }),
        1 => (id, any::<bool>()).prop_map(|(participant, speaking)| Input::Speaking { participant, speaking }),
        1 => (0_usize..5).prop_map(Input::Page),
        1 => prop::sample::select(&LAYOUTS[..]).prop_map(|text| Input::Layout(layout(text))),
        3 => Just(Input::Tick),
    ]
}

proptest! {
    #[test]
    fn seats_are_stable(
        steps in prop::collection::vec((0_u64..40, any::<bool>()), 1..200),
        canvas in prop::sample::select(vec![HD, Size::new(720, 1280), Size::new(1280, 600), Size::new(640, 640)]),
    ) {
        let now = Instant::now();
        let mut core = SceneCore::new(canvas);
        for (id, joins) in steps {
            let before = seat_ids(&core);
            let _ = run(&mut core, now, if joins { join(id) } else { left(id) });
            let after = seat_ids(&core);
            let people = core.people.len();
            let moved = (0..before.len())
                .filter(|&seat| before[seat].is_some_and(|who| who != id && after.get(seat) != Some(&Some(who))))
                .count();
            if joins {
                let fits = people == 0 || grid_for(canvas, people).capacity() >= before.len();
                prop_assert!(moved == 0 || !fits, "a join moves nobody who still has a seat");
            } else {
                let beyond = before.iter().skip(people).filter(|seat| seat.is_some_and(|who| who != id)).count();
                prop_assert!(moved <= beyond, "only those beyond the new end move");
            }
            prop_assert_eq!(after.iter().flatten().count(), people);
            let scene = core.scene();
            prop_assert_eq!(scene.tiles.len(), people);
            for (index, tile) in scene.tiles.iter().enumerate() {
                prop_assert!(tile.rect.right() <= canvas.width && tile.rect.bottom() <= canvas.height);
                prop_assert!(scene.tiles[..index].iter().all(|other| !other.rect.overlaps(&tile.rect)));
            }
        }
    }

    #[test]
    fn whatever_happens_everyone_has_one_seat_and_every_tile_is_even_inside_and_shown_once(
        steps in prop::collection::vec((any_input(), 0_u64..2000), 1..120),
        canvas in prop::sample::select(vec![HD, Size::new(720, 1280), Size::new(160, 160), Size::new(3840, 1080)]),
    ) {
        let mut now = Instant::now();
        let mut core = SceneCore::new(canvas);
        for (input, millis) in steps {
            now += Duration::from_millis(millis);
            let (before, told) = (seat_ids(&core), input.clone());
            let _ = run(&mut core, now, input);
            let mut seated: Vec<u64> = seat_ids(&core).into_iter().flatten().collect();
            if matches!(told, Input::Tick | Input::Dominant { .. }) {
                let moved = before.iter().zip(seat_ids(&core)).filter(|(old, new)| **old != *new).count();
                prop_assert!(moved == 0 || moved == 2, "who comes to the front changes places with one");
            }
            seated.sort_unstable();
            prop_assert_eq!(&seated, &core.people.keys().map(|id| id.0).collect::<Vec<_>>());
            let scene = core.scene();
            let stats = core.stats();
            prop_assert!(stats.page < stats.pages);
            for (index, tile) in scene.tiles.iter().enumerate() {
                let Rect { x, y, width, height } = tile.rect;
                let is_even = [x, y, width, height].iter().all(|v| v % 2 == 0);
                prop_assert!(is_even && width >= 2 && height >= 2, "{:?}", tile);
                prop_assert!(x + width <= canvas.width && y + height <= canvas.height, "{:?}", tile);
                let same = |other: &&Tile| {
                    other.participant == tile.participant
                        && (other.picture == TilePicture::Screen) == (tile.picture == TilePicture::Screen)
                };
                prop_assert!(!scene.tiles[..index].iter().any(|other| same(&other)), "nobody is seen twice");
            }
        }
    }
}
