//! **The question:** how does the control thread reach a worker thread? A worker: one named thread, one bounded
//! mailbox, one waker.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::engine::flow::{CommandSender, Counter, Waker};
use crate::io::telemetry::log::alias;
use crate::io::telemetry::panics::Panics;

/// The control thread's end of a worker thread.
pub struct Worker<C> {
    commands: CommandSender<C>,
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

impl<C> Mailbox<C> {
    /// Takes every command there is; false once the other end is gone: then the worker ends.
    pub fn drain(&self, mut apply: impl FnMut(C)) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(command) => apply(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }
}

impl<C: Send + 'static> Worker<C> {
    /// Starts the thread `name`, without which the node cannot go on: a panic is told to `panics`.
    ///
    /// # Errors
    /// When the process is out of threads or file descriptors.
    pub fn start(name: &str, panics: &Panics, body: impl FnOnce(Mailbox<C>) + Send + 'static) -> io::Result<Self> {
        let (told, panics) = (name.to_owned(), panics.clone());
        Self::spawn(name, move |mailbox| panics.vital(&told, || body(mailbox)))
    }

    /// Starts the thread `name`, which can be done without.
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub fn start_minor(
        name: &str,
        panics: &Panics,
        body: impl FnOnce(Mailbox<C>) + Send + 'static,
    ) -> io::Result<Self> {
        let (told, panics) = (name.to_owned(), panics.clone());
        Self::spawn(name, move |mailbox| panics.minor(&told, || body(mailbox)))
    }

    fn spawn(name: &str, body: impl FnOnce(Mailbox<C>) + Send + 'static) -> io::Result<Self> {
        let waker = Waker::new()?;
        let (commands, mailbox) = CommandSender::new(limits::COMMANDS_LEN, waker.clone());
        let mailbox = Mailbox { commands: mailbox, waker };
        let thread = thread::Builder::new().name(name.into()).spawn(move || body(mailbox))?;
        Ok(Self { commands, thread: Some(thread), load: 0 })
    }

    /// Hands over a command; never waits.
    pub fn send(&self, command: C) {
        self.commands.send(command);
    }

    /// Hands over what found no room so far; whether all of it is handed over now.
    pub fn flush(&self) -> bool {
        self.commands.flush()
    }

    /// The waker of the worker, for the seams it reads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.commands.waker()
    }
}

impl<C> Drop for Worker<C> {
    fn drop(&mut self) {
        self.commands.close();
        if let Some(thread) = self.thread.take() {
            // A panic that got past `guard` was printed by the thread itself.
            let _ = thread.join();
        }
    }
}

/// The earlier of two deadlines, where either may be absent.
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
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
