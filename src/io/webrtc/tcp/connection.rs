//! **The question:** what goes over one client's TCP connection? Datagrams in frames, both ways, without ever waiting.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use crate::base::limits;
use crate::engine::flow::Level;
use crate::io::webrtc::route::Route;
use crate::io::webrtc::tcp::framing::{self, Deframer, Oversized};
use crate::io::webrtc::tcp::queue::SendQueue;

/// One connection, which said whose it is.
#[derive(Debug)]
pub(in crate::io::webrtc) struct Connection {
    stream: TcpStream,
    /// Which one: no other of this node ever has the same.
    pub(in crate::io::webrtc) number: u64,
    /// The other end.
    pub(in crate::io::webrtc) remote: SocketAddr,
    /// This end, as candidates name it.
    local: SocketAddr,
    /// What came before somebody had it, until that one looks.
    early: Vec<u8>,
    deframer: Deframer,
    queue: SendQueue,
    /// Whether the kernel took less than there was.
    pub(in crate::io::webrtc) is_stuck: bool,
    _place: Place,
}

/// What a look at a connection brought.
pub(in crate::io::webrtc) enum Chunk {
    /// So many bytes.
    Bytes(usize),
    /// Nothing waits.
    Nothing,
    /// Nothing comes any more.
    Ended,
}

/// A connection's place among all of the node.
#[derive(Debug)]
pub(super) struct Place(Level);

impl Place {
    /// One of those that `level` counts.
    pub(super) fn take(level: &Level) -> Self {
        level.raise(1);
        Self(level.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lower(1);
    }
}

impl Connection {
    /// Connection `number` from `remote` to the candidate `local`, of which `early` came already.
    pub(super) fn new(
        stream: TcpStream,
        number: u64,
        (remote, local): (SocketAddr, SocketAddr),
        early: Vec<u8>,
        place: Place,
    ) -> Self {
        let (deframer, queue) = (Deframer::default(), SendQueue::default());
        Self { stream, number, remote, local, early, deframer, queue, is_stuck: false, _place: place }
    }

    /// The way that its datagrams come.
    pub(in crate::io::webrtc) fn route(&self) -> Route {
        Route::tcp(self.remote, self.local)
    }

    /// Whether it is the way out of `route`.
    pub(in crate::io::webrtc) fn is_way(&self, route: &Route) -> bool {
        self.remote == route.destination && self.local == route.source
    }

    /// The frame that said whose it is.
    pub(in crate::io::webrtc) fn hello(&self) -> Option<&[u8]> {
        framing::first(&self.early).ok().flatten()
    }

    /// What came before it was read for the first time.
    pub(in crate::io::webrtc) fn take_early(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.early)
    }

    /// The frames in what came, as far as they are whole.
    ///
    /// # Errors
    /// When one is longer than any datagram.
    pub(in crate::io::webrtc) fn unframe(&mut self, bytes: &[u8], each: impl FnMut(&[u8])) -> Result<(), Oversized> {
        self.deframer.push(bytes, each)
    }

    /// Reads what waits, as much as `buffer` holds.
    pub(in crate::io::webrtc) fn read(&mut self, buffer: &mut [u8]) -> Chunk {
        match self.stream.read(buffer) {
            Ok(0) => Chunk::Ended,
            Ok(count) => Chunk::Bytes(count),
            Err(error) if is_for_later(&error) => Chunk::Nothing,
            Err(_) => Chunk::Ended,
        }
    }

    /// Has a datagram sent with the next `flush`; false if it is discarded.
    pub(in crate::io::webrtc) fn send(&mut self, now: Instant, datagram: &[u8]) -> bool {
        self.queue.push(now, datagram)
    }

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    /// When the connection is no more.
    pub(in crate::io::webrtc) fn flush(&mut self) -> io::Result<()> {
        self.is_stuck = false;
        while !self.queue.unsent().is_empty() {
            match self.stream.write(self.queue.unsent()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.queue.advance(count),
                Err(error) if is_for_later(&error) => {
                    self.is_stuck = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// Makes a fresh connection one that never waits and sends at once, and whose kernel keeps little that could not be
/// taken back.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(limits::TCP_UNSENT_LEN)
}

/// Whether there is nothing to be done now.
pub(super) fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
