//! **The question:** what does a token say, and does it hold now? The claims of RFC 7519 that are read, as pure code:
//! that they are signed was found out before.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::access::caller::Grant;
use crate::core::access::role::Role;
use crate::core::fleet::Label;

/// What a token says. Others' claims are ignored (RFC 7519 section 4).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The one room that it is for; absent, and only then: any.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomId>,
    /// What it makes of who shows it.
    pub role: Role,
    /// When it ends, seconds since 1970.
    #[serde(deserialize_with = "date")]
    pub exp: u64,
    /// From when on it holds.
    #[serde(default, deserialize_with = "said_date", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// When it was made.
    #[serde(default, deserialize_with = "said_date", skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Where a room has to run that its bearer comes into.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub region: Option<Label>,
    /// Whose it is, to whoever made it: by a digest of it, somebody whom a host bans is known again.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// What others are to call them.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which token it is; nothing here reads it.
    #[serde(default, deserialize_with = "said", skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

// Names of rooms and people stay out of logs.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims").field("role", &self.role).field("exp", &self.exp).finish_non_exhaustive()
    }
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It is no token, or says what cannot be understood.
    Unreadable,
    /// It names no key that is known here.
    UnknownKey,
    /// Its key did not sign it, or signs otherwise.
    Forged,
    /// It has ended.
    Expired,
    /// It holds later.
    NotYet,
    /// It would hold longer than tokens may here.
    LongLived,
    /// It names a room that is not of those whom its key is for.
    Outside,
}

impl Claims {
    /// What they give leave to at `now`, seconds since 1970, where a token lives at most `longest`.
    ///
    /// # Errors
    /// [`TokenFault`] when they do not hold now, or never can.
    pub fn grant(self, now: u64, longest: Duration) -> Result<Grant, TokenFault> {
        let (leeway, longest) = (limits::ACCESS_LEEWAY_SPAN.as_secs(), longest.as_secs());
        let begins = [self.nbf, self.iat].into_iter().flatten().max();
        if begins.is_some_and(|begins| begins > now + leeway) {
            return Err(TokenFault::NotYet);
        }
        if now >= self.exp.saturating_add(leeway) {
            return Err(TokenFault::Expired);
        }
        let made = self.iat.or(self.nbf).unwrap_or(now);
        if self.exp.saturating_sub(made) > longest || self.exp > now + leeway + longest {
            return Err(TokenFault::LongLived);
        }
        let Self { role, room, name, region, .. } = self;
        let name = name.as_deref().map(shown).transpose()?;
        Ok(Grant { name: name.map(Into::into), region, ..Grant::new(role, room) })
    }
}

/// A name as others may read it.
fn shown(name: &str) -> Result<&str, TokenFault> {
    let name = name.trim();
    let fits = !name.is_empty() && name.len() <= limits::DISPLAY_NAME_LEN_MAX && !name.chars().any(char::is_control);
    if fits { Ok(name) } else { Err(TokenFault::Unreadable) }
}

/// What is there is said: `null` is a mistake of whoever made the token, and no leave for every room.
fn said<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A `NumericDate`, which may have a fraction (RFC 7519 section 2).
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if (0.0..=limits::ACCESS_DATE_MAX as f64).contains(&seconds) {
        return Ok(seconds as u64);
    }
    Err(serde::de::Error::custom("no date that could be meant"))
}

