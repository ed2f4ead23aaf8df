//! **The question:** which recordings are there, who may still open them, and what is to be deleted? The vault, the
//! keeper and the time of the keeper together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::runtime::Handle;

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::record::{
    Contents, Hdr, Manifest, Object, ROOT, RecordedCaption, RecordedFile, RecordingState, TrackEntry, folder, utc_text,
};
use crate::core::retention::{Hour, RecordingName, Retention, Secret, open};
use crate::engine::flow::{Counter, Level, Waker};
use crate::io::store::custody::KeyCustody;
use crate::io::store::disk::StoreError;
use crate::io::store::erased::ErasedEar;
use crate::io::store::keeper_file::KeeperFileError;
use crate::io::store::keepers::{Keepers, LOOK_EVERY};
use crate::io::store::local_keeper::KeyCustodyError;
use crate::io::store::read_error::ReadError;
use crate::io::store::reading::Reading;
use crate::io::store::reserving::{ReservedRecording, Reserving};
use crate::io::store::secrecy::LockWatch;
use crate::io::store::spool::{Spool, SpoolPlace};
use crate::io::store::sweeping::Deleting;
use crate::io::store::underway::Underway;
use crate::io::store::upload::{SealedRecording, drain};
use crate::io::store::upload_counters::UploadCounters;
use crate::io::store::vault::{Listed, Vault, VaultError};
use crate::io::store::wraps::{data_key, repair};

/// Where an archive lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivePlace {
    /// A folder or `s3://bucket/prefix`.
    pub vault: String,
    /// The folder of the node's own keeper; better not on the disk that the recordings are backed up from.
    pub keeper: std::path::PathBuf,
}

/// What an archive counts; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ArchiveCounters {
    /// On the way to the vault.
    pub upload: UploadCounters,
    /// The keeper's state could not be stored.
    pub keeper_errors: Counter,
    /// Objects deleted after their hour.
    pub swept: Counter,
    /// Objects and listings that a sweep failed at; they are tried again.
    pub sweep_errors: Counter,
    /// 1 while the last sweep failed at something.
    pub sweep_failing: Level,
    /// 1 while the own keeper's clock is in doubt, not certain, or behind what was believed once; with keepers in other
    /// processes: while this node's clock is in doubt, or what it refuses by leads theirs.
    pub clock_alarm: Level,
    /// Recordings that no two keepers opened when wraps were added last.
    pub unopened: Level,
}

/// Why an archive cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The keeper's folder.
    #[error(transparent)]
    Keeper(#[from] KeeperFileError),
    /// The spool's folder.
    #[error("the spool: {0}")]
    Spool(#[from] StoreError),
}

/// What may be wished of one recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordingWish {
    /// Whose it is, in the words of anyone who wants it.
    pub owner: Option<String>,
    /// How long it is kept; `None`: as long as the archive keeps recordings.
    pub retention: Option<Retention>,
}

/// One recording, as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordingDetail {
    /// Its name: `{hour}-{id}`.
    pub recording: String,
    /// UTC, RFC 3339, on the hour: from then on nobody opens it.
    pub expires_at: String,
    /// Which room was recorded.
    #[schemars(with = "String")]
    pub room: RoomId,
    /// Whose recording it is, if anyone who began it said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// By which the node had the room that made it, in a fleet: of two of one moment the one with the greater is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// Whether more may come. After a crash this stays `recording`.
    pub state: RecordingState,
    /// UTC of its zero, RFC 3339; absent while nothing was recorded.
    pub started: Option<String>,
    /// From its zero to its end.
    pub duration_ms: u64,
    /// Length of its files, own tracks left out.
    pub bytes: u64,
    /// Milliseconds that lack something.
    pub gap_ms: u64,
    /// Files it has: one, unless the picture's format changed.
    pub takes: usize,
    /// Participants' own tracks, if they were recorded: `track.mp4?take=n` is the n-th, from 0.
    pub tracks: Vec<TrackEntry>,
    /// How many captions of what was said it has: `captions.vtt`.
    pub captions: u64,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Swept {
    /// Objects deleted.
    pub objects: u64,
    /// Objects and folders that could not be deleted or listed.
    pub failed: u64,
}

/// Every recording of a node.
#[derive(Debug)]
pub struct Archive {
    vault: Vault,
    custody: Arc<KeyCustody>,
    retention: Retention,
    runtime: Handle,
    counters: ArchiveCounters,
    underway: Underway,
    erased: ErasedEar,
}

