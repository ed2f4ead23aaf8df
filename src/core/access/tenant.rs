//! **The question:** whose is a room, how much may its owner have, and where? A tenant's rooms are those whose names
//! begin with its id and a tilde, so whoever knows a room's name knows whose it is: a recording, a message of a webhook
//! and a record in etcd need to say nothing more.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::fleet::Label;
use crate::core::retention::Retention;

/// What stands between a tenant's id and the rest of a room's name. No id has it.
pub const TENANT_MARK: char = '~';

/// What a tenant or a partner is called: lower-case letters, digits and hyphens.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantId(Arc<str>);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 1 to {} lower-case letters, digits and '-', such as acme", limits::TENANT_ID_LEN_MAX)]
pub struct TenantIdError;

/// How far a key's tokens reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Scope {
    /// Every room, and the node itself: a key of the operator's.
    #[default]
    Node,
    /// The rooms of these: a tenant's own key, or that of a partner who has several.
    Tenants(Arc<[TenantId]>),
}

/// What a tenant, or a partner with all of its tenants together, may have at once on one node; `None`: as much as the
/// node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// Rooms that run.
    pub rooms: Option<usize>,
    /// People in them.
    pub participants: Option<usize>,
    /// Those who watch by WebRTC.
    pub viewers: Option<usize>,
    /// Rooms that are recorded.
    pub recordings: Option<usize>,
}

/// What a quota is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuotaOf {
    /// Rooms that run.
    Rooms,
    /// People in them.
    Participants,
    /// Those who watch by WebRTC.
    Viewers,
    /// Rooms that are recorded.
    Recordings,
}

/// How much of it there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Rooms that run.
    pub rooms: usize,
    /// People in them.
    pub participants: usize,
    /// Those who watch by WebRTC.
    pub viewers: usize,
    /// Rooms that are recorded.
    pub recordings: usize,
}

/// One more than a quota lets there be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverQuota {
    /// Of what.
    pub of: QuotaOf,
    /// How many there may be.
    pub most: usize,
}

/// Somebody whose rooms run here beside others'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// What begins the names of their rooms.
    pub id: TenantId,
    /// How much they may have.
    pub quota: Quota,
    /// How long their recordings are kept at most; `None`: as long as the node's.
    pub retention: Option<Retention>,
    /// Where their rooms run and their recordings lie, and nowhere else; `None`: anywhere.
    pub region: Option<Label>,
}

/// Somebody who has several tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// What they are called.
    pub id: TenantId,
    /// Whom they have.
    pub tenants: Arc<[TenantId]>,
    /// How much all of these may have together.
    pub quota: Quota,
}

/// Everyone whose rooms run on a node; clones share them. Nobody: every room is the operator's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tenants {
    tenants: Arc<[Tenant]>,
    partners: Arc<[Partner]>,
}

impl TenantId {
    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a room of this name is theirs.
    #[must_use]
    pub fn owns(&self, room: &RoomId) -> bool {
        let rest = room.as_str().strip_prefix(&*self.0);
        rest.and_then(|rest| rest.strip_prefix(TENANT_MARK)).is_some_and(|rest| !rest.is_empty())
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<Self, TenantIdError> {
        let is_of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = (1..=limits::TENANT_ID_LEN_MAX).contains(&text.len());
        if fits && text.bytes().all(is_of_it) { Ok(Self(text.into())) } else { Err(TenantIdError) }
    }
}

impl TryFrom<String> for TenantId {
    type Error = TenantIdError;

    fn try_from(text: String) -> Result<Self, TenantIdError> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0.as_ref().into()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

impl Scope {
    /// Of one tenant.
    #[must_use]
    pub fn of(tenant: TenantId) -> Self {
        Self::Tenants([tenant].into())
    }

    /// Whether it reaches this room.
    #[must_use]
    pub fn covers(&self, room: &RoomId) -> bool {
        match self {
            Self::Node => true,
            Self::Tenants(tenants) => tenants.iter().any(|tenant| tenant.owns(room)),
        }
    }

