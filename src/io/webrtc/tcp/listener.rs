//! **The question:** on which TCP port do clients reach this node for media, and under which addresses?

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::base::limits;
use crate::io::webrtc::udp::addresses_of;

/// The TCP port of media, bound and listening.
#[derive(Debug)]
pub struct MediaListener {
    pub(super) listener: TcpListener,
    address: SocketAddr,
    candidates: Vec<SocketAddr>,
}

impl MediaListener {
    /// Binds `listen`; `[::]` takes IPv4 as well as IPv6. `advertise` are the addresses written into answers; empty
    /// means the interfaces' own.
    ///
    /// # Errors
    /// What the system says; `AddrInUse` if the port is taken.
    pub fn bind(listen: SocketAddr, advertise: &[IpAddr]) -> io::Result<Self> {
        let family = if listen.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        // Connections of a node that was here before may still be closing.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if listen.is_ipv6() && listen.ip().is_unspecified() {
            sockopt::set_ipv6_v6only(&socket, false)?;
        }
        rustix::net::bind(&socket, &listen)?;
        rustix::net::listen(&socket, limits::TCP_BACKLOG_LEN)?;
        let listener = TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok(Self { candidates: addresses_of(address, advertise), listener, address })
    }

    /// The address bound, its port never 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in answers.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }
}
