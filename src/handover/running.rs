//! **The question:** which of a node's recordings are on their way to the configured host, and how did it go? On request, or each as
//! soon as it is final.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use tokio::sync::Semaphore;

use crate::flow::{Counter, Level};
use crate::handover::{Destination, HandOverError, HandedFile, Progress, hand_over};
use crate::limits;
use crate::record::RecordingState;
use crate::retention::Filed;
use crate::store::{Archive, ReadError};

/// What hand-overs count; clones share it.
#[derive(Debug, Clone, Default)]
pub struct HandOverCounters {
    /// Recordings that lie at the host, verified.
    pub done: Counter,
    /// Hand-overs that were given up.
    pub failed: Counter,
    /// 1 while the last one that ended was given up.
    pub failing: Level,
}

/// How one hand-over goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum HandOverState {
    /// Others are before it, or a try failed and another one comes.
    Waiting,
    /// A file goes to the host.
    Sending {
        /// Bytes that were given out.
        bytes: u64,
        /// The file's length.
        of: u64,
    },
    /// It is read back.
    Verifying {
        /// Bytes that came back.
        bytes: u64,
        /// The file's length.
        of: u64,
    },
    /// Every file lies there, verified.
    Done {
        /// Which ones.
        files: Vec<HandedFile>,
        /// Whether the recording was kept here too.
        kept: bool,
    },
    /// It was given up; the recording is here still.
    Failed {
        /// Why, in one line.
        why: String,
    },
}

impl HandOverState {
    fn has_ended(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Failed { .. })
    }
}

/// Why a hand-over does not begin.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Too many are under way.
    #[error("too many hand-overs wait")]
    Full,
    /// Its call still runs, or a crash left it open.
    #[error("this recording is not final")]
    NotFinal,
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

#[derive(Debug)]
struct Known {
    state: HandOverState,
    since: Instant,
}

/// A node's hand-overs to the one host that its operator configured.
#[derive(Debug)]
pub struct HandOvers {
    archive: Arc<Archive>,
    destination: Destination,
    known: Mutex<BTreeMap<Filed, Known>>,
    turns: Semaphore,
    counters: HandOverCounters,
}

impl HandOvers {
    /// From `archive` to `destination`; nothing happens yet.
    #[must_use]
    pub fn new(archive: Arc<Archive>, destination: Destination, counters: HandOverCounters) -> Arc<Self> {
        let turns = Semaphore::new(limits::HAND_OVERS_AT_ONCE);
        Arc::new(Self { archive, destination, known: Mutex::default(), turns, counters })
    }

    /// Begins to hand a recording over; it is erased here afterwards, unless `keep`. One that is under way already goes on as it was
    /// asked for. Called on the runtime's own threads.
    ///
    /// # Errors
    /// When it cannot be read, is not final, or `limits::HAND_OVERS_KNOWN_MAX` others are under way.
    pub async fn begin(self: &Arc<Self>, filed: Filed, keep: bool) -> Result<(), Refused> {
        if self.archive.detail(filed).await?.state != RecordingState::Final {
            return Err(Refused::NotFinal);
        }
        {
            let mut known = self.known();
            if known.get(&filed).is_some_and(|known| !known.state.has_ended()) {
                return Ok(());
            }
            known.remove(&filed);
            make_room(&mut known)?;
            known.insert(filed, Known { state: HandOverState::Waiting, since: Instant::now() });
        }
        tokio::spawn(self.clone().run(filed, keep));
        Ok(())
    }

    /// How a recording's hand-over goes or went, since this node started.
    #[must_use]
    pub fn state(&self, filed: Filed) -> Option<HandOverState> {
        self.known().get(&filed).map(|known| known.state.clone())
    }

    /// Hands over every recording as soon as it is final, for as long as the node runs; what was given up is tried again every
    /// `limits::HAND_OVER_AGAIN_AFTER` until its hour.
    pub async fn run_automatic(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::HAND_OVER_LOOK_EVERY).await;
            self.look_round().await;
        }
    }

    /// Begins with every recording that is final and not known yet, or was given up long enough ago.
    pub async fn look_round(self: &Arc<Self>) {
        // A store that does not answer is told by whoever stores.
        let all = self.archive.vault().filed().await.unwrap_or_default();
        for filed in all.into_iter().filter(|filed| !self.archive.keeping().has_come(filed.hour)) {
            let due = self.known().get(&filed).is_none_or(|known| match known.state {
                HandOverState::Failed { .. } => known.since.elapsed() >= limits::HAND_OVER_AGAIN_AFTER,
                _ => false,
            });
            if due {
                // It is not final yet, or cannot be read now: the next look comes.
                let _ = self.begin(filed, false).await;
            }
        }
    }

    async fn run(self: Arc<Self>, filed: Filed, keep: bool) {
        let _turn = self.turns.acquire().await.expect("it is never closed");
        let told = |progress: Progress| {
            self.set(
                filed,
                match progress {
                    Progress::Sending { bytes, of } => HandOverState::Sending { bytes, of },
                    Progress::Verifying { bytes, of } => HandOverState::Verifying { bytes, of },
                    Progress::Waiting { .. } => HandOverState::Waiting,
                },
            );
        };
        let ended = hand_over(&self.archive, filed, &self.destination, keep, &told).await;
        let state = match ended {
            Ok(files) => {
                self.counters.done.add(1);
                self.counters.failing.set(0);
                tracing::info!(recording = %filed, "a recording was handed over");
                HandOverState::Done { files, kept: keep }
            }
            Err(error) => {
                self.counters.failed.add(1);
                self.counters.failing.set(1);
                tracing::warn!(recording = %filed, %error, "a recording was not handed over");
                let kept = matches!(error, HandOverError::Kept(_));
                HandOverState::Failed {
                    why: if kept { error.to_string() } else { format!("{error}; it is kept here") },
                }
            }
        };
        self.set(filed, state);
    }

    fn set(&self, filed: Filed, state: HandOverState) {
        self.known().insert(filed, Known { state, since: Instant::now() });
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Filed, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the oldest that ended, if there is no room for another.
fn make_room(known: &mut BTreeMap<Filed, Known>) -> Result<(), Refused> {
    if known.len() < limits::HAND_OVERS_KNOWN_MAX {
        return Ok(());
    }
    let ended = known.iter().filter(|(_, known)| known.state.has_ended());
    let oldest = ended.min_by_key(|(_, known)| known.since).map(|(filed, _)| *filed);
    oldest.and_then(|oldest| known.remove(&oldest)).map(|_| ()).ok_or(Refused::Full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retention::{Hour, RecordingId};

    #[test]
    fn what_is_known_is_bounded_and_what_is_under_way_is_never_forgotten() {
        let filed = |n: usize| Filed { hour: Hour(n as u32), recording: RecordingId([7; 16]) };
        let entry = |state| Known { state, since: Instant::now() };
        let mut known = BTreeMap::new();
        for n in 0..limits::HAND_OVERS_KNOWN_MAX {
            make_room(&mut known).unwrap();
            known.insert(filed(n), entry(HandOverState::Waiting));
        }
        assert!(matches!(make_room(&mut known), Err(Refused::Full)));
        known.insert(filed(9), entry(HandOverState::Failed { why: String::new() }));
        known.insert(filed(5), entry(HandOverState::Done { files: Vec::new(), kept: false }));
        make_room(&mut known).unwrap();
        assert!(!known.contains_key(&filed(9)) && known.contains_key(&filed(5)), "the oldest that ended");
    }
}
