//! **The question:** does somebody open a recording who has read docs/retention.md and copies of store and keepers, and
//! nothing else? `decrypt.py` is such a somebody: before the hour as far as the level promises nothing else, after it
//! never.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use tessera::core::retention::RecordingName;

use super::Home;
use super::deadline::{BINARY, FAKETIME};
use crate::keepers::process::{Trio, wait_until};

/// What `decrypt.py` made of copies.
pub(super) struct Decrypted {
    pub(super) keys: u64,
    pub(super) recordings: u64,
    /// Names of those that opened.
    pub(super) opened: Vec<String>,
}

pub(super) fn decrypt(store: &Path, keepers: &[&Path], out: &Path) -> Decrypted {
    let mut python = Command::new("python3");
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/retention/decrypt.py"));
    python.arg("--store").arg(store).arg("--out").arg(out);
    keepers.iter().for_each(|keeper| {
        python.arg("--keeper").arg(keeper);
    });
    let output = python.output().expect("python3 is installed");
    let error = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("decrypt.py needs python3-cryptography (Debian): {error}"));
    let opened = told["opened"].as_array().unwrap().iter();
    Decrypted {
        keys: told["keys"].as_u64().unwrap(),
        recordings: told["recordings"].as_u64().unwrap(),
        opened: opened.map(|one| one["recording"].as_str().unwrap().to_owned()).collect(),
    }
}

/// Tessera's own check of the same copies; whether it found nothing, and how many recordings opened of how many.
fn verified(store: &Path, keepers: &[&Path], clock: &str) -> (bool, u64, u64) {
    let mut command = Command::new(BINARY);
    command.args(["recordings", "verify-expiry", "--store"]).arg(store).arg("--keeper").arg(keepers[0]);
    keepers[1..].iter().for_each(|keeper| {
        command.arg("--and").arg(keeper);
    });
    let output = command.envs([("LD_PRELOAD", FAKETIME), ("FAKETIME", clock)]).output().unwrap();
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), told["opened"].as_u64().unwrap(), told["expired"].as_u64().unwrap())
}

pub(super) fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

fn seconds_to(recording: RecordingName) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(recording.hour.start().unix_seconds()).unwrap() - i64::try_from(now).unwrap()
}

#[test]
fn a_living_recording_opens_byte_for_byte_and_an_expired_one_never_at_level_1() {
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    let at = |name: &str| home.folder.path().join(name);
    let (store, keeper) = (at("store"), at("keeper"));
    let alone = decrypt(&store, &[], &at(""));
    assert_eq!((alone.recordings, alone.opened.len()), (1, 0), "the store alone opens nothing");
    let before = decrypt(&store, &[&keeper], &at(""));
    assert_eq!((before.keys, before.opened), (1, vec![recording.to_string()]));
    assert!(std::fs::read(at(&format!("{recording}.mp4"))).unwrap() == whole, "byte for byte");
    copy(&keeper, &at("copied before"));
    drop(home.archive);

    // The hour: the real binary destroys the key.
    let clock = format!("+{}", seconds_to(recording) + 60);
    let mut believe = Command::new(BINARY);
    believe.args(["recordings", "believe-clock", "--store"]).arg(&store).arg("--keeper").arg(&keeper);
    assert!(believe.envs([("LD_PRELOAD", FAKETIME), ("FAKETIME", &clock)]).status().unwrap().success());
    let after = decrypt(&store, &[&keeper], &at(""));
    assert_eq!((after.recordings, after.keys, after.opened.len()), (1, 0, 0));
    assert_eq!(verified(&store, &[&keeper], &clock), (true, 0, 1));
    let kept = decrypt(&store, &[&at("copied before")], &at(""));
    assert_eq!(kept.opened.len(), 1, "level 1 does not promise more: docs/retention.md says so");
    assert_eq!(verified(&store, &[&at("copied before")], &clock), (false, 1, 1), "and the check finds it");
    assert_eq!(verified(&store, &[&keeper, &at("copied before")], &clock), (false, 1, 1));
}

#[test]
fn one_keepers_disk_opens_nothing_at_level_2_and_after_the_hour_all_three_open_nothing() {
    let Some(trio) = Trio::start_timed() else { return };
    let home = trio.home();
    let recording = home.recorded();
    home.repair(&trio.store(), recording, 3);
    let (store, out) = (trio.store(), trio.folder.path());
    let copies: Vec<_> = (0..3).map(|n| out.join(format!("copy-{n}"))).collect();
    (0..3).for_each(|n| copy(&trio.keeper_folder(n), &copies[n]));
    for keeper in &copies {
        let one = decrypt(&store, &[keeper], out);
        assert_eq!((one.keys, one.opened.len()), (1, 0), "one disk copied before the hour");
    }
    let two = decrypt(&store, &[&copies[2], &copies[0]], out);
    assert_eq!(two.opened, [recording.to_string()], "two open: docs/retention.md says so");
    assert!(std::fs::read(out.join(format!("{recording}.mp4"))).unwrap() == home.read(recording).unwrap());

    let ahead = seconds_to(recording) + 60;
    (0..4).for_each(|n| trio.set_clock(n, ahead));
    let folders: Vec<_> = (0..3).map(|n| trio.keeper_folder(n)).collect();
    let folders: Vec<_> = folders.iter().map(AsRef::as_ref).collect();
    wait_until("the keepers destroy their keys", || decrypt(&store, &folders, out).keys == 0);
    let after = decrypt(&store, &folders, out);
    assert_eq!((after.recordings, after.opened.len()), (1, 0));
    let clock = format!("+{ahead}");
    assert_eq!(verified(&store, &folders, &clock), (true, 0, 1));
    // One copied before the hour beside two that are honest.
    let mixed = [copies[1].as_path(), folders[0], folders[2]];
    assert_eq!(decrypt(&store, &mixed, out).opened.len(), 0);
    assert_eq!(verified(&store, &mixed, &clock), (false, 0, 1), "its key is a finding by itself");
}

#[test]
fn at_level_3_no_disk_holds_a_key() {
    let trio = Trio::start_in_memory();
    let home = trio.home();
    let recording = home.recorded();
    assert!(home.read(recording).is_ok());
    let folders: Vec<_> = (0..3).map(|n| trio.keeper_folder(n)).collect();
    let folders: Vec<_> = folders.iter().map(AsRef::as_ref).collect();
    let opened = decrypt(&trio.store(), &folders, trio.folder.path());
    assert_eq!((opened.recordings, opened.keys, opened.opened.len()), (1, 0, 0));
}
