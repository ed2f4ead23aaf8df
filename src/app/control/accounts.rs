//! **The question:** how much do a tenant's rooms use, and may they use more? What is in use is looked up in the rooms
//! themselves; how long, it is added up before each change of them.

use std::time::Instant;

use crate::app::control::thread::{Control, Entry};
use crate::app::control::waiting::Comer;
use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::access::{OverQuota, QuotaOf, Scope, Usage};
use crate::core::fleet::Label;
use crate::core::record::utc_text;
use crate::io::api::{Refusal, UsageTold};
use crate::io::webrtc::PeerRole;

impl Control {
    /// Adds up what a room used since that was done last. Everything that changes it calls this first.
    pub(super) fn account(&mut self, name: &RoomId, now: Instant) {
        let Some(entry) = self.rooms.get_mut(name) else { return };
        let Some(meter) = &entry.accounted.meter else { return };
        meter.pass(now.saturating_duration_since(entry.accounted.at), used(entry));
        let since = now.saturating_duration_since(entry.accounted.hls);
        if since >= limits::TENANT_HLS_SPACING {
            meter.watched(since, entry.room.hls_viewers(now));
            entry.accounted.hls = now;
        }
        entry.accounted.at = now;
    }

    /// What those rooms use now that count.
    fn usage(&self, counts: impl Fn(&RoomId) -> bool) -> Usage {
        let own = self.rooms.iter().filter(|(name, _)| counts(name));
        own.map(|(_, entry)| used(entry)).fold(Usage::default(), |all, one| Usage {
            rooms: all.rooms + 1,
            participants: all.participants + one.participants,
            viewers: all.viewers + one.viewers,
            recordings: all.recordings + one.recordings,
        })
    }

    /// Whether whoever has this room, and every partner of theirs, may have one more.
    ///
    /// # Errors
    /// When one of them may not; that is counted.
    pub(super) fn within_quota(&self, room: &RoomId, of: QuotaOf) -> Result<(), Refusal> {
        let tenants = &self.setup.tenancy.tenants;
        let judged =
            tenants.quotas(room).try_for_each(|(quota, scope)| quota.admits(of, self.usage(|room| scope.covers(room))));
        judged.map_err(|over| {
            let tenant = tenants.of(room).map(|tenant| &tenant.id);
            self.setup.counts.meters.of(tenant).iter().for_each(|meter| meter.refused.add(1));
            Refusal::OverQuota(over)
        })
    }

    /// Whether one more room of whoever has this one may be recorded.
    pub(super) fn recording_quota(&self, room: &RoomId) -> Result<(), OverQuota> {
        let mut quotas = self.setup.tenancy.tenants.quotas(room).filter(|(quota, _)| quota.recordings.is_some());
        quotas.try_for_each(|(quota, scope)| quota.admits(QuotaOf::Recordings, self.usage(|room| scope.covers(room))))
    }

    /// Whether somebody new may be in a room here, by where it has to be and by how much its owner may have: asked as
    /// they come, and once more as their connection stands.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn within_bounds(&self, room: &RoomId, role: PeerRole, who: &Comer) -> Result<(), Refusal> {
        self.within_region(room, who.region.as_ref())?;
        self.within_quotas(room, role)
    }

    /// The same of one more in a connection's role, and of a room that begins with them.
    fn within_quotas(&self, room: &RoomId, role: PeerRole) -> Result<(), Refusal> {
        if self.setup.tenancy.tenants.is_empty() {
            return Ok(());
        }
        if matches!(role, PeerRole::Viewer { .. }) {
            return self.within_quota(room, QuotaOf::Viewers);
        }
        if !self.rooms.contains_key(room) {
            self.within_quota(room, QuotaOf::Rooms)?;
        }
        self.within_quota(room, QuotaOf::Participants)
    }

    /// Whether this node stands where a room has to be: where its tenant wants it, and where the token of whoever comes
    /// does.
    ///
    /// # Errors
    /// When it stands elsewhere, or it is not known where.
    pub(super) fn within_region(&self, room: &RoomId, wanted: Option<&Label>) -> Result<(), Refusal> {
        let tenancy = &self.setup.tenancy;
        let outside = [tenancy.tenants.region(room), wanted]
            .into_iter()
            .flatten()
            .find(|region| tenancy.region.as_ref() != Some(region));
        if let Some(region) = outside {
            return Err(Refusal::OutsideRegion(region.clone()));
        }
        // Who brings a wish of their own comes into no room of which something is stored elsewhere.
        let recorded = self.rooms.get(room).is_some_and(|entry| entry.room.is_recorded());
        match wanted {
            Some(region) if recorded && tenancy.store_region.as_ref() != Some(region) => {
                Err(Refusal::StoredOutside(region.clone()))
            }
            _ => Ok(()),
        }
    }

    /// What `GET /v1/usage` tells whoever reaches so far.
    pub(super) fn usage_told(&mut self, scope: &Scope) -> UsageTold {
        let (now, names): (_, Vec<RoomId>) = (Instant::now(), self.rooms.keys().cloned().collect());
        names.iter().for_each(|name| self.account(name, now));
        let (meters, tenants) = (self.setup.counts.meters.clone(), &self.setup.tenancy.tenants);
        let own = meters.iter().filter(|(tenant, _)| scope.has(*tenant));
        let told = own.map(|(tenant, meter)| {
            let used = self.usage(|room| tenants.of(room).map(|tenant| &tenant.id) == tenant);
            meter.told(tenant.cloned(), used)
        });
        UsageTold { since: utc_text(self.setup.tenancy.since), tenants: told.collect() }
    }
}

/// What one room uses now.
fn used(entry: &Entry) -> Usage {
    let (participants, viewers) = entry.room.headcount();
    Usage { rooms: 1, participants, viewers, recordings: usize::from(entry.room.is_recorded()) }
}
