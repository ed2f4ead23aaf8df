//! **The question:** what follows in one room from what happens in it? A core of the control thread: it owns its
//! people, decides through `core/room`, `core/ladder` and `core/signal`, touches no media and waits for nothing; what
//! it wants done it says as effects.
//!
//! Doors: [`Room::handle`], [`Room::deadline`], [`Room::stats`].

mod branding;
mod captioned;
mod captions;
mod chat;
mod codec;
mod commands;
pub mod effect;
pub mod input;
mod join;
mod kept;
mod layouts;
mod links;
mod live;
mod moderation;
mod moving;
mod net_events;
mod notify;
mod outputs;
mod owner;
mod peers;
mod pushes;
mod pushing;
mod recording;
mod refusers;
mod returning;
mod seats;
pub mod setup;
mod state;
mod telling;
mod tenancy;
#[cfg(test)]
mod tests;
mod tracks;
mod views;

pub use effect::Effect;
pub use input::Input;
pub(super) use links::follow;
pub(super) use net_events::{denied_message, refused_message};
pub use state::{Room, RoomStats};
