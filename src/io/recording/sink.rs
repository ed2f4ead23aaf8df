//! **The question:** where does what a recorder wants stored go? Into files in the clear or into sealed objects;
//! neither makes anybody wait, and both say when nothing more may be given.

use crate::core::record::{Input, Manifest, Output};
use crate::io::recording::clear::{ClearFiles, Closing};
use crate::io::recording::counters::RecordCounters;
use crate::io::recording::sealed::SealedFiles;
use crate::io::recording::setup::{RecordingPlace, RecordingSetup};
use crate::io::recording::summary::RecordingSummary;
use crate::io::store::{Reserving, Storing};

/// Where one recording goes.
#[derive(Debug)]
pub(super) enum Sink {
    Clear(ClearFiles),
    Sealed(Box<SealedFiles>),
}

/// One that ended.
#[derive(Debug)]
pub(super) struct ClosingSink {
    summary: RecordingSummary,
    left: Left,
}

#[derive(Debug)]
enum Left {
    Nothing,
    Files(Closing),
    Objects(Storing),
}

impl Sink {
    pub(super) fn new(setup: &RecordingSetup, counters: &RecordCounters) -> Self {
        let (counters, waker) = (counters.clone(), setup.waker.clone());
        match &setup.place {
            RecordingPlace::File(path) => Self::Clear(ClearFiles::new(path.clone(), counters, waker)),
            RecordingPlace::Sealed(archive) => {
                let retention = setup.wish.retention.unwrap_or(archive.retention());
                Self::Sealed(Box::new(SealedFiles::new(archive.clone(), retention, counters, waker)))
            }
        }
    }

    /// Asks the keepers now, not when there is something to store; `ahead`: who was asked already.
    pub(super) fn ask(&mut self, ahead: Option<Reserving>) {
        if let Self::Sealed(files) = self {
            files.ask(ahead);
        }
    }

    /// Whether it may be stored: the keepers agreed, or none have to.
    pub(super) fn has_begun(&self) -> bool {
        match self {
            Self::Clear(_) => true,
            Self::Sealed(files) => files.has_begun(),
        }
    }

    /// Whether it may be stored, and what came last was.
    pub(super) fn is_storing(&self) -> bool {
        match self {
            Self::Clear(files) => files.is_storing(),
            Self::Sealed(files) => files.is_storing(),
        }
    }

    /// Whether it was erased while it was made.
    pub(super) fn is_erased(&self) -> bool {
        match self {
            Self::Clear(_) => false,
            Self::Sealed(files) => files.is_erased(),
        }
    }

    /// Whether somebody wanted it erased.
    pub(super) fn is_shredded(&self) -> bool {
        matches!(self, Self::Sealed(files) if files.is_shredded())
    }

    /// Whether nothing more may be given until `poll` says so.
    pub(super) fn is_waiting(&self) -> bool {
        match self {
            Self::Clear(files) => files.is_waiting(),
            Self::Sealed(files) => files.is_waiting(),
        }
    }

    /// What could not be stored of what was given, as the recorder's next inputs; `None` while that is not known.
    pub(super) fn poll(&mut self) -> Option<Vec<Input>> {
        match self {
            Self::Clear(files) => files.poll(),
            Self::Sealed(files) => files.poll().then(Vec::new),
        }
    }

    /// Takes what the recorder wants done; what could not be stored is its next input, at once or by `poll`.
    pub(super) fn apply(&mut self, output: Output) -> Option<Input> {
        match self {
            Self::Clear(files) => {
                // What people say is written nowhere in the clear.
                if !matches!(output, Output::Caption(_)) {
                    files.push(output);
                }
                None
            }
            Self::Sealed(files) => files.apply(output),
        }
    }

    /// All outputs of one input were given.
    pub(super) fn flush(&mut self, manifest: &Manifest) {
        match self {
            Self::Clear(files) => files.flush(),
            Self::Sealed(files) if files.index_due() => files.store_index(manifest),
            Self::Sealed(_) => {}
        }
    }

    /// Closes it with this manifest.
    pub(super) fn close(self, manifest: Manifest) -> ClosingSink {
        let summary = RecordingSummary::of(&manifest);
        match self {
            Self::Clear(files) => ClosingSink { summary, left: Left::Files(files.close(manifest)) },
            Self::Sealed(files) => {
                let (storing, trouble) = files.close(&manifest);
                let sealed = storing.as_ref().map(Storing::recording);
                let left = storing.map_or(Left::Nothing, Left::Objects);
                ClosingSink { summary: RecordingSummary { sealed, trouble, ..summary }, left }
            }
        }
    }
}

impl ClosingSink {
    /// Whether everything is stored, or waits in the spool, or never will.
    pub(super) fn poll(&mut self) -> bool {
        match &self.left {
            Left::Nothing => return true,
            Left::Files(files) => match files.poll() {
                None => return false,
                Some(Some(summary)) => self.summary = summary,
                Some(None) => self.summary.trouble = Some("the thread that writes the file ended".to_owned()),
            },
            Left::Objects(storing) => match storing.poll() {
                None => return false,
                Some(true) => {}
                Some(false) => self.is_behind(),
            },
        }
        self.left = Left::Nothing;
        true
    }

    /// What is known of it by now.
    pub(super) fn into_summary(mut self) -> RecordingSummary {
        match self.left {
            Left::Nothing => {}
            Left::Files(_) => self.summary.trouble = Some("the disk did not answer in time".to_owned()),
            Left::Objects(_) => self.is_behind(),
        }
        self.summary
    }

    fn is_behind(&mut self) {
        self.summary.trouble = Some("the store is behind; what is missing is tried on".to_owned());
    }
}
