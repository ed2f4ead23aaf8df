//! **The question:** how is another server asked to take a room in, and at which addresses never? Floor 4: WHIP (RFC
//! 9725) as a client. What is sent is the business of `io/webrtc`, when it is tried that of `core/push`.
//!
//! Doors: [`PushTarget`] (where to, and what it wants to see), [`Pusher`] (asks, and says goodbye), [`PushSession`].
//!
//! Where it never goes is what `io/egress` refuses; redirects and sessions are looked at like the first URL, and
//! candidates of answers likewise.

mod answer;
mod counters;
mod error;
mod pusher;
mod target;
#[cfg(test)]
mod tests;

pub use counters::PushCounters;
pub use error::PushError;
pub use pusher::{PushAnswer, PushSession, Pusher};
pub use target::{PushTarget, PushTargetError};
