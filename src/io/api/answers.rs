//! **The question:** what does a node say of what it did and of what it holds?

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::{ParticipantId, RoomId};
use crate::core::scene::Layout;
use crate::core::signal::Person;
use crate::io::api::ResourceToken;
use crate::io::rtp::LegCodec;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LegState {
    /// Who it is in the room.
    #[schemars(with = "String")]
    pub participant: ParticipantId,
    /// Where it is to send.
    #[schemars(with = "String")]
    pub local: SocketAddr,
    /// Where it is, once that is known.
    #[schemars(with = "Option<String>")]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoomSummary {
    /// Its name.
    #[schemars(with = "String")]
    pub room: RoomId,
    /// How many people are in it.
    pub participants: usize,
    /// How many watch.
    pub viewers: usize,
}

/// One room, looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoomDetail {
    /// Its name.
    #[schemars(with = "String")]
    pub room: RoomId,
    /// Who is in it, in order of joining.
    pub participants: Vec<Person>,
    /// How many watch.
    pub viewers: usize,
    /// How many watch it at other nodes, as far as those told.
    pub relayed_viewers: usize,
    /// How many watch by HLS, as far as their requests tell: behind a cache, the cache alone.
    pub hls_viewers: u64,
    /// Whether it is being recorded.
    pub recording: bool,
    /// What it gives up while this node cannot keep up, with all that comes before: `none`, `tile rate`, `tile size`,
    /// `rungs`, `output rate`.
    pub gives_up: &'static str,
    /// In what those are sent pictures who take both codecs.
    pub codec: &'static str,
    /// Why that one.
    pub codec_why: String,
}

/// What can be watched in a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RungShown {
    /// What `?rung=` names it by.
    pub rung: String,
    /// How it is coded.
    pub codec: &'static str,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second at most.
    pub fps: u32,
    /// Target, bits a second.
    pub bitrate: u32,
    /// Whether it is encoded now: only while somebody reads it.
    pub running: bool,
    /// How many connections watch it.
    pub viewers: usize,
}

/// How a room is laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LayoutShown {
    /// The document in force.
    pub layout: Layout,
    /// The page shown, counted from 1.
    pub page: usize,
    /// How many pages there are.
    pub pages: usize,
}
