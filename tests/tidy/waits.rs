//! Tests wait for what they wait for, and not for ever: a loop that sleeps looks at the clock, and a sleep outside
//! such a loop says why nothing can be asked instead.

use std::ops::Range;

use super::source::{Source, block_end, find_word, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

/// What shows that a waiting loop ends: it looks at the clock, or counts its tries.
const ENDS: [&str; 3] = ["Instant::now", "elapsed", "tries"];

/// A loop's kind and where it and its body stand.
struct Loop {
    /// Whether only its own condition ends it; `for` and `while let` end with what they go through.
    waits: bool,
    range: Range<usize>,
}

fn loops(code: &str) -> Vec<Loop> {
    let mut found = Vec::new();
    for word in ["loop ", "while ", "for "] {
        for at in find_word(code, word) {
            // `impl Trait for Type` has no `in`.
            let Some(open) = code[at..].find('{').map(|n| at + n) else { continue };
            let head = &code[at..open];
            let through = head.starts_with("while let ") || head.starts_with("for ");
            if !head.starts_with("for ") || head.contains(" in ") {
                found.push(Loop { waits: !through, range: at..block_end(code, open) });
            }
        }
    }
    found
}

/// The argument of the call whose name begins at `at`.
fn argument(code: &str, at: usize) -> &str {
    let Some(open) = code[at..].find('(').map(|n| at + n) else { return "" };
    let mut depth = 0;
    for (n, byte) in code[open..].bytes().enumerate() {
        depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return &code[open + 1..open + n];
        }
    }
    ""
}

/// Whether a comment stands above the line of byte `at`.
fn is_explained(source: &Source, at: usize) -> bool {
    let begin = source.text[..at].rfind('\n').unwrap_or(0);
    source.text[..begin].lines().next_back().is_some_and(|line| line.trim_start().starts_with("//"))
}

fn endless_waits(files: &[Source]) -> Vec<String> {
    told_of_sleeps(files, |source, at, innermost| {
        let range = innermost.filter(|innermost| innermost.waits)?.range.clone();
        let ends = ENDS.iter().any(|word| find_word(&source.code[range.clone()], word).next().is_some());
        (!ends).then(|| format!("{}: the loop around this sleep may never end: look at the clock", source.place(at)))
    })
}

fn blind_sleeps(files: &[Source]) -> Vec<String> {
    told_of_sleeps(files, |source, at, innermost| {
        // A sleep until a moment paces; it does not hope.
        let paces = argument(&source.code, at).contains("Instant::now");
        let blind = !innermost.is_some_and(|innermost| innermost.waits) && !paces && !is_explained(source, at);
        blind.then(|| format!("{}: wait for what is waited for, or say above why it cannot be asked", source.place(at)))
    })
}

/// What `tell` has to say of every sleep in code for tests, given the innermost loop around it.
fn told_of_sleeps(files: &[Source], tell: impl Fn(&Source, usize, Option<&Loop>) -> Option<String>) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        let loops = loops(&source.code);
        for at in find_word(&source.code, "sleep(").filter(|at| source.is_test(*at)) {
            let around = loops.iter().filter(|around| around.range.contains(&at));
            broken.extend(tell(source, at, around.min_by_key(|around| around.range.len())));
        }
    }
    broken
}

#[test]
fn no_wait_is_endless() {
    expect_tidy(&endless_waits(&sources(&["src", "tests"])));
}

#[test]
fn an_endless_wait_is_refused() {
    for head in ["loop", "while !so()", "while n < 2"] {
        let text = format!("fn f() {{\n    {head} {{\n        std::thread::sleep(SPAN);\n    }}\n}}\n");
        expect_refused(
            endless_waits,
            "tests/call.rs",
            &text,
            "tests/call.rs:3: the loop around this sleep may never end",
        );
        let text = text.replace("sleep(SPAN)", "sleep(SPAN).await");
        expect_refused(
            endless_waits,
            "src/core/mix/mod.rs",
            &format!("#[cfg(test)]\nmod tests {{ {text} }}\n"),
            "may never end",
        );
        expect_accepted(endless_waits, "src/core/mix/mod.rs", &text);
        for end in ["assert!(Instant::now() < until);", "if since.elapsed() > SPAN { break }", "tries += 1;"] {
            expect_accepted(endless_waits, "tests/call.rs", &text.replace("std::", &format!("{end} std::")));
        }
    }
    let nested = "fn f() { loop { x(Instant::now()); while !so() { sleep(SPAN) } } }\n";
    expect_refused(endless_waits, "tests/call.rs", nested, "may never end");
    expect_accepted(endless_waits, "tests/call.rs", "fn f() { while Instant::now() < until { sleep(SPAN) } }\n");
    expect_accepted(endless_waits, "tests/call.rs", "fn f() { for n in 0..9 { sleep(SPAN) } }\n");
}

#[test]
fn no_sleep_is_blind() {
    expect_tidy(&blind_sleeps(&sources(&["src", "tests"])));
}

#[test]
fn a_blind_sleep_is_refused() {
    let told = "wait for what is waited for";
    expect_refused(
        blind_sleeps,
        "tests/call.rs",
        "fn f() {\n    thread::sleep(SPAN);\n}\n",
        "tests/call.rs:2: wait for",
    );
    expect_refused(blind_sleeps, "tests/call.rs", "fn f() {\n    for n in 0..9 { sleep(SPAN) }\n}\n", told);
    expect_refused(
        blind_sleeps,
        "tests/call.rs",
        "impl A for B {\n    fn f() { tokio::time::sleep(SPAN).await }\n}\n",
        told,
    );
    expect_accepted(blind_sleeps, "tests/call.rs", "fn f() {\n    // A word of four seconds.\n    sleep(SPAN);\n}\n");
    expect_accepted(blind_sleeps, "tests/call.rs", "fn f() {\n    while !so() { sleep(SPAN) }\n}\n");
    expect_accepted(
        blind_sleeps,
        "tests/call.rs",
        "fn f() {\n    sleep(next.saturating_duration_since(Instant::now()));\n}\n",
    );
    expect_accepted(blind_sleeps, "src/app/load/run.rs", "fn f() {\n    sleep(SPAN);\n}\n");
}
