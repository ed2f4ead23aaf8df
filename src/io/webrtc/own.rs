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
    /// Where the other side said that it is; nobody else is listened to.
    others: Vec<IpAddr>,
}

impl OwnSocket {
    /// On any free port of `listen`; `advertise` as [`MediaSocket::bind`] has it.
    ///
    /// # Errors
    /// When the system has none.
    pub fn bind(listen: IpAddr, advertise: &[IpAddr]) -> Result<Self, BindError> {
        let socket = MediaSocket::bind(SocketAddr::new(listen, 0), advertise)?;
        Ok(Self { socket, batch: SendBatch::default(), others: Vec::new() })
    }

    /// What stands in the offer as host candidates.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        self.socket.candidates()
    }

    /// From now on it takes what comes from the addresses of an answer's candidates, and of no others: ICE would answer
    /// a check of any address, and whoever answered might name one by it that nothing is to be sent to.
    pub fn expect(&mut self, answer: &str) {
        let candidates = answer.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        let addresses = candidates.filter_map(|candidate| candidate.split(' ').nth(4)?.parse().ok());
        self.others = addresses.collect();
    }

    /// Whether the other side is there.
    pub(super) fn expects(&self, source: IpAddr) -> bool {
        self.others.contains(&source)
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
