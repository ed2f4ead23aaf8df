//! **The question:** as whom does the cluster's API know us, and how do we know it? Three files that the kubelet keeps:
//! a token that it writes anew long before the old one is over, the authority's certificates, and the namespace.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::base::limits;
use crate::io::telemetry::log::Redacted;

/// Why the files are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}; a pod has it where its service account's token is mounted", path.display())]
pub struct AccountError {
    path: PathBuf,
    why: String,
}

/// The files of a service account.
#[derive(Debug)]
pub struct Account {
    folder: PathBuf,
    token: Redacted<String>,
    authority: Vec<u8>,
    read: Instant,
}

impl Account {
    /// Reads them for the first time.
    ///
    /// # Errors
    /// When one is missing, empty or too large.
    pub fn open(folder: &Path) -> Result<Self, AccountError> {
        let (token, authority) = (token(folder)?, authority(folder)?);
        Ok(Self { folder: folder.into(), token, authority, read: Instant::now() })
    }

    /// The namespace that the pod is in.
    ///
    /// # Errors
    /// When the file holds none.
    pub fn namespace(&self) -> Result<String, AccountError> {
        text(&self.folder.join("namespace"), limits::STEWARD_FILE_LEN_MAX)
    }

    /// What is sent as the bearer's token.
    pub(super) fn token(&self) -> &str {
        self.token.reveal()
    }

    /// The certificates by which the API is known, PEM.
    pub(super) fn authority(&self) -> &[u8] {
        &self.authority
    }

    /// Whether the files are to be looked at again.
    pub(super) fn is_old(&self) -> bool {
        self.read.elapsed() >= limits::STEWARD_TOKEN_AGE_MAX
    }

    /// Looks at them again. What cannot be read stays as it was: it may be right still, and if not, the API says so.
    /// Whether the token is another one, and whether the authority is.
    pub(super) fn read_again(&mut self) -> (bool, bool) {
        self.read = Instant::now();
        let (token, authority) = match (token(&self.folder), authority(&self.folder)) {
            (Ok(token), Ok(authority)) => (token, authority),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "the service account's files cannot be read; those of before are used");
                return (false, false);
            }
        };
        let is_new = (token.reveal() != self.token.reveal(), authority != self.authority);
        (self.token, self.authority) = (token, authority);
        is_new
    }
}

fn token(folder: &Path) -> Result<Redacted<String>, AccountError> {
    let path = folder.join("token");
    let token = text(&path, limits::STEWARD_TOKEN_LEN_MAX)?;
    // A JSON Web Token, which goes into a header.
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Redacted::new(token));
    }
    Err(AccountError { path, why: "it is no token, one line of letters, digits and '-_.'".into() })
}

fn authority(folder: &Path) -> Result<Vec<u8>, AccountError> {
    text(&folder.join("ca.crt"), limits::STEWARD_FILE_LEN_MAX).map(String::into_bytes)
}

/// What a file says, if that is something.
fn text(path: &Path, len_max: usize) -> Result<String, AccountError> {
    let wrong = |why: String| AccountError { path: path.into(), why };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(len_max as u64 + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    match text.trim() {
        "" => Err(wrong("it is empty".into())),
        _ if text.len() > len_max => Err(wrong(format!("it has more than {len_max} bytes"))),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_token_that_was_written_anew_is_seen_and_one_that_cannot_be_read_replaces_none() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let told = Account::open(folder.path()).unwrap_err().to_string();
        assert!(told.contains("/token: No such file") && told.contains("service account"), "{told}");
        write("token", "s3cret.one\n");
        write("ca.crt", "-----BEGIN CERTIFICATE-----\n");
        write("namespace", "calls\n");
        let mut account = Account::open(folder.path()).unwrap();
        assert_eq!((account.namespace().as_deref(), account.token()), (Ok("calls"), "s3cret.one"));
        assert!(!account.is_old() && account.read_again() == (false, false));
        write("token", "s3cret.two");
        write("ca.crt", "-----BEGIN CERTIFICATE-----\nanother");
        assert_eq!((account.read_again(), account.token()), ((true, true), "s3cret.two"));
        for bad in ["", " \n", "two\nlines", "s3cret.\u{e4}", &"a".repeat(limits::STEWARD_TOKEN_LEN_MAX + 1)] {
            write("token", bad);
            assert_eq!((account.read_again(), account.token()), ((false, false), "s3cret.two"));
            let told = Account::open(folder.path()).unwrap_err().to_string();
            assert!(!told.contains("s3cret"), "{told}");
        }
        assert!(!format!("{account:?}").contains("s3cret"));
    }
}
