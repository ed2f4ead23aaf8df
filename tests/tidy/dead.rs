//! Nothing is public for nobody: every `pub` item of `src` is named by somebody. Read as text, so it finds what
//! nobody's code names; a method with a common name passes for another's. The compiler cannot say it of a library,
//! whose user it does not know.

use std::collections::BTreeMap;
use std::ops::Range;

use super::paths::{Token, tokens};
use super::source::{Source, block_end, item_end, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

/// What may stand between `pub` and the word that says what an item is.
const BEFORE: [&str; 4] = ["async", "unsafe", "extern", "const"];
const ITEMS: [&str; 8] = ["fn", "struct", "enum", "union", "const", "static", "trait", "type"];

/// An item that is `pub`, without brackets.
struct Item {
    name: String,
    /// The byte of its `pub`.
    at: usize,
    /// Its definition, and whole blocks of its `impl`: to be named there is to be named by itself.
    own: Vec<Range<usize>>,
}

fn items(source: &Source) -> Vec<Item> {
    let tokens = tokens(&source.shipped);
    let impls = impls(&source.shipped, &tokens);
    let mut found = Vec::new();
    for (n, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "pub") {
        let text = |n: usize| tokens.get(n).map_or("", |token| token.text);
        let is_before = |n: usize| {
            BEFORE.contains(&text(n)) && (text(n) != "const" || BEFORE.contains(&text(n + 1)) || text(n + 1) == "fn")
        };
        let word = (n + 1..n + 5).find(|n| !is_before(*n)).unwrap_or(n);
        if !ITEMS.contains(&text(word)) {
            continue;
        }
        let name = text(if text(word + 1) == "mut" { word + 2 } else { word + 1 }).to_owned();
        let blocks = impls.iter().filter(|(of, _)| *of == name).map(|(_, block)| block.clone());
        let own = blocks.chain(std::iter::once(token.at..item_end(&source.shipped, token.at))).collect();
        found.push(Item { name, at: token.at, own });
    }
    found
}

/// Each `impl` block of a file, with the name of the type that it is of.
fn impls<'a>(code: &str, tokens: &[Token<'a>]) -> Vec<(&'a str, Range<usize>)> {
    let mut found = Vec::new();
    for (n, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "impl") {
        // `-> impl Trait` and `x: impl Trait` are types.
        let begins = n == 0 || ["}", ";", "]", "unsafe", "{"].contains(&tokens[n - 1].text);
        let Some(open) = tokens[n..].iter().find(|token| token.text == "{").filter(|_| begins) else { continue };
        let head: Vec<&str> = tokens[n + 1..]
            .iter()
            .take_while(|token| token.at < open.at && token.text != "where")
            .map(|token| token.text)
            .collect();
        let of = head.iter().rposition(|word| *word == "for").map_or(&head[..], |at| &head[at + 1..]);
        if let Some(name) = type_name(of) {
            found.push((name, token.at..block_end(code, open.at)));
        }
    }
    found
}

/// The last name of a type's path outside angle brackets.
fn type_name<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (mut depth, mut name) = (0, None);
    for word in words {
        match *word {
            "<" => depth += 1,
            ">" => depth -= 1,
            word if depth == 0 && word.starts_with(char::is_alphabetic) => name = Some(word),
            _ => {}
        }
    }
    name
}

/// `pub use` without a new name: it gives out, and uses nothing.
fn given_out(source: &Source) -> Vec<Range<usize>> {
    let tokens = tokens(&source.code);
    let mut found = Vec::new();
    for (n, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "use") {
        let public = n > 0 && ["pub", ")"].contains(&tokens[n - 1].text);
        let end = source.code[token.at..].find(';').map_or(source.code.len(), |n| token.at + n);
        let renames = tokens[n..].iter().take_while(|token| token.at < end).any(|token| token.text == "as");
        if public && !renames {
            found.push(token.at..end);
        }
    }
    found
}

/// Where each word stands, file by file, outside comments and outside what is only given out.
fn words(files: &[Source]) -> Vec<BTreeMap<&str, Vec<usize>>> {
    let of = |source| {
        let passed = given_out(source);
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        // Literals too: a format names a constant, an attribute a function.
        let is_passed = |at: usize| passed.iter().any(|range| range.contains(&at));
        for token in tokens(&source.told).into_iter().filter(|token| !is_passed(token.at)) {
            places.entry(token.text).or_default().push(token.at);
        }
        places
    };
    files.iter().map(of).collect()
}

fn dead(files: &[Source]) -> Vec<String> {
    let words = words(files);
    let mut broken = Vec::new();
    for (n, source) in files.iter().enumerate().filter(|(_, source)| source.path.starts_with("src/")) {
        let used_elsewhere =
            |name: &str| words.iter().enumerate().any(|(other, words)| other != n && words.contains_key(name));
        for Item { name, at, own } in items(source) {
            let here = words[n].get(name.as_str()).into_iter().flatten();
            let used_here = here.into_iter().any(|at| !own.iter().any(|own| own.contains(at)) && !source.is_test(*at));
            if !used_here && !used_elsewhere(&name) {
                broken.push(format!("{}: {name} is public, and nobody names it", source.place(at)));
            }
        }
    }
    broken
}

#[test]
fn what_is_public_is_named() {
    expect_tidy(&dead(&sources(&["src", "tests", "benches", "examples"])));
}

#[test]
fn a_public_item_that_nobody_names_is_refused() {
    let refused = |text: &str, name: &str| {
        let told = format!("src/core/mix/mod.rs:1: {name} is public, and nobody names it");
        expect_refused(dead, "src/core/mix/mod.rs", text, &told);
    };
    refused("pub fn lost() -> u8 {\n    lost()\n}\n", "lost");
    refused("pub const fn lost() {}\n// lost()\n", "lost");
    refused("pub async unsafe fn lost() {}\npub use lost;\n", "lost");
    refused("pub const LOST: [u8; 2] = [0; 2];\n", "LOST");
    refused("pub fn lost() {}\n#[cfg(test)]\nmod tests {\n    fn t() { super::lost() }\n}\n", "lost");
    refused("pub trait Lost {}\n#[cfg(test)]\nmod tests {\n    impl super::Lost for u8 {}\n}\n", "Lost");
    refused(
        "pub struct Lost<T>(T);\nimpl<T> Lost<T> {\n    fn new() -> Lost<T> {}\n}\nimpl Drop for Lost<u8> {}\n",
        "Lost",
    );
    refused("pub enum Lost { A }\nimpl From<u8> for Lost {\n    fn from(_: u8) -> Self { Lost::A }\n}\n", "Lost");
}

#[test]
fn what_somebody_names_is_accepted() {
    let accepted = |text: &str| expect_accepted(dead, "src/core/mix/mod.rs", text);
    accepted("pub fn found() {}\nfn main() { found() }\n");
    accepted("pub struct Found;\nfn f() -> Found {}\n");
    accepted("pub struct Found;\npub use Found as Other;\n");
    accepted("pub const FOUND: u8 = 1;\nfn f() { println!(\"{FOUND}\") }\n");
    accepted("pub(crate) fn lost() {}\n#[cfg(test)]\npub fn lost_too() {}\n");
    let files = |other: &str| {
        [Source::new("src/core/mix/mod.rs", "pub fn found() {}\n"), Source::new(other, "use x::found;\n")]
    };
    for other in ["benches/mix.rs", "src/core/scene/tests.rs", "tests/sim.rs"] {
        expect_tidy(&dead(&files(other)));
    }
}
