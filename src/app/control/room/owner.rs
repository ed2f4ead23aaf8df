//! **The question:** whose rooms run on this node, how do they begin to look, and where is that? Settled once, when the
//! node starts.

use std::time::SystemTime;

use crate::app::config::{Config, Dress};
use crate::base::media::{RoomId, Wallclock};
use crate::core::access::{TenantId, Tenants};
use crate::core::fleet::Label;

/// Whose rooms run here, and where here is.
pub struct Tenancy {
    /// Everyone.
    pub tenants: Tenants,
    /// How rooms of some of them begin to look.
    dresses: Vec<(TenantId, Dress)>,
    /// Where this node stands.
    pub region: Option<Label>,
    /// Where its recordings lie.
    pub store_region: Option<Label>,
    /// When it began to count what they use.
    pub since: Wallclock,
}

impl Tenancy {
    /// As the operator chose.
    pub fn new(config: &Config) -> Self {
        Self {
            tenants: config.tenants(),
            dresses: config.dresses(),
            region: config.fleet.region(),
            store_region: config.store_region(),
            since: Wallclock::from_system_time(SystemTime::now()),
        }
    }

    /// How a room begins to look, where its tenant says that.
    pub fn dress(&self, room: &RoomId) -> Option<&Dress> {
        self.dresses.iter().find(|(tenant, _)| tenant.owns(room)).map(|(_, dress)| dress)
    }
}
