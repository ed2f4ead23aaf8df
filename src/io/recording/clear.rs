//! **The question:** how is a recording in the clear written while the package thread never waits for a disk? By a
//! thread of its own, one batch at a time: until that is on the disk nothing more is read, and what comes waits in the
//! fans' rings.

use std::path::PathBuf;
use std::thread;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use crate::core::record::{Input, Manifest, Output, Piece, PieceKind};
use crate::engine::flow::Waker;
use crate::io::recording::counters::RecordCounters;
use crate::io::recording::files::Files;
use crate::io::recording::summary::RecordingSummary;

/// The package thread's end.
#[derive(Debug)]
pub(super) struct ClearFiles {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    /// What the recorder wants done next.
    batch: Vec<Output>,
    /// A batch is being written.
    writing: bool,
    /// Whether the last batch with anything of the call in it lies on the disk.
    storing: bool,
}

#[derive(Debug)]
enum Job {
    Write(Vec<Output>),
    /// What is left to be done, then the end.
    Finish(Vec<Output>, Box<Manifest>),
}

#[derive(Debug)]
enum Answer {
    /// Whether a batch held something of the call, and what of it could not be stored.
    Written(bool, Vec<Input>),
    Finished(RecordingSummary),
}

/// The files of a recording that ended, being closed.
#[derive(Debug)]
pub(super) struct Closing(Receiver<Answer>);

impl ClearFiles {
    /// Starts the thread, which ends with the recording. A machine out of threads ends the recording at its first
    /// batch.
    pub(super) fn new(first: PathBuf, counters: RecordCounters, waker: Waker) -> Self {
        // A batch, and behind it what closes the files of a recording that is given up.
        let (jobs, to_do) = bounded(2);
        let (done, answers) = bounded(2);
        let files = Files::new(first, counters);
        let writer = Writer { done, waker: WakesAtEnd(waker) };
        let started = thread::Builder::new().name("record-file".into()).spawn(move || writer.run(files, &to_do));
        if let Err(error) = started {
            tracing::error!(%error, "no thread for a recording's file");
        }
        Self { jobs, answers, batch: Vec::new(), writing: false, storing: false }
    }

    /// To be done with the next batch.
    pub(super) fn push(&mut self, output: Output) {
        self.batch.push(output);
    }

    /// Has the batch written, unless another one is.
    pub(super) fn flush(&mut self) {
        if !self.writing && !self.batch.is_empty() {
            self.writing = true;
            // Should the thread have ended, `poll` says so.
            let _ = self.jobs.try_send(Job::Write(std::mem::take(&mut self.batch)));
        }
    }

    /// Whether the disk took what it was given last of the call.
    pub(super) fn is_storing(&self) -> bool {
        self.storing
    }

    /// Whether a batch is being written.
    pub(super) fn is_waiting(&self) -> bool {
        self.writing
    }

    /// What could not be stored of the last batch, as the recorder's next inputs; `None` while it is being written.
    pub(super) fn poll(&mut self) -> Option<Vec<Input>> {
        if !self.writing {
            return Some(Vec::new());
        }
        match self.answers.try_recv() {
            Ok(Answer::Written(held, lost)) => {
                self.writing = false;
                self.storing = if held { lost.is_empty() } else { self.storing };
                self.flush();
                Some(lost)
            }
            Ok(Answer::Finished(_)) => unreachable!("nothing is written after the end"),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => panic!("the thread that writes a recording's file ended"),
        }
    }

    /// Closes the files behind the batch that is being written.
    pub(super) fn close(self, manifest: Manifest) -> Closing {
        let _ = self.jobs.try_send(Job::Finish(self.batch, Box::new(manifest)));
        Closing(self.answers)
    }
}

impl Closing {
    /// What the files hold, once the disk has them; nothing if that will never be told.
    pub(super) fn poll(&self) -> Option<Option<RecordingSummary>> {
        loop {
            match self.0.try_recv() {
                // Of a recording that was given up while its last batch was written.
                Ok(Answer::Written(..)) => {}
                Ok(Answer::Finished(summary)) => return Some(Some(summary)),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => return Some(None),
            }
        }
    }
}

/// The thread's own end.
struct Writer {
    done: Sender<Answer>,
    // Behind `done`, so that who is woken finds it gone.
    waker: WakesAtEnd,
}

struct WakesAtEnd(Waker);

impl Drop for WakesAtEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Writer {
    fn run(self, mut files: Files, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            match job {
                Job::Write(outputs) => {
                    let held = outputs.iter().any(is_of_the_call);
                    let lost = outputs.into_iter().filter_map(|output| files.apply(output)).collect();
                    self.tell(Answer::Written(held, lost));
                }
                Job::Finish(outputs, manifest) => {
                    // Something is left of a recording that was given up alone: what is lost of it is lost unsaid.
                    outputs.into_iter().for_each(|output| drop(files.apply(output)));
                    return self.tell(Answer::Finished(files.finish(*manifest)));
                }
            }
        }
    }

    fn tell(&self, answer: Answer) {
        // There is room for all that may be asked; who asked may be gone.
        let _ = self.done.try_send(answer);
        self.waker.0.wake();
    }
}

fn is_of_the_call(output: &Output) -> bool {
    matches!(output, Output::Append(Piece { kind: PieceKind::Fragment(_), .. }))
}
