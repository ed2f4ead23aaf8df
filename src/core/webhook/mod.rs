//! **The question:** what is said of a node to its operator's server, how is that signed, and when is it tried again?
//! Floor 2: words, signatures as Standard Webhooks 1.0.0 has them, and a queue that keeps each room's order.
//!
//! Doors: [`Happening`] (what is said), [`SigningSecret`] (by whom), [`Queue`] (when), [`CapacityWatch`].

mod capacity;
mod happening;
mod queue;
mod secret;

pub use capacity::CapacityWatch;
pub use happening::{EventKind, EventKindError, Happening, Sender};
pub use queue::{Delivery, Message, Outcome, Queue, Settled};
pub use secret::{SecretError, SigningSecret, signatures};
