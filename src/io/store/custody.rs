//! **The question:** whom does this node ask before a recording begins or opens, and how late is it? Its own keeper, or
//! three others.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::limits::KEEPERS_BEGIN_SPAN;
use crate::base::media::Wallclock;
use crate::core::retention::{Hour, KeyShares, RecordingName, Retention, Stats};
use crate::engine::flow::Counter;
use crate::io::store::disk::StoreError;
use crate::io::store::keeper_file::KeeperFileError;
use crate::io::store::keepers::Keepers;
use crate::io::store::local_keeper::{KeyCustodyError, LocalKeeper};

/// The node's keeper or keepers.
#[derive(Debug)]
pub struct KeyCustody(Custody);

#[derive(Debug)]
enum Custody {
    Local(Arc<LocalKeeper>),
    Remote(Keepers),
}

impl KeyCustody {
    /// Level 1: the keeper in `folder`, locked for this process; a new one where there is none. `errors` counts what
    /// could not be stored.
    ///
    /// # Errors
    /// When another process has it, it is damaged, or the disk refuses.
    pub fn open(folder: &Path, errors: Counter) -> Result<Self, KeeperFileError> {
        let local = LocalKeeper::open(folder, errors)?;
        local.stand_alone();
        Ok(Self(Custody::Local(Arc::new(local))))
    }

    /// Level 1, only to read recordings by: nothing is made, nothing stored.
    ///
    /// # Errors
    /// When there is none or it is damaged.
    pub fn look_at(folder: &Path) -> Result<Self, KeeperFileError> {
        LocalKeeper::look_at(folder).map(|local| Self(Custody::Local(Arc::new(local))))
    }

    /// Levels 2 and 3: keepers in other processes.
    #[must_use]
    pub fn remote(keepers: Keepers) -> Self {
        Self(Custody::Remote(keepers))
    }

    /// The keepers in other processes, if it is they who are asked.
    #[must_use]
    pub fn keepers(&self) -> Option<&Keepers> {
        match &self.0 {
            Custody::Local(_) => None,
            Custody::Remote(remote) => Some(remote),
        }
    }

