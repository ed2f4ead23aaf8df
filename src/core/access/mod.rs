//! **The question:** who may do what? Every command and every word on a data channel names its caller, and every caller
//! is judged here by one table, whatever door they came through.
//!
//! Doors: [`Policy::judge`] is the judge; [`Caller`] who asks, [`Act`] for what, [`Denied`] why not; [`Claims`] is what
//! a token says, and until when it holds; [`Tenants`] whose rooms are whose, and how far a key reaches ([`Scope`]).

mod act;
mod caller;
mod claims;
mod policy;
mod role;
mod table;
mod tenant;

pub use act::Act;
pub use caller::{BearerId, Caller, Grant};
pub use claims::{Claims, TokenFault};
pub use policy::{Denied, Policy, Steering};
pub use role::Role;
pub use tenant::{
    OverQuota, Partner, Quota, QuotaOf, Scope, TENANT_MARK, Tenant, TenantId, TenantIdError, Tenants, Usage,
};
