//! **The question:** how does a recording in the clear lie on the disk? One file a take, and the manifest beside the
//! first.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::core::record::{GapReason, Input, Manifest, Output, Piece, PieceKind, Span};
use crate::io::recording::counters::RecordCounters;
use crate::io::recording::summary::RecordingSummary;
use crate::io::store::{DiskFile, DiskStore, Ledger, StoreError};

/// The files of one recording in the clear.
#[derive(Debug)]
pub(super) struct Files {
    first: PathBuf,
    /// Every take so far, in order; the last one grows.
    takes: Vec<TakeFile>,
    ledger: Option<Ledger>,
    counters: RecordCounters,
    trouble: Option<StoreError>,
}

#[derive(Debug)]
enum TakeFile {
    /// Its head waits for a disk that takes it.
    Unmade(Bytes),
    Open(DiskFile),
    Closed(PathBuf),
    /// Nothing of it was ever stored.
    Lost,
}

impl Files {
    /// Of a recording whose first file is `first`; it is made with its first bytes, so that a disk in trouble cannot
    /// keep a call from beginning.
    pub(super) fn new(first: PathBuf, counters: RecordCounters) -> Self {
        Self { first, takes: Vec::new(), ledger: None, counters, trouble: None }
    }

    /// A fragment that could not be stored comes back as the recorder's next input.
    pub(super) fn apply(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Append(Piece { kind: PieceKind::Init { .. }, bytes }) => {
                self.close_newest();
                self.takes.push(TakeFile::Unmade(bytes));
                let made = self.make_newest();
                self.note(made);
                None
            }
            Output::Append(Piece { kind: PieceKind::Fragment(span), bytes }) => self.append(span, &bytes),
            Output::Patch { take, offset, bytes } => {
                let patched = self.patch(take, offset, &bytes);
                self.note(patched);
                None
            }
            // The sink keeps them from here.
            Output::Caption(_) => None,
            Output::Manifest(manifest) => {
                let written = self.write_manifest(*manifest);
                self.note(written);
                None
            }
        }
    }

    fn append(&mut self, span: Span, bytes: &Bytes) -> Option<Input> {
        let appended = self.make_newest().and_then(|()| match self.takes.last_mut() {
            Some(TakeFile::Open(file)) => file.append(bytes),
            _ => unreachable!("a fragment follows its file's head"),
        });
        if appended.is_ok() {
            self.counters.bytes.add(bytes.len() as u64);
            return None;
        }
        let full = appended.as_ref().is_err_and(StoreError::is_full);
        let reason = if full { GapReason::DiskFull } else { GapReason::DiskFailed };
        self.note(appended);
        Some(Input::Lost { span, len: bytes.len(), reason })
    }

    // Makes the newest take's file with its head, unless that was done.
    fn make_newest(&mut self) -> Result<(), StoreError> {
        let Some(TakeFile::Unmade(head)) = self.takes.last() else { return Ok(()) };
        let head = head.clone();
        let number = self.takes.len();
        let store = DiskStore::open(self.first.parent().unwrap_or(Path::new("")))?;
        let name = self.first.file_name().unwrap_or_default().to_string_lossy();
        let mut file = if number == 1 { store.replace(&name)? } else { store.replace(&take_name(&name, number))? };
        if let Err(error) = file.append(&head) {
            // An empty file would be no recording; the next fragment tries again.
            let _ = std::fs::remove_file(file.path());
            return Err(error);
        }
        self.counters.bytes.add(head.len() as u64);
        *self.takes.last_mut().expect("the newest take was just looked at") = TakeFile::Open(file);
        Ok(())
    }

    fn patch(&mut self, take: usize, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        match self.takes.get_mut(take) {
            Some(TakeFile::Open(file)) => file.patch(offset, bytes),
            // The duration in the head of a closed file is a help to players, not needed.
            _ => Ok(()),
        }
    }

    fn close_newest(&mut self) {
        let Some(newest) = self.takes.last_mut() else { return };
        let closed = match std::mem::replace(newest, TakeFile::Lost) {
            TakeFile::Open(file) => {
                *newest = TakeFile::Closed(file.path().to_owned());
                file.finish().map(|_| ())
            }
            TakeFile::Closed(path) => {
                *newest = TakeFile::Closed(path);
                Ok(())
            }
            TakeFile::Unmade(_) | TakeFile::Lost => Ok(()),
        };
        self.note(closed);
    }

    fn write_manifest(&mut self, manifest: Manifest) -> Result<(), StoreError> {
        let Some(path) = self.manifest_path() else { return Ok(()) };
        let text = self.manifest_text(manifest);
        if self.ledger.is_none() {
            self.ledger = Some(Ledger::create(&path)?);
        }
        self.ledger.as_ref().map_or(Ok(()), |ledger| ledger.write(&text))
    }

    /// Closes the files and waits for the disk.
    pub(super) fn finish(mut self, manifest: Manifest) -> RecordingSummary {
        self.close_newest();
        let summary = RecordingSummary::of(&manifest);
        let text = self.manifest_text(manifest);
        let path = self.manifest_path();
        let ledger = self.ledger.take().map(Ok).or_else(|| path.as_deref().map(Ledger::create)).transpose();
        let written = ledger.and_then(|ledger| ledger.map(|ledger| ledger.finish(&text)).transpose());
        self.note(written.map(|_| ()));
        RecordingSummary {
            path: self.takes.iter().find_map(TakeFile::path).map(Path::to_owned),
            manifest: path.filter(|path| path.exists()),
            trouble: self.trouble.map(|trouble| trouble.to_string()),
            ..summary
        }
    }

    // Beside the first file that could be made.
    fn manifest_path(&self) -> Option<PathBuf> {
        self.takes.iter().find_map(TakeFile::path).map(|path| path.with_extension("json"))
    }

    fn manifest_text(&self, mut manifest: Manifest) -> String {
        for (entry, file) in manifest.takes.iter_mut().zip(&self.takes) {
            let name = file.path().and_then(Path::file_name);
            entry.file = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        }
        serde_json::to_string_pretty(&manifest).expect("a manifest is plain data")
    }

    fn note(&mut self, outcome: Result<(), StoreError>) {
        if let Err(error) = outcome {
            self.counters.errors.add(1);
            self.trouble = Some(error);
        }
    }
}

impl TakeFile {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Open(file) => Some(file.path()),
            Self::Closed(path) => Some(path),
            Self::Unmade(_) | Self::Lost => None,
        }
    }
}

// `call.mp4` → `call-take2.mp4`.
fn take_name(first: &str, number: usize) -> String {
    match first.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-take{number}.{extension}"),
        None => format!("{first}-take{number}"),
    }
}
