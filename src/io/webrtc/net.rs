//! **The question:** which datagram belongs to which peer, and what is sent next? The loop that a `net-0` thread runs: it owns
//! the media socket, every peer, and what rooms send.

use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TryRecvError};

use crate::engine::flow::Waker;
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::event::{NetEvent, NetEvents};
use crate::io::webrtc::switch::Switch;
use crate::io::webrtc::udp::{MediaSocket, ReceiveBatch};

/// The net thread's ends of its channels.
pub struct NetWiring {
    /// From the control thread.
    pub commands: Receiver<NetCommand>,
    /// To the control thread.
    pub events: Sender<NetEvent>,
    /// The control thread's.
    pub control: Waker,
    /// This thread's.
    pub waker: Waker,
    /// What is counted.
    pub counters: NetCounters,
}

/// The socket, and everything behind it.
pub struct Net {
    socket: MediaSocket,
    wiring: NetWiring,
    switch: Switch,
}

/// Batches received before commands, rooms and timers get their turn.
const BATCHES_PER_ROUND: usize = 8;

impl Net {
    /// A net thread's state around its socket.
    #[must_use]
    pub fn new(socket: MediaSocket, wiring: NetWiring) -> Self {
        let (events, control, refused) =
            (wiring.events.clone(), wiring.control.clone(), wiring.counters.events_refused.clone());
        let events = NetEvents::new(events, control, refused);
        let switch = Switch::new(events, wiring.counters.clone(), wiring.waker.clone());
        Self { socket, wiring, switch }
    }

    /// Serves until told to stop.
    pub fn run(mut self) {
        let mut batch = ReceiveBatch::new(&self.socket);
        loop {
            self.receive(&mut batch);
            loop {
                match self.wiring.commands.try_recv() {
                    Ok(NetCommand::Stop) | Err(TryRecvError::Disconnected) => {
                        return self.switch.stop(&self.socket, Instant::now());
                    }
                    Ok(command) => self.switch.command(&self.socket, Instant::now(), command),
                    Err(TryRecvError::Empty) => break,
                }
            }
            let deadline = self.switch.advance(&self.socket, Instant::now());
            self.wiring.waker.sleep_until_readable(self.socket.as_fd(), Some(deadline));
        }
    }

    fn receive(&mut self, batch: &mut ReceiveBatch) {
        for _ in 0..BATCHES_PER_ROUND {
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
}
