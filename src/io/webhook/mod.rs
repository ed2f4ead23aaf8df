//! **The question:** how does a message reach the operator's server, and what if it does not? Floor 4. What is said,
//! how it is signed and when it is tried again is the business of `core/webhook`; where it never goes that of
//! `io/egress`.
//!
//! Doors: [`WebhookTarget`] (where to, of what, signed by what), [`Webhooks`] (says it; nobody waits for that).

mod counters;
mod hook;
mod target;
mod webhooks;

#[cfg(test)]
mod tests;

pub use counters::WebhookCounters;
pub use target::{WebhookTarget, WebhookTargetError};
pub use webhooks::{WebhookSetup, Webhooks};
