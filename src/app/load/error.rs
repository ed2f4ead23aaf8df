//! **The question:** why did a load not come about, or one person of it?

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
    #[error("{url} does not answer: {why}; is a node running there?")]
    Unreachable {
        /// The node's address.
        url: String,
        /// The system's reason.
        why: String,
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

impl From<webrtc::error::Error> for LoadError {
    fn from(error: webrtc::error::Error) -> Self {
        Self::Connection(error.to_string())
    }
}
