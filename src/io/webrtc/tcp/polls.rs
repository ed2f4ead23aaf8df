//! **The question:** which of a net thread's connections is to be looked at? One epoll for all of them, for the media
//! socket and for those that single peers have, so that the thread sleeps on one descriptor.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::base::media::PeerId;
use crate::io::webrtc::own::OwnSocket;
use crate::io::webrtc::tcp::connection::Connection;

/// The media socket's, which no connection has.
const MEDIA: u64 = 0;
/// What the numbers of peers' own sockets have and those of connections, which are counted from 1, have not.
const OWN: u64 = 1 << 63;
/// How many are told at once.
const EVENTS: usize = 64;

/// The connections of one net thread, and whose they are.
#[derive(Debug)]
pub(in crate::io::webrtc) struct Polls {
    epoll: OwnedFd,
    owners: HashMap<u64, PeerId>,
}

impl Polls {
    /// Of a thread with this media socket, and no connection yet.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub(in crate::io::webrtc) fn new(media: BorrowedFd<'_>) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, media, EventData::new_u64(MEDIA), EventFlags::IN)?;
        Ok(Self { epoll, owners: HashMap::new() })
    }

    /// Whether there is any.
    pub(in crate::io::webrtc) fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// A connection of `peer` is served here from now on; false if the kernel refuses.
    pub(in crate::io::webrtc) fn enter(&mut self, peer: PeerId, connection: &Connection) -> bool {
        let data = EventData::new_u64(connection.number);
        let entered = epoll::add(&self.epoll, connection, data, wanted(connection)).is_ok();
        if entered {
            self.owners.insert(connection.number, peer);
        }
        entered
    }

    /// A connection is served here no more.
    pub(in crate::io::webrtc) fn leave(&mut self, connection: &Connection) {
        if self.owners.remove(&connection.number).is_some() {
            // It is there: it was added, and is still open.
            let _ = epoll::delete(&self.epoll, connection);
        }
    }

    /// A peer's own socket is served here from now on; false if the kernel refuses.
    pub(in crate::io::webrtc) fn enter_own(&mut self, peer: PeerId, own: &OwnSocket) -> bool {
        let entered = epoll::add(&self.epoll, own, EventData::new_u64(OWN | peer.0), EventFlags::IN).is_ok();
        if entered {
            self.owners.insert(OWN | peer.0, peer);
        }
        entered
    }

    /// A peer's own socket is served here no more.
    pub(in crate::io::webrtc) fn leave_own(&mut self, peer: PeerId, own: &OwnSocket) {
        if self.owners.remove(&(OWN | peer.0)).is_some() {
            // It is there: it was added, and is still open.
            let _ = epoll::delete(&self.epoll, own);
        }
    }

    /// Whether a number is that of a peer's own socket.
    pub(in crate::io::webrtc) const fn is_own(number: u64) -> bool {
        number & OWN != 0
    }

    /// Whether a connection is waited for to take more has changed.
    pub(in crate::io::webrtc) fn change(&self, connection: &Connection) {
        let data = EventData::new_u64(connection.number);
        // One that was refused entry has been closed.
        let _ = epoll::modify(&self.epoll, connection, data, wanted(connection));
    }

    /// Those that have something, or take something again, and whose they are; without waiting.
    pub(in crate::io::webrtc) fn ready(&self) -> Vec<(PeerId, u64)> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        // An interrupted call is made again in the next round.
        let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let numbers = events.iter().map(|event| event.data.u64());
        numbers.filter_map(|number| Some((*self.owners.get(&number)?, number))).collect()
    }
}

impl AsFd for Polls {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// What a connection waits for.
fn wanted(connection: &Connection) -> EventFlags {
    if connection.is_stuck { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
}
