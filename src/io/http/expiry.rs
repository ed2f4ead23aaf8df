//! **The question:** how does every answer that reads a recording end at the recording's hour, whether or not its
//! client reads it? Its work is given up, its body and key are let go, and its connection is reset, so that the kernel
//! sends nothing of what it still holds.
//!
//! A connection over which a recording went is ended at that recording's hour even if it stands idle by then: nobody
//! knows how much of the answer still lies in the kernel.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::task::AtomicWaker;
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::base::limits;
use crate::core::retention::{Hour, RecordingName};
use crate::io::http::admission::Recordings;
use crate::io::http::problem::Problem;
use crate::io::http::unsent::unacknowledged_bytes;
use crate::io::store::{KeyCustody, ReadError};

/// The hour that an answer ends at, for routes whose path does not name the recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expires(pub(super) Hour);

/// The connections that are open, by the address of their other end; clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<HashMap<SocketAddr, Weak<Connection>>>>);

impl Connections {
    fn open(&self) -> MutexGuard<'_, HashMap<SocketAddr, Weak<Connection>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, peer: SocketAddr) -> Option<Arc<Connection>> {
        self.open().get(&peer).and_then(Weak::upgrade)
    }
}

/// One connection, as far as its end is concerned.
#[derive(Debug, Default)]
struct Connection {
    cut: AtomicBool,
    /// What it waits by to read and to write; the first two are the socket's, the last its answers'.
    reads: AtomicWaker,
    writes: AtomicWaker,
    answers: Notify,
    /// The hours of the recordings that went over it.
    hours: Mutex<BTreeSet<Hour>>,
}

impl Connection {
    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.reads.wake();
        self.writes.wake();
        self.answers.notify_waiters();
    }

    async fn is_over(&self) {
        let told = self.answers.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.is_cut() {
            told.await;
        }
    }

    fn hours(&self) -> MutexGuard<'_, BTreeSet<Hour>> {
        self.hours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it cut when `left` is `None`, which it is once the hour has come; else it says how long to wait at most.
    fn cut_at(self: &Arc<Self>, hour: Hour, left: impl Fn() -> Option<Duration> + Send + 'static) {
        let mut hours = self.hours();
        // It ends at the first of them.
        if hours.first().is_some_and(|first| *first <= hour) {
            return;
        }
        hours.insert(hour);
        drop(hours);
        let connection = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(left) = left() {
                tokio::time::sleep(left.clamp(Duration::from_millis(1), limits::EXPIRY_LOOK_SPAN)).await;
                if connection.strong_count() == 0 {
                    return;
                }
            }
            if let Some(connection) = connection.upgrade() {
                connection.cut();
            }
        });
    }
}

/// A connection's place among all that a door has: it is kept until the kernel has sent the last of what it holds.
pub(super) trait Place: Debug + Send + Unpin + 'static {
    /// Nothing but the last bytes goes over it from now on.
    fn lingers(&self);

    /// Whether another connection needs it more.
    fn must_go(&self) -> bool;
}

/// A socket that is reset when its connection is cut.
#[derive(Debug)]
pub(super) struct WatchedStream<P: Place> {
    /// Both are taken when it is let go.
    stream: Option<TcpStream>,
    place: Option<P>,
    peer: SocketAddr,
    connection: Arc<Connection>,
    connections: Connections,
}

impl<P: Place> WatchedStream<P> {
    pub(super) fn new(stream: TcpStream, connections: Connections, place: P) -> io::Result<Self> {
        let (peer, connection) = (stream.peer_addr()?, Arc::new(Connection::default()));
        connections.open().insert(peer, Arc::downgrade(&connection));
        Ok(Self { stream: Some(stream), place: Some(place), peer, connection, connections })
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.connection.is_cut() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(Pin::new(self.stream.as_mut().expect("it is taken when it is let go")))
    }
}

impl<P: Place> Drop for WatchedStream<P> {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        // The same address may have come back already.
        if open.get(&self.peer).is_some_and(|known| known.as_ptr() == Arc::as_ptr(&self.connection)) {
            open.remove(&self.peer);
        }
        drop(open);
        let (Some(stream), Some(place)) = (self.stream.take(), self.place.take()) else { return };
        if self.connection.hours().is_empty() {
            return;
        }
        let connection = self.connection.clone();
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if !connection.is_cut() => drop(runtime.spawn(let_out(stream, connection, place))),
            _ => reset(&stream),
        }
    }
}

