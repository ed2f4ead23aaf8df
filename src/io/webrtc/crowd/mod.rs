//! **The question:** how do many people come to a node from one thread? A socket each, since a node knows people by
//! their addresses, and one epoll for all of them. What comes is taken in batches, and each person's connection is
//! asked once a round what follows of it. For `tessera load`: nothing of a node is in here.

mod guest;
mod words;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::io::webrtc::udp::ReceiveBatch;

pub use guest::{Guest, GuestError, GuestPacket, GuestSetup, Heard};

/// How many are told at once.
const EVENTS: usize = 128;

/// People whose connections one thread serves.
pub struct Crowd {
    epoll: OwnedFd,
    guests: BTreeMap<usize, Guest>,
    batch: Option<ReceiveBatch>,
}

impl Crowd {
    /// Nobody.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, guests: BTreeMap::new(), batch: None })
    }

    /// `guest` is served here from now on, as the one with this number, which nobody else has.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter(&mut self, number: usize, guest: Guest) -> io::Result<()> {
        epoll::add(&self.epoll, guest.own(), EventData::new_u64(number as u64), EventFlags::IN)?;
        self.batch.get_or_insert_with(|| ReceiveBatch::new(&guest.own().socket));
        self.guests.insert(number, guest);
        Ok(())
    }

    /// Takes what came, at most a batch of each.
    pub fn receive(&mut self, now: Instant, heard: &mut impl FnMut(usize, Heard)) {
        let Some(batch) = &mut self.batch else { return };
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        // An interrupted call is made again in the next round.
        let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        for event in events {
            let number = usize::try_from(event.data.u64()).unwrap_or(usize::MAX);
            if let Some(guest) = self.guests.get_mut(&number) {
                guest.receive(batch, now, &mut |what| heard(number, what));
            }
        }
    }

    /// Has a packet sent with the next [`Crowd::advance`], if its sender is still there and has such a line.
    pub fn write(&mut self, number: usize, packet: GuestPacket) {
        if let Some(guest) = self.guests.get_mut(&number) {
            guest.write(packet);
        }
    }

    /// Serves timers, sends what was written, and forgets who is gone.
    pub fn advance(&mut self, now: Instant, heard: &mut impl FnMut(usize, Heard)) {
        self.guests.retain(|number, guest| {
            guest.advance(now, &mut |what| heard(*number, what));
            if guest.is_gone() {
                // It is there: it was added, and is still open.
                let _ = epoll::delete(&self.epoll, guest.own());
                heard(*number, Heard::Gone);
            }
            !guest.is_gone()
        });
    }

    /// When [`Crowd::advance`] must be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.guests.values().map(Guest::deadline).min()
    }

    /// Everyone says goodbye.
    pub fn close(mut self) {
        self.guests.values_mut().for_each(Guest::close);
    }
}

/// Readable when something came for anyone.
impl AsFd for Crowd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}
