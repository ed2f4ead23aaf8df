//! Sizes, heads and names: what a reader meets in every file.

use super::source::{Source, block_end, find_word, line_of, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const ALL: [&str; 3] = ["src", "tests", "benches"];

/// What is never left behind, anywhere.
const LEFTOVERS: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];

/// Names that say nothing about what a type is.
const EMPTY_NAMES: [&str; 6] = ["Manager", "Handler", "Service", "Context", "Util", "Helper"];

/// Where a C API or the choice of instructions asks for `unsafe`; clippy asks for the SAFETY comment.
const UNSAFE_FILES: [&str; 5] = [
    "src/compose/cpu/simd.rs",
    "src/compose/cpu/wide.rs",
    "src/decode/av1.rs",
    "src/encode/aom.rs",
    "src/retention/locked.rs",
];

fn long_files(files: &[Source]) -> Vec<String> {
    let lengths = files.iter().map(|source| (source, source.text.lines().count()));
    let long = lengths.filter(|(_, lines)| *lines > FILE_LINES_MAX);
    long.map(|(source, lines)| format!("{}: {lines} lines; {FILE_LINES_MAX} are the limit", source.path)).collect()
}

fn long_functions(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for (name, line, lines) in functions(&source.shipped).into_iter().filter(|(_, _, n)| *n > FUNCTION_LINES_MAX) {
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
        let Some(open) = signature.find(['{', ';']).map(|n| at + 3 + n).filter(|n| code.as_bytes()[*n] == b'{') else {
            continue;
        };
        let first = line_of(code, at);
        found.push((name, first, line_of(code, block_end(code, open) - 1) - first + 1));
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
            let ends = find_word(&source.shipped, word).map(move |at| at + word.len());
            ends.collect::<Vec<_>>()
        }) {
            let name: String = source.shipped[at..].chars().take_while(|c| c.is_alphanumeric()).collect();
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
    expect_refused(long_files, "src/room/mod.rs", &"//\n".repeat(801), "801 lines");
    expect_accepted(long_files, "src/room/mod.rs", &"//\n".repeat(800));
}

#[test]
fn functions_fit_on_a_screen() {
    expect_tidy(&long_functions(&sources(&["src", "benches"])));
}

#[test]
fn a_long_function_is_refused() {
    let of_lines = |n: usize| format!("pub fn long(\n    a: u8,\n) {{\n{}}}\n", "    { \"{\" }; // {\n".repeat(n - 4));
    expect_refused(long_functions, "src/room/mod.rs", &of_lines(71), "src/room/mod.rs:1: long has 71 lines");
    expect_accepted(long_functions, "src/room/mod.rs", &of_lines(70));
    let inner = format!("trait T {{\n    fn a();\n    fn b() {{\n{}    }}\n}}\n", "\n".repeat(69));
    expect_refused(long_functions, "src/room/mod.rs", &inner, ":3: b has 71 lines");
}

#[test]
fn every_file_states_its_question() {
    expect_tidy(&headless_files(&sources(&ALL)));
}

#[test]
fn a_file_without_a_head_is_refused() {
    expect_refused(headless_files, "src/room/mod.rs", "use std::fmt;\n//! Late\n", "states the file's question");
    expect_accepted(headless_files, "src/room/mod.rs", "//! **The question:** who?\n");
}

#[test]
fn nothing_is_left_over() {
    expect_tidy(&leftovers(&sources(&ALL)));
}

#[test]
fn a_leftover_is_refused() {
    for word in LEFTOVERS {
        expect_refused(leftovers, "src/room/mod.rs", &format!("fn f() {{\n    {word}()\n}}\n"), &format!(":2: {word}"));
        expect_accepted(leftovers, "src/room/mod.rs", &format!("// {word}()\n"));
    }
}

#[test]
fn names_say_something() {
    expect_tidy(&empty_names(&sources(&ALL)));
}

#[test]
fn an_empty_name_is_refused() {
    expect_refused(empty_names, "src/room/mod.rs", "pub struct RoomManager;\n", "RoomManager says nothing");
    expect_refused(empty_names, "src/room/mod.rs", "enum Helper { A }\n", "Helper says nothing");
    expect_accepted(empty_names, "src/room/mod.rs", "pub struct Room;\n");
}

#[test]
fn every_channel_has_a_bound() {
    expect_tidy(&unbounded_channels(&sources(&ALL)));
}

#[test]
fn an_unbounded_channel_is_refused() {
    for call in ["crossbeam_channel::unbounded()", "mpsc::unbounded_channel()", "std::sync::mpsc::channel()"] {
        let text = format!("fn f() {{ let (a, b) = {call}; }}\n");
        expect_refused(unbounded_channels, "src/node/mod.rs", &text, "every channel has a bound");
    }
    expect_accepted(unbounded_channels, "src/node/mod.rs", "fn f() { mpsc::channel(4); bounded(4); }\n");
}

#[test]
fn unsafe_stays_with_the_codecs() {
    expect_tidy(&unsafe_elsewhere(&sources(&ALL)));
}

#[test]
fn unsafe_elsewhere_is_refused() {
    expect_refused(
        unsafe_elsewhere,
        "src/mix/mod.rs",
        "fn f() { unsafe { g() } }\n",
        "unsafe outside a codec's own file",
    );
    expect_accepted(unsafe_elsewhere, "src/encode/aom.rs", "fn f() { unsafe { g() } }\n");
}
