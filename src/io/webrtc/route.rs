//! **The question:** which way did a datagram come, or shall it go?

use std::net::SocketAddr;

use str0m::net::Protocol;

/// A datagram's way. Over TCP, a frame of RFC 4571 is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) protocol: Protocol,
    /// Who sent it.
    pub(super) source: SocketAddr,
    /// Who shall have it.
    pub(super) destination: SocketAddr,
}

impl Route {
    /// By UDP.
    pub(super) fn udp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, source, destination }
    }

    /// By TCP.
    pub(super) fn tcp(source: SocketAddr, destination: SocketAddr) -> Self {
        Self { protocol: Protocol::Tcp, source, destination }
    }

    /// Whether it needs no connection.
    pub(super) fn is_udp(&self) -> bool {
        self.protocol == Protocol::Udp
    }
}
