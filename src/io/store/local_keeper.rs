//! **The question:** how is the keeper in this process asked? What an answer rests upon is stored before the answer
//! leaves. Level 1 has one in the node; at levels 2 and 3 each keeper process has one.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::retention::{
    BootId, Clocks, Keeper, KeeperId, RecordingId, RecordingName, Refusal, Release, Retention, Stats,
};
use crate::engine::flow::Counter;
use crate::io::keeper::{Request, Response, Status};
use crate::io::store::disk::StoreError;
use crate::io::store::keeper_file::{KeeperFile, KeeperFileError, look_at_keeper};

/// Why the keeper gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeyCustodyError {
    /// It said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its state could not be stored, so its answer does not count.
    #[error(transparent)]
    Unsaved(#[from] StoreError),
    /// No answer came in time.
    #[error("no keeper answered in time")]
    Silent,
    /// Two of several keepers have to agree, and too few answer.
    #[error("two keepers have to agree and {agreed} did: {why}")]
    TooFew {
        /// How many agreed.
        agreed: usize,
        /// What the others met or said.
        why: String,
    },
}

/// The keeper of this process.
#[derive(Debug)]
pub struct LocalKeeper {
    inner: Mutex<Kept>,
    errors: Counter,
}

#[derive(Debug)]
struct Kept {
    keeper: Keeper,
    /// `None`: only looked at, never stored.
    file: Option<KeeperFile>,
    boot: BootId,
    /// What another keeper's clock said, and when by time since boot.
    witness: Option<(Wallclock, Duration)>,
    /// Whether the state could not be stored when last tried.
    unsaved: bool,
    in_memory: bool,
}

impl LocalKeeper {
    /// The keeper in `folder`, locked for this process; a new one where there is none. `errors` counts what could not
    /// be stored.
    ///
    /// # Errors
    /// When another process has it, it is damaged, or the disk refuses.
    pub fn open(folder: &Path, errors: Counter) -> Result<Self, KeeperFileError> {
        let boot = boot_id();
        let (file, keeper) = KeeperFile::open(folder, clocks(boot))?;
        Ok(Self { inner: Mutex::new(Kept::new(keeper, Some(file), boot)), errors })
    }

    /// A new keeper that holds its keys in memory only (level 3); in `folder` lies its audit log and nothing else.
    ///
    /// # Errors
    /// When another process uses the folder, or the disk refuses.
    pub fn in_memory(folder: &Path, errors: Counter) -> Result<Self, KeeperFileError> {
        let boot = boot_id();
        let (file, keeper) = KeeperFile::in_memory(folder, clocks(boot))?;
        let kept = Kept { in_memory: true, ..Kept::new(keeper, Some(file), boot) };
        Ok(Self { inner: Mutex::new(kept), errors })
    }

    /// The keeper in `folder` as it stands, only to read recordings by: nothing is made, nothing stored.
    ///
    /// # Errors
    /// When there is none or it is damaged.
    pub fn look_at(folder: &Path) -> Result<Self, KeeperFileError> {
        let boot = boot_id();
        let keeper = look_at_keeper(folder, clocks(boot))?;
        Ok(Self { inner: Mutex::new(Kept::new(keeper, None, boot)), errors: Counter::default() })
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
        let heard = kept.witness.map(|(wall, at)| (wall, clocks.since_boot.saturating_sub(at)));
        let fresh = heard.filter(|(_, age)| *age <= limits::WITNESS_SPAN);
        kept.keeper.advance(clocks, fresh.map(|(wall, _)| wall));
        // Counted, and tried again at the next tick.
        let _ = self.count(kept.save());
    }

