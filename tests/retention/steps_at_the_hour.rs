//! **The question:** what is left of a key when a keeper's process is killed at any step of the hour, on a disk with
//! room and on a full one? A file system in an image of its own, whose raw bytes are searched; `steps.c` ends the child
//! before, in the middle of or after the operation that is drawn.

use std::fs::File;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tessera::base::media::{NANOS_PER_SECOND, Wallclock};
use tessera::core::record::Object;
use tessera::core::retention::{
    AuditEvent, BootId, Clocks, KeyShares, RecordingId, RecordingName, Retention, Secret, seal, verify_audit,
};
use tessera::io::store::{KeeperFile, audit_path};

use super::independent::decrypt;
use super::memory::keys_in;
use super::steps::{Draw, library};

/// Operations on files from the key's slot to the audit log's line.
const STEPS: u64 = 7;
const START_S: u64 = 1_784_021_200;

fn clocks(hours: u64) -> Clocks {
    let wall = Wallclock((START_S + hours * 3600) * NANOS_PER_SECOND);
    Clocks { wall, boot: BootId([1; 16]), since_boot: Duration::from_secs(hours * 3600), synchronised: false }
}

fn run(command: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    let status = Command::new(command).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A small disk: an ext4 in a file, mounted where that is allowed (root); else a folder, of which all files are
/// searched.
struct Disk {
    home: TempDir,
    mounted: bool,
}

impl Disk {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("disk")).unwrap();
        let mut disk = Self { home, mounted: false };
        let image = disk.image();
        File::create(&image).unwrap().set_len(12 << 20).unwrap();
        let made = run("mkfs.ext4", &["-q".as_ref(), "-b".as_ref(), "1024".as_ref(), image.as_ref()]);
        disk.mounted = made && disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join("disk")
    }

    fn keeper(&self) -> PathBuf {
        self.folder().join("keeper")
    }

    fn mount(&self) -> bool {
        run("mount", &["-o".as_ref(), "loop".as_ref(), self.image().as_ref(), self.folder().as_ref()])
    }

    /// Takes up whatever room is left.
    fn fill(&self) {
        if self.mounted {
            let mut file = File::create(self.folder().join("filler")).unwrap();
            let piece = vec![0x77; 1024];
            while file.write_all(&piece).is_ok() {}
            let _ = file.sync_all();
        }
    }

    /// Whether the key stands anywhere on it.
    fn holds(&self, key: &[u8; 32]) -> bool {
        let mut files = super::files_under(&self.folder());
        if self.mounted {
            assert!(run("umount", &[self.folder().as_ref()]));
            files = vec![self.image()];
        }
        let within = |path: &PathBuf| std::fs::read(path).unwrap().windows(32).any(|window| window == key);
        let found = files.iter().any(within);
        assert!(!self.mounted || self.mount());
        found
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            run("umount", &[self.folder().as_ref()]);
        }
    }
}

/// The far half of the test below: the hour comes.
#[test]
#[ignore = "run by a_keeper_killed_at_any_step_of_the_hour_leaves_no_key_on_the_raw_disk"]
fn keeper_that_is_killed_at_a_step() {
    let folder = PathBuf::from(std::env::var_os("TESSERA_TEST_FOLDER").expect("set by the parent"));
    let (mut file, mut keeper) = KeeperFile::open(&folder, clocks(1)).unwrap();
    drop(File::create(std::env::temp_dir().join("count from here")));
    keeper.advance(clocks(8 * 24), None);
    // Refused where the audit log finds no room; what it lacks waits in the keeper's own file.
    let _ = file.save(&mut keeper);
}

