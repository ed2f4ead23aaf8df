//! **The question:** which pairs of keepers open a recording, and who adds the pairs that are missing? A wrap is written once; one
//! that its own pair does not open any more, for a keeper lost its keys, is replaced.

use crate::record::{Object, folder};
use crate::retention::{Filed, Pair, Releases, Secret};
use crate::store::archive::ReadError;
use crate::store::keepers::Keepers;
use crate::store::keeping::Keeping;
use crate::store::own_keeper::KeepingError;
use crate::store::vault::{Vault, VaultError};

/// What adding wraps came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// Wraps added or replaced.
    pub wraps: u64,
    /// Recordings that could not be looked after and are tried again.
    pub failed: u64,
}

/// The data key of a recording, by the leave of whoever has to agree.
pub(super) async fn data_key(vault: &Vault, keeping: &Keeping, filed: Filed) -> Result<Secret, ReadError> {
    let releases = keeping.releases(filed).await?;
    let mut missed = ReadError::Missing;
    for pair in releases.pairs() {
        match open_one(vault, filed, &releases, pair).await {
            Ok(key) => return Ok(key),
            // What says most is told.
            Err(error) if !matches!(error, ReadError::Missing) => missed = error,
            Err(_) => {}
        }
    }
    Err(missed)
}

async fn open_one(vault: &Vault, filed: Filed, releases: &Releases, pair: Pair) -> Result<Secret, ReadError> {
    let wrapped = vault.get(&Object::Wrap(pair).path(filed)).await?;
    releases.unwrap(filed, pair, &wrapped).map_err(|_| ReadError::Damaged)
}

/// The data key by every pair that opens it, and which pairs have nothing that does.
async fn open_all(vault: &Vault, filed: Filed, releases: &Releases) -> Result<(Secret, Vec<Pair>), ReadError> {
    let (mut found, mut damaged, mut missing) = (None, false, Vec::new());
    for pair in releases.pairs() {
        match open_one(vault, filed, releases, pair).await {
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
pub(super) async fn mend(vault: &Vault, keeping: &Keeping, keepers: &Keepers) -> Mended {
    let mut mended = Mended::default();
    let Ok(filed) = vault.filed().await else {
        mended.failed += 1;
        return mended;
    };
    for filed in filed.into_iter().filter(|filed| !keeping.has_come(filed.hour)) {
        match mend_one(vault, keepers, filed).await {
            Ok(wraps) => mended.wraps += wraps,
            // Expired or erased meanwhile, or made by other keepers: trying again would not help.
            Err(ReadError::Gone | ReadError::Missing | ReadError::Damaged) => {}
            Err(_) => mended.failed += 1,
        }
    }
    mended
}

async fn mend_one(vault: &Vault, keepers: &Keepers, filed: Filed) -> Result<u64, ReadError> {
    let wraps = vault.list(&format!("{}/wrap", folder(filed))).await?;
    let not_yet = || ReadError::Store(VaultError::Failed("not every keeper can be wrapped for yet".to_owned()));
    // They may still be on their way.
    if wraps.is_empty() {
        return Err(not_yet());
    }
    let releases = keepers.releases(filed, true).await?;
    // A keeper that could not store a new key may soon.
    if releases.keepers().len() < keepers.len() {
        return Err(not_yet());
    }
    let stored = |pair: &Pair| {
        let path = Object::Wrap(*pair).path(filed);
        wraps.iter().any(|listed| listed.path == path)
    };
    // Whether those that are there still open is looked at too: a keeper may have lost its keys and kept its name.
    let (key, missing) = open_all(vault, filed, &releases).await?;
    let mut added = 0;
    for wrap in releases.wrap(filed, &key).into_iter().filter(|wrap| missing.contains(&wrap.pair)) {
        let path = Object::Wrap(wrap.pair).path(filed);
        if stored(&wrap.pair) {
            vault.delete(&path).await?;
        }
        vault.put(&path, wrap.bytes.into()).await?;
        added += 1;
    }
    Ok(added)
}

impl From<KeepingError> for ReadError {
    fn from(error: KeepingError) -> Self {
        match error {
            KeepingError::Refused(refusal) => refusal.into(),
            other => Self::Store(VaultError::Failed(other.to_string())),
        }
    }
}
