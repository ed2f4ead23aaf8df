//! **The question:** when does a recording that runs long go on as another one, and who is asked for that one's key
//! beforehand?

use std::time::{Duration, Instant};

use crate::base::limits;
use crate::io::recording::sealed::SealedFiles;
use crate::io::recording::setup::{RecordingPlace, RecordingSetup};
use crate::io::store::Reserving;

/// The next part of a recording, with an expiry of its own.
#[derive(Debug)]
pub(super) struct Rolling {
    /// From the first keyframe after this on, if its key was granted.
    at: Instant,
    /// From the first one after this on in any case: the hour of the one that runs draws near.
    at_latest: Instant,
    ask_at: Instant,
    asked: Option<Reserving>,
    /// What was told of refusals: whether that was when the part that runs should have been over.
    told: Option<bool>,
}

impl Rolling {
    /// Of a recording that begins now; one in the clear has no expiry.
    pub(super) fn of(now: Instant, setup: &RecordingSetup) -> Option<Self> {
        let RecordingPlace::Sealed(archive) = &setup.place else { return None };
        let retention = setup.wish.retention.unwrap_or(archive.retention());
        let at = now + retention.recording_span();
        let ask_at = at.checked_sub(limits::RECORDING_ROLL_AHEAD).unwrap_or(at);
        // Expiries are rounded down.
        let until_hour = retention.span().saturating_sub(Duration::from_secs(3600));
        let goes_on = until_hour.saturating_sub(retention.recording_span() * limits::RECORDING_SPANS_LEFT);
        Some(Self { at, at_latest: at.max(now + goes_on), ask_at, asked: None, told: None })
    }

    /// Whether the next keyframe is the next part's first. While nobody grants that one's key, the one that runs goes
    /// on under its own, which lives for days.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let mut is_granted = || matches!(self.asked.as_mut().and_then(Reserving::look), Some(Ok(_)));
        self.at <= now && (self.at_latest <= now || is_granted())
    }

    /// Asks the keepers in time, so that no frame waits for them; again after a while if they refuse.
    pub(super) fn ask_ahead(&mut self, now: Instant, files: &SealedFiles) {
        if self.ask_at <= now && self.asked.is_none() {
            self.asked = Some(files.reserve());
        }
        if let Some(Err(error)) = self.asked.as_mut().and_then(Reserving::look) {
            // Once as it begins, and once as the part that runs should be over.
            let is_late = self.at <= now;
            if self.told != Some(is_late) {
                self.told = Some(is_late);
                if is_late {
                    files.note_refused();
                }
                tracing::warn!(%error, is_late, "the next part of a recording has no key yet; asked for on and on");
            }
            self.asked = None;
            self.ask_at = now + limits::RECORDING_ROLL_RETRY;
        }
    }

    /// Who was asked, if they did not refuse.
    pub(super) fn into_asked(self) -> Option<Reserving> {
        self.asked
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use tokio::runtime::Handle;

    use super::*;
    use crate::base::media::{RoomEpoch, Wallclock};
    use crate::core::retention::Retention;
    use crate::engine::flow::Waker;
    use crate::io::recording::counters::RecordCounters;
    use crate::io::recording::setup::RoomHold;
    use crate::io::store::{Archive, ArchiveCounters, RecordingWish, Vault};

    fn setup(home: &std::path::Path, retention: Retention) -> (RecordingSetup, SealedFiles) {
        let (vault, counters) = (Vault::on(Arc::new(InMemory::new()), "memory"), ArchiveCounters::default());
        let archive = Archive::on_vault(vault, home, retention, Handle::current(), counters).unwrap();
        let (archive, waker) = (Arc::new(archive), Waker::new().unwrap());
        let files = SealedFiles::new(archive.clone(), retention, RecordCounters::default(), waker.clone());
        let setup = RecordingSetup {
            room: "room".parse().unwrap(),
            epoch: RoomEpoch { instant: Instant::now(), wallclock: Wallclock(0) },
            place: RecordingPlace::Sealed(archive),
            fps: 30,
            holds: RoomHold::default(),
            wish: RecordingWish::default(),
            waker,
        };
        (setup, files)
    }

    async fn wait(mut so: impl FnMut() -> bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while !so() {
            assert!(Instant::now() < until, "never");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn while_nobody_grants_a_key_for_the_next_part_the_one_that_runs_goes_on_and_they_are_asked_again() {
        let home = tempfile::tempdir().unwrap();
        let (setup, files) = setup(home.path(), Retention::default());
        let begun = Instant::now();
        let mut rolling = Rolling::of(begun, &setup).unwrap();
        let at = begun + Retention::default().recording_span();
        // The keeper's disk refuses.
        let [keys, away] = ["keys", "keys.away"].map(|name| home.path().join(name));
        std::fs::rename(&keys, &away).unwrap();
        wait(|| {
            rolling.ask_ahead(at, &files);
            rolling.asked.is_none()
        })
        .await;
        assert!(!rolling.is_due(at), "its own key has days to live");
        assert!(!rolling.is_due(begun + Duration::from_secs(4 * 86_400)));
        assert!(rolling.is_due(begun + Duration::from_secs(5 * 86_400)), "its hour draws near");
        std::fs::rename(&away, &keys).unwrap();
        let again = at + limits::RECORDING_ROLL_RETRY;
        wait(|| {
            rolling.ask_ahead(again, &files);
            rolling.is_due(again)
        })
        .await;
        assert!(!rolling.is_due(begun), "and not before its time");
    }

    #[tokio::test]
    async fn however_short_it_is_kept_a_part_ends_before_its_hour() {
        let home = tempfile::tempdir().unwrap();
        let (mut setup, _) = setup(home.path(), Retention::default());
        for hours in [2, 3, 24, 168] {
            let retention = Retention::new(Duration::from_secs(hours * 3600)).unwrap();
            setup.wish.retention = Some(retention);
            let begun = Instant::now();
            let mut rolling = Rolling::of(begun, &setup).unwrap();
            assert!(!rolling.is_due(begun + retention.recording_span()));
            assert!(rolling.is_due(begun + retention.span() - Duration::from_secs(3600) - retention.recording_span()));
        }
    }
}
