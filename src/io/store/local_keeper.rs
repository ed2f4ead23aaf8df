//! **The question:** how is the keeper in this process asked? What an answer rests upon is stored before the answer
//! leaves. Level 1 has one in the node; at levels 2 and 3 each keeper process has one.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::limits::CLOCK_ALLOWANCE;
use crate::base::media::Wallclock;
use crate::core::retention::{
    BootId, Hour, Keeper, KeeperId, RecordingId, RecordingName, Refusal, Release, Retention, Stats,
};
use crate::engine::flow::Counter;
use crate::io::keeper::{Request, Response, Status};
use crate::io::store::clock::{boot_id, clocks};
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
    /// What was told of the clock last, so that the log has it once.
    alarm: Alarm,
    /// Whether the state could not be stored when last tried.
    unsaved: bool,
    in_memory: bool,
}

/// What is wrong with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Alarm {
    #[default]
    Nothing,
    /// Nothing opens and nothing begins.
    Doubted,
    /// What is refused for its sake is not destroyed yet.
    Uncertain,
    /// It is far behind what was believed once.
    Behind,
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

    /// No other keeper ever tells this one the time: it is certain of what its own machine makes certain.
    pub fn stand_alone(&self) {
        self.kept().keeper.stand_alone();
        self.tick();
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> KeeperId {
        self.kept().keeper.id()
    }

    /// What has expired by this is gone, for ever.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        // What is told is refused from now on, after a power cut too.
        let _ = self.count(kept.save());
        kept.keeper.now()
    }

    /// Whether everything of an hour is refused now.
    ///
    /// # Errors
    /// When the hour has come, it cannot be known now, or that it has come could not be stored.
    pub fn refuse(&self, hour: Hour) -> Result<(), KeyCustodyError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        self.stored(&mut kept, |keeper| keeper.refuse(hour))
    }

    /// See [`Keeper::has_key`].
    pub(super) fn has_key(&self, hour: Hour) -> bool {
        self.kept().keeper.has_key(hour)
    }

    /// See [`Keeper::was_lost`].
    #[must_use]
    pub fn was_lost(&self, hour: Hour) -> bool {
        self.kept().keeper.was_lost(hour)
    }

    /// The time that has certainly come: what may be deleted by. A clock wrongly ahead deletes nothing, and neither
    /// does the first reading of a new keeper: what lies in the store may be another's.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        kept.keeper.swept_to()
    }

    /// To be called every second: keys of hours that have come are destroyed, in memory and on disk. Tells the log what
    /// is wrong with the clock, once.
    pub fn tick(&self) {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, None);
        kept.tell_clock(clocks.wall);
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
    /// When it has expired, was erased, or there is no key; or that it has expired could not be stored.
    pub fn release(&self, recording: RecordingName) -> Result<Release, KeyCustodyError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        self.stored(&mut kept, |keeper| keeper.release(clocks, recording.recording, recording.hour))
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

    /// Takes the operator's word that a clock was wrong that is believed; see [`Keeper::clock_was_wrong`]. How late it
    /// is by now.
    ///
    /// # Errors
    /// When the state cannot be stored.
    pub fn clock_was_wrong(&self) -> Result<Wallclock, StoreError> {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.clock_was_wrong(clocks);
        self.count(kept.save())?;
        Ok(kept.keeper.now())
    }

    /// Another keeper's clock, authenticated, read just now: it makes certain what this one believes, settles a doubt,
    /// and changes nothing else.
    pub fn witness(&self, wall: Wallclock) {
        let mut kept = self.kept();
        let clocks = clocks(kept.boot);
        kept.keeper.advance(clocks, Some(wall));
        let _ = self.count(kept.save());
    }

    /// Answers a node, or another keeper, that asked.
    #[must_use]
    pub fn answer(&self, ask: Request) -> Response {
        let answered = match ask {
            Request::Time => return Response::Time(self.told()),
            Request::Release { recording, make: false } => self.release(recording).map(Response::Released),
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
        // A clock in doubt confirms nobody's.
        let is_doubted = keeper.stats().clock_doubted.is_some();
        Status {
            keeper: keeper.id(),
            wall: if is_doubted { keeper.now() } else { clocks.wall },
            certain: keeper.certain(),
            latest: keeper.now(),
            in_memory: kept.in_memory,
            unsaved: kept.unsaved,
        }
    }

    /// Whether its clock is in doubt, not certain, or behind what was believed once.
    #[must_use]
    pub fn has_clock_alarm(&self) -> bool {
        self.kept().alarm != Alarm::Nothing
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

    // An answer that says that an hour has come may leave once that is stored.
    fn stored<T>(
        &self,
        kept: &mut Kept,
        ask: impl FnOnce(&mut Keeper) -> Result<T, Refusal>,
    ) -> Result<T, KeyCustodyError> {
        let answered = ask(&mut kept.keeper);
        if matches!(answered, Err(Refusal::Expired)) {
            self.count(kept.save())?;
        }
        Ok(answered?)
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
        Self { keeper, file, boot, alarm: Alarm::default(), unsaved: false, in_memory: false }
    }

    fn tell_clock(&mut self, wall: Wallclock) {
        let (stats, now) = (self.keeper.stats(), self.keeper.now());
        let behind = Duration::from_nanos(now.0.saturating_sub(wall.0));
        let alarm = match (stats.clock_doubted, stats.clock_uncertain) {
            (Some(_), _) => Alarm::Doubted,
            _ if behind > CLOCK_ALLOWANCE => Alarm::Behind,
            (_, Some(_)) => Alarm::Uncertain,
            _ => Alarm::Nothing,
        };
        if std::mem::replace(&mut self.alarm, alarm) == alarm {
            return;
        }
        match alarm {
            Alarm::Doubted => {
                let lead_s = stats.clock_doubted.unwrap_or_default().as_secs();
                tracing::error!(
                    lead_s,
                    "the clock leads and is in doubt: no recording opens and none begins until it is \
                                         synchronised, or has stood for 10 minutes"
                );
            }
            Alarm::Behind => {
                let behind_s = behind.as_secs();
                tracing::error!(
                    behind_s,
                    "the clock is behind what was believed before: what was refused stays refused, and what \
                                           begins later than the clock says does not open. Put the clock right; only \
                                           if the former one was wrong, stop then and run tessera recordings \
                                           clock-was-wrong"
                );
            }
            Alarm::Uncertain => {
                let lead_s = stats.clock_uncertain.unwrap_or_default().as_secs();
                tracing::warn!(
                    lead_s,
                    "the clock leads: what has expired by it is refused, and its keys are destroyed \
                                        when the clock is synchronised or has gone on for a day; until then recordings \
                                        are kept for less, or none begins. If it is right, stop and run tessera \
                                        recordings believe-clock"
                );
            }
            Alarm::Nothing => tracing::info!(now_s = now.unix_seconds(), "the clock is certain again"),
        }
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
