//! Imports point downward only, as the map in `src/lib.rs` says; below floor 4 nothing reads clocks, sockets, files or
//! logs.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Named, named};
use super::source::{Source, find_word, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

/// What a room below floor 4 never touches, and what it does instead.
const ABOVE_ONLY: [(&str, &str); 22] = [
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::now", "take the time as an argument"),
    (".elapsed(", "take the time as an argument"),
    ("UdpSocket", "sockets belong to io/webrtc and io/rtp"),
    ("TcpStream", "sockets belong to io/http and io/keeper"),
    ("TcpListener", "sockets belong to io/http and io/keeper"),
    ("std::fs", "files belong to io/store"),
    ("fs::", "files belong to io/store"),
    ("File::", "files belong to io/store"),
    ("std::env", "the environment belongs to app/cli and app/node"),
    ("std::process", "processes belong to app/cli and app/node"),
    ("thread::spawn", "threads belong to app/node"),
    ("thread::Builder", "threads belong to app/node"),
    ("thread::scope", "threads belong to app/node"),
    ("thread::sleep", "wait in app/workers, on a Waker"),
    ("tokio::", "tokio belongs to floors 4 and 5"),
    ("tracing::", "count it; io/telemetry tells"),
    ("println!", "count it; io/telemetry tells"),
    ("print!", "count it; io/telemetry tells"),
    ("eprintln!", "count it; io/telemetry tells"),
    ("eprint!", "count it; io/telemetry tells"),
    ("std::sync::mpsc", "seams are in engine/flow, on bounded queues"),
];

/// Where the rule gives way, and why.
const ALLOWED: [(&str, &str, &str); 2] = [
    ("src/base/hostile.rs", "std::env", "it is compiled for tests alone, and asks for how long they go on"),
    (
        "src/engine/flow/waker.rs",
        "Instant::now",
        "poll takes a span, so the deadline is compared with the clock where one sleeps",
    ),
];

/// Who may know what a request looks like: the door itself, and who opens it.
const HTTP_KNOWN_IN: [&str; 3] = ["src/io/http/", "src/app/node/", "src/app/steward/"];

/// The map: each room's floor, by names such as `core/mix`, and each floor's folder.
struct Map {
    rooms: BTreeMap<String, u8>,
    folders: BTreeMap<String, u8>,
}

impl Map {
    /// Reads the table at the head of `src/lib.rs`: `//! | 2 | [`core`] | [`room`](core::room), `mix` | … |`. A row
    /// without a folder goes on with the one above.
    fn parse(lib: &str) -> Self {
        let (mut rooms, mut folders, mut folder) = (BTreeMap::new(), BTreeMap::new(), String::new());
        for row in lib.lines().filter_map(|line| line.strip_prefix("//! | ")) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let [floor, folders_cell, rooms_cell, ..] = cells[..] else { continue };
            let Ok(floor) = floor.parse::<u8>() else { continue };
            if let Some(name) = quoted(folders_cell).next() {
                name.clone_into(&mut folder);
                folders.insert(folder.clone(), floor);
            }
            rooms.extend(quoted(rooms_cell).map(|room| (format!("{folder}/{room}"), floor)));
        }
        Self { rooms, folders }
    }

    /// The repository's own.
    fn own() -> Self {
        Self::parse(include_str!("../../src/lib.rs"))
    }

    fn floor(&self, room: &str) -> Option<u8> {
        self.rooms.get(room).copied()
    }

    /// The room in which a path of ours lies, if it goes as far as one.
    fn room_of(&self, path: &[String]) -> Option<String> {
        let [floor, room, ..] = path else { return None };
        Some(format!("{floor}/{room}")).filter(|room| self.rooms.contains_key(room))
    }
}

/// What stands between backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Each room that `source` names in shipped code, with the byte at which it first does.
fn rooms_named(map: &Map, source: &Source) -> BTreeMap<String, usize> {
    let mut rooms = BTreeMap::new();
    for Named { path, at, .. } in named(source).into_iter().filter(|found| found.ours) {
        if let Some(room) = map.room_of(&path) {
            rooms.entry(room).and_modify(|first: &mut usize| *first = at.min(*first)).or_insert(at);
        }
    }
    rooms
}

fn upward_arrows(map: &Map, files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        let Some((room, floor)) = source.room().and_then(|room| Some((room, map.floor(room)?))) else { continue };
        for (named, at) in rooms_named(map, source) {
            let above = map.floor(&named).expect("only rooms of the map are named");
            if above > floor {
                let place = source.place(at);
                broken.push(format!("{place}: {room} (floor {floor}) reaches up to {named} (floor {above})"));
            }
        }
    }
    broken
}

