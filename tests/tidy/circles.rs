//! Files form no circle: a file is read with what it names, and never needs to be read before itself. An arrow leads to
//! the file in which a name is defined, so that a `mod.rs` that only lists its room's doors closes no circle; nothing
//! is excepted. What a file takes from another without naming it (a method of a type, implemented elsewhere) is not
//! seen.

use std::collections::{BTreeMap, BTreeSet};

use super::expect_tidy;
use super::paths::{Named, named};
use super::source::{Source, sources};

/// The files by module, and what each gives out again under another path.
struct Tree<'a> {
    files: BTreeMap<Vec<String>, &'a Source>,
    named: BTreeMap<Vec<String>, Vec<Named>>,
}

/// One file names what another defines.
struct Arrow {
    to: Vec<String>,
    /// Where the first such path begins.
    at: usize,
    /// What it names.
    name: String,
    /// Whether the file only gives it out again.
    given_out: bool,
}

impl<'a> Tree<'a> {
    fn new(files: &'a [Source]) -> Self {
        let shipped = files.iter().filter(|source| source.path != "src/main.rs" && !source.shipped.trim().is_empty());
        let files: BTreeMap<_, _> = shipped.map(|source| (source.module(), source)).collect();
        let named = files.iter().map(|(module, source)| (module.clone(), named(source))).collect();
        Self { files, named }
    }

    /// The deepest file on the way to `path`, and what is left of it there.
    fn deepest<'p>(&self, path: &'p [String]) -> (&'p [String], &'p [String]) {
        let known = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]));
        path.split_at(known.unwrap_or(0))
    }

    /// The file that defines what `path` leads to: what a file gives out again leads on to where it comes from. None
    /// for a path that ends with a module, which leads nowhere by itself.
    fn home(&self, path: &[String], follow: u8) -> Option<Vec<String>> {
        let (module, rest) = self.deepest(path);
        let name = rest.first()?;
        let given_out = self.named.get(module).into_iter().flatten().find(|found| {
            let bound = found.bound.as_ref().filter(|bound| bound.public && bound.scope == module);
            bound.is_some_and(|bound| bound.name == *name) && found.ours
        });
        match given_out.filter(|_| follow > 0) {
            Some(found) => self.home(&[&found.path[..], &rest[1..]].concat(), follow - 1),
            None => Some(module.to_vec()),
        }
    }

    fn arrows(&self) -> BTreeMap<Vec<String>, Vec<Arrow>> {
        let mut arrows: BTreeMap<Vec<String>, Vec<Arrow>> = BTreeMap::new();
        for (module, paths) in &self.named {
            let arrows = arrows.entry(module.clone()).or_default();
            for found in paths.iter().filter(|found| found.ours) {
                let Some(to) = self.home(&found.path, 8).filter(|to| to != module) else { continue };
                let name = found.path[self.deepest(&found.path).0.len()].clone();
                let given_out = found.bound.as_ref().is_some_and(|bound| bound.public);
                // A file's first use of another tells more than what it gives out of it.
                match arrows.iter_mut().find(|arrow| arrow.to == to) {
                    Some(arrow) if !arrow.given_out || given_out => {}
                    Some(arrow) => *arrow = Arrow { to, at: found.at, name, given_out },
                    None => arrows.push(Arrow { to, at: found.at, name, given_out }),
                }
            }
        }
        arrows
    }
}

/// All that can be reached from `from`.
fn reached(arrows: &BTreeMap<Vec<String>, Vec<Arrow>>, from: &[String]) -> BTreeSet<Vec<String>> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_vec()]);
    while let Some(at) = next.pop() {
        for arrow in arrows.get(&at).into_iter().flatten() {
            if seen.insert(arrow.to.clone()) {
                next.push(arrow.to.clone());
            }
        }
    }
    seen
}

fn circles(files: &[Source]) -> Vec<String> {
    let tree = Tree::new(files);
    let arrows = tree.arrows();
    let reach: BTreeMap<_, _> = arrows.keys().map(|module| (module, reached(&arrows, module))).collect();
    let mut broken = Vec::new();
    let mut told = BTreeSet::new();
    for (module, there) in reach.iter().filter(|(module, there)| there.contains(**module)) {
        let circle: BTreeSet<_> = there.iter().filter(|other| reach[*other].contains(*module)).collect();
        if !told.insert(circle.clone()) {
            continue;
        }
        let inside = circle.iter().flat_map(|from| arrows[*from].iter().map(move |arrow| (*from, arrow)));
        let lines = inside.filter(|(_, arrow)| circle.contains(&arrow.to)).map(|(from, arrow)| {
            let to = &tree.files[&arrow.to].path;
            let given_out = if arrow.given_out { ", given out" } else { "" };
            format!("{} → {to} ({}{given_out})", tree.files[from].place(arrow.at), arrow.name)
        });
        let lines: Vec<String> = lines.collect();
        broken.push(format!("{} files import each other in a circle: {}", circle.len(), lines.join(", ")));
    }
    broken
}

