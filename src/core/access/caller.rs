//! **The question:** who stands behind a command, or behind a word on a data channel?

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::media::{ParticipantId, RoomId};
use crate::core::access::role::Role;
use crate::core::access::tenant::Scope;
use crate::core::fleet::Label;

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
    /// How far the key reaches that signed it.
    pub scope: Scope,
    /// Where a room has to run that they come into; `None`: anywhere.
    pub region: Option<Label>,
    /// Who they are, to be known again.
    pub bearer: Option<BearerId>,
}

/// Who shows a token, as far as they have to be known again: a digest of the token's subject, or of the token itself
/// where it names none. It says nobody's name and lives in memory alone; it is written for the node that its room goes
/// to, and for nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BearerId(pub [u8; 32]);

impl fmt::Debug for BearerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerId(…)")
    }
}

impl Grant {
    /// Leave by a key of the operator's, for whom nothing else is said.
    #[must_use]
    pub const fn new(role: Role, room: Option<RoomId>) -> Self {
        Self { role, room, name: None, scope: Scope::Node, region: None, bearer: None }
    }
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

    /// How far they reach: as far as the key of their token, else everywhere that the table lets them.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        match self {
            Self::Bearer(grant) => &grant.scope,
            _ => &Scope::Node,
        }
    }

    /// Where a room has to run that they come into, as their token says.
    #[must_use]
    pub const fn region(&self) -> Option<&Label> {
        match self {
            Self::Bearer(grant) => grant.region.as_ref(),
            _ => None,
        }
    }

    /// Who they are, to be known again; `None`: they showed no access token.
    #[must_use]
    pub const fn bearer(&self) -> Option<BearerId> {
        match self {
            Self::Bearer(grant) => grant.bearer,
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
