//! **The question:** how does the process live that decodes for a decode thread? It is this program once more, in a
//! confinement of its own; when it ends, hangs or says what cannot be, it is killed and another one takes its place.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, TrackId};
use crate::engine::decode::DecodeError;
use crate::io::apart::{Confinement, Heard, Line, LineError, Pulse};

/// This program, whatever became of its file since it was started.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// A process that runs, and the line to it. Dropped, it is killed.
struct Running {
    process: Child,
    line: Line,
    /// It said that it listens.
    listens: bool,
    /// How it stood when it was last looked at.
    pulse: Option<Pulse>,
}

impl Running {
    fn start(program: &OsStr, now: Instant) -> io::Result<Self> {
        let (line, socket, file) = Line::new(now)?;
        let mut command = Command::new(program);
        // Another program than this one, such as a test, knows no such flag and ends.
        // Tokens and keys of stores may stand in the environment. Only what the libraries are found by goes along.
        command.arg0("tessera").args(["decoder", "--of-a-node"]).env_clear().current_dir("/");
        command.envs(std::env::vars_os().filter(|(name, _)| name == "LD_LIBRARY_PATH"));
        let process = command.stdin(socket).stdout(file).stderr(Stdio::null()).spawn()?;
        Ok(Self { process, line, listens: false, pulse: None })
    }

    /// Whether it says nothing because it hangs, and not because it waits for a core or has only begun.
    fn is_hung(&mut self, now: Instant) -> bool {
        if self.line.patience().is_none_or(|at| now < at) {
            return false;
        }
        let pulse = Pulse::of(self.process.id(), now);
        if pulse.is_some_and(|pulse| pulse.is_stopped()) {
            return true;
        }
        if !self.line.is_silent(now) {
            return false;
        }
        let Some(pulse) = pulse else { return true };
        let before = self.pulse.replace(pulse).filter(|_| self.listens);
        !(pulse.waits(before) && self.line.excuse(now))
    }

    /// Kills it; how it ended, which is its own way if it did before.
    fn end(&mut self) -> io::Result<ExitStatus> {
        // One that is gone already needs no killing.
        let _ = self.process.kill();
        self.process.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Why a process is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It ended.
    Ended,
    /// It did not answer in time.
    Hung,
    /// It said what cannot be.
    Garbled,
}

/// The end of a process.
#[derive(Debug)]
pub struct Fall {
    /// Why.
    pub cause: Cause,
    /// Whose frame it had in hand, by its own word.
    pub in_hand: Option<TrackId>,
    /// What the system says of it, in words.
    pub told: String,
}

/// A decode thread's own process of decoders.
pub struct Apart {
    program: Box<OsStr>,
    running: Option<Running>,
    started: Instant,
    tracks: HashMap<u32, (TrackId, Codec)>,
    opened: u32,
}

impl Apart {
    /// Starts the first process by `program` and waits until it listens; how it is confined.
    ///
    /// # Errors
    /// When there is no such program, or it is not this one.
    pub fn start(program: &OsStr) -> io::Result<(Self, Confinement)> {
        let started = Instant::now();
        let mut running = Running::start(program, started)?;
        let span = limits::DECODER_START_SPAN;
        running.line.wait(span)?;
        let mut ready = None;
        let heard = running.line.hear(started, |heard| {
            if let Heard::Ready(confinement) = heard {
                ready = Some(confinement);
            }
        });
        let confinement = match (heard, ready) {
            (Ok(()), Some(confinement)) => confinement,
            (Ok(()), None) => return Err(io::Error::other(format!("it did not listen within {} s", span.as_secs()))),
            (Err(error), _) => return Err(io::Error::other(error)),
        };
        running.listens = true;
        let program = program.into();
        Ok((Self { program, running: Some(running), started, tracks: HashMap::new(), opened: 0 }, confinement))
    }

    /// One whose process is gone, and whose next one is not due for long.
    #[cfg(test)]
    pub(super) fn fallen() -> Self {
        let started = Instant::now() + std::time::Duration::from_secs(3600);
        Self { program: OsStr::new(OWN_PROGRAM).into(), running: None, started, tracks: HashMap::new(), opened: 0 }
    }

