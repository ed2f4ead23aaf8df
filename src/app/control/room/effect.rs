//! **The question:** what does a room want done? Its effects; the control thread carries them out, in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::app::control::report::RoomReport;
use crate::app::workers::mix::MixCommand;
use crate::app::workers::package::PackageCommand;
use crate::base::limits;
use crate::base::media::{
    Codec, EncodedFrame, ParticipantId, PeerId, RecordingTicket, RungCodecs, RungId, RungSpec, SoundCodec, TrackId,
    View,
};
use crate::core::handover::Baggage;
use crate::core::push::PushId;
use crate::core::scene;
use crate::core::webhook::Happening;
use crate::engine::flow::{Counter, Fan, KeyframeRequest, PlayoutCell, TrackTap};
use crate::io::api::{LegState, ResourceToken};
use crate::io::push::PushTarget;
use crate::io::rtp::{LegSetup, LegWatch};
use crate::io::webrtc::{NetCommand, OwnSocket, Peer};

/// One thing to do for a room.
pub enum Effect {
    /// To the net workers.
    Net(NetCommand),
    /// To the room's scene.
    Scene(scene::Input),
    /// To the room's mix worker.
    Mix(MixCommand),
    /// To the package worker.
    Package(PackageCommand),
    /// An encode begins. What cannot begin comes back as `Input::RungFailed`.
    StartRung(Box<RungStart>),
    /// An encode ends; nobody reads it any more.
    StopRung(RungId),
    /// A track's pictures are decoded and shown from now on, its sound is mixed.
    AddTrack(Box<TrackStart>),
    /// Neither any more.
    RemoveTrack(TrackId),
    /// A leg is in the room.
    AddLeg(Box<LegStart>),
    /// A leg ends.
    RemoveLeg(PeerId),
    /// Another server is offered a connection.
    Call(Box<PushCall>),
    /// A connection that another server answered comes up from now on.
    Dial(Box<Peer>, Box<OwnSocket>),
    /// A connection is of this room no longer, and its token names nothing.
    Forget(PeerId, ResourceToken),
    /// Something happened that the operator may want to know.
    Tell(Box<Happening>),
    /// Something of this recording is stored, for the first time or again.
    Stored(RecordingTicket),
    /// What the room takes along to another node.
    HandOver(Box<Baggage>),
    /// The room is over.
    End(Box<RoomEnd>),
}

/// A push whose server is to be asked.
pub struct PushCall {
    /// Which.
    pub push: PushId,
    /// How often that was done before, and this time.
    pub attempt: u64,
    /// Where to.
    pub target: Arc<PushTarget>,
    /// What it is offered.
    pub offer: PushOffer,
    /// Where bytes are counted that are sent.
    pub sent: Counter,
}

/// What another server is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOffer {
    /// A connection of WebRTC, with pictures in one of these.
    Peer(RungCodecs),
    /// A stream of RTMP or SRT.
    Stream {
        /// What its pictures are coded in.
        pictures: Codec,
        /// What its sound is, if it has any.
        sound: Option<SoundCodec>,
        /// Pictures a second.
        fps: u32,
    },
}

/// One encode of a room, and the canvas that feeds it.
pub struct RungStart {
    /// Its name among the workers.
    pub rung: RungId,
    /// What it is.
    pub spec: RungSpec,
    /// Whom it hides.
    pub view: View,
    /// To everyone who reads it.
    pub fan: Fan<EncodedFrame>,
    /// Where its keyframes are asked for.
    pub keyframe_requests: KeyframeRequest,
    /// Whether a recording or HLS reads it.
    pub recorded: Arc<AtomicBool>,
    /// Frames it made.
    pub frames_encoded: Counter,
}

/// A track that begins.
pub struct TrackStart {
    /// Whose connection.
    pub peer: PeerId,
    /// Which track.
    pub track: TrackId,
    /// How it is coded.
    pub codec: Codec,
    /// Where its sender is asked for keyframes.
    pub keyframe_requests: KeyframeRequest,
    /// The delay it shares with the person's other track.
    pub playout: PlayoutCell,
    /// Where it is recorded by itself, if it may be.
    pub tap: Option<TrackTap>,
}

/// A plain-RTP leg that comes into the room.
pub struct LegStart {
    /// The connection it stands for.
    pub peer: PeerId,
    /// Its voice.
    pub track: TrackId,
    /// The delay of its voice.
    pub playout: PlayoutCell,
}

/// What can be told of a leg.
#[derive(Debug, Clone)]
pub struct LegShown {
    /// What it speaks.
    pub setup: LegSetup,
    /// Where it is to send.
    pub local: SocketAddr,
    /// What it counts, and where it is.
    pub watch: LegWatch,
}

impl LegShown {
    /// How the leg stands.
    #[must_use]
    pub fn state(&self, participant: ParticipantId) -> LegState {
        let (setup, counters) = (&self.setup, &self.watch.counters);
        LegState {
            participant,
            local: self.local,
            remote: self.watch.remote.get().copied().or(setup.remote),
            codec: setup.codec,
            payload_type: setup.payload_type,
            event_type: setup.event_type,
            ptime: setup.blocks * limits::AUDIO_TICK.as_millis() as u8,
            packets_in: counters.packets_in.get(),
            packets_out: counters.packets_out.get(),
            datagrams_refused: counters.datagrams_refused.get(),
            events: counters.events.get(),
        }
    }
}

/// What remains to be done for a room that is over.
pub struct RoomEnd {
    /// Its figures, all but how its recording ended.
    pub report: RoomReport,
    /// Why it is over.
    pub reason: String,
    /// Its encodes, which still finish their last frames.
    pub rungs: Vec<RungId>,
    /// Its recording, to be closed once they have.
    pub recording: Option<RecordingTicket>,
}
