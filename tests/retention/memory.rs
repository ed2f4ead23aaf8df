//! **The question:** is the key still anywhere in the process after the hour? The memory of the real binary, searched
//! for the data key and the hour key of a recording, and for a week of hour keys, which the test derives from the
//! keeper's file while that still has them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use tessera::base::media::{NANOS_PER_SECOND, Wallclock};
use tessera::core::record::folder;
use tessera::core::retention::{BootId, Clocks, Hour, RecordingName, Secret, open};
use tessera::io::store::KeeperFile;

use super::deadline::{BINARY, DAY, TOKEN, Timed, plain_get, recorded_call, until, wait_until_recorded};
use super::files_under;
use crate::browser::node::{Load, Node};
use crate::keepers::process::{Trio, wait_until};

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn expand(prk: &Prk, info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    prk.expand(&[info], Len(32)).and_then(|okm| okm.fill(&mut key)).unwrap();
    key
}

/// The hour keys that stand in the slots of a keeper's file.
pub(super) fn keys_in(keeper: &Path) -> BTreeMap<Hour, [u8; 32]> {
    let bytes = std::fs::read(keeper.join("keys")).unwrap();
    let slots = bytes[..24_576].chunks_exact(64).filter(|slot| slot[4..36] != [0; 32]);
    let hour = |slot: &[u8]| Hour(u32::from_be_bytes(slot[..4].try_into().unwrap()));
    slots.map(|slot| (hour(slot), slot[4..36].try_into().unwrap())).collect()
}

fn hour_key(keeper: &Path, recording: RecordingName) -> Option<[u8; 32]> {
    keys_in(keeper).get(&recording.hour).copied()
}

/// The data key, opened as docs and `retention/data_key.rs` say, by hand.
fn data_key(store: &Path, hour_key: &[u8; 32], recording: RecordingName) -> [u8; 32] {
    let wrap = files_under(&store.join(folder(recording)).join("wrap")).remove(0);
    let keeper = wrap.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned();
    let keeper = keeper.parse::<tessera::core::retention::KeeperId>().unwrap().0;
    let (hour, recording) = (recording.hour.0.to_be_bytes(), recording.recording.0);
    let about = [b"tessera keeper release v1".as_slice(), &keeper, &hour, &recording].concat();
    let release = expand(&Prk::new_less_safe(HKDF_SHA512, hour_key), &about);
    let about = [b"tessera data key wrap v1".as_slice(), &recording, &hour, &keeper, &keeper].concat();
    let wrapping = expand(&Salt::none(HKDF_SHA512).extract(&[release, release].concat()), &about);
    let plain = open(&Secret::from_bytes(&wrapping), &about, &std::fs::read(wrap).unwrap()).unwrap();
    plain.try_into().unwrap()
}

/// How often any of `wanted` stands in the memory of a process; `None` where this one may not look.
pub(super) fn found_in(pid: u32, wanted: &[[u8; 32]]) -> Option<usize> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok();
    let memory = File::open(format!("/proc/{pid}/mem")).ok();
    let Some((maps, memory)) = maps.zip(memory) else {
        eprintln!("skipped: only root reads the memory of a process that keeps keys");
        return None;
    };
    let mut begins = vec![false; 1 << 16];
    wanted.iter().for_each(|key| begins[usize::from(key[0]) << 8 | usize::from(key[1])] = true);
    let mut hits = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut piece = vec![0; 1 << 20];
        for at in (from..to).step_by((1 << 20) - 31) {
            let len = piece.len().min((to - at) as usize);
            // Some mappings are a device's.
            let Ok(read) = memory.read_at(&mut piece[..len], at) else { continue };
            let windows = piece[..read].windows(32);
            let likely = windows.filter(|window| begins[usize::from(window[0]) << 8 | usize::from(window[1])]);
            hits += likely.filter(|window| wanted.iter().any(|key| key == window)).count();
        }
    }
    Some(hits)
}

pub(super) fn found(node: &Node, wanted: &[u8; 32]) -> usize {
    found_in(node.pid(), &[*wanted]).unwrap_or(0)
}

#[test]
fn no_data_key_is_left_in_memory_after_the_hour() {
    let Some(timed) = Timed::new() else { return };
    let node = timed.node();
    let (name, deadline) = recorded_call(&node, 5);
    let recording: RecordingName = name.parse().unwrap();
    let hour = hour_key(&timed.folder.path().join("rec.keeper"), recording).expect("the hour has a key");
    let data = data_key(&timed.store(), &hour, recording);
    timed.set(until(deadline, 0) + 10);
    assert_eq!(plain_get(&node, &format!("recordings/{name}/video.mp4")).0, 410);
    // Answers that were under way are over; nothing tells of them.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(found(&node, &data), 0);
    node.stop();
}

#[test]
fn no_hour_key_is_left_in_memory_after_the_hour() {
    let Some(timed) = Timed::new() else { return };
    let node = timed.node();
    let (name, deadline) = recorded_call(&node, 5);
    let recording: RecordingName = name.parse().unwrap();
    let keeper = timed.folder.path().join("rec.keeper");
    let hour = hour_key(&keeper, recording).expect("the hour has a key");
    let data = data_key(&timed.store(), &hour, recording);
    assert_ne!(found_in(node.pid(), &[hour]), Some(0), "the search finds what is there");
    assert_eq!(plain_get(&node, &format!("recordings/{name}/video.mp4")).0, 200);
    wait_until("the data key of a finished request is gone", || found(&node, &data) == 0);
    timed.set(until(deadline, 0) + 10);
    assert_eq!(plain_get(&node, &format!("recordings/{name}/video.mp4")).0, 410);
    node.stop();
    // Alone, a keeper believes no clock that leaps by a week; its operator vouches for it.
    assert!(timed.recordings(&["believe-clock"], &keeper).status.success());
    let node = timed.node();
    assert_eq!((found(&node, &hour), found(&node, &data)), (0, 0), "both keys");
    assert_eq!(hour_key(&keeper, recording), None, "nor in its file");
    let load = Load::start(&node, "another", 1, 90);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(node.wait_for_participants("another", 1, Duration::from_secs(60)));
    wait_until_recorded(&node, 2);
    timed.set(-8 * DAY);
    assert_eq!((found(&node, &hour), found(&node, &data)), (0, 0), "whatever the clock says and whoever is recorded");
    load.stop();
    node.stop();
}

