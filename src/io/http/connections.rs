//! **The question:** how many connections stand open, whose are they, and which one makes way for the next? One that
//! has no whole request is worth less than one that comes: where there are too many, of one address or of all, the one
//! that has waited longest is closed. So connections that say nothing, or never finish, keep nobody out.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum_server::accept::Accept;
use futures_util::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::base::limits;
use crate::io::api::DoorCounters;
use crate::io::http::aside::Aside;
use crate::io::http::expiry::{self, Place, WatchedStream};

/// Every connection of one door; clones share the table.
#[derive(Debug, Clone)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    table: Mutex<Table>,
    counters: DoorCounters,
}

#[derive(Debug)]
struct Table {
    /// By the client's address and port.
    entries: HashMap<SocketAddr, Entry>,
    max: usize,
    number: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Requests that have arrived whole and are not answered whole.
    served: usize,
    /// Since when it has none; while a body arrives, when the last bytes of it came.
    since: Instant,
    /// Whether only the last bytes of its answers are still to be taken.
    lingers: bool,
    /// Turns to have an answer made.
    turns: Arc<Semaphore>,
    closing: Arc<Closing>,
}

impl Entry {
    fn new(number: u64, closing: Arc<Closing>) -> Self {
        let turns = Arc::new(Semaphore::new(limits::HTTP_ANSWERS_AT_ONCE));
        Self { number, served: 0, since: Instant::now(), lingers: false, turns, closing }
    }
}

/// Asks a stream to end.
#[derive(Debug, Default)]
struct Closing {
    asked: AtomicBool,
    /// Whether its place is another's: not even the last bytes are waited for.
    makes_way: AtomicBool,
    waker: AtomicWaker,
}

impl Closing {
    fn ask(&self, makes_way: bool) {
        self.makes_way.fetch_or(makes_way, Ordering::Release);
        self.asked.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it was asked to; if not, the task is woken when it is.
    fn is_asked(&self, context: &Context<'_>) -> bool {
        self.waker.register(context.waker());
        self.asked.load(Ordering::Acquire)
    }
}

impl Connections {
    /// None so far; at most `max` at once.
    pub(super) fn new(max: usize, counters: DoorCounters) -> Self {
        let table = Table { entries: HashMap::new(), max: max.max(limits::HTTP_CONNECTIONS_MIN), number: 0 };
        Self(Arc::new(Shared { table: Mutex::new(table), counters }))
    }

    /// Takes a connection in, if need be in the place of one that has no request.
    fn admit(&self, peer: SocketAddr) -> Option<Admitted> {
        let mut table = self.table();
        let makes_way = table.too_many(peer).map(|crowd| table.longest_idle(crowd));
        match makes_way {
            None => {}
            Some(Some(idle)) => {
                self.0.counters.connections_closed.add(1);
                table.close(idle, true);
            }
            Some(None) => {
                self.0.counters.connections_refused.add(1);
                return None;
            }
        }
        let (closing, number) = (Arc::new(Closing::default()), table.number);
        table.number += 1;
        table.entries.insert(peer, Entry::new(number, closing.clone()));
        self.tell(&table);
        drop(table);
        Some(Admitted { connections: self.clone(), peer, number, closing })
    }

    /// A request of this connection has arrived whole; it is served until the guard goes.
    pub(super) fn serve(&self, peer: SocketAddr) -> Served {
        if let Some(entry) = self.table().entries.get_mut(&peer) {
            entry.served += 1;
        }
        Served { connections: self.clone(), peer }
    }

    /// Waits for this connection's turn to have one more answer made, which ends when its bytes were taken: who asks on
    /// and on and reads nothing has few of them in memory.
    pub(super) async fn turn(&self, peer: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let turns = self.table().entries.get(&peer).map(|entry| entry.turns.clone())?;
        turns.acquire_owned().await.ok()
    }

    /// More of a request's body came.
    pub(super) fn note_progress(&self, peer: SocketAddr) {
        if let Some(entry) = self.table().entries.get_mut(&peer) {
            entry.since = Instant::now();
        }
    }

    /// Closes what stands too long without a request, for ever.
    pub(super) async fn sweep(self) {
        loop {
            sleep(limits::HTTP_SWEEP_SPACING).await;
            self.sweep_once(Instant::now());
        }
    }

