//! **The question:** how does a recording reach its owner's own file host, whole? Floor 4: from the sealed store to S3,
//! WebDAV or Dropbox, verified there by what the host gives back, and only then erased here.
//!
//! Doors: [`Destination`] (which host, with which [`Credentials`]), [`transfer`] (one recording, now), [`Transfers`] (a
//! node's: on request or all by themselves).
//!
//! A file is opened range by range and never lies on disk in the clear. Each try begins by asking the keepers again,
//! and the hour of expiry is looked at before anything is read and every second while anything moves: what runs then is
//! cut. What a host holds in the end is its owner's, and does not expire.

mod client;
mod deadline;
mod destination;
mod dropbox;
mod running;
mod s3;
mod source;
mod webdav;

pub use destination::{Credentials, Destination, DestinationError};
pub use dropbox::{ContentHash, DropboxHosts};
pub use running::{Refused, TransferCounters, TransferState, Transfers};
pub use source::Checksum;

use std::time::Duration;

use serde::Serialize;

use crate::base::limits;
use crate::core::record::{Manifest, RecordedFile, RecordingState, chapters_vtt};
use crate::core::retention::RecordingName;
use crate::io::store::{Archive, ReadError};
use deadline::Deadline;
use source::FileBody;

/// Why a recording was not handed over. Except for [`TransferError::Kept`] nothing was erased, and nothing is at the
/// host under its final name that was not verified.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It cannot be read here.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Only what is complete is handed over.
    #[error("this recording is not final: its call still runs, or a crash left it open")]
    NotFinal,
    /// The host says no, and would again.
    #[error("the host refuses: {0}")]
    Refused(String),
    /// The host cannot be reached, broke off, or failed.
    #[error("the host failed: {0}")]
    Failed(String),
    /// What the host gives back is not what was sent.
    #[error("what the host holds is not what was sent; it was not kept")]
    Differs,
    /// Everything lies at the host, verified, and yet it could not be erased here.
    #[error("handed over and verified, but not erased here: {0}")]
    Kept(ReadError),
}

impl TransferError {
    /// Whether another try may do better.
    fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Differs | Self::Read(ReadError::Store(_)))
    }
}

/// How far one file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes of it were given to the host.
    Sending {
        /// So far.
        bytes: u64,
        /// In all.
        of: u64,
    },
    /// So many bytes of it were read back.
    Verifying {
        /// So far.
        bytes: u64,
        /// In all.
        of: u64,
    },
    /// A try failed; the next one comes after a pause.
    Waiting {
        /// How many failed.
        tries: u32,
    },
}

/// Who is told how far it is.
pub type Told<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// A file at its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransferredFile {
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, hexadecimal.
    pub sha256: Checksum,
}

/// Which part of a recording one file is.
#[derive(Debug, Clone, Copy)]
enum Part {
    File(RecordedFile),
    Chapters,
}

/// Copies every file of a final recording to `destination`, each verified, and then, unless it is to be kept here,
/// erases it as [`Archive::shred`] does. A file that is there already under the same name is replaced: names hold the
/// recording's id.
///
/// # Errors
/// When it cannot be read, the host refuses, or `limits::HAND_OVER_TRIES` tries failed.
pub async fn transfer(
    archive: &Archive,
    recording: RecordingName,
    destination: &Destination,
    keep: bool,
    told: Told<'_>,
) -> Result<Vec<TransferredFile>, TransferError> {
    let manifest = archive.manifest(recording).await?;
    if manifest.state != RecordingState::Final {
        return Err(TransferError::NotFinal);
    }
    if manifest.takes.is_empty() {
        return Err(ReadError::Missing.into());
    }
    let takes = (0..).zip(&manifest.takes).map(|(take, _)| RecordedFile::Take(take));
    let tracks = (0..).zip(&manifest.tracks).map(|(track, _)| RecordedFile::Track(track));
    let files_held = takes.chain(tracks).map(Part::File);
    let parts = files_held.chain((!manifest.chapters.is_empty()).then_some(Part::Chapters));
    let mut files = Vec::new();
    for part in parts {
        files.push(copy(archive, recording, &manifest, part, destination, told).await?);
    }
    if !keep {
        match archive.shred(recording).await {
            // Erased by somebody else meanwhile, or its hour has come.
            Ok(()) | Err(ReadError::Missing | ReadError::Gone) => {}
            Err(error) => return Err(TransferError::Kept(error)),
        }
    }
    Ok(files)
}

