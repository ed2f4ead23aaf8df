//! **The question:** is the key still anywhere in the process after the hour? The memory of the real binary, searched
//! for the data key and the hour key of a recording, which the test derives from the keeper's file while that still has
//! them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use tessera::core::record::folder;
use tessera::core::retention::{RecordingName, Secret, open};

use super::deadline::{DAY, Timed, plain_get, recorded_call, until, wait_until_recorded};
use super::files_under;
use crate::browser::node::{Load, Node};

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

/// The hour key as it stands in the keeper's file, behind its hour.
fn hour_key(keeper: &Path, recording: RecordingName) -> Option<[u8; 32]> {
    let state = std::fs::read(keeper.join("state")).unwrap();
    let at = state.windows(4).position(|hour| hour == recording.hour.0.to_be_bytes())?;
    state[at + 4..].first_chunk().copied()
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

/// How often `wanted` stands in the memory of a process.
fn found(node: &Node, wanted: &[u8; 32]) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", node.pid())).unwrap();
    let memory = File::open(format!("/proc/{}/mem", node.pid())).expect("a parent reads its child's memory");
    let mut hits = 0;
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut piece = vec![0; 1 << 20];
        for at in (from..to).step_by((1 << 20) - 31) {
            let len = piece.len().min((to - at) as usize);
            // Some mappings are a device's.
            let Ok(read) = memory.read_at(&mut piece[..len], at) else { continue };
            let starts = piece[..read].iter().enumerate().filter(|(_, byte)| **byte == wanted[0]);
            hits += starts.filter(|(n, _)| piece[*n..read].starts_with(wanted)).count();
        }
    }
    hits
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
    assert!(found(&node, &hour) > 0, "the search finds what is there");
    assert_eq!(plain_get(&node, &format!("recordings/{name}/video.mp4")).0, 200);
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
