//! **The question:** whose turn is it? The loop of the `legs` thread: it owns every leg's socket, reads those that have
//! something, and sends each what its room made.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use crate::base::limits;
use crate::base::media::{MixTick, Outbox, PeerId};
use crate::engine::flow::{FanReader, OpusSender, Read, Waker};
use crate::io::rtp::leg::{Leg, LegCounters};

/// One leg, as it is handed to the thread.
#[derive(Debug)]
pub struct LegWork {
    /// The connection it stands for.
    pub peer: PeerId,
    /// Its own port; never blocks.
    pub socket: UdpSocket,
    /// What its datagrams mean.
    pub line: Leg,
    /// What others may look at.
    pub watch: LegWatch,
}

/// The room that a leg came into.
#[derive(Debug)]
pub struct LegRoom {
    /// To the mixer.
    pub sink: OpusSender,
    /// From the mixer.
    pub mix: FanReader<MixTick>,
}

/// A leg and its room, once it has one.
struct Served {
    work: LegWork,
    room: Option<LegRoom>,
}

/// What others see of a leg; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct LegWatch {
    /// What it counted.
    pub counters: LegCounters,
    /// Where it is, once that is known; it never changes.
    pub remote: Arc<OnceLock<SocketAddr>>,
}

/// What the control thread tells.
pub enum LegCommand {
    /// A leg begins; it is in no room before something is heard of it.
    Add(Box<LegWork>),
    /// It is in a room.
    Enter(PeerId, Box<LegRoom>),
    /// A leg ends; no event follows.
    Remove(PeerId),
}

/// What the control thread is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegEvent {
    /// A leg's voice is there.
    Started(PeerId),
    /// Nothing came for `limits::LEG_SILENT_SPAN`: the leg is gone.
    Silent(PeerId),
    /// Serving it panicked, which is our bug; it ended alone.
    Failed(PeerId),
}

/// The body of the `legs` thread: serves until its commands end.
///
/// # Errors
/// When the process is out of file descriptors.
pub fn run(commands: &Receiver<LegCommand>, waker: &Waker, tell: impl Fn(LegEvent)) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut legs: Vec<Served> = Vec::new();
    let mut ready = Vec::with_capacity(limits::LEGS_MAX);
    let mut out = Outbox::new();
    loop {
        loop {
            match commands.try_recv() {
                Ok(LegCommand::Add(leg)) => {
                    let data = epoll::EventData::new_u64(leg.peer.0);
                    epoll::add(&epoll, &leg.socket, data, epoll::EventFlags::IN)?;
                    legs.push(Served { work: *leg, room: None });
                }
                Ok(LegCommand::Enter(peer, room)) => {
                    if let Some(leg) = legs.iter_mut().find(|leg| leg.work.peer == peer) {
                        leg.room = Some(*room);
                    }
                }
                // A socket that is closed leaves the epoll by itself.
                Ok(LegCommand::Remove(peer)) => legs.retain(|leg| leg.work.peer != peer),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Ok(()),
            }
        }
        ready.clear();
        // Without waiting: sockets that become readable later rouse the sleep below.
        let _ = epoll::wait(&epoll, spare_capacity(&mut ready), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        for event in &ready {
            let peer = event.data.u64();
            if let Some(at) = legs.iter().position(|leg| leg.work.peer.0 == peer)
                && !holds(|| legs[at].receive(&tell))
            {
                tell(LegEvent::Failed(legs.swap_remove(at).work.peer));
            }
        }
        let now = Instant::now();
        legs.retain_mut(|leg| {
            let ended = if !holds(|| leg.send(now, &mut out)) {
                Some(LegEvent::Failed(leg.work.peer))
            } else if now >= leg.work.line.silent_at() {
                Some(LegEvent::Silent(leg.work.peer))
            } else {
                None
            };
            ended.map(&tell).is_none()
        });
        let deadlines = legs.iter().flat_map(|leg| [leg.work.line.silent_at(), leg.work.line.report_due()]);
        let deadline = deadlines.min();
        waker.sleep_until_readable(epoll.as_fd(), deadline);
    }
}

/// Whether `work` on one leg came to its end. One that panicked is given up by the caller, so no broken invariant is
/// ever observed.
fn holds(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_ok()
}

impl Served {
    fn receive(&mut self, tell: &impl Fn(LegEvent)) {
        let Self { work, room } = self;
        let mut datagram = [0; limits::DATAGRAM_LEN_MAX];
        for _ in 0..limits::LEG_DATAGRAMS_A_TURN {
            // An error is nothing to read, or an ICMP of an earlier send: the leg's silence tells in the end.
            let Ok((length, from)) = work.socket.recv_from(&mut datagram) else { return };
            let heard_before = work.line.is_heard();
            let Some(packet) = work.line.receive(Instant::now(), from, &datagram[..length]) else { continue };
            if let Some(room) = room {
                room.sink.push(packet);
            }
            if !heard_before {
                // Set once, for a leg keeps its place.
                let _ = work.watch.remote.set(from);
                tell(LegEvent::Started(work.peer));
            }
        }
    }

    fn send(&mut self, now: Instant, out: &mut Outbox<Vec<u8>>) {
        let Self { work, room } = self;
        while let Some(room) = room {
            match room.mix.read() {
                Read::Item(tick) => work.line.hear(&tick, false, out),
                Read::AfterGap(tick) => work.line.hear(&tick, true, out),
                Read::Empty | Read::Closed => break,
            }
        }
        work.line.report(now, out);
        for datagram in out.drain() {
            if let Some(remote) = work.line.remote() {
                // What the kernel refuses is lost, as on any network.
                let _ = work.socket.send_to(&datagram, remote);
            }
        }
    }
}
