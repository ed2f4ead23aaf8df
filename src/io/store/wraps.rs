//! **The question:** which pairs of keepers open a recording, and who adds the pairs that are missing? A wrap is
//! written once; one that its own pair does not open any more, for a keeper lost its keys, is replaced.

use std::collections::BTreeSet;

use crate::core::record::{Object, folder};
use crate::core::retention::{KeyShares, Pair, RecordingName, Secret};
use crate::io::store::custody::KeyCustody;
use crate::io::store::keepers::Keepers;
use crate::io::store::read_error::ReadError;
use crate::io::store::underway::Underway;
use crate::io::store::vault::{Vault, VaultError};

/// What adding wraps came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repaired {
    /// Wraps added or replaced.
    pub wraps: u64,
    /// Recordings that could not be looked after and are tried again.
    pub failed: u64,
    /// Why the first of them could not.
    pub why: Option<String>,
    /// Recordings that no pair of the keepers opens: made by others, or by two that lost their keys.
    pub unopened: u64,
}

impl Repaired {
    fn fail(&mut self, why: &dyn std::fmt::Display) {
        self.failed += 1;
        self.why.get_or_insert_with(|| why.to_string());
    }
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

/// The data key by whatever pair opens it, and which pairs have nothing that does.
async fn open_all(
    vault: &Vault,
    recording: RecordingName,
    releases: &KeyShares,
) -> Result<(Option<Secret>, Vec<Pair>), ReadError> {
    let (mut found, mut missing) = (None, Vec::new());
    for pair in releases.pairs() {
        match open_one(vault, recording, releases, pair).await {
            Ok(key) => {
                found.get_or_insert(key);
            }
            Err(ReadError::Missing | ReadError::Damaged) => missing.push(pair),
            Err(error) => return Err(error),
        }
    }
    Ok((found, missing))
}

/// Adds the wraps that recordings lack for the keepers that answer now, those too whose objects are not stored yet.
pub(super) async fn repair(vault: &Vault, custody: &KeyCustody, keepers: &Keepers, underway: &Underway) -> Repaired {
    let mut mended = Repaired::default();
    // In the order in which their objects travel, so that none is missed on its way.
    let mut recordings: BTreeSet<_> = underway.recordings().into_iter().collect();
    recordings.extend(vault.spool().map(|spool| spool.recordings()).unwrap_or_default());
    match vault.recording().await {
        Ok(stored) => recordings.extend(stored),
        Err(error) => mended.fail(&error),
    }
    // What is still made has not expired by what keepers say, whatever this machine's own clock does.
    let wanted = |recording: &RecordingName| underway.has(*recording) || !custody.is_expired(recording.hour);
    for recording in recordings.into_iter().filter(wanted) {
        match mend_one(vault, keepers, recording, underway).await {
            Ok(wraps) => mended.wraps += wraps,
            // Expired or erased meanwhile.
            Err(ReadError::Gone) => {}
            // Trying again would not help.
            Err(ReadError::Missing | ReadError::Damaged) => mended.unopened += 1,
            Err(error) => mended.fail(&error),
        }
    }
    mended
}

async fn mend_one(
    vault: &Vault,
    keepers: &Keepers,
    recording: RecordingName,
    underway: &Underway,
) -> Result<u64, ReadError> {
    let wraps = vault.list(&format!("{}/wrap", folder(recording))).await?;
    let not_yet = || ReadError::Store(VaultError::Failed("not every keeper can be wrapped for yet".to_owned()));
    // They may still be on their way, or wait in the spool.
    if wraps.is_empty() {
        return if underway.is_erased(recording) { Err(ReadError::Gone) } else { Err(not_yet()) };
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
    let (opened, missing) = open_all(vault, recording, &releases).await?;
    // Two keepers that lost theirs at once are wrapped for by the node as long as it makes the recording.
    let made = underway.key(recording);
    let key = opened.as_ref().or(made.as_deref()).ok_or(ReadError::Missing)?;
    let mut added = 0;
    for wrap in releases.wrap(recording, key).into_iter().filter(|wrap| missing.contains(&wrap.pair)) {
        let path = Object::Wrap(wrap.pair).path(recording);
        if stored(&wrap.pair) {
            vault.delete(&path).await?;
        }
        vault.put(&path, wrap.bytes.into()).await?;
        if underway.is_erased(recording) {
            // Whoever erased it may have looked before this came.
            vault.delete(&path).await?;
            return Err(ReadError::Gone);
        }
        added += 1;
    }
    Ok(added)
}
