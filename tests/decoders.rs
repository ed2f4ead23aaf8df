//! **The question:** what does a decoder that crashes or hangs cost, and what may it do? The real binary, whose
//! processes of decoders are killed, stopped and fed in the middle of a call of sixteen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use tessera::app::load::{FaceReport, Report};
use tessera::base::limits;
use tessera::base::media::{Codec, ComposedFrame, EncodedFrame, Pts, Size};
use tessera::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

use crate::browser::node::{Load, Node};
use crate::doors::harness::metric;
use crate::doors::sender::{Sender, Sent};
use crate::keepers::process::{BINARY, wait_until};

/// Decode threads, each with a process of its own; each has the same share of the people.
const WORKERS: usize = 4;
const PEOPLE: u64 = 16;
const SHARE: u64 = PEOPLE / WORKERS as u64;
/// Pictures a second of each camera.
const FPS: u64 = 15;
/// What `hole.c` dies of.
const WORD: &[u8] = b"the hole in the library";
/// How long a tile may stand still on a machine that is busy with other things; what is wanted is a second.
const STANDSTILL_MS: f64 = 2_000.0;

/// A node of so many decode threads, each with a process, and a canvas that is soon drawn.
fn node(folder: &Path, workers: usize, environment: &[(&str, &str)]) -> Node {
    let file = folder.join("tessera.toml");
    let configuration = format!(
        "[media]\ndecoders = \"process\"\n[threads]\ndecode = {workers}\n[video]\nwidth = 640\nheight = 360\nfps = 15\n\
         encoder = \"aom\"\n"
    );
    fs::write(&file, configuration).unwrap();
    Node::start_in(&["--config", file.to_str().unwrap()], environment)
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

/// A folder whose libdav1d is [`WORD`]'s, with the one that this program has behind it; `None` where it has none.
fn library_with_a_hole(folder: &Path) -> Option<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let real =
        maps.lines().find_map(|line| line.split_whitespace().last().filter(|path| path.contains("/libdav1d.so")))?;
    // Two libraries of one name would be one to the loader.
    let (name, other) = (b"libdav1d.so", b"libdav1x.so");
    let mut bytes = fs::read(real).unwrap();
    for at in 0..bytes.len() - name.len() {
        if bytes[at..].starts_with(name) {
            bytes[at..at + other.len()].copy_from_slice(other);
        }
    }
    let so_name = bytes.windows(other.len()).position(|text| text == other).expect("a library has a name");
    let so_name: Vec<u8> = bytes[so_name..].iter().copied().take_while(|byte| *byte != 0).collect();
    let behind = folder.join(String::from_utf8(so_name).unwrap());
    fs::write(&behind, bytes).unwrap();
    let file = behind.file_name().unwrap().to_str().unwrap().replace("libdav1x", "libdav1d");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decoders/hole.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-o"]).arg(folder.join(&file)).arg(format!("-Wl,-soname,{file}")).arg(source);
    gcc.arg("-Wl,--no-as-needed").arg(&behind).arg("-ldl");
    assert!(gcc.status().expect("gcc is installed").success());
    let others = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    Some(format!("{}:{others}", folder.display()))
}

/// A keyframe that a decoder with a hole dies of, and any other shows: AV1's metadata are what nobody looks at.
fn crafted() -> Arc<EncodedFrame> {
    let size = Size::new(160, 90);
    let setup = VideoEncoderSetup { codec: Codec::Av1, size, fps: 15, bitrate: 100_000, threads: 1 };
    let mut out = Vec::new();
    let picture = ComposedFrame::new(size, Pts(0), vec![90; 160 * 90 * 3 / 2]);
    video_encoder(EncoderChoice::Aom, setup).unwrap().encode(&picture, true, &mut out).unwrap();
    // OBU_METADATA with its size (AV1 section 5.3.2), of a type that is for applications (6.7.1).
    let header = [0x2a, u8::try_from(WORD.len() + 1).unwrap(), 31];
    let data = [&out[0].data[..], &header, WORD].concat().into();
    Arc::new(EncodedFrame { codec: Codec::Av1, data, pts: Pts(0), keyframe: true })
}

/// Waits until everybody's pictures have flowed for so many seconds.
fn flows(node: &Node, seconds: u64) {
    let decoded = || metric(node, "tessera_frames_decoded_total");
    let so_far = decoded();
    wait_until("pictures flow", || decoded() >= so_far + seconds * PEOPLE * FPS);
}

