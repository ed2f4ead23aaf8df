//! **The question:** where does a push go, and what does that server want to see? URLs of WHIP often hold a stream's
//! key, so that of a URL only its scheme, host and port are ever shown again.

use std::fmt;

use reqwest::Url;

use crate::base::limits;
use crate::io::egress::{UrlError, check};
use crate::io::telemetry::log::Redacted;

/// Where to push. Its text forms tell no secret.
#[derive(Clone)]
pub struct PushTarget {
    url: Redacted<Url>,
    token: Option<Redacted<String>>,
    shown: String,
}

impl fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PushTarget").field(&self.shown).finish()
    }
}

/// Why nothing can be pushed there; says what to do, and repeats nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushTargetError {
    /// It is longer than any.
    #[error("'url' has at most {} bytes", limits::PUSH_URL_LEN_MAX)]
    TooLong,
    /// It is none.
    #[error("'url' is no URL; give that of a WHIP endpoint, such as https://live.example/whip/stage")]
    NoUrl,
    /// It is read on the way.
    #[error("'url' begins with https://; http:// is taken where the operator sets [push] allow_private")]
    Scheme,
    /// They would be sent to every server that it leads to.
    #[error("'url' holds a name or a password; a token belongs in 'token'")]
    Credentials,
    /// Nothing is sent there.
    #[error("'url' names an address that is not public; the operator sets [push] allow_private to let pushes go there")]
    Private,
    /// It would not survive a header.
    #[error("'token' has 1 to {} letters, digits and - . _ ~ + / = (RFC 6750)", limits::PUSH_TOKEN_LEN_MAX)]
    Token,
}

impl From<UrlError> for PushTargetError {
    fn from(why: UrlError) -> Self {
        match why {
            UrlError::NoUrl => Self::NoUrl,
            UrlError::Scheme => Self::Scheme,
            UrlError::Credentials => Self::Credentials,
            UrlError::Private => Self::Private,
        }
    }
}

impl PushTarget {
    /// What somebody asked for. Nothing is resolved or asked yet.
    ///
    /// # Errors
    /// When nothing can be pushed there.
    pub fn parse(url: &str, token: Option<&str>, allow_private: bool) -> Result<Self, PushTargetError> {
        if url.len() > limits::PUSH_URL_LEN_MAX {
            return Err(PushTargetError::TooLong);
        }
        let url: Url = url.parse().map_err(|_| PushTargetError::NoUrl)?;
        check(&url, allow_private)?;
        if token.is_some_and(|token| !is_token(token)) {
            return Err(PushTargetError::Token);
        }
        let shown = url.origin().ascii_serialization();
        Ok(Self { url: Redacted::new(url), token: token.map(|token| Redacted::new(token.to_owned())), shown })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn url(&self) -> &Url {
        self.url.reveal()
    }

    /// What is shown to a server at `url`: the token is this server's, and no other's.
    pub(super) fn token_for(&self, url: &Url) -> Option<&str> {
        let token = self.token.as_ref().filter(|_| url.origin() == self.url().origin());
        token.map(|token| token.reveal().as_str())
    }
}

fn is_token(text: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    (1..=limits::PUSH_TOKEN_LEN_MAX).contains(&text.len()) && text.bytes().all(is_of_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, allow_private: bool) -> Option<PushTargetError> {
        PushTarget::parse(url, None, allow_private).err()
    }

    #[test]
    fn only_what_may_be_asked_is_a_target() {
        assert_eq!(refusal("https://live.example/whip/stage?key=1", false), None);
        assert_eq!(refusal("https://8.8.8.8:8443/whip", false), None);
        for (url, why) in [
            ("http://live.example/whip", PushTargetError::Scheme),
            ("ftp://live.example/whip", PushTargetError::NoUrl),
            ("file:///etc/passwd", PushTargetError::NoUrl),
            ("live.example/whip", PushTargetError::NoUrl),
            ("https://", PushTargetError::NoUrl),
            ("", PushTargetError::NoUrl),
            ("https://ada:s3cret@live.example/whip", PushTargetError::Credentials),
            ("https://127.0.0.1/whip", PushTargetError::Private),
            ("https://0x7f.1/whip", PushTargetError::Private),
            ("https://2130706433/whip", PushTargetError::Private),
            ("https://[::1]:8443/whip", PushTargetError::Private),
            ("https://[::ffff:169.254.169.254]/latest", PushTargetError::Private),
        ] {
            assert_eq!(refusal(url, false), Some(why), "{url}");
        }
        for url in ["http://127.0.0.1:8080/whip/stage", "http://[::1]/whip", "https://10.0.0.1/whip"] {
            assert_eq!(refusal(url, true), None, "{url}");
        }
        assert_eq!(refusal("https://a:b@10.0.0.1/whip", true), Some(PushTargetError::Credentials));
        let long = format!("https://live.example/{}", "x".repeat(limits::PUSH_URL_LEN_MAX));
        assert_eq!(refusal(&long, true), Some(PushTargetError::TooLong));
        for token in ["", "a b", "a\r\nX-Other: 1", "käse", &"x".repeat(limits::PUSH_TOKEN_LEN_MAX + 1)] {
            let target = PushTarget::parse("https://live.example/whip", Some(token), false);
            assert_eq!(target.err(), Some(PushTargetError::Token), "{token:?}");
        }
    }

    #[test]
    fn no_text_of_a_target_tells_its_path_its_query_or_its_token() {
        let target =
            PushTarget::parse("https://live.example:8443/whip/s3cret?key=s3cret", Some("s3cret"), false).unwrap();
        assert_eq!(target.shown(), "https://live.example:8443");
        assert!(!format!("{target:?}{}", target.shown()).contains("s3cret"));
        let refused = PushTarget::parse("https://ada:s3cret@live.example/s3cret", None, false).unwrap_err();
        assert!(!format!("{refused}{refused:?}").contains("s3cret"));
    }

    #[test]
    fn a_token_is_shown_to_the_server_that_it_is_for_and_to_no_other() {
        let target = PushTarget::parse("https://live.example/whip", Some("t0ken"), false).unwrap();
        let shown = |url: &str| target.token_for(&url.parse().unwrap()).is_some();
        assert!(shown("https://live.example/session/1") && shown("https://live.example:443/x"));
        for url in ["https://other.example/whip", "https://live.example:8443/whip", "http://live.example/whip"] {
            assert!(!shown(url), "{url}");
        }
    }
}
