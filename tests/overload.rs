//! **The question:** what does a call of sixteen that is recorded give up when other programs take the processor from
//! its node, and what never? As many busy processes as it takes, of the same priority as the node's threads, as those
//! of a compiler are.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tessera::app::load::Report;
use tessera::core::ladder::Relief;

use crate::browser::node::{Load, Node};
use crate::doors::harness::{get, metric};
use crate::keepers::process::{wait_until, wait_until_within};
use crate::record::players::decode;
use crate::retention::deadline::{TOKEN, plain_get};

/// How long all that was given up may take to come back: each step when it has been quiet for some seconds, later where
/// that was too early.
const PATIENCE: Duration = Duration::from_secs(120);
/// Processes for each core that are added while too few are there.
const STEP: usize = 4;
/// After so long.
const STEP_SPAN: Duration = Duration::from_secs(3);
/// And at most so often.
const STEPS_MAX: usize = 16;

/// Processes that take all they get.
#[derive(Default)]
struct Busy(Vec<Child>);

impl Busy {
    fn more(&mut self) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let spins = |_| Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn();
        self.0.extend((0..cores * STEP).map(spins).map(|child| child.expect("there is a shell")));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What the room gives up, as it says.
fn relief(node: &Node) -> Relief {
    let told = get(node, "v1/rooms/call")["gives_up"].as_str().expect("a room that runs tells").to_owned();
    Relief::ALL.into_iter().find(|relief| relief.name() == told).expect("it is one of them")
}

/// Follows it until `enough`, with more busy processes where nothing is given up otherwise; each that was seen, once.
fn follow(node: &Node, mut busy: Option<&mut Busy>, enough: impl Fn(Relief) -> bool) -> Vec<Relief> {
    let (begun, mut seen, mut added, mut steps) = (Instant::now(), Vec::new(), Instant::now(), 0);
    wait_until_within(PATIENCE, "it gives up what it should, and takes it back", || {
        let now = relief(node);
        if seen.last() != Some(&now) {
            println!("after {:.1} s: {}", begun.elapsed().as_secs_f64(), now.name());
            (added, steps) = (Instant::now(), 0);
            seen.push(now);
        }
        if let Some(busy) = busy.as_deref_mut().filter(|_| added.elapsed() > STEP_SPAN && steps < STEPS_MAX) {
            busy.more();
            (added, steps) = (Instant::now(), steps + 1);
        }
        enough(now)
    });
    seen
}

/// Whether the system lets the node's sound go before these.
fn sound_goes_first(node: &Node) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{}/task", node.pid())).expect("the node runs").flatten();
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    // Nice is field 19 (proc(5)), the 17th behind the name, which stands in parentheses.
    let nice = |stat: &str| stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse::<i32>().ok();
    stats.filter(|stat| stat.contains("(mix-")).all(|stat| nice(&stat).is_some_and(|nice| nice < 0))
}

/// `TESSERA_LONG=1` (`make soak`) until there is no more to give up.
#[test]
#[ignore = "it takes all cores for half a minute, and tells nothing where others do too; make soak runs it"]
fn a_compiler_beside_a_call_of_sixteen_costs_pictures_in_their_order_and_never_sound() {
    let last = if std::env::var_os("TESSERA_LONG").is_some() { Relief::OutputRate } else { Relief::TileRate };
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (folder.path().join("rec"), folder.path().join("tessera.toml"));
    std::fs::write(&file, "[video]\nwidth = 640\nheight = 360\nfps = 15\n").unwrap();
    let flags = ["--config", file.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    let figures = folder.path().join("load.json");
    let line = ["--decoders", "1", "--json", figures.to_str().unwrap(), "--codecs", "h264", "--fps", "15"];
    let load = Load::start_measuring(&node, "call", 16, 600, &line);
    follow(&node, None, |relief| relief == Relief::None);
    let skipped = metric(&node, "tessera_audio_ticks_skipped_total");

    let mut busy = Busy::default();
    busy.more();
    let down = follow(&node, Some(&mut busy), |relief| relief >= last);
    println!("{} busy processes", busy.0.len());
    drop(busy);
    assert_eq!(down, Relief::ALL[..=last as usize], "one after the other, in the declared order");
    // What it gives up while it learns that it is quiet may be one more.
    let back = follow(&node, None, |relief| relief == Relief::None);
    println!("back: {:?}", back.iter().map(|relief| relief.name()).collect::<Vec<_>>());

    let first = sound_goes_first(&node);
    let lost = metric(&node, "tessera_audio_ticks_skipped_total") - skipped;
    println!("{lost} audio ticks left out; sound goes first: {first}");
    assert!(lost == 0 || !first, "sound was whole");
    load.stop();
    let report: Report = serde_json::from_slice(&std::fs::read(&figures).expect("the load told")).unwrap();
    assert_eq!((report.participants.connected, report.participants.seen), (16, 16), "{report:?}");
    assert_eq!((report.audio.heard, report.audio.expected), (3, 3), "{report:?}");
    println!("sound stood still for {:.0} ms at most, as the load heard it", report.audio.longest_gap_ms);
    let listed = || serde_json::from_slice::<Value>(&plain_get(&node, "recordings").1).unwrap();
    wait_until("the recording is final", || listed()["recordings"][0]["state"] == "final");
    let gap_ms = metric(&node, "tessera_record_gap_ms_total");
    assert!(gap_ms == 0 || !first, "the recording lacks nothing, and not {gap_ms} ms");
    let name = listed()["recordings"][0]["recording"].as_str().unwrap().to_owned();
    let file = folder.path().join("recorded.mp4");
    std::fs::write(&file, plain_get(&node, &format!("recordings/{name}/video.mp4")).1).unwrap();
    node.stop();
    assert!(decode(&file) > 60, "and others play it");
}
