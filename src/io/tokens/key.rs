//! **The question:** what lies in a key's file? A secret of HS256, or a public key of EdDSA; neither is ever printed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use crate::base::limits;

/// How DER says that 32 bytes of an Ed25519 public key follow (RFC 8410 section 4).
const ED25519_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const ED25519_BYTES: usize = 32;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// By Ed25519 (RFC 8037): the node knows the public key alone and could make no token.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// By HMAC with SHA-256 (RFC 7518 section 3.2): whoever reads tokens could make them.
    #[serde(rename = "HS256")]
    Hs256,
}

/// What a key is called, and what a token's `kid` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(Arc<str>);

/// A key that tokens are read by. Clones share nothing; its bytes are wiped when it goes.
#[derive(Clone)]
pub struct AccessKey {
    id: KeyId,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Why there is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No id.
    #[error("a key's id has 1 to {} letters, digits and - . _", limits::ACCESS_KEY_ID_LEN_MAX)]
    Id,
    /// A file that is too long to be one.
    #[error("a key's file has at most {} bytes", limits::ACCESS_KEY_FILE_LEN_MAX)]
    Long,
    /// A secret that might be guessed.
    #[error(
        "a secret of HS256 has {} bytes or more, so that nobody guesses it; `openssl rand -hex 32 > FILE` makes one",
        limits::ACCESS_SECRET_LEN_MIN
    )]
    Short,
    /// A PEM file where a secret should be.
    #[error("this is a PEM file, and a secret of HS256 is none; for a key pair set algorithm to \"EdDSA\"")]
    NoSecret,
    /// No public key.
    #[error(
        "there is no Ed25519 public key in PEM; `openssl genpkey -algorithm ed25519 -out private.pem` makes a pair, \
         and `openssl pkey -in private.pem -pubout -out FILE` gives its public key"
    )]
    NoPublicKey,
    /// A private key, which a node does not need.
    #[error(
        "this is a private key, which a node does not need and should not have; \
         `openssl pkey -in private.pem -pubout -out FILE` gives its public key"
    )]
    Private,
    /// No private key.
    #[error("there is no Ed25519 private key in PEM; `openssl genpkey -algorithm ed25519 -out FILE` makes one")]
    NoPrivateKey,
}

impl KeyId {
    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyId {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let fits = (1..=limits::ACCESS_KEY_ID_LEN_MAX).contains(&text.len());
        let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if fits && text.bytes().all(is_of_it) { Ok(Self(text.into())) } else { Err(KeyError::Id) }
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.to_owned().try_into()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.0.as_ref().into()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AccessKey {
    /// The key `id` in a file that holds `bytes`.
    ///
    /// # Errors
    /// [`KeyError`] says what should be there.
    pub fn read(id: KeyId, algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let key = match algorithm {
            Algorithm::Hs256 => DecodingKey::from_secret(secret(bytes)?),
            // Its backend takes the point itself.
            Algorithm::EdDsa => DecodingKey::from_ed_der(&public_key(bytes)?),
        };
        Ok(Self { id, algorithm, key })
    }

    /// What it is called.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// How it signs, whatever a token says.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) const fn key(&self) -> &DecodingKey {
        &self.key
    }
}

impl PartialEq for AccessKey {
    fn eq(&self, other: &Self) -> bool {
        let same = aws_lc_rs::constant_time::verify_slices_are_equal(self.key.as_bytes(), other.key.as_bytes());
        self.id == other.id && self.algorithm == other.algorithm && same.is_ok()
    }
}

impl Eq for AccessKey {}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey")
            .field("id", &self.id.as_str())
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A secret's bytes: all of its file but the end of the line that editors and `openssl rand` write.
pub(super) fn secret(bytes: &[u8]) -> Result<&[u8], KeyError> {
    if bytes.len() > limits::ACCESS_KEY_FILE_LEN_MAX {
        return Err(KeyError::Long);
    }
    if bytes.starts_with(b"-----BEGIN ") {
        return Err(KeyError::NoSecret);
    }
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let secret = line.strip_suffix(b"\r").unwrap_or(line);
    // A hundred times the same letter is guessed sooner than it is long.
    let is_varied = secret.iter().any(|byte| *byte != secret[0]);
    if secret.len() < limits::ACCESS_SECRET_LEN_MIN || !is_varied {
        return Err(KeyError::Short);
    }
    Ok(secret)
}

fn public_key(bytes: &[u8]) -> Result<[u8; ED25519_BYTES], KeyError> {
    if bytes.len() > limits::ACCESS_KEY_FILE_LEN_MAX {
        return Err(KeyError::Long);
    }
    if bytes.windows(12).any(|window| window == b" PRIVATE KEY") {
        return Err(KeyError::Private);
    }
    let der = SubjectPublicKeyInfoDer::from_pem_slice(bytes).map_err(|_| KeyError::NoPublicKey)?;
    let point = der.as_ref().strip_prefix(&ED25519_HEAD).and_then(|point| point.try_into().ok());
    point.ok_or(KeyError::NoPublicKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_another_kind_of_key_is_told_by_what_to_do() {
        let of = |algorithm, bytes: &[u8]| AccessKey::read("a".parse().unwrap(), algorithm, bytes).map(drop);
        let secret = "0123456789abcdef0123456789abcdef\n";
        assert_eq!(of(Algorithm::Hs256, secret.as_bytes()), Ok(()));
        assert_eq!(of(Algorithm::Hs256, &secret.as_bytes()[1..]), Err(KeyError::Short));
        assert_eq!(of(Algorithm::Hs256, &[b'a'; 64]), Err(KeyError::Short));
        assert_eq!(of(Algorithm::Hs256, b""), Err(KeyError::Short));
        assert_eq!(of(Algorithm::Hs256, &vec![7; limits::ACCESS_KEY_FILE_LEN_MAX + 1]), Err(KeyError::Long));
        let public = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                       -----END PUBLIC KEY-----\n";
        assert_eq!(of(Algorithm::EdDsa, public), Ok(()));
        assert_eq!(of(Algorithm::Hs256, public), Err(KeyError::NoSecret), "its public key would be the secret");
        assert_eq!(of(Algorithm::EdDsa, secret.as_bytes()), Err(KeyError::NoPublicKey));
        let private = b"-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----\n";
        assert_eq!(of(Algorithm::EdDsa, private), Err(KeyError::Private));
        let x25519 = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                       -----END PUBLIC KEY-----\n";
        assert_eq!(of(Algorithm::EdDsa, x25519), Err(KeyError::NoPublicKey), "it signs nothing");
    }

    #[test]
    fn a_key_prints_its_id_and_nothing_of_itself() {
        let text = "0123456789abcdef0123456789abcdef";
        let key = AccessKey::read("of-2026".parse().unwrap(), Algorithm::Hs256, text.as_bytes()).unwrap();
        let printed = format!("{key:?} {key:#?}");
        assert!(printed.contains("of-2026") && !printed.contains("0123") && !printed.contains("48, 49"), "{printed}");
        for id in ["", "a b", "a\"", &"a".repeat(limits::ACCESS_KEY_ID_LEN_MAX + 1)] {
            assert_eq!(id.parse::<KeyId>(), Err(KeyError::Id), "{id}");
        }
    }
}
