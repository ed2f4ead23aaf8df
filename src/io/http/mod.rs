//! **The question:** what do HTTP clients ask of the node? WHIP (RFC 9725), WHEP, rooms, recordings, health, metrics and the page. Floor 3.
//!
//! Doors: [`HttpDoor`] (bind, then serve), `ControlHandle` (where requests are laid for the control thread as `Command`s). This room
//! knows neither peers nor threads: a command carries a one-shot reply, and a `Refusal` becomes a problem (RFC 9457).

mod announcements;
mod branding;
mod layout;
mod legs;
mod link;
mod moderation;
mod page;
mod playback;
mod poster;
mod problem;
mod recording;
mod recordings;
mod resource;
mod rooms;
mod server;
#[cfg(test)]
mod tests;
mod transfer;

pub use link::LinkKey;
pub use recordings::Recordings;
pub use server::{HttpDoor, HttpError, HttpSetup, NodeView, Tls};
