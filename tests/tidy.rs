//! Taste is a test: floors, circles, clocks, owners, sizes, heads, bounds and waits. Every rule reads the sources as
//! text and tells all that breaks it; each has tests beside it that show it a source it must refuse and one that it
//! must accept.

mod circles;
mod dead;
mod floors;
mod owners;
mod paths;
mod rules;
mod source;
mod waits;

use source::Source;

/// Fails with one line for each thing that breaks a rule.
#[track_caller]
fn expect_tidy(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// A rule's own test: the snippet, as the file at `path`, must be refused with a line that contains `told`.
#[track_caller]
fn expect_refused(rule: impl Fn(&[Source]) -> Vec<String>, path: &str, text: &str, told: &str) {
    let broken = rule(&[Source::new(path, text)]);
    assert!(broken.iter().any(|line| line.contains(told)), "{text:?} in {path} was told {broken:?}");
}

/// A rule's own test: the snippet, as the file at `path`, must pass.
#[track_caller]
fn expect_accepted(rule: impl Fn(&[Source]) -> Vec<String>, path: &str, text: &str) {
    expect_tidy(&rule(&[Source::new(path, text)]));
}
