//! **The question:** how does the control thread reach the net threads without knowing which of them holds a peer?

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::Sender;

use crate::base::limits;
use crate::engine::flow::{CommandSender, Waker};
use crate::io::telemetry::panics::Panics;
use crate::io::webrtc::command::NetCommand;
use crate::io::webrtc::counters::NetCounters;
use crate::io::webrtc::event::{NetEvent, NetEvents};
use crate::io::webrtc::losses::Losses;
use crate::io::webrtc::net::{Net, NetWiring};
use crate::io::webrtc::pass::inbox;
use crate::io::webrtc::registry::Registry;
use crate::io::webrtc::switch::Seat;
use crate::io::webrtc::tcp::door::{DoorThread, TcpPort};
use crate::io::webrtc::tcp::polls::Polls;
use crate::io::webrtc::udp::MediaSocket;

/// All net threads, `net-0` and on, as one. Dropping it ends them.
pub struct NetWorkers {
    registry: Arc<Registry>,
    workers: Vec<Worker>,
    door: Option<DoorThread>,
}

struct Worker {
    commands: CommandSender<NetCommand>,
    thread: Option<JoinHandle<()>>,
    /// When it was last asked whether it lives, and whether it said so.
    asked: Cell<Option<Instant>>,
    said: Arc<AtomicBool>,
}

impl Worker {
    fn new(commands: CommandSender<NetCommand>, thread: Option<JoinHandle<()>>) -> Self {
        Self { commands, thread, asked: Cell::default(), said: Arc::default() }
    }

    fn beats(&self, now: Instant) -> bool {
        if let Some(asked) = self.asked.get()
            && !self.said.load(Ordering::Acquire)
        {
            return now < asked + limits::HEALTH_SPAN;
        }
        self.said.store(false, Ordering::Release);
        self.asked.set(Some(now));
        self.commands.send(NetCommand::Pulse(self.said.clone()));
        true
    }
}

impl NetWorkers {
    /// Starts a thread for each of `sockets`, which share one port. They report into `events`, whose reader sleeps on
    /// `control`; one that panics tells `panics`.
    ///
    /// # Errors
    /// When the process is out of threads or file descriptors.
    pub fn start(
        sockets: Vec<MediaSocket>,
        events: &Sender<NetEvent>,
        control: &Waker,
        counters: &NetCounters,
        panics: &Panics,
    ) -> io::Result<Self> {
        let wakers = sockets.iter().map(|_| Waker::new()).collect::<io::Result<Vec<_>>>()?;
        let (doors, inboxes): (Vec<_>, Vec<_>) = wakers.iter().map(|waker| inbox(waker.clone())).unzip();
        let (strayed, discarded) = (counters.datagrams_strayed.clone(), counters.strays_discarded.clone());
        let registry = Arc::new(Registry::new(doors, strayed, discarded));
        let losses = Arc::new(Losses::default());
        let mut started = Self { registry: registry.clone(), workers: Vec::new(), door: None };
        for (number, ((socket, inbox), waker)) in sockets.into_iter().zip(inboxes).zip(wakers).enumerate() {
            let polls = Polls::new(socket.as_fd())?;
            let (commands, mailbox) = CommandSender::new(limits::COMMANDS_LEN, waker.clone());
            let wiring = NetWiring {
                commands: mailbox,
                inbox,
                events: NetEvents::new(events.clone(), control.clone(), counters.events_refused.clone()),
                waker,
                counters: counters.clone(),
                polls,
                seat: Seat { number, registry: registry.clone(), losses: losses.clone() },
            };
            let (name, panics) = (format!("net-{number}"), panics.clone());
            let thread = thread::Builder::new().name(name.clone());
            let thread = thread.spawn(move || panics.vital(&name, || Net::new(socket, wiring).run()))?;
            started.workers.push(Worker::new(commands, Some(thread)));
        }
        Ok(started)
    }

    /// Takes connections in by `port`, too, from now on.
    ///
    /// # Errors
    /// As [`NetWorkers::start`].
    pub fn open(&mut self, port: TcpPort, counters: &NetCounters, panics: &Panics) -> io::Result<()> {
        self.door = Some(DoorThread::start(port, self.registry.clone(), counters, panics)?);
        Ok(())
    }

