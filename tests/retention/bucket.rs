//! **The question:** does everything hold in a real bucket too, and when it is slow, failing or down? SeaweedFS, killed
//! and started again; a proxy before it that answers 500.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tessera::base::media::Pts;
use tessera::core::record::{GapReason, RecordingState};
use tessera::core::retention::{RecordingName, Retention};
use tessera::io::recording::{RecordingPlace, RecordingSummary};
use tessera::io::store::{Archive, ArchiveCounters, SpoolPlace, Vault, VaultError};
use tokio::runtime::Runtime;

use super::weed::{Proxy, Weed};
use super::{files_under, read, runtime};
use crate::record::material::{Call, clip};
use crate::record::players::decode;
use crate::record::{SmallDisk, fill};

const MIB: u64 = 1024 * 1024;

/// A node's archive on any vault, with a spool.
struct Spooled {
    runtime: Runtime,
    archive: Arc<Archive>,
    counters: ArchiveCounters,
}

impl Spooled {
    fn new(vault: Vault, folder: &Path, bytes_max: u64) -> Self {
        let (runtime, counters) = (runtime(), ArchiveCounters::default());
        let (keeper, handle) = (folder.join("keeper"), runtime.handle().clone());
        let archive = Archive::on_vault(vault, &keeper, Retention::default(), handle, counters.clone()).unwrap();
        let archive = archive.with_spool(&SpoolPlace { folder: folder.join("spool"), bytes_max }).unwrap();
        let archive = Arc::new(archive);
        runtime.spawn(archive.clone().run_spool());
        Self { runtime, archive, counters }
    }

    fn call(&self) -> Call {
        Call::new(RecordingPlace::Sealed(self.archive.clone()), Pts(0))
    }

    fn read(&self, recording: RecordingName, take: u32) -> Vec<u8> {
        self.runtime.block_on(read(&self.archive, recording, take)).unwrap()
    }

