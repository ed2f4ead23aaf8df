//! Rust sources as a rule sees them: comments, literals and test code blanked out, every line still in its place.

use std::fs;
use std::path::Path;

/// One source file.
pub struct Source {
    /// Its path from the repository's root, such as `src/room/mod.rs`.
    pub path: String,
    /// As it lies on disk.
    pub text: String,
    /// With comments blanked and literals left as they are.
    pub told: String,
    /// With comments and the contents of literals blanked.
    pub code: String,
    /// As `code`, with everything under `#[cfg(test)]` blanked too.
    pub shipped: String,
}

impl Source {
    /// The file at `path` with contents `text`.
    pub fn new(path: &str, text: &str) -> Self {
        let told = blank(text, |begin| begin.starts_with('/'));
        let code = blank(text, |_| true);
        let shipped = blank_tests(path, &code);
        Self { path: path.to_owned(), text: text.to_owned(), told, code, shipped }
    }

    /// The floor and room that the file belongs to, such as `core/mix`: the two folders below `src/`, or a folder and
    /// the file in it. None for `lib.rs`, `main.rs`, each floor's own `mod.rs`, and what lies elsewhere.
    pub fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let end = below.match_indices('/').nth(1).map_or(below.len(), |(at, _)| at);
        let room = below[..end].trim_end_matches(".rs");
        (room != "lib" && room != "main" && !room.ends_with("/mod")).then_some(room)
    }

    /// The module that the file is, from the crate's root: `["core", "mix", "voice"]`; none for `lib.rs`.
    pub fn module(&self) -> Vec<String> {
        let below = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let below = below.strip_suffix("/mod").unwrap_or(below);
        below.split('/').filter(|name| *name != "lib" && *name != "main").map(str::to_owned).collect()
    }

    /// Whether the code at byte `at` is compiled for tests alone.
    pub fn is_test(&self, at: usize) -> bool {
        self.path.starts_with("tests/") || self.shipped.as_bytes()[at] != self.code.as_bytes()[at]
    }

    /// Where byte `at` stands, as every rule tells it: `src/core/mix/mod.rs:7`.
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, line_of(&self.code, at))
    }
}

/// Every Rust file below the folders `roots` of the repository; a folder that is not there holds none.
pub fn sources(roots: &[&str]) -> Vec<Source> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for root in roots {
        collect(home, &home.join(root), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(home: &Path, folder: &Path, found: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
        if path.is_dir() {
            collect(home, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let name = path.strip_prefix(home).expect("the file lies below the root").to_string_lossy().into_owned();
            found.push(Source::new(&name, &text));
        }
    }
}

/// The line, counted from 1, on which byte `at` stands.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where `word` stands in `code` as a whole: no identifier character on the sides where `word` itself ends in one.
pub fn find_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let (bytes, ends) = (code.as_bytes(), word.as_bytes());
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = inside(ends.first()) && at > 0 && inside(bytes.get(at - 1));
        let after = inside(ends.last()) && inside(bytes.get(at + word.len()));
        !before && !after
    })
}

