//! **The question:** what do HTTP clients ask of the node? WHIP (RFC 9725), WHEP, rooms, health, metrics and the page. Floor 3.
//!
//! Doors: [`HttpDoor`] (bind, then serve), [`Desk`] (where requests are laid for the control thread as [`Command`]s). This room
//! knows neither peers nor threads: a command carries a one-shot reply, and a [`Refusal`] becomes a problem (RFC 9457).

mod desk;
mod fragment;
mod listing;
mod page;
mod problem;
mod resource;
mod server;
mod sound;
#[cfg(test)]
mod tests;

pub use desk::{
    Command, Desk, Joined, Moderation, PersonSound, Refusal, ResourceToken, RoomDetail, RoomSummary, Trickled,
};
pub use fragment::{FragmentCandidate, FragmentError, SdpFragment};
pub use server::{HttpDoor, HttpError, HttpSetup, Telling, Tls};
