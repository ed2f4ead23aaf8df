//! **The question:** how is another server asked to take a room in, and at which addresses never? Floor 4: WHIP (RFC
//! 9725) as a client, of which what is sent is the business of `io/webrtc`; RTMP, RTMPS and SRT, of which all is done
//! here by what `core/rtmp`, `core/flv`, `core/srt` and `core/mpegts` decide. When it is tried is up to `core/push`.
//!
//! Doors: [`PushTarget`] (where to, and what it wants to see), [`Pusher`] (asks, and says goodbye), [`PushSession`],
//! [`StreamCall`] (what is sent as a stream), [`StreamLine`] (one that a server takes).
//!
//! Where it never goes is what `io/egress` refuses; redirects and sessions are looked at like the first URL, and
//! candidates of answers likewise.

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
