//! **The question:** what may be asked of a node, whatever door the asker came through?

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::base::media::{Bitmap, ParticipantId, RoomId, RungName, ShortBlock};
use crate::core::access::Act;
use crate::core::fleet::{Fence, RelayAnswer, RelayWord};
use crate::core::handover::Baggage;
use crate::core::push::PushId;
use crate::core::room::{CaptionerId, KnockId};
use crate::core::scene::Layout;
use crate::core::signal::{CaptionLine, Knocker};
use crate::core::trace::TraceStart;
use crate::io::api::{
    CaptionerSeat, Joined, LayoutShown, LegJoined, LegState, NodeState, PushShown, PushWish, Refusal, ResourceToken,
    RoomDetail, RoomSummary, RungShown, SdpFragment, SeatWish, Trickled, UsageTold,
};
use crate::io::rtp::LegSetup;
use crate::io::store::RecordingWish;

/// Where a command's reply goes. A reply that cannot be delivered means that the client is gone: undo what was done for
/// it.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What is asked of the control thread. The routes that ask it over HTTP stand beside each.
#[derive(Debug)]
pub enum Command {
    /// `POST /v1/rooms/{room}/participants`: one connection both ways.
    Join {
        /// The room, which comes to be if need be.
        room: RoomId,
        /// The person's name.
        name: String,
        /// SDP offer.
        offer: String,
        /// The address that asks, as far as the door knows it.
        from: Option<IpAddr>,
        /// Whether recordings may show and sound them.
        consents_to_recording: bool,
        /// The rung they want to see; `None`: the first.
        rung: Option<RungName>,
        /// The place they want.
        seat: SeatWish,
        /// When they asked, and as a part of which trace.
        trace: TraceStart,
        /// The answer.
        reply: Reply<Joined>,
    },
    /// `POST /whip/{room}`: a person who only publishes.
    Publish {
        /// The room, which comes to be if need be.
        room: RoomId,
        /// The person's name.
        name: String,
        /// SDP offer.
        offer: String,
        /// The address that asks, as far as the door knows it.
        from: Option<IpAddr>,
        /// Whether recordings may show and sound them.
        consents_to_recording: bool,
        /// When they asked, and as a part of which trace.
        trace: TraceStart,
        /// The answer.
        reply: Reply<Joined>,
    },
    /// `POST /whep/{room}`: a viewer.
    Watch {
        /// The room, which must exist.
        room: RoomId,
        /// Whose voice the viewer must not hear: their own.
        minus: Option<ParticipantId>,
        /// What names the connection by which they publish that voice, if they showed it.
        shows: Option<ResourceToken>,
        /// SDP offer.
        offer: String,
        /// The address that asks, as far as the door knows it.
        from: Option<IpAddr>,
        /// The rung they want to see; `None`: the first.
        rung: Option<RungName>,
        /// The room is another node's, which sent them here.
        relayed: bool,
        /// When they asked, and as a part of which trace.
        trace: TraceStart,
        /// The answer.
        reply: Reply<Joined>,
    },
    /// `PATCH` on a resource: candidates, or an ICE restart.
    Trickle {
        /// Which connection.
        resource: ResourceToken,
        /// The ICE generation the client speaks of, which is the `ice-ufrag` of the node's newest answer; `None`: any.
        session: Option<String>,
        /// Candidates and credentials. Other credentials than the connection's mean an ICE restart.
        fragment: SdpFragment,
        /// What became of it.
        reply: Reply<Trickled>,
    },
    /// `DELETE` on a resource.
    Leave {
        /// Which connection.
        resource: ResourceToken,
        /// Once it is closed.
        reply: Reply<()>,
    },
    /// `POST /v1/rooms/{room}/legs`: a voice over plain RTP.
    AddLeg {
        /// The room, which comes to be if need be.
        room: RoomId,
        /// The person's name.
        name: String,
        /// What it speaks.
        leg: LegSetup,
        /// The address that asks, as far as the door knows it.
        from: Option<IpAddr>,
        /// Where it is to send.
        reply: Reply<LegJoined>,
    },
    /// `GET` on a leg.
    Leg {
        /// Which.
        resource: ResourceToken,
        /// How it stands.
        reply: Reply<LegState>,
    },
    /// `GET /v1/rooms`.
    Rooms {
        /// Every room, by name.
        reply: Reply<Vec<RoomSummary>>,
    },
    /// `GET /v1/rooms/{room}`.
    Room {
        /// Which room.
        room: RoomId,
        /// Who is there.
        reply: Reply<RoomDetail>,
    },
    /// `GET /whep/{room}`.
    Rungs {
        /// Which room.
        room: RoomId,
        /// What can be watched.
        reply: Reply<Vec<RungShown>>,
    },
    /// `GET /v1/rooms/{room}/layout`.
    Layout {
        /// Which room.
        room: RoomId,
        /// How it is laid out.
        reply: Reply<LayoutShown>,
    },
    /// `PUT /v1/rooms/{room}/layout`.
    SetLayout {
        /// Which room.
        room: RoomId,
        /// How it is laid out from now on.
        layout: Layout,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `PUT` or `DELETE` of `/v1/rooms/{room}/background`, `logo`, `banner` or `clock`.
    SetBranding {
        /// Which room.
        room: RoomId,
        /// What changes.
        branding: BrandingChange,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `PUT` or `DELETE` of a participant's `avatar`.
    SetAvatar {
        /// Whose connection.
        resource: ResourceToken,
        /// The picture; `None` goes back to initials.
        avatar: Option<Bitmap>,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `PUT /v1/rooms/{room}/page`.
    TurnPage {
        /// Which room.
        room: RoomId,
        /// The page, counted from 0; beyond the last, the last shows.
        page: usize,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `POST /v1/rooms/{room}/announcements`: sound for everybody in the room.
    Announce {
        /// Which room.
        room: RoomId,
        /// At most `limits::ANNOUNCEMENT_SPAN` of it.
        blocks: Arc<[ShortBlock]>,
        /// Once it plays.
        reply: Reply<()>,
    },
    /// `PATCH /v1/rooms/{room}/moderation`.
    Moderate {
        /// Which room.
        room: RoomId,
        /// What changes.
        moderation: Moderation,
        /// Once it holds.
        reply: Reply<()>,
    },
    /// `GET /v1/rooms/{room}/lobby`.
    Lobby {
        /// Which room.
        room: RoomId,
        /// Who waits to be let in.
        reply: Reply<Vec<Knocker>>,
    },
    /// `POST /v1/rooms/{room}/recording`.
    Record {
        /// Which room.
        room: RoomId,
        /// What is wished of the recording.
        wish: RecordingWish,
        /// Whether it begins now; false: the room is recorded already.
        reply: Reply<bool>,
    },
    /// `DELETE /v1/rooms/{room}/recording`.
    StopRecording {
        /// Which room.
        room: RoomId,
        /// Once it ends.
        reply: Reply<()>,
    },
    /// `POST /v1/rooms/{room}/pushes`.
    Push {
        /// Which room.
        room: RoomId,
        /// Where to, and what.
        wish: PushWish,
        /// How it stands.
        reply: Reply<PushShown>,
    },
    /// `GET /v1/rooms/{room}/pushes`.
    Pushes {
        /// Which room.
        room: RoomId,
        /// All of its pushes, the oldest first.
        reply: Reply<Vec<PushShown>>,
    },
    /// `DELETE /v1/rooms/{room}/pushes/{push}`.
    EndPush {
        /// Which room.
        room: RoomId,
        /// Which push of it.
        push: PushId,
        /// Once nothing more is sent.
        reply: Reply<()>,
    },
    /// `GET /hls/{room}/…`, of a rung that is not packaged.
    Package {
        /// Which room.
        room: RoomId,
        /// Which of its live rungs.
        rung: usize,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `GET /v1/usage`.
    Usage {
        /// Whose rooms were used how much: of those that its caller reaches.
        reply: Reply<UsageTold>,
    },
    /// `GET /v1/node/stats`.
    Stats {
        /// Whatever the node counts, as JSON.
        reply: Reply<serde_json::Value>,
    },
    /// `GET /v1/node`, beside what stays as it is.
    Node {
        /// How it stands.
        reply: Reply<NodeState>,
    },
    /// `POST /v1/node/drain`.
    Drain {
        /// How long the rooms that run may still; `None`: as long as was said before, or until they end by themselves.
        span: Option<Duration>,
        /// How it stands now.
        reply: Reply<NodeState>,
    },
    /// `DELETE /v1/node/drain`.
    RevokeDrain {
        /// How it stands now.
        reply: Reply<NodeState>,
    },
    /// `POST /v1/fleet/rooms`: a room that another node hands over.
    TakeUp {
        /// What it takes along.
        baggage: Box<Baggage>,
        /// By which it is this node's.
        fence: Fence,
        /// Once it is here.
        reply: Reply<()>,
    },
    /// `POST /v1/fleet/relays`: a node that shows a room of this one.
    Relay {
        /// What it says.
        word: RelayWord,
        /// What it is answered.
        reply: Reply<RelayAnswer>,
    },
    /// `GET /v1/rooms/{room}/captions`: to hear each voice, and to say what was said.
    BeginCaptions {
        /// Which room.
        room: RoomId,
        /// What the captioner listens by.
        reply: Reply<CaptionerSeat>,
    },
    /// What a captioner wrote.
    Caption {
        /// Which room.
        room: RoomId,
        /// Who.
        captioner: CaptionerId,
        /// What.
        line: CaptionLine,
        /// Done.
        reply: Reply<()>,
    },
    /// A captioner is gone.
    EndCaptions {
        /// Which room.
        room: RoomId,
        /// Who.
        captioner: CaptionerId,
        /// Done.
        reply: Reply<()>,
    },
    /// Of a door itself, before it takes in what is large, and when it is asked whether the node lives.
    Find {
        /// What shall be there.
        place: Place,
        /// That it is.
        reply: Reply<()>,
    },
}

/// What a command may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A room that does not run yet: whether one would begin.
    NewRoom,
    /// A room.
    Room(RoomId),
    /// A connection.
    Connection(ResourceToken),
}

impl Command {
    /// What leave it takes.
    #[must_use]
    pub const fn act(&self) -> Act {
        match self {
            Self::Join { .. } | Self::AddLeg { .. } => Act::Join,
            Self::Publish { .. } => Act::Publish,
            Self::Watch { .. } => Act::Watch,
            Self::Package { .. } => Act::Stream,
            Self::Trickle { .. } | Self::Leave { .. } | Self::Leg { .. } | Self::SetAvatar { .. } => Act::SteerOwn,
            Self::Room { .. } | Self::Rungs { .. } | Self::Layout { .. } => Act::Look,
            Self::Rooms { .. } | Self::Stats { .. } => Act::Survey,
            Self::Find { .. } | Self::Node { .. } => Act::Visit,
            Self::Usage { .. } => Act::Account,
            Self::Drain { .. } | Self::RevokeDrain { .. } => Act::Oversee,
            Self::TakeUp { .. } | Self::Relay { .. } => Act::Settle,
            Self::SetLayout { .. } | Self::SetBranding { .. } | Self::TurnPage { .. } => Act::Arrange,
            Self::Announce { .. } | Self::Moderate { .. } | Self::Lobby { .. } => Act::Moderate,
            Self::Record { .. } | Self::StopRecording { .. } => Act::Record,
            Self::Push { .. } | Self::Pushes { .. } | Self::EndPush { .. } => Act::Push,
            Self::BeginCaptions { .. } | Self::Caption { .. } | Self::EndCaptions { .. } => Act::Caption,
        }
    }

    /// The room that it is about, or that it wants into.
    #[must_use]
    pub const fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Join { room, .. }
            | Self::Publish { room, .. }
            | Self::Watch { room, .. }
            | Self::Package { room, .. }
            | Self::AddLeg { room, .. }
            | Self::Room { room, .. }
            | Self::Rungs { room, .. }
            | Self::Layout { room, .. }
            | Self::SetLayout { room, .. }
            | Self::SetBranding { room, .. }
            | Self::TurnPage { room, .. }
            | Self::Announce { room, .. }
            | Self::Moderate { room, .. }
            | Self::Lobby { room, .. }
            | Self::Record { room, .. }
            | Self::Push { room, .. }
            | Self::Pushes { room, .. }
            | Self::EndPush { room, .. }
            | Self::BeginCaptions { room, .. }
            | Self::Caption { room, .. }
            | Self::EndCaptions { room, .. }
            | Self::StopRecording { room, .. } => Some(room),
            Self::Trickle { .. }
            | Self::Leave { .. }
            | Self::Leg { .. }
            | Self::SetAvatar { .. }
            | Self::Rooms { .. }
            | Self::Usage { .. }
            | Self::Stats { .. }
            | Self::Node { .. }
            | Self::Drain { .. }
            | Self::RevokeDrain { .. }
            | Self::TakeUp { .. }
            | Self::Relay { .. }
            | Self::Find { .. } => None,
        }
    }

    /// The connection that it is about.
    #[must_use]
    pub const fn resource(&self) -> Option<ResourceToken> {
        match self {
            Self::Trickle { resource, .. }
            | Self::Leave { resource, .. }
            | Self::Leg { resource, .. }
            | Self::SetAvatar { resource, .. } => Some(*resource),
            _ => None,
        }
    }

    /// Answers with `refusal`, without doing anything.
    pub fn refuse(self, refusal: Refusal) {
        // A caller that is gone needs no answer.
        match self {
            Self::Join { reply, .. } | Self::Publish { reply, .. } | Self::Watch { reply, .. } => {
                drop(reply.send(Err(refusal)));
            }
            Self::Trickle { reply, .. } => drop(reply.send(Err(refusal))),
            Self::AddLeg { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Leg { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Rooms { reply } => drop(reply.send(Err(refusal))),
            Self::Room { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Rungs { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Layout { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Record { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Stats { reply } => drop(reply.send(Err(refusal))),
            Self::Lobby { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Usage { reply } => drop(reply.send(Err(refusal))),
            Self::Node { reply } | Self::Drain { reply, .. } | Self::RevokeDrain { reply } => {
                drop(reply.send(Err(refusal)));
            }
            Self::Push { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Relay { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Pushes { reply, .. } => drop(reply.send(Err(refusal))),
            Self::BeginCaptions { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Leave { reply, .. }
            | Self::SetLayout { reply, .. }
            | Self::SetBranding { reply, .. }
            | Self::SetAvatar { reply, .. }
            | Self::TurnPage { reply, .. }
            | Self::Announce { reply, .. }
            | Self::Moderate { reply, .. }
            | Self::Find { reply, .. }
            | Self::TakeUp { reply, .. }
            | Self::Package { reply, .. }
            | Self::EndPush { reply, .. }
            | Self::Caption { reply, .. }
            | Self::EndCaptions { reply, .. }
            | Self::StopRecording { reply, .. } => drop(reply.send(Err(refusal))),
        }
    }
}

/// What lies behind and over a room's tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrandingChange {
    /// A picture behind the tiles, as large as the canvas; `None` takes it away.
    Background(Option<Bitmap>),
    /// A picture in a corner; `None` takes it away.
    Logo(Option<Bitmap>),
    /// Words along the lower edge; empty ones take them away.
    Banner(String),
    /// Whether the time of day is shown.
    Clock(bool),
}

/// What a host changes in a room; what is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Moderation {
    /// Who joins is not heard until they ask to talk.
    pub mute_on_entry: Option<bool>,
    /// Microphones are heard only while their people hold a key.
    pub push_to_talk: Option<bool>,
    /// Nobody new is let in but hosts.
    pub locked: Option<bool>,
    /// Who is new waits until a host lets them in.
    pub lobby: Option<bool>,
    /// Of those who wait, who comes in (`true`) and who does not.
    #[schemars(with = "BTreeMap<String, bool>")]
    pub lobby_people: BTreeMap<KnockId, bool>,
    /// What changes for single people.
    #[schemars(with = "BTreeMap<String, PersonSound>")]
    pub participants: BTreeMap<ParticipantId, PersonSound>,
}

/// What a host changes of one person.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersonSound {
    /// Nobody hears them.
    pub muted: Option<bool>,
    /// How loud they are in every mix, 0 to `limits::VOLUME_PERCENT_MAX`; 100 as levelled.
    pub volume_percent: Option<u16>,
    /// Their hand goes down, or up.
    pub hand: Option<bool>,
    /// They are removed, after all else.
    pub remove: bool,
    /// They are removed, and whoever shows their token does not come in while the room lasts.
    pub ban: bool,
}

impl Moderation {
    /// Whether it asks for nothing but that some of those who wait come in, or not.
    #[must_use]
    pub fn concerns_lobby_alone(&self) -> bool {
        let others = Self { lobby_people: BTreeMap::new(), ..self.clone() };
        !self.lobby_people.is_empty() && others == Self::default()
    }
}
