//! Sizes, heads, names and bounds: what a reader meets in every file.

use super::source::{Source, find_word, item_end, line_of, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 120;
const ALL: [&str; 4] = ["src", "tests", "benches", "examples"];

/// What is never left behind, anywhere.
const LEFTOVERS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Names that say nothing about what a type is.
const EMPTY_NAMES: [&str; 6] = ["Manager", "Handler", "Service", "Context", "Util", "Helper"];

/// How a bound is called, and where all of them stand.
const BOUND_NAMES: [&str; 4] = ["_MAX", "_SPAN", "_LEN", "_SPACING"];
const BOUNDS: &str = "src/base/limits";

/// Where a C API or the choice of instructions asks for `unsafe`; clippy asks for the SAFETY comment.
const UNSAFE_FILES: [&str; 14] = [
    "src/base/allocations.rs",
    "src/core/retention/locked.rs",
    "src/engine/compose/cpu/simd.rs",
    "src/engine/compose/cpu/wide.rs",
    "src/engine/decode/arena.rs",
    "src/engine/decode/av1.rs",
    "src/engine/decode/vpx.rs",
    "src/engine/encode/aom.rs",
    "src/engine/encode/h264.rs",
    "src/engine/encode/vp8.rs",
    "src/io/apart/memory.rs",
    "src/io/apart/sandbox.rs",
    "src/io/http/unsent.rs",
    "src/io/store/clock.rs",
];

fn long_files(files: &[Source]) -> Vec<String> {
    let lengths = files.iter().map(|source| (source, source.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(source, lines)| format!("{}: {lines} lines; {FILE_LINES_MAX} are the limit", source.path)).collect()
}

fn long_lines(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        // Characters, as rustfmt counts them; it leaves comments, literals and what a macro is given to us.
        let columns = source.text.lines().map(|line| line.chars().count()).enumerate();
        for (n, columns) in columns.filter(|(_, columns)| *columns > COLUMNS_MAX) {
            broken.push(format!("{}:{}: {columns} columns; {COLUMNS_MAX} are the limit", source.path, n + 1));
        }
    }
    broken
}

fn long_functions(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for (name, line, lines) in functions(&source.code).into_iter().filter(|(_, _, n)| *n > FUNCTION_LINES_MAX) {
            let place = format!("{}:{line}", source.path);
            broken.push(format!("{place}: {name} has {lines} lines; {FUNCTION_LINES_MAX} are the limit"));
        }
    }
    broken
}

/// Name, first line and length in lines of every function that has a body.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for at in find_word(code, "fn ") {
        let signature = &code[at + 3..];
        let name: String = signature.chars().take_while(|c| c.is_alphanumeric() || "_#".contains(*c)).collect();
        let (first, end) = (line_of(code, at), item_end(code, at));
        if code[..end].ends_with('}') {
            found.push((name, first, line_of(code, end - 1) - first + 1));
        }
    }
    found
}

fn headless_files(files: &[Source]) -> Vec<String> {
    let headless = files.iter().filter(|source| !source.text.starts_with("//! "));
    headless.map(|source| format!("{}: the first line states the file's question: //! …", source.path)).collect()
}

fn leftovers(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for word in LEFTOVERS {
            let places = find_word(&source.code, word).map(|at| line_of(&source.code, at));
            broken.extend(places.map(|line| format!("{}:{line}: {word} is left over", source.path)));
        }
    }
    broken
}

fn empty_names(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for at in ["struct ", "enum ", "trait ", "type "].into_iter().flat_map(|word| {
            // A type inside of an `impl` has the name that its trait gives it.
            let is_own = |at: &usize| word != "type " || !source.shipped[..*at].ends_with("    ");
            let ends = find_word(&source.shipped, word).filter(is_own).map(move |at| at + word.len());
            ends.collect::<Vec<_>>()
        }) {
            let name: String = source.shipped[at..].chars().take_while(|c| c.is_alphanumeric()).collect();
            // The name of an associated type was chosen by its trait.
            if source.shipped[..at].ends_with("\n    type ") {
                continue;
            }
            if EMPTY_NAMES.iter().any(|empty| name.starts_with(empty) || name.ends_with(empty)) {
                broken.push(format!("{}:{}: {name} says nothing", source.path, line_of(&source.shipped, at)));
            }
        }
    }
    broken
}

