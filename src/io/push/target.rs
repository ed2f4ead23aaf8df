//! **The question:** where does a push go, and what does that server want to see? URLs of WHIP often hold a stream's
//! key, so that of a URL only its scheme, host and port are ever shown again.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

use crate::base::limits;
use crate::core::rtmp::Place;
use crate::core::srt::KeyLength;
use crate::io::egress::{self, UrlError, check};
use crate::io::telemetry::log::Redacted;

/// Where to push. Its text forms tell no secret.
#[derive(Clone)]
pub struct PushTarget {
    way: Way,
    token: Option<Redacted<String>>,
    shown: String,
}

/// By which protocol, and all that it needs.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// WHIP.
    Whip(Redacted<Url>),
    /// RTMP, or RTMPS where `tls` is.
    Rtmp { tls: bool, host: Host, place: Place },
    /// SRT, as a caller.
    Srt { host: Host, call: SrtCall },
}

/// A name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

/// What an SRT listener is told.
#[derive(Debug, Clone)]
pub(super) struct SrtCall {
    pub(super) stream_id: Redacted<String>,
    pub(super) passphrase: Option<Redacted<String>>,
    pub(super) key: KeyLength,
    pub(super) latency: Duration,
}

impl fmt::Debug for PushTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PushTarget").field(&self.shown).finish()
    }
}

/// Protocols that a push may go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushProtocol {
    /// WHIP (RFC 9725).
    Whip,
    /// RTMP or RTMPS.
    Rtmp,
    /// SRT.
    Srt,
}

/// Why nothing can be pushed there; says what to do, and repeats nothing of what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PushTargetError {
    /// It is longer than any.
    #[error("'url' has at most {} bytes", limits::PUSH_URL_LEN_MAX)]
    TooLong,
    /// It is none.
    #[error(
        "'url' is no URL that is known; give that of a WHIP endpoint, such as https://live.example/whip/stage, or \
         rtmps://live.example/app/KEY, rtmp://live.example/app/KEY, srt://live.example:9000?streamid=NAME"
    )]
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
    /// Nobody there asks for one.
    #[error(
        "'token' is for WHIP; RTMP has a stream's key as the last part of the URL's path, SRT a passphrase in its query"
    )]
    TokenUnused,
    /// It names no stream.
    #[error("'url' of RTMP is rtmps://HOST/APPLICATION/KEY or rtmp://HOST/APPLICATION/KEY")]
    NoStream,
    /// SRT has no port of its own.
    #[error("'url' of SRT names a port: srt://HOST:PORT?streamid=NAME&passphrase=SECRET&latency=MILLISECONDS")]
    NoPort,
    /// SRT's query has something that is not understood.
    #[error(
        "the query of SRT's 'url' has streamid (at most {} bytes), passphrase ({} to {} bytes), pbkeylen (16 or 32), \
         latency (milliseconds, {} to {}; ffmpeg counts microseconds), mode=caller and transtype=live, and no more",
        limits::SRT_STREAM_ID_LEN_MAX,
        limits::SRT_PASSPHRASE_LEN_MIN,
        limits::SRT_PASSPHRASE_LEN_MAX,
        limits::SRT_LATENCY_MS_MIN,
        limits::SRT_LATENCY_MS_MAX
    )]
    SrtQuery,
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
        // Names of SRT's streams begin with `#!::`, and are seldom escaped.
        let escaped = if url.starts_with("srt:") { url.replace('#', "%23") } else { url.to_owned() };
        let url: Url = escaped.parse().map_err(|_| PushTargetError::NoUrl)?;
        let (way, shown) = match url.scheme() {
            "rtmp" | "rtmps" => rtmp(&url, allow_private)?,
            "srt" => srt(&url, allow_private)?,
            _ => {
                check(&url, allow_private)?;
                let shown = url.origin().ascii_serialization();
                (Way::Whip(Redacted::new(url)), shown)
            }
        };
        if token.is_some() && !matches!(way, Way::Whip(_)) {
            return Err(PushTargetError::TokenUnused);
        }
        if token.is_some_and(|token| !is_token(token)) {
            return Err(PushTargetError::Token);
        }
        Ok(Self { way, token: token.map(|token| Redacted::new(token.to_owned())), shown })
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// By which protocol it is reached.
    #[must_use]
    pub const fn protocol(&self) -> PushProtocol {
        match self.way {
            Way::Whip(_) => PushProtocol::Whip,
            Way::Rtmp { .. } => PushProtocol::Rtmp,
            Way::Srt { .. } => PushProtocol::Srt,
        }
    }

    pub(super) const fn way(&self) -> &Way {
        &self.way
    }

    /// What is shown to a server at `url`: the token is this server's, and no other's.
    pub(super) fn token_for(&self, url: &Url) -> Option<&str> {
        let Way::Whip(own) = &self.way else { return None };
        let token = self.token.as_ref().filter(|_| url.origin() == own.reveal().origin());
        token.map(|token| token.reveal().as_str())
    }
}

fn rtmp(url: &Url, allow_private: bool) -> Result<(Way, String), PushTargetError> {
    let tls = url.scheme() == "rtmps";
    let host = egress::host(url, allow_private)?;
    let port = url.port().unwrap_or(if tls { 443 } else { 1935 });
    let shown = shown(url, &host);
    let (app, key) = url.path().trim_start_matches('/').rsplit_once('/').ok_or(PushTargetError::NoStream)?;
    let key = url.query().map_or_else(|| key.to_owned(), |query| format!("{key}?{query}"));
    if app.is_empty() || key.is_empty() || url.fragment().is_some() {
        return Err(PushTargetError::NoStream);
    }
    let place = Place { app: app.to_owned(), key, tc_url: format!("{shown}/{app}") };
    Ok((Way::Rtmp { tls, host: Host { name: host, port }, place }, shown))
}

