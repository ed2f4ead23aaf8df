//! **The question:** what do the worker threads tell the control thread?

use std::sync::Arc;

use crate::base::media::{ParticipantId, RecordingTicket, RoomId, TrackId};
use crate::core::scene::Scene;
use crate::io::recording::RecordingSummary;
use crate::io::rtp::LegEvent;

/// Something a worker saw that others must know.
#[derive(Debug)]
pub enum Event {
    /// A track's bitstream cannot be decoded; a keyframe was requested.
    PicturesBroken {
        /// Its room.
        room: RoomId,
        /// Which track.
        track: TrackId,
    },
    /// The room's picture is laid out anew.
    SceneChanged {
        /// Which room.
        room: RoomId,
        /// Who is seen where from now on.
        scene: Arc<Scene>,
        /// The page of the layout that is shown, from 0.
        page: usize,
        /// How many pages it has.
        pages: usize,
    },
    /// Who speaks in a room, at each change.
    Speech {
        /// Which room.
        room: RoomId,
        /// Everyone who speaks, in the order of their ids.
        speaking: Vec<ParticipantId>,
        /// Who has the word.
        dominant: Option<ParticipantId>,
    },
    /// Something became of a plain-RTP leg.
    Leg(LegEvent),
    /// A worker panicked over this room: it ends, the node goes on.
    RoomFailed(RoomId),
    /// A worker panicked over what is made for this room's recording alone: that ends, the room goes on.
    RecordingFailed(RoomId),
    /// The keepers agreed to a recording that must not begin without them: from now on the room is recorded.
    RecordingBegan {
        /// Which room.
        room: RoomId,
        /// Which of its recordings.
        ticket: RecordingTicket,
    },
    /// They did not, or it failed before: nothing was recorded and nothing will be. The last that is told of this
    /// recording.
    RecordingRefused {
        /// Which room.
        room: RoomId,
        /// Which of its recordings.
        ticket: RecordingTicket,
    },
    /// A recording that was to finish is closed, or was given up at its deadline. The last that is told of it.
    RecordingFinished {
        /// Which room.
        room: RoomId,
        /// Which of its recordings.
        ticket: RecordingTicket,
        /// What it holds; `None` when a worker panicked over it.
        summary: Option<RecordingSummary>,
    },
}
