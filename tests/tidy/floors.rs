//! Imports point downward only, as the map in `src/lib.rs` says; below floor 3 nothing reads clocks, sockets, files or logs.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, find_word, line_of, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

/// What a room below floor 3 never touches, and what it does instead.
const ABOVE_ONLY: [(&str, &str); 22] = [
    ("Instant::now", "take the time as an argument"),
    ("SystemTime::now", "take the time as an argument"),
    (".elapsed(", "take the time as an argument"),
    ("UdpSocket", "sockets belong to webrtc/"),
    ("TcpStream", "sockets belong to http/"),
    ("TcpListener", "sockets belong to http/"),
    ("std::fs", "files belong to store/"),
    ("fs::", "files belong to store/"),
    ("File::", "files belong to store/"),
    ("std::env", "the environment belongs to cli/ and node/"),
    ("std::process", "processes belong to cli/ and node/"),
    ("thread::spawn", "threads belong to node/"),
    ("thread::Builder", "threads belong to node/"),
    ("thread::scope", "threads belong to node/"),
    ("thread::sleep", "wait in node/, on a Waker"),
    ("tokio::", "tokio belongs to floors 3 and 4"),
    ("tracing::", "count it; telemetry/ tells"),
    ("println!", "count it; telemetry/ tells"),
    ("print!", "count it; telemetry/ tells"),
    ("eprintln!", "count it; telemetry/ tells"),
    ("eprint!", "count it; telemetry/ tells"),
    ("std::sync::mpsc", "seams are in flow/, on bounded queues"),
];

/// Where the rule gives way, and why.
const ALLOWED: [(&str, &str, &str); 1] = [(
    "src/flow/waker.rs",
    "Instant::now",
    "poll takes a span, so the deadline is compared with the clock where one sleeps",
)];

/// Crates whose types stay in their rooms.
const OWNED: [(&str, &[&str]); 9] = [
    ("str0m", &["webrtc"]),
    ("rtc_rtp", &["webrtc", "load"]),
    ("quinn_udp", &["webrtc"]),
    ("axum", &["http"]),
    ("libaom_sys", &["encode"]),
    ("mp4_atom", &["fmp4", "footage"]),
    ("matroska_demuxer", &["footage"]),
    ("clap", &["cli", "node", "telemetry"]),
    ("indicatif", &["cli", "load"]),
];

/// The map: each room's floor.
struct Map(BTreeMap<String, u8>);

impl Map {
    /// Reads the table at the head of `src/lib.rs`: `//! | 1 pure cores | [`room`] | … |`.
    fn parse(lib: &str) -> Self {
        let mut floors = BTreeMap::new();
        for row in lib.lines().filter_map(|line| line.strip_prefix("//! | ")) {
            let Some((floor, rooms)) = row.split_once(" | ") else { continue };
            let Some(floor) = floor.chars().next().and_then(|c| c.to_digit(10)) else { continue };
            let rooms = rooms.split(" | ").next().unwrap_or_default();
            for room in rooms.split(',').filter_map(|room| room.trim().strip_prefix("[`")?.strip_suffix("`]")) {
                floors.insert(room.to_owned(), u8::try_from(floor).expect("a digit fits"));
            }
        }
        Self(floors)
    }

    /// The repository's own.
    fn own() -> Self {
        Self::parse(include_str!("../../src/lib.rs"))
    }

    fn floor(&self, room: &str) -> Option<u8> {
        self.0.get(room).copied()
    }
}

/// Each room that `source` names in shipped code, with the line.
fn rooms_named(map: &Map, source: &Source) -> Vec<(String, usize)> {
    let mut named = Vec::new();
    // In a room's own mod.rs, `super` is the crate; so is `super::super` one file below.
    let below = source.path.matches('/').count();
    let above = if source.path.ends_with("/mod.rs") { below - 1 } else { below };
    let climb = "super::".repeat(above);
    for prefix in ["crate::", climb.as_str()].into_iter().filter(|prefix| !prefix.is_empty()) {
        for at in find_word(&source.shipped, prefix) {
            let line = line_of(&source.shipped, at);
            let heads = heads_of(&source.shipped[at + prefix.len()..]);
            named.extend(heads.into_iter().filter(|head| map.floor(head).is_some()).map(|head| (head, line)));
        }
    }
    named
}

