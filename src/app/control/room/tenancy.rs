//! **The question:** what follows for a room's recordings from whose it is? How long they are kept, and whether there
//! may be one.

use crate::app::control::room::state::Room;
use crate::core::access::OverQuota;
use crate::core::fleet::Label;
use crate::core::retention::Retention;
use crate::io::api::Refusal;
use crate::io::store::RecordingWish;

impl Room {
    /// Whether one more room of its tenant may be recorded: told by whoever knows the others.
    pub fn set_recording_quota(&mut self, judged: Result<(), OverQuota>) {
        self.recording_quota = judged;
    }

    /// Somebody comes in whose token says where the room has to be: nothing of it is stored elsewhere from now on.
    pub(super) fn bind_to(&mut self, region: Option<Label>) {
        self.bound_to.extend(region.filter(|region| !self.bound_to.contains(region)));
    }

    /// Whether it may be recorded, as far as its tenant and those in it have a say.
    ///
    /// # Errors
    /// When it is bound to a place where recordings do not lie, or its tenant has as many as they may.
    pub(super) fn may_be_stored(&self) -> Result<(), Refusal> {
        let tenancy = &self.setup.tenancy;
        let of_tenant = tenancy.tenants.region(&self.name);
        let mut bound = of_tenant.into_iter().chain(&self.bound_to);
        match bound.find(|region| tenancy.store_region.as_ref() != Some(region)) {
            Some(region) => Err(Refusal::StoredOutside(region.clone())),
            None => self.recording_quota.map_err(|over| {
                let tenant = tenancy.tenants.of(&self.name).map(|tenant| &tenant.id);
                self.setup.counts.meters.of(tenant).iter().for_each(|meter| meter.refused.add(1));
                Refusal::OverQuota(over)
            }),
        }
    }

    /// How long a recording of it is kept at most, where the node keeps them so long.
    pub(super) fn retention_max(&self, of_node: Retention) -> Retention {
        let of_tenant = self.setup.tenancy.tenants.of(&self.name).and_then(|tenant| tenant.retention);
        of_tenant.filter(|own| own.span() < of_node.span()).unwrap_or(of_node)
    }

    /// What is wished of a recording for which nobody wished anything else.
    pub(super) fn own_wish(&self, wish: RecordingWish) -> RecordingWish {
        let of_tenant = self.setup.tenancy.tenants.of(&self.name).and_then(|tenant| tenant.retention);
        RecordingWish { retention: wish.retention.or(of_tenant), ..wish }
    }
}
