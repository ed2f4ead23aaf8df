//! **The question:** what is packaged as the calls run? The `package` thread owns every room's recording.

use std::collections::HashMap;
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::app::workers::worker::{Mailbox, guard};
use crate::base::media::{ParticipantId, RoomId};
use crate::core::record::Event;
use crate::io::recording::room::{Reads, RecordingSummary, RoomRecording};
use crate::io::recording::tracks::TrackSource;

/// What the control thread tells the package thread.
pub enum PackageCommand {
    /// A room is recorded from now on.
    Add(RoomId, Box<RoomRecording>),
    /// The room's recording reads these from now on, and nothing more of what it read so far.
    Read(RoomId, Box<Reads>),
    /// Something began in the room that may be a chapter.
    Event(RoomId, Instant, Event),
    /// Record a participant's own track too, if the room is recorded.
    Track(RoomId, Box<TrackSource>),
    /// Record a participant's own tracks no longer.
    EndTracks(RoomId, ParticipantId),
    /// The room ended: close its recording and tell what it holds.
    Finish(RoomId, Sender<RecordingSummary>),
}

/// The body of the `package` thread. When its inlet closes, every recording is closed first.
pub fn run(mailbox: &Mailbox<PackageCommand>) {
    let mut recordings: HashMap<RoomId, Box<RoomRecording>> = HashMap::new();
    loop {
        loop {
            match mailbox.commands.try_recv() {
                Ok(PackageCommand::Add(room, recording)) => drop(recordings.insert(room, recording)),
                Ok(PackageCommand::Read(room, reads)) => {
                    if let Some(recording) = recordings.get_mut(&room) {
                        recording.read(*reads);
                    }
                }
                Ok(PackageCommand::Event(room, at, event)) => {
                    with(&mut recordings, &room, |recording| recording.event(at, event));
                }
                Ok(PackageCommand::Track(room, source)) => {
                    with(&mut recordings, &room, |recording| recording.add_track(*source));
                }
                Ok(PackageCommand::EndTracks(room, participant)) => {
                    let now = Instant::now();
                    with(&mut recordings, &room, |recording| recording.end_tracks_of(now, participant));
                }
                Ok(PackageCommand::Finish(room, reply)) => {
                    let summary = recordings
                        .remove(&room)
                        .and_then(|recording| guard(&room, || recording.finish(Instant::now())));
                    if let Some(summary) = summary {
                        // Nobody waits for it when the node is being torn down.
                        let _ = reply.send(summary);
                    }
                }
                Err(crossbeam_channel::TryRecvError::Empty) => break,
                Err(crossbeam_channel::TryRecvError::Disconnected) => {
                    for (room, recording) in recordings.drain() {
                        guard(&room, || recording.finish(Instant::now()));
                    }
                    return;
                }
            }
        }
        let now = Instant::now();
        // A recording whose fans closed stays until the control thread asks for its summary.
        recordings.retain(|room, recording| guard(room, || recording.poll(now)).is_some());
        let deadline = recordings.values().filter_map(|recording| recording.deadline()).min();
        mailbox.waker.sleep_until(deadline);
    }
}

/// A recording that panics is given up; a room that is not recorded needs nothing.
fn with(recordings: &mut HashMap<RoomId, Box<RoomRecording>>, room: &RoomId, act: impl FnOnce(&mut RoomRecording)) {
    if let Some(recording) = recordings.get_mut(room)
        && guard(room, || act(recording)).is_none()
    {
        recordings.remove(room);
    }
}
