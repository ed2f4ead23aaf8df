//! **The question:** what is left of a node one of whose threads panicked, without which it cannot go on? Nothing: the
//! real binary ends with code 1 and says in its log which thread it was. And of one of whose threads hangs? Whoever
//! asks whether it lives is told, and it waits for nobody when it is to end. A library that is preloaded makes both.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tessera::base::limits::HEALTH_SPAN;

use crate::browser::driver::client;
use crate::browser::node::Node;
use crate::keepers::process::wait_until;

const PATIENCE: Duration = Duration::from_secs(30);

fn library(folder: &Path) -> PathBuf {
    let library = folder.join("lies.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vital/lies.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(gcc.status().expect("gcc is installed").success());
    library
}

#[test]
fn a_net_thread_that_hangs_is_noticed_by_whoever_asks_whether_the_node_lives() {
    let folder = tempfile::tempdir().unwrap();
    let library = library(folder.path());
    let node = Node::start_in(&[], &[("LD_PRELOAD", library.to_str().unwrap())]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let health = || {
        let asked = async { client().get(format!("{}healthz", node.url)).send().await.unwrap().text().await.unwrap() };
        runtime.block_on(asked)
    };
    // Every thread has been asked, and has answered.
    assert_eq!([health(), health()], ["ok\n", "ok\n"]);
    let since = Instant::now();
    wait_until("a span in which one that hung would be missed", || since.elapsed() > HEALTH_SPAN * 2);
    assert_eq!(health(), "ok\n", "nobody is missed who lives");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(b"a kernel sleeps", node.media).unwrap();
    wait_until("it is missed", || health().contains("urn:tessera:problem:lifeless"));
    // Whoever restarts such a node sends SIGTERM, and rooms have minutes then: not where nothing serves them.
    let pid = Pid::from_raw(node.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, Signal::TERM).expect("it is ours, and runs");
    assert_eq!(node.ended(PATIENCE * 3).expect("nobody is waited for").code(), Some(1));
}

#[test]
fn a_panic_of_the_net_thread_ends_the_process_with_code_1_and_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let (library, log) = (library(folder.path()), folder.path().join("log"));
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
