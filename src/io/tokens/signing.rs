//! **The question:** how is a token made? By the key that the operator has, for whomever they choose.

use std::fmt;

use jsonwebtoken::{EncodingKey, Header, encode};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::base::limits;
use crate::core::access::Claims;
use crate::io::tokens::key::{Algorithm, KeyError, KeyId, secret};
use crate::io::tokens::keyring::signs_by;

/// A key that makes tokens.
pub struct SigningKey {
    id: KeyId,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// The key `id` in a file that holds `bytes`: a secret, or a private key in PEM.
    ///
    /// # Errors
    /// [`KeyError`] says what should be there.
    pub fn read(id: KeyId, algorithm: Algorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let key = match algorithm {
            Algorithm::Hs256 => EncodingKey::from_secret(secret(bytes)?),
            Algorithm::EdDsa if bytes.len() > limits::ACCESS_KEY_FILE_LEN_MAX => return Err(KeyError::Long),
            Algorithm::EdDsa => {
                let der = PrivatePkcs8KeyDer::from_pem_slice(bytes).map_err(|_| KeyError::NoPrivateKey)?;
                EncodingKey::from_ed_der(der.secret_pkcs8_der())
            }
        };
        Ok(Self { id, algorithm, key })
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// When the key's file holds a private key of another kind.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let head = Header { kid: Some(self.id.as_str().to_owned()), ..Header::new(signs_by(self.algorithm)) };
        encode(&head, claims, &self.key).map_err(|_| KeyError::NoPrivateKey)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id.as_str())
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
