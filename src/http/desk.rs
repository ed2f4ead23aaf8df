//! **The question:** how does a request reach the control thread? A bounded queue of commands, each with a one-shot reply.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::flow::{Counter, Waker};
use crate::http::SdpFragment;
use crate::leg::{LegCodec, LegSetup};
use crate::limits;
use crate::media::{Bitmap, ParticipantId, PcmBlock, RoomId};
use crate::scene::Layout;
use crate::signal::Person;
use crate::store::RecordingWish;

/// Where requests lay their commands; clones share the queue. Full: the caller gets 503, counted `commands_refused`.
#[derive(Debug, Clone)]
pub struct Desk {
    commands: Sender<Command>,
    waker: Waker,
    refused: Counter,
}

/// Where a command's reply goes. A reply that cannot be delivered means that the client is gone: undo what was done for it.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What HTTP asks of the control thread.
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
        /// Whether recordings may show and sound them.
        recordable: bool,
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
        /// Whether recordings may show and sound them.
        recordable: bool,
        /// The answer.
        reply: Reply<Joined>,
    },
    /// `POST /whep/{room}`: a viewer.
    Watch {
        /// The room, which must exist.
        room: RoomId,
        /// Whose voice the viewer must not hear: their own.
        minus: Option<ParticipantId>,
        /// SDP offer.
        offer: String,
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
    Dress {
        /// Which room.
        room: RoomId,
        /// What changes.
        dress: Dress,
        /// Once it is on its way.
        reply: Reply<()>,
    },
    /// `PUT` or `DELETE` of a participant's `avatar`.
    Portray {
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
        blocks: Arc<[PcmBlock]>,
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
    /// `GET /v1/node/stats`.
    Stats {
        /// Whatever the node counts, as JSON.
        reply: Reply<serde_json::Value>,
    },
}

/// What lies behind and over a room's tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dress {
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Moderation {
    /// Who joins is not heard until they ask to talk.
    pub mute_on_entry: Option<bool>,
    /// Microphones are heard only while their people hold a key.
    pub push_to_talk: Option<bool>,
    /// What changes for single people.
    pub participants: BTreeMap<ParticipantId, PersonSound>,
}

/// What a host changes in how one person is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonSound {
    /// Nobody hears them.
    pub muted: Option<bool>,
    /// How loud they are in every mix, 0 to `limits::VOLUME_PERCENT_MAX`; 100 as levelled.
    pub volume_percent: Option<u16>,
}

/// A connection made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// SDP answer; its `ice-ufrag` names the connection's ICE generation and becomes the ETag.
    pub answer: String,
    /// The capability to steer this connection; its text stands in `Location`.
    pub resource: ResourceToken,
    /// Who the client is in the room; `None` for viewers.
    pub participant: Option<ParticipantId>,
}

/// A leg made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegJoined {
    /// The capability to look at the leg and to end it.
    pub resource: ResourceToken,
    /// How it stands.
    pub state: LegState,
}

/// How a leg stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegState {
    /// Who it is in the room.
    pub participant: ParticipantId,
    /// Where it is to send.
    pub local: SocketAddr,
    /// Where it is, once that is known.
    pub remote: Option<SocketAddr>,
    /// Both ways.
    pub codec: LegCodec,
    /// Both ways.
    pub payload_type: u8,
    /// Of telephone events.
    pub event_type: u8,
    /// Milliseconds in one packet of the node's.
    pub ptime: u8,
    /// Packets taken for the voice.
    pub packets_in: u64,
    /// Packets sent.
    pub packets_out: u64,
    /// Datagrams that were nothing of the leg's.
    pub datagrams_refused: u64,
    /// Packets of telephone events.
    pub events: u64,
}

/// What became of a trickled fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trickled {
    /// Candidates taken.
    Accepted,
    /// ICE restarts: the node's own fragment, with its new `ice-ufrag`, `ice-pwd` and candidates.
    Restarted {
        /// `application/trickle-ice-sdpfrag` (RFC 8840).
        answer: String,
    },
}

/// One room in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomSummary {
    /// Its name.
    pub room: RoomId,
    /// How many people are in it.
    pub participants: usize,
    /// How many watch.
    pub viewers: usize,
}

/// One room, looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoomDetail {
    /// Its name.
    pub room: RoomId,
    /// Who is in it, in order of joining.
    pub participants: Vec<Person>,
    /// How many watch.
    pub viewers: usize,
    /// Whether it is being recorded.
    pub recording: bool,
}

/// How a room is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayoutShown {
    /// The document in force.
    pub layout: Layout,
    /// The page shown, counted from 1.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
}

/// Why a command was refused. `http::problem` gives each its status and says what to do.
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
    /// The node has all the rooms it may have.
    NodeFull,
    /// The node is not configured for plain-RTP legs.
    LegsOff,
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
    /// No such room.
    RoomNotFound,
    /// `as` names nobody in this room.
    ParticipantNotFound,
    /// No such connection, or no longer.
    ResourceNotFound,
    /// The connection's ICE generation is another one by now.
    SessionChanged,
    /// The control thread has no time now.
    Busy,
    /// The node is about to stop and takes nobody in.
    Draining,
}

/// The unguessable name of one connection, 128 random bits: who knows it may steer the connection. Never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceToken(u128);

/// A text that is no token's text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

impl ResourceToken {
    /// A new one from the system's randomness.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        provider.secure_random.fill(&mut bytes).expect("aws-lc's generator fails on a broken system only");
        Self(u128::from_le_bytes(bytes))
    }
}

impl fmt::Display for ResourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ResourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResourceToken(…)")
    }
}

impl FromStr for ResourceToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoToken);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NoToken)
    }
}

impl Desk {
    /// A desk and the control thread's end of it. `waker` is the one that the control thread sleeps on.
    #[must_use]
    pub fn new(waker: Waker, refused: Counter) -> (Self, Receiver<Command>) {
        let (commands, receiver) = bounded(limits::COMMANDS_LEN);
        (Self { commands, waker, refused }, receiver)
    }

    /// Lays one command and waits for its reply, at most `limits::HTTP_REPLY_SPAN`.
    pub(super) async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        match self.commands.try_send(command(reply)) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Full(_)) => {
                self.refused.add(1);
                return Err(Refusal::Busy);
            }
            Err(TrySendError::Disconnected(_)) => return Err(Refusal::Draining),
        }
        match tokio::time::timeout(limits::HTTP_REPLY_SPAN, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::Draining),
            Err(_) => Err(Refusal::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_their_text_form_and_stay_out_of_logs() {
        let token = ResourceToken::random();
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_ne!(token, ResourceToken::random());
        assert!(!format!("{token:?}").contains(&token.to_string()));
        assert_eq!("+0000000000000000000000000000000".parse::<ResourceToken>(), Err(NoToken));
        assert_eq!("abc".parse::<ResourceToken>(), Err(NoToken));
    }
}
