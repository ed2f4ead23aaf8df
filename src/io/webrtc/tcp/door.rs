//! **The question:** whose is a TCP connection that just came? Its first frame says so, a connectivity check that names
//! one of this node's peers; then it goes to the net thread that holds that peer, which asks for the password. One
//! thread holds those that have not said it yet: few, each for a few seconds, and the one that has waited longest makes
//! way for the next. So connections that say nothing, or nonsense, keep nobody out and no net thread busy.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use crate::base::limits;
use crate::engine::flow::Waker;
use crate::io::telemetry::panics::Panics;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::pass::Pass;
use crate::io::webrtc::registry::Registry;
use crate::io::webrtc::stun;
use crate::io::webrtc::tcp::connection::{Connection, Place, is_for_later, prepare};
use crate::io::webrtc::tcp::framing::{self, HEAD_BYTES};
use crate::io::webrtc::tcp::listener::MediaListener;
use crate::io::webrtc::udp::{addresses_of, candidate_of};

/// The listener's number; 0 is a media socket's.
const LISTENER: u64 = 1;
/// Bytes of one that has not said whose it is: its first frame.
const HELLO_BYTES: usize = HEAD_BYTES + limits::DATAGRAM_LEN_MAX;

/// How many connections media may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpShare {
    /// Of those that have not said yet whose they are.
    pub waiting: usize,
    /// Of all clients.
    pub streams: u64,
}

impl TcpShare {
    /// Of a process that may open so many descriptors: HTTP, stores and files want theirs.
    #[must_use]
    pub fn of(descriptors: u64) -> Self {
        let waiting = usize::try_from(descriptors / 16).unwrap_or(usize::MAX).clamp(1, limits::TCP_WAITING_MAX);
        Self { waiting, streams: (descriptors / 4).min(limits::TCP_STREAMS_MAX) }
    }
}

/// Where connections come from.
#[derive(Debug)]
pub struct TcpPort {
    share: TcpShare,
    listener: Option<MediaListener>,
    candidates: Vec<SocketAddr>,
    handed: Receiver<TcpStream>,
    waker: Waker,
}

impl TcpPort {
    /// A port for media alone.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn own(listener: MediaListener, share: TcpShare) -> io::Result<Self> {
        // Nobody hands anything over.
        let (_, handed) = bounded(0);
        let candidates = listener.candidates().to_vec();
        Ok(Self { share, listener: Some(listener), candidates, handed, waker: Waker::new()? })
    }

    /// A port of another door, bound to `address`, which hands over what is media.
    ///
    /// # Errors
    /// As `own`.
    pub fn shared(address: SocketAddr, advertise: &[IpAddr], share: TcpShare) -> io::Result<(Self, TcpInlet)> {
        let (streams, handed) = bounded(share.waiting);
        let waker = Waker::new()?;
        let inlet = TcpInlet { streams, waker: waker.clone() };
        let candidates = addresses_of(address, advertise);
        Ok((Self { share, listener: None, candidates, handed, waker }, inlet))
    }

    /// What stands in answers.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }
}

/// Takes connections that came by another door's port; clones lead to the same.
#[derive(Debug, Clone)]
pub struct TcpInlet {
    streams: Sender<TcpStream>,
    waker: Waker,
}

impl TcpInlet {
    /// Whether a connection that begins with this byte is media. Neither HTTP nor TLS begins so.
    #[must_use]
    pub fn takes(first: u8) -> bool {
        framing::may_begin(first)
    }

    /// Hands one over, of which nothing has been read; where there are too many it is closed.
    pub fn hand(&self, stream: TcpStream) {
        drop(self.streams.try_send(stream));
        self.waker.wake();
    }
}

/// A connection that has not said yet whose it is.
struct Waiting {
    stream: TcpStream,
    number: u64,
    remote: SocketAddr,
    local: SocketAddr,
    since: Instant,
    held: Vec<u8>,
    /// Whom it named, of whom no net thread knows yet.
    named: Option<String>,
}

/// What a look at one led to.
enum Hello {
    Incomplete,
    Names(String),
    /// It is none of ours.
    Wrong,
}

