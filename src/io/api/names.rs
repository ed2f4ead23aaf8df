//! **The question:** by which names is a node reached, and from where is a web page that asks it? As operators write
//! them, and as clients send them.

use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Characters of the longest host name (RFC 1035 section 2.3.4).
const NAME_BYTES: usize = 253;

/// A name under which clients reach the node: letters, digits, hyphens and dots, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// Where a web page is from (RFC 6454): `https://call.example`, its port only where it is not the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebOrigin {
    is_secure: bool,
    host: String,
    port: u16,
}

/// Why a text names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name alone stands here, such as call.example.org: no scheme, no port, no path")]
pub struct NoHostName;

/// Why a text is no page's origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is https://HOST or https://HOST:PORT (or http), as browsers tell it: no path, no wildcard")]
pub struct NoWebOrigin;

impl TryFrom<String> for HostName {
    type Error = NoHostName;

    fn try_from(text: String) -> Result<Self, NoHostName> {
        let name = text.strip_suffix('.').unwrap_or(&text);
        is_name(name).then(|| Self(name.to_ascii_lowercase())).ok_or(NoHostName)
    }
}

impl FromStr for HostName {
    type Err = NoHostName;

    fn from_str(text: &str) -> Result<Self, NoHostName> {
        text.to_owned().try_into()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl FromStr for WebOrigin {
    type Err = NoWebOrigin;

    fn from_str(text: &str) -> Result<Self, NoWebOrigin> {
        let (scheme, rest) = text.split_once("://").ok_or(NoWebOrigin)?;
        let is_secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(NoWebOrigin),
        };
        let Authority { host, port } = Authority::parse(rest).ok_or(NoWebOrigin)?;
        Ok(Self { is_secure, host, port: port.unwrap_or(scheme_port(is_secure)) })
    }
}

impl TryFrom<String> for WebOrigin {
    type Error = NoWebOrigin;

    fn try_from(text: String) -> Result<Self, NoWebOrigin> {
        text.parse()
    }
}

impl From<WebOrigin> for String {
    fn from(WebOrigin { is_secure, host, port }: WebOrigin) -> Self {
        let scheme = if is_secure { "https" } else { "http" };
        if port == scheme_port(is_secure) { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") }
    }
}

const fn scheme_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

impl HostName {
    /// Whether `host`, in lower case, is it.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        self.0 == host
    }
}

impl WebOrigin {
    /// Whether its pages came by TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Whether it is what a browser calls a page that it has from there.
    #[must_use]
    pub fn is_at(&self, authority: &Authority) -> bool {
        authority.host == self.host && authority.port.unwrap_or(scheme_port(self.is_secure)) == self.port
    }

    /// Whether it is the host of that name, at its scheme's own port.
    #[must_use]
    pub fn is_of(&self, name: &HostName) -> bool {
        name.0 == self.host && self.port == scheme_port(self.is_secure)
    }
}

/// A host and perhaps a port, as clients name the node (RFC 9110 section 7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Lower case, without a trailing dot; IPv6 in brackets.
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// What `text` names; none if it names no host, or one that no client would.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => {
                address.parse::<std::net::Ipv6Addr>().ok()?;
                (&text[..address.len() + 2], port)
            }
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let good = host.starts_with('[') || is_name(&host);
        good.then_some(Self { host, port })
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is an IP address, which no DNS leads astray.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<IpAddr>().is_ok()
    }

    /// Whether it is this machine's own name for itself (RFC 6761 section 6.3).
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

fn is_name(text: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=NAME_BYTES).contains(&text.len()) && text.bytes().all(is_of_it) && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes_is_a_name_or_an_origin_or_refused() {
        let host = |text: &str| HostName::try_from(text.to_owned());
        assert_eq!(String::from(host("Call.Example.").unwrap()), "call.example");
        for text in ["", "https://call.example", "call.example:8080", "*.example", ".example", "a/b"] {
            assert_eq!(host(text), Err(NoHostName), "{text}");
        }
        for text in ["https://call.example", "http://call.example:8080", "https://[::1]:8443"] {
            assert_eq!(String::from(text.parse::<WebOrigin>().unwrap()), text);
        }
        assert_eq!(String::from("https://Call.example:443".parse::<WebOrigin>().unwrap()), "https://call.example");
        for text in ["*", "call.example", "https://", "ftp://a", "https://a/b", "https://*.example", "null"] {
            assert_eq!(text.parse::<WebOrigin>(), Err(NoWebOrigin), "{text}");
        }
    }
}
