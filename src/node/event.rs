//! **The question:** what do the worker threads tell the control thread?

use std::sync::Arc;

use crate::media::{AudioLevel, ParticipantId, RoomId, TrackId};
use crate::scene::Scene;

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
    /// How loud the voices of a room are; several times a second while anybody is.
    Levels {
        /// Which room.
        room: RoomId,
        /// Everyone whose sound came, and how loud it was.
        levels: Vec<(ParticipantId, AudioLevel)>,
    },
    /// A worker panicked over this room: it ends, the node goes on.
    RoomFailed(RoomId),
}