fn cycles(map: &Map, files: &[Source]) -> Vec<String> {
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in files {
        let Some(room) = source.room() else { continue };
        let named = rooms_named(map, source).into_keys().filter(|named| named != room);
        arrows.entry(room.to_owned()).or_default().extend(named);
    }
    let mut broken = Vec::new();
    for start in arrows.keys() {
        // A cycle is told once, from its first room in alphabetical order.
        let path = way_back(&arrows, start, &mut vec![start.clone()]).filter(|path| path.iter().min() == Some(start));
        broken.extend(path.map(|path| format!("rooms import each other in a circle: {} → {start}", path.join(" → "))));
    }
    broken
}

fn way_back(arrows: &BTreeMap<String, BTreeSet<String>>, start: &str, path: &mut Vec<String>) -> Option<Vec<String>> {
    let last = path.last().expect("a path has a start").clone();
    for next in arrows.get(&last).into_iter().flatten() {
        if next == start {
            return Some(path.clone());
        }
        if !path.contains(next) {
            path.push(next.clone());
            if let Some(found) = way_back(arrows, start, path) {
                return Some(found);
            }
            path.pop();
        }
    }
    None
}

fn reaches_outside(map: &Map, files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        let low = source.room().and_then(|room| map.floor(room)).is_some_and(|floor| floor < 4);
        for (word, instead) in ABOVE_ONLY.iter().filter(|_| low) {
            let allowed = ALLOWED.iter().any(|(path, what, _)| *path == source.path && what == word);
            for at in find_word(&source.shipped, word).filter(|_| !allowed) {
                broken.push(format!("{}: {word} below floor 4: {instead}", source.place(at)));
            }
        }
    }
    broken
}

fn http_known_elsewhere(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files.iter().filter(|source| !HTTP_KNOWN_IN.iter().any(|folder| source.path.starts_with(folder))) {
        let at_door = |found: &Named| found.ours && found.path.starts_with(&["io".into(), "http".into()]);
        let mut places: Vec<(String, String)> = Vec::new();
        for found in named(source).into_iter().filter(at_door) {
            let place = source.place(found.at);
            let name = found.path.get(2).cloned().unwrap_or_default();
            // A path through an import names what the import has already told.
            if found.bound.is_some() || !places.iter().any(|(_, told)| *told == name) {
                places.push((place, name));
            }
        }
        broken.extend(
            places.into_iter().map(|(place, name)| format!("{place}: {name} is io/http's; ask through io/api")),
        );
    }
    broken
}

fn rooms_off_the_map(map: &Map, files: &[Source]) -> Vec<String> {
    let there: BTreeSet<&str> = files.iter().filter_map(Source::room).collect();
    let folders =
        files.iter().filter_map(|source| source.path.strip_prefix("src/")?.split_once('/')).map(|(name, _)| name);
    let missing = map.rooms.keys().filter(|room| !there.contains(room.as_str()));
    let missing = missing.map(|room| format!("src/lib.rs: the map names {room}, which is no room"));
    let unknown = there.iter().filter(|room| map.floor(room).is_none());
    let unknown = unknown.map(|room| format!("src/{room}: a room that the map in src/lib.rs does not name"));
    let strange: BTreeSet<&str> = folders.filter(|folder| !map.folders.contains_key(*folder)).collect();
    let strange =
        strange.into_iter().map(|folder| format!("src/{folder}: a floor that the map in src/lib.rs does not name"));
    missing.chain(unknown).chain(strange).collect()
}

#[test]
fn the_map_is_read() {
    let map = Map::own();
    let rooms = ["app/node", "app/control", "io/http", "engine/flow", "core/mix", "base/media", "base/limits"];
    assert_eq!(rooms.map(|room| map.floor(room)), [5, 5, 4, 3, 2, 1, 1].map(Some));
    let folders = [("app", 5), ("base", 1), ("core", 2), ("engine", 3), ("io", 4)];
    assert_eq!(map.folders, folders.map(|(folder, floor)| (folder.to_owned(), floor)).into());
}

#[test]
fn imports_point_downward() {
    expect_tidy(&upward_arrows(&Map::own(), &sources(&["src"])));
}

#[test]
fn an_upward_import_is_refused() {
    let rule = |files: &[Source]| upward_arrows(&Map::own(), files);
    let told = "core/mix (floor 2) reaches up to engine/flow (floor 3)";
    expect_refused(rule, "src/core/mix/mod.rs", "//! Head\nuse crate::engine::flow::Counter;\n", told);
    expect_refused(rule, "src/core/mix/voice.rs", "fn f() { crate::engine::flow::Counter::default(); }\n", told);
    expect_refused(rule, "src/core/mix/voice.rs", "use crate::{base::{limits, media::Pts}, engine::{flow}};\n", told);
    expect_refused(rule, "src/core/mix/mod.rs", "use super::super::engine::flow::Counter;\n", told);
    expect_refused(rule, "src/core/mix/voice.rs", "use crate::engine as e;\nfn f() { e::flow::g() }\n", told);
    expect_refused(
        rule,
        "src/base/limits.rs",
        "use crate::base::media::Size;\nuse crate::app::node;\n",
        "src/base/limits.rs:2: base/limits (floor 1) reaches up to app/node",
    );
    expect_accepted(
        rule,
        "src/core/mix/mod.rs",
        "//! [`crate::engine::flow`]\nuse crate::base::{media::Pts, limits};\n",
    );
    expect_accepted(rule, "src/core/mix/mod.rs", "use super::scene::Rect;\nuse core::mem;\nuse crate::core::jitter;\n");
    expect_accepted(
        rule,
        "src/core/mix/mod.rs",
        "#[cfg(test)]\nmod tests {\n    use crate::engine::flow::Counter;\n}\n",
    );
}

