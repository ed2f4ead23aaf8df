//! Rust sources as a rule sees them: comments, literals and test code blanked out, every line still in its place.

use std::fs;
use std::path::Path;

/// One source file.
pub struct Source {
    /// Its path from the repository's root, such as `src/room/mod.rs`.
    pub path: String,
    /// As it lies on disk.
    pub text: String,
    /// With comments and the contents of literals blanked.
    pub code: String,
    /// As `code`, with everything under `#[cfg(test)]` blanked too.
    pub shipped: String,
}

impl Source {
    /// The file at `path` with contents `text`.
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        let shipped = if is_tests_alone(path) { "\n".repeat(code.lines().count()) } else { blank_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    /// The room that the file belongs to: the folder or file name below `src/`. None for `lib.rs`, `main.rs` and what lies
    /// elsewhere.
    pub fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        let room = below.split('/').next()?.trim_end_matches(".rs");
        (room != "lib" && room != "main").then_some(room)
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

fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = skipped_to(text, at);
        for byte in code.iter_mut().take(end).skip(at).filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("blanking whole characters leaves UTF-8")
}

/// The end of the comment or literal that begins at byte `at`; `at` itself if none does.
fn skipped_to(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    let begins_word = at == 0 || !(text.as_bytes()[at - 1].is_ascii_alphanumeric() || text.as_bytes()[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => text[at..].find('\n').map_or(text.len(), |n| at + n),
        [b'/', b'*', ..] => comment_end(text, at),
        [b'"', ..] => quoted_end(text, at, b'"'),
        [b'b', b'"', ..] | [b'c', b'"', ..] if begins_word => quoted_end(text, at + 1, b'"'),
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

/// A module of tests in a file of its own: its `#[cfg(test)]` stands in the file above it.
fn is_tests_alone(path: &str) -> bool {
    path.ends_with("/tests.rs")
}

fn blank_tests(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(start) = code[from..].find("#[cfg(test)]").map(|n| from + n) {
        let end = match code[start..].find(['{', ';']).map(|n| start + n) {
            Some(open) if code.as_bytes()[open] == b'{' => block_end(code, open),
            Some(semicolon) => semicolon + 1,
            None => code.len(),
        };
        bytes[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        from = end;
    }
    String::from_utf8(bytes).expect("code outside literals is ASCII, or was blanked whole")
}

#[test]
fn a_file_of_tests_alone_ships_nothing() {
    assert_eq!(Source::new("src/jitter/audio/tests.rs", "fn a() {}\nfn b() {}\n").shipped, "\n\n");
    assert_ne!(Source::new("src/jitter/attests.rs", "fn a() {}\n").shipped, "\n");
}

#[test]
fn comments_literals_and_tests_are_blanked_and_lines_stay() {
    let text = "fn a<'x>() { f(\"} /* \\\" todo\", '\"', '\\'', r#\"x\" \"#, b'{', 'ß'); } // fn b\n/* /* { */ } */ fn c() {}\n\
                #[cfg(test)]\nmod tests { fn d() {} }\nfn r#e() {}\n";
    let source = Source::new("src/room/mod.rs", text);
    assert_eq!(source.text.len(), source.shipped.len());
    assert_eq!(source.text.matches('\n').count(), source.shipped.matches('\n').count());
    let words = source.shipped.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words, "fn a<'x>() { f( , , , , , ); } fn c() {} fn r#e() {}");
    assert!(source.code.contains("fn d()") && !source.shipped.contains("fn d()"));
}

#[test]
fn words_are_found_whole() {
    assert_eq!(find_word("Profile::new File::open", "File::").collect::<Vec<_>>(), [13]);
    assert_eq!(find_word("todos! todo! (todo!)", "todo!").collect::<Vec<_>>(), [7, 14]);
}
