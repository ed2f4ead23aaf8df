//! **The question:** what does a room still finish once it is over? Its encodes publish their last frames, then its
//! recording is closed; nobody waits for either, and what takes too long is given up.

use std::collections::HashSet;
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::app::control::report::RoomReport;
use crate::app::control::room::effect::RoomEnd;

use crate::base::limits;
use crate::base::media::{RecordingTicket, RoomId, RungId};
use crate::io::recording::RecordingSummary;
use crate::io::telemetry::log::alias;

/// A room that is over.
struct Ending {
    report: RoomReport,
    /// Encodes that still run.
    rungs: HashSet<RungId>,
    /// The recording that is still open.
    recording: Option<RecordingTicket>,
    /// Until when it is waited for.
    until: Instant,
}

/// All rooms that are over and still finish.
pub(super) struct Endings {
    rooms: Vec<Ending>,
    /// Rooms that ended, for whoever runs the node in its own process.
    ended: Sender<RoomReport>,
}

impl Endings {
    pub(super) fn new(ended: Sender<RoomReport>) -> Self {
        Self { rooms: Vec::new(), ended }
    }

    /// A room is over. The recording to be closed now, where no encode is waited for.
    pub(super) fn begin(&mut self, now: Instant, end: RoomEnd) -> Option<RecordingTicket> {
        let RoomEnd { report, reason, rungs, recording } = end;
        tracing::info!(room = %alias(&report.room), reason, duration_s = report.duration_s.round(), "a room ends");
        let (rungs, until) = (rungs.into_iter().collect::<HashSet<_>>(), now + limits::ROOM_ENDING_SPAN);
        let finish = recording.filter(|_| rungs.is_empty());
        self.rooms.push(Ending { report, rungs, recording, until });
        self.tell_done();
        finish
    }

    /// An encode published its last frame. The recording to be closed now.
    pub(super) fn rung_ended(&mut self, room: &RoomId, rung: RungId) -> Option<RecordingTicket> {
        let ending =
            self.rooms.iter_mut().find(|ending| ending.report.room == *room && ending.rungs.contains(&rung))?;
        ending.rungs.remove(&rung);
        let finish = ending.recording.filter(|_| ending.rungs.is_empty());
        self.tell_done();
        finish
    }

    /// A recording is closed, or never began; false where it is of no room that is over.
    pub(super) fn recording_finished(&mut self, ticket: RecordingTicket, summary: Option<RecordingSummary>) -> bool {
        let Some(ending) = self.rooms.iter_mut().find(|ending| ending.recording == Some(ticket)) else { return false };
        ending.recording = None;
        ending.report.recording = summary;
        self.tell_done();
        true
    }

    /// Gives up what took too long.
    pub(super) fn expire(&mut self, now: Instant) {
        for ending in self.rooms.iter_mut().filter(|ending| ending.until <= now) {
            tracing::warn!(
                room = %alias(&ending.report.room),
                encodes = ending.rungs.len(),
                recording = ending.recording.is_some(),
                "a room that is over did not finish in time"
            );
            ending.rungs.clear();
            ending.recording = None;
        }
        self.tell_done();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rooms.iter().map(|ending| ending.until).min()
    }

    fn tell_done(&mut self) {
        for ending in self.rooms.extract_if(.., |ending| ending.rungs.is_empty() && ending.recording.is_none()) {
            // Nobody listens in `serve`; the demo does.
            let _ = self.ended.try_send(ending.report);
        }
    }
}