fn unbounded_channels(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for word in ["unbounded", "unbounded_channel", "mpsc::channel()"] {
            let places = find_word(&source.shipped, word).map(|at| line_of(&source.shipped, at));
            broken.extend(places.map(|line| format!("{}:{line}: {word}: every channel has a bound", source.path)));
        }
    }
    broken
}

fn bounds_elsewhere(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files.iter().filter(|source| !source.path.starts_with(BOUNDS)) {
        for at in find_word(&source.shipped, "const ").chain(find_word(&source.shipped, "static ")) {
            let name = source.shipped[at..].split_whitespace().nth(1).unwrap_or_default();
            let Some(name) = name.strip_suffix(':').filter(|name| BOUND_NAMES.iter().any(|end| name.ends_with(end)))
            else {
                continue;
            };
            broken.push(format!(
                "{}: {name}: a bound stands in {BOUNDS}, a format's own size is called …_BYTES",
                source.place(at)
            ));
        }
    }
    broken
}

fn unlinted(manifest: &str) -> Vec<String> {
    let linted = manifest.lines().any(|line| line.starts_with("[lints"));
    if linted { Vec::new() } else { vec!["Cargo.toml: no [lints] table says what the house refuses".to_owned()] }
}

fn unsafe_elsewhere(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files.iter().filter(|source| !UNSAFE_FILES.contains(&source.path.as_str())) {
        let places = find_word(&source.code, "unsafe").map(|at| line_of(&source.code, at));
        broken.extend(places.map(|line| format!("{}:{line}: unsafe outside a codec's own file", source.path)));
    }
    broken
}

#[test]
fn files_fit_in_a_sitting() {
    expect_tidy(&long_files(&sources(&ALL)));
}

#[test]
fn a_long_file_is_refused() {
    expect_refused(long_files, "src/core/room/mod.rs", &"//\n".repeat(801), "801 lines");
    expect_accepted(long_files, "src/core/room/mod.rs", &"//\n".repeat(800));
}

#[test]
fn lines_fit_on_a_screen() {
    expect_tidy(&long_lines(&sources(&ALL)));
}

#[test]
fn a_long_line_is_refused() {
    let told = "src/core/room/mod.rs:2: 121 columns";
    expect_refused(long_lines, "src/core/room/mod.rs", &format!("\n// {}\n", "é".repeat(118)), told);
    expect_refused(long_lines, "src/core/room/mod.rs", &format!("\nconst A: &str = \"{}\";\n", "é".repeat(102)), told);
    expect_accepted(long_lines, "src/core/room/mod.rs", &format!("\n// {}\n", "é".repeat(117)));
}

#[test]
fn functions_fit_on_a_screen() {
    expect_tidy(&long_functions(&sources(&ALL)));
}

#[test]
fn a_long_function_is_refused() {
    let of_lines = |n: usize| format!("pub fn long(\n    a: u8,\n) {{\n{}}}\n", "    { \"{\" }; // {\n".repeat(n - 4));
    expect_refused(long_functions, "src/core/room/mod.rs", &of_lines(71), "src/core/room/mod.rs:1: long has 71 lines");
    expect_accepted(long_functions, "src/core/room/mod.rs", &of_lines(70));
    let inner = format!("trait T {{\n    fn a();\n    fn b() {{\n{}    }}\n}}\n", "\n".repeat(69));
    expect_refused(long_functions, "src/core/room/mod.rs", &inner, ":3: b has 71 lines");
    let array = of_lines(71).replace("a: u8", "a: [u8; 4]");
    expect_refused(long_functions, "tests/sim/world.rs", &array, "long has 71 lines");
    expect_refused(long_functions, "src/core/room/tests.rs", &of_lines(71), "long has 71 lines");
}

#[test]
fn every_file_states_its_question() {
    expect_tidy(&headless_files(&sources(&ALL)));
}

