//! **The question:** how much of what strangers send is in hand at once? Bodies by their bytes, over all routes; files
//! that have to be decoded one after the other, whatever they are.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::{StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::base::limits;
use crate::engine::flow::Counter;
use crate::io::api::Refusal;
use crate::io::http::connections::{Connections, Served};
use crate::io::http::problem::Problem;

/// Bytes that one permit of the budget stands for, and the least that a piece of a body counts.
const UNIT_BYTES: usize = 1024;
/// A piece shorter than this is copied out of the buffer that it came in, which it would keep.
const PIECE_BYTES: usize = 4096;

/// What all requests of a door share; clones are the same gate.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    bodies: Arc<Semaphore>,
    decodes: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    refused: Counter,
}

/// One request while it is in hand.
#[derive(Debug)]
pub(super) struct InHand {
    gate: Gate,
    connections: Connections,
    peer: SocketAddr,
    served: OnceLock<Served>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
    fate: AtomicU8,
}

/// What became of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Fate {
    /// Nothing in particular.
    Fair,
    /// It is thrown away as it comes.
    Discarded,
    /// Nothing came of it for too long.
    Stalled,
    /// Too much of others was in hand.
    Crowded,
}

impl Gate {
    /// A gate through which nothing has gone; it counts those it turns away.
    pub(super) fn new(refused: Counter) -> Self {
        let of = |permits: usize| Arc::new(Semaphore::new(permits));
        let bodies = of(limits::BODIES_LEN_MAX / UNIT_BYTES);
        Self { bodies, decodes: of(limits::DECODES_AT_ONCE), waiting: of(limits::DECODES_WAITING_MAX), refused }
    }

    /// Runs `work`, which decodes something, on a thread of its own. At most `limits::DECODES_AT_ONCE` run and few
    /// wait; the next is told to come back. The thread ends with the work: an allocator keeps what a thread gave back
    /// for that thread, and a pool's threads, each after one large file, would keep that file's memory many times.
    pub(super) async fn decode<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let waits = self.waiting.clone().try_acquire_owned().map_err(|_| self.turn_away())?;
        let turn = self.decodes.clone().acquire_owned().await.map_err(|_| Refusal::Draining)?;
        drop(waits);
        let (done, told) = oneshot::channel();
        let body = move || {
            // Held until the work is over, even if the client hangs up before.
            let _turn = turn;
            // Nobody may be there any more to take it.
            drop(done.send(work()));
        };
        thread::Builder::new().name("file".into()).spawn(body).map_err(|_| self.turn_away())?;
        told.await.map_err(|_| Refusal::Draining.into())
    }

    fn turn_away(&self) -> Problem {
        self.refused.add(1);
        Problem::crowded()
    }
}

impl InHand {
    /// A request that begins on the connection of `peer`.
    pub(super) fn new(gate: Gate, connections: Connections, peer: SocketAddr) -> Arc<Self> {
        let fate = AtomicU8::new(Fate::Fair as u8);
        Arc::new(Self { gate, connections, peer, served: OnceLock::new(), held: Mutex::new(None), fate })
    }

    /// It has arrived whole: its connection makes way for no other until it is answered.
    pub(super) fn has_arrived(&self) {
        self.served.get_or_init(|| self.connections.serve(self.peer));
    }

    /// The answer to give in place of the handler's, if the body met with a bad fate.
    pub(super) fn misfortune(&self) -> Option<Problem> {
        match self.fate.load(Ordering::Acquire) {
            fate if fate == Fate::Stalled as u8 => Some(Problem::stalled()),
            fate if fate == Fate::Crowded as u8 => Some(self.gate.turn_away()),
            _ => None,
        }
    }

    /// Its body is dealt with, or lost.
    pub(super) fn let_go(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// As [`Gate::decode`].
    pub(super) async fn decode<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.gate.decode(work).await
    }

    /// `body`, which fails when it stalls or when there is no room for it.
    pub(super) fn watch(self: &Arc<Self>, body: Body) -> Body {
        let begun = (body.into_data_stream(), self.clone());
        Body::from_stream(stream::try_unfold(begun, async |(mut pieces, request)| {
            let piece = request.next_of(&mut pieces).await?;
            Ok::<_, BoxError>(piece.map(|piece| (piece, (pieces, request))))
        }))
    }

