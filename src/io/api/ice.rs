//! **The question:** by which STUN and TURN servers may clients reach this node, and what do those want to be shown?
//! Each is told in a `Link` header of relation `ice-server` (RFC 9725 section 4.6).

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::base::limits;

/// One server, as the operator names it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct IceServer {
    urls: Vec<String>,
    shown: Shown,
}

/// What it wants to be shown.
#[derive(Clone, PartialEq, Eq)]
enum Shown {
    Nothing,
    /// The same by everybody.
    Same {
        username: String,
        credential: String,
    },
    /// What only who has this secret can make, for a while (draft-uberti-behave-turn-rest-00 section 2.2).
    MadeWith {
        secret: String,
    },
}

/// Why something is no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IceServerError {
    /// Its addresses.
    #[error(
        "urls are 1 to {}, of the form stun:HOST, stuns:HOST, turn:HOST:PORT?transport=udp or turns:HOST (RFC 7065)",
        limits::ICE_URLS_MAX
    )]
    Urls,
    /// A TURN server takes nobody without.
    #[error("a turn: server takes username and credential, or the secret that it shares with this node")]
    Nothing,
    /// Both at once, or half of one.
    #[error("either username and credential, or secret")]
    Both,
    /// What no header can carry.
    #[error(
        "names, credentials and secrets have 1 to {} printable ASCII characters, no \" and no \\",
        limits::ICE_TEXT_LEN_MAX
    )]
    Text,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl IceServer {
    /// The values of its `Link` headers at this time, one for each address.
    pub fn links(&self, now: SystemTime) -> impl Iterator<Item = String> {
        let shown = match &self.shown {
            Shown::Nothing => String::new(),
            Shown::Same { username, credential } => parameters(username, credential),
            Shown::MadeWith { secret } => {
                let (username, credential) = made(secret, now);
                parameters(&username, &credential)
            }
        };
        self.urls.iter().map(move |url| format!("<{url}>; rel=\"ice-server\"{shown}"))
    }
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl TryFrom<Keys> for IceServer {
    type Error = IceServerError;

    fn try_from(keys: Keys) -> Result<Self, IceServerError> {
        let Keys { urls, username, credential, secret } = keys;
        if urls.is_empty() || urls.len() > limits::ICE_URLS_MAX || !urls.iter().all(|url| is_url(url)) {
            return Err(IceServerError::Urls);
        }
        let texts = [&username, &credential, &secret];
        if !texts.into_iter().flatten().all(|text| is_text(text)) {
            return Err(IceServerError::Text);
        }
        let shown = match (username, credential, secret) {
            (None, None, None) if urls.iter().any(|url| url.starts_with("turn")) => {
                return Err(IceServerError::Nothing);
            }
            (None, None, None) => Shown::Nothing,
            (Some(username), Some(credential), None) => Shown::Same { username, credential },
            (None, None, Some(secret)) => Shown::MadeWith { secret },
            _ => return Err(IceServerError::Both),
        };
        Ok(Self { urls, shown })
    }
}

impl From<IceServer> for Keys {
    fn from(IceServer { urls, shown }: IceServer) -> Self {
        let (username, credential, secret) = match shown {
            Shown::Nothing => (None, None, None),
            Shown::Same { username, credential } => (Some(username), Some(credential), None),
            Shown::MadeWith { secret } => (None, None, Some(secret)),
        };
        Self { urls, username, credential, secret }
    }
}

fn parameters(username: &str, credential: &str) -> String {
    format!("; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\"")
}

/// A name that says until when it holds, and what proves that who shares the secret wrote it.
fn made(secret: &str, now: SystemTime) -> (String, String) {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let username = format!("{}:tessera", (since + limits::ICE_CREDENTIAL_SPAN).as_secs());
    // What the draft has and TURN servers check.
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let credential = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    (username, credential)
}

fn is_url(url: &str) -> bool {
    let rest = url.split_once(':').filter(|(scheme, _)| ["stun", "stuns", "turn", "turns"].contains(scheme));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]?=_".contains(&byte);
    url.len() <= limits::ICE_TEXT_LEN_MAX && rest.is_some_and(|(_, rest)| !rest.is_empty() && rest.bytes().all(fits))
}

/// Whether it can stand between quotation marks.
fn is_text(text: &str) -> bool {
    let fits = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    (1..=limits::ICE_TEXT_LEN_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn server(urls: &[&str], shown: [Option<&str>; 3]) -> Result<IceServer, IceServerError> {
        let urls = urls.iter().map(|url| (*url).to_owned()).collect();
        let [username, credential, secret] = shown.map(|text| text.map(str::to_owned));
        Keys { urls, username, credential, secret }.try_into()
    }

    #[test]
    fn servers_are_told_as_the_standard_has_it() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let links = |server: IceServer| server.links(now).collect::<Vec<_>>();
        let open = server(&["stun:stun.example.net"], [None; 3]).unwrap();
        assert_eq!(links(open), ["<stun:stun.example.net>; rel=\"ice-server\""]);
        let turn =
            server(&["turn:a.example:3478?transport=udp", "turns:[::1]:443"], [Some("user"), Some("word"), None]);
        let shown = "rel=\"ice-server\"; username=\"user\"; credential=\"word\"; credential-type=\"password\"";
        let wanted = ["turn:a.example:3478?transport=udp", "turns:[::1]:443"].map(|url| format!("<{url}>; {shown}"));
        assert_eq!(links(turn.unwrap()), wanted);
        // printf 1086400:tessera | openssl dgst -sha1 -hmac north -binary | base64
        let timed = server(&["turn:a.example"], [None, None, Some("north")]).unwrap();
        let shown =
            "username=\"1086400:tessera\"; credential=\"SW2ohesLHwXcSsQBAlyiFkK/N9k=\"; credential-type=\"password\"";
        assert_eq!(links(timed), [format!("<turn:a.example>; rel=\"ice-server\"; {shown}")]);
    }

    #[test]
    fn what_is_no_server_is_refused_and_no_secret_is_shown() {
        let long = "x".repeat(limits::ICE_TEXT_LEN_MAX + 1);
        let long_url = format!("stun:{long}");
        for urls in [&[][..], &["stun:"], &["http://a"], &["a"], &["stun:a>; rel=\"x"], &["stun:a b"], &[&*long_url]] {
            assert_eq!(server(urls, [None; 3]), Err(IceServerError::Urls), "{urls:?}");
        }
        assert_eq!(server(&["stun:a", "turn:a"], [None; 3]), Err(IceServerError::Nothing));
        for shown in [[Some("a"), None, None], [None, Some("a"), None], [Some("a"), Some("a"), Some("a")]] {
            assert_eq!(server(&["turn:a"], shown), Err(IceServerError::Both));
        }
        for text in ["", "a\"; b=\"", "back\\slash", "line\nend", "ä", &long] {
            assert_eq!(server(&["turn:a"], [None, None, Some(text)]), Err(IceServerError::Text), "{text}");
        }
        for shown in [[Some("anna"), Some("hidden"), None], [None, None, Some("hidden")]] {
            let told = format!("{:?}", server(&["turn:a"], shown).unwrap());
            assert!(told.contains("turn:a") && !told.contains("hidden"), "{told}");
        }
    }
}
