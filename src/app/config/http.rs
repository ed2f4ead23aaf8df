//! **The question:** where does the HTTP door stand, how is it secured, and who may do what there?

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::app::config::acme::Acme;
use crate::base::limits;
use crate::io::api::{BearerToken, HostName, IceServer, WebOrigin};

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Http {
    /// TCP address of the HTTP door.
    pub listen: SocketAddr,
    /// Whether, and with which certificate, HTTPS is spoken.
    pub tls: Tls,
    /// What steers rooms from outside of them; `None`: nothing does, unless only this machine reaches the door.
    pub token: Option<BearerToken>,
    /// Names under which clients reach the node, beside localhost, its IP addresses and its own name.
    pub hosts: Vec<HostName>,
    /// Origins of web pages that may ask the node as its own page does.
    pub origins: Vec<WebOrigin>,
    /// STUN and TURN servers that clients are told of.
    pub ice_servers: Vec<IceServer>,
    /// Origins of web pages that may have the node's page in a frame of theirs.
    pub embed_origins: Vec<WebOrigin>,
    /// Connections at once, as far as the process' descriptors allow.
    pub connections: usize,
}

impl Http {
    /// Whether other machines reach the door: it listens beyond loopback, or has a name, by which a proxy leads to it.
    #[must_use]
    pub fn is_reached_by_others(&self) -> bool {
        !self.listen.ip().to_canonical().is_loopback() || !self.hosts.is_empty()
    }
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let (hosts, origins, embed_origins) = (Vec::new(), Vec::new(), Vec::new());
        let (ice_servers, connections) = (Vec::new(), limits::HTTP_CONNECTIONS);
        Self { listen, tls: Tls::Off, token: None, hosts, origins, embed_origins, ice_servers, connections }
    }
}

/// How the HTTP door is secured. Browsers hand out camera and microphone over HTTPS or on localhost only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// HTTPS with a certificate made at start; browsers warn once.
    SelfSigned,
    /// HTTPS with the operator's certificate chain and private key, both PEM.
    Files {
        /// The chain, leaf first.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// HTTPS with a certificate that the node gets and renews by itself (RFC 8555).
    Acme(Acme),
}

impl Tls {
    /// The operator's file that is not there, if one is not.
    #[must_use]
    pub fn absent(&self) -> Option<&Path> {
        let Self::Files { cert, key } = self else { return None };
        [cert, key].into_iter().find(|file| !file.exists()).map(PathBuf::as_path)
    }

    /// Reads the three keys (or flags) that an operator sets.
    ///
    /// # Errors
    /// When a certificate comes without its key, or files come together with `self_signed`.
    pub fn from_keys(cert: Option<PathBuf>, key: Option<PathBuf>, self_signed: bool) -> Result<Self, TlsError> {
        match (cert, key, self_signed) {
            (None, None, false) => Ok(Self::Off),
            (None, None, true) => Ok(Self::SelfSigned),
            (Some(cert), Some(key), false) => Ok(Self::Files { cert, key }),
            (Some(_), Some(_), true) => Err(TlsError::Both),
            (Some(_), None, _) => Err(TlsError::KeyMissing),
            (None, Some(_), _) => Err(TlsError::CertMissing),
        }
    }
}

/// Why the TLS keys contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A certificate alone.
    #[error("tls_cert needs tls_key beside it; set both, or neither")]
    KeyMissing,
    /// A key alone.
    #[error("tls_key needs tls_cert beside it; set both, or neither")]
    CertMissing,
    /// Files and self-signed at once.
    #[error("tls_self_signed makes its own certificate; remove it, or remove tls_cert and tls_key")]
    Both,
    /// An issuer's and another.
    #[error("acme gets a certificate; remove acme, or remove tls_cert, tls_key and tls_self_signed")]
    Acme,
}

/// Why the keys of a section do not go together.
#[derive(Debug, thiserror::Error)]
enum HttpKeysError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("ice_servers: at most {}", limits::ICE_SERVERS_MAX)]
    IceServers,
    #[error("connections: {} to {}", limits::HTTP_CONNECTIONS_MIN, limits::HTTP_CONNECTIONS_MAX)]
    Connections,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    listen: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<PathBuf>,
    tls_self_signed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    acme: Option<Acme>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<BearerToken>,
    hosts: Vec<HostName>,
    origins: Vec<WebOrigin>,
    ice_servers: Vec<IceServer>,
    embed_origins: Vec<WebOrigin>,
    connections: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Http::default().into()
    }
}

