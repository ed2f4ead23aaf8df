//! **The question:** how does a command reach the control thread? A bounded queue of requests, each with a one-shot
//! reply.

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use crate::base::limits;
use crate::core::access::Caller;
use crate::engine::flow::{Counter, Waker};
use crate::io::api::{Command, Place, Refusal, Reply};

/// A command and who asks.
#[derive(Debug)]
pub struct Request {
    /// Whoever stands behind it, as far as the door knows; `core/access` judges.
    pub caller: Caller,
    /// What is asked.
    pub command: Command,
}

/// What the control thread says when it is asked how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulse {
    /// A room that is asked for would begin.
    Open,
    /// It lives, and no room would begin; says why.
    Closed(Refusal),
    /// It says nothing.
    None,
}

/// Where requests lay their commands; clones share the queue. Full: the caller gets 503, counted `commands_refused`.
#[derive(Debug, Clone)]
pub struct ControlHandle {
    requests: Sender<Request>,
    waker: Waker,
    refused: Counter,
}

impl ControlHandle {
    /// A handle and the control thread's end of it. `waker` is the one that the control thread sleeps on.
    #[must_use]
    pub fn new(waker: Waker, refused: Counter) -> (Self, Receiver<Request>) {
        let (requests, receiver) = bounded(limits::COMMANDS_LEN);
        (Self { requests, waker, refused }, receiver)
    }

    /// Lays one command of `caller` and waits for its reply, at most `limits::HTTP_REPLY_SPAN`.
    ///
    /// # Errors
    /// What the node says; [`Refusal::Busy`] where it has no time to, and [`Refusal::Draining`] where it is gone.
    pub async fn request<T>(&self, caller: Caller, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        match self.requests.try_send(Request { caller, command: command(reply) }) {
            Ok(()) => self.waker.wake(),
            Err(TrySendError::Full(_)) => {
                self.refused.add(1);
                return Err(Refusal::Busy);
            }
            Err(TrySendError::Disconnected(_)) => return Err(Refusal::Draining),
        }
        match tokio::time::timeout(limits::HTTP_REPLY_SPAN, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Refusal::Draining),
            Err(_) => Err(Refusal::Busy),
        }
    }

    /// Wakes the control thread.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Asks the control thread within `limits::HEALTH_SPAN` whether a new room would begin; nobody outside of the
    /// process is asked, no store and no keeper. Whatever it says, also that none would, shows that it lives; its
    /// silence, a queue that stays full, or its word that a thread hangs beside it, that it does not.
    pub async fn pulse(&self) -> Pulse {
        let word = async {
            let answer = loop {
                let (reply, answer) = oneshot::channel();
                let command = Command::Find { place: Place::NewRoom, reply };
                match self.requests.try_send(Request { caller: Caller::Anyone, command }) {
                    Ok(()) => break answer,
                    Err(TrySendError::Full(_)) => tokio::time::sleep(limits::HEALTH_SPAN / 20).await,
                    Err(TrySendError::Disconnected(_)) => return None,
                }
            };
            self.waker.wake();
            answer.await.ok()
        };
        match tokio::time::timeout(limits::HEALTH_SPAN, word).await {
            Ok(Some(Ok(()))) => Pulse::Open,
            Ok(None | Some(Err(Refusal::Hung))) | Err(_) => Pulse::None,
            Ok(Some(Err(refusal))) => Pulse::Closed(refusal),
        }
    }
}
