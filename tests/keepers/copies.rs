//! **The question:** what does a copy of keepers' disks, made before the hour, open after it with its clock set back?

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use tessera::io::keeper::Status;
use tessera::io::store::ReadError;

use crate::keepers::process::{Trio, wait_until};

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
}

fn verified(trio: &Trio) -> (bool, u64, u64) {
    let output = trio.recordings(&["verify-expiry"]);
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.success(), told["expired"].as_u64().unwrap(), told["opened"].as_u64().unwrap())
}

#[test]
fn one_keeper_restored_with_its_clock_set_back_opens_nothing_two_restored_open() {
    let Some(mut trio) = Trio::start_timed() else { return };
    let home = trio.home();
    let recording = home.recorded();
    let whole = home.read(recording).unwrap();
    for n in 0..2 {
        copy(&trio.keeper_folder(n), &trio.folder.path().join(format!("copy-{n}")));
    }
    assert_eq!(verified(&trio), (true, 0, 0), "nothing has expired yet");

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let ahead = i64::try_from(recording.hour.start().unix_seconds() - now).unwrap() + 60;
    for n in 0..4 {
        trio.set_clock(n, ahead);
    }
    // A week's leap is believed because the three confirm one another.
    wait_until("the keepers believe their clocks", || {
        home.poll_all();
        let told = home.keepers.told();
        told.len() == 3 && told.iter().all(|told| recording.hour.is_expired(told.certain))
    });
    assert!(matches!(home.read(recording), Err(ReadError::Gone)), "the node takes the time from its keepers");
    assert_eq!(verified(&trio), (true, 1, 0));

    let restore = |trio: &mut Trio, n: usize| {
        trio.stop_one(n);
        copy(&trio.folder.path().join(format!("copy-{n}")), &trio.keeper_folder(n));
        trio.set_clock(n, 0);
        let line = trio.start_one(n);
        assert!(line.contains("holds 1"), "{line}");
    };
    restore(&mut trio, 0);
    assert_eq!(verified(&trio), (true, 1, 0), "one restored disk opens nothing");
    restore(&mut trio, 1);
    assert_eq!(verified(&trio), (false, 1, 1), "two restored disks open: docs/retention.md says so");
    assert!(!whole.is_empty());
}

#[test]
fn one_clock_far_ahead_destroys_nothing_and_hinders_nobody() {
    let Some(trio) = Trio::start_timed() else { return };
    let home = trio.home();
    let recording = home.recorded();
    let whole = home.read(recording).unwrap();
    trio.set_clock(1, 30 * 24 * 3600);
    let leads = |told: &Status| told.latest.unix_seconds() > told.certain.unix_seconds() + 3600;
    wait_until("one keeper is not certain of its clock", || {
        home.poll_all();
        home.keepers.told().iter().filter(|told| leads(told)).count() == 1
    });
    // Longer than it takes to ask the others, who contradict it.
    std::thread::sleep(std::time::Duration::from_secs(7));
    home.poll_all();
    assert_eq!(home.keepers.told().iter().filter(|told| recording.hour.is_expired(told.certain)).count(), 0);
    assert_eq!(home.read(recording).unwrap(), whole, "the other two open it");
    assert!(home.read(home.recorded()).is_ok());
    trio.set_clock(1, -30 * 24 * 3600);
    home.poll_all();
    assert_eq!(home.read(recording).unwrap(), whole);
}
