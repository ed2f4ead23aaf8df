//! **The question:** what does a net thread do next? The loop that `net-n` runs: it owns a media socket, its peers, and
//! what rooms send to them.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::base::limits;
use crate::engine::flow::{Counter, Waker};
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::event::NetEvents;
use crate::io::webrtc::pass::Inbox;
use crate::io::webrtc::switch::{Seat, Switch};
use crate::io::webrtc::tcp::polls::Polls;
use crate::io::webrtc::udp::{MediaSocket, ReceiveBatch};

/// A net thread's ends of its channels.
pub(super) struct NetWiring {
    /// From the control thread.
    pub(super) commands: Receiver<NetCommand>,
    /// From the other net threads.
    pub(super) inbox: Inbox,
    /// To the control thread.
    pub(super) events: NetEvents,
    /// This thread's.
    pub(super) waker: Waker,
    /// What is counted.
    pub(super) counters: NetCounters,
    /// Which of its connections is to be looked at.
    pub(super) polls: Polls,
    /// Its place among the net threads.
    pub(super) seat: Seat,
}

/// The socket, and everything behind it.
pub(super) struct Net {
    socket: MediaSocket,
    commands: Receiver<NetCommand>,
    inbox: Inbox,
    waker: Waker,
    switch: Switch,
    rounds_long: Counter,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    GoOn,
    /// Commands still wait, but media have waited long enough.
    Media,
    Stop,
}

impl Net {
    /// A net thread's state around its socket.
    pub(super) fn new(socket: MediaSocket, wiring: NetWiring) -> Self {
        let NetWiring { commands, inbox, events, waker, counters, polls, seat } = wiring;
        let rounds_long = counters.rounds_long.clone();
        let switch = Switch::new(events, counters, waker.clone(), (seat, polls));
        Self { socket, commands, inbox, waker, switch, rounds_long }
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut batch = ReceiveBatch::new(&self.socket);
        let mut held = None;
        loop {
            let began = Instant::now();
            self.receive(&mut batch, began);
            self.switch.read_streams(&self.socket);
            let (passes, strays) = held.take().unwrap_or_else(|| self.inbox.take());
            match self.obey() {
                Turn::Stop => return self.switch.stop(&self.socket, Instant::now()),
                Turn::Media => {
                    // They come after all commands that lay here before them.
                    held = Some((passes, strays));
                    self.advance(began);
                    continue;
                }
                Turn::GoOn => {}
            }
            for pass in passes {
                self.switch.passed(&self.socket, Instant::now(), pass);
            }
            for stray in strays {
                self.switch.stray(&self.socket, Instant::now(), &stray);
            }
            let deadline = self.advance(began);
            self.waker.sleep_until_readable(self.switch.readable(&self.socket), Some(deadline));
        }
    }

    /// Takes datagrams until none waits or others must have their turn.
    fn receive(&mut self, batch: &mut ReceiveBatch, began: Instant) {
        let mut now = began;
        for _ in 0..limits::BATCHES_A_ROUND {
            let (socket, switch) = (&self.socket, &mut self.switch);
            batch.receive(socket, |source, destination, datagram| {
                switch.datagram(socket, now, source, destination, datagram);
            });
            now = Instant::now();
            if batch.is_drained() || now - began >= limits::TURN_SPAN {
                break;
            }
        }
    }

    /// Takes the commands that wait, unless another thread has no room for what it is owed: then they wait too.
    fn obey(&mut self) -> Turn {
        let (began, mut now) = (Instant::now(), Instant::now());
        while !self.switch.is_owing() {
            if now - began >= limits::TURN_SPAN {
                return Turn::Media;
            }
            match self.commands.try_recv() {
                Ok(NetCommand::Stop) | Err(TryRecvError::Disconnected) => return Turn::Stop,
                Ok(NetCommand::Pulse(said)) => said.store(true, Ordering::Release),
                Ok(command) => self.switch.command(&self.socket, now, command),
                Err(TryRecvError::Empty) => break,
            }
            now = Instant::now();
        }
        Turn::GoOn
    }

    /// Media and timers; says when they must have their next turn.
    fn advance(&mut self, began: Instant) -> Instant {
        let deadline = self.switch.advance(&self.socket, Instant::now());
        let took = began.elapsed();
        if took > limits::LONG_ROUND {
            self.rounds_long.add(1);
            tracing::debug!(?took, "a net thread's round took long");
        }
        deadline
    }
}
