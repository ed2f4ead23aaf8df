//! Which paths does a source name? Its `use` trees leaf by leaf and the paths inside its code, each led back to the
//! crate's root or to the crate that it comes from, so that neither nesting nor renaming nor `super` hides where an
//! arrow points.

use std::collections::BTreeSet;

use super::source::Source;

/// A path that shipped code names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// From our crate's root, such as `core::mix::Mixer`, or with a foreign crate's name in front.
    pub path: Vec<String>,
    /// Whether it lies in our crate.
    pub ours: bool,
    /// The byte at which it begins.
    pub at: usize,
    /// What a `use` makes of it; none inside code.
    pub bound: Option<Bound>,
}

/// The name that a `use` gives a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// `*` for all that lies there.
    pub name: String,
    /// The module in which it is known.
    pub scope: Vec<String>,
    /// Whether other modules reach it there: `pub use`, `pub(super) use`.
    pub public: bool,
}

/// A token of code: an identifier or number, `::`, or one other character.
pub struct Token<'a> {
    /// As it is written.
    pub text: &'a str,
    /// The byte at which it begins.
    pub at: usize,
}

impl Token<'_> {
    fn is_name(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// Code without comments and literals, cut into tokens.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = code[at..].chars().next() {
        let rest = &code[at..];
        let word = |from: usize| {
            rest[from..].find(|c: char| !c.is_alphanumeric() && c != '_').map_or(rest.len(), |n| from + n)
        };
        let length = match first {
            _ if rest.starts_with("::") => 2,
            _ if rest.starts_with("r#") => word(2),
            c if c.is_alphanumeric() || c == '_' => word(0),
            c => c.len_utf8(),
        };
        if !first.is_whitespace() {
            found.push(Token { text: &rest[..length], at });
        }
        at += length;
    }
    found
}

/// Every path that the shipped code of `source` names: the leaves of its `use` trees, and all paths of two names or
/// more.
pub fn named(source: &Source) -> Vec<Named> {
    let tokens = tokens(&source.shipped);
    let mut reader =
        Reader { tokens: &tokens, modules: BTreeSet::new(), raw: Vec::new(), scope: source.module(), open: Vec::new() };
    reader.read();
    let Reader { modules, raw, .. } = reader;
    raw.iter().filter_map(|found| found.led_back(&modules, &raw)).collect()
}

/// A path as it is written.
#[derive(Clone)]
struct Raw {
    path: Vec<String>,
    /// Whether `::` leads it: a foreign crate whatever else has that name.
    foreign: bool,
    at: usize,
    scope: Vec<String>,
    /// Of a `use`: the name it gives and whether it is public.
    bound: Option<(String, bool)>,
}

impl Raw {
    fn led_back(&self, modules: &BTreeSet<Vec<String>>, all: &[Raw]) -> Option<Named> {
        let (ours, path) = self.resolved(modules, all, 0)?;
        let bound = self.bound.clone().map(|(name, public)| Bound { name, scope: self.scope.clone(), public });
        Some(Named { path, ours, at: self.at, bound })
    }

    /// Whether it is ours, and its path from the root. `depth` ends what would lead back to itself.
    fn resolved(&self, modules: &BTreeSet<Vec<String>>, all: &[Raw], depth: u8) -> Option<(bool, Vec<String>)> {
        let first = self.path.first()?;
        if self.foreign || depth > 8 {
            return Some((false, self.path.clone()));
        }
        if first == "crate" {
            return Some((true, self.path[1..].to_vec()));
        }
        let climbs = self.path.iter().take_while(|name| *name == "super").count();
        if climbs > 0 || first == "self" {
            let left = self.scope.len().checked_sub(climbs)?;
            return Some((true, [&self.scope[..left], &self.path[climbs.max(1)..]].concat()));
        }
        if modules.contains(&[&self.scope[..], std::slice::from_ref(first)].concat()) {
            return Some((true, [&self.scope[..], &self.path[..]].concat()));
        }
        let binds = |raw: &&Raw| {
            raw.scope == self.scope && raw.at != self.at && raw.bound.as_ref().is_some_and(|(name, _)| name == first)
        };
        let Some(import) = all.iter().find(binds) else { return Some((false, self.path.clone())) };
        let (ours, path) = import.resolved(modules, all, depth + 1)?;
        Some((ours, [path, self.path[1..].to_vec()].concat()))
    }
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    /// The modules that the file declares, from the root.
    modules: BTreeSet<Vec<String>>,
    raw: Vec<Raw>,
    scope: Vec<String>,
    /// For every brace that is open, whether it is a module's.
    open: Vec<bool>,
}