    /// The latest time this node knows of: what has expired by it is gone, for ever.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        match &self.0 {
            Custody::Local(local) => local.now(),
            Custody::Remote(remote) => remote.now(),
        }
    }

    /// What recordings that are being made end by. With keepers in other processes it is what two of them refuse by, so
    /// that nothing is lost for the sake of this machine's own clock.
    pub(super) fn ends_by(&self) -> Wallclock {
        match &self.0 {
            Custody::Local(local) => local.now(),
            Custody::Remote(remote) => remote.refused_by_two(),
        }
    }

    /// Whether what is filed under `hour` has expired.
    #[must_use]
    pub fn is_expired(&self, hour: Hour) -> bool {
        hour.is_expired(self.now())
    }

    /// Whether everything of `hour` is refused now; asked before anything is looked for and again at each piece.
    ///
    /// # Errors
    /// When the hour has come, it cannot be known now, or that it has come could not be stored.
    pub fn refuse(&self, hour: Hour) -> Result<(), KeyCustodyError> {
        match &self.0 {
            Custody::Local(local) => local.refuse(hour),
            Custody::Remote(remote) => Ok(remote.refuse(hour)?),
        }
    }

    /// Whether what does not open under `hour` was lost when a believed clock turned out wrong: it was refused as
    /// expired then, and is now. Of keepers in other processes the others have it still.
    #[must_use]
    pub fn was_lost(&self, hour: Hour) -> bool {
        match &self.0 {
            Custody::Local(local) => local.was_lost(hour),
            Custody::Remote(_) => false,
        }
    }

    /// The time that has certainly come: what may be deleted by. With keepers in other processes it is what two of them
    /// say, and nothing of this machine's own.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        match &self.0 {
            Custody::Local(local) => local.certain(),
            Custody::Remote(remote) => remote.certain(),
        }
    }

    /// To be called every second: the keeper's own keys of hours that have come are destroyed, in memory and on disk.
    /// Keepers in other processes do that by themselves.
    pub fn tick(&self) {
        if let Custody::Local(local) = &self.0 {
            local.tick();
        }
    }

    /// A place for a recording that begins now, and what its data key is wrapped under. Takes at most
    /// `limits::KEEPERS_BEGIN_SPAN`, and no time at all while keepers in other processes are known to be down.
    ///
    /// # Errors
    /// When too few keepers agree in time, or the only one's state cannot be stored.
    pub async fn reserve(&self, retention: Retention) -> Result<(RecordingName, KeyShares), KeyCustodyError> {
        let reserved = tokio::time::timeout(KEEPERS_BEGIN_SPAN, async {
            match &self.0 {
                Custody::Local(local) => {
                    let local = local.clone();
                    // It waits for its disk.
                    let reserved = tokio::task::spawn_blocking(move || local.reserve(retention)).await;
                    let (recording, release) = reserved.map_err(|_| KeyCustodyError::Silent)??;
                    Ok((recording, KeyShares::Alone(release)))
                }
                Custody::Remote(remote) => remote.reserve(retention).await,
            }
        });
        reserved.await.unwrap_or(Err(KeyCustodyError::Silent))
    }

    /// What opens a recording's data key.
    ///
    /// # Errors
    /// When it has expired, was erased, there is no key, or too few keepers answer.
    pub async fn releases(&self, recording: RecordingName) -> Result<KeyShares, KeyCustodyError> {
        match &self.0 {
            Custody::Local(local) => local.release(recording).map(KeyShares::Alone),
            Custody::Remote(remote) => remote.releases(recording, false).await,
        }
    }

    /// Never releases anything for this recording again: it counts when the only keeper, or two of several, have stored
    /// it.
    ///
    /// # Errors
    /// When it does not count: then the recording may be opened again from a copy.
    pub async fn revoke(&self, recording: RecordingName) -> Result<(), KeyCustodyError> {
        match &self.0 {
            Custody::Local(local) => local.revoke(recording),
            Custody::Remote(remote) => remote.revoke(recording).await,
        }
    }

    /// Whether the own keeper destroyed the key of an hour that may not have come: its clock was ahead, and was put
    /// right. Keepers in other processes are not asked; see [`super::wraps`].
    pub(super) fn has_lost(&self, hour: Hour) -> bool {
        match &self.0 {
            Custody::Local(local) => !local.has_key(hour),
            Custody::Remote(_) => false,
        }
    }

    /// Takes the operator's word that the wall clock is right; keepers in other processes have to be told themselves.
    ///
    /// # Errors
    /// When the state cannot be stored.
    pub fn believe_clock(&self) -> Result<(), StoreError> {
        match &self.0 {
            Custody::Local(local) => local.believe_clock(),
            Custody::Remote(_) => Ok(()),
        }
    }

    /// Takes the operator's word that a clock was wrong that is believed; keepers in other processes have to be told
    /// themselves. How late it is by now.
    ///
    /// # Errors
    /// When the state cannot be stored.
    pub fn clock_was_wrong(&self) -> Result<Wallclock, StoreError> {
        match &self.0 {
            Custody::Local(local) => local.clock_was_wrong(),
            Custody::Remote(remote) => Ok(remote.now()),
        }
    }

    /// Whether the own keeper's clock is in doubt, not certain, or behind what was believed once. With keepers in other
    /// processes, which say that in their own logs: whether this machine's clock is in doubt.
    #[must_use]
    pub fn has_clock_alarm(&self) -> bool {
        match &self.0 {
            Custody::Local(local) => local.has_clock_alarm(),
            Custody::Remote(remote) => remote.is_in_doubt(),
        }
    }

    /// How far what this node refuses by leads what its keepers in other processes do; `None` if that is not known.
    pub(super) fn leads_by(&self) -> Option<Duration> {
        self.keepers().and_then(Keepers::leads_by)
    }

    /// The own keeper's figures; nothing of keepers in other processes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Custody::Local(local) => local.stats(),
            Custody::Remote(_) => Stats::default(),
        }
    }
}
