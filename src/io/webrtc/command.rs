//! **The question:** what may the control thread ask of the wire?

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::base::media::{EncodedFrame, MixTick, PeerId, RoomEpoch, RoomId, RungId, TrackKind};
use crate::core::ladder::SendTarget;
use crate::core::signal::WordKind;
use crate::engine::flow::{Fan, KeyframeRequest, OpusSender, TrackSender};
use crate::io::webrtc::life::IceCredentials;
use crate::io::webrtc::own::OwnSocket;
use crate::io::webrtc::peer::Peer;
use crate::io::webrtc::relay::RelaySink;

/// What the control thread tells the net thread.
pub enum NetCommand {
    /// A room begins to send: its mixes at once, pictures as its rungs come.
    AddRoom {
        /// Which.
        room: RoomId,
        /// Its media clock.
        epoch: RoomEpoch,
        /// Its mixes.
        audio: Fan<MixTick>,
    },
    /// A room ended with its rungs; its peers were removed before.
    RemoveRoom(RoomId),
    /// A rung of a room begins. Whoever chose it before gets it from its first keyframe on.
    AddRung {
        /// Whose.
        room: RoomId,
        /// Which.
        rung: RungId,
        /// Its frames.
        video: Fan<EncodedFrame>,
        /// Where its keyframes are requested.
        keyframe_requests: KeyframeRequest,
    },
    /// A rung ended. Whoever still watches it keeps its last picture until another rung is chosen.
    RemoveRung {
        /// Whose.
        room: RoomId,
        /// Which.
        rung: RungId,
    },
    /// A connection was answered. Until it enters a room it is nobody's, and hears and sees nothing.
    AddPeer {
        /// The connection.
        peer: Box<Peer>,
    },
    /// A connection that this side began was answered; the same goes for it, and all of it goes by `socket`.
    AddCaller {
        /// The connection.
        peer: Box<Peer>,
        /// Whose candidates the offer has.
        socket: Box<OwnSocket>,
    },
    /// A connection is of a room from now on.
    EnterRoom {
        /// Which, added before.
        peer: PeerId,
        /// The room it hears and sees, begun before.
        room: RoomId,
        /// What it watches; nothing, if it only publishes.
        rung: Option<RungId>,
    },
    /// Watch another rung from its next keyframe on, which is requested, and the one before until then.
    WatchRung {
        /// Who.
        peer: PeerId,
        /// Which; it may begin later.
        rung: RungId,
        /// What is watched is sent no more: most of it is lost, or stands in a queue in which this one's keyframe has
        /// to wait.
        at_once: bool,
    },
    /// Send no picture, also none again, until a rung is to be watched: what was sent stands in a queue on the way.
    HoldPictures(PeerId),
    /// Say goodbye to a connection and forget it; no event follows.
    RemovePeer(PeerId),
    /// Where the frames of a video track go.
    AttachVideo {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// The decoder's queue.
        sink: TrackSender,
        /// What the decoder wishes of the sender.
        keyframe_requests: KeyframeRequest,
    },
    /// Where the packets of a sound track go.
    AttachSound {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// The mixer's queue.
        sink: OpusSender,
    },
    /// Where the frames of a track go that another node sends: to viewers here, as they are.
    AttachRelay {
        /// Of which connection.
        peer: PeerId,
        /// Pictures come as a camera's, sound as a microphone's.
        kind: TrackKind,
        /// The way to them.
        sink: Box<RelaySink>,
    },
    /// What is asked of the sender of a video track; its tile needs no more.
    Aim {
        /// Whose.
        peer: PeerId,
        /// Which.
        kind: TrackKind,
        /// How much.
        target: SendTarget,
    },
    /// Candidates or new credentials of the other side; answered by `NetEvent::Trickled`.
    Trickle {
        /// Whose.
        peer: PeerId,
        /// Credentials, if the fragment had some.
        credentials: Option<IceCredentials>,
        /// Candidates, each from `candidate:` on.
        candidates: Vec<String>,
    },
    /// A new offer of the connection; answered by `NetEvent::Renegotiated`.
    Renegotiate {
        /// Whose.
        peer: PeerId,
        /// SDP.
        offer: String,
    },
    /// Say a text on the data channel, as soon as that is open: of each kind that tells a state the newest, ten times a
    /// second at most, and nothing before the welcome.
    Signal {
        /// To whom.
        peer: PeerId,
        /// What it tells.
        kind: WordKind,
        /// One message.
        text: Arc<str>,
    },
    /// Say that this was read.
    Pulse(Arc<AtomicBool>),
    /// Say goodbye to all and end.
    Stop,
}

impl NetCommand {
    /// Whom it concerns, if that is one peer which was added before.
    pub(super) fn peer(&self) -> Option<PeerId> {
        match self {
            Self::EnterRoom { peer, .. }
            | Self::WatchRung { peer, .. }
            | Self::HoldPictures(peer)
            | Self::RemovePeer(peer)
            | Self::AttachVideo { peer, .. }
            | Self::AttachSound { peer, .. }
            | Self::AttachRelay { peer, .. }
            | Self::Aim { peer, .. }
            | Self::Trickle { peer, .. }
            | Self::Renegotiate { peer, .. }
            | Self::Signal { peer, .. } => Some(*peer),
            Self::AddRoom { .. }
            | Self::RemoveRoom(_)
            | Self::AddRung { .. }
            | Self::RemoveRung { .. }
            | Self::AddPeer { .. }
            | Self::AddCaller { .. }
            | Self::Pulse(_)
            | Self::Stop => None,
        }
    }
}
