//! **The question:** how much was used, by whose rooms? Sums of time since the node's start, of which none says who
//! somebody was.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::access::{TenantId, Tenants, Usage};
use crate::engine::flow::Counter;

/// What one tenant's rooms used; clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    /// Time of people in rooms, microseconds: two for a second count twice.
    pub participant_us: Counter,
    /// The same of those who watch by WebRTC.
    pub viewer_us: Counter,
    /// The same of those who watch by HLS, as far as their requests tell.
    pub hls_viewer_us: Counter,
    /// Time in which something of a room was stored.
    pub recorded_us: Counter,
    /// Requests refused because of a quota.
    pub refused: Counter,
}

/// The meters of a node, one for each tenant and one for what is no tenant's; clones share them. None while no tenants
/// are configured.
#[derive(Debug, Clone, Default)]
pub struct Meters(Arc<OnceLock<Vec<OwnMeter>>>);

/// A meter, and whose it is.
type OwnMeter = (Option<TenantId>, Meter);

/// What `GET /v1/usage` tells.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct UsageTold {
    /// From when on it was counted, UTC, RFC 3339: this node's start.
    pub since: String,
    /// Each tenant that the asker reaches, and for the operator what is no tenant's.
    pub tenants: Vec<TenantUsage>,
}

/// What one tenant's rooms used on this node.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TenantUsage {
    /// Whose; absent: what is no tenant's.
    #[schemars(with = "Option<String>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Minutes of people in rooms.
    pub participant_minutes: f64,
    /// Minutes of those who watched by WebRTC.
    pub viewer_minutes: f64,
    /// Minutes of those who watched by HLS, as far as their requests tell: behind a cache, the cache alone.
    pub hls_viewer_minutes: f64,
    /// Minutes in which rooms were recorded.
    pub recorded_minutes: f64,
    /// Requests refused because of a quota.
    pub refused: u64,
    /// Rooms that run now.
    pub rooms: usize,
    /// People in them.
    pub participants: usize,
    /// Those who watch by WebRTC.
    pub viewers: usize,
    /// Rooms that are recorded.
    pub recordings: usize,
}

impl Meter {
    /// So long passed, with that much in use.
    pub fn pass(&self, span: Duration, used: Usage) {
        self.participant_us.add(us(span, used.participants as u64));
        self.viewer_us.add(us(span, used.viewers as u64));
        self.recorded_us.add(us(span, used.recordings as u64));
    }

    /// So long passed, with so many who watch by HLS.
    pub fn watched(&self, span: Duration, viewers: u64) {
        self.hls_viewer_us.add(us(span, viewers));
    }

    /// What it tells, beside what is in use now.
    #[must_use]
    pub fn told(&self, tenant: Option<TenantId>, now: Usage) -> TenantUsage {
        let minutes = |us: &Counter| us.get() as f64 / 60e6;
        TenantUsage {
            tenant,
            participant_minutes: minutes(&self.participant_us),
            viewer_minutes: minutes(&self.viewer_us),
            hls_viewer_minutes: minutes(&self.hls_viewer_us),
            recorded_minutes: minutes(&self.recorded_us),
            refused: self.refused.get(),
            rooms: now.rooms,
            participants: now.participants,
            viewers: now.viewers,
            recordings: now.recordings,
        }
    }
}

/// Microseconds of so many, each for so long.
fn us(span: Duration, count: u64) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).saturating_mul(count)
}

impl Meters {
    /// One for each of these, if there are any, and one for what is nobody's.
    pub fn begin(&self, tenants: &Tenants) {
        if !tenants.is_empty() {
            let ids = tenants.iter().map(|tenant| Some(tenant.id.clone())).chain([None]);
            self.0.get_or_init(|| ids.map(|id| (id, Meter::default())).collect());
        }
    }

    /// Each with whose it is.
    pub fn iter(&self) -> impl Iterator<Item = (Option<&TenantId>, &Meter)> {
        self.0.get().into_iter().flatten().map(|(id, meter)| (id.as_ref(), meter))
    }

    /// A tenant's; `None`: of what is nobody's.
    #[must_use]
    pub fn of(&self, tenant: Option<&TenantId>) -> Option<&Meter> {
        self.iter().find(|(id, _)| *id == tenant).map(|(_, meter)| meter)
    }
}
