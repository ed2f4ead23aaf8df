//! **The question:** what do HTTP clients ask of the node? WHIP (RFC 9725), WHEP, rooms, recordings, health, metrics and the page. Floor 3.
//!
//! Doors: [`HttpDoor`] (bind, then serve), [`Desk`] (where requests are laid for the control thread as [`Command`]s). This room
//! knows neither peers nor threads: a command carries a one-shot reply, and a [`Refusal`] becomes a problem (RFC 9457).

mod desk;
mod dress;
mod fragment;
mod handing;
mod layout;
mod legs;
mod link;
mod listing;
mod page;
mod playing;
mod poster;
mod problem;
mod recording;
mod recordings;
mod resource;
mod server;
mod sound;
#[cfg(test)]
mod tests;

pub use desk::{
    Command, Desk, Dress, Joined, LayoutShown, LegJoined, LegState, Moderation, PersonSound, Refusal, Reply,
    ResourceToken, RoomDetail, RoomSummary, Trickled,
};
pub use fragment::{FragmentCandidate, FragmentError, SdpFragment};
pub use link::LinkKey;
pub use recordings::Recordings;
pub use server::{HttpDoor, HttpError, HttpSetup, Telling, Tls};
