//! **The question:** does a recording reach its owner's host whole, and is it erased here only then? A real S3 server,
//! a real WebDAV server (both SeaweedFS), a proxy that breaks off, a host that alters what it is given, and a stand-in
//! for Dropbox.

mod dropbox;
mod hosts;
mod node;

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt};
use tessera::base::limits;
use tessera::base::media::{Pts, pts_from_tick};
use tessera::core::retention::RecordingName;
use tessera::io::store::ReadError;
use tessera::io::transfer::{Credentials, Destination, Progress, TransferError, TransferredFile, transfer};

use self::hosts::{Altering, Cutting, Denying};
use super::weed::{KEY, SECRET, Weed};
use super::{Home, files_under};
use crate::record::material::{FPS, clip};

pub(super) fn credentials(variables: &[(&str, &str)]) -> Credentials {
    Credentials::from_variables(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// A bucket's folder on the test's server, known by `key`.
fn bucket(weed: &Weed, url: &str, key: &str) -> Destination {
    bucket_at(&weed.endpoint(), url, key)
}

fn bucket_at(endpoint: &str, url: &str, key: &str) -> Destination {
    let variables = [
        ("TESSERA_HAND_OVER_AWS_ACCESS_KEY_ID", key),
        ("TESSERA_HAND_OVER_AWS_SECRET_ACCESS_KEY", SECRET),
        ("TESSERA_HAND_OVER_AWS_REGION", "us-east-1"),
        ("TESSERA_HAND_OVER_AWS_ENDPOINT", endpoint),
        ("TESSERA_HAND_OVER_AWS_ALLOW_HTTP", "true"),
    ];
    Destination::parse(url, &credentials(&variables)).unwrap()
}

impl Home {
    pub(super) fn transfer(
        &self,
        recording: RecordingName,
        destination: &Destination,
        keep: bool,
    ) -> Result<Vec<TransferredFile>, TransferError> {
        self.runtime.block_on(transfer(&self.archive, recording, destination, keep, &|_| {}))
    }

    /// A recording that no host takes in one piece: its pictures are padded (AV1 specification, section 5.3: padding
    /// OBUs).
    pub(super) fn recorded_large(&self) -> RecordingName {
        let mut padding = vec![0x7a, 0xe0, 0xd4, 0x03];
        padding.resize(4 + 60_000, 0x5a);
        let mut call = self.call(Pts(0));
        for n in 0..270 {
            let data = [&clip()[n as usize][..], &padding].concat();
            call.publish(pts_from_tick(n, FPS), Bytes::from(data), n.is_multiple_of(120));
        }
        (0..450).for_each(|n| call.tick(n, None));
        let end = Pts(9_000_000_000);
        call.poll(end);
        let summary = call.finish(end);
        assert_eq!((summary.trouble, summary.gaps.len()), (None, 0));
        summary.sealed.unwrap()
    }

    /// Nothing was lost by a hand-over that did not work.
    pub(super) fn expect_kept(&self, recording: RecordingName, whole: &[u8]) {
        assert!(self.read(recording, 0).unwrap() == whole, "the recording is here, and the same");
    }

    pub(super) fn expect_erased(&self, recording: RecordingName) {
        assert!(matches!(self.read(recording, 0), Err(ReadError::Gone)));
        assert!(files_under(&self.object(recording, "")).is_empty(), "and its objects are deleted");
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a host serves to anybody.
fn get(home: &Home, url: &str) -> (u16, Vec<u8>) {
    home.runtime.block_on(async {
        let response = crate::browser::driver::client().get(url).send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    })
}

#[test]
fn a_recording_reaches_a_bucket_in_parts_and_byte_for_byte_and_then_is_erased_here() {
    let weed = Weed::start();
    weed.bucket("mine", false);
    let home = Home::new();
    let recording = home.recorded_large();
    let whole = home.read(recording, 0).unwrap();
    assert!(whole.len() > limits::HAND_OVER_PIECE_LEN, "in several parts: {}", whole.len());
    let destination = bucket(&weed, "s3://mine/calls/here/", KEY);
    let copied = home.transfer(recording, &destination, true).unwrap();
    home.expect_kept(recording, &whole);
    let seen = Mutex::new(Vec::new());
    let told = |progress: Progress| seen.lock().unwrap().push(progress);
    let again = home.runtime.block_on(transfer(&home.archive, recording, &destination, false, &told)).unwrap();
    assert_eq!(again, copied, "the same name, and no second file");
    let of = whole.len() as u64;
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.contains(&Progress::Sending { bytes: of, of }) && seen.contains(&Progress::Verifying { bytes: of, of })
    );
    let file = &copied[0];
    assert_eq!((file.bytes, file.sha256.to_string()), (of, sha256(&whole)));
    assert!(file.name.starts_with("daily-20231114T") && file.name.ends_with(".mp4"), "{}", file.name);
    let store = AmazonS3Builder::new()
        .with_url("s3://mine")
        .with_access_key_id(KEY)
        .with_secret_access_key(SECRET)
        .with_region("us-east-1")
        .with_endpoint(weed.endpoint())
        .with_allow_http(true)
        .build()
        .unwrap();
    home.runtime.block_on(async {
        let path = format!("calls/here/{}", file.name).into();
        let held = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert!(held[..] == whole[..], "byte for byte");
        let listed = store.list_with_delimiter(Some(&"calls/here".into())).await.unwrap();
        assert_eq!(listed.objects.len(), copied.len());
    });
    home.expect_erased(recording);
    assert!(matches!(home.transfer(recording, &destination, false), Err(TransferError::Read(ReadError::Gone))));
}

#[test]
fn a_host_that_refuses_is_told_at_once_and_nothing_is_erased() {
    let weed = Weed::start();
    weed.bucket("mine", false);
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    for destination in [bucket(&weed, "s3://mine/calls", "somebody else"), bucket(&weed, "s3://nowhere/calls", KEY)] {
        let waited = Mutex::new(0);
        let told =
            |progress: Progress| *waited.lock().unwrap() += u32::from(matches!(progress, Progress::Waiting { .. }));
        let error = home.runtime.block_on(transfer(&home.archive, recording, &destination, false, &told)).unwrap_err();
        assert!(matches!(error, TransferError::Refused(_)), "{error}");
        assert!(!error.to_string().contains(SECRET) && !error.to_string().contains("daily"), "{error}");
        assert_eq!(*waited.lock().unwrap(), 0, "it would refuse again");
        home.expect_kept(recording, &whole);
    }
}

#[test]
fn a_recording_reaches_a_webdav_folder_that_is_made_for_it_and_then_is_erased_here() {
    let weed = Weed::start_with_webdav();
    let home = Home::new();
    let recording = home.recorded_large();
    let whole = home.read(recording, 0).unwrap();
    let folder = format!("{}/Calls/of%20Ada", weed.webdav());
    let destination = Destination::parse(&folder, &Credentials::default()).unwrap();
    let files = home.transfer(recording, &destination, false).unwrap();
    let (status, held) = get(&home, &format!("{folder}/{}", files[0].name));
    assert!(status == 200 && held == whole, "{status}, {} bytes", held.len());
    assert_eq!(files[0].sha256.to_string(), sha256(&whole));
    assert_eq!(get(&home, &format!("{folder}/{}.unverified", files[0].name)).0, 404, "nothing lies beside it");
    home.expect_erased(recording);
}

#[test]
fn a_host_that_breaks_off_midway_gets_it_again_whole() {
    let weed = Weed::start_with_webdav();
    let home = Home::new();
    let recording = home.recorded_large();
    let whole = home.read(recording, 0).unwrap();
    // The first two are cut after a megabyte.
    let cutting = Cutting::before(&weed.webdav(), 1024 * 1024, 2);
    let destination = Destination::parse(&format!("{}/Calls", cutting.url()), &Credentials::default()).unwrap();
    let files = home.transfer(recording, &destination, false).unwrap();
    assert_eq!(cutting.cut.load(Ordering::SeqCst), 2);
    let (_, held) = get(&home, &format!("{}/Calls/{}", weed.webdav(), files[0].name));
    assert!(held == whole);
    home.expect_erased(recording);
}

#[test]
fn a_host_that_always_breaks_off_is_given_up_and_nothing_is_erased() {
    let weed = Weed::start_with_webdav();
    let home = Home::new();
    let recording = home.recorded_large();
    let whole = home.read(recording, 0).unwrap();
    let cutting = Cutting::before(&weed.webdav(), 1024 * 1024, u32::MAX);
    let destination = Destination::parse(&format!("{}/Calls", cutting.url()), &Credentials::default()).unwrap();
    let error = home.transfer(recording, &destination, false).unwrap_err();
    assert!(matches!(error, TransferError::Failed(_)), "{error}");
    assert_eq!(cutting.cut.load(Ordering::SeqCst), limits::HAND_OVER_TRIES, "each try from its beginning, and no more");
    home.expect_kept(recording, &whole);
}

#[test]
fn what_comes_back_altered_is_no_copy_and_nothing_is_erased() {
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    let host = home.runtime.block_on(Altering::start());
    let login = credentials(&[("TESSERA_HAND_OVER_USER", "ada"), ("TESSERA_HAND_OVER_PASSWORD", "an app password")]);
    let destination = Destination::parse(&format!("{}/calls", host.url), &login).unwrap();
    let error = home.transfer(recording, &destination, false).unwrap_err();
    assert!(matches!(error, TransferError::Differs), "{error}");
    assert!(host.files.lock().unwrap().is_empty(), "what was not verified is cleared away");
    let asked = host.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(|method| *method == "PUT").count() as u32, limits::HAND_OVER_TRIES);
    assert!(!asked.iter().any(|method| method == "MOVE"), "it never got its name: {asked:?}");
    home.expect_kept(recording, &whole);
    host.honest.store(true, Ordering::SeqCst);
    let wrong = credentials(&[("TESSERA_HAND_OVER_USER", "ada"), ("TESSERA_HAND_OVER_PASSWORD", "no password")]);
    let stranger = Destination::parse(&format!("{}/calls", host.url), &wrong).unwrap();
    let error = home.transfer(recording, &stranger, false).unwrap_err();
    assert!(matches!(&error, TransferError::Refused(why) if why.contains("credentials")), "{error}");
    home.expect_kept(recording, &whole);
    let files = home.transfer(recording, &destination, false).unwrap();
    assert!(host.files.lock().unwrap()[&format!("/calls/{}", files[0].name)] == whole, "once it is honest");
    home.expect_erased(recording);
}

#[test]
fn a_hand_over_to_a_bucket_that_is_cut_or_not_verified_leaves_no_object() {
    let home = Home::new();
    let recording = home.recorded();
    let whole = home.read(recording, 0).unwrap();
    // It has the object and says that it was refused; or it took it and does not let it be read back.
    for denied in ["PUT", "GET"] {
        let host = home.runtime.block_on(Denying::start(denied));
        let error = home.transfer(recording, &bucket_at(&host.url, "s3://mine/calls", KEY), false).unwrap_err();
        assert!(matches!(error, TransferError::Refused(_)), "{error}");
        assert!(host.files.lock().unwrap().is_empty(), "{denied}: what was not verified is cleared away");
        home.expect_kept(recording, &whole);
    }
}

#[test]
fn a_recording_whose_call_still_runs_is_not_handed_over() {
    let home = Home::new();
    let mut call = home.call(Pts(0));
    call.run(Pts(0), Pts(9_000_000_000), |_| true, |_| true);
    let until = std::time::Instant::now() + Duration::from_secs(60);
    let running = loop {
        let listed = home.runtime.block_on(home.archive.list(|_| true)).unwrap();
        if let Some(detail) = listed.first() {
            break detail.recording.parse().unwrap();
        }
        assert!(std::time::Instant::now() < until, "never listed");
        std::thread::sleep(Duration::from_millis(20));
    };
    // Nobody listens there, and nobody is asked.
    let destination = Destination::parse("http://127.0.0.1:1/calls", &Credentials::default()).unwrap();
    assert!(matches!(home.transfer(running, &destination, false), Err(TransferError::NotFinal)));
    call.finish(Pts(9_000_000_000));
}
