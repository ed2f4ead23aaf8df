//! **The question:** what is left when a process is killed at any step of writing, erasing or sweeping? Every operation
//! on files is such a step: `steps.c`, preloaded, ends the child before, in the middle of or after the one that is
//! drawn.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3Builder;
use tempfile::TempDir;
use tessera::base::media::Pts;
use tessera::core::record::folder;
use tessera::core::retention::{RecordingName, Retention};
use tessera::io::recording::RecordingPlace;
use tessera::io::store::{Archive, ArchiveCounters, ReadError, SpoolPlace, Vault};

use super::deadline::{BINARY, FAKETIME};
use super::{files_under, place, read, runtime, stored_in_clear};
use crate::record::material::Call;
use crate::record::players::decode;

/// What a child does when it is killed. `Spool`: it records while its store is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Record,
    Spool,
    Shred,
    Sweep,
}

const DEEDS: [Deed; 5] = [Deed::Record, Deed::Spool, Deed::Record, Deed::Shred, Deed::Sweep];
/// Virtual milliseconds between what the child says it reached and what may be missing: a segment that is being made or
/// stored (2 s), the recorder's patience with late sound, and one step of the child.
const ONE_SEGMENT_MS: u64 = 2_000 + 500 + 200;
const CALL_MS: u64 = 13_000;

fn spool(home: &Path) -> SpoolPlace {
    SpoolPlace { folder: home.join("spool"), bytes_max: 1 << 30 }
}

fn archive(home: &Path, vault: Vault, runtime: &tokio::runtime::Runtime) -> (Arc<Archive>, ArchiveCounters) {
    let (counters, handle) = (ArchiveCounters::default(), runtime.handle().clone());
    let archive = Archive::on_vault(vault, &home.join("keeper"), Retention::default(), handle, counters.clone());
    let archive = Arc::new(archive.unwrap().with_spool(&spool(home)).unwrap());
    runtime.spawn(archive.clone().run_spool());
    (archive, counters)
}

fn local(home: &Path) -> Vault {
    Vault::open(&place(home).vault).unwrap()
}

/// A bucket on a port that nobody listens at.
fn nowhere() -> Vault {
    let builder = AmazonS3Builder::new().with_access_key_id("a").with_secret_access_key("b").with_region("r");
    Vault::bucket(builder.with_endpoint("http://127.0.0.1:9").with_allow_http(true), "s3://none").unwrap()
}

/// The far half of the tests below.
#[test]
#[ignore = "run by a_process_killed_at_any_step_loses_at_most_one_segment_and_leaves_nothing"]
fn child_that_is_killed_at_a_step() {
    let path = |name: &str| PathBuf::from(std::env::var_os(name).expect("set by the parent"));
    let (home, reached) = (path("TESSERA_TEST_FOLDER"), path("TESSERA_TEST_REACHED"));
    let deed = std::env::var("TESSERA_TEST_DEED").unwrap();
    let runtime = runtime();
    let mark = || drop(std::fs::File::create(reached.with_file_name("count from here")).unwrap());
    let store = if deed == "Spool" { nowhere() } else { local(&home) };
    if matches!(deed.as_str(), "Record" | "Spool") {
        mark();
    }
    let (archive, counters) = archive(&home, store, &runtime);
    if deed == "Sweep" {
        for n in 0..12 {
            runtime
                .block_on(local(&home).put(&format!("rec/00480000/r{}/av/0000/{n:06}", n / 4), "old".into()))
                .unwrap();
        }
        std::fs::write(home.join("store/rec/00480000/half-written#1"), "as a killed process leaves it").unwrap();
        archive.custody().believe_clock().unwrap();
        mark();
        runtime.block_on(archive.sweep());
        return;
    }
    let mut call = Call::new(RecordingPlace::Sealed(archive.clone()), Pts(0));
    for now in (0..if deed == "Shred" { 5_000 } else { CALL_MS }).step_by(100) {
        std::fs::write(&reached, now.to_string()).unwrap();
        call.run(Pts(now * 1_000_000), Pts((now + 100) * 1_000_000), |_| true, |_| true);
        // As in life, where two seconds pass between two segments, the store keeps up.
        let until = Instant::now() + Duration::from_secs(60);
        while counters.upload.bytes.get() + counters.upload.spool_bytes.get() < call.counters.bytes.get() {
            assert!(Instant::now() < until, "the store stands still");
            std::thread::sleep(Duration::from_millis(1));
        }
        runtime.block_on(async { archive.custody().tick() });
    }
    let recording = call.finish(Pts(CALL_MS * 1_000_000)).sealed.unwrap();
    if deed == "Shred" {
        std::fs::write(&reached, recording.to_string()).unwrap();
        mark();
        runtime.block_on(archive.shred(recording)).unwrap();
    }
}

