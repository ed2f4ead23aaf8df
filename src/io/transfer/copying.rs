//! **The question:** which files of a recording go to its owner's host, and what becomes of it here afterwards?

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::limits;
use crate::core::record::{Manifest, RecordedFile, RecordingState, captions_vtt, chapters_vtt};
use crate::core::retention::RecordingName;
use crate::io::store::{Archive, ReadError};
use crate::io::transfer::deadline::Deadline;
use crate::io::transfer::destination::Destination;
use crate::io::transfer::error::TransferError;
use crate::io::transfer::pause::pause;
use crate::io::transfer::progress::{Progress, Told};
use crate::io::transfer::source::{Checksum, FileBody};

/// A file at its host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TransferredFile {
    /// Its name there.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, hexadecimal.
    #[schemars(with = "String")]
    pub sha256: Checksum,
}

/// Which part of a recording one file is.
#[derive(Debug, Clone, Copy)]
enum Part {
    File(RecordedFile),
    Chapters,
    Captions,
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
    let parts = parts.chain((manifest.captions > 0).then_some(Part::Captions));
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
        Part::Captions => {
            let name = with_id(archive.read(recording, 0).await?.name(), recording, ".captions.vtt");
            let text = captions_vtt(&archive.captions(recording).await?, 0..manifest.duration_ms);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_the_recordings_id() {
        let recording: RecordingName = format!("00495727-r{}", "a5".repeat(16)).parse().unwrap();
        let name = with_id("daily-20260714T093000Z-take2.mp4", recording, ".mp4");
        assert_eq!(name, "daily-20260714T093000Z-take2-ra5a5a5a5.mp4");
        assert_eq!(with_id("daily-.mp4", recording, ".chapters.vtt"), "daily--ra5a5a5a5.chapters.vtt");
    }
}
