//! **The question:** what may happen to a room?

use std::time::Instant;

use crate::app::control::room::effect::LegShown;
use crate::app::control::trickling::Trickling;
use crate::app::workers::event::Event;
use crate::base::media::{Bitmap, PeerId, RungCodecs, RungId, RungName};
use crate::core::access::{BearerId, Role};
use crate::core::fleet::Label;
use crate::core::handover::Baggage;
use crate::core::signal::Knocker;
use crate::io::api::{Command, ResourceToken, SeatWish};
use crate::io::fleet::Trust;
use crate::io::rtp::LegEvent;
use crate::io::webrtc::{NetEvent, PeerRole};

/// One thing that happened.
pub enum Input {
    /// The room begins: it is recorded from its first frame on, if that is the operator's rule. One that comes from
    /// another node goes on with what it took along.
    Begin(Option<Box<Baggage>>),
    /// Another node has the room by now: what it takes along is packed, and nothing is recorded here any more.
    Pack,
    /// It came back: it goes on as it was.
    Stay,
    /// The other node has it: everybody is told where, and those who know no such word are sent off.
    Moved(Box<MovedTo>),
    /// Somebody comes in.
    Join(Box<Joining>),
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
    /// An encode could not begin.
    RungFailed(RungId, String),
    /// Others wait to be let in than before.
    Lobby(Vec<Knocker>),
    /// The node will end its rooms then, or will not any more.
    NodeEnds(Option<Instant>),
    /// The room is to end.
    End(&'static str),
    /// The deadline came.
    Due,
}

/// Where a room goes on.
#[derive(Debug, Clone)]
pub struct MovedTo {
    /// Where its new node is reached, without a slash at its end.
    pub url: String,
    /// What signs what its people are let in by there.
    pub trust: Option<Trust>,
}

/// Somebody whose connection stands, or a leg that was heard.
pub struct Joining {
    /// Their connection.
    pub peer: PeerId,
    /// What it is for.
    pub role: PeerRole,
    /// What the token that they showed makes of them, if they did.
    pub standing: Option<Role>,
    /// By what they are known again, if they showed one.
    pub bearer: Option<BearerId>,
    /// Where their token wants the room to be, if it says.
    pub region: Option<Label>,
    /// The person's name.
    pub display: String,
    /// Whether recordings may show and sound them.
    pub consents_to_recording: bool,
    /// The rung they want to see; `None`: the first.
    pub rung: Option<RungName>,
    /// The place they want.
    pub seat: SeatWish,
    /// The capability to steer the connection.
    pub resource: ResourceToken,
    /// How its ICE stands.
    pub trickling: Trickling,
    /// What is shown while their camera is off, if they said so already.
    pub avatar: Option<Bitmap>,
    /// It is a leg, and this can be told of it.
    pub leg: Option<LegShown>,
    /// What they may be sent pictures in, as was negotiated.
    pub watches: RungCodecs,
    /// It is a node, which shows the room to others.
    pub relays: bool,
}
