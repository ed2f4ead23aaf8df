//! **The question:** why did a load not come about, or one person of it?

use std::time::Duration;

/// Why a load did not come about, or one person of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The node's address is none.
    #[error("'{url}' is no address of a node: {why}; give one such as http://127.0.0.1:8080")]
    Url {
        /// As typed.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing answers there.
    #[error("{url} does not answer: {why}; is a node running there, and is its port reached from here?")]
    Unreachable {
        /// The node's address.
        url: String,
        /// The system's reason.
        why: String,
    },
    /// It answers, and this machine does not believe that it is who it says.
    #[error(
        "{url} is not believed: {why}; ask by a name that its certificate has, and where an authority of your own \
         signed it, let SSL_CERT_FILE name that one's certificate (PEM)"
    )]
    Untrusted {
        /// The node's address.
        url: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// HTTPS was asked of what speaks plain HTTP, or the other way round.
    #[error("{url} does not speak {}: {why}; ask at {}:// instead", scheme(url), other_scheme(url))]
    Scheme {
        /// The node's address.
        url: String,
        /// What came instead.
        why: String,
    },
    /// What answers is no node.
    #[error(
        "what answers at {url} is no Tessera node, or a proxy whose node is away ({status}): see whether the address \
         is the node's, and whether it runs"
    )]
    Stranger {
        /// The node's address.
        url: String,
        /// What it said.
        status: String,
    },
    /// The node answered, but not with an admission.
    #[error("the node refused: {0}")]
    Refused(String),
    /// The WebRTC stack gave up.
    #[error("the connection could not be made: {0}")]
    Connection(String),
    /// No media path came up.
    #[error("not connected: {0}")]
    NotConnected(String),
    /// It stood, and was gone before the end.
    #[error("a connection was lost")]
    Lost,
    /// This machine lacks something.
    #[error("this machine does not carry it: {0}")]
    System(String),
    /// What is to be sent cannot be sent.
    #[error("the clip cannot be sent: {0}")]
    Clip(String),
}

/// How a node is asked at `url`, as it is called.
fn scheme(url: &str) -> &'static str {
    if url.starts_with("https:") { "HTTPS" } else { "plain HTTP" }
}

/// The scheme of the other way.
fn other_scheme(url: &str) -> &'static str {
    if url.starts_with("https:") { "http" } else { "https" }
}

impl LoadError {
    /// It was admitted, and its media did not come through in `patience`.
    pub(super) fn no_connection(patience: Duration) -> Self {
        Self::NotConnected(format!(
            "no connection within {} s; is the node's media port (UDP 3478, unless [media] listen says otherwise) \
             reached from here, at the addresses that [media] advertise names?",
            patience.as_secs()
        ))
    }
}

impl From<webrtc::error::Error> for LoadError {
    fn from(error: webrtc::error::Error) -> Self {
        Self::Connection(error.to_string())
    }
}