    /// Hands over a command: what concerns rooms and rungs to all threads, what concerns a peer to the one it was added
    /// at, and a new peer to the one with the fewest. Never waits.
    pub fn send(&self, command: NetCommand) {
        match command {
            NetCommand::AddRoom { room, epoch, audio } => {
                self.broadcast(|| NetCommand::AddRoom { room: room.clone(), epoch, audio: audio.clone() });
            }
            NetCommand::RemoveRoom(room) => self.broadcast(|| NetCommand::RemoveRoom(room.clone())),
            NetCommand::AddRung { room, rung, video, keyframe_requests } => self.broadcast(|| NetCommand::AddRung {
                room: room.clone(),
                rung,
                video: video.clone(),
                keyframe_requests: keyframe_requests.clone(),
            }),
            NetCommand::RemoveRung { room, rung } => {
                self.broadcast(|| NetCommand::RemoveRung { room: room.clone(), rung });
            }
            NetCommand::Stop => self.broadcast(|| NetCommand::Stop),
            NetCommand::AddPeer { peer } => {
                let home = self.registry.settle(peer.id());
                self.workers[home].commands.send(NetCommand::AddPeer { peer });
            }
            NetCommand::AddCaller { peer, socket } => {
                let home = self.registry.settle(peer.id());
                self.workers[home].commands.send(NetCommand::AddCaller { peer, socket });
            }
            command => {
                // A peer that is gone by itself has no home; the event that says so is on its way.
                if let Some(home) = command.peer().and_then(|peer| self.registry.home(peer)) {
                    self.workers[home].commands.send(command);
                }
            }
        }
    }

    /// Hands over what found no room so far; whether all of it is handed over now.
    #[must_use]
    pub fn flush(&self) -> bool {
        self.workers.iter().fold(true, |done, worker| done & worker.commands.flush())
    }

    /// Asks every thread whether it lives. Whether all have said so that were asked more than `limits::HEALTH_SPAN`
    /// ago: one that hangs shows at the second time of asking. Never waits.
    #[must_use]
    pub fn beats(&self, now: Instant) -> bool {
        self.workers.iter().fold(true, |all, worker| all & worker.beats(now))
    }

    /// The waker of one of the threads, for keyframe requests: each thread looks at those of its peers every
    /// [`limits::WISHES_SPACING`] anyway.
    ///
    /// # Panics
    /// Never: there is at least one socket.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.workers.first().expect("at least one socket was bound").commands.waker()
    }

    fn broadcast(&self, command: impl Fn() -> NetCommand) {
        self.workers.iter().for_each(|worker| worker.commands.send(command()));
    }
}

impl Drop for NetWorkers {
    fn drop(&mut self) {
        drop(self.door.take());
        self.workers.iter_mut().for_each(|worker| worker.commands.close());
        for handle in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            // A panic was printed by the thread itself; tests are not to overlook it.
            let joined = handle.join();
            assert!(!cfg!(test) || joined.is_ok() || thread::panicking(), "a net thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_reads_nothing_is_missed_until_it_does() {
        let (commands, mailbox) = CommandSender::new(limits::COMMANDS_LEN, Waker::new().unwrap());
        let (worker, now) = (Worker::new(commands, None), Instant::now());
        let read = || match mailbox.try_recv() {
            Ok(NetCommand::Pulse(said)) => said.store(true, Ordering::Release),
            _ => panic!("it is asked"),
        };
        let after = |spans: u32| now + limits::HEALTH_SPAN * spans;
        assert!(worker.beats(now), "who was not asked before is given time");
        read();
        assert!(worker.beats(after(1)) && worker.beats(after(1)), "it said so, and is asked again");
        assert!(!worker.beats(after(2)), "it says nothing");
        assert!(!worker.beats(after(9)) && mailbox.len() == 1, "and is asked no more");
        read();
        assert!(worker.beats(after(10)), "it lives after all");
    }
}