/// What this machine's clocks say, as a keeper reads them.
pub(super) fn clocks() -> Clocks {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().replace('-', "");
    let pair = |n: usize| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let since_boot = Duration::from_secs_f64(uptime.split(' ').next().unwrap().parse().unwrap());
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let wall = Wallclock(wall.as_secs() * NANOS_PER_SECOND);
    Clocks { wall, boot: BootId(std::array::from_fn(pair)), since_boot, synchronised: false }
}

/// The 168 hours from the next one on.
fn week() -> impl Iterator<Item = Hour> {
    let now = Hour::containing(clocks().wall).0;
    (now + 1..=now + 168).map(Hour)
}

/// Has the keeper in a folder hold a key for each of these hours; the keys.
fn make_a_week_of_keys(folder: &Path) -> Vec<[u8; 32]> {
    let (mut file, mut keeper) = KeeperFile::open(folder, clocks()).unwrap();
    week().for_each(|hour| keeper.make(clocks(), hour).unwrap());
    file.save(&mut keeper).unwrap();
    let keys: Vec<_> = keys_in(folder).into_values().collect();
    assert_eq!(keys.len(), 168);
    keys
}

/// Each once, where it lies; but for one whose hour comes while this test runs.
fn assert_each_lies_once(pid: u32, keys: &[[u8; 32]], folder: &Path) {
    let held = found_in(pid, keys);
    let still = keys_in(folder).len();
    assert!(held.is_none_or(|held| (still..=168).contains(&held) && still >= 167), "{held:?} of {still}");
}

/// A node on a machine that has been up eight days longer by its own count; `None` where no such may be made.
fn node_up_longer(store: &Path) -> Option<(std::process::Child, u32)> {
    let mut command = Command::new("unshare");
    command.args(["--time", "--boottime", "691200", "--fork", "--kill-child", BINARY, "serve", "--recordings"]);
    command.arg(store).args(["--http", "127.0.0.1:0", "--media", "0.0.0.0:0"]).env("TESSERA_RECORDINGS_TOKEN", TOKEN);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    if !lines.into_iter().any(|line| line.contains("http")) {
        eprintln!("skipped: no time namespace may be made (util-linux, root)");
        let _ = child.wait();
        return None;
    }
    let below = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap();
    Some((child, below.trim().parse().unwrap()))
}

#[test]
fn a_node_that_was_restarted_with_a_week_of_hour_keys_has_none_of_them_in_memory_after_their_hours() {
    let home = tempfile::tempdir().unwrap();
    let (store, folder) = (home.path().join("rec"), home.path().join("rec.keeper"));
    let keys = make_a_week_of_keys(&folder);
    let flags = ["--recordings", store.to_str().unwrap()];
    let node = Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)]);
    assert_each_lies_once(node.pid(), &keys, &folder);
    node.stop();
    let Some((mut node, pid)) = node_up_longer(&store) else { return };
    wait_until("its file holds none", || keys_in(&folder).is_empty());
    assert_eq!(found_in(pid, &keys).unwrap_or(0), 0);
    node.kill().unwrap();
    node.wait().unwrap();
}

#[test]
fn keepers_that_were_restarted_with_a_week_of_hour_keys_have_none_of_them_in_memory_after_their_hours() {
    let Some(mut trio) = Trio::start_timed() else { return };
    let mut all = Vec::new();
    for n in 0..3 {
        trio.stop_one(n);
        let keys = make_a_week_of_keys(&trio.keeper_folder(n));
        trio.start_one(n);
        assert_each_lies_once(trio.pid(n), &keys, &trio.keeper_folder(n));
        all.push(keys);
    }
    (0..3).for_each(|n| trio.set_clock(n, 8 * DAY));
    wait_until("keepers destroy them", || (0..3).all(|n| keys_in(&trio.keeper_folder(n)).is_empty()));
    for (n, keys) in all.iter().enumerate() {
        assert_eq!(found_in(trio.pid(n), keys).unwrap_or(0), 0, "keeper {n}");
    }
}

#[test]
fn a_node_whose_keys_the_system_does_not_lock_says_so() {
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("log");
    let mut command = Command::new("prlimit");
    command.arg("--memlock=0:0");
    if rustix::process::geteuid().is_root() {
        command.args(["setpriv", "--bounding-set=-ipc_lock"]);
    }
    command.args([BINARY, "serve", "--http", "127.0.0.1:0", "--media", "0.0.0.0:0", "--recordings"]);
    command.arg(home.path().join("rec")).env("TESSERA_RECORDINGS_TOKEN", TOKEN).env("TESSERA_LOG", "warn");
    let mut node = command.stdout(Stdio::null()).stderr(File::create(&log).unwrap()).spawn().unwrap();
    wait_until("it says so", || std::fs::read_to_string(&log).unwrap().contains("RLIMIT_MEMLOCK"));
    node.kill().unwrap();
    node.wait().unwrap();
}