/// Takes connections in.
pub(in crate::io::webrtc) struct Door {
    port: TcpPort,
    registry: Arc<Registry>,
    counters: NetCounters,
    epoll: OwnedFd,
    /// In the order they came.
    waiting: Vec<Waiting>,
    next: u64,
    /// When connections are taken in again after the system had no room for one.
    paused: Option<Instant>,
    stop: Arc<AtomicBool>,
}

/// The thread that does so; dropping it ends it.
pub(in crate::io::webrtc) struct DoorThread {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl DoorThread {
    /// Starts it; what comes by `port` goes to the net threads of `registry`.
    pub(in crate::io::webrtc) fn start(
        port: TcpPort,
        registry: Arc<Registry>,
        counters: &NetCounters,
        panics: &Panics,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let (stop, waker) = (Arc::new(AtomicBool::new(false)), port.waker.clone());
        let door = Door {
            port,
            registry,
            counters: counters.clone(),
            epoll,
            waiting: Vec::new(),
            next: LISTENER + 1,
            paused: None,
            stop: stop.clone(),
        };
        door.listen(true)?;
        let (panics, name) = (panics.clone(), "tcp-door");
        let thread = thread::Builder::new().name(name.into());
        let thread = thread.spawn(move || panics.vital(name, || door.run()))?;
        Ok(Self { stop, waker, thread: Some(thread) })
    }
}

impl Drop for DoorThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        // A panic was printed by the thread itself.
        self.thread.take().map(JoinHandle::join);
    }
}

