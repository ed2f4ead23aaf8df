//! **The question:** what does a node that records nothing keep of a call? Two people with names and an address of
//! their own talk and write to each other; then everything that the node wrote is searched, its log of every level
//! first.

use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::browser::node::Node;
use crate::client::{Client, wait_until};

/// Of this machine, and nothing listens there.
const ADDRESS: [u8; 4] = [127, 77, 77, 77];
const NAMES: [&str; 2] = ["Zerubbabel", "Quetzalcoatl"];
const WORDS: [&str; 2] = ["meet-me-behind-the-quince-tree", "nobody-may-know-of-the-heron"];
const ROOM: &str = "antechamber-of-the-archduke";

/// Everything under a folder, however deep.
fn files(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push((path.clone(), fs::read(path).unwrap()));
        }
    }
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window.eq_ignore_ascii_case(wanted))
}

#[test]
fn nothing_of_a_call_that_is_not_recorded_stays_not_even_in_a_log_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("temporary")).unwrap();
    fs::write(at("tessera.toml"), "[log]\nlevel = \"trace\"\n[video]\nlabels = true\n").unwrap();
    let (config, temporary) = (at("tessera.toml"), at("temporary"));
    let flags = ["--config", config.to_str().unwrap()];
    let environment = [("TMPDIR", temporary.to_str().unwrap())];
    let node = Node::start_logging(&flags, &environment, File::create(at("log")).unwrap());
    let address = IpAddr::from(ADDRESS);
    let join = |number: usize| Client::join_from(address, &node.url, ROOM, (NAMES[number], number), None);
    let mut people = vec![join(0), join(1)];
    people.iter_mut().zip(WORDS).for_each(|(person, text)| person.say("chat", json!({ "text": text })));
    wait_until(&mut people, "each hears the other, by name and in writing", |people| {
        let reads = |one: &Client, number: usize| {
            one.told.iter().any(|said| said["type"] == "chat" && said.to_string().contains(WORDS[number]))
        };
        let knows = |one: &Client| {
            one.last("room").is_some_and(|room| NAMES.iter().all(|name| room.to_string().contains(name)))
        };
        let hears = |one: &Client, number: usize| one.hears(number) == Some(true);
        people.iter().all(knows)
            && (reads(&people[0], 1) && hears(&people[0], 1))
            && (reads(&people[1], 0) && hears(&people[1], 0))
    });
    // What no door understands is not repeated either.
    people[0].say("record", json!({ "recording": WORDS[0] }));
    wait_until(&mut people, "that is refused", |people| people[0].last("problem").is_some());
    drop(people);

    // Its folder goes with it, so that is searched while it runs.
    let mut written = Vec::new();
    files(&fs::read_link(format!("/proc/{}/cwd", node.pid())).unwrap(), &mut written);
    node.stop();
    files(folder.path(), &mut written);
    let log = written.iter().find(|(path, _)| path.ends_with("log")).map(|(_, bytes)| bytes).expect("it has a log");
    assert!(holds(log, b"DEBUG") && holds(log, b"a room begins"), "everything is written");
    let address = address.to_string();
    for (path, bytes) in &written {
        for wanted in NAMES.iter().chain(&WORDS).copied().chain([ROOM, &address]) {
            let line = bytes.split(|byte| *byte == b'\n').find(|line| holds(line, wanted.as_bytes()));
            assert_eq!(line.map(String::from_utf8_lossy), None, "{wanted} is in {}", path.display());
        }
    }
}