/// A recording that the keeper in `folder` opens.
fn recorded(store: &Path, folder: &Path) -> (RecordingName, [u8; 32]) {
    let (mut file, mut keeper) = KeeperFile::open(folder, clocks(0)).unwrap();
    let hour = keeper.reserve(clocks(0), Retention::default()).unwrap();
    file.save(&mut keeper).unwrap();
    let recording = RecordingName { hour, recording: RecordingId::random() };
    let shares = KeyShares::Alone(keeper.release(clocks(0), recording.recording, hour).unwrap());
    let key = Secret::random();
    let wraps = shares.wrap(recording, &key).into_iter().map(|wrap| (Object::Wrap(wrap.pair), wrap.bytes));
    let init = Object::Init { take: 0 };
    for (object, bytes) in wraps.chain([(init, seal(&key, &init.context(recording), b"what was said"))]) {
        let path = store.join(object.path(recording));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    (recording, keys_in(folder)[&hour])
}

fn killed(library: &Path, keeper: &Path, log: &Path, (at, how): (u64, u64)) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "retention::steps_at_the_hour::keeper_that_is_killed_at_a_step", "--ignored"])
        .env("LD_PRELOAD", library)
        .env("STEPS_IN", keeper)
        .envs([("STEPS_AT", at.to_string()), ("STEPS_HOW", how.to_string())])
        .env("STEPS_LOG", log)
        .env("TESSERA_TEST_FOLDER", keeper)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.signal() == Some(9) || status.success(), "step {at}, {how}: {status}");
    status.signal() == Some(9)
}

/// `make soak` runs 200 rounds. Each step in each way comes about once in 21.
#[test]
fn a_keeper_killed_at_any_step_of_the_hour_leaves_no_key_on_the_raw_disk() {
    let count = std::env::var("TESSERA_KILL_ROUNDS").map_or(21, |rounds| rounds.parse().unwrap());
    let aside = tempfile::tempdir().unwrap();
    let (library, log) = (library(aside.path()), aside.path().join("log"));
    let mut draw = Draw::new();
    let (mut raw, mut ended) = (0, 0);
    for round in 0..count {
        let (disk, store) = (Disk::new(), aside.path().join(format!("store-{round}")));
        let (recording, key) = recorded(&store, &disk.keeper());
        assert!(disk.holds(&key), "the search finds what is there");
        assert_eq!(decrypt(&store, &[&disk.keeper()], aside.path()).opened, [recording.to_string()]);
        let full = round % 2 == 1;
        if full {
            disk.fill();
        }
        let in_turn = (round / 3 % STEPS + 1, round % 3);
        let step = if count > STEPS * 3 { (draw.below(STEPS) + 1, draw.below(3)) } else { in_turn };
        ended += u64::from(killed(&library, &disk.keeper(), &log, step));
        // The next start, at the hour, ends what was begun, on a full disk too.
        drop(KeeperFile::open(&disk.keeper(), clocks(8 * 24)).unwrap());
        raw += u64::from(disk.mounted);
        assert!(!disk.holds(&key), "round {round}: step {step:?}, full: {full}");
        assert_eq!(decrypt(&store, &[&disk.keeper()], aside.path()).opened.len(), 0);
        // With room again its log tells of the key's end, once.
        let _ = std::fs::remove_file(disk.folder().join("filler"));
        let (_, keeper) = KeeperFile::open(&disk.keeper(), clocks(8 * 24)).unwrap();
        let text = std::fs::read_to_string(audit_path(&disk.keeper(), keeper.id())).unwrap();
        let told = verify_audit(&text, &keeper.audit().public_key()).unwrap();
        let ends = told.iter().filter(|event| **event == AuditEvent::Destroyed(recording.hour));
        assert_eq!(ends.count(), 1, "{text}");
    }
    println!("{ended} of {count} rounds killed at the hour, {raw} on a raw image of ext4");
    assert!(ended * 2 > count, "most rounds reach their step");
}

#[test]
fn the_bytes_of_a_keepers_file_are_where_the_docs_say() {
    let home = tempfile::tempdir().unwrap();
    let (recording, key) = recorded(&home.path().join("store"), home.path());
    let bytes = std::fs::read(home.path().join("keys")).unwrap();
    assert_eq!(bytes.len(), 24_576 + 2 * 1_425_408);
    let slot = &bytes[recording.hour.0 as usize % 168 * 64..][..64];
    assert_eq!((&slot[..4], &slot[4..36]), (&recording.hour.0.to_be_bytes()[..], &key[..]));
    let mut heads = [24_576, 24_576 + 1_425_408].map(|at| &bytes[at..at + 24]);
    heads.sort_by_key(|head| head[23]);
    assert!(heads.iter().all(|head| head.starts_with(b"tessera keeper 2") && head[16..23] == [0; 7]));
    assert_eq!(heads[0][23] + 1, heads[1][23]);
}
