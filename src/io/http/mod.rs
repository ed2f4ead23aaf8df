//! **The question:** what do HTTP clients ask of the node? WHIP (RFC 9725), WHEP, rooms, recordings, health, metrics
//! and the page. Floor 4.
//!
//! Doors: [`HttpDoor`] (bind, then serve), [`ControlHandle`] (where requests are laid for the control thread as
//! [`Command`]s). This room knows neither peers nor threads: a command carries a one-shot reply, and a [`Refusal`]
//! becomes a problem (RFC 9457).

mod admission;
mod announcements;
mod branding;
mod extract;
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
mod reply;
mod resource;
mod rooms;
mod server;
mod state;
#[cfg(test)]
mod tests;
mod transfer;

pub use admission::Recordings;
pub use link::LinkKey;
pub use server::{HttpDoor, HttpError, HttpSetup, Tls};
pub use state::NodeView;
