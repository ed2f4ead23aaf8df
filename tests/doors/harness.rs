//! **The question:** what did a siege cost? A node, five people who talk in one of its rooms, and what the node's
//! memory and ticks say before and after.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tessera::app::load::Report;

use crate::browser::node::{Load, Node};
use crate::keepers::process::BINARY;

/// The room of the five; sieges happen in others.
pub const CALL: &str = "call";
/// How far the node's resident memory may rise above what it was when the siege began, bytes.
const GROWTH_BYTES: u64 = 50_000_000;
/// A canvas that two cores draw beside whatever else they do: what is asked is whether a stranger stops it.
const SMALL: &str = "[video]\nwidth = 320\nheight = 180\nfps = 10\nencoder = \"aom\"\n[audio]\ncomplexity = 0\n";
/// Where the five write what they saw and heard.
const FIGURES: &str = "load.json";
/// Ticks of the call that are waited for before the siege, so that all its memory is there, and after it.
const TICKS: u64 = 30;
/// So long none of these may be left out; a machine that is never so calm begins without.
const CALM: Duration = Duration::from_secs(20);
/// A machine that does other things too leaves out one of so many; what holds a node up leaves out all for a while.
const OF_TICKS: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(60);

/// A node with a call of five, and how it stood when the siege began.
pub struct Siege {
    /// The node; its media and HTTP are on loopback.
    pub node: Node,
    load: Load,
    before: Costs,
    folder: TempDir,
}

/// What a siege may cost.
#[derive(Debug, Clone, Copy)]
struct Costs {
    /// The highest resident memory when the siege began, and what of it are pages of files (the program's own), bytes.
    resident: u64,
    of_files: u64,
    /// Video ticks of the call's room.
    ticks: u64,
    /// Of these, those that were not encoded.
    skipped: u64,
    /// Audio ticks left out, of all rooms.
    audio_skipped: u64,
}

impl Siege {
    /// Starts a node with these flags and lines of configuration, and the call, and waits until it runs.
    pub fn begin(flags: &[&str], configuration: &str) -> Self {
        Self::begin_by(Path::new(BINARY), flags, configuration)
    }

    /// As `begin`, by another program that becomes the node.
    pub fn begin_by(program: &Path, flags: &[&str], configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tessera.toml");
        fs::write(&file, format!("{SMALL}{configuration}")).unwrap();
        let flags = [&["--config", file.to_str().unwrap()], flags].concat();
        let node = Node::start_program(program, "127.0.0.1:0", &flags, &[], Stdio::inherit());
        let figures = folder.path().join(FIGURES);
        let told = ["--decoders", "1", "--json", figures.to_str().unwrap()];
        // All have come and send what they are asked for: what they cost until then is no stranger's doing.
        let load = Load::start_measuring_heeding(&node, CALL, 5, 600, &told);
        let calm = Cell::new((costs(&node), Instant::now()));
        wait_for_costs(&node, "the call runs", |costs| {
            let (since, begun) = calm.get();
            if costs.skipped > since.skipped && begun.elapsed() < CALM {
                calm.set((*costs, begun));
            }
            costs.ticks >= calm.get().0.ticks + TICKS
        });
        forget_peak(&node);
        let before = costs(&node);
        Self { node, load, before, folder }
    }

    /// The siege itself is over: memory never rose far. What those cost who come in properly from now on is not its
    /// cost.
    pub fn lifted(&self) {
        self.rose_by_at_most(GROWTH_BYTES);
    }

    /// Memory never rose further than that so far, bytes.
    pub fn rose_by_at_most(&self, bytes: u64) {
        // What of the program is read in meanwhile is no cost of theirs.
        let read_in = of_files(&self.node).saturating_sub(self.before.of_files);
        let (before, after) = (self.before.resident, peak(&self.node).saturating_sub(read_in));
        println!("a siege cost {} KiB", after.saturating_sub(before) / 1024);
        assert!(after < before + bytes, "memory rose from {before} to {after} bytes");
    }