fn said_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    date(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: Duration = Duration::from_secs(86_400);
    const LEEWAY: u64 = limits::ACCESS_LEEWAY_SPAN.as_secs();

    fn claims() -> Claims {
        let (room, sub, name, jti) = (Some("daily".parse().unwrap()), None, None, None);
        let (exp, iat) = (NOW + 3600, Some(NOW));
        Claims { room, role: Role::Speaker, exp, nbf: None, iat, region: None, sub, name, jti }
    }

    fn read(text: &str) -> Option<Claims> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn a_token_holds_from_its_first_second_to_its_last_and_a_little_around() {
        let at = |now: u64| claims().grant(now, DAY).map(|grant| grant.role);
        assert_eq!(at(NOW), Ok(Role::Speaker));
        assert_eq!(at(NOW - LEEWAY), Ok(Role::Speaker));
        assert_eq!(at(NOW - LEEWAY - 1), Err(TokenFault::NotYet), "made in the future");
        assert_eq!(at(NOW + 3600 + LEEWAY - 1), Ok(Role::Speaker));
        assert_eq!(at(NOW + 3600 + LEEWAY), Err(TokenFault::Expired));
        let later = Claims { nbf: Some(NOW + 600), ..claims() };
        assert_eq!(later.clone().grant(NOW, DAY), Err(TokenFault::NotYet));
        assert!(later.grant(NOW + 600, DAY).is_ok());
    }

    #[test]
    fn no_token_lives_longer_than_the_operator_lets_it_whatever_it_says_of_its_making() {
        let living = |exp: u64, iat: Option<u64>| Claims { exp, iat, ..claims() }.grant(NOW, DAY).map(drop);
        assert_eq!(living(NOW + 86_400, Some(NOW)), Ok(()));
        assert_eq!(living(NOW + 86_400, None), Ok(()));
        for iat in [None, Some(NOW), Some(NOW + LEEWAY)] {
            assert_eq!(living(NOW + 2 * 86_400, iat), Err(TokenFault::LongLived), "{iat:?}");
        }
        assert_eq!(living(NOW + 10, Some(NOW - 86_400)), Err(TokenFault::LongLived), "it is old, and not over yet");
        assert_eq!(living(limits::ACCESS_DATE_MAX, None), Err(TokenFault::LongLived));
    }

    #[test]
    fn what_is_not_said_is_not_guessed() {
        let exp = NOW + 60;
        let good = format!(r#"{{"room":"daily","role":"host","exp":{exp},"iat":{NOW}.5,"else":[1]}}"#);
        let read_good = read(&good).unwrap();
        assert_eq!((read_good.exp, read_good.iat, read_good.role), (exp, Some(NOW), Role::Host));
        assert!(read(&format!(r#"{{"role":"viewer","exp":{exp}}}"#)).unwrap().room.is_none(), "any room");
        for bad in [
            r#"{"room":"daily","role":"host"}"#.to_owned(),
            format!(r#"{{"room":"daily","exp":{exp}}}"#),
            format!(r#"{{"room":null,"role":"host","exp":{exp}}}"#),
            format!(r#"{{"room":"","role":"host","exp":{exp}}}"#),
            format!(r#"{{"room":"*","role":"host","exp":{exp}}}"#),
            format!(r#"{{"room":["daily"],"role":"host","exp":{exp}}}"#),
            format!(r#"{{"room":"daily","room":"other","role":"host","exp":{exp}}}"#),
            format!(r#"{{"room":"daily","role":"Host","exp":{exp}}}"#),
            format!(r#"{{"room":"daily","role":["host"],"exp":{exp}}}"#),
            r#"{"room":"daily","role":"host","exp":"1900000000"}"#.to_owned(),
            r#"{"room":"daily","role":"host","exp":-1}"#.to_owned(),
            r#"{"room":"daily","role":"host","exp":1e300}"#.to_owned(),
            r#"{"room":"daily","role":"host","exp":null}"#.to_owned(),
            format!(r#"{{"room":"daily","role":"host","exp":{exp},"nbf":"later"}}"#),
            format!(r#"{{"room":"daily","role":"host","exp":{exp},"region":null}}"#),
            format!(r#"{{"room":"daily","role":"host","exp":{exp},"region":"eu west"}}"#),
        ] {
            assert!(read(&bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_nobody_could_read_makes_a_token_none() {
        let named = |name: &str| Claims { name: Some(name.into()), ..claims() }.grant(NOW, DAY);
        assert_eq!(named(" Ada ").unwrap().name.as_deref(), Some("Ada"));
        for name in ["", "  ", "a\u{7}", "a\nb", &"x".repeat(limits::DISPLAY_NAME_LEN_MAX + 1)] {
            assert_eq!(named(name), Err(TokenFault::Unreadable), "{name:?}");
        }
    }

    #[test]
    fn neither_claims_nor_leave_print_whom_they_are_for() {
        let claims = Claims { name: Some("Ada".into()), sub: Some("ada@example.org".into()), ..claims() };
        let printed = format!("{claims:?} {:?}", claims.clone().grant(NOW, DAY));
        assert!(!printed.contains("Ada") && !printed.contains("ada") && !printed.contains("daily"), "{printed}");
    }
}