/// The end (exclusive) of the braced block whose `{` stands at byte `open`.
pub fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// Blanks each comment and literal that `wanted` likes; it is given the text from there on.
fn blank(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < text.len() {
        let end = skipped_to(text, at);
        if end > at && text.is_char_boundary(at) && wanted(&text[at..]) {
            spaces(&mut code[at..end]);
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole characters were blanked")
}

/// Spaces in place of all bytes, except where a line ends.
fn spaces(bytes: &mut [u8]) {
    bytes.iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
}

/// The end of the comment or literal that begins at byte `at`; `at` itself if none does.
fn skipped_to(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let begins_word = at == 0 || !(text.as_bytes()[at - 1].is_ascii_alphanumeric() || text.as_bytes()[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => text[at..].find('\n').map_or(text.len(), |n| at + n),
        [b'/', b'*', ..] => comment_end(text, at),
        [b'"', ..] => quoted_end(text, at, b'"'),
        [b'b' | b'c', b'"', ..] if begins_word => quoted_end(text, at + 1, b'"'),
        [b'b', b'\'', ..] if begins_word => quoted_end(text, at + 1, b'\''),
        [b'r', b'"' | b'#', ..] if begins_word => raw_end(text, at + 1).unwrap_or(at),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if begins_word => raw_end(text, at + 2).unwrap_or(at),
        [b'\'', b'\\', ..] => quoted_end(text, at, b'\''),
        // A character literal closes after one character; a lifetime does not.
        [b'\'', ..] => {
            let mut characters = text[at + 1..].char_indices().skip(1);
            characters.next().filter(|(_, c)| *c == '\'').map_or(at, |(n, _)| at + 1 + n + 1)
        }
        _ if !text.is_char_boundary(at) => at + 1,
        _ => at,
    }
}

fn comment_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, start);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    bytes.len()
}

fn quoted_end(text: &str, open: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of the raw string whose hashes (or quote) begin at `open`; none for a raw identifier such as `r#type`.
fn raw_end(text: &str, open: usize) -> Option<usize> {
    let hashes = text[open..].bytes().take_while(|b| *b == b'#').count();
    let body = open + hashes + 1;
    (text.as_bytes().get(open + hashes) == Some(&b'"')).then_some(())?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[body..].find(&close).map_or(text.len(), |n| body + n + close.len()))
}

/// A module of tests in a file or folder of its own: its `#[cfg(test)]` stands in the file above it.
fn is_tests_alone(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/")
}

fn blank_tests(path: &str, code: &str) -> String {
    let mut shipped = code.as_bytes().to_vec();
    let mut from = 0;
    if is_tests_alone(path) {
        spaces(&mut shipped);
        from = code.len();
    }
    while let Some(start) = code[from..].find("#[cfg(test)]").map(|n| from + n) {
        from = item_end(code, start);
        spaces(&mut shipped[start..from]);
    }
    String::from_utf8(shipped).expect("whole characters were blanked")
}

/// The end (exclusive) of the item that begins at byte `start`: its block's, or its semicolon's outside all brackets.
pub fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return block_end(code, at),
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn a_file_of_tests_alone_ships_nothing() {
    for path in ["src/core/jitter/audio/tests.rs", "src/io/webrtc/tests/client.rs"] {
        assert_eq!(Source::new(path, "fn a() {}\nfn b() {}\n").shipped.trim(), "");
    }
    for path in ["src/core/jitter/attests.rs", "tests/record/sim.rs"] {
        assert_ne!(Source::new(path, "fn a() {}\n").shipped.trim(), "");
    }
}

#[test]
fn a_file_knows_its_room_and_its_module() {
    let known = |path: &str| {
        let source = Source::new(path, "");
        (source.room().map(str::to_owned), source.module().join("::"))
    };
    assert_eq!(known("src/core/mix/mod.rs"), (Some("core/mix".into()), "core::mix".into()));
    assert_eq!(known("src/core/mix/voice/pcm.rs"), (Some("core/mix".into()), "core::mix::voice::pcm".into()));
    assert_eq!(known("src/base/limits.rs"), (Some("base/limits".into()), "base::limits".into()));
    assert_eq!(known("src/core/mod.rs"), (None, "core".into()));
    assert_eq!(known("src/lib.rs"), (None, String::new()));
    assert_eq!(known("src/attic.rs").0, Some("attic".into()));
    assert_eq!(known("tests/sim.rs").0, None);
}

#[test]
fn comments_literals_and_tests_are_blanked_and_lines_stay() {
    let text = "fn a<'x>() { f(\"} /* \\\" todo\", '\"', '\\'', r#\"x\" \"#, b'{', 'ß'); } // fn b\n\
                /* /* { */ } */ fn c() {}\n\
                #[cfg(test)]\nmod tests { fn d() {} }\nfn r#e() {}\n#[cfg(test)]\nfn f(a: [u8; 4]) {}\n";
    let source = Source::new("src/core/room/mod.rs", text);
    assert_eq!(source.text.len(), source.shipped.len());
    assert_eq!(source.text.matches('\n').count(), source.shipped.matches('\n').count());
    let words = source.shipped.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, "fn a<'x>() { f( , , , , , ); } fn c() {} fn r#e() {}");
    assert!(source.code.contains("fn d()") && !source.shipped.contains("fn d()"));
    assert!(source.told.contains("r#\"x\" \"#") && !source.told.contains("fn b"));
    let (tests, ours) = (source.code.find("fn d").unwrap(), source.code.find("fn c").unwrap());
    assert!(source.is_test(tests) && !source.is_test(ours));
}

#[test]
fn words_are_found_whole() {
    assert_eq!(find_word("Profile::new File::open", "File::").collect::<Vec<_>>(), [13]);
    assert_eq!(find_word("todos! todo! (todo!)", "todo!").collect::<Vec<_>>(), [7, 14]);
}
