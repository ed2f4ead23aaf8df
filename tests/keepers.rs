//! **The question:** do any two of three keepers open a recording, and none alone? Real processes, real TLS over
//! loopback, real pictures and sound.

mod copies;
mod door;
mod node;
pub mod process;

use tessera::core::retention::{RecordingId, RecordingName, Retention};
use tessera::io::store::ReadError;

use crate::keepers::process::{Trio, wait_until, wraps};

fn is_missing_keepers(read: Result<Vec<u8>, ReadError>) -> bool {
    matches!(read, Err(ReadError::Store(error)) if error.to_string().contains("two keepers have to agree"))
}

#[test]
fn any_two_of_three_open_a_recording_and_begin_one_and_one_does_neither() {
    let mut trio = Trio::start();
    let home = trio.home();
    let recording = home.recorded();
    assert_eq!(home.repair(&trio.store(), recording, 3).len(), 3);
    let whole = home.read(recording).unwrap();
    for down in 0..3 {
        trio.stop_one(down);
        home.see(2);
        assert_eq!(home.read(recording).unwrap(), whole, "without keeper {down}");
        let another = home.recorded();
        assert_eq!(wraps(&trio.store(), another).len(), 1, "two suffice to begin");
        assert!(home.read(another).is_ok());
        trio.start_one(down);
        home.see(3);
    }
    let mut running = home.call();
    running.run(tessera::base::media::Pts(0), tessera::base::media::Pts(2_000_000_000), |_| true, |_| true);
    trio.kill_one(0);
    trio.kill_one(1);
    assert!(is_missing_keepers(home.read(recording)));
    home.see(1);
    let told = home.runtime.block_on(home.archive.reserve(Retention::default())).unwrap_err().to_string();
    assert!(told.contains("two keepers have to agree and 1 did"), "{told}");
    // What runs goes on: its data key is in memory.
    running.run(tessera::base::media::Pts(2_000_000_000), tessera::base::media::Pts(5_000_000_000), |_| true, |_| true);
    let summary = running.finish(tessera::base::media::Pts(5_000_000_000));
    assert_eq!((summary.trouble, summary.gaps.len()), (None, 0));
    assert!(home.errors.get() > 0, "and it is counted");
    trio.start_one(1);
    home.see(2);
    assert_eq!(home.read(recording).unwrap(), whole, "keys survive a power cut");
    assert!(home.read(summary.sealed.unwrap()).is_ok());
}

#[test]
fn a_keeper_that_was_away_is_wrapped_for_when_it_returns() {
    let mut trio = Trio::start();
    trio.stop_one(2);
    let home = trio.home();
    let recording = home.recorded();
    let first = wraps(&trio.store(), recording);
    home.runtime.block_on(home.archive.mend_wraps());
    assert_eq!((first.len(), wraps(&trio.store(), recording).len()), (1, 1), "nothing to add before it returns");
    trio.start_one(2);
    let all = home.repair(&trio.store(), recording, 3);
    assert!(all.contains(&first[0]), "{all:?}");
    trio.stop_one(0);
    assert!(home.read(recording).is_ok(), "opened by the one that was not there");
}

#[test]
fn a_keeper_that_lost_its_memory_is_wrapped_for_anew_through_the_other_two() {
    let mut trio = Trio::start_in_memory();
    let home = trio.home();
    let recording = home.recorded();
    let before = home.repair(&trio.store(), recording, 3);
    let files = std::fs::read_dir(trio.keeper_folder(0)).unwrap().map(|entry| entry.unwrap().file_name());
    let files: Vec<_> =
        files.map(|name| name.into_string().unwrap()).filter(|name| !name.starts_with("audit-")).collect();
    assert_eq!(files, ["lock"], "its keys are on no disk");
    trio.kill_one(0);
    let line = trio.start_one(0);
    assert!(line.contains("(level 3)") && line.contains("holds 0"), "{line}");
    home.see(3);
    trio.pause_one(1);
    assert!(home.read(recording).is_err(), "a fresh one opens nothing yet");
    trio.resume_one(1);
    // With all three there, the two that remember open it for the third: two pairs more, besides the three of old.
    let after = home.repair(&trio.store(), recording, 5);
    assert!(before.iter().all(|pair| after.contains(pair)), "{after:?}");
    trio.pause_one(1);
    assert!(home.read(recording).is_ok(), "and now it does");
}

#[test]
fn a_recording_that_runs_outlives_the_memory_of_two_keepers_that_restart_together() {
    let mut trio = Trio::start_in_memory();
    let home = trio.home();
    let ended = home.recorded();
    home.repair(&trio.store(), ended, 3);
    let mut running = home.call();
    running.run(tessera::base::media::Pts(0), tessera::base::media::Pts(2_000_000_000), |_| true, |_| true);
    for keeper in [1, 2] {
        trio.kill_one(keeper);
    }
    for keeper in [1, 2] {
        trio.start_one(keeper);
    }
    home.see(3);
    let all = || home.runtime.block_on(home.archive.vault().recording()).unwrap();
    wait_until("it is stored", || all().len() == 2);
    let name = all().into_iter().find(|recording| *recording != ended).unwrap();
    // Its data key is in the node's memory: three pairs more, besides the three of old.
    home.repair(&trio.store(), name, 6);
    running.run(tessera::base::media::Pts(2_000_000_000), tessera::base::media::Pts(5_000_000_000), |_| true, |_| true);
    let summary = running.finish(tessera::base::media::Pts(5_000_000_000));
    assert_eq!((summary.sealed, summary.gaps.len()), (Some(name), 0));
    for silent in 0..3 {
        trio.pause_one(silent);
        assert!(home.read(name).is_ok(), "without keeper {silent}");
        trio.resume_one(silent);
        home.see(3);
    }
    assert!(home.read(ended).is_err(), "one that had ended is lost with two keepers");
}

#[test]
fn what_is_erased_is_gone_with_two_keepers_and_a_copy_of_it_opens_nothing() {
    let mut trio = Trio::start();
    trio.stop_one(2);
    let home = trio.home();
    let recording = home.recorded();
    let rec = trio.store().join("rec");
    let copy = trio.folder.path().join("copy");
    let copied = |from: &std::path::Path, to: &std::path::Path| {
        assert!(std::process::Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
    };
    copied(&rec, &copy);
    home.runtime.block_on(home.archive.shred(recording)).unwrap();
    let _ = std::fs::remove_dir_all(&rec);
    copied(&copy, &rec);
    assert!(matches!(home.read(recording), Err(ReadError::Gone)), "two deny it");
    trio.start_one(2);
    home.see(3);
    assert!(home.read(recording).is_err(), "and the third, which does not, is alone");
    // Denied by one alone it does not count, and anyone who erases is told.
    trio.stop_one(0);
    trio.stop_one(1);
    let another = RecordingName { recording: RecordingId::random(), ..recording };
    copied(
        &rec.join(recording.hour.to_string()).join(recording.recording.to_string()),
        &rec.join(recording.hour.to_string()).join(another.recording.to_string()),
    );
    let told = home.runtime.block_on(home.archive.shred(another)).unwrap_err().to_string();
    assert!(told.contains("two keepers have to agree"), "{told}");
    assert_eq!(wraps(&trio.store(), another), [""; 0], "its wraps are deleted all the same");
}
