//! **The question:** what does a net thread do next? The loop that `net-n` runs: it owns a media socket, its peers, and
//! what rooms send to them.

use std::time::Instant;

use crossbeam_channel::{Receiver, TryRecvError};

use crate::base::limits;
use crate::engine::flow::Waker;
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::event::NetEvents;
use crate::io::webrtc::pass::Inbox;
use crate::io::webrtc::switch::{Seat, Switch};
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
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    GoOn,
    Stop,
}

impl Net {
    /// A net thread's state around its socket.
    pub(super) fn new(socket: MediaSocket, wiring: NetWiring) -> Self {
        let NetWiring { commands, inbox, events, waker, counters, seat } = wiring;
        let switch = Switch::new(events, counters, waker.clone(), seat);
        Self { socket, commands, inbox, waker, switch }
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        let mut batch = ReceiveBatch::new(&self.socket);
        loop {
            self.receive(&mut batch);
            let (passes, strays) = self.inbox.take();
            if self.obey() == Turn::Stop {
                return self.switch.stop(&self.socket, Instant::now());
            }
            for pass in passes {
                self.switch.passed(&self.socket, Instant::now(), pass);
            }
            for stray in strays {
                self.switch.stray(&self.socket, Instant::now(), &stray);
            }
            let deadline = self.switch.advance(&self.socket, Instant::now());
            self.waker.sleep_until_readable(self.socket.as_fd(), Some(deadline));
        }
    }

    fn receive(&mut self, batch: &mut ReceiveBatch) {
        for _ in 0..limits::BATCHES_A_ROUND {
            let now = Instant::now();
            let (socket, switch) = (&self.socket, &mut self.switch);
            let count = batch.receive(socket, |source, destination, datagram| {
                switch.datagram(socket, now, source, destination, datagram);
            });
            if count == 0 {
                break;
            }
        }
    }

    /// Takes the commands that wait, unless another thread has no room for what it is owed: then they wait too.
    fn obey(&mut self) -> Turn {
        while !self.switch.is_owing() {
            match self.commands.try_recv() {
                Ok(NetCommand::Stop) | Err(TryRecvError::Disconnected) => return Turn::Stop,
                Ok(command) => self.switch.command(&self.socket, Instant::now(), command),
                Err(TryRecvError::Empty) => break,
            }
        }
        Turn::GoOn
    }
}
