//! **The question:** what do recordings hold of one participant, as one file, and how is it erased? `tessera recordings
//! export --participant` and `erase --participant`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;

use crate::app::cli::Failure;
use crate::app::support::{TAR_BLOCK_BYTES, tar_header};
use crate::base::media::ParticipantId;
use crate::core::record::RecordedFile;
use crate::core::retention::RecordingName;
use crate::io::store::{Archive, HeldOf};

/// In the clear, so for the account alone that asked for it.
const MODE: u32 = 0o600;

/// Writes a tar archive of what recordings hold of somebody alone: `held.json`, and their own tracks as files. How many
/// recordings hold something.
pub(super) async fn export(archive: &Archive, participant: ParticipantId, out: &Path) -> Result<usize, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("cannot write {}: {error}", out.display()));
    let held = archive.held_of(participant, |_| true).await?;
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(out).map_err(failed)?;
    let mut tar = Tar { file, seconds: archive.custody().now().unix_seconds() };
    match write(archive, participant, &held, &mut tar).await {
        Ok(()) => Ok(held.len()),
        Err(error) => {
            // What was cut, by its hour or by a full disk, is not left behind in the clear.
            let _ = std::fs::remove_file(out);
            Err(match error {
                Cut::Disk(error) => failed(error),
                Cut::Read(failure) => failure,
            })
        }
    }
}

/// Why an archive ends before its end.
enum Cut {
    Disk(std::io::Error),
    Read(Failure),
}

impl From<std::io::Error> for Cut {
    fn from(error: std::io::Error) -> Self {
        Self::Disk(error)
    }
}

/// An archive in the making: POSIX' ustar.
struct Tar {
    file: File,
    seconds: u64,
}

impl Tar {
    fn pad(&mut self, len: u64) -> std::io::Result<()> {
        let block = TAR_BLOCK_BYTES as u64;
        let rest = usize::try_from(len.next_multiple_of(block) - len).expect("less than a block");
        self.file.write_all(&[0; TAR_BLOCK_BYTES][..rest])
    }
}

async fn write(archive: &Archive, participant: ParticipantId, held: &[HeldOf], tar: &mut Tar) -> Result<(), Cut> {
    let told = json!({ "participant": participant, "recordings": held });
    let told = serde_json::to_vec_pretty(&told).expect("plain data");
    tar.file.write_all(&tar_header("held.json", told.len() as u64, tar.seconds))?;
    tar.file.write_all(&told)?;
    tar.pad(told.len() as u64)?;
    for of in held {
        let Ok(recording) = of.recording.parse::<RecordingName>() else { continue };
        for track in &of.tracks {
            let name = format!("{recording}-track-{}.mp4", track.number);
            let reading = archive.read_file(recording, RecordedFile::Track(track.number)).await;
            let mut reading = reading.map_err(|error| Cut::Read(error.into()))?;
            let len = reading.len();
            tar.file.write_all(&tar_header(&name, len, tar.seconds))?;
            let mut at = 0;
            while at < len {
                let piece = reading.next(&(at..len)).await.map_err(|error| Cut::Read(error.into()))?;
                if piece.is_empty() {
                    let why = format!("{name} ends at byte {at} of {len}; nothing was exported");
                    return Err(Cut::Read(Failure::Failed(why)));
                }
                tar.file.write_all(&piece)?;
                at += piece.len() as u64;
            }
            tar.pad(len)?;
        }
    }
    // Two empty blocks say that nothing follows.
    tar.file.write_all(&[0; 2 * TAR_BLOCK_BYTES])?;
    Ok(tar.file.sync_all()?)
}

/// Erases every recording in which somebody takes part, whole; without `whole` it only says which these are. How many
/// they are.
pub(super) async fn erase(archive: &Archive, participant: ParticipantId, whole: bool) -> Result<Vec<HeldOf>, Failure> {
    let held = archive.held_of(participant, |_| true).await?;
    for of in held.iter().filter(|_| whole) {
        archive.shred(of.recording.parse().map_err(|_| Failure::Failed("a recording has no name".into()))?).await?;
    }
    Ok(held)
}