/// Keyframes that were asked for since there were `before`, of one worker's tiles: whoever loses a frame asks. One that
/// comes late is asked for twice, one that came just then not at all.
fn asked(node: &Node, before: u64, fault: &str) {
    let asked = metric(node, "tessera_keyframes_requested_total") - before;
    println!("{fault}: {asked} keyframes asked for");
    assert!((1..=2 * SHARE).contains(&asked), "{fault}: {asked}, of {SHARE} tiles");
}

/// One of sixteen's decoders is killed, one is stopped, and one is sent what it dies of, again and again.
#[test]
fn a_decoder_killed_hung_or_fed_a_crasher_costs_its_own_tiles_a_moment_and_others_no_frame() {
    let folder = tempfile::tempdir().unwrap();
    let Some(libraries) = library_with_a_hole(folder.path()) else {
        return eprintln!("skipped: there is no libdav1d to make a hole in");
    };
    let node = node(folder.path(), WORKERS, &[("LD_LIBRARY_PATH", &libraries)]);
    let figures = folder.path().join("load.json");
    // The crate `webrtc` hands a compound packet to whichever track its first part is about, so senders by it do not
    // hear that they are asked for keyframes.
    let line = ["--decoders", "1", "--stack", "own", "--codecs", "h264", "--fps", "15"];
    let line = [&line[..], &["--json", figures.to_str().unwrap()]].concat();
    let load = Load::start_measuring(&node, "call", 16, 600, &line);
    flows(&node, 1);
    let at_first: Vec<u32> = decoders(&node).into_iter().collect();
    let [_, killed, hung, _] = at_first[..] else { panic!("{at_first:?}") };
    let wished = || metric(&node, "tessera_keyframes_requested_total");
    for (pid, how, cause) in [(killed, Signal::KILL, "ended"), (hung, Signal::STOP, "hung")] {
        let (before, so_far) = (wished(), replaced(&node, cause));
        signal(pid, how);
        wait_until("another one takes its place", || {
            let now = decoders(&node);
            replaced(&node, cause) == so_far + 1 && now.len() == WORKERS && !now.contains(&pid)
        });
        flows(&node, 1);
        asked(&node, before, cause);
    }
    let mut sender = Sender::join(&node, "call", "means-harm");
    let crafted = crafted();
    let sent = |n: u32| Sent::picture(&crafted, n * 90_000 / 15);
    sender.sends("what a decoder dies of", 15, sent, |sender| sender.was_told("not-shown", "ended the node's decoder"));
    flows(&node, 1);
    sender.leave();
    let now = decoders(&node);
    // What they die of came to one thread's, which may be another's successor by then.
    assert!(at_first.iter().any(|pid| now.contains(pid)), "{now:?} after {at_first:?}");
    load.stop();
    let report: Report = serde_json::from_slice(&fs::read(&figures).expect("the load told")).unwrap();
    let people = report.participants;
    assert_eq!((people.connected as u64, people.seen as u64), (PEOPLE, PEOPLE), "{report:?}");
    for face in &report.faces {
        let FaceReport { number, freezes, longest_gap_ms, keyframes_asked, .. } = face;
        println!("face {number}: {longest_gap_ms:.0} ms, {freezes} freezes, {keyframes_asked} keyframes asked for");
    }
    // Whose decoder was never gone was never asked for anything, nor was who sent a keyframe just then by themselves;
    // and whose decoder was stood still for a moment.
    let whole = report.faces.iter().filter(|face| face.keyframes_asked == 0).count() as u64;
    assert!((1..PEOPLE).contains(&whole), "{whole}: {report:?}");
    assert!(report.faces.iter().all(|face| face.longest_gap_ms < STANDSTILL_MS), "{report:?}");
    let ended = limits::DECODER_DEATHS_MAX as u64 + 1;
    assert_eq!((replaced(&node, "ended"), replaced(&node, "hung"), replaced(&node, "garbled")), (ended, 1, 0));
    assert_eq!(metric(&node, "tessera_decoder_tracks_refused_total"), 1, "whoever means harm, and nobody else");
    node.stop();
}

#[test]
fn a_decoder_may_do_nothing_but_decode_and_ends_with_its_node() {
    let folder = tempfile::tempdir().unwrap();
    let node = node(folder.path(), 2, &[]);
    wait_until("they run", || decoders(&node).len() == 2);
    let all = decoders(&node);
    for pid in all.iter().chain([&node.pid()]) {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        assert!(
            status.contains("THP_enabled:\t0"),
            "no thread waits while a large piece of memory is zeroed: {status}"
        );
    }
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
