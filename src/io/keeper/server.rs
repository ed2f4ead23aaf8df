//! **The question:** who comes in at a keeper's door, and for how long? Bounded lines, bounded frames, bounded
//! patience.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::base::limits;
use crate::engine::flow::Counter;
use crate::io::keeper::identity::{Identity, Role};
use crate::io::keeper::protocol::{LONGEST_FRAME_BYTES, Request, Response};

/// Who answers behind the door; may block on a disk.
pub type Desk = Arc<dyn Fn(Request) -> Response + Send + Sync>;

/// What a door counts; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ServerCounters {
    /// Asks that were answered.
    pub answered: Counter,
    /// Lines refused: no certificate of ours, or too many at once.
    pub refused: Counter,
    /// Asks that a keeper may not ask of another.
    pub not_theirs: Counter,
    /// Frames that were none; their line was closed.
    pub malformed: Counter,
}

/// Answers at `listener` until the future is let go.
pub async fn serve(listener: TcpListener, identity: Identity, desk: Desk, counters: ServerCounters) {
    let acceptor = TlsAcceptor::from(identity.server);
    let places = Arc::new(Semaphore::new(limits::KEEPER_LINES_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors: some will be given back.
                tracing::warn!(%error, "a line could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            counters.refused.add(1);
            continue;
        };
        tokio::spawn(admit(stream, acceptor.clone(), place, desk.clone(), counters.clone()));
    }
}

async fn admit(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    place: OwnedSemaphorePermit,
    desk: Desk,
    counters: ServerCounters,
) {
    let _ = stream.set_nodelay(true);
    let greeting = async {
        match stream.peek(&mut [0]).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(acceptor.accept(stream).await),
        }
    };
    let greeted = match timeout(limits::KEEPER_GREETING_SPAN, greeting).await {
        // Gone without a word: somebody looked whether the door is open, as orchestrators do every few seconds.
        Ok(None) => return,
        Ok(Some(greeted)) => greeted.ok(),
        Err(_) => None,
    };
    let role = |stream: &TlsStream<TcpStream>| {
        let chain = stream.get_ref().1.peer_certificates()?;
        chain.first().and_then(Role::of)
    };
    let admitted = greeted.and_then(|stream| Some((role(&stream)?, stream)));
    let Some((role, mut stream)) = admitted else {
        counters.refused.add(1);
        tracing::warn!("a line without a certificate of ours was refused");
        return;
    };
    converse(&mut stream, role, &desk, &counters).await;
    // The other end may be gone already.
    let _ = timeout(limits::KEEPER_GREETING_SPAN, stream.shutdown()).await;
    drop(place);
}

async fn converse(stream: &mut TlsStream<TcpStream>, role: Role, desk: &Desk, counters: &ServerCounters) {
    let mut frame = [0; LONGEST_FRAME_BYTES];
    loop {
        let asked = match timeout(limits::KEEPER_IDLE_SPAN, read_frame(stream, &mut frame)).await {
            Ok(Ok(body)) => Request::parse(body).ok(),
            Ok(Err(Broken::TooLong)) => None,
            Ok(Err(Broken::Gone)) | Err(_) => return,
        };
        let Some(ask) = asked else {
            counters.malformed.add(1);
            tracing::warn!("a frame that is none; its line is closed");
            return;
        };
        let answer = match (role, ask) {
            (Role::Node, _) | (Role::Keeper, Request::Time) => {
                let desk = desk.clone();
                // The keeper may wait for its disk.
                let Ok(answer) = tokio::task::spawn_blocking(move || desk(ask)).await else { return };
                answer
            }
            (Role::Keeper, _) => {
                counters.not_theirs.add(1);
                Response::NotYours
            }
        };
        let sent = timeout(limits::KEEPER_GREETING_SPAN, write_frame(stream, &answer.to_bytes())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
        counters.answered.add(1);
    }
}

/// Why no frame came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// The line ended.
    Gone,
    /// Longer than any frame of ours.
    TooLong,
}

/// The body of the next frame, in `frame`.
pub(super) async fn read_frame<'a>(
    stream: &mut (impl AsyncReadExt + Unpin),
    frame: &'a mut [u8; LONGEST_FRAME_BYTES],
) -> Result<&'a [u8], Broken> {
    let len = usize::from(stream.read_u16().await.map_err(|_| Broken::Gone)?);
    let body = frame.get_mut(..len).ok_or(Broken::TooLong)?;
    stream.read_exact(body).await.map_err(|_| Broken::Gone)?;
    Ok(body)
}

pub(super) async fn write_frame(stream: &mut (impl AsyncWriteExt + Unpin), body: &[u8]) -> std::io::Result<()> {
    let len = u16::try_from(body.len()).expect("frames are short");
    let mut frame = zeroize::Zeroizing::new(Vec::with_capacity(2 + body.len()));
    frame.extend_from_slice(&len.to_be_bytes());
    frame.extend_from_slice(body);
    stream.write_all(&frame).await?;
    stream.flush().await
}