impl Archive {
    /// For a node that records: the keeper is locked for it, made if there is none.
    ///
    /// # Errors
    /// When the vault or the keeper's folder cannot be used.
    pub fn open(
        place: &ArchivePlace,
        retention: Retention,
        runtime: Handle,
        counters: ArchiveCounters,
    ) -> Result<Self, ArchiveError> {
        Self::on_vault(Vault::open(&place.vault)?, &place.keeper, retention, runtime, counters)
    }

    /// As [`Archive::open`], with keepers in other processes: for a node that records, and to read as well.
    ///
    /// # Errors
    /// When the vault cannot be used.
    pub fn with_keepers(
        vault: &str,
        keepers: Keepers,
        retention: Retention,
        runtime: Handle,
        counters: ArchiveCounters,
    ) -> Result<Self, ArchiveError> {
        let custody = Arc::new(KeyCustody::remote(keepers));
        let (underway, erased) = Default::default();
        Ok(Self { vault: Vault::open(vault)?, custody, retention, runtime, counters, underway, erased })
    }

    /// Only to read: a copy, or beside a node that runs. The keeper's file is looked at as it stands.
    ///
    /// # Errors
    /// When the vault or the keeper's folder cannot be used.
    pub fn look_at(place: &ArchivePlace, runtime: Handle) -> Result<Self, ArchiveError> {
        let custody = Arc::new(KeyCustody::look_at(Path::new(&place.keeper))?);
        let (retention, counters, underway, erased) = Default::default();
        Ok(Self { vault: Vault::open(&place.vault)?, custody, retention, runtime, counters, underway, erased })
    }

    /// As [`Archive::open`], on a vault that is open already.
    ///
    /// # Errors
    /// When the keeper's folder cannot be used.
    pub fn on_vault(
        vault: Vault,
        keeper: &Path,
        retention: Retention,
        runtime: Handle,
        counters: ArchiveCounters,
    ) -> Result<Self, ArchiveError> {
        let custody = Arc::new(KeyCustody::open(keeper, counters.keeper_errors.clone())?);
        let (underway, erased) = Default::default();
        Ok(Self { vault, custody, retention, runtime, counters, underway, erased })
    }

    /// From now on objects wait in a spool while the store is slow or down. [`Archive::run_spool`] has them stored.
    ///
    /// # Errors
    /// When the spool's folder cannot be used.
    pub fn with_spool(mut self, place: &SpoolPlace) -> Result<Self, ArchiveError> {
        self.vault.set_spool(Arc::new(Spool::open(place, self.counters.upload.clone())?));
        Ok(self)
    }

    /// From now on `told` hears of each recording of which nothing is left in the store, and whether that is because
    /// its time was over.
    pub fn hear_erased(&self, told: impl Fn(RecordingName, bool) + Send + Sync + 'static) {
        self.erased.set(told);
    }

    /// The keeper.
    #[must_use]
    pub fn custody(&self) -> &KeyCustody {
        &self.custody
    }

    /// Where the objects lie.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// How long recordings are kept for which nothing shorter is asked.
    #[must_use]
    pub fn retention(&self) -> Retention {
        self.retention
    }

    /// A place for a recording that begins now and is kept for `retention`: its expiry is stamped, its data key made
    /// and wrapped. Nothing is stored before [`Archive::begin`]. Takes at most `limits::KEEPERS_BEGIN_SPAN`.
    ///
    /// # Errors
    /// When too few keepers agree in time, or the only one's state cannot be stored.
    pub async fn reserve(&self, retention: Retention) -> Result<ReservedRecording, KeyCustodyError> {
        let (recording, releases) = self.custody.reserve(retention).await?;
        let key = Secret::random();
        let keepers = releases.keepers();
        let named = keepers.iter().map(ToString::to_string).collect();
        let hdr = serde_json::to_vec(&Hdr { version: 1, keepers: named }).expect("a header is plain data");
        let wraps = releases.wrap(recording, &key).into_iter().map(|wrap| (Object::Wrap(wrap.pair), wrap.bytes.into()));
        let opening = [(Object::Hdr, hdr.into())].into_iter().chain(wraps).collect();
        Ok(ReservedRecording { recording, key, keepers, opening })
    }

