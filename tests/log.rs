//! What a process writes to its log, unasked and asked: the default says what happens, and less or more comes by
//! configuration.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tessera::io::keeper::make_certificates;

use crate::browser::driver::client;
use crate::browser::node::Node;
use crate::keepers::process::BINARY;

const PATIENCE: Duration = Duration::from_secs(30);

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
    let mut keeper = start_keeper(folder.path(), variable);
    let listening = BufReader::new(keeper.stdout.take().unwrap()).lines().next();
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    assert!(listening.is_some_and(|line| line.is_ok()), "the keeper ended without saying where it listens");
    fs::read_to_string(folder.path().join("log")).unwrap()
}

fn start_keeper(folder: &Path, variable: &str) -> Child {
    make_certificates(&folder.join("pki"), &["a", "b", "c"].map(str::to_owned)).unwrap();
    Command::new(BINARY)
        .args(["keeper", "--listen", "127.0.0.1:0", "--folder"])
        .arg(folder.join("keeper"))
        .arg("--certificates")
        .arg(folder.join("pki/keeper-1"))
        .env("TESSERA_LOG", variable)
        .stdout(Stdio::piped())
        .stderr(File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap()
}

/// What a node of this configured level wrote, that was asked for a leg while its only port was taken, which is a
/// warning.
fn log_of_warned_node(level: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (config, log) = (folder.path().join("tessera.toml"), folder.path().join("log"));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = format!("[log]\nlevel = \"{level}\"\n[media]\nlegs = \"127.0.0.1:{port}-{port}\"\n");
    fs::write(&config, text).unwrap();
    let node = Node::start_logging(&["--config", config.to_str().unwrap()], &[], File::create(&log).unwrap());
    let request = client().post(format!("{}v1/rooms/log/legs", node.url)).body(r#"{"codec":"opus"}"#);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(async { request.send().await.unwrap().status() }), 503);
    node.stop();
    fs::read_to_string(log).unwrap()
}

/// What a keeper of this level wrote, to whom somebody spoke without a certificate, which is a warning.
fn log_of_warned_keeper(level: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut keeper = start_keeper(folder.path(), level);
    let line = BufReader::new(keeper.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    let address = line.split([' ', ';']).find(|word| word.parse::<SocketAddr>().is_ok()).expect("it says where");
    let mut stranger = TcpStream::connect(address).unwrap();
    stranger.write_all(b"no TLS at all\r\n\r\n").unwrap();
    // It hangs up once it has refused.
    stranger.set_read_timeout(Some(PATIENCE)).unwrap();
    while stranger.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
    let until = Instant::now() + PATIENCE;
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    while level != "error" && lines(&log(), "WARN") == 0 {
        assert!(Instant::now() < until, "{}", log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(keeper.try_wait().unwrap(), None, "{}", log());
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    log()
}

fn lines(log: &str, level: &str) -> usize {
    log.lines().filter(|line| line.contains(level)).count()
}

#[test]
fn a_node_tells_what_happens_and_neither_why_nor_what_libraries_do() {
    let log = log_of_node(&[], "");
    assert!(lines(&log, "INFO") > 0, "{log}");
    assert!(!log.contains('\u{1b}'), "no terminal reads a file: {log}");
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

/// Of each level a line, and none of those below. What goes wrong is not provoked: an error is the first of all.
#[test]
fn node_and_keeper_write_what_their_level_says_and_nothing_below() {
    const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
    for (at, level) in LEVELS.into_iter().enumerate() {
        let named = level.to_lowercase();
        for (whose, log) in [("node", log_of_warned_node(&named)), ("keeper", log_of_warned_keeper(&named))] {
            // Of the last one only libraries have lines.
            for written in LEVELS[..4].iter().take(at + 1).skip(1) {
                assert!(lines(&log, written) > 0, "{whose} at {level} writes no {written}: {log}");
            }
            for below in &LEVELS[at + 1..] {
                assert_eq!(lines(&log, below), 0, "{whose} at {level} writes {below}: {log}");
            }
        }
    }
}

/// Whoever started them may hang up, on what they print and on their log.
#[test]
fn node_and_keeper_go_on_when_nobody_reads_what_they_print() {
    let (unread, log) = std::io::pipe().unwrap();
    let node = Node::start_logging(&[], &[("TESSERA_LOG", "debug")], log);
    drop(unread);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..3 {
        let healthy = async { client().get(format!("{}healthz", node.url)).send().await };
        assert!(runtime.block_on(healthy).unwrap().status().is_success());
    }
    node.stop();
    // It hangs up on a keeper after its first line.
    log_of_warned_keeper("warn");
}

/// What was asked for and could not be written is no success.
#[test]
fn a_full_disk_under_an_answer_is_told_and_a_reader_who_has_seen_enough_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let init = |folder_name: &str, out: Stdio| {
        let mut command = Command::new(BINARY);
        command.args(["keeper", "init", "--out", folder_name, "a:7443", "b:7443", "c:7443"]);
        command.current_dir(folder.path()).stdout(out).stderr(Stdio::piped()).output().unwrap()
    };
    let full = init("one", File::create("/dev/full").unwrap().into());
    assert_eq!(full.status.code(), Some(1), "{}", String::from_utf8_lossy(&full.stderr));
    assert!(String::from_utf8_lossy(&full.stderr).contains("No space left"));
    let (unread, pipe) = std::io::pipe().unwrap();
    drop(unread);
    assert!(init("two", pipe.into()).status.success());
}
