//! **The question:** what may the control thread ask of the wire?

use std::sync::Arc;

use crate::base::media::{EncodedFrame, MixTick, PeerId, RoomEpoch, RoomId, TrackKind};
use crate::engine::flow::{FanReader, KeyframeRequest, OpusSender, TrackSender};
use crate::io::webrtc::peer::{IceCredentials, Peer};

/// What the control thread tells the net thread.
pub enum NetCommand {
    /// A room begins to send.
    AddRoom {
        /// Which.
        room: RoomId,
        /// Its media clock.
        epoch: RoomEpoch,
        /// Its composite.
        video: FanReader<EncodedFrame>,
        /// Where keyframes of the composite are wished for.
        rung: KeyframeRequest,
        /// Its mixes.
        audio: FanReader<MixTick>,
    },
    /// A room ended; its peers were removed before.
    RemoveRoom(RoomId),
    /// A connection was answered.
    AddPeer {
        /// The room it hears and sees.
        room: RoomId,
        /// The connection.
        peer: Box<Peer>,
    },
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
    /// Say a text on the data channel.
    Signal {
        /// To whom.
        peer: PeerId,
        /// One message.
        text: Arc<str>,
    },
    /// Say goodbye to all and end.
    Stop,
}
