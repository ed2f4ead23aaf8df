//! **The question:** by what is one connection steered, and by nobody else?

use std::fmt;
use std::str::FromStr;

/// The unguessable name of one connection, 128 random bits: who knows it may steer the connection. Never logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResourceToken(u128);

/// What place somebody wants who joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SeatWish {
    /// Any, which is free again as soon as their connection breaks.
    #[default]
    Free,
    /// Any, which is kept for them for `limits::SEAT_SPAN` when their connection breaks.
    Keep,
    /// The one of their former connection.
    Resume(ResourceToken),
}

impl FromStr for SeatWish {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        if text == "keep" { Ok(Self::Keep) } else { text.parse().map(Self::Resume) }
    }
}

/// A text that is no token's text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoToken;

impl ResourceToken {
    /// A new one from the system's randomness.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).expect("aws-lc's generator fails on a broken system only");
        Self(u128::from_le_bytes(bytes))
    }
}

impl fmt::Display for ResourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ResourceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResourceToken(…)")
    }
}

impl FromStr for ResourceToken {
    type Err = NoToken;

    fn from_str(text: &str) -> Result<Self, NoToken> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(NoToken);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| NoToken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_their_text_form_and_stay_out_of_logs() {
        let token = ResourceToken::random();
        assert_eq!(token.to_string().parse(), Ok(token));
        assert_ne!(token, ResourceToken::random());
        assert!(!format!("{token:?}").contains(&token.to_string()));
        assert_eq!("+0000000000000000000000000000000".parse::<ResourceToken>(), Err(NoToken));
        assert_eq!("abc".parse::<ResourceToken>(), Err(NoToken));
    }
}
