//! **The question:** how does a command reach a thread without the one who gives it ever waiting? A bounded queue, and
//! behind it those that found no room, in order.

use std::cell::RefCell;
use std::collections::VecDeque;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::engine::flow::Waker;

/// The giver's end; the taker sleeps on its waker.
#[derive(Debug)]
pub struct CommandSender<C> {
    commands: Sender<C>,
    /// What found no room. It grows only while the taker stands still.
    waiting: RefCell<VecDeque<C>>,
    waker: Waker,
}

impl<C> CommandSender<C> {
    /// A queue for `len` commands to a thread that sleeps on `waker`.
    #[must_use]
    pub fn new(len: usize, waker: Waker) -> (Self, Receiver<C>) {
        let (commands, receiver) = bounded(len);
        (Self { commands, waiting: RefCell::default(), waker }, receiver)
    }

    /// Hands over a command, after those that found no room before it. Never waits: what finds none is handed over by
    /// [`flush`](Self::flush).
    pub fn send(&self, command: C) {
        self.waiting.borrow_mut().push_back(command);
        self.flush();
    }

    /// Hands over what found no room so far; whether all of it is handed over now.
    pub fn flush(&self) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() {
            return true;
        }
        while let Some(command) = waiting.pop_front() {
            match self.commands.try_send(command) {
                Ok(()) => {}
                Err(TrySendError::Full(command)) => {
                    waiting.push_front(command);
                    break;
                }
                // A thread that ended (its panic was reported) has nothing left to command.
                Err(TrySendError::Disconnected(_)) => waiting.clear(),
            }
        }
        self.waker.wake();
        waiting.is_empty()
    }

    /// The taker's waker, for the seams it reads.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Says that nothing more will come. Waits until the taker has room for what found none, for it must not be lost.
    pub fn close(&mut self) {
        for command in self.waiting.get_mut().drain(..) {
            self.waker.wake();
            if self.commands.send(command).is_err() {
                break;
            }
        }
        let (closed, _) = bounded(0);
        self.commands = closed;
        self.waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_no_room_waits_in_order_and_nobody_else_does() {
        let (sender, receiver) = CommandSender::new(2, Waker::new().unwrap());
        (0..5).for_each(|n| sender.send(n));
        assert!(!sender.flush(), "three found no room");
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1]);
        assert!(!sender.flush());
        sender.send(5);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [2, 3]);
        assert!(sender.flush());
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [4, 5]);
        drop(receiver);
        sender.send(6);
        assert!(sender.flush(), "nobody is left to take it");
    }
}
