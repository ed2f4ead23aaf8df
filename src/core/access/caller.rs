//! **The question:** who stands behind a command, or behind a word on a data channel?

use std::fmt;
use std::sync::Arc;

use crate::base::media::{ParticipantId, RoomId};
use crate::core::access::role::Role;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Anyone who reaches the node's HTTP door, and the door itself.
    Anyone,
    /// Who showed the operator's token there.
    Operator,
    /// Who showed an access token there.
    Bearer(Grant),
    /// A participant, over their own connection; in the role of the token that they came in by, if they did.
    Participant(ParticipantId, Option<Role>),
    /// Somebody who only publishes, over their own connection.
    Publisher,
    /// Somebody who only watches, over their own connection.
    Viewer,
}

/// What a token gives leave to, once it was found good.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it makes of who shows it.
    pub role: Role,
    /// The one room that it is for; `None`: any.
    pub room: Option<RoomId>,
    /// What others are to call them; `None`: as they say themselves.
    pub name: Option<Arc<str>>,
}

// Names of rooms and people stay out of logs.
impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Caller {
    /// The role in which they come into a call; `None`: they showed nothing.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::Bearer(grant) => Some(grant.role),
            Self::Operator => Some(Role::Admin),
            Self::Participant(_, role) => *role,
            Self::Anyone | Self::Publisher | Self::Viewer => None,
        }
    }

    /// What others are to call them, where their token says it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Bearer(grant) => grant.name.as_deref(),
            _ => None,
        }
    }

    /// The one room that their token is for; `None`: any, or they showed none.
    #[must_use]
    pub const fn only_room(&self) -> Option<&RoomId> {
        match self {
            Self::Bearer(grant) => grant.room.as_ref(),
            _ => None,
        }
    }
}
