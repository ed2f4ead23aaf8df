//! **The question:** what goes over the wire? Floor 3: RTP, ICE, DTLS and SDP types never leave this room.
//!
//! Doors: [`Peer`] (one connection, still without I/O), [`MediaSocket`], [`TcpPort`] (the way for those without UDP),
//! [`NetWorkers`] (the net threads: each has a socket on the one port and the peers whose datagrams come by it),
//! [`NetCommand`] and [`NetEvent`] (how the control thread and they speak).

mod addresses;
mod assemble;
mod begin;
mod called;
mod candidates;
mod certificate;
mod codec;
mod command;
mod counters;
mod crowd;
mod demux;
mod downlink;
mod dtls;
mod entry;
mod event;
mod extensions;
mod feed;
mod feedback;
mod fingerprint;
mod greeting;
mod hearing;
mod held;
mod incoming;
mod intake;
mod life;
mod losses;
mod neighbours;
mod net;
mod offer;
mod own;
mod pass;
mod payload;
mod peer;
mod reach;
mod registry;
mod relay;
mod reply;
mod role;
mod rooms;
mod route;
mod saying;
mod sdp;
mod silence;
mod sound;
mod stun;
mod switch;
mod tcp;
#[cfg(test)]
mod tests;
mod timeline;
mod udp;
mod workers;

// For the far side in `load/` and for `benches/webrtc.rs`; nothing else outside this room speaks RTP.
#[doc(hidden)]
pub use assemble::{Assembled, VideoAssembler, WirePacket};
#[doc(hidden)]
pub use crowd::{Crowd, Guest, GuestError, GuestPacket, GuestSetup, Heard};
#[doc(hidden)]
pub use payload::{Packetised, Packetiser, may_start_keyframe};
#[doc(hidden)]
pub use sound::SoundAssembler;

pub use certificate::Certificate;
pub use command::NetCommand;
pub use counters::NetCounters;
pub use event::NetEvent;
pub use life::{CloseReason, IceCredentials, PeerSetup};
pub use offer::{OfferError, ufrag_of};
pub use own::OwnSocket;
pub use peer::Peer;
pub use peer::calling::AnswerError;
pub use relay::{RelayClock, RelayCounters, RelaySink, RelayedPictures, RelayedSound};
pub use role::PeerRole;
pub use tcp::door::{TcpInlet, TcpPort, TcpShare};
pub use tcp::listener::MediaListener;
pub use udp::{BindError, MediaSocket};
pub use workers::NetWorkers;
