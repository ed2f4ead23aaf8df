//! **The question:** what does one simulated person notice? A thread that looks and listens, so that decoding holds up
//! no sender.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use tokio::sync::watch;

use super::error::LoadError;
use super::listener::{Listener, Sounds};
use super::places::Told;
use super::receiver::{Inward, Way};
use super::sendlog::SendLog;
use super::viewer::{Sights, Viewer};
use crate::base::limits;

/// Whether what happens counts. Written by the run, read by every witness.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    /// From now on it counts.
    pub fn begin(&self) {
        self.0.store(1, Ordering::Release);
    }

    /// From now on it does not.
    pub fn end(&self) {
        self.0.store(2, Ordering::Release);
    }

    fn is_measuring(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) == 2
    }
}

/// What one witness tells in the end.
#[derive(Debug)]
pub(super) struct Testimony {
    /// Who tells it.
    pub number: usize,
    /// What was seen, by those who look.
    pub sights: Option<Sights>,
    /// What was heard.
    pub sounds: Sounds,
}

/// A person's eyes and ears.
pub(super) struct Witness {
    /// What arrives goes in here.
    pub senses: Sender<Inward>,
    /// By which connection the picture comes that is seen.
    pub shown: watch::Sender<Way>,
    thread: JoinHandle<Testimony>,
}

impl Witness {
    /// Opens the ears of person `number`, who listens for `speakers`, and their eyes if `looks`.
    ///
    /// # Errors
    /// When no decoder or thread can be had.
    pub fn open(
        number: usize,
        looks: bool,
        speakers: &[usize],
        log: Arc<SendLog>,
        phase: Arc<Phase>,
    ) -> Result<Self, LoadError> {
        let failed = |why: String| LoadError::System(format!("a decoder for person {number}: {why}"));
        let viewer = looks.then(|| Viewer::new(log.people())).transpose().map_err(|e| failed(e.to_string()))?;
        let listener = Listener::new(number, speakers, log.first()).map_err(|e| failed(e.to_string()))?;
        let (senses, inward) = bounded(limits::LOAD_SENSES_LEN);
        let shown = watch::Sender::new(0);
        let attention = Attention { number, viewer, listener, log, phase, way: 0, shown: shown.clone() };
        let body = move || attention.pay(&inward);
        let thread = thread::Builder::new().name(format!("witness-{number}")).spawn(body);
        let thread = thread.map_err(|e: io::Error| failed(e.to_string()))?;
        Ok(Self { senses, shown, thread })
    }

    /// What was noticed; the phase must have ended.
    pub fn close(self) -> Option<Testimony> {
        drop(self.senses);
        self.thread.join().ok()
    }
}

struct Attention {
    number: usize,
    viewer: Option<Viewer>,
    listener: Listener,
    log: Arc<SendLog>,
    phase: Arc<Phase>,
    /// By which connection is looked and listened.
    way: Way,
    shown: watch::Sender<Way>,
}

impl Attention {
    fn pay(mut self, inward: &Receiver<Inward>) -> Testimony {
        let mut has_begun = false;
        while !self.phase.is_over() {
            if !has_begun && self.phase.is_measuring() {
                has_begun = true;
                let now = Instant::now();
                self.listener.begin(now);
                if let Some(viewer) = &mut self.viewer {
                    viewer.begin(now);
                }
            }
            match inward.recv_timeout(limits::LOAD_PHASE_SPACING) {
                Ok(sense) => self.notice(sense),
                Err(RecvTimeoutError::Timeout) => {}
                // Nothing comes any more, and the end is still to be waited for.
                Err(RecvTimeoutError::Disconnected) => thread::sleep(limits::LOAD_PHASE_SPACING),
            }
        }
        let now = Instant::now();
        let sights = self.viewer.map(|viewer| viewer.end(now, &self.log));
        Testimony { number: self.number, sights, sounds: self.listener.end(now) }
    }

    fn notice(&mut self, sense: Inward) {
        match (sense, &mut self.viewer) {
            (Inward::Picture(way, frame), Some(viewer)) => {
                let seen = viewer.look((way, &frame), &self.log);
                if seen > self.way {
                    // From now on what comes by the connection before is neither seen nor heard.
                    self.way = seen;
                    self.shown.send_replace(seen);
                }
            }
            (Inward::Told(way, message), Some(viewer)) => {
                if let Some(told) = Told::of(message) {
                    viewer.rearrange_by(way, told);
                }
            }
            // Who only listens has heard it as soon as something comes.
            (Inward::Sound(way, _), None) if way > self.way => {
                self.way = way;
                self.shown.send_replace(way);
            }
            (Inward::Sound(way, frame), viewer) if way == self.way => {
                let delay = |number| viewer.as_ref().and_then(|viewer| viewer.delay(number));
                self.listener.listen(&frame, &self.log, delay);
            }
            _ => {}
        }
    }
}