fn srt(url: &Url, allow_private: bool) -> Result<(Way, String), PushTargetError> {
    let host = egress::host(url, allow_private)?;
    let port = url.port().filter(|port| *port != 0).ok_or(PushTargetError::NoPort)?;
    let (mut stream_id, mut passphrase) = (String::new(), None);
    let (mut key, mut latency) = (KeyLength::default(), limits::SRT_LATENCY);
    for (name, value) in url.query_pairs() {
        let is_taken = match &*name {
            "streamid" => {
                stream_id = value.into_owned();
                stream_id.len() <= limits::SRT_STREAM_ID_LEN_MAX
            }
            "passphrase" => {
                let length = limits::SRT_PASSPHRASE_LEN_MIN..=limits::SRT_PASSPHRASE_LEN_MAX;
                let is_one = length.contains(&value.len());
                passphrase = Some(Redacted::new(value.into_owned()));
                is_one
            }
            "pbkeylen" => {
                key = if value == "32" { KeyLength::Bytes32 } else { KeyLength::Bytes16 };
                matches!(&*value, "0" | "16" | "32")
            }
            "latency" => {
                let ms = value.parse().unwrap_or(0);
                latency = Duration::from_millis(ms);
                (limits::SRT_LATENCY_MS_MIN..=limits::SRT_LATENCY_MS_MAX).contains(&ms)
            }
            "mode" => value == "caller",
            "transtype" => value == "live",
            _ => false,
        };
        if !is_taken {
            return Err(PushTargetError::SrtQuery);
        }
    }
    if !matches!(url.path(), "" | "/") {
        return Err(PushTargetError::SrtQuery);
    }
    let call = SrtCall { stream_id: Redacted::new(stream_id), passphrase, key, latency };
    let shown = shown(url, &host);
    Ok((Way::Srt { host: Host { name: host, port }, call }, shown))
}

fn shown(url: &Url, host: &str) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    url.port().map_or_else(|| format!("{}://{host}", url.scheme()), |port| format!("{}://{host}:{port}", url.scheme()))
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

    #[test]
    fn streams_name_their_place_and_their_secrets_stay_hidden() {
        let parse = |url: &str| PushTarget::parse(url, None, false);
        let target = parse("rtmps://live.example:8443/app/instance/s3cret?bandwidth=1").unwrap();
        let Way::Rtmp { tls: true, host, place } = target.way() else { panic!("{target:?}") };
        assert_eq!((&*host.name, host.port, &*place.app), ("live.example", 8443, "app/instance"));
        assert_eq!((&*place.key, &*place.tc_url), ("s3cret?bandwidth=1", "rtmps://live.example:8443/app/instance"));
        assert_eq!((target.shown(), target.protocol()), ("rtmps://live.example:8443", PushProtocol::Rtmp));
        for (url, port) in [("rtmp://live.example/live2/k", 1935), ("rtmps://[2606:4700::1111]/live2/k", 443)] {
            let target = parse(url).unwrap();
            assert!(matches!(target.way(), Way::Rtmp { host, .. } if host.port == port), "{url}");
            assert!(url.starts_with(target.shown()), "{}", target.shown());
        }
        let srt =
            "srt://live.example:9000?streamid=#!::r=s3cret,m=publish&passphrase=s3cret-s3cret&pbkeylen=32&latency=400";
        let target = parse(srt).unwrap();
        let Way::Srt { host, call } = target.way() else { panic!("{target:?}") };
        assert_eq!(
            (host.port, &**call.stream_id.reveal(), call.key),
            (9000, "#!::r=s3cret,m=publish", KeyLength::Bytes32)
        );
        assert_eq!((call.latency.as_millis(), target.shown()), (400, "srt://live.example:9000"));
        for text in
            [format!("{target:?}"), format!("{:?}", target.way()), format!("{:?}", parse("rtmp://a.b/c/s3cret"))]
        {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn what_names_no_stream_or_goes_where_nothing_is_sent_is_no_target() {
        for (url, why) in [
            ("rtmp://live.example/key", PushTargetError::NoStream),
            ("rtmp://live.example/app/", PushTargetError::NoStream),
            ("rtmp://live.example//key", PushTargetError::NoStream),
            ("rtmp://ada:s3cret@live.example/app/key", PushTargetError::Credentials),
            ("rtmp://10.0.0.1/app/key", PushTargetError::Private),
            ("rtmps://[::1]/app/key", PushTargetError::Private),
            ("rtmp:///app/key", PushTargetError::NoUrl),
            ("srt://live.example", PushTargetError::NoPort),
            ("srt://127.0.0.1:9000", PushTargetError::Private),
            ("srt://live.example:9000?mode=listener", PushTargetError::SrtQuery),
            ("srt://live.example:9000?latency=200000", PushTargetError::SrtQuery),
            ("srt://live.example:9000?passphrase=short", PushTargetError::SrtQuery),
            ("srt://live.example:9000?pbkeylen=24", PushTargetError::SrtQuery),
            ("srt://live.example:9000/path", PushTargetError::SrtQuery),
            ("rtmpt://live.example/app/key", PushTargetError::NoUrl),
        ] {
            assert_eq!(refusal(url, false), Some(why), "{url}");
        }
        assert_eq!(refusal("rtmp://127.0.0.1:1935/app/key", true), None);
        let token = PushTarget::parse("rtmp://live.example/app/key", Some("t0ken"), false);
        assert_eq!(token.err(), Some(PushTargetError::TokenUnused));
    }
}
