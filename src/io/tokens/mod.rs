//! **The question:** did a key of the operator's sign this token, and what does it say? JWT (RFC 7519) as RFC 8725 has
//! it: the key that a token names says by which algorithm it signs, never the token.
//!
//! Doors: [`Keyring`] reads tokens, by [`AccessKey`]s; [`SigningKey`] makes them. What they give leave to is
//! `core/access`'s.

mod key;
mod keyring;
mod signing;

pub use key::{AccessKey, Algorithm, KeyError, KeyId};
pub use keyring::Keyring;
pub use signing::SigningKey;
