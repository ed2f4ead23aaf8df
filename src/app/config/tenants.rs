//! **The question:** whose rooms run here beside the operator's, by whose keys, and how much may they have? Keys,
//! layouts and pictures are read and checked together with the configuration, so that a wrong one is told with its line
//! before anything runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::config::access::KeyFile;
use crate::app::config::branding::{Backdrop, Branding, Logo};
use crate::app::config::layout::DefaultLayout;
use crate::app::config::value::Within;
use crate::core::access::{Partner, Quota, Tenant, TenantId};
use crate::core::fleet::Label;
use crate::core::retention::Retention;

/// A number of rooms, people or recordings.
type Many = Within<0, 1_000_000>;

/// `[[tenant]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// What begins the names of their rooms, before a tilde.
    pub id: TenantId,
    /// Those that sign for their rooms, and for no others.
    #[serde(default)]
    pub keys: Vec<KeyFile>,
    /// How many of their rooms run at once on this node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms_max: Option<Many>,
    /// How many people are in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants_max: Option<Many>,
    /// How many watch them by WebRTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers_max: Option<Many>,
    /// How many of them are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings_max: Option<Many>,
    /// How their rooms are laid out until somebody chooses; absent: as `[video]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<DefaultLayout>,
    /// The picture in the upper right corner of their rooms; absent: as `[video]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// What lies behind the tiles of their rooms; absent: as `[video]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Backdrop>,
    /// Whether their rooms show a clock; absent: as `[video]` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<bool>,
    /// How long their recordings are kept at most, hours; absent: as long as the node's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_hours: Option<Within<2, 168>>,
    /// Where their rooms run and their recordings lie, and nowhere else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Label>,
}

/// `[[partner]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartnerConfig {
    /// What they are called.
    pub id: TenantId,
    /// Whom they have.
    pub tenants: Vec<TenantId>,
    /// Those that sign for the rooms of all of these.
    #[serde(default)]
    pub keys: Vec<KeyFile>,
    /// How many rooms of theirs run at once on this node, all together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms_max: Option<Many>,
    /// How many people are in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants_max: Option<Many>,
    /// How many watch them by WebRTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewers_max: Option<Many>,
    /// How many of them are recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recordings_max: Option<Many>,
}

/// How the rooms of a tenant begin to look, where that is not as the node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dress {
    /// How they are laid out.
    pub layout: DefaultLayout,
    /// What lies behind and over the tiles.
    pub branding: Branding,
}

fn quota([rooms, participants, viewers, recordings]: [Option<Many>; 4]) -> Quota {
    let of = |many: Option<Many>| many.map(|many| many.get() as usize);
    Quota { rooms: of(rooms), participants: of(participants), viewers: of(viewers), recordings: of(recordings) }
}

impl TenantConfig {
    /// One without keys, with as much of everything as the node.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self {
            id,
            keys: Vec::new(),
            rooms_max: None,
            participants_max: None,
            viewers_max: None,
            recordings_max: None,
            layout: None,
            logo: None,
            background: None,
            clock: None,
            retention_hours: None,
            region: None,
        }
    }

    pub(super) fn tenant(&self) -> Tenant {
        let hours = |hours: Within<2, 168>| Duration::from_secs(u64::from(hours.get()) * 3600);
        Tenant {
            id: self.id.clone(),
            quota: quota([self.rooms_max, self.participants_max, self.viewers_max, self.recordings_max]),
            retention: self.retention_hours.and_then(|kept| Retention::new(hours(kept)).ok()),
            region: self.region.clone(),
        }
    }
}

impl PartnerConfig {
    pub(super) fn partner(&self) -> Partner {
        Partner {
            id: self.id.clone(),
            tenants: self.tenants.clone().into(),
            quota: quota([self.rooms_max, self.participants_max, self.viewers_max, self.recordings_max]),
        }
    }
}
