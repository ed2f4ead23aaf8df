//! **The question:** what goes over the wire? Floor 3: RTP, ICE, DTLS and SDP types never leave this room.
//!
//! Doors: [`Peer`] (one connection, still without I/O), [`Net`] (the one socket, its peers, and the loop that a `net-0` thread
//! runs), [`NetCommand`] and [`NetEvent`] (how the control thread and that loop speak).

mod assemble;
mod codec;
mod feed;
mod incoming;
mod net;
mod offer;
mod payload;
mod peer;
mod sound;
mod switch;
#[cfg(test)]
mod tests;
mod udp;

// For the far side in `load/` and for `benches/webrtc.rs`; nothing else outside this room speaks RTP.
#[doc(hidden)]
pub use assemble::{Assembled, VideoAssembler, WirePacket};
#[doc(hidden)]
pub use payload::{Packetised, Packetiser};
#[doc(hidden)]
pub use sound::SoundAssembler;

pub use net::{Net, NetCommand, NetCounters, NetEvent, NetWiring};
pub use offer::{OfferError, ufrag_of};
pub use peer::{CloseReason, IceCredentials, Peer, PeerRole, PeerSetup};
pub use udp::{BindError, MediaSocket};

/// The node's DTLS certificate: one a process, shown to every peer.
#[derive(Debug, Clone)]
pub struct Certificate(str0m::config::DtlsCert);

impl Certificate {
    /// Makes a fresh self-signed certificate; its fingerprint stands in every answer (RFC 8122).
    #[must_use]
    pub fn generate() -> Self {
        let provider = str0m::crypto::from_feature_flags();
        let made = provider.dtls_provider.generate_certificate();
        Self(made.expect("the aws-lc provider can make certificates"))
    }
}