    /// Ticks of the call's picture and of all sound that were left out since it began.
    pub fn lost(&self) -> (u64, u64) {
        let now = costs(&self.node);
        (now.skipped - self.before.skipped, now.audio_skipped - self.before.audio_skipped)
    }

    /// Ends it: the five are still there, and hardly a tick was lost.
    pub fn end(self) {
        let until = costs(&self.node).ticks + TICKS;
        let after = wait_for_costs(&self.node, "the call goes on", |costs| costs.ticks >= until);
        let (lost, ticks) = (self.lost(), after.ticks - self.before.ticks);
        println!("a siege of {ticks} ticks cost {lost:?}");
        // Of sound there are at least as many.
        assert!(
            lost.0 <= 2.max(ticks / OF_TICKS) && lost.1 <= 2.max(ticks / OF_TICKS),
            "{lost:?} of {ticks} were lost"
        );
        self.over();
    }

    /// As `end`, of a siege that keeps all cores busy, of which a machine with few has none left for some ticks: the
    /// call goes on. What the five saw and heard.
    pub fn end_of_work(self) -> Report {
        let until = costs(&self.node).ticks + TICKS;
        wait_for_costs(&self.node, "the call goes on", |costs| costs.ticks >= until);
        println!("ticks lost, of the picture and of all sound: {:?}", self.lost());
        self.over()
    }

    fn over(self) -> Report {
        let Self { node, load, folder, .. } = self;
        block_on(node.wait_for_participants(CALL, 5, PATIENCE));
        load.stop();
        node.stop();
        serde_json::from_slice(&fs::read(folder.path().join(FIGURES)).expect("the load told"))
            .expect("figures are JSON")
    }
}

/// What the node answers to a GET, as JSON.
pub fn get(node: &Node, path: &str) -> Value {
    let request = crate::browser::driver::client().get(format!("{}{path}", node.url));
    block_on(async { request.send().await.expect("the node answers").json().await.expect("JSON") })
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A counter of the node's, by its name in `/metrics`.
pub fn metric(node: &Node, name: &str) -> u64 {
    let request = crate::browser::driver::client().get(format!("{}metrics", node.url));
    let text = block_on(async { request.send().await.expect("the node answers").text().await.expect("text") });
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value: f64 = line.unwrap_or_else(|| panic!("{name} is no metric")).parse().expect("a number");
    value as u64
}

fn costs(node: &Node) -> Costs {
    let stats = get(node, "v1/node/stats");
    let room = stats["rooms"].as_array().and_then(|rooms| rooms.iter().find(|room| room["room"] == CALL));
    let count = |name: &str| room.and_then(|room| room[name].as_u64()).unwrap_or(0);
    Costs {
        resident: peak(node),
        of_files: of_files(node),
        ticks: count("ticks"),
        skipped: count("ticks_skipped"),
        audio_skipped: metric(node, "tessera_audio_ticks_skipped_total"),
    }
}

fn wait_for_costs(node: &Node, what: &str, enough: impl Fn(&Costs) -> bool) -> Costs {
    let until = Instant::now() + PATIENCE;
    loop {
        let costs = costs(node);
        if enough(&costs) {
            return costs;
        }
        assert!(Instant::now() < until, "never: {what}; {costs:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The process' highest resident memory since `forget_peak`, bytes.
fn peak(node: &Node) -> u64 {
    status(node, "VmHWM:")
}

/// What of its resident memory are pages of files, bytes.
fn of_files(node: &Node) -> u64 {
    status(node, "RssFile:")
}

fn status(node: &Node, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("the node runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Lets the peak begin again at what is resident now (proc(5), clear_refs).
fn forget_peak(node: &Node) {
    fs::write(format!("/proc/{}/clear_refs", node.pid()), "5").expect("the node is ours");
}
