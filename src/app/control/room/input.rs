//! **The question:** what may happen to a room?

use std::net::UdpSocket;

use crate::app::control::room::effect::LegShown;
use crate::app::workers::event::Event;
use crate::base::media::{ParticipantId, PeerId, RungId, RungName};
use crate::io::api::{Command, Joined, LegJoined, Reply, ResourceToken};
use crate::io::rtp::{Leg, LegEvent};
use crate::io::webrtc::{NetEvent, Peer, PeerRole};

/// One thing that happened.
pub enum Input {
    /// The room begins: it is recorded from its first frame on, if that is the operator's rule.
    Begin,
    /// Somebody's offer was answered, and they want in.
    Join(Box<Joining>),
    /// A plain-RTP leg wants in.
    JoinLeg(Box<JoiningLeg>, Reply<LegJoined>),
    /// What the wire saw of one of its people, or of all its listeners.
    Net(NetEvent),
    /// What became of a leg.
    Leg(LegEvent),
    /// What a worker saw.
    Worker(Event),
    /// What a door asks of the room.
    Ask(Command),
    /// What a door asks of one of its connections.
    AskOf(PeerId, Command),
    /// A connection is ended from this side.
    Dismiss(PeerId, &'static str),
    /// An encode could not begin.
    RungFailed(RungId, String),
    /// The room is to end.
    End(&'static str),
    /// The deadline came.
    Due,
}

/// Somebody whose offer was answered.
pub struct Joining {
    /// Their connection.
    pub peer: Box<Peer>,
    /// What it is for.
    pub role: PeerRole,
    /// The person's name.
    pub display: String,
    /// Whether recordings may show and sound them.
    pub consents_to_recording: bool,
    /// The rung they want to see; `None`: the first.
    pub rung: Option<RungName>,
    /// What they are told once they are in.
    pub joined: Joined,
    /// Where.
    pub reply: Reply<Joined>,
}

/// A leg whose port was bound.
pub struct JoiningLeg {
    /// The connection it stands for.
    pub peer: PeerId,
    /// Who it is in the room.
    pub participant: ParticipantId,
    /// The person's name.
    pub display: String,
    /// Its port.
    pub socket: UdpSocket,
    /// What its datagrams mean.
    pub leg: Leg,
    /// What can be told of it.
    pub shown: LegShown,
    /// The capability to look at it and to end it.
    pub resource: ResourceToken,
}
