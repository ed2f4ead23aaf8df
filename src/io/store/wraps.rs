//! **The question:** which pairs of keepers open a recording, and who adds the pairs that are missing? A wrap is
//! written once; one that its own pair does not open any more, for a keeper lost its keys, is replaced.

use crate::core::record::{Object, folder};
use crate::core::retention::{KeyShares, Pair, RecordingName, Secret};
use crate::io::store::custody::KeyCustody;
use crate::io::store::keepers::Keepers;
use crate::io::store::read_error::ReadError;
use crate::io::store::vault::{Vault, VaultError};

/// What adding wraps came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repaired {
    /// Wraps added or replaced.
    pub wraps: u64,
    /// Recordings that could not be looked after and are tried again.
    pub failed: u64,
}

/// The data key of a recording, by the leave of anyone who has to agree.
pub(super) async fn data_key(
    vault: &Vault,
    custody: &KeyCustody,
    recording: RecordingName,
) -> Result<Secret, ReadError> {
    let releases = custody.releases(recording).await?;
    let mut missed = ReadError::Missing;
    for pair in releases.pairs() {
        match open_one(vault, recording, &releases, pair).await {
            Ok(key) => return Ok(key),
            // What says most is told.
            Err(error) if !matches!(error, ReadError::Missing) => missed = error,
            Err(_) => {}
        }
    }
    let is_lost = matches!(missed, ReadError::Damaged) && custody.was_lost(recording.hour);
    Err(if is_lost { ReadError::Gone } else { missed })
}

async fn open_one(
    vault: &Vault,
    recording: RecordingName,
    releases: &KeyShares,
    pair: Pair,
) -> Result<Secret, ReadError> {
    let wrapped = vault.get(&Object::Wrap(pair).path(recording)).await?;
    releases.unwrap(recording, pair, &wrapped).map_err(|_| ReadError::Damaged)
}

/// The data key by every pair that opens it, and which pairs have nothing that does.
async fn open_all(
    vault: &Vault,
    recording: RecordingName,
    releases: &KeyShares,
) -> Result<(Secret, Vec<Pair>), ReadError> {
    let (mut found, mut damaged, mut missing) = (None, false, Vec::new());
    for pair in releases.pairs() {
        match open_one(vault, recording, releases, pair).await {
            Ok(key) => {
                found.get_or_insert(key);
            }
            Err(ReadError::Missing) => missing.push(pair),
            Err(ReadError::Damaged) => {
                damaged = true;
                missing.push(pair);
            }
            Err(error) => return Err(error),
        }
    }
    let lacking = if damaged { ReadError::Damaged } else { ReadError::Missing };
    found.map(|key| (key, missing)).ok_or(lacking)
}

/// Adds the wraps that recordings lack for the keepers that answer now.
pub(super) async fn repair(vault: &Vault, custody: &KeyCustody, keepers: &Keepers) -> Repaired {
    let mut mended = Repaired::default();
    let Ok(recording) = vault.recording().await else {
        mended.failed += 1;
        return mended;
    };
    for recording in recording.into_iter().filter(|recording| !custody.is_expired(recording.hour)) {
        match mend_one(vault, keepers, recording).await {
            Ok(wraps) => mended.wraps += wraps,
            // Expired or erased meanwhile, or made by other keepers: trying again would not help.
            Err(ReadError::Gone | ReadError::Missing | ReadError::Damaged) => {}
            Err(_) => mended.failed += 1,
        }
    }
    mended
}

async fn mend_one(vault: &Vault, keepers: &Keepers, recording: RecordingName) -> Result<u64, ReadError> {
    let wraps = vault.list(&format!("{}/wrap", folder(recording))).await?;
    let not_yet = || ReadError::Store(VaultError::Failed("not every keeper can be wrapped for yet".to_owned()));
    // They may still be on their way.
    if wraps.is_empty() {
        return Err(not_yet());
    }
    let releases = keepers.releases(recording, true).await?;
    // A keeper that could not store a new key may soon.
    if releases.keepers().len() < keepers.len() {
        return Err(not_yet());
    }
    let stored = |pair: &Pair| {
        let path = Object::Wrap(*pair).path(recording);
        wraps.iter().any(|listed| listed.path == path)
    };
    // Whether those that are there still open is looked at too: a keeper may have lost its keys and kept its name.
    let (key, missing) = open_all(vault, recording, &releases).await?;
    let mut added = 0;
    for wrap in releases.wrap(recording, &key).into_iter().filter(|wrap| missing.contains(&wrap.pair)) {
        let path = Object::Wrap(wrap.pair).path(recording);
        if stored(&wrap.pair) {
            vault.delete(&path).await?;
        }
        vault.put(&path, wrap.bytes.into()).await?;
        added += 1;
    }
    Ok(added)
}
