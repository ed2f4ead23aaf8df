//! **The question:** how is another server asked to take a room in, and at which addresses never? Floor 4: WHIP (RFC
//! 9725) as a client, of which what is sent is the business of `io/webrtc`; RTMP, RTMPS and SRT, of which all is done
//! here by what `core/rtmp`, `core/flv`, `core/srt` and `core/mpegts` decide. When it is tried is up to `core/push`.
//!
//! Doors: [`PushTarget`] (where to, and what it wants to see), [`Pusher`] (asks, and says goodbye), [`PushSession`],
//! [`StreamCall`] (what is sent as a stream), [`StreamLine`] (one that a server takes).
//!
//! A URL is whatever somebody wrote, so a node that goes wherever it is sent would reach for them what only it reaches:
//! the machine's own ports, the network behind it, the cloud's metadata. An address that is not everybody's is refused
//! unless the operator allows it, and the one that was looked at is the one that is gone to: names are resolved by
//! [`addresses`] alone, redirects and sessions are looked at like the first URL, and candidates of answers likewise.

mod addresses;
mod answer;
mod carrier;
mod counters;
mod dial;
mod error;
mod pusher;
mod rtmp;
mod sound;
mod srt;
mod stream;
mod target;
#[cfg(test)]
mod tests;

pub use counters::PushCounters;
pub use error::PushError;
pub use pusher::{PushAnswer, PushSession, Pusher};
pub use stream::{StreamCall, StreamEnd, StreamFeed, StreamLine, StreamTold};
pub use target::{PushProtocol, PushTarget, PushTargetError};