#[test]
fn rooms_form_no_circle() {
    expect_tidy(&cycles(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_circle_of_rooms_is_refused() {
    let files = [
        Source::new("src/engine/encode/mod.rs", "use crate::engine::compose::Canvas;\n"),
        Source::new("src/engine/compose/mod.rs", "use super::decode::Decoder;\n"),
        Source::new("src/engine/decode/mod.rs", "use crate::{base::media::Pts, engine::encode::Encoder};\n"),
        Source::new("src/base/media/mod.rs", "use crate::base::media::Pts;\n"),
    ];
    let told = cycles(&Map::own(), &files);
    let circle = "engine/compose → engine/decode → engine/encode → engine/compose";
    assert_eq!(told, [format!("rooms import each other in a circle: {circle}")]);
    assert!(cycles(&Map::own(), &files[..2]).is_empty());
}

#[test]
fn below_floor_4_nothing_reaches_outside() {
    expect_tidy(&reaches_outside(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_clock_socket_file_thread_or_log_below_floor_4_is_refused() {
    let rule = |files: &[Source]| reaches_outside(&Map::own(), files);
    for (word, _) in ABOVE_ONLY {
        let text = format!("fn f() {{ {word} }}\n");
        for path in ["src/core/jitter/mod.rs", "src/engine/video/masked.rs", "src/base/limits.rs"] {
            expect_refused(rule, path, &text, &format!("{word} below floor 4"));
        }
        expect_accepted(rule, "src/io/webrtc/udp.rs", &text);
        expect_accepted(rule, "src/app/node/mod.rs", &text);
    }
    expect_refused(rule, "src/engine/flow/slot.rs", "fn f() { Instant::now() }\n", "Instant::now below floor 4");
    expect_accepted(rule, "src/engine/flow/waker.rs", "fn f() { Instant::now() }\n");
    expect_accepted(rule, "src/core/jitter/mod.rs", "// Instant::now\n#[cfg(test)]\nfn f() { Instant::now() }\n");
}

#[test]
fn http_is_known_to_its_door_and_to_who_opens_it() {
    expect_tidy(&http_known_elsewhere(&sources(&["src"])));
}

#[test]
fn http_known_elsewhere_is_refused() {
    let told = "src/app/control/mod.rs:1: Command is io/http's; ask through io/api";
    expect_refused(http_known_elsewhere, "src/app/control/mod.rs", "use crate::io::{http::Command, store};\n", told);
    expect_refused(http_known_elsewhere, "src/app/control/mod.rs", "fn f(c: crate::io::http::Command) {}\n", told);
    for path in ["src/app/node/start.rs", "src/io/http/desk.rs"] {
        expect_accepted(http_known_elsewhere, path, "use crate::io::http::Command;\n");
    }
    expect_accepted(http_known_elsewhere, "src/app/load/run.rs", "use super::http::Door;\nuse axum::http::header;\n");
}

#[test]
fn the_map_and_the_rooms_agree() {
    expect_tidy(&rooms_off_the_map(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_room_off_the_map_is_refused() {
    let map = "//! | 2 | [`core`] | [`room`](core::room) | who? |\n//! | 2 | | `mix` | what? |\n\
               //! | 1 | [`base`] | [`media`](base::media), [`limits`](base::limits) | ids |\n";
    let map = Map::parse(map);
    let files = |paths: &[&str]| paths.iter().map(|path| Source::new(path, "")).collect::<Vec<_>>();
    let whole = ["src/lib.rs", "src/core/mod.rs", "src/core/room/mod.rs", "src/core/mix/a.rs", "src/base/media/b.rs"];
    let whole = [&whole[..], &["src/base/limits.rs"]].concat();
    assert!(rooms_off_the_map(&map, &files(&whole)).is_empty());
    let told = rooms_off_the_map(&map, &files(&whole[..5]));
    assert_eq!(told, ["src/lib.rs: the map names base/limits, which is no room"]);
    let told = rooms_off_the_map(&map, &files(&[&whole[..], &["src/attic/mod.rs", "src/core/attic.rs"]].concat()));
    let room = "src/core/attic: a room that the map in src/lib.rs does not name";
    assert_eq!(told, [room, "src/attic: a floor that the map in src/lib.rs does not name"]);
}