impl Reader<'_> {
    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text == text)
    }

    /// Whether the token `back` places before `at` is `text`.
    fn was(&self, at: usize, back: usize, text: &str) -> bool {
        at.checked_sub(back).is_some_and(|at| self.is(at, text))
    }

    fn name(&self, at: usize) -> Option<String> {
        self.tokens.get(at).filter(|token| token.is_name()).map(|token| token.text.to_owned())
    }

    fn read(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            at = match self.tokens[at].text {
                "mod" => self.module(at),
                "use" if !self.is(at + 1, "<") => {
                    let public = self.is_public(at);
                    self.tree(at + 1, public, &[])
                }
                "{" => {
                    self.open.push(false);
                    at + 1
                }
                "}" => {
                    if self.open.pop() == Some(true) {
                        self.scope.pop();
                    }
                    at + 1
                }
                _ if self.tokens[at].is_name() => self.path(at),
                _ => at + 1,
            };
        }
    }

    fn module(&mut self, at: usize) -> usize {
        let Some(name) = self.name(at + 1) else { return at + 1 };
        let module = [&self.scope[..], &[name]].concat();
        self.modules.insert(module.clone());
        if self.is(at + 2, "{") {
            self.scope = module;
            self.open.push(true);
        }
        at + 3
    }

    /// Whether the `use` at `at` is `pub` in one way or another.
    fn is_public(&self, at: usize) -> bool {
        let bracket = (2..8).find(|back| self.was(at, *back, "("));
        self.was(at, 1, "pub") || self.was(at, 1, ")") && bracket.is_some_and(|back| self.was(at, back + 1, "pub"))
    }

    /// Reads a `use` tree that begins at `at`, below `prefix`; where it ends.
    fn tree(&mut self, mut at: usize, public: bool, prefix: &[String]) -> usize {
        let begin = self.tokens.get(at).map_or(0, |token| token.at);
        let foreign = self.is(at, "::");
        at += usize::from(foreign);
        let mut path = prefix.to_vec();
        loop {
            if self.is(at, "{") {
                at += 1;
                while at < self.tokens.len() && !self.is(at, "}") {
                    at = if self.is(at, ",") { at + 1 } else { self.tree(at, public, &path) };
                }
                return at + 1;
            }
            let Some(token) = self.tokens.get(at) else { return at };
            // `a::{self}` is `a`.
            if token.text != "self" || path.is_empty() {
                path.push(token.text.to_owned());
            }
            at += 1;
            if !self.is(at, "::") {
                break;
            }
            at += 1;
        }
        let renamed = self.is(at, "as").then(|| self.name(at + 1)).flatten();
        at += if renamed.is_some() { 2 } else { 0 };
        let name = renamed.or_else(|| path.last().cloned()).unwrap_or_default();
        self.raw.push(Raw { path, foreign, at: begin, scope: self.scope.clone(), bound: Some((name, public)) });
        at
    }

    /// Reads the path inside code that begins at `at`; where it ends.
    fn path(&mut self, at: usize) -> usize {
        let mut names = vec![self.tokens[at].text.to_owned()];
        let mut end = at + 1;
        while self.is(end, "::") {
            let Some(name) = self.name(end + 1) else { break };
            names.push(name);
            end += 2;
        }
        // `'a` is a lifetime, `<T as Trait>::a` and `f::<u8>::a` are no paths from a root, `pub(in a::b)` says who may
        // see.
        let leads = self.was(at, 1, "::");
        let trails = leads && (self.was(at, 2, ">") || at > 1 && self.tokens[at - 2].is_name());
        let seen_by = self.was(at, 1, "in") && self.was(at, 2, "(") && self.was(at, 3, "pub");
        if !(trails || seen_by || self.was(at, 1, "'") || self.was(at, 1, ".")) && (names.len() > 1 || leads) {
            let at = self.tokens[at].at;
            self.raw.push(Raw { path: names, foreign: leads, at, scope: self.scope.clone(), bound: None });
        }
        end
    }
}