    async fn next_of(&self, pieces: &mut BodyDataStream) -> Result<Option<Bytes>, BoxError> {
        let Ok(next) = timeout(limits::HTTP_STALL_SPAN, pieces.next()).await else {
            self.fate.store(Fate::Stalled as u8, Ordering::Release);
            return Err("nothing came for too long".into());
        };
        let Some(piece) = next.transpose()? else {
            self.has_arrived();
            return Ok(None);
        };
        self.connections.note_progress(self.peer);
        if self.fate.load(Ordering::Acquire) != Fate::Discarded as u8 && !self.hold(piece.len()) {
            self.fate.store(Fate::Crowded as u8, Ordering::Release);
            return Err("too much is in hand".into());
        }
        Ok(Some(if piece.len() < PIECE_BYTES { Bytes::copy_from_slice(&piece) } else { piece }))
    }

    fn hold(&self, bytes: usize) -> bool {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let Ok(more) = self.gate.bodies.clone().try_acquire_many_owned(units) else { return false };
        match &mut *self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(held) => held.merge(more),
            none => *none = Some(more),
        }
        true
    }

    /// The whole of a body of at most `len_max` bytes, in one piece.
    pub(super) async fn whole(&self, body: Body, headers: &HeaderMap, len_max: usize) -> Result<Vec<u8>, Problem> {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let mut file = Vec::with_capacity(announced.unwrap_or(0).min(len_max));
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| Problem::broken_off(&error))?;
            if file.len() + piece.len() > len_max {
                return Err(Problem::too_large(len_max));
            }
            file.extend_from_slice(&piece);
        }
        Ok(file)
    }

    /// Throws away what comes of a body that nobody wants, for a while, so that the client reads why. One that asks
    /// before it sends (RFC 9110 section 10.1.1) sends nothing.
    pub(super) async fn discard(&self, body: Body, headers: &HeaderMap) {
        if headers.contains_key(header::EXPECT) {
            return;
        }
        self.fate.store(Fate::Discarded as u8, Ordering::Release);
        let mut pieces = body.into_data_stream();
        let rest = async {
            let mut left = limits::PICTURE_LEN_MAX;
            while let Some(Ok(piece)) = pieces.next().await {
                match left.checked_sub(piece.len()) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // What is late is not waited for.
        let _ = timeout(DISCARD, rest).await;
    }
}

/// How long an unwanted body is read at most.
const DISCARD: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::io::api::DoorCounters;

    fn request(gate: &Gate) -> Arc<InHand> {
        let connections = Connections::new(8, DoorCounters::default());
        InHand::new(gate.clone(), connections, SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    fn body_of(pieces: usize, len: usize) -> Body {
        let piece = Bytes::from(vec![0; len]);
        Body::from_stream(stream::iter((0..pieces).map(move |_| Ok::<_, BoxError>(piece.clone()))))
    }

    #[tokio::test]
    async fn bodies_in_hand_are_bounded_over_all_requests() {
        let gate = Gate::new(Counter::default());
        let megabyte = 1024 * 1024;
        let none = HeaderMap::new();
        let first = request(&gate);
        let half = limits::BODIES_LEN_MAX / megabyte / 2;
        let taken = first.whole(first.watch(body_of(half, megabyte)), &none, usize::MAX).await.unwrap();
        assert_eq!(taken.len(), limits::BODIES_LEN_MAX / 2);
        let second = request(&gate);
        assert!(second.whole(second.watch(body_of(half + 1, megabyte)), &none, usize::MAX).await.is_err());
        assert_eq!(second.misfortune(), Some(Problem::crowded()));
        assert_eq!(gate.refused.get(), 1);
        second.let_go();
        first.let_go();
        let third = request(&gate);
        assert!(third.whole(third.watch(body_of(2 * half, megabyte)), &none, usize::MAX).await.is_ok());
        let fourth = request(&gate);
        fourth.discard(fourth.watch(body_of(2, megabyte)), &none).await;
        assert_eq!(fourth.misfortune(), None, "what is thrown away takes no room");
    }

    #[tokio::test]
    async fn many_small_pieces_count_more_than_their_bytes() {
        let gate = Gate::new(Counter::default());
        let request = request(&gate);
        let pieces = limits::BODIES_LEN_MAX / UNIT_BYTES + 1;
        let told = request.whole(request.watch(body_of(pieces, 1)), &HeaderMap::new(), usize::MAX).await;
        assert!(told.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn files_are_decoded_one_after_the_other_and_few_wait() {
        let gate = Gate::new(Counter::default());
        let (go, gone) = mpsc::sync_channel::<()>(0);
        let first = tokio::spawn({
            let gate = gate.clone();
            async move { gate.decode(move || gone.recv().is_ok()).await }
        });
        while gate.decodes.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..limits::DECODES_WAITING_MAX)
            .map(|n| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.decode(move || n).await })
            })
            .collect();
        while gate.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(gate.decode(|| ()).await, Err(Problem::crowded()));
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Ok(true));
        for (n, waited) in waiting.into_iter().enumerate() {
            assert_eq!(waited.await.unwrap(), Ok(n));
        }
    }
}