    /// A place for a recording that begins now, and what its data key is wrapped under.
    ///
    /// # Errors
    /// When the keeper refuses, or its state cannot be stored.
    pub fn reserve(&self, retention: Retention) -> Result<(RecordingName, Release), KeyCustodyError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        let hour = kept.keeper.reserve(clocks, retention)?;
        self.count(kept.save())?;
        let recording = RecordingId::random();
        let release = kept.keeper.release(clocks, recording, hour)?;
        Ok((RecordingName { hour, recording }, release))
    }

    /// What opens a recording's data key.
    ///
    /// # Errors
    /// When it has expired, was erased, or there is no key.
    pub fn release(&self, recording: RecordingName) -> Result<Release, Refusal> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.release(clocks, recording.recording, recording.hour)
    }

    /// Never releases anything for this recording again.
    ///
    /// # Errors
    /// When the list is full, or the state cannot be stored: then it may be opened again after a restart.
    pub fn revoke(&self, recording: RecordingName) -> Result<(), KeyCustodyError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.revoke(clocks, recording.recording, recording.hour)?;
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

    /// Another keeper's clock, authenticated, read just now: it confirms a wall clock that leads, and changes nothing
    /// else.
    pub fn witness(&self, wall: Wallclock) {
        let mut kept = self.kept();
        kept.witness = Some((wall, clocks(kept.boot).since_boot));
    }

    /// Answers a node, or another keeper, that asked.
    #[must_use]
    pub fn answer(&self, ask: Request) -> Response {
        let answered = match ask {
            Request::Time => return Response::Time(self.told()),
            Request::Release { recording, make: false } => {
                self.release(recording).map(Response::Released).map_err(Into::into)
            }
            Request::Release { recording, make: true } => self.make(recording).map(Response::Released),
            Request::Deny { recording } => self.revoke(recording).map(|()| Response::Denied),
        };
        answered.unwrap_or_else(|error| match error {
            KeyCustodyError::Refused(refusal) => Response::Refused(refusal),
            KeyCustodyError::Unsaved(error) => {
                tracing::error!(%error, "the keeper's state cannot be stored");
                Response::Unsaved
            }
            KeyCustodyError::Silent | KeyCustodyError::TooFew { .. } => unreachable!("this keeper asks nobody"),
        })
    }

    /// What it tells of itself.
    #[must_use]
    pub fn told(&self) -> Status {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        let keeper = &kept.keeper;
        Status {
            keeper: keeper.id(),
            wall: clocks.wall,
            certain: keeper.certain(),
            latest: keeper.now(),
            in_memory: kept.in_memory,
            unsaved: kept.unsaved,
        }
    }

    /// Ed25519 public key of its audit log.
    #[must_use]
    pub fn audit_key(&self) -> [u8; 32] {
        self.kept().keeper.audit().public_key()
    }

    fn make(&self, recording: RecordingName) -> Result<Release, KeyCustodyError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.make(clocks, recording.hour)?;
        self.count(kept.save())?;
        Ok(kept.keeper.release(clocks, recording.recording, recording.hour)?)
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
    fn new(keeper: Keeper, file: Option<KeeperFile>, boot: BootId) -> Self {
        Self { keeper, file, boot, witness: None, unsaved: false, in_memory: false }
    }

    fn save(&mut self) -> Result<(), StoreError> {
        match &mut self.file {
            Some(file) if self.keeper.unsaved() => {
                let saved = file.save(&mut self.keeper);
                self.unsaved = saved.is_err();
                saved
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn clocks(boot: BootId) -> Clocks {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let since_boot = Duration::new(since.tv_sec.unsigned_abs(), u32::try_from(since.tv_nsec).unwrap_or(0));
    Clocks { wall: Wallclock::from_system_time(SystemTime::now()), boot, since_boot }
}

/// Which boot this is; where the system does not say, one that no other process knows, so that no readings are
/// compared.
pub(super) fn boot_id() -> BootId {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|digit| digit as u8).collect();
    match <[u8; 32]>::try_from(digits) {
        Ok(digits) => BootId(std::array::from_fn(|n| digits[2 * n] << 4 | digits[2 * n + 1])),
        Err(_) => BootId(RecordingId::random().0),
    }
}