    /// What is readable when there is something to hear.
    #[must_use]
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        self.running.as_ref().map(|running| running.line.socket())
    }

    /// Frames of `track` will come, under the number that it gets.
    pub fn open(&mut self, track: TrackId, codec: Codec) -> u32 {
        self.opened = self.opened.wrapping_add(1);
        self.tracks.insert(self.opened, (track, codec));
        if let Some(running) = &mut self.running {
            // One that is gone is heard of.
            let _ = running.line.open(self.opened, codec);
        }
        self.opened
    }

    /// No more frames will come under this number.
    pub fn close(&mut self, number: u32) {
        self.tracks.remove(&number);
        if let Some(running) = &mut self.running {
            let _ = running.line.close(number);
        }
    }

    /// Whose number it is.
    #[must_use]
    pub fn track(&self, number: u32) -> Option<TrackId> {
        self.tracks.get(&number).map(|(track, _)| *track)
    }

    /// Has a frame decoded, once [`Apart::flush`] is called; while no process runs, which [`Apart::is_behind`] says, it
    /// is lost.
    ///
    /// # Errors
    /// As [`Line::decode`].
    pub fn decode(&mut self, now: Instant, number: u32, frame: CodedFrame<'_>) -> Result<(), DecodeError> {
        self.running.as_mut().map_or(Ok(()), |running| running.line.decode(now, number, frame))
    }

    /// Tells the process what is to be done.
    pub fn flush(&mut self) {
        if let Some(running) = &mut self.running {
            // One that is gone is heard of.
            let _ = running.line.flush();
        }
    }

    /// Takes the answers that are there. When the process is of no use any more, it is killed, and this says why.
    pub fn hear(&mut self, now: Instant, mut take: impl FnMut(Heard)) -> Option<Fall> {
        let running = self.running.as_mut()?;
        let mut listens = false;
        let heard = running.line.hear(now, |heard| {
            listens |= matches!(heard, Heard::Ready(_));
            take(heard);
        });
        running.listens |= listens;
        let cause = match heard {
            Ok(()) if running.is_hung(now) => (Cause::Hung, "no answer".to_owned()),
            Ok(()) => return None,
            Err(LineError::Ended) => (Cause::Ended, String::new()),
            Err(LineError::Garbled(what)) => (Cause::Garbled, what.to_owned()),
        };
        let in_hand = running.line.in_hand();
        let mut running = self.running.take()?;
        let ended = running.end();
        let in_hand = in_hand.and_then(|number| self.track(number));
        let (cause, told) = match cause {
            (Cause::Ended, _) => (Cause::Ended, ended.map_or_else(|error| error.to_string(), describe)),
            other => other,
        };
        Some(Fall { cause, in_hand, told })
    }

    /// Starts another process if none runs and it is time; whether it did. All tracks go on there, at keyframes.
    ///
    /// # Errors
    /// When the system has no process left; it is tried again.
    pub fn restart(&mut self, now: Instant) -> io::Result<bool> {
        if self.running.is_some() || now < self.started + limits::DECODER_START_SPACING {
            return Ok(false);
        }
        self.started = now;
        let mut running = Running::start(&self.program, now)?;
        for (number, (_, codec)) in &self.tracks {
            // One that is gone already is heard of.
            let _ = running.line.open(*number, *codec);
        }
        self.running = Some(running);
        Ok(true)
    }

    /// Whether frames have to wait in their tracks' queues: for the next process too, which may begin with a keyframe
    /// among them.
    #[must_use]
    pub fn is_behind(&self, now: Instant) -> bool {
        self.running.as_ref().is_none_or(|running| running.line.is_behind(now))
    }

    /// When to look again, if nothing is heard until then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match &self.running {
            Some(running) => running.line.patience(),
            None => Some(self.started + limits::DECODER_START_SPACING),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_decoder_is_told_at_once() {
        for program in ["/bin/true", "/no/such/program"] {
            let started = Apart::start(OsStr::new(program)).map(|(_, confinement)| confinement);
            assert!(started.is_err(), "{program}: {started:?}");
        }
    }
}
