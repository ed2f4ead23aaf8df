//! **The question:** by which socket does a connection go that this side began? One of its own. Who is called has one
//! address for all who call, so two connections to the same server by one port would be told apart neither there nor
//! here: what is not STUN goes by its addresses alone. On a port of its own everything is this peer's.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use crate::io::webrtc::udp::{BindError, MediaSocket, SendBatch};

/// A socket for one connection of one peer.
pub struct OwnSocket {
    pub(super) socket: MediaSocket,
    batch: SendBatch,
}

impl OwnSocket {
    /// On any free port of `listen`; `advertise` as [`MediaSocket::bind`] has it.
    ///
    /// # Errors
    /// When the system has none.
    pub fn bind(listen: IpAddr, advertise: &[IpAddr]) -> Result<Self, BindError> {
        let socket = MediaSocket::bind(SocketAddr::new(listen, 0), advertise)?;
        Ok(Self { socket, batch: SendBatch::default() })
    }

    /// What stands in the offer as host candidates.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        self.socket.candidates()
    }

    /// Has a datagram sent with the next `flush`.
    pub(super) fn push(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        self.batch.push(&self.socket, source, destination, datagram);
    }

    /// Sends what waits: how many left, and how many the kernel refused.
    pub(super) fn flush(&mut self) -> (u64, u64) {
        self.batch.flush(&self.socket)
    }
}

impl AsFd for OwnSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
