//! **The question:** how does the control thread reach a worker thread? A lane: one named thread, one bounded inlet, one waker.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::engine::flow::{Counter, Waker};
use crate::io::telemetry::log::alias;

/// The control thread's end of a worker thread.
pub struct Worker<C> {
    commands: Sender<C>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    /// What it carries, in the unit its owner spreads by (tracks, rooms).
    pub load: usize,
}

/// The worker's end.
pub struct Mailbox<C> {
    /// Commands in order; a closed channel means: end.
    pub commands: Receiver<C>,
    /// Woken by commands and by the seams the worker reads.
    pub waker: Waker,
}

impl<C: Send + 'static> Worker<C> {
    /// Starts the thread `name`.
    ///
    /// # Errors
    /// When the process is out of threads or file descriptors.
    pub fn start(name: &str, body: impl FnOnce(Mailbox<C>) + Send + 'static) -> io::Result<Self> {
        let waker = Waker::new()?;
        let (commands, mailbox) = bounded(limits::COMMANDS_LEN);
        let mailbox = Mailbox { commands: mailbox, waker: waker.clone() };
        let thread = thread::Builder::new().name(name.into()).spawn(move || body(mailbox))?;
        Ok(Self { commands, waker, thread: Some(thread), load: 0 })
    }

    /// Hands over a command. Waits while the inlet is full: workers never wait for the control thread, so it empties.
    pub fn send(&self, command: C) {
        // A worker that ended (its panic was reported) has nothing left to command.
        let _ = self.commands.send(command);
        self.waker.wake();
    }

    /// The waker of the worker, for the seams it reads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }
}

impl<C> Drop for Worker<C> {
    fn drop(&mut self) {
        let (closed, _) = bounded(0);
        self.commands = closed;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic that got past `guard` was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

/// The least loaded lane's index.
#[must_use]
pub fn least_loaded<C>(workers: &[Worker<C>]) -> usize {
    workers.iter().enumerate().min_by_key(|(_, worker)| worker.load).map_or(0, |(at, _)| at)
}

/// What worker threads tell the control thread.
#[derive(Debug)]
pub struct Reports<E> {
    events: Sender<E>,
    waker: Waker,
    refused: Counter,
}

impl<E> Clone for Reports<E> {
    fn clone(&self) -> Self {
        Self { events: self.events.clone(), waker: self.waker.clone(), refused: self.refused.clone() }
    }
}

impl<E> Reports<E> {
    /// Reports into `events`, whose reader sleeps on `waker`; what does not fit is counted in `refused`.
    #[must_use]
    pub fn new(events: Sender<E>, waker: Waker, refused: Counter) -> Self {
        Self { events, waker, refused }
    }

    /// Tells without waiting.
    pub fn send(&self, event: E) {
        if let Err(TrySendError::Full(_)) = self.events.try_send(event) {
            self.refused.add(1);
        }
        self.waker.wake();
    }
}

/// Runs one room's piece of work; a panic is caught, so that it ends that room and no other. `None` means it panicked.
pub fn guard<T>(room: &RoomId, work: impl FnOnce() -> T) -> Option<T> {
    // The room's objects are given up by the caller after a panic, so no broken invariant is ever observed.
    let result = catch_unwind(AssertUnwindSafe(work));
    if result.is_err() {
        tracing::error!(room = %alias(room), "a worker panicked; the room ends");
    }
    result.ok()
}