    /// Waits until nothing waits on disk.
    fn drained(&self, folder: &Path) {
        let until = Instant::now() + Duration::from_secs(90);
        while !files_under(&folder.join("spool")).is_empty() {
            assert!(Instant::now() < until, "never drained: {:?}", self.counters);
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn at(seconds: u64) -> Pts {
    Pts(seconds * 1_000_000_000)
}

fn play(call: &mut Call, from: u64, to: u64) {
    call.run(at(from), at(to), |_| true, |_| true);
}

/// Ten times as fast as life, so that the store and its failures have time to matter.
fn live(call: &mut Call, from: u64, to: u64) {
    for tenth in from * 10..to * 10 {
        // Not made up for when late: the store shall have its time.
        std::thread::sleep(Duration::from_millis(10));
        let (now, next) = (Pts(tenth * 100_000_000), Pts((tenth + 1) * 100_000_000));
        call.run(now, next, |_| true, |_| true);
    }
}

fn recording(summary: &RecordingSummary) -> RecordingName {
    assert_eq!(summary.trouble, None);
    summary.sealed.unwrap()
}

#[test]
fn a_recording_in_a_bucket_reads_back_by_ranges_and_is_swept_and_erased_whole() {
    let weed = Weed::start();
    weed.bucket("recordings", false);
    let folder = tempfile::tempdir().unwrap();
    let node = Spooled::new(weed.vault("recordings"), folder.path(), 64 * MIB);
    let vault = weed.vault("recordings");
    node.runtime.block_on(vault.check_residues()).unwrap();
    let recorded = || {
        let mut call = node.call();
        play(&mut call, 0, 9);
        recording(&call.finish(at(9)))
    };
    let (first, second) = (recorded(), recorded());
    let whole = node.read(first, 0);
    let file = folder.path().join("whole.mp4");
    std::fs::write(&file, &whole).unwrap();
    assert_eq!(decode(&file), 270);
    node.runtime.block_on(async {
        let mut reading = node.archive.read(first, 0).await.unwrap();
        for from in (0..whole.len()).step_by(whole.len() / 7) {
            let piece = reading.next(&(from as u64..from as u64 + 1000)).await.unwrap();
            assert!(!piece.is_empty() && whole[from..].starts_with(&piece), "{from}");
        }
        let listed = node.archive.list(|_| true).await.unwrap();
        assert!(listed.len() == 2 && listed.iter().all(|detail| detail.state == RecordingState::Final), "{listed:?}");
    });
    let picture = &clip()[0][40..56];
    for path in weed.files() {
        let bytes = std::fs::read(&path).unwrap();
        let shows = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert!(!shows(b"daily") && !shows(picture) && !shows(b"duration_ms"), "{} in clear", path.display());
    }
    node.runtime.block_on(async {
        node.archive.shred(first).await.unwrap();
        assert!(vault.list(&tessera::core::record::folder(first)).await.unwrap().is_empty());
        // What another node left, whose hour has passed.
        for path in ["rec/00480000/r1/av/0000/000001", "rec/00480001/anything"] {
            vault.put(path, "left over".into()).await.unwrap();
        }
        node.archive.custody().believe_clock().unwrap();
        let swept = node.archive.sweep().await;
        assert_eq!((swept.objects, swept.failed, node.counters.sweep_failing.get()), (2, 0, 0));
        // SeaweedFS shows an emptied folder for a while; objects are what counts.
        let (left, kept) = (vault.list("rec").await.unwrap(), tessera::core::record::folder(second));
        assert!(!left.is_empty() && left.iter().all(|object| object.path.starts_with(&kept)), "{left:?}");
        node.archive.shred(second).await.unwrap();
        assert!(vault.list("").await.unwrap().is_empty(), "nothing is left");
    });
}

#[test]
fn a_bucket_that_keeps_what_is_deleted_is_refused() {
    let weed = Weed::start();
    weed.bucket("versioned", true);
    let vault = weed.vault("versioned");
    let checked = runtime().block_on(vault.check_residues());
    assert!(matches!(checked, Err(VaultError::KeepsResidues { .. })), "{checked:?}");
    vault.demand_proof();
    let put = runtime().block_on(vault.put("rec/1/a/hdr", "sealed".into()));
    assert!(matches!(put, Err(VaultError::KeepsResidues { .. })), "nothing is stored there before it was asked");
    let nowhere = runtime().block_on(weed.vault("never-made").check_residues());
    assert!(nowhere.is_err(), "a bucket that is not there: {nowhere:?}");
}

#[test]
fn what_is_recorded_while_the_store_is_down_waits_on_disk_and_is_stored_when_it_returns() {
    let mut weed = Weed::start();
    weed.bucket("recordings", false);
    let folder: TempDir = tempfile::tempdir().unwrap();
    // The long form: ten minutes without a store.
    let outage = if std::env::var_os("TESSERA_LONG").is_some() { 600 } else { 20 };
    let node = Spooled::new(weed.vault("recordings"), folder.path(), 64 * MIB);
    let mut call = node.call();
    live(&mut call, 0, 6);
    weed.kill();
    live(&mut call, 6, 6 + outage);
    assert!(node.counters.upload.store_failing.get() == 1 && node.counters.upload.spool_bytes.get() > 0);
    for path in files_under(&folder.path().join("spool")) {
        let bytes = std::fs::read(&path).unwrap();
        let shows = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        assert!(!shows(b"daily") && !shows(b"moof") && !shows(&clip()[0][40..56]), "{} in clear", path.display());
    }
    weed.up();
    live(&mut call, 6 + outage, 10 + outage);
    let summary = call.finish(at(10 + outage));
    let recording = recording(&summary);
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    node.drained(folder.path());
    assert_eq!((node.counters.upload.store_failing.get(), node.counters.upload.lost.get()), (0, 0));
    assert_eq!(node.counters.upload.spool_bytes.get(), 0);
    let file = folder.path().join("whole.mp4");
    std::fs::write(&file, node.read(recording, 0)).unwrap();
    assert_eq!(decode(&file), (10 + outage) * 30, "not a picture is missing");
}

#[test]
fn a_spool_that_is_full_costs_a_gap_an_alarm_and_never_the_call() {
    let mut weed = Weed::start();
    weed.bucket("recordings", false);
    let folder = tempfile::tempdir().unwrap();
    let node = Spooled::new(weed.vault("recordings"), folder.path(), MIB / 2);
    let mut call = node.call();
    live(&mut call, 0, 4);
    weed.kill();
    // The spool holds some seconds of it, the queue two minutes; the rest is lost, and the call goes on as fast as it
    // can.
    play(&mut call, 4, 240);
    let upload = &node.counters.upload;
    assert!(upload.lost.get() > 0 && upload.store_failing.get() == 1, "{upload:?}");
    let until = Instant::now() + Duration::from_secs(10);
    while upload.spool_full.get() == 0 {
        assert!(Instant::now() < until, "{upload:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(upload.spool_bytes.get() <= MIB / 2, "the bound holds");
    weed.up();
    let room = Instant::now() + Duration::from_secs(60);
    while upload.spool_full.get() == 1 || upload.bytes.get() < 2 * MIB {
        assert!(Instant::now() < room, "{upload:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    live(&mut call, 240, 250);
    let summary = call.finish(at(250));
    let behind = |gap: &&tessera::core::record::Gap| gap.reason == GapReason::StoreBehind;
    assert!(summary.gaps.iter().any(|gap| behind(&gap)), "{:?}", summary.gaps);
    let recording = summary.sealed.unwrap();
    node.drained(folder.path());
    let detail = node.runtime.block_on(node.archive.detail(recording)).unwrap();
    assert!(detail.gap_ms > 0 && detail.state == RecordingState::Final, "{detail:?}");
    let file = folder.path().join("part.mp4");
    std::fs::write(&file, node.read(recording, 0)).unwrap();
    assert!(decode(&file) + detail.gap_ms * 30 / 1000 + 60 >= 250 * 30, "what does not play is stated: {detail:?}");
    assert_eq!(upload.spool_full.get(), 0);
}

#[test]
fn a_store_that_answers_500_costs_nothing_but_a_while() {
    let weed = Weed::start();
    weed.bucket("recordings", false);
    let proxy = Proxy::before(&weed);
    let folder = tempfile::tempdir().unwrap();
    let node = Spooled::new(weed.vault_at(&proxy.endpoint(), "recordings"), folder.path(), 64 * MIB);
    let mut call = node.call();
    live(&mut call, 0, 6);
    proxy.fail(true);
    live(&mut call, 6, 26);
    assert!(node.counters.upload.errors.get() > 0 && node.counters.upload.spool_bytes.get() > 0);
    // The node ends in the middle of it, and another one finds what waits.
    let summary = call.finish(at(26));
    assert!(summary.gaps.is_empty(), "{:?}", summary.gaps);
    let recording = recording(&summary);
    drop(node);
    assert!(!files_under(&folder.path().join("spool")).is_empty());
    proxy.fail(false);
    let node = Spooled::new(weed.vault_at(&proxy.endpoint(), "recordings"), folder.path(), 64 * MIB);
    node.drained(folder.path());
    let file = folder.path().join("whole.mp4");
    std::fs::write(&file, node.read(recording, 0)).unwrap();
    assert_eq!(decode(&file), 26 * 30);
}

#[test]
fn a_full_disk_of_store_and_spool_costs_a_gap_and_never_the_call() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(&folder.path().join("disk"), "8m") else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    let disk = folder.path().join("disk");
    let node = Spooled::new(Vault::open(disk.join("store").to_str().unwrap()).unwrap(), &disk, 64 * MIB);
    let mut call = node.call();
    live(&mut call, 0, 4);
    fill(&disk.join("ballast"));
    play(&mut call, 4, 240);
    let upload = &node.counters.upload;
    assert!(upload.lost.get() > 0, "{upload:?}");
    let until = Instant::now() + Duration::from_secs(10);
    while upload.spool_full.get() == 0 {
        assert!(Instant::now() < until, "{upload:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let summary = call.finish(at(240));
    assert!(summary.gaps.iter().any(|gap| gap.reason == GapReason::StoreBehind), "{:?}", summary.gaps);
}
