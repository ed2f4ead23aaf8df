//! **The question:** what do the worker threads tell the control thread?

use std::fmt;
use std::sync::Arc;

use crate::base::media::{ParticipantId, RecordingTicket, RoomId, RungId, TrackId};
use crate::core::fleet::RelayTerms;
use crate::core::ladder::Relief;
use crate::core::push::PushId;
use crate::core::scene::{Passage, Scene};
use crate::engine::decode::DecodeError;
use crate::io::fleet::{Destination, MoveError, RelayError};
use crate::io::push::{PushError, PushSession, StreamTold};
use crate::io::recording::RecordingSummary;
use crate::io::rtp::LegEvent;
use crate::io::webrtc::{OwnSocket, Peer};

/// A connection that another server answered.
pub struct PushLine {
    /// The connection.
    pub peer: Box<Peer>,
    /// All of it goes by this.
    pub socket: Box<OwnSocket>,
    /// What was made of it there.
    pub session: Option<PushSession>,
}

impl fmt::Debug for PushLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PushLine").field(&self.peer.id()).finish()
    }
}

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
    /// A track's pictures cannot be decoded, now or later; told once, and no keyframe is asked for.
    DecoderFailed {
        /// Its room.
        room: RoomId,
        /// Which track.
        track: TrackId,
        /// Why there is no decoder.
        error: DecodeError,
    },
    /// A track's pictures are of a kind that is not shown, told once for each; another keyframe would not help.
    PicturesRefused {
        /// Its room.
        room: RoomId,
        /// Which track.
        track: TrackId,
        /// What they are, and what to send; `None` once they are shown again.
        why: Option<String>,
    },
    /// The room's picture is laid out anew.
    SceneChanged {
        /// Which room.
        room: RoomId,
        /// Who is seen where from now on.
        scene: Arc<Scene>,
        /// How everything comes there.
        passage: Passage,
        /// The page of the layout that is shown, from 0.
        page: usize,
        /// How many pages it has.
        pages: usize,
    },
    /// The first picture of a track is in the room's.
    Pictured {
        /// Its room.
        room: RoomId,
        /// Which track.
        track: TrackId,
    },
    /// A room's ticks do not keep up, or do again.
    Relief {
        /// Which room.
        room: RoomId,
        /// What is given up from now on.
        relief: Relief,
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
    /// Another node of the fleet has this room by a newer fence.
    RoomTaken(RoomId),
    /// Another node has this room, which is still here; or it stays.
    MovePlaced {
        /// Which room.
        room: RoomId,
        /// Where to, or why not.
        outcome: Result<Destination, MoveError>,
    },
    /// That node has what the room takes along; or the room came back.
    MoveDone {
        /// Which room.
        room: RoomId,
        /// Where it is, or why it came back.
        outcome: Result<Destination, MoveError>,
    },
    /// What a room's own node says to this one, which shows it to others.
    RelayTold {
        /// Which room.
        room: RoomId,
        /// How it stands, or why that is not known.
        outcome: Result<RelayTerms, RelayError>,
    },
    /// What that node said to an offer.
    RelayLine {
        /// Which room.
        room: RoomId,
        /// Which connection to it.
        line: RungId,
        /// Which of its tries.
        attempt: u64,
        /// The connection that is to come up, or why there is none.
        answer: Box<Result<PushLine, RelayError>>,
    },
    /// What another server said to an offer.
    Push {
        /// The room that is to be sent there.
        room: RoomId,
        /// Which push of it.
        push: PushId,
        /// Which of its tries.
        attempt: u64,
        /// The connection that is to come up, or why there is none.
        answer: Box<Result<PushLine, PushError>>,
    },
    /// How the stream goes that another server was asked to take.
    PushStream {
        /// The room that is to be sent there.
        room: RoomId,
        /// Which push of it.
        push: PushId,
        /// Which of its tries.
        attempt: u64,
        /// What became of it.
        told: StreamTold,
    },
    /// An encode published its last frame.
    RungEnded {
        /// Its room.
        room: RoomId,
        /// Which.
        rung: RungId,
    },
    /// What is recorded is stored from now on: the keepers agreed, or the store takes it again.
    RecordingBegan {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
    },
    /// Nothing of it can be stored for now, and it is tried on.
    RecordingStalled {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
    },
    /// It was erased, or its hour came, while it was made: nothing more of it is stored.
    RecordingErased {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
        /// Whether somebody wanted that; else its clock did it.
        wanted: bool,
    },
    /// The keepers did not agree: nothing is recorded.
    RecordingRefused {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
    },
    /// A recording is closed.
    RecordingFinished {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
        /// What it holds; `None` if closing it panicked.
        summary: Option<RecordingSummary>,
    },
    /// A worker panicked over this room: it ends, the node goes on.
    RoomFailed(RoomId),
    /// A worker panicked over this recording: it ends, the room goes on.
    RecordingFailed {
        /// Its room.
        room: RoomId,
        /// Which recording.
        ticket: RecordingTicket,
    },
    /// A worker panicked over a rung's live stream: it is packaged no longer, the rung goes on.
    LiveFailed {
        /// Its room.
        room: RoomId,
        /// Which.
        rung: RungId,
    },
    /// A worker panicked over an encode that is made for a recording alone.
    RungFailed {
        /// Its room.
        room: RoomId,
        /// Which.
        rung: RungId,
    },
}

impl Event {
    /// The room that it is about; a leg's is known by its connection.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::PicturesBroken { room, .. }
            | Self::DecoderFailed { room, .. }
            | Self::PicturesRefused { room, .. }
            | Self::SceneChanged { room, .. }
            | Self::Pictured { room, .. }
            | Self::Relief { room, .. }
            | Self::Speech { room, .. }
            | Self::Push { room, .. }
            | Self::PushStream { room, .. }
            | Self::RungEnded { room, .. }
            | Self::RecordingBegan { room, .. }
            | Self::RecordingStalled { room, .. }
            | Self::RecordingErased { room, .. }
            | Self::RecordingRefused { room, .. }
            | Self::RecordingFinished { room, .. }
            | Self::RecordingFailed { room, .. }
            | Self::RungFailed { room, .. }
            | Self::LiveFailed { room, .. }
            | Self::MovePlaced { room, .. }
            | Self::MoveDone { room, .. }
            | Self::RelayTold { room, .. }
            | Self::RelayLine { room, .. }
            | Self::RoomTaken(room)
            | Self::RoomFailed(room) => Some(room),
            Self::Leg(_) => None,
        }
    }
}
