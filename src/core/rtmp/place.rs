//! **The question:** where is a stream to go, and why does it not?

/// Which stream of which application; the stream's name is often a key, so it has no text form.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The application.
    pub app: String,
    /// The stream's name.
    pub key: String,
    /// The URL without that name.
    pub tc_url: String,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place(…)")
    }
}

/// Why a server does not take a stream; no text of it tells a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RtmpError {
    /// It speaks something else.
    #[error("what it says is no RTMP: {0}")]
    Malformed(&'static str),
    /// It says no, by this code.
    #[error("it refuses: {0}")]
    Refused(String),
}