/// A name that stands for all names hides the arrows that it draws.
fn globs(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        for found in named(source) {
            let all = found.bound.is_some_and(|bound| bound.name == "*");
            // A prelude is made to be taken whole; bounds import nothing, so no arrow is hidden.
            let whole = found.path.iter().any(|name| name == "prelude") || source.path == "src/base/limits.rs";
            if all && !whole {
                let place = source.place(found.at);
                broken.push(format!("{place}: {} hides what is used: name it", found.path.join("::")));
            }
        }
    }
    broken
}

#[test]
fn files_form_no_circle() {
    expect_tidy(&circles(&sources(&["src"])));
}

#[test]
fn a_circle_of_files_is_refused() {
    let files = |texts: &[(&str, &str)]| texts.iter().map(|(path, text)| Source::new(path, text)).collect::<Vec<_>>();
    let room = "//! Head\nmod part;\nuse part::Part;\npub struct Whole(Part);\n";
    let part = "use super::Whole;\npub struct Part;\npub fn f(_: &Whole) {}\n";
    let two = files(&[("src/core/mix/mod.rs", room), ("src/core/mix/part.rs", part)]);
    let there = "src/core/mix/mod.rs:3 → src/core/mix/part.rs (Part)";
    let back = "src/core/mix/part.rs:1 → src/core/mix/mod.rs (Whole)";
    assert_eq!(circles(&two), [format!("2 files import each other in a circle: {there}, {back}")]);

    // The same by paths inside code and through a file outside.
    let room = "mod part;\nfn g() { part::f() }\npub fn h() {}\n";
    let part = "pub fn f() { crate::core::scene::f() }\n";
    let scene = "use crate::core::mix;\npub fn f() { mix::h() }\n";
    let three =
        files(&[("src/core/mix/mod.rs", room), ("src/core/mix/part.rs", part), ("src/core/scene/mod.rs", scene)]);
    assert!(circles(&three)[0].starts_with("3 files"), "{:?}", circles(&three));
    assert!(circles(&three)[0].contains("src/core/scene/mod.rs:2 → src/core/mix/mod.rs (h)"));
}

#[test]
fn doors_tests_and_modules_alone_close_no_circle() {
    let files = |texts: &[(&str, &str)]| texts.iter().map(|(path, text)| Source::new(path, text)).collect::<Vec<_>>();
    // b and c name each other's room by its doors, which lead on to a and b.
    let doors = "mod a;\nmod b;\nmod c;\npub use a::{A as First, Other};\npub(super) use self::b::B;\n";
    let b = "use super::First;\nuse crate::core::mix::Other;\npub struct B;\n";
    let c = "use crate::core::mix::B;\nuse crate::core::mix;\npub fn f(_: mix::First) {}\n";
    let room = [
        ("src/core/mix/mod.rs", doors),
        ("src/core/mix/a.rs", "pub struct A;\npub struct Other;\n"),
        ("src/core/mix/b.rs", b),
        ("src/core/mix/c.rs", c),
    ];
    assert_eq!(circles(&files(&room)), Vec::<String>::new());
    // `mod x;` alone, what tests import, and a module's own children in braces.
    let room = [
        ("src/core/mix/mod.rs", "mod a;\npub struct A;\nmod inner {\n    use super::A;\n}\nfn f() { inner::g() }\n"),
        ("src/core/mix/a.rs", "use super::A;\n#[cfg(test)]\nmod tests {\n    use crate::core::mix::b::B;\n}\n"),
        ("src/core/mix/b.rs", "use super::a::C;\n"),
    ];
    assert_eq!(circles(&files(&room)), Vec::<String>::new());
    // Doors of doors: the room gives out what a floor's other room gave out.
    let room = [
        ("src/core/mix/mod.rs", "pub use crate::core::scene::Rect;\npub use part::Part;\n"),
        ("src/core/mix/part.rs", "use super::Rect;\npub struct Part;\n"),
        ("src/core/scene/mod.rs", "mod rect;\npub use rect::Rect;\n"),
        ("src/core/scene/rect.rs", "pub struct Rect;\n"),
    ];
    assert_eq!(circles(&files(&room)), Vec::<String>::new());
}

#[test]
fn imports_name_what_they_use() {
    expect_tidy(&globs(&sources(&["src"])));
}

#[test]
fn an_import_of_everything_is_refused() {
    super::expect_refused(globs, "src/core/mix/mod.rs", "pub use a::{b, c::*};\n", "mod.rs:1: a::c::* hides");
    super::expect_accepted(
        globs,
        "src/core/mix/mod.rs",
        "#[cfg(test)]\nmod tests { use super::*; }\nuse a::prelude::*;\n",
    );
}
