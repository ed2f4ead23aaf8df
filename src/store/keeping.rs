//! **The question:** how is the node's own keeper asked? Level 1: one keeper in this process, its file on local disk. What an answer
//! rests upon is stored before the answer leaves.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::flow::Counter;
use crate::media::Wallclock;
use crate::retention::{
    BootId, Clocks, Filed, Hour, Keeper, KeeperId, RecordingId, Refusal, Release, Retention, Stats,
};
use crate::store::disk::StoreError;
use crate::store::keeper_file::{KeeperFile, KeeperFileError, look_at_keeper};

/// Why the keeper gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeepingError {
    /// It said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its state could not be stored, so its answer does not count.
    #[error(transparent)]
    Unsaved(#[from] StoreError),
}

/// The node's own keeper.
#[derive(Debug)]
pub struct Keeping {
    inner: Mutex<Kept>,
    errors: Counter,
}

#[derive(Debug)]
struct Kept {
    keeper: Keeper,
    /// `None`: only looked at, never stored.
    file: Option<KeeperFile>,
    boot: BootId,
}

impl Keeping {
    /// The keeper in `folder`, locked for this process; a new one where there is none. `errors` counts what could not be stored.
    ///
    /// # Errors
    /// When another process has it, it is damaged, or the disk refuses.
    pub fn open(folder: &Path, errors: Counter) -> Result<Self, KeeperFileError> {
        let boot = boot_id();
        let (file, keeper) = KeeperFile::open(folder, clocks(boot))?;
        Ok(Self { inner: Mutex::new(Kept { keeper, file: Some(file), boot }), errors })
    }

    /// The keeper in `folder` as it stands, only to read recordings by: nothing is made, nothing stored.
    ///
    /// # Errors
    /// When there is none or it is damaged.
    pub fn look_at(folder: &Path) -> Result<Self, KeeperFileError> {
        let boot = boot_id();
        let keeper = look_at_keeper(folder, clocks(boot))?;
        Ok(Self { inner: Mutex::new(Kept { keeper, file: None, boot }), errors: Counter::default() })
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> KeeperId {
        self.kept().keeper.id()
    }

    /// The latest time it knows of: what has expired by it is gone.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        kept.keeper.now()
    }

    /// Whether what is filed under `hour` has expired.
    #[must_use]
    pub fn has_come(&self, hour: Hour) -> bool {
        hour.has_come(self.now())
    }

    /// The time that has certainly come: what may be deleted by. A clock wrongly ahead deletes nothing.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        kept.keeper.certain()
    }

    /// To be called every second: keys of hours that have come are destroyed, in memory and on disk.
    pub fn tick(&self) {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        // Counted, and tried again at the next tick.
        let _ = self.count(kept.save());
    }

    /// A place for a recording that begins now, and what its data key is wrapped under.
    ///
    /// # Errors
    /// When the keeper refuses, or its state cannot be stored.
    pub fn reserve(&self, retention: Retention) -> Result<(Filed, Release), KeepingError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        let hour = kept.keeper.reserve(clocks, retention)?;
        self.count(kept.save())?;
        let recording = RecordingId::random();
        let release = kept.keeper.release(clocks, recording, hour)?;
        Ok((Filed { hour, recording }, release))
    }

    /// What opens a recording's data key.
    ///
    /// # Errors
    /// When it has expired, was erased, or there is no key.
    pub fn release(&self, filed: Filed) -> Result<Release, Refusal> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.release(clocks, filed.recording, filed.hour)
    }

    /// Never releases anything for this recording again.
    ///
    /// # Errors
    /// When the list is full, or the state cannot be stored: then it may be opened again after a restart.
    pub fn deny(&self, filed: Filed) -> Result<(), KeepingError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.deny(clocks, filed.recording, filed.hour)?;
        Ok(self.count(kept.save())?)
    }

    /// Takes the operator's word that the wall clock is right.
    ///
    /// # Errors
    /// When the state cannot be stored.
    pub fn believe_clock(&self) -> Result<(), StoreError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.believe(clocks);
        self.count(kept.save())
    }

    /// The keeper's figures.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.kept().keeper.stats()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A keeper that panicked in the middle of an answer is still one whose time only rises.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, saved: Result<(), StoreError>) -> Result<(), StoreError> {
        self.errors.add(u64::from(saved.is_err()));
        saved
    }
}

impl Kept {
    fn save(&mut self) -> Result<(), StoreError> {
        match &mut self.file {
            Some(file) if self.keeper.unsaved() => file.save(&mut self.keeper),
            _ => Ok(()),
        }
    }
}

fn clocks(boot: BootId) -> Clocks {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let since_boot = Duration::new(since.tv_sec.unsigned_abs(), u32::try_from(since.tv_nsec).unwrap_or(0));
    Clocks { wall: Wallclock::from_system_time(SystemTime::now()), boot, since_boot }
}

/// Which boot this is; where the system does not say, one that no other process knows, so that no readings are compared.
fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|digit| digit as u8).collect();
    match <[u8; 32]>::try_from(digits) {
        Ok(digits) => BootId(std::array::from_fn(|n| digits[2 * n] << 4 | digits[2 * n + 1])),
        Err(_) => BootId(RecordingId::random().0),
    }
}
