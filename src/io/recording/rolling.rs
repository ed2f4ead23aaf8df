//! **The question:** when does a recording that runs long go on as another one, and who is asked for that one's key
//! beforehand?

use std::time::Instant;

use crate::base::limits;
use crate::io::recording::sealed::SealedFiles;
use crate::io::recording::setup::{RecordingPlace, RecordingSetup};
use crate::io::store::Reserving;

/// The next part of a recording, with an expiry of its own.
#[derive(Debug)]
pub(super) struct Rolling {
    /// From the first keyframe after this on.
    at: Instant,
    ask_at: Instant,
    asked: Option<Reserving>,
}

impl Rolling {
    /// Of a recording that begins now; one in the clear has no expiry.
    pub(super) fn of(now: Instant, setup: &RecordingSetup) -> Option<Self> {
        let RecordingPlace::Sealed(archive) = &setup.place else { return None };
        let at = now + setup.wish.retention.unwrap_or(archive.retention()).recording_span();
        Some(Self { at, ask_at: at.checked_sub(limits::RECORDING_ROLL_AHEAD).unwrap_or(at), asked: None })
    }

    /// Whether the next keyframe is the next part's first.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.at <= now
    }

    /// Asks the keepers in time, so that no frame waits for them; again after a while if they refuse.
    pub(super) fn ask_ahead(&mut self, now: Instant, files: &SealedFiles) {
        if self.ask_at <= now && self.asked.is_none() {
            self.asked = Some(files.reserve());
        }
        if let Some(Err(error)) = self.asked.as_mut().and_then(Reserving::look) {
            tracing::warn!(%error, "the next part of a recording has no key yet");
            self.asked = None;
            self.ask_at = now + limits::RECORDING_ROLL_RETRY;
        }
    }

    /// Who was asked, if they did not refuse.
    pub(super) fn into_asked(self) -> Option<Reserving> {
        self.asked
    }
}