impl Door {
    fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.accept(now);
            for stream in self.port.handed.try_iter().take(limits::TCP_ACCEPTS_MAX).collect::<Vec<_>>() {
                self.admit(now, stream);
            }
            for number in self.ready() {
                self.look(number);
            }
            self.look_again();
            self.expire(now);
            self.port.waker.sleep_until_readable(self.epoll.as_fd(), self.deadline(now));
        }
    }

    /// Whether the kernel is to say that a connection waits to be taken in.
    fn listen(&self, wanted: bool) -> io::Result<()> {
        let Some(listener) = &self.port.listener else { return Ok(()) };
        if wanted {
            epoll::add(&self.epoll, &listener.listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
        } else {
            epoll::delete(&self.epoll, &listener.listener)?;
        }
        Ok(())
    }

    fn accept(&mut self, now: Instant) {
        if let Some(until) = self.paused {
            if now < until || self.listen(true).is_err() {
                return;
            }
            self.paused = None;
        }
        for _ in 0..limits::TCP_ACCEPTS_MAX {
            let Some(listener) = &self.port.listener else { return };
            match listener.listener.accept() {
                Ok((stream, _)) => self.admit(now, stream),
                Err(error) if is_for_later(&error) => return,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // No descriptor is left, as a rule. Those that say nothing make way, and the others find the door
                    // open again soon.
                    tracing::warn!(%error, "no TCP connection can be taken in");
                    self.refuse(0);
                    if self.listen(false).is_ok() {
                        self.paused = Some(now + limits::TCP_REFUSED_SPAN);
                    }
                    return;
                }
            }
        }
    }

    /// Holds a new one until it says whose it is.
    fn admit(&mut self, now: Instant, stream: TcpStream) {
        let ends = stream.peer_addr().and_then(|remote| Ok((remote, stream.local_addr()?)));
        let Ok((remote, local)) = ends.and_then(|ends| prepare(&stream).map(|()| ends)) else { return };
        let (remote, number) = (SocketAddr::new(remote.ip().to_canonical(), remote.port()), self.next);
        self.next += 1;
        let alike = |other: &Waiting| network(other.remote.ip()) == network(remote.ip());
        if self.waiting.iter().filter(|other| alike(other)).count() >= limits::TCP_WAITING_OF_ADDRESS_MAX {
            if let Some(oldest) = self.waiting.iter().position(alike) {
                self.refuse(oldest);
            }
        } else if self.waiting.len() >= self.port.share.waiting {
            self.refuse(0);
        }
        if epoll::add(&self.epoll, &stream, EventData::new_u64(number), EventFlags::IN).is_ok() {
            let here = Some(local.ip().to_canonical());
            let local = candidate_of(&self.port.candidates, remote, here).unwrap_or(local);
            let held = Vec::new();
            self.waiting.push(Waiting { stream, number, remote, local, since: now, held, named: None });
        }
    }

    fn ready(&self) -> Vec<u64> {
        let mut events: Vec<Event> = Vec::with_capacity(self.port.share.waiting);
        // An interrupted call is made again in the next round.
        let _ = epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        events.iter().map(|event| event.data.u64()).collect()
    }

    /// Reads what one says.
    fn look(&mut self, number: u64) {
        let Some(at) = self.waiting.iter().position(|waiting| waiting.number == number) else { return };
        match self.waiting[at].listen() {
            Hello::Incomplete => {}
            Hello::Wrong => self.refuse(at),
            Hello::Names(ufrag) => {
                // It is not read here any more.
                let _ = epoll::delete(&self.epoll, &self.waiting[at].stream);
                self.waiting[at].named = Some(ufrag);
                self.hand(at);
            }
        }
    }

    /// Those who were named may be known by now.
    fn look_again(&mut self) {
        for at in (0..self.waiting.len()).rev() {
            self.hand(at);
        }
    }

    /// Hands one over to the net thread that holds whom it named, if there is one.
    fn hand(&mut self, at: usize) {
        let Waiting { named: Some(ufrag), remote, .. } = &self.waiting[at] else { return };
        let Some(worker) = self.registry.owner(Some(ufrag), *remote) else { return };
        let streams = &self.counters.tcp_streams;
        if streams.get() >= self.port.share.streams {
            return self.refuse(at);
        }
        let Waiting { stream, number, remote, local, held, named, .. } = self.waiting.remove(at);
        let connection = Connection::new(stream, number, (remote, local), held, Place::take(streams));
        let stream = Pass::Stream { ufrag: named.unwrap_or_default(), connection: Box::new(connection) };
        let refused = self.registry.pass(worker, stream).is_err();
        self.counters.tcp_refused.add(u64::from(refused));
    }

    fn refuse(&mut self, at: usize) {
        if at < self.waiting.len() {
            self.waiting.remove(at);
            self.counters.tcp_refused.add(1);
        }
    }

    fn expire(&mut self, now: Instant) {
        while self.waiting.first().is_some_and(|oldest| now >= oldest.since + limits::TCP_HELLO_SPAN) {
            self.refuse(0);
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let expires = self.waiting.first().map(|oldest| oldest.since + limits::TCP_HELLO_SPAN);
        let unknown = self.waiting.iter().any(|waiting| waiting.named.is_some());
        [expires, unknown.then(|| now + limits::TCP_UNKNOWN_SPACING), self.paused].into_iter().flatten().min()
    }
}

impl Waiting {
    /// Reads on, until its first frame is whole.
    fn listen(&mut self) -> Hello {
        let mut buffer = [0; HELLO_BYTES];
        loop {
            let read = match self.stream.read(&mut buffer[self.held.len()..]) {
                Ok(0) => return Hello::Wrong,
                Ok(count) => count,
                Err(error) if is_for_later(&error) => return Hello::Incomplete,
                Err(_) => return Hello::Wrong,
            };
            let from = self.held.len();
            self.held.extend_from_slice(&buffer[from..from + read]);
            match framing::first(&self.held).map(|frame| frame.map(|frame| stun::ufrag(frame).map(str::to_owned))) {
                Ok(None) => {}
                Ok(Some(Some(ufrag))) => return Hello::Names(ufrag),
                Err(_) | Ok(Some(None)) => return Hello::Wrong,
            }
        }
    }
}

/// What counts as one address: of IPv6 the network of 64 bits, which one client has for itself.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_descriptors_are_few_so_are_connections() {
        assert_eq!(TcpShare::of(256), TcpShare { waiting: 16, streams: 64 });
        assert_eq!(TcpShare::of(0), TcpShare { waiting: 1, streams: 0 });
        let most = TcpShare { waiting: limits::TCP_WAITING_MAX, streams: limits::TCP_STREAMS_MAX };
        assert_eq!(TcpShare::of(u64::MAX), most);
    }
}