/// Numbers that come again with the same `PROPTEST_RNG_SEED`.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new() -> Self {
        Self(std::env::var("PROPTEST_RNG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1))
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// `steps.c`, to be preloaded.
pub(super) fn library(aside: &Path) -> PathBuf {
    let library = aside.join("steps.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/retention/steps.c");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl");
    assert!(gcc.status().expect("gcc is installed").success());
    library
}

struct Rounds {
    home: TempDir,
    aside: TempDir,
    library: PathBuf,
    draw: Draw,
}

impl Rounds {
    fn new() -> Self {
        let (home, aside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let library = library(aside.path());
        Self { home, aside, library, draw: Draw::new() }
    }

    /// Runs one child; what it had reached, and whether it was killed.
    fn run(&mut self, deed: Deed) -> (String, bool) {
        let reached = self.aside.path().join("reached");
        let _ = std::fs::remove_file(&reached);
        let steps = match deed {
            Deed::Record | Deed::Spool => 90,
            Deed::Shred => 24,
            Deed::Sweep => 26,
        };
        let (at, how) = (self.draw.below(steps) + 1, self.draw.below(3));
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "retention::steps::child_that_is_killed_at_a_step", "--ignored", "--nocapture"])
            .env("LD_PRELOAD", &self.library)
            .env("STEPS_IN", self.home.path())
            .envs([("STEPS_AT", at.to_string()), ("STEPS_HOW", how.to_string())])
            .env("STEPS_LOG", self.aside.path().join("log"))
            .env("TESSERA_TEST_FOLDER", self.home.path())
            .env("TESSERA_TEST_REACHED", &reached)
            .env("TESSERA_TEST_DEED", format!("{deed:?}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let killed = status.signal() == Some(9);
        assert!(killed || status.success(), "{deed:?} at step {at}, {how}: {status}");
        (std::fs::read_to_string(reached).unwrap_or_default(), killed)
    }

    /// What the next node finds: everything but at most one segment plays, erased and swept things go at the next try.
    fn check(&self, deed: Deed, reached: &str, before: &[RecordingName]) {
        let (home, runtime) = (self.home.path(), runtime());
        let (archive, _) = archive(home, local(home), &runtime);
        let until = Instant::now() + Duration::from_secs(60);
        while !files_under(&home.join("spool")).is_empty() {
            assert!(Instant::now() < until, "the spool is never empty");
            std::thread::sleep(Duration::from_millis(10));
        }
        let stored = runtime.block_on(archive.vault().recording()).unwrap();
        let new: Vec<RecordingName> = stored.into_iter().filter(|recording| !before.contains(recording)).collect();
        match deed {
            Deed::Record | Deed::Spool => {
                let (reached, whole) = (
                    reached.parse().unwrap_or(0_u64),
                    runtime.block_on(async {
                        match new.first() {
                            Some(recording) => read(&archive, *recording, 0).await.ok(),
                            None => None,
                        }
                    }),
                );
                let file = self.aside.path().join("part.mp4");
                let played_ms = whole.map_or(0, |whole| {
                    std::fs::write(&file, whole).unwrap();
                    if std::fs::metadata(&file).unwrap().len() < 2_000 { 0 } else { decode(&file) * 1000 / 30 }
                });
                assert!(played_ms + ONE_SEGMENT_MS >= reached, "{deed:?}: {played_ms} of {reached} ms play");
            }
            Deed::Shred => {
                for recording in &new {
                    match runtime.block_on(archive.shred(*recording)) {
                        Ok(()) | Err(ReadError::Missing) => {}
                        Err(error) => panic!("erasing again: {error}"),
                    }
                    assert!(runtime.block_on(read(&archive, *recording, 0)).is_err());
                    let left = files_under(&home.join("store").join(folder(*recording)));
                    assert!(left.is_empty(), "{left:?}");
                }
            }
            Deed::Sweep => {
                archive.custody().believe_clock().unwrap();
                assert_eq!(runtime.block_on(archive.sweep()).failed, 0);
                assert!(!home.join("store/rec/00480000").exists(), "nothing is left unswept");
            }
        }
        assert!(!stored_in_clear(&home.join("store"), b"daily") && !stored_in_clear(&home.join("spool"), b"daily"));
    }

    fn recording(&self) -> Vec<RecordingName> {
        runtime().block_on(local(self.home.path()).recording()).unwrap()
    }

    /// A week later, by the real binary: nothing is left, not even half a file.
    fn sweep_after_the_hour(&self) {
        let home = self.home.path();
        for action in ["believe-clock", "sweep"] {
            let mut command = Command::new(BINARY);
            command.args(["recordings", action, "--store"]).arg(home.join("store"));
            command.arg("--keeper").arg(home.join("keeper")).arg("--spool").arg(home.join("spool"));
            let output = command.envs([("LD_PRELOAD", FAKETIME), ("FAKETIME", "+8d")]).output().unwrap();
            assert!(output.status.success(), "{action}: {output:?}");
        }
        let left = [files_under(&home.join("store")), files_under(&home.join("spool"))].concat();
        assert!(left.is_empty(), "{left:?}");
        let kept = files_under(&home.join("keeper"));
        let known = |name: &str| name == "keys" || name == "lock" || name.starts_with("audit-");
        assert!(kept.iter().all(|path| known(path.file_name().unwrap().to_str().unwrap())), "{kept:?}");
    }
}

/// `make soak` runs 200 rounds.
#[test]
fn a_process_killed_at_any_step_loses_at_most_one_segment_and_leaves_nothing() {
    let count = std::env::var("TESSERA_KILL_ROUNDS").map_or(10, |rounds| rounds.parse().unwrap());
    let mut rounds = Rounds::new();
    let mut killed = 0;
    for round in 0..count {
        let deed = DEEDS[round % DEEDS.len()];
        let before = rounds.recording();
        let (reached, was_killed) = rounds.run(deed);
        killed += u64::from(was_killed);
        rounds.check(deed, &reached, &before);
    }
    rounds.sweep_after_the_hour();
    let log = std::fs::read_to_string(rounds.aside.path().join("log")).unwrap_or_default();
    let mut steps: Vec<_> = log.lines().collect();
    steps.sort_unstable();
    let names: std::collections::BTreeSet<_> = steps.iter().copied().collect();
    let counted: Vec<_> =
        names.iter().map(|name| format!("{name} {}", steps.iter().filter(|step| step == &name).count())).collect();
    println!("{killed} of {count} rounds killed: {}", counted.join(", "));
    assert!(killed * 2 > count as u64, "most rounds reach their step");
}