    /// Whether it reaches what this tenant has; `None`: what is no tenant's.
    #[must_use]
    pub fn has(&self, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::Node => true,
            Self::Tenants(tenants) => tenant.is_some_and(|tenant| tenants.contains(tenant)),
        }
    }
}

impl Quota {
    /// Whether one more would still be within it.
    ///
    /// # Errors
    /// When it would not; says of what there are how many at most.
    pub fn admits(&self, of: QuotaOf, used: Usage) -> Result<(), OverQuota> {
        let (most, used) = match of {
            QuotaOf::Rooms => (self.rooms, used.rooms),
            QuotaOf::Participants => (self.participants, used.participants),
            QuotaOf::Viewers => (self.viewers, used.viewers),
            QuotaOf::Recordings => (self.recordings, used.recordings),
        };
        match most {
            Some(most) if used >= most => Err(OverQuota { of, most }),
            _ => Ok(()),
        }
    }
}

impl Tenants {
    /// These, and those who have several of them.
    #[must_use]
    pub fn new(tenants: Vec<Tenant>, partners: Vec<Partner>) -> Self {
        Self { tenants: tenants.into(), partners: partners.into() }
    }

    /// Whether every room is the operator's.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Tenant> {
        self.tenants.iter()
    }

    /// Whose room that is.
    #[must_use]
    pub fn of(&self, room: &RoomId) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| tenant.id.owns(room))
    }

    /// Where whoever has a room wants it, and nowhere else.
    #[must_use]
    pub fn region(&self, room: &RoomId) -> Option<&Label> {
        self.of(room)?.region.as_ref()
    }

    /// Every quota that holds for a room, each with the rooms that count towards it: its tenant's, and those of the
    /// partners who have that tenant.
    pub fn quotas(&self, room: &RoomId) -> impl Iterator<Item = (Quota, Scope)> {
        let owner = self.of(room);
        let own = owner.map(|tenant| (tenant.quota, Scope::of(tenant.id.clone())));
        let has = move |partner: &&Partner| owner.is_some_and(|owner| partner.tenants.contains(&owner.id));
        let partners = self.partners.iter().filter(has);
        own.into_iter().chain(partners.map(|partner| (partner.quota, Scope::Tenants(partner.tenants.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(name: &str) -> RoomId {
        name.parse().unwrap()
    }

    fn id(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[test]
    fn a_room_is_of_whom_its_name_says_and_of_nobody_else() {
        let acme = id("acme");
        assert!(acme.owns(&room("acme~daily")) && acme.owns(&room("acme~a~b")) && acme.owns(&room("acme~.")));
        for other in ["acme", "acme~", "acme-2~daily", "acmedaily", "Acme~daily", "a~acme~daily", "daily", "~acme"] {
            assert!(!acme.owns(&room(other)), "{other}");
        }
        for no_id in ["", "a~b", "Acme", "a b", "a.b", "ä", &"a".repeat(limits::TENANT_ID_LEN_MAX + 1)] {
            assert_eq!(no_id.parse::<TenantId>(), Err(TenantIdError), "{no_id}");
        }
    }

    #[test]
    fn a_scope_reaches_its_tenants_and_the_operators_everything() {
        let partner = Scope::Tenants([id("acme"), id("globex")].into());
        assert!(partner.covers(&room("acme~x")) && partner.covers(&room("globex~x")));
        assert!(!partner.covers(&room("initech~x")) && !partner.covers(&room("daily")));
        assert!(partner.has(Some(&id("acme"))) && !partner.has(Some(&id("initech"))) && !partner.has(None));
        assert!(Scope::Node.covers(&room("daily")) && Scope::Node.has(None));
        assert!(!Scope::Tenants([].into()).covers(&room("acme~x")), "a partner of nobody");
    }

    #[test]
    fn a_room_counts_towards_its_tenants_quota_and_its_partners() {
        let quota = |rooms| Quota { rooms: Some(rooms), ..Quota::default() };
        let tenant = |name, rooms| Tenant { id: id(name), quota: quota(rooms), retention: None, region: None };
        let partner = Partner { id: id("reseller"), tenants: [id("acme"), id("globex")].into(), quota: quota(5) };
        let tenants = Tenants::new(vec![tenant("acme", 3), tenant("globex", 4), tenant("initech", 6)], vec![partner]);
        let of = |name| tenants.quotas(&room(name)).map(|(quota, _)| quota.rooms.unwrap()).collect::<Vec<_>>();
        assert_eq!((of("acme~x"), of("globex~x"), of("initech~x")), (vec![3, 5], vec![4, 5], vec![6]));
        assert_eq!(of("daily"), [] as [usize; 0], "the operator's own rooms");
        let used = |rooms| Usage { rooms, ..Usage::default() };
        assert_eq!(quota(3).admits(QuotaOf::Rooms, used(2)), Ok(()));
        assert_eq!(quota(3).admits(QuotaOf::Rooms, used(3)), Err(OverQuota { of: QuotaOf::Rooms, most: 3 }));
        assert_eq!(quota(0).admits(QuotaOf::Viewers, used(9)), Ok(()), "another quota, which is not set");
    }
}