/// The paths of a source, each written with `::`, a foreign one with `::` in front.
fn written(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, text);
    let write = |found: Named| format!("{}{}", if found.ours { "" } else { "::" }, found.path.join("::"));
    named(&source).into_iter().map(write).collect()
}

#[test]
fn every_leaf_of_a_use_tree_is_named() {
    let text = "use crate::{base::{limits, media::{self, Pts as P}}, core::x};\nuse ::a::b;\npub use {c::d, e as f};\n";
    let told = ["base::limits", "base::media", "base::media::Pts", "core::x", "::a::b", "::c::d", "::e"];
    assert_eq!(written("src/core/mix/mod.rs", text), told);
    assert_eq!(written("src/core/mix/mod.rs", "use super::*;\nfn f() -> impl Sized + use<'_> {}\n"), ["core::*"]);
}

#[test]
fn a_path_is_led_back_to_its_root() {
    let text = "mod voice;\nuse self::voice::A;\nuse super::b;\n\
                fn f() { voice::g(); b::C::d(); crate::io::h(); ::x::y(); z::w() }\n";
    let told = ["core::mix::voice::A", "core::b", "core::mix::voice::g", "core::b::C::d", "io::h", "::x::y", "::z::w"];
    assert_eq!(written("src/core/mix/mod.rs", text), told);
    assert_eq!(written("src/core/mix/voice.rs", "use super::super::scene::Rect;\n"), ["core::scene::Rect"]);
    let renamed = "use opus as library;\nuse crate::io as doors;\nfn f() { library::x(); doors::store::y() }\n";
    assert_eq!(written("src/core/mix/voice.rs", renamed), ["::opus", "io", "::opus::x", "io::store::y"]);
    let inner = "mod stun {\n    use super::Peer;\n    fn f() { super::g() }\n}\nfn h() { stun::f() }\n";
    assert_eq!(
        written("src/io/webrtc/a.rs", inner),
        ["io::webrtc::a::Peer", "io::webrtc::a::g", "io::webrtc::a::stun::f"]
    );
}

#[test]
fn what_only_looks_like_a_path_is_not_named() {
    let text = "pub(in crate::core) fn f<'a>(x: &'a str) { <T as U>::v(x); x.w::<u8>(); g::<u8>::h() } // a::b\n\
                #[cfg(test)]\nuse crate::c;\n";
    assert_eq!(written("src/core/mix/mod.rs", text), Vec::<String>::new());
}

#[test]
fn what_a_use_binds_is_known() {
    let text = "pub(in crate::io) use a::B as C;\nuse d::E;\npub use f::*;\n";
    let bound = named(&Source::new("src/io/x.rs", text)).into_iter().filter_map(|found| found.bound);
    let bound: Vec<_> = bound.map(|bound| (bound.name, bound.scope.join("::"), bound.public)).collect();
    let told = [("C", true), ("E", false), ("*", true)].map(|(name, public)| (name.into(), "io::x".to_owned(), public));
    assert_eq!(bound, told);
}