/// The first names of a path's continuation: `a::b` gives `a`; `{a::b, c::{d, e}}` gives `a` and `c`.
fn heads_of(rest: &str) -> Vec<String> {
    let Some(group) = rest.strip_prefix('{') else { return vec![identifier(rest)] };
    let (mut heads, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, byte) in group.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' | b',' if depth == 0 => {
                heads.push(identifier(group[start..at].trim_start()));
                start = at + 1;
                if byte == b'}' {
                    break;
                }
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn upward_arrows(map: &Map, files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        let Some((room, floor)) = source.room().and_then(|room| Some((room, map.floor(room)?))) else { continue };
        for (named, line) in rooms_named(map, source) {
            let above = map.floor(&named).expect("only rooms of the map are named");
            if above > floor {
                let place = format!("{}:{line}", source.path);
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
        let named = rooms_named(map, source).into_iter().map(|(named, _)| named).filter(|named| named != room);
        arrows.entry(room.to_owned()).or_default().extend(named);
    }
    let mut broken = Vec::new();
    for start in arrows.keys() {
        // A cycle is told once, from its first room in alphabetical order.
        if let Some(path) = way_back(&arrows, start, &mut vec![start.clone()]).filter(|p| p.iter().min() == Some(start))
        {
            broken.push(format!("rooms import each other in a circle: {} → {start}", path.join(" → ")));
        }
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
        let low = source.room().and_then(|room| map.floor(room)).is_some_and(|floor| floor < 3);
        for (word, instead) in ABOVE_ONLY.iter().filter(|_| low) {
            let allowed = ALLOWED.iter().any(|(path, what, _)| *path == source.path && what == word);
            for at in find_word(&source.shipped, word).filter(|_| !allowed) {
                broken.push(format!(
                    "{}:{}: {word} below floor 3: {instead}",
                    source.path,
                    line_of(&source.shipped, at)
                ));
            }
        }
    }
    broken
}

fn strays(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for (source, room) in files.iter().filter_map(|source| Some((source, source.room()?))) {
        for (name, rooms) in OWNED.iter().filter(|(_, rooms)| !rooms.contains(&room)) {
            for at in find_word(&source.shipped, &format!("{name}::")) {
                let place = format!("{}:{}", source.path, line_of(&source.shipped, at));
                broken.push(format!("{place}: {name}'s types stay in {}/", rooms.join("/, ")));
            }
        }
    }
    broken
}

fn rooms_off_the_map(map: &Map, files: &[Source]) -> Vec<String> {
    let there: BTreeSet<&str> = files.iter().filter_map(Source::room).collect();
    let missing = map.0.keys().filter(|room| !there.contains(room.as_str()));
    let unknown = there.iter().filter(|room| map.floor(room).is_none());
    let missing = missing.map(|room| format!("src/lib.rs: the map names {room}, which is no room"));
    missing.chain(unknown.map(|room| format!("src/{room}: a room that the map in src/lib.rs does not name"))).collect()
}

#[test]
fn the_map_is_read() {
    let map = Map::own();
    let floors = ["node", "http", "flow", "mix", "media", "limits"].map(|room| map.floor(room));
    assert_eq!(floors, [4, 3, 2, 1, 0, 0].map(Some));
}

#[test]
fn imports_point_downward() {
    expect_tidy(&upward_arrows(&Map::own(), &sources(&["src"])));
}

#[test]
fn an_upward_import_is_refused() {
    let rule = |files: &[Source]| upward_arrows(&Map::own(), files);
    let told = "mix (floor 1) reaches up to flow (floor 2)";
    expect_refused(rule, "src/mix/mod.rs", "//! Head\nuse crate::flow::Counter;\n", told);
    expect_refused(rule, "src/mix/voice.rs", "fn f() { crate::flow::Counter::default(); }\n", told);
    expect_refused(rule, "src/mix/voice.rs", "use crate::{limits, media::{Pts}, flow};\n", told);
    expect_refused(rule, "src/mix/mod.rs", "use super::flow::Counter;\n", told);
    expect_refused(rule, "src/mix/voice.rs", "use super::super::flow::Counter;\n", told);
    expect_refused(
        rule,
        "src/limits.rs",
        "use crate::media::Size;\nuse crate::node;\n",
        "limits (floor 0) reaches up to node",
    );
    expect_accepted(rule, "src/mix/mod.rs", "//! [`crate::flow`]\nuse crate::media::Pts;\nuse super::limits;\n");
    expect_accepted(rule, "src/mix/mod.rs", "#[cfg(test)]\nmod tests {\n    use crate::flow::Counter;\n}\n");
}

#[test]
fn rooms_form_no_circle() {
    expect_tidy(&cycles(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_circle_of_rooms_is_refused() {
    let files = [
        Source::new("src/encode/mod.rs", "use crate::compose::Canvas;\n"),
        Source::new("src/compose/mod.rs", "use crate::decode::Decoder;\n"),
        Source::new("src/decode/mod.rs", "use crate::encode::Encoder;\nuse crate::media::Pts;\n"),
        Source::new("src/media/mod.rs", "use crate::media::Pts;\n"),
    ];
    let told = cycles(&Map::own(), &files);
    assert_eq!(told, ["rooms import each other in a circle: compose → decode → encode → compose"]);
    assert!(cycles(&Map::own(), &files[..2]).is_empty());
}

#[test]
fn below_floor_3_nothing_reaches_outside() {
    expect_tidy(&reaches_outside(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_clock_socket_file_thread_or_log_below_floor_3_is_refused() {
    let rule = |files: &[Source]| reaches_outside(&Map::own(), files);
    for (word, _) in ABOVE_ONLY {
        expect_refused(rule, "src/jitter/mod.rs", &format!("fn f() {{ {word} }}\n"), &format!("{word} below floor 3"));
        expect_accepted(rule, "src/node/mod.rs", &format!("fn f() {{ {word} }}\n"));
    }
    expect_refused(rule, "src/flow/slot.rs", "fn f() { Instant::now() }\n", "Instant::now below floor 3");
    expect_accepted(rule, "src/flow/waker.rs", "fn f() { Instant::now() }\n");
    expect_accepted(rule, "src/jitter/mod.rs", "// Instant::now\n#[cfg(test)]\nfn f() { Instant::now() }\n");
}

#[test]
fn foreign_types_stay_in_their_rooms() {
    expect_tidy(&strays(&sources(&["src"])));
}

#[test]
fn a_foreign_type_out_of_its_room_is_refused() {
    expect_refused(strays, "src/node/mod.rs", "use str0m::Rtc;\n", "str0m's types stay in webrtc/");
    expect_refused(
        strays,
        "src/record/mod.rs",
        "fn f(b: mp4_atom::Moof) {}\n",
        "mp4_atom's types stay in fmp4/, footage/",
    );
    expect_accepted(strays, "src/webrtc/peer.rs", "use str0m::Rtc;\n");
}

#[test]
fn the_map_and_the_rooms_agree() {
    expect_tidy(&rooms_off_the_map(&Map::own(), &sources(&["src"])));
}

#[test]
fn a_room_off_the_map_is_refused() {
    let map = Map::parse("//! | 1 pure cores | [`room`] | who? |\n//! | 0 words | [`media`], [`limits`] | ids |\n");
    let files = |paths: &[&str]| paths.iter().map(|path| Source::new(path, "")).collect::<Vec<_>>();
    let whole = ["src/lib.rs", "src/room/mod.rs", "src/media/ids.rs", "src/limits.rs"];
    assert!(rooms_off_the_map(&map, &files(&whole)).is_empty());
    let told = rooms_off_the_map(&map, &files(&whole[..3]));
    assert_eq!(told, ["src/lib.rs: the map names limits, which is no room"]);
    let told = rooms_off_the_map(&map, &files(&[&whole[..], &["src/attic/mod.rs"]].concat()));
    assert_eq!(told, ["src/attic: a room that the map in src/lib.rs does not name"]);
}
