//! **The question:** what is a connection for?

use crate::base::media::ParticipantId;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerRole {
    /// A person's whole connection.
    Participant(ParticipantId),
    /// WHIP: a person who only publishes.
    Publisher(ParticipantId),
    /// WHEP: someone who only watches; `minus` names whose voice they must not hear, their own.
    Viewer {
        /// Whose voice is left out.
        minus: Option<ParticipantId>,
    },
}

impl PeerRole {
    /// The person behind it, if it publishes.
    #[must_use]
    pub fn participant(self) -> Option<ParticipantId> {
        match self {
            Self::Participant(id) | Self::Publisher(id) => Some(id),
            Self::Viewer { .. } => None,
        }
    }

    /// Whose voice this connection must not hear.
    #[must_use]
    pub fn minus(self) -> Option<ParticipantId> {
        match self {
            Self::Participant(id) | Self::Publisher(id) => Some(id),
            Self::Viewer { minus } => minus,
        }
    }
}