#[test]
fn a_file_without_a_head_is_refused() {
    expect_refused(headless_files, "src/core/room/mod.rs", "use std::fmt;\n//! Late\n", "states the file's question");
    expect_accepted(headless_files, "src/core/room/mod.rs", "//! **The question:** who?\n");
}

#[test]
fn nothing_is_left_over() {
    expect_tidy(&leftovers(&sources(&ALL)));
}

#[test]
fn a_leftover_is_refused() {
    for word in LEFTOVERS {
        expect_refused(
            leftovers,
            "src/core/room/mod.rs",
            &format!("fn f() {{\n    {word}()\n}}\n"),
            &format!(":2: {word}"),
        );
        expect_accepted(leftovers, "src/core/room/mod.rs", &format!("// {word}()\n"));
    }
}

#[test]
fn names_say_something() {
    expect_tidy(&empty_names(&sources(&ALL)));
}

#[test]
fn an_empty_name_is_refused() {
    expect_refused(empty_names, "src/core/room/mod.rs", "pub struct RoomManager;\n", "RoomManager says nothing");
    expect_refused(empty_names, "src/core/room/mod.rs", "enum Helper { A }\n", "Helper says nothing");
    expect_refused(empty_names, "src/core/room/mod.rs", "type Service = A;\n", "Service says nothing");
    expect_accepted(empty_names, "src/core/room/mod.rs", "pub struct Room;\n");
    expect_accepted(empty_names, "src/core/room/mod.rs", "impl A for B {\n    type Service = C;\n}\n");
}

#[test]
fn every_channel_has_a_bound() {
    expect_tidy(&unbounded_channels(&sources(&ALL)));
}

#[test]
fn an_unbounded_channel_is_refused() {
    for call in ["crossbeam_channel::unbounded()", "mpsc::unbounded_channel()", "std::sync::mpsc::channel()"] {
        let text = format!("fn f() {{ let (a, b) = {call}; }}\n");
        expect_refused(unbounded_channels, "src/app/node/mod.rs", &text, "every channel has a bound");
    }
    expect_accepted(unbounded_channels, "src/app/node/mod.rs", "fn f() { mpsc::channel(4); bounded(4); }\n");
}

#[test]
fn every_bound_stands_in_one_file() {
    expect_tidy(&bounds_elsewhere(&sources(&["src"])));
}

#[test]
fn a_bound_elsewhere_is_refused() {
    for name in ["PEERS_MAX", "CLOSE_SPAN", "QUEUE_LEN", "POLL_SPACING"] {
        for item in ["const", "pub const", "pub(super) const", "static"] {
            let text = format!("{item} {name}: usize = 4;\n");
            expect_refused(bounds_elsewhere, "src/core/room/mod.rs", &text, &format!(":1: {name}: a bound stands in"));
            expect_accepted(bounds_elsewhere, &format!("{BOUNDS}/load.rs"), &text);
        }
    }
    let text = "const TAG_BYTES: usize = 16;\nconst MAX: u8 = 1;\nconst fn a_MAX() {}\n\
                struct Within<const MIN: u32, const MAX: u32>;\n\
                #[cfg(test)]\nmod tests {\n    const SEEDS_MAX: u8 = 4;\n}\n";
    expect_accepted(bounds_elsewhere, "src/core/room/mod.rs", text);
}

#[test]
fn the_house_says_what_it_refuses() {
    expect_tidy(&unlinted(include_str!("../../Cargo.toml")));
}

#[test]
fn a_manifest_without_lints_is_refused() {
    assert_eq!(unlinted("[package]\n# [lints]\n").len(), 1);
    expect_tidy(&unlinted("[package]\n[lints.rust]\nmissing_docs = \"warn\"\n"));
}

#[test]
fn unsafe_stays_with_the_codecs() {
    expect_tidy(&unsafe_elsewhere(&sources(&ALL)));
}

#[test]
fn unsafe_elsewhere_is_refused() {
    expect_refused(
        unsafe_elsewhere,
        "src/core/mix/mod.rs",
        "fn f() { unsafe { g() } }\n",
        "unsafe outside a codec's own file",
    );
    expect_accepted(unsafe_elsewhere, "src/engine/encode/aom.rs", "fn f() { unsafe { g() } }\n");
}
