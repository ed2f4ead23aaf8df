//! **The question:** what does a decoder that crashes or hangs cost, and what may it do? The real binary, whose
//! processes of decoders are killed and stopped from outside in the middle of a call.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tessera::app::load::Report;

use crate::browser::node::Node;
use crate::doors::harness::metric;
use crate::keepers::process::{BINARY, wait_until};

const WORKERS: usize = 2;
const PEOPLE: u64 = 8;

/// A node with two decode threads, each with a process, and a canvas that is soon drawn.
fn node(folder: &TempDir) -> Node {
    let file = folder.path().join("tessera.toml");
    let configuration = format!(
        "[media]\ndecoders = \"process\"\n[threads]\ndecode = {WORKERS}\n[video]\nwidth = 640\nheight = 360\nfps = 15\n\
         encoder = \"aom\"\n"
    );
    fs::write(&file, configuration).unwrap();
    Node::start_with(&["--config", file.to_str().unwrap()])
}

/// The node's processes of decoders.
fn decoders(node: &Node) -> BTreeSet<u32> {
    let threads = fs::read_dir(format!("/proc/{}/task", node.pid())).expect("the node runs").flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|line| line.split_whitespace().flat_map(str::parse).collect::<Vec<_>>()).collect();
    let is_one =
        |pid: &u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"--of-a-node\0"));
    children.into_iter().filter(is_one).collect()
}

fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process has a positive id");
    kill_process(pid, signal).expect("it is the node's own, and the node is ours");
}

fn replaced(node: &Node, cause: &str) -> u64 {
    metric(node, &format!("tessera_decoders_replaced_total{{cause=\"{cause}\"}}"))
}

fn report(path: &Path) -> Report {
    serde_json::from_slice(&fs::read(path).expect("the load told")).expect("figures are JSON")
}

#[test]
fn a_decoder_that_is_killed_and_one_that_hangs_cost_their_own_tiles_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let (node, figures) = (node(&folder), folder.path().join("load.json"));
    let mut load = Command::new(BINARY)
        .args(["load", "--url", &node.url, "--room", "call", "--participants", &PEOPLE.to_string(), "--decoders", "1"])
        .args(["--duration", "20s", "--quiet", "--json"])
        .arg(&figures)
        .env("XDG_CACHE_HOME", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary starts");
    let decoded = || metric(&node, "tessera_frames_decoded_total");
    wait_until("everybody's pictures flow", || decoded() > 60 * PEOPLE);
    let at_first = decoders(&node);
    assert_eq!(at_first.len(), WORKERS);
    let (killed, hung) = (*at_first.first().unwrap(), *at_first.last().unwrap());
    signal(killed, Signal::KILL);
    wait_until("another one takes its place", || {
        let now = decoders(&node);
        replaced(&node, "ended") == 1 && now.len() == WORKERS && now.contains(&hung) && !now.contains(&killed)
    });
    let so_far = decoded();
    wait_until("pictures flow again", || decoded() > so_far + 30 * PEOPLE);
    signal(hung, Signal::STOP);
    wait_until("one that answers takes its place", || {
        let now = decoders(&node);
        replaced(&node, "hung") == 1 && now.len() == WORKERS && now.is_disjoint(&at_first)
    });
    assert!(load.wait().expect("it was ours to wait for").success());
    let report = report(&figures);
    let people = report.participants;
    assert_eq!((people.connected as u64, people.seen as u64), (PEOPLE, PEOPLE), "{report:?}");
    // Each tile stood still once at most, when its own decoder was gone: those of one worker, then those of the other.
    // Half a second until the hung one is given up, a second that a simulated sender takes between two keyframes.
    let freezes = report.freezes;
    assert!(freezes.count <= PEOPLE && freezes.longest_ms < 3_000.0, "{report:?}");
    assert_eq!((replaced(&node, "ended"), replaced(&node, "hung"), replaced(&node, "garbled")), (1, 1, 0));
    assert_eq!(metric(&node, "tessera_decoder_tracks_refused_total"), 0, "nobody is to blame");
    node.stop();
}

#[test]
fn a_decoder_may_do_nothing_but_decode_and_ends_with_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(&folder);
    wait_until("they run", || decoders(&node).len() == WORKERS);
    let all = decoders(&node);
    for pid in &all {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        wait_until("it confined itself", || read("status").contains("Seccomp:\t2"));
        assert!(read("status").contains("NoNewPrivs:\t1"), "{}", read("status"));
        let limit = |name: &str| {
            let limits = read("limits");
            let line = limits.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            line.and_then(|line| line.split_whitespace().next().map(str::to_owned))
        };
        for name in ["Max open files", "Max processes", "Max core file size", "Max file size"] {
            // Who may not look at other users' limits sees none; `status` is there for all.
            assert!(limit(name).is_none_or(|most| most == "0"), "{name}: {:?}", limit(name));
        }
        // Where the loader finds the libraries that cargo built, and no token of the node's environment.
        let environ = read("environ");
        let kept: Vec<_> = environ.split_terminator('\0').filter(|one| !one.starts_with("LD_LIBRARY_PATH=")).collect();
        assert!(kept.is_empty(), "{kept:?}");
        // A process that cannot be dumped is root's: others may not look.
        if let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) {
            let open: Vec<_> = open.flatten().map(|entry| entry.file_name()).collect();
            assert_eq!(open, ["0"], "the socket to the node and nothing else");
        }
    }
    node.stop();
    wait_until("none is left", || all.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
}

#[test]
fn nobody_starts_one_by_hand() {
    let told =
        Command::new(BINARY).args(["decoder", "--of-a-node"]).stdin(Stdio::null()).stdout(Stdio::null()).output();
    assert_eq!(told.expect("the binary starts").status.code(), Some(2));
    let help = Command::new(BINARY).arg("--help").output().expect("the binary starts");
    assert!(!String::from_utf8_lossy(&help.stdout).contains("of-a-node"));
}
