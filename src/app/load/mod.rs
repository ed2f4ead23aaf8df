//! **The question:** what do real participants see and hear of a node? Floor 4: the far side, in a process of its own.
//!
//! Doors: [`clip`] and [`voice`] (what they send), [`barcode`] and [`pilot`] (how it is recognised again), and above them [`run()`],
//! which brings simulated people to a node by its URL and answers with a [`Report`]. Each is a WebRTC participant of
//! the crate `webrtc`: another stack than the node's, so that the two check each other.

pub mod barcode;
pub mod clip;
pub(crate) mod container;
mod gauge;
mod http;
mod listener;
mod participant;
pub mod pilot;
mod receiver;
mod report;
mod run;
mod sender;
mod summary;
mod viewer;
pub mod voice;
mod witness;

pub use report::{
    AudioReport, CompositeReport, FreezeReport, LatencyReport, MouthToEarReport, PacketReport, ParticipantReport,
    Report,
};
pub use run::{LoadOptions, Stage, run};

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
