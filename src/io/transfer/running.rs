//! **The question:** which of a node's recordings are on their way to the configured host, and how did it go? On
//! request, or each as soon as it is final.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::base::limits;
use crate::core::record::RecordingState;
use crate::core::retention::RecordingName;
use crate::engine::flow::{Counter, Level};
use crate::io::store::{Archive, ReadError};
use crate::io::transfer::copying::{TransferredFile, transfer};
use crate::io::transfer::destination::Destination;
use crate::io::transfer::error::TransferError;
use crate::io::transfer::progress::Progress;

/// What hand-overs count; clones share it.
#[derive(Debug, Clone, Default)]
pub struct TransferCounters {
    /// Recordings that lie at the host, verified.
    pub done: Counter,
    /// Hand-overs that were given up.
    pub failed: Counter,
    /// 1 while the last one that ended was given up.
    pub failing: Level,
}

/// How one hand-over goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TransferState {
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
        files: Vec<TransferredFile>,
        /// Whether the recording was kept here too.
        kept: bool,
    },
    /// It was given up; the recording is here still.
    Failed {
        /// Why, in one line.
        why: String,
    },
}

impl TransferState {
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
    state: TransferState,
    since: Instant,
}

/// A node's hand-overs to the one host that its operator configured.
#[derive(Debug)]
pub struct Transfers {
    archive: Arc<Archive>,
    destination: Destination,
    known: Mutex<BTreeMap<RecordingName, Known>>,
    turns: Semaphore,
    counters: TransferCounters,
}

impl Transfers {
    /// From `archive` to `destination`; nothing happens yet.
    #[must_use]
    pub fn new(archive: Arc<Archive>, destination: Destination, counters: TransferCounters) -> Arc<Self> {
        let turns = Semaphore::new(limits::HAND_OVERS_AT_ONCE);
        Arc::new(Self { archive, destination, known: Mutex::default(), turns, counters })
    }

    /// Begins to hand a recording over; it is erased here afterwards, unless `keep`. One that is under way already goes
    /// on as it was asked for. Called on the runtime's own threads.
    ///
    /// # Errors
    /// When it cannot be read, is not final, or `limits::HAND_OVERS_KNOWN_MAX` others are under way.
    pub async fn begin(self: &Arc<Self>, recording: RecordingName, keep: bool) -> Result<(), Refused> {
        if self.archive.detail(recording).await?.state != RecordingState::Final {
            return Err(Refused::NotFinal);
        }
        {
            let mut known = self.known();
            if known.get(&recording).is_some_and(|known| !known.state.has_ended()) {
                return Ok(());
            }
            known.remove(&recording);
            make_room(&mut known)?;
            known.insert(recording, Known { state: TransferState::Waiting, since: Instant::now() });
        }
        tokio::spawn(self.clone().run(recording, keep));
        Ok(())
    }

    /// How a recording's hand-over goes or went, since this node started.
    #[must_use]
    pub fn state(&self, recording: RecordingName) -> Option<TransferState> {
        self.known().get(&recording).map(|known| known.state.clone())
    }

    /// Hands over every recording as soon as it is final, for as long as the node runs; what was given up is tried
    /// again every `limits::HAND_OVER_AGAIN_AFTER` until its hour.
    pub async fn run_automatic(self: Arc<Self>) {
        loop {
            tokio::time::sleep(limits::HAND_OVER_LOOK_EVERY).await;
            self.poll_all().await;
        }
    }

    /// Begins with every recording that is final and not known yet, or was given up long enough ago.
    pub async fn poll_all(self: &Arc<Self>) {
        // A store that does not answer is told by anyone who stores.
        let all = self.archive.vault().recording().await.unwrap_or_default();
        for recording in all.into_iter().filter(|recording| !self.archive.custody().is_expired(recording.hour)) {
            let due = self.known().get(&recording).is_none_or(|known| match known.state {
                TransferState::Failed { .. } => known.since.elapsed() >= limits::HAND_OVER_AGAIN_AFTER,
                _ => false,
            });
            if due {
                // It is not final yet, or cannot be read now: the next look comes.
                let _ = self.begin(recording, false).await;
            }
        }
    }

    async fn run(self: Arc<Self>, recording: RecordingName, keep: bool) {
        let _turn = self.turns.acquire().await.expect("it is never closed");
        let told = |progress: Progress| {
            self.set(
                recording,
                match progress {
                    Progress::Sending { bytes, of } => TransferState::Sending { bytes, of },
                    Progress::Verifying { bytes, of } => TransferState::Verifying { bytes, of },
                    Progress::Waiting { .. } => TransferState::Waiting,
                },
            );
        };
        let ended = transfer(&self.archive, recording, &self.destination, keep, &told).await;
        let state = match ended {
            Ok(files) => {
                self.counters.done.add(1);
                self.counters.failing.set(0);
                tracing::info!(recording = %recording, "a recording was handed over");
                TransferState::Done { files, kept: keep }
            }
            Err(error) => {
                self.counters.failed.add(1);
                self.counters.failing.set(1);
                tracing::warn!(recording = %recording, %error, "a recording was not handed over");
                let kept = matches!(error, TransferError::Kept(_));
                TransferState::Failed {
                    why: if kept { error.to_string() } else { format!("{error}; it is kept here") },
                }
            }
        };
        self.set(recording, state);
    }

    fn set(&self, recording: RecordingName, state: TransferState) {
        self.known().insert(recording, Known { state, since: Instant::now() });
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<RecordingName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets the oldest that ended, if there is no room for another.
fn make_room(known: &mut BTreeMap<RecordingName, Known>) -> Result<(), Refused> {
    if known.len() < limits::HAND_OVERS_KNOWN_MAX {
        return Ok(());
    }
    let ended = known.iter().filter(|(_, known)| known.state.has_ended());
    let oldest = ended.min_by_key(|(_, known)| known.since).map(|(recording, _)| *recording);
    oldest.and_then(|oldest| known.remove(&oldest)).map(|_| ()).ok_or(Refused::Full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::retention::{Hour, RecordingId};

    #[test]
    fn what_is_known_is_bounded_and_what_is_under_way_is_never_forgotten() {
        let recording = |n: usize| RecordingName { hour: Hour(n as u32), recording: RecordingId([7; 16]) };
        let entry = |state| Known { state, since: Instant::now() };
        let mut known = BTreeMap::new();
        for n in 0..limits::HAND_OVERS_KNOWN_MAX {
            make_room(&mut known).unwrap();
            known.insert(recording(n), entry(TransferState::Waiting));
        }
        assert!(matches!(make_room(&mut known), Err(Refused::Full)));
        known.insert(recording(9), entry(TransferState::Failed { why: String::new() }));
        known.insert(recording(5), entry(TransferState::Done { files: Vec::new(), kept: false }));
        make_room(&mut known).unwrap();
        assert!(!known.contains_key(&recording(9)) && known.contains_key(&recording(5)), "the oldest that ended");
    }
}
