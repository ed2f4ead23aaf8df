//! **The question:** what is a connection made of, what does it answer, and why does it end?

use std::fmt;
use std::net::SocketAddr;

use crate::base::media::{Codec, PeerId, ReceivedFrame, TrackKind};
use crate::core::ladder::LinkVerdict;
use crate::io::webrtc::certificate::Certificate;
use crate::io::webrtc::incoming::Losses;
use crate::io::webrtc::role::PeerRole;
use crate::io::webrtc::route::Route;

/// What a connection is made of.
pub struct PeerSetup<'a> {
    /// Its id.
    pub id: PeerId,
    /// What it is for.
    pub role: PeerRole,
    /// The node's certificate.
    pub certificate: &'a Certificate,
    /// Addresses for the answer.
    pub candidates: &'a [SocketAddr],
    /// Those of them at which TCP is taken.
    pub tcp_candidates: &'a [SocketAddr],
    /// Whether microphones are asked to send a copy of each packet with the next one (RED, RFC 2198).
    pub red: bool,
}

/// ICE credentials (RFC 8445 section 5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `ice-ufrag`.
    pub ufrag: String,
    /// `ice-pwd`.
    pub password: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IceCredentials(…)")
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The other side said goodbye.
    Closed,
    /// ICE or DTLS did not come up in time.
    NeverConnected,
    /// Nothing was heard of it for too long.
    Lost,
    /// DTLS failed; the log says why.
    Handshake,
    /// It broke the protocol.
    Broken,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the client said goodbye",
            Self::NeverConnected => "the client never connected",
            Self::Handshake => "the DTLS handshake failed",
            Self::Lost => "the client was lost",
            Self::Broken => "the client broke the protocol",
        })
    }
}

/// What a connection answers.
#[derive(Debug)]
pub(super) enum PeerOutput {
    Transmit {
        route: Route,
        datagram: str0m::net::DatagramSend,
    },
    Connected,
    Closed(CloseReason),
    ChannelOpen,
    /// Its first packet came, coded like this.
    TrackStarted(TrackKind, Codec),
    TrackEnded(TrackKind),
    Frame(TrackKind, ReceivedFrame),
    /// The other side wants a keyframe of the composite.
    KeyframeRequested,
    /// A track sends more than is taken, and is not shown; or no longer.
    Excess(TrackKind, bool),
    /// What could not be put together, or only from copies.
    Lost(Losses),
    /// Per cent of the mix' packets that the other side said it lost of late.
    SoundLost(f32),
    /// How the link to the other side stands.
    Link(LinkVerdict),
    /// The other side was asked for a keyframe.
    KeyframeAsked,
    Signal(String),
}
