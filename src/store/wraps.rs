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
    let (key, _) = open_any(vault, filed, &releases).await?;
    Ok(key)
}

/// Opens the first wrap that can be opened. Which pairs have none that opens, besides.
async fn open_any(vault: &Vault, filed: Filed, releases: &Releases) -> Result<(Secret, Vec<Pair>), ReadError> {
    let mut found = None;
    let (mut damaged, mut missing) = (false, Vec::new());
    for pair in releases.pairs() {
        match vault.get(&Object::Wrap(pair).path(filed)).await {
            Ok(wrapped) => match releases.unwrap(filed, pair, &wrapped) {
                Ok(key) => {
                    found.get_or_insert(key);
                }
                Err(_) => {
                    damaged = true;
                    missing.push(pair);
                }
            },
            Err(VaultError::Missing) => missing.push(pair),
            Err(error) => return Err(error.into()),
        }
    }
    match found {
        Some(key) => Ok((key, missing)),
        None if damaged => Err(ReadError::Damaged),
        None => Err(ReadError::Missing),
    }
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
    let releases = keepers.releases(filed, true).await?;
    // Its first wraps may still be on their way; a keeper that could not store a new key may soon.
    if wraps.is_empty() || releases.keepers().len() < keepers.len() {
        return Err(ReadError::Store(VaultError::Failed("not every keeper can be wrapped for yet".to_owned())));
    }
    let stored = |pair: &Pair| {
        let path = Object::Wrap(*pair).path(filed);
        wraps.iter().any(|listed| listed.path == path)
    };
    // Whether those that are there still open is looked at too: a keeper may have lost its keys and kept its name.
    let (key, missing) = open_any(vault, filed, &releases).await?;
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
