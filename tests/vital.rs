//! **The question:** what is left of a node one of whose threads panicked, without which it cannot go on? Nothing: the
//! real binary ends with code 1 and says in its log which thread it was. A library that is preloaded makes the panic.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::browser::node::Node;

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_panic_of_the_net_thread_ends_the_process_with_code_1_and_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let (library, log) = (folder.path().join("lies.so"), folder.path().join("log"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vital/lies.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(gcc.status().expect("gcc is installed").success());

    let preload = [("LD_PRELOAD", library.to_str().unwrap())];
    let node = Node::start_logging(&[], &preload, File::create(&log).unwrap());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"a kernel lies", node.media).unwrap();
    let ended = node.ended(PATIENCE);

    let log = fs::read_to_string(log).unwrap();
    assert_eq!(ended.expect("the process ends").code(), Some(1), "{log}");
    let told = |words: &[&str]| log.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(told(&["ERROR", "a panic", "net-", "udp.rs"]), "where: {log}");
    assert!(told(&["ERROR", "cannot go on without", "net-"]), "which thread: {log}");
    assert!(log.lines().last().is_some_and(|line| line.starts_with("tessera: net-")), "the last word: {log}");
}
