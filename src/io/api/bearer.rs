//! **The question:** did a request show the operator's token? It is compared in constant time and never printed.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use serde::{Deserialize, Serialize};

use crate::base::limits;

/// What an operator's clients send as `Authorization: Bearer …` (RFC 6750): long enough that nobody guesses it. Clones
/// share it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BearerToken(Arc<str>);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerTokenError {
    /// It could be guessed, or is no token any more.
    #[error(
        "a token has {} to {} characters, so that nobody guesses it; `openssl rand -hex 32` makes one",
        limits::TOKEN_LEN_MIN,
        limits::TOKEN_LEN_MAX
    )]
    Length,
    /// It would not survive a header.
    #[error("a token has letters, digits and - . _ ~ + / = only (RFC 6750)")]
    Character,
}

impl BearerToken {
    /// Whether `shown` is it, in a time that tells nothing but its length.
    #[must_use]
    pub fn is(&self, shown: &str) -> bool {
        verify_slices_are_equal(shown.as_bytes(), self.0.as_bytes()).is_ok()
    }
}

impl TryFrom<String> for BearerToken {
    type Error = BearerTokenError;

    fn try_from(text: String) -> Result<Self, BearerTokenError> {
        if !(limits::TOKEN_LEN_MIN..=limits::TOKEN_LEN_MAX).contains(&text.len()) {
            return Err(BearerTokenError::Length);
        }
        let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.bytes().all(is_of_it) { Ok(Self(text.into())) } else { Err(BearerTokenError::Character) }
    }
}

impl std::str::FromStr for BearerToken {
    type Err = BearerTokenError;

    fn from_str(text: &str) -> Result<Self, BearerTokenError> {
        text.to_owned().try_into()
    }
}

impl From<BearerToken> for String {
    fn from(token: BearerToken) -> Self {
        token.0.as_ref().into()
    }
}

impl PartialEq for BearerToken {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for BearerToken {}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_could_be_guessed_is_none_and_one_is_never_printed() {
        let parse = |text: &str| text.parse::<BearerToken>();
        assert_eq!(parse("a"), Err(BearerTokenError::Length));
        assert_eq!(parse(&"a".repeat(limits::TOKEN_LEN_MIN - 1)), Err(BearerTokenError::Length));
        assert_eq!(parse(&"a".repeat(limits::TOKEN_LEN_MAX + 1)), Err(BearerTokenError::Length));
        assert_eq!(parse("a token with spaces in it"), Err(BearerTokenError::Character));
        let token = parse("0123456789abcdef").unwrap();
        assert!(token.is("0123456789abcdef"));
        for other in ["", "0123456789abcdeF", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!token.is(other), "{other}");
        }
        assert!(!format!("{token:?}").contains("0123"));
    }
}