// Closed at once, the kernel would go on sending what it holds, for nobody knows how long.
async fn let_out(mut stream: TcpStream, connection: Arc<Connection>, place: impl Place) {
    place.lingers();
    let _ = stream.shutdown().await;
    let until = Instant::now() + limits::LAST_BYTES_SPAN;
    while unacknowledged_bytes(&stream) > 0 {
        if connection.is_cut() || place.must_go() || Instant::now() > until {
            return reset(&stream);
        }
        let _ = tokio::time::timeout(Duration::from_millis(100), connection.is_over()).await;
    }
}

fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::error!(%error, "a connection could not be reset at a recording's hour");
    }
}

impl<P: Place> AsyncRead for WatchedStream<P> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.connection.reads.register(cx.waker());
        self.stream()?.poll_read(cx, into)
    }
}

impl<P: Place> AsyncWrite for WatchedStream<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.connection.writes.register(cx.waker());
        self.stream()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.connection.writes.register(cx.waker());
        self.stream()?.poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

/// Ends a request about a recording at the recording's hour, and its connection with it. Erasing goes on.
pub(super) async fn until_its_hour(
    State((recordings, connections)): State<(Option<Recordings>, Connections)>,
    request: Request,
    next: Next,
) -> Response {
    let Some(recordings) = recordings.filter(|_| request.method() != Method::DELETE) else {
        return next.run(request).await;
    };
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let connection = peer.and_then(|peer| connections.find(peer)).unwrap_or_default();
    let end_at = |hour: Hour| {
        let archive = recordings.archive.clone();
        connection.cut_at(hour, move || time_left(archive.custody(), hour));
    };
    let named = request.uri().path().split('/').nth(3).and_then(|name| name.parse::<RecordingName>().ok());
    // What has expired is refused anyway, and so is what nobody can have recorded yet.
    let now = recordings.archive.custody().now();
    let last = Hour(Hour::containing(now).0.saturating_add(limits::HOUR_KEYS_MAX as u32));
    let named = named.filter(|named| !named.hour.is_expired(now) && named.hour <= last);
    if let Some(named) = named {
        end_at(named.hour);
    }
    let response = tokio::select! {
        biased;
        () = connection.is_over() => return Problem::gone().into_response(),
        response = next.run(request) => response,
    };
    let listed = response.extensions().get::<Expires>().map(|expires| expires.0);
    if let Some(hour) = listed {
        end_at(hour);
    }
    if named.is_some() || listed.is_some() { ending(response, connection) } else { response }
}

fn time_left(custody: &KeyCustody, hour: Hour) -> Option<Duration> {
    let now = custody.now();
    (!hour.is_expired(now)).then(|| Duration::from_nanos(hour.start().0.saturating_sub(now.0)))
}