    fn sweep_once(&self, now: Instant) {
        let mut table = self.table();
        let is_over = |entry: &Entry| {
            let idle = now.saturating_duration_since(entry.since);
            entry.served == 0 && !entry.lingers && idle > limits::HTTP_IDLE_SPAN
        };
        let over: Vec<SocketAddr> =
            table.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(peer, _)| *peer).collect();
        self.0.counters.connections_closed.add(over.len() as u64);
        over.into_iter().for_each(|peer| table.close(peer, false));
        self.tell(&table);
    }

    fn forget(&self, peer: SocketAddr, number: u64) {
        let mut table = self.table();
        if table.entries.get(&peer).is_some_and(|entry| entry.number == number) {
            table.entries.remove(&peer);
        }
        self.tell(&table);
    }

    fn tell(&self, table: &Table) {
        self.0.counters.connections.set(table.entries.len() as u64);
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Among which connections one has to make way for `peer`, if any.
    fn too_many(&self, peer: SocketAddr) -> Option<Crowd> {
        let of_one = network(peer.ip());
        let count = self.entries.keys().filter(|other| network(other.ip()) == of_one).count();
        if count >= self.max / limits::HTTP_ADDRESS_SHARE {
            Some(Crowd::Network(of_one))
        } else if self.entries.len() >= self.max {
            Some(Crowd::All)
        } else {
            None
        }
    }

    fn longest_idle(&self, crowd: Crowd) -> Option<SocketAddr> {
        let is_in = |peer: &SocketAddr| match crowd {
            Crowd::All => true,
            Crowd::Network(of_one) => network(peer.ip()) == of_one,
        };
        let idle = self.entries.iter().filter(|(peer, entry)| entry.served == 0 && is_in(peer));
        idle.min_by_key(|(_, entry)| entry.since).map(|(peer, _)| *peer)
    }

    fn close(&mut self, peer: SocketAddr, makes_way: bool) {
        if let Some(entry) = self.entries.remove(&peer) {
            entry.closing.ask(makes_way);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Crowd {
    All,
    Network(IpAddr),
}

/// What counts as one address: of IPv6 the network of 64 bits, which one client has for itself.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(super) struct Served {
    connections: Connections,
    peer: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(entry) = self.connections.table().entries.get_mut(&self.peer) {
            entry.served = entry.served.saturating_sub(1);
            entry.since = Instant::now();
        }
    }
}

/// A place in the table.
#[derive(Debug)]
struct Admitted {
    connections: Connections,
    peer: SocketAddr,
    number: u64,
    closing: Arc<Closing>,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.connections.forget(self.peer, self.number);
    }
}

impl Place for Admitted {
    fn lingers(&self) {
        let mut table = self.connections.table();
        if !self.must_go() {
            // One that was closed for standing idle has its place again: it holds a descriptor.
            let known = table.entries.entry(self.peer);
            let entry = known.or_insert_with(|| Entry::new(self.number, self.closing.clone()));
            entry.lingers |= entry.number == self.number;
        }
        self.connections.tell(&table);
    }

    fn must_go(&self) -> bool {
        self.closing.makes_way.load(Ordering::Acquire)
    }
}

/// Takes connections in for axum-server.
#[derive(Debug, Clone)]
pub(super) struct Doorkeeper {
    pub(super) connections: Connections,
    /// Those over which recordings go end at the recordings' hours.
    pub(super) ends: expiry::Connections,
    /// Those that are not HTTP's go there.
    pub(super) aside: Option<Aside>,
}

impl<S: Send + 'static> Accept<TcpStream, S> for Doorkeeper {
    type Stream = BoundedStream;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(BoundedStream, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().map(|peer| self.connections.admit(peer));
        let (ends, aside) = (self.ends.clone(), self.aside.clone());
        Box::pin(async move {
            let place = admitted?.ok_or_else(|| io::Error::other("too many connections"))?;
            let closing = place.closing.clone();
            let stream = match aside {
                Some(aside) => aside.sort(stream, |context| closing.is_asked(context)).await?,
                None => stream,
            };
            let stream = WatchedStream::new(stream, ends, place)?;
            Ok((BoundedStream { stream, closing, stalled: None }, service))
        })
    }
}

