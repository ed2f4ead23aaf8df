//! What a process writes to its log, unasked and asked: the default says what happens, and less or more comes by
//! configuration.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tessera::io::keeper::make_certificates;

use crate::browser::node::Node;
use crate::keepers::process::BINARY;

/// What a node with these flags wrote from its start until Ctrl-C.
fn log_of_node(flags: &[&str], variable: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    Node::start_logging(flags, &[("TESSERA_LOG", variable)], File::create(&log).unwrap()).stop();
    fs::read_to_string(log).unwrap()
}

/// What a keeper wrote until it said that it listens.
fn log_of_keeper(variable: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let within = |name: &str| folder.path().join(name);
    make_certificates(&within("pki"), &["a", "b", "c"].map(str::to_owned)).unwrap();
    let mut keeper = Command::new(BINARY)
        .args(["keeper", "--listen", "127.0.0.1:0", "--folder"])
        .arg(within("keeper"))
        .arg("--certificates")
        .arg(within("pki/keeper-1"))
        .env("TESSERA_LOG", variable)
        .stdout(Stdio::piped())
        .stderr(File::create(within("log")).unwrap())
        .spawn()
        .unwrap();
    let listening = BufReader::new(keeper.stdout.take().unwrap()).lines().next();
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    assert!(listening.is_some_and(|line| line.is_ok()), "the keeper ended without saying where it listens");
    fs::read_to_string(within("log")).unwrap()
}

fn lines(log: &str, level: &str) -> usize {
    log.lines().filter(|line| line.contains(level)).count()
}

#[test]
fn a_node_tells_what_happens_and_neither_why_nor_what_libraries_do() {
    let log = log_of_node(&[], "");
    assert!(lines(&log, "INFO") > 0, "{log}");
    assert_eq!(lines(&log, "DEBUG"), 0, "{log}");
}

#[test]
fn a_keeper_tells_what_happens() {
    let log = log_of_keeper("");
    assert!(lines(&log, "INFO") > 0, "{log}");
    assert_eq!(lines(&log, "DEBUG"), 0, "{log}");
    assert_eq!(lines(&log_of_keeper("error"), "INFO"), 0);
}

#[test]
fn the_configured_level_leaves_out_what_is_below_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tessera.toml");
    fs::write(&file, "[log]\nlevel = \"error\"\n").unwrap();
    let log = log_of_node(&["--config", file.to_str().unwrap()], "");
    assert_eq!((lines(&log, "INFO"), lines(&log, "WARN")), (0, 0), "{log}");
}

#[test]
fn the_variable_asks_for_more() {
    let log = log_of_node(&[], "debug");
    assert!(lines(&log, "DEBUG") > 0, "{log}");
}