/// The answer, its body let go when the connection is cut, whatever it waits for.
fn ending(response: Response, connection: Arc<Connection>) -> Response {
    let (mut head, body) = response.into_parts();
    // A stream does not say how long it is.
    if let Some(len) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(len));
    }
    let pieces = stream::try_unfold((body.into_data_stream(), connection), async |(mut pieces, connection)| {
        let piece = tokio::select! {
            biased;
            () = connection.is_over() => return Err(axum::Error::new(ReadError::Gone)),
            piece = pieces.next() => piece.transpose()?,
        };
        Ok(piece.map(|piece| (piece, (pieces, connection))))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use axum::Router;
    use axum::routing::get;
    use axum_server::accept::Accept;
    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, Interest};
    use tokio::net::TcpSocket;

    use super::*;

    /// A door that has place for everybody.
    #[derive(Debug, Clone)]
    struct WatchingAcceptor(Connections);

    #[derive(Debug)]
    struct Nowhere;

    impl Place for Nowhere {
        fn lingers(&self) {}

        fn must_go(&self) -> bool {
            false
        }
    }

    impl<S> Accept<TcpStream, S> for WatchingAcceptor {
        type Stream = WatchedStream<Nowhere>;
        type Service = S;
        type Future = std::future::Ready<io::Result<(Self::Stream, S)>>;

        fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
            std::future::ready(WatchedStream::new(stream, self.0.clone(), Nowhere).map(|stream| (stream, service)))
        }
    }

    /// Fits into the kernel's buffers.
    const WHOLE: usize = 300_000;

    /// What an answer holds; counted while it lives.
    struct Key(Arc<AtomicU64>);

    impl Key {
        fn new(alive: &Arc<AtomicU64>) -> Self {
            alive.fetch_add(1, Ordering::SeqCst);
            Self(alive.clone())
        }
    }

    impl Drop for Key {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// A door whose answers end when `over` says so: `/endless` sends for ever, `/hangs` sends nothing, `/whole` ends.
    struct Fixture {
        address: SocketAddr,
        alive: Arc<AtomicU64>,
        over: Arc<AtomicBool>,
    }

    fn endless(alive: &Arc<AtomicU64>, hangs: bool) -> Body {
        Body::from_stream(stream::unfold((Key::new(alive), hangs), async |(key, hangs)| {
            if hangs {
                std::future::pending::<()>().await;
            }
            Some((Ok::<_, axum::Error>(Bytes::from_static(&[7; 65_536])), (key, hangs)))
        }))
    }

    fn routes(alive: &Arc<AtomicU64>) -> Router {
        let endless = |hangs| {
            let alive = alive.clone();
            get(move || std::future::ready(endless(&alive, hangs)))
        };
        let alive = alive.clone();
        let works = get(move || {
            let key = Key::new(&alive);
            async move {
                std::future::pending::<()>().await;
                drop(key);
            }
        });
        let routes = Router::new().route("/endless", endless(false)).route("/hangs", endless(true));
        routes.route("/works", works).route("/whole", get(async || vec![1_u8; WHOLE]))
    }

    impl Fixture {
        fn new() -> Self {
            let (alive, over, connections) = (Arc::default(), Arc::<AtomicBool>::default(), Connections::default());
            let (ends, open) = (over.clone(), connections.clone());
            let watch = move |ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next| {
                let (connection, ends) = (open.find(peer).expect("it is open"), ends.clone());
                connection.cut_at(Hour(1), move || (!ends.load(Ordering::SeqCst)).then_some(Duration::ZERO));
                async move {
                    tokio::select! {
                        () = connection.is_over() => Problem::gone().into_response(),
                        response = next.run(request) => ending(response, connection.clone()),
                    }
                }
            };
            let app = routes(&alive).layer(axum::middleware::from_fn(watch));
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let server = axum_server::from_tcp(listener).unwrap().acceptor(WatchingAcceptor(connections));
            tokio::spawn(server.serve(app.into_make_service_with_connect_info::<SocketAddr>()));
            Self { address, alive, over }
        }

        async fn ask(&self, path: &str, close: bool) -> TcpStream {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let mut client = socket.connect(self.address).await.unwrap();
            let close = if close { "Connection: close\r\n" } else { "" };
            client.write_all(format!("GET {path} HTTP/1.1\r\nHost: node\r\n{close}\r\n").as_bytes()).await.unwrap();
            client
        }

        /// Until so many answers hold a key.
        async fn alive(&self, wanted: u64) {
            let until = Instant::now() + Duration::from_secs(30);
            while self.alive.load(Ordering::SeqCst) != wanted {
                assert!(Instant::now() < until, "never {wanted} hold a key");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    /// How much still comes, and whether the connection was reset behind it.
    async fn rest(client: &mut TcpStream) -> (usize, bool) {
        let mut rest = Vec::new();
        let ended = client.read_to_end(&mut rest).await;
        (rest.len(), ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset))
    }

    #[tokio::test]
    async fn at_the_hour_a_client_that_reads_nothing_loses_its_connection_and_its_answer_the_key() {
        let door = Fixture::new();
        let mut client = door.ask("/endless", false).await;
        client.readable().await.unwrap();
        door.alive(1).await;
        door.over.store(true, Ordering::SeqCst);
        door.alive(0).await;
        client.ready(Interest::ERROR).await.unwrap();
        // What lies in its own kernel is its own; nothing more comes.
        let (left, was_reset) = rest(&mut client).await;
        assert!(was_reset && left < 65_536, "{left} bytes");
    }

    #[tokio::test]
    async fn an_answer_that_waits_for_its_store_lets_go_too() {
        let door = Fixture::new();
        let clients = [door.ask("/hangs", false).await, door.ask("/works", false).await];
        door.alive(2).await;
        door.over.store(true, Ordering::SeqCst);
        door.alive(0).await;
        drop(clients);
    }

    #[tokio::test]
    async fn what_lies_in_the_kernel_of_an_idle_or_closed_connection_is_not_sent_after_the_hour() {
        let door = Fixture::new();
        for (close, half_closed) in [(false, false), (true, false), (true, true)] {
            door.over.store(false, Ordering::SeqCst);
            let mut client = door.ask("/whole", close).await;
            client.read_exact(&mut [0; 100]).await.unwrap();
            if half_closed {
                client.shutdown().await.unwrap();
            }
            door.over.store(true, Ordering::SeqCst);
            client.ready(Interest::ERROR).await.unwrap();
            let (left, was_reset) = rest(&mut client).await;
            assert!(was_reset && left < WHOLE / 2, "{left} bytes");
        }
    }

    #[tokio::test]
    async fn before_the_hour_everything_arrives_whole() {
        let door = Fixture::new();
        let mut client = door.ask("/whole", true).await;
        let (came, was_reset) = rest(&mut client).await;
        assert!(came > WHOLE && !was_reset, "{came} bytes");
    }
}
