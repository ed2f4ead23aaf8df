//! **The question:** what goes over the wire? Floor 3: RTP, ICE, DTLS and SDP types never leave this room.
//!
//! Doors: [`Peer`] (one connection, still without I/O), [`Net`] (the one socket, its peers, and the loop that a `net-0` thread
//! runs), [`NetCommand`] and [`NetEvent`] (how the control thread and that loop speak).

mod assemble;
mod certificate;
mod command;
mod counters;
mod entry;
mod event;
mod feed;
mod incoming;
mod net;
mod offer;
mod packetise;
mod peer;
mod red;
mod rooms;
mod sound;
mod stun;
mod switch;
#[cfg(test)]
mod tests;
mod udp;

// For the far side in `load/` and for `benches/webrtc.rs`; nothing else outside this room speaks RTP.
#[doc(hidden)]
pub use assemble::{Assembled, VideoAssembler, WirePacket};
#[doc(hidden)]
pub use packetise::{Packetised, Packetiser};
#[doc(hidden)]
pub use sound::SoundAssembler;

pub use certificate::Certificate;
pub use command::NetCommand;
pub use counters::NetCounters;
pub use event::NetEvent;
pub use net::{Net, NetWiring};
pub use offer::{OfferError, ufrag_of};
pub use peer::{CloseReason, IceCredentials, Peer, PeerRole, PeerSetup};
pub use udp::{BindError, MediaSocket};