impl TryFrom<Keys> for Http {
    type Error = HttpKeysError;

    fn try_from(keys: Keys) -> Result<Self, HttpKeysError> {
        let Keys { listen, tls_cert, tls_key, tls_self_signed, token, hosts, origins, .. } = keys;
        let Keys { embed_origins, ice_servers, connections, acme, .. } = keys;
        if ice_servers.len() > limits::ICE_SERVERS_MAX {
            return Err(HttpKeysError::IceServers);
        }
        if !(limits::HTTP_CONNECTIONS_MIN..=limits::HTTP_CONNECTIONS_MAX).contains(&connections) {
            return Err(HttpKeysError::Connections);
        }
        let tls = match (Tls::from_keys(tls_cert, tls_key, tls_self_signed)?, acme) {
            (tls, None) => tls,
            (Tls::Off, Some(acme)) => Tls::Acme(acme),
            (_, Some(_)) => return Err(TlsError::Acme.into()),
        };
        Ok(Self { listen, tls, token, hosts, origins, embed_origins, ice_servers, connections })
    }
}

impl From<Http> for Keys {
    fn from(http: Http) -> Self {
        let Http { listen, tls, token, hosts, origins, embed_origins, ice_servers, connections } = http;
        let tls_self_signed = tls == Tls::SelfSigned;
        let (tls_cert, tls_key, acme) = match tls {
            Tls::Files { cert, key } => (Some(cert), Some(key), None),
            Tls::Acme(acme) => (None, None, Some(acme)),
            Tls::Off | Tls::SelfSigned => (None, None, None),
        };
        Self {
            listen,
            tls_cert,
            tls_key,
            tls_self_signed,
            acme,
            token,
            hosts,
            origins,
            ice_servers,
            embed_origins,
            connections,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::app::config::Config;
    use crate::core::access::Steering;

    fn parse(lines: &str) -> Result<Config, String> {
        Config::parse(Path::new("tessera.toml"), &format!("[http]\n{lines}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn steering_follows_from_who_reaches_the_door() {
        let steering = |lines: &str| parse(lines).unwrap().policy().steering;
        assert_eq!(steering(""), Steering::Off, "the default is every address");
        assert_eq!(steering("listen = \"127.0.0.1:8080\""), Steering::Open);
        assert_eq!(steering("listen = \"[::1]:8080\""), Steering::Open);
        assert_eq!(steering("listen = \"127.0.0.1:8080\"\nhosts = [\"call.example\"]"), Steering::Off);
        assert_eq!(steering("token = \"0123456789abcdef\""), Steering::ByToken);
        assert_eq!(steering("listen = \"127.0.0.1:8080\"\ntoken = \"0123456789abcdef\""), Steering::ByToken);
    }

    #[test]
    fn so_few_or_so_many_connections_are_refused() {
        assert_eq!(parse("connections = 4096").unwrap().http.connections, 4096);
        assert!(parse("connections = 7").unwrap_err().contains("8 to 65536"));
        assert!(parse("connections = 65537").is_err());
    }

    #[test]
    fn what_cannot_be_a_token_a_host_or_an_origin_is_refused_with_what_to_do() {
        for (lines, told) in [
            ("token = \"a\"", "openssl rand -hex 32"),
            ("token = \"\"", "openssl rand -hex 32"),
            ("hosts = [\"https://call.example\"]", "a name alone"),
            ("origins = [\"*\"]", "https://HOST"),
            ("ice_servers = [{ urls = [\"turn:a\"] }]", "username and credential, or the secret"),
            ("ice_servers = [{ urls = [\"a\"] }]", "stun:HOST"),
            ("ice_servers = [{ urls = [\"turn:a\"], username = \"b\" }]", "either username and credential"),
            ("embed_origins = [\"https://a.example; script-src *\"]", "https://HOST"),
        ] {
            let error = parse(lines).unwrap_err();
            assert!(error.starts_with("tessera.toml:2: http.") && error.contains(told), "{lines}: {error}");
        }
    }
}