    /// As [`Archive::reserve`], for a thread that never waits: `waker` is woken once there is an answer.
    #[must_use]
    pub fn reserve_soon(self: &Arc<Self>, retention: Retention, waker: Waker) -> Reserving {
        let archive = self.clone();
        Reserving::spawn(&self.runtime, waker, async move { archive.reserve(retention).await })
    }

    /// Begins a recording at its place, without waiting. `waker` is woken once everything is stored after its end.
    #[must_use]
    pub fn begin(&self, reserved: ReservedRecording, waker: Waker) -> SealedRecording {
        let ReservedRecording { recording, key, keepers: wrapped, opening } = reserved;
        // One may have returned, or lost its keys, since its place was asked for.
        if let Some(keepers) = self.custody.keepers()
            && keepers.told().iter().any(|told| !wrapped.contains(&told.keeper))
        {
            keepers.set_mend_due();
        }
        let (place, counters) = ((self.vault.clone(), self.custody.clone()), self.counters.upload.clone());
        let (underway, at) = (self.underway.clone(), (&self.runtime, waker));
        let sealed = SealedRecording::start(recording, key, place, underway, counters, at);
        for (object, bytes) in opening {
            sealed.put_clear(object, bytes).expect("a new queue has room");
        }
        sealed
    }

    /// Recordings that have not expired, in the order of their expiry, at most `limits::RECORDINGS_LISTED_MAX`. Those
    /// that do not open are left out, and those that `wanted` does not want.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn list(&self, wanted: impl Fn(&RecordingDetail) -> bool) -> Result<Vec<RecordingDetail>, ReadError> {
        let mut listed = Vec::new();
        for recording in self.vault.recording().await? {
            if listed.len() == limits::RECORDINGS_LISTED_MAX {
                break;
            }
            match self.detail(recording).await {
                Ok(detail) if wanted(&detail) => listed.push(detail),
                Err(error @ (ReadError::Store(_) | ReadError::Doubt)) => return Err(error),
                _ => {}
            }
        }
        Ok(listed)
    }

    /// One recording.
    ///
    /// # Errors
    /// When it is gone, there is none, or it does not open.
    pub async fn detail(&self, recording: RecordingName) -> Result<RecordingDetail, ReadError> {
        let (contents, _) = self.contents(recording).await?;
        let manifest = contents.manifest;
        Ok(RecordingDetail {
            recording: recording.to_string(),
            expires_at: utc_text(recording.hour.start()),
            room: manifest.room,
            owner: manifest.owner,
            fence: manifest.fence,
            state: manifest.state,
            started: manifest.started,
            duration_ms: manifest.duration_ms,
            bytes: manifest.bytes,
            gap_ms: manifest.gap_ms,
            takes: manifest.takes.len(),
            captions: manifest.captions,
            tracks: manifest.tracks,
        })
    }

    /// One take of a recording, to be read as one file, as far as it is stored now.
    ///
    /// # Errors
    /// When it is gone, there is no such recording or take, or it does not open.
    pub async fn read(&self, recording: RecordingName, take: u32) -> Result<Reading, ReadError> {
        self.read_file(recording, RecordedFile::Take(take)).await
    }

    /// As [`Archive::read`], any file of a recording.
    ///
    /// # Errors
    /// As [`Archive::read`].
    pub async fn read_file(&self, recording: RecordingName, file: RecordedFile) -> Result<Reading, ReadError> {
        let (contents, key) = self.contents(recording).await?;
        let objects = self.beside(recording, file.init()).await?;
        Reading::new((self.vault.clone(), self.custody.clone()), recording, file, (contents, key), &objects)
    }

    /// What a recording's manifest says of it.
    ///
    /// # Errors
    /// When it is gone, there is none, or it does not open.
    pub async fn manifest(&self, recording: RecordingName) -> Result<Manifest, ReadError> {
        Ok(self.contents(recording).await?.0.manifest)
    }

    /// What was said in it, as far as it was written down, in the order in which that was.
    ///
    /// # Errors
    /// As [`Archive::manifest`]; also when one of its objects is missing.
    pub async fn captions(&self, recording: RecordingName) -> Result<Vec<RecordedCaption>, ReadError> {
        let (contents, key) = self.contents(recording).await?;
        let mut all = Vec::new();
        for number in 0..contents.caption_objects {
            let object = Object::Captions { number };
            let sealed = self.vault.get(&object.path(recording)).await?;
            let plain = open(&key, &object.context(recording), &sealed)?;
            let some: Vec<RecordedCaption> = serde_json::from_slice(&plain).map_err(|_| ReadError::Damaged)?;
            all.extend(some);
        }
        all.extend(contents.captions);
        // Reading takes its time: the hour may have come meanwhile.
        self.custody.refuse(recording.hour)?;
        Ok(all)
    }

    /// Erases a recording early: nothing is released for it any more, its wraps are deleted, then everything else. One
    /// whose objects wait in memory or in the spool, or whose store does not answer, is denied all the same.
    ///
    /// # Errors
    /// When it is gone already, there is none, or not everything could be done: then it may be tried again.
    pub async fn shred(&self, recording: RecordingName) -> Result<(), ReadError> {
        match self.custody.refuse(recording.hour).map_err(ReadError::from) {
            // What is to be erased need not be opened.
            Ok(()) | Err(ReadError::Doubt) => {}
            Err(error) => return Err(error),
        }
        let spool = self.vault.spool();
        let waits = self.underway.has(recording) || spool.is_some_and(|spool| spool.has(recording));
        if !waits {
            // A store that fails or hangs does not say that there is none.
            let found = tokio::time::timeout(limits::UPLOAD_PATIENCE, self.vault.has_any(&folder(recording))).await;
            if matches!(found, Ok(Ok(false))) {
                return Err(ReadError::Missing);
            }
        }
        let denied = self.custody.revoke(recording).await;
        // What is in memory goes nowhere any more.
        self.underway.erase(recording);
        // First of all, so that nothing more comes to the store from there.
        if let Some(spool) = spool.cloned() {
            // It may wait for its disk.
            let forgotten = tokio::task::spawn_blocking(move || spool.forget(recording)).await;
            let forgotten = forgotten.map_err(|error| error.to_string());
            forgotten.and_then(|done| done.map_err(|error| error.to_string())).map_err(VaultError::Failed)?;
        }
        // Without its wraps the rest says nothing.
        for folder in [format!("{}/wrap", folder(recording)), folder(recording)] {
            let mut deleting = Deleting::default();
            deleting.all_under(&self.vault, &folder, &|_, _| {}).await;
            if let Some(error) = deleting.error {
                return Err(error.into());
            }
        }
        self.vault.clear(&folder(recording)).await?;
        self.erased.tell(recording, false);
        denied.map_err(|error| ReadError::Store(VaultError::Failed(error.to_string())))
    }

    /// Deletes every object whose hour has come, known or not.
    pub async fn sweep(&self) -> Swept {
        self.sweep_telling(&|_, _| {}).await
    }

    /// As [`Archive::sweep`]; `progress` hears how many objects are done, and of how many that are known so far.
    pub async fn sweep_telling(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Swept {
        let mut deleting = Deleting::default();
        let now = self.custody.certain();
        let hours = self.vault.hours().await.unwrap_or_else(|error| {
            deleting.fail(error);
            Vec::new()
        });
        for hour in hours.into_iter().filter(|hour| hour.is_expired(now)) {
            let (folder, before) = (format!("{ROOT}/{hour}"), deleting.failed);
            let filed = self.filed_under(hour).await;
            deleting.all_under(&self.vault, &folder, progress).await;
            if deleting.failed == before
                && let Err(error) = self.vault.clear(&folder).await
            {
                deleting.fail(error);
            }
            let left = if deleting.failed == before { Vec::new() } else { self.filed_under(hour).await };
            filed.into_iter().filter(|name| !left.contains(name)).for_each(|name| self.erased.tell(name, true));
        }
        let Deleting { objects, failed, error, .. } = deleting;
        let mut swept = Swept { objects, failed };
        if let Some(spool) = self.vault.spool().cloned() {
            // It may wait for its disk.
            let (deleted, failed) = tokio::task::spawn_blocking(move || spool.expire(now)).await.unwrap_or((0, 1));
            swept.objects += deleted;
            swept.failed += failed;
        }
        if swept.failed > 0 {
            let error = error.map_or_else(|| "the spool's disk refuses".to_owned(), |error| error.to_string());
            tracing::error!(failed = swept.failed, %error, "expired objects could not be deleted; trying again");
        }
        self.counters.swept.add(swept.objects);
        self.counters.sweep_errors.add(swept.failed);
        self.counters.sweep_failing.set(u64::from(swept.failed > 0));
        if swept.objects > 0
            && self.counters.unopened.get() > 0
            && let Some(keepers) = self.custody.keepers()
        {
            // Some of those that nobody opens may be gone: they are counted anew.
            keepers.set_mend_due();
        }
        swept
    }

    /// Recordings of an hour, as far as somebody hears of it and the store says.
    async fn filed_under(&self, hour: Hour) -> Vec<RecordingName> {
        if !self.erased.is_set() {
            return Vec::new();
        }
        let names = self.vault.folders(&format!("{ROOT}/{hour}")).await.unwrap_or_default();
        let ids = names.iter().filter_map(|name| name.parse().ok());
        ids.map(|recording| RecordingName { hour, recording }).collect()
    }

    /// Ticks the keeper every second and sweeps every `limits::SWEEP_EVERY`, for as long as the node runs.
    pub async fn run(self: Arc<Self>) {
        let ticking = async {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut locks, mut leads) = (LockWatch::default(), false);
            loop {
                second.tick().await;
                locks.look();
                self.tick(&mut leads).await;
            }
        };
        // Beside it: a store that hangs keeps no key alive.
        let sweeping = async {
            loop {
                self.sweep().await;
                tokio::time::sleep(limits::SWEEP_EVERY).await;
            }
        };
        tokio::join!(ticking, sweeping);
    }

    /// Moves the time on; `leads`: whether the log was told that the own clock leads.
    async fn tick(&self, leads: &mut bool) {
        let (custody, underway) = (self.custody.clone(), self.underway.clone());
        // It may wait for its disk.
        let ticked = tokio::task::spawn_blocking(move || {
            custody.tick();
            let now = custody.ends_by();
            underway.expire(|hour| hour.is_expired(now) || custody.has_lost(hour));
        });
        if ticked.await.is_err() {
            tracing::error!("a tick of the keeper failed");
        }
        let lead = self.custody.leads_by();
        // Keepers that are silent for a while take nothing back.
        let before = std::mem::replace(leads, lead.map_or(*leads, |lead| !lead.is_zero()));
        self.counters.clock_alarm.set(u64::from(self.custody.has_clock_alarm() || *leads));
        match (before, *leads) {
            (false, true) => tracing::error!(
                seconds = lead.unwrap_or_default().as_secs(),
                "this node's clock leads its keepers', or did: recordings go on, and what had expired by it does not \
                 open here; put it right and restart the node"
            ),
            (true, false) => tracing::info!("this node's clock leads its keepers' no longer"),
            _ => {}
        }
    }

    /// Asks keepers in other processes for their time every second, and adds the wraps they missed, for as long as the
    /// node runs. Returns at once where the keeper is the node's own.
    pub async fn run_keepers(self: Arc<Self>) {
        let Some(keepers) = self.custody.keepers() else { return };
        let looking = async {
            let mut second = tokio::time::interval(LOOK_EVERY);
            second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                second.tick().await;
                keepers.poll_all().await;
            }
        };
        let mending = async {
            let mut pause = limits::MEND_EVERY;
            loop {
                tokio::time::sleep(pause).await;
                let failed = self.mend_wraps().await;
                pause = if failed { (pause * 2).min(limits::MEND_EVERY_MAX) } else { limits::MEND_EVERY };
            }
        };
        tokio::join!(looking, mending);
    }

    /// Adds the wraps that keepers missed, if any may be missing and every keeper answers. Whether some could not be
    /// added yet.
    pub async fn mend_wraps(&self) -> bool {
        let Some(keepers) = self.custody.keepers().filter(|keepers| keepers.are_all_up() && keepers.take_mend_due())
        else {
            return false;
        };
        let mended = repair(&self.vault, &self.custody, keepers, &self.underway).await;
        if let Some(error) = mended.why {
            let failed = mended.failed;
            tracing::warn!(failed, %error, "recordings could not be wrapped for every keeper; trying again");
            keepers.set_mend_due();
        }
        if self.counters.unopened.set(mended.unopened) < mended.unopened {
            tracing::error!(
                recordings = mended.unopened,
                "no two keepers open these: others made them, or two keepers lost their keys and they are lost"
            );
        }
        if mended.wraps > 0 {
            tracing::info!(wraps = mended.wraps, "recordings were wrapped for keepers that missed them");
        }
        mended.failed > 0
    }

    /// Stores what waits in the spool, this node's and what it left before, for as long as the node runs. Returns at
    /// once where there is no spool.
    pub async fn run_spool(self: Arc<Self>) {
        if let Some(spool) = self.vault.spool() {
            drain(spool, &self.vault, &self.custody, &self.counters.upload).await;
        }
    }

    /// What a recording holds, and the key that opens it.
    async fn contents(&self, recording: RecordingName) -> Result<(Contents, Secret), ReadError> {
        // The keeper is asked first: what has expired is not even looked for.
        self.custody.refuse(recording.hour)?;
        let key = data_key(&self.vault, &self.custody, recording).await?;
        let (newest, sealed): (_, Bytes) = match self.vault.get(&Object::Fin.path(recording)).await {
            Err(VaultError::Missing) => {
                let on_the_way = self.beside(recording, Object::Index { number: 0 }).await?;
                let newest = on_the_way.into_iter().map(|(object, _)| object).max().ok_or(ReadError::Missing)?;
                (newest, self.vault.get(&newest.path(recording)).await?)
            }
            whole => (Object::Fin, whole?),
        };
        let plain = open(&key, &newest.context(recording), &sealed)?;
        let contents = serde_json::from_slice(&plain).map_err(|_| ReadError::Damaged)?;
        Ok((contents, key))
    }

    /// What lies in the folder of `object`, itself or not: a whole recording may be more than is listed.
    async fn beside(&self, recording: RecordingName, object: Object) -> Result<Vec<(Object, Listed)>, VaultError> {
        let (prefix, path) = (format!("{}/", folder(recording)), object.path(recording));
        let listed = self.vault.list(path.rsplit_once('/').map_or("", |(folder, _)| folder)).await?;
        let parse = |listed: Listed| {
            let object = Object::parse(listed.path.strip_prefix(&prefix)?)?;
            Some((object, listed))
        };
        Ok(listed.into_iter().filter_map(parse).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::Wallclock;
    use crate::core::retention::{Hour, KeeperId, RecordingId, Refusal};

    async fn wait(mut so: impl FnMut() -> bool) {
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while !so() {
            assert!(std::time::Instant::now() < until, "never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn a_recording_whose_hour_a_leap_of_the_clock_brought_on_takes_nothing_more() {
        let home = tempfile::tempdir().unwrap();
        let place =
            ArchivePlace { vault: home.path().to_str().unwrap().to_owned(), keeper: home.path().join("keeper") };
        let counters = ArchiveCounters::default();
        let archive = Archive::open(&place, Retention::default(), Handle::current(), counters).unwrap();
        let reserved = archive.reserve(Retention::default()).await.unwrap();
        let sealed = archive.begin(reserved, Waker::new().unwrap());
        let hour = sealed.recording().hour.start();
        archive.underway.expire(|of| of.is_expired(Wallclock(hour.0 - 1)));
        assert!(!sealed.is_erased());
        archive.underway.expire(|of| of.is_expired(hour));
        assert!(sealed.is_erased() && sealed.put(Object::Fin, b"whole").is_err());
    }

    /// An archive whose three keepers are silent, so that they refuse nothing.
    fn far_away(home: &Path) -> Archive {
        use crate::io::keeper::{Identity, IdentityFiles, make_certificates};
        let folders = make_certificates(&home.join("pki"), &["127.0.0.1".to_owned()]).unwrap();
        let identity = Identity::load(&IdentityFiles::in_folder(&folders[0])).unwrap();
        let addresses = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(String::from);
        let keepers = Keepers::new(&addresses, &identity, Counter::default()).unwrap();
        let (store, counters) = (home.join("store"), ArchiveCounters::default());
        let store = store.to_str().unwrap();
        Archive::with_keepers(store, keepers, Retention::default(), Handle::current(), counters).unwrap()
    }

    fn reserved(hour: Hour) -> ReservedRecording {
        let recording = RecordingName { hour, recording: RecordingId::random() };
        let (key, keepers) = (Secret::random(), vec![KeeperId([1; 8]), KeeperId([2; 8])]);
        ReservedRecording { recording, key, keepers, opening: vec![(Object::Hdr, Bytes::from_static(b"{}"))] }
    }

    #[tokio::test]
    async fn a_clock_of_the_nodes_own_that_leads_its_keepers_ends_no_recording() {
        let home = tempfile::tempdir().unwrap();
        let archive = far_away(home.path());
        // This machine's clock has passed its hour, and no keeper says so.
        let hour = Hour::containing(archive.custody().now());
        let sealed = archive.begin(reserved(hour), Waker::new().unwrap());
        archive.tick(&mut false).await;
        let keepers = archive.custody().keepers().unwrap();
        let mended = repair(&archive.vault, &archive.custody, keepers, &archive.underway).await;
        assert!(mended.failed == 1, "its wraps are looked after: {mended:?}");
        assert!(matches!(archive.detail(sealed.recording()).await, Err(ReadError::Gone)), "nobody reads it here");
        assert!(!sealed.is_erased() && sealed.put(Object::Fin, b"whole").is_ok());
    }

    #[tokio::test]
    async fn wraps_are_looked_after_until_what_is_on_its_way_is_stored() {
        let home = tempfile::tempdir().unwrap();
        let archive = far_away(home.path());
        let place = SpoolPlace { folder: home.path().join("spool"), bytes_max: 1 << 20 };
        let archive = archive.with_spool(&place).unwrap();
        let keepers = archive.custody().keepers().unwrap();
        let failed = async || repair(&archive.vault, &archive.custody, keepers, &archive.underway).await.failed;
        assert_eq!(failed().await, 0, "there is nothing to look after");
        let hour = Retention::default().expiry(archive.custody().now());
        let waiting = RecordingName { hour, recording: RecordingId::random() };
        archive.vault.spool().unwrap().put(&Object::Hdr.path(waiting), b"{}").unwrap();
        assert_eq!(failed().await, 1, "what waits in the spool");
        let queued = archive.begin(reserved(hour), Waker::new().unwrap());
        assert_eq!(failed().await, 2, "and what waits in memory");
        archive.vault.spool().unwrap().forget(waiting).unwrap();
        archive.underway.erase(queued.recording());
        assert_eq!(failed().await, 0, "of what is erased nothing is missing");
    }

    #[tokio::test]
    async fn the_data_key_of_a_recording_is_at_hand_while_it_is_made_and_no_longer() {
        let home = tempfile::tempdir().unwrap();
        let archive = far_away(home.path());
        let sealed = archive.begin(reserved(Retention::default().expiry(Wallclock(0))), Waker::new().unwrap());
        let recording = sealed.recording();
        assert!(archive.underway.key(recording).is_some());
        let _storing = sealed.finish();
        assert!(archive.underway.key(recording).is_none());
    }

    #[tokio::test]
    async fn who_erases_what_waits_in_memory_while_the_store_fails_has_it_denied_and_nothing_of_it_is_ever_stored() {
        let home = tempfile::tempdir().unwrap();
        let store = home.path().join("store");
        let place = ArchivePlace { vault: store.to_str().unwrap().to_owned(), keeper: home.path().join("keeper") };
        let counters = ArchiveCounters::default();
        let archive = Archive::open(&place, Retention::default(), Handle::current(), counters.clone()).unwrap();
        // Nothing can be stored below it.
        std::fs::write(store.join(ROOT), b"").unwrap();
        let reserved = archive.reserve(Retention::default()).await.unwrap();
        let sealed = archive.begin(reserved, Waker::new().unwrap());
        let recording = sealed.recording();
        sealed.put(Object::Segment { take: 0, number: 0 }, b"what was said").unwrap();
        wait(|| counters.upload.errors.get() > 0).await;
        assert!(archive.custody().releases(recording).await.is_ok());
        // Whether the store could be tidied up is another question.
        let _ = archive.shred(recording).await;
        let denied = archive.custody().releases(recording).await;
        assert!(matches!(denied, Err(KeyCustodyError::Refused(Refusal::Denied))), "{denied:?}");
        assert!(sealed.is_erased() && sealed.put(Object::Fin, b"whole").is_err());
        std::fs::remove_file(store.join(ROOT)).unwrap();
        let storing = sealed.finish();
        wait(|| storing.poll().is_some()).await;
        assert!(archive.vault().list(ROOT).await.unwrap().is_empty());
        assert!(matches!(archive.shred(recording).await, Err(ReadError::Missing)), "and nothing of it is left");
    }
}
