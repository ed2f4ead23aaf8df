//! **The question:** when is a recording that ended closed, and when is it told as it stands? Nobody waits for it: it
//! is polled, by a deadline.

use std::time::Instant;

use crate::base::limits;
use crate::io::recording::room::RoomRecording;
use crate::io::recording::sink::ClosingSink;
use crate::io::recording::summary::RecordingSummary;

/// A recording that ended.
#[derive(Debug)]
pub struct ClosingRecording {
    until: Instant,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// What the fans still hold is taken.
    Reading(Box<RoomRecording>),
    /// It is stored; with earlier parts of it.
    Storing(ClosingSink, Vec<ClosingSink>),
    /// It was told.
    Over,
}

impl ClosingRecording {
    /// Nothing that is published from now on is recorded; what is there still is, if it can be within
    /// `limits::RECORDING_CLOSE_SPAN`.
    #[must_use]
    pub fn new(now: Instant, recording: Box<RoomRecording>) -> Self {
        recording.stop();
        Self { until: now + limits::RECORDING_CLOSE_SPAN, stage: Stage::Reading(recording) }
    }

    /// When it is told at the latest; the recording's waker wakes before that.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.until
    }

    /// What it holds, told once: when the last of it is stored or waits in the spool, or at the deadline.
    pub fn poll(&mut self, now: Instant) -> Option<RecordingSummary> {
        let late = self.until <= now;
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Reading(mut recording) => {
                if !recording.end(now) && !late {
                    self.stage = Stage::Reading(recording);
                    return None;
                }
                let (sink, earlier) = recording.into_closing(now);
                self.stage = Stage::Storing(sink, earlier);
                self.poll(now)
            }
            Stage::Storing(mut sink, mut earlier) => {
                earlier.retain_mut(|part| !part.poll());
                if (sink.poll() && earlier.is_empty()) || late {
                    return Some(sink.into_summary());
                }
                self.stage = Stage::Storing(sink, earlier);
                None
            }
            Stage::Over => None,
        }
    }
}
