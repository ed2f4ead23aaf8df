//! **The question:** whom does this node ask before a recording begins or opens, and how late is it? Its own keeper, or three others.

use std::path::Path;

use crate::flow::Counter;
use crate::media::Wallclock;
use crate::retention::{Filed, Hour, Releases, Retention, Stats};
use crate::store::disk::StoreError;
use crate::store::keeper_file::KeeperFileError;
use crate::store::keepers::Keepers;
use crate::store::own_keeper::{KeepingError, OwnKeeper};

/// The node's keeper or keepers.
#[derive(Debug)]
pub struct Keeping(Way);

#[derive(Debug)]
enum Way {
    Own(Box<OwnKeeper>),
    Far(Keepers),
}

impl Keeping {
    /// Level 1: the keeper in `folder`, locked for this process; a new one where there is none. `errors` counts what could not be
    /// stored.
    ///
    /// # Errors
    /// When another process has it, it is damaged, or the disk refuses.
    pub fn open(folder: &Path, errors: Counter) -> Result<Self, KeeperFileError> {
        OwnKeeper::open(folder, errors).map(|own| Self(Way::Own(Box::new(own))))
    }

    /// Level 1, only to read recordings by: nothing is made, nothing stored.
    ///
    /// # Errors
    /// When there is none or it is damaged.
    pub fn look_at(folder: &Path) -> Result<Self, KeeperFileError> {
        OwnKeeper::look_at(folder).map(|own| Self(Way::Own(Box::new(own))))
    }

    /// Levels 2 and 3: keepers in other processes.
    #[must_use]
    pub fn far(keepers: Keepers) -> Self {
        Self(Way::Far(keepers))
    }

    /// The keepers in other processes, if it is they who are asked.
    #[must_use]
    pub fn keepers(&self) -> Option<&Keepers> {
        match &self.0 {
            Way::Own(_) => None,
            Way::Far(far) => Some(far),
        }
    }

    /// The latest time this node knows of: what has expired by it is gone.
    #[must_use]
    pub fn now(&self) -> Wallclock {
        match &self.0 {
            Way::Own(own) => own.now(),
            Way::Far(far) => far.now(),
        }
    }

    /// Whether what is filed under `hour` has expired.
    #[must_use]
    pub fn has_come(&self, hour: Hour) -> bool {
        hour.has_come(self.now())
    }

    /// The time that has certainly come: what may be deleted by. A clock wrongly ahead deletes nothing.
    #[must_use]
    pub fn certain(&self) -> Wallclock {
        match &self.0 {
            Way::Own(own) => own.certain(),
            Way::Far(far) => far.certain(),
        }
    }

    /// To be called every second: the keeper's own keys of hours that have come are destroyed, in memory and on disk. Keepers in
    /// other processes do that by themselves.
    pub fn tick(&self) {
        if let Way::Own(own) = &self.0 {
            own.tick();
        }
    }

    /// A place for a recording that begins now, and what its data key is wrapped under. Never called on the runtime's own threads;
    /// waits for keepers in other processes at most `limits::KEEPERS_BEGIN_SPAN`, and not at all while they are known to be down.
    ///
    /// # Errors
    /// When too few keepers agree, or the only one's state cannot be stored.
    pub fn reserve(&self, retention: Retention) -> Result<(Filed, Releases), KeepingError> {
        match &self.0 {
            Way::Own(own) => own.reserve(retention).map(|(filed, release)| (filed, Releases::Alone(release))),
            Way::Far(far) => far.reserve(retention),
        }
    }

    /// What opens a recording's data key.
    ///
    /// # Errors
    /// When it has expired, was erased, there is no key, or too few keepers answer.
    pub async fn releases(&self, filed: Filed) -> Result<Releases, KeepingError> {
        match &self.0 {
            Way::Own(own) => Ok(Releases::Alone(own.release(filed)?)),
            Way::Far(far) => far.releases(filed, false).await,
        }
    }

    /// Never releases anything for this recording again: it counts when the only keeper, or two of several, have stored it.
    ///
    /// # Errors
    /// When it does not count: then the recording may be opened again from a copy.
    pub async fn deny(&self, filed: Filed) -> Result<(), KeepingError> {
        match &self.0 {
            Way::Own(own) => own.deny(filed),
            Way::Far(far) => far.deny(filed).await,
        }
    }

    /// Takes the operator's word that the wall clock is right; keepers in other processes have to be told themselves.
    ///
    /// # Errors
    /// When the state cannot be stored.
    pub fn believe_clock(&self) -> Result<(), StoreError> {
        match &self.0 {
            Way::Own(own) => own.believe_clock(),
            Way::Far(_) => Ok(()),
        }
    }

    /// The own keeper's figures; nothing of keepers in other processes.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Way::Own(own) => own.stats(),
            Way::Far(_) => Stats::default(),
        }
    }
}
