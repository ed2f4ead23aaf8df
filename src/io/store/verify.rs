//! **The question:** is what expired really gone? Tries to open every expired recording of a copy the way a thief
//! would: with the keeper's file that lies beside it, and a clock set back.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::base::media::Wallclock;
use crate::core::record::{Object, folder};
use crate::core::retention::{BootId, Clocks, Pair, RecordingId, RecordingName, unwrap};
use crate::io::store::archive::{ArchiveError, ArchivePlace};
use crate::io::store::keeper_file::look_at_keeper;
use crate::io::store::keepers::Keepers;
use crate::io::store::vault::{Vault, VaultError};

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Verified {
    /// Recordings whose hour has come and whose objects are still there.
    pub expired: u64,
    /// Of those, how many opened: must be 0.
    pub opened: u64,
    /// Recordings whose hour has not come, left alone.
    pub current: u64,
}

/// Tries to open every recording of `place` whose hour has come by this machine's clock. `progress` hears how many
/// recordings are done, and of how many.
///
/// # Errors
/// When the store cannot be read, or there is no keeper to try with.
pub async fn verify_expiry(place: &ArchivePlace, progress: &dyn Fn(u64, u64)) -> Result<Verified, ArchiveError> {
    let vault = Vault::open(&place.vault)?;
    verify(&vault, progress, async |recording| opens(&vault, place, recording).await).await
}

/// As [`verify_expiry`], with the keepers themselves, whatever their clocks say: every pair of what they give out is
/// tried.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify_expiry_with(
    vault: &str,
    keepers: &Keepers,
    progress: &dyn Fn(u64, u64),
) -> Result<Verified, ArchiveError> {
    let vault = Vault::open(vault)?;
    verify(&vault, progress, async |recording| opens_with(&vault, keepers, recording).await).await
}

/// Tries `opens` on every recording whose hour has come.
async fn verify(
    vault: &Vault,
    progress: &dyn Fn(u64, u64),
    opens: impl AsyncFn(RecordingName) -> Result<bool, ArchiveError>,
) -> Result<Verified, ArchiveError> {
    let now = Wallclock::from_system_time(SystemTime::now());
    let mut verified = Verified::default();
    let recordings = vault.recording().await?;
    for (done, recording) in (0..).zip(&recordings) {
        progress(done, recordings.len() as u64);
        if !recording.hour.is_expired(now) {
            verified.current += 1;
            continue;
        }
        verified.expired += 1;
        verified.opened += u64::from(opens(*recording).await?);
    }
    Ok(verified)
}

async fn opens_with(vault: &Vault, keepers: &Keepers, recording: RecordingName) -> Result<bool, ArchiveError> {
    let releases = keepers.whatever_is_released(recording).await;
    let mut opened = false;
    for pair in releases.pairs() {
        opened |= match vault.get(&Object::Wrap(pair).path(recording)).await {
            Ok(wrapped) => releases.unwrap(recording, pair, &wrapped).is_ok(),
            Err(VaultError::Missing) => false,
            Err(error) => return Err(error.into()),
        };
    }
    Ok(opened)
}

async fn opens(vault: &Vault, place: &ArchivePlace, recording: RecordingName) -> Result<bool, ArchiveError> {
    let just_before = Wallclock(recording.hour.start().0.saturating_sub(1));
    // A machine that nobody knows, booted just now.
    let boot = BootId(RecordingId::random().0);
    let clocks = Clocks { wall: just_before, boot, since_boot: Duration::ZERO, synchronised: false };
    let mut keeper = look_at_keeper(&place.keeper, clocks)?;
    let Ok(release) = keeper.release(clocks, recording.recording, recording.hour) else { return Ok(false) };
    let wrap = Object::Wrap(Pair::alone(keeper.id()));
    match vault.get(&wrap.path(recording)).await {
        Ok(wrapped) => Ok(unwrap((&release, None), recording.recording, recording.hour, &wrapped).is_ok()),
        Err(VaultError::Missing) => Ok(false),
        Err(error) => Err(VaultError::Failed(format!("{}: {error}", folder(recording))).into()),
    }
}