/// A connection that ends when it is asked to, and when its client takes nothing for `limits::HTTP_TAKE_SPAN` of what
/// it asked for.
#[derive(Debug)]
pub(super) struct BoundedStream {
    stream: WatchedStream<Admitted>,
    closing: Arc<Closing>,
    /// While the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl BoundedStream {
    /// What a write came to, or that it waits for too long.
    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limits::HTTP_TAKE_SPAN)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.closing.is_asked(context) {
            // As if the client had gone.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// How many connections a door may have where the process may open so many descriptors, `others` of which are spoken
/// for: `asked`, unless that is more than half of what is left, for the rest is for stores, keepers and files.
#[must_use]
pub fn connections_max(asked: usize, descriptors: u64, others: usize) -> usize {
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let left = descriptors.saturating_sub(limits::DESCRIPTORS_KEPT).saturating_sub(others) / 2;
    left.min(asked).max(limits::HTTP_CONNECTIONS_MIN)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn peer(address: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, address], port))
    }

    #[test]
    fn a_connection_without_a_request_makes_way_and_one_with_stays() {
        let counters = DoorCounters::default();
        let connections = Connections::new(40, counters.clone());
        let first: Vec<Admitted> = (0..10).map(|port| connections.admit(peer(1, port)).unwrap()).collect();
        let served = connections.serve(peer(1, 0));
        let eleventh = connections.admit(peer(1, 10)).unwrap();
        assert!(!first[0].closing.asked.load(Ordering::Acquire), "it is being served");
        assert!(first[1].closing.asked.load(Ordering::Acquire), "it has waited longest");
        assert_eq!((counters.connections.get(), counters.connections_closed.get()), (10, 1));
        drop(first.into_iter().nth(1));
        assert!(connections.admit(peer(2, 0)).is_some(), "another address has its own share");
        drop(served);
        drop(eleventh);
    }

    #[test]
    fn where_all_are_served_the_next_is_refused() {
        let counters = DoorCounters::default();
        let connections = Connections::new(40, counters.clone());
        let all: Vec<_> = (0..40)
            .map(|n| {
                let peer = peer(n / 10, u16::from(n));
                (connections.admit(peer).unwrap(), connections.serve(peer))
            })
            .collect();
        assert!(connections.admit(peer(9, 1)).is_none());
        assert_eq!(counters.connections_refused.get(), 1);
        drop(all);
        assert_eq!(counters.connections.get(), 0);
        assert!(connections.admit(peer(9, 1)).is_some());
    }

    #[test]
    fn one_that_stands_too_long_is_closed() {
        let counters = DoorCounters::default();
        let connections = Connections::new(40, counters.clone());
        let (idle, busy) = (connections.admit(peer(1, 1)).unwrap(), connections.admit(peer(1, 2)).unwrap());
        let served = connections.serve(peer(1, 2));
        connections.sweep_once(Instant::now());
        assert_eq!(counters.connections.get(), 2);
        connections.sweep_once(Instant::now() + limits::HTTP_IDLE_SPAN + Duration::from_secs(1));
        assert_eq!(counters.connections.get(), 1);
        assert!(idle.closing.asked.load(Ordering::Acquire) && !busy.closing.asked.load(Ordering::Acquire));
        drop(served);
    }

    #[test]
    fn one_whose_last_bytes_are_not_taken_has_its_place_until_another_needs_it() {
        let counters = DoorCounters::default();
        let connections = Connections::new(40, counters.clone());
        let slow: Vec<Admitted> = (0..10).map(|port| connections.admit(peer(1, port)).unwrap()).collect();
        let late = Instant::now() + limits::HTTP_IDLE_SPAN + Duration::from_secs(1);
        connections.sweep_once(late);
        slow.iter().for_each(Place::lingers);
        connections.sweep_once(late);
        assert_eq!(counters.connections.get(), 10, "each holds a descriptor");
        assert!(slow.iter().all(|place| place.closing.asked.load(Ordering::Acquire) && !place.must_go()));
        let eleventh = connections.admit(peer(1, 10)).unwrap();
        assert_eq!(slow.iter().filter(|place| place.must_go()).count(), 1);
        drop((slow, eleventh));
        assert_eq!(counters.connections.get(), 0);
    }

    #[test]
    fn one_client_of_ipv6_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn descriptors_are_kept_back_for_stores_and_keepers() {
        assert_eq!(connections_max(1024, 256, 0), 80);
        assert_eq!(connections_max(1024, 256, 100), 30);
        assert_eq!(connections_max(1024, 1024, 4), 462);
        assert_eq!(connections_max(4096, u64::MAX, 0), 4096);
        assert_eq!(connections_max(1024, 64, 100), limits::HTTP_CONNECTIONS_MIN);
    }
}
