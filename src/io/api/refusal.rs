//! **The question:** why was a command refused? One word a reason; each door says it in its own way.

use std::net::SocketAddr;

use crate::core::access::{Denied, OverQuota};
use crate::core::fleet::{Label, Nowhere};

/// Why a command was refused. Over HTTP `problem` gives each its status and says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The offer is no SDP, or none that can be answered; says why.
    BadOffer(String),
    /// The offer has no codec that the node takes; says which it takes.
    UnsupportedCodec(String),
    /// The trickled fragment does not fit the connection; says why.
    BadFragment(String),
    /// The room has all the participants or viewers it may have.
    RoomFull,
    /// As many watch the room here as may; another node shows it.
    WatchElsewhere {
        /// Which.
        node: Label,
        /// Where that one is reached, without a slash at its end.
        url: String,
    },
    /// As many watch the room here as may, and no other node can show it.
    NoRelay(Nowhere),
    /// The node has all the rooms it may have.
    NodeFull,
    /// What runs on the node takes all of its machine: one more would take from those who are there.
    NodeAtLimit,
    /// As many connections have yet to come up as may at once.
    ManyJoining,
    /// As many from the caller's address have yet to come up as may.
    ManyJoiningHere,
    /// The node is not configured for plain-RTP legs.
    LegsOff,
    /// The other end of the leg is outside the networks for legs.
    LegOutside(SocketAddr),
    /// Every port for legs is taken.
    LegsFull,
    /// The node does not record, or into one file only.
    NotRecording,
    /// A recording cannot be kept longer than the node keeps recordings.
    RetentionTooLong {
        /// How long that is.
        hours: u64,
    },
    /// Too few keepers of recordings answer.
    KeepersSilent,
    /// A host removed them.
    Removed,
    /// A host locked the room.
    RoomLocked,
    /// A host banned them.
    Banned,
    /// As many are banned as may be.
    BansFull,
    /// They wait until a host lets them in.
    InLobby {
        /// For how long already, seconds.
        waited_s: u64,
        /// How many are there who could let them in.
        hosts: usize,
    },
    /// A host does not let them in.
    NotLetIn,
    /// Nobody let them in for as long as somebody may wait.
    LobbyOver,
    /// As many wait as may.
    LobbyFull,
    /// Who was to be let in does not wait any more.
    NobodyWaits,
    /// No such room.
    RoomNotFound,
    /// `as` names nobody in this room.
    ParticipantNotFound,
    /// No such connection, or no longer.
    ResourceNotFound,
    /// The connection's ICE generation is another one by now.
    SessionChanged,
    /// Nobody gave the caller leave.
    NotAllowed,
    /// It takes the operator's token.
    TokenMissing,
    /// It would take a token, and the operator set none.
    SteeringOff,
    /// It takes an access token.
    AccessMissing,
    /// The token's role may not.
    WrongRole,
    /// The token is for another room.
    WrongRoom,
    /// The token is another tenant's.
    WrongTenant,
    /// The room's tenant, or their partner, has as much as they may.
    OverQuota(OverQuota),
    /// The room is bound to a region in which this node does not stand.
    OutsideRegion(Label),
    /// The room is bound to a region in which recordings do not lie.
    StoredOutside(Label),
    /// The room has no such rung; those that it has.
    RungNotFound(Vec<String>),
    /// Nothing can be pushed there; says why.
    BadPush(String),
    /// The room has no such push, or no longer.
    PushNotFound,
    /// The room or the node has all the pushes it may have.
    PushesFull,
    /// The room has all the captioners it may have.
    CaptionersFull,
    /// A caption is of nothing that was said in the room of late; says why.
    BadCaption(String),
    /// Captions come too fast; says how fast they may.
    CaptionsTooOften(String),
    /// The control thread has no time now.
    Busy,
    /// A thread without which the node cannot go on says nothing.
    Hung,
    /// The node is about to stop and takes nobody in.
    Draining,
    /// The node drains: no room begins, and those that run go on.
    NoNewRooms,
    /// The process was asked to end, which nothing takes back.
    Leaving,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotAllowed => Self::NotAllowed,
            Denied::TokenMissing => Self::TokenMissing,
            Denied::SteeringOff => Self::SteeringOff,
            Denied::AccessMissing => Self::AccessMissing,
            Denied::WrongRole => Self::WrongRole,
            Denied::WrongRoom => Self::WrongRoom,
            Denied::WrongTenant => Self::WrongTenant,
        }
    }
}