/// Copies one file, trying again when that may help.
async fn copy(
    archive: &Archive,
    recording: RecordingName,
    manifest: &Manifest,
    part: Part,
    destination: &Destination,
    told: Told<'_>,
) -> Result<TransferredFile, TransferError> {
    let deadline = Deadline::new(archive.custody(), recording.hour);
    let mut tries = 0;
    loop {
        let tried = async {
            let mut source = open(archive, recording, manifest, part, told).await?;
            destination.copy(&mut source, &deadline).await?;
            Ok(TransferredFile { name: source.name().to_owned(), bytes: source.len(), sha256: source.checksum()? })
        };
        let error: TransferError = match tried.await {
            Ok(file) => return Ok(file),
            Err(error) => error,
        };
        tries += 1;
        if !error.may_pass() || tries == limits::HAND_OVER_TRIES {
            return Err(error);
        }
        told(Progress::Waiting { tries });
        tokio::time::sleep(pause(tries)).await;
    }
}

async fn open<'a>(
    archive: &Archive,
    recording: RecordingName,
    manifest: &Manifest,
    part: Part,
    told: Told<'a>,
) -> Result<FileBody<'a>, TransferError> {
    match part {
        Part::File(file) => {
            let reading = archive.read_file(recording, file).await?;
            let name = with_id(reading.name(), recording, ".mp4");
            Ok(FileBody::of_file(name, reading, told))
        }
        Part::Chapters => {
            // Asked for its name, and asked whether it may still be read.
            let name = with_id(archive.read(recording, 0).await?.name(), recording, ".chapters.vtt");
            let text = chapters_vtt(&manifest.chapters, manifest.duration_ms);
            Ok(FileBody::of_bytes(name, text.into(), told))
        }
    }
}

/// `daily-20260714T093000Z.mp4` becomes `daily-20260714T093000Z-r01234567.mp4`: two recordings never take each other's
/// place.
fn with_id(name: &str, recording: RecordingName, ending: &str) -> String {
    let (name, id) = (name.strip_suffix(".mp4").unwrap_or(name), recording.recording.to_string());
    format!("{name}-{}{ending}", &id[..9])
}

/// How long to wait after so many tries.
fn pause(tries: u32) -> Duration {
    let doubled = limits::HAND_OVER_RETRY.saturating_mul(1 << (tries.saturating_sub(1)).min(16));
    doubled.min(limits::HAND_OVER_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound() {
        let pauses: Vec<_> = (1..5).map(|tries| pause(tries).as_millis()).collect();
        assert_eq!(pauses, [500, 1000, 2000, 4000]);
        assert_eq!(pause(u32::MAX), limits::HAND_OVER_RETRY_MAX);
    }

    #[test]
    fn a_name_holds_the_recordings_id() {
        let recording: RecordingName = format!("00495727-r{}", "a5".repeat(16)).parse().unwrap();
        let name = with_id("daily-20260714T093000Z-take2.mp4", recording, ".mp4");
        assert_eq!(name, "daily-20260714T093000Z-take2-ra5a5a5a5.mp4");
        assert_eq!(with_id("daily-.mp4", recording, ".chapters.vtt"), "daily--ra5a5a5a5.chapters.vtt");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(TransferError::Failed(String::new()).may_pass() && TransferError::Differs.may_pass());
        for lasting in [TransferError::Read(ReadError::Gone), TransferError::NotFinal] {
            assert!(!lasting.may_pass());
        }
        assert!(!TransferError::Refused(String::new()).may_pass());
    }
}
