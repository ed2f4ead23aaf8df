//! **The question:** what do HTTP clients ask of the node? WHIP (RFC 9725), WHEP, rooms, recordings, health, metrics
//! and the page. Floor 4.
//!
//! Doors: [`HttpDoor`] (bind, then serve), [`NodeView`] (what is told without asking anybody); a steward, which is no
//! node, has a small door of its own (`steward`). Inside: `server` merges the routes; `connections` bounds who is
//! connected, and `expiry` ends what reads a recording at its hour. A request passes the `entrance`: its host and page
//! (`origin`), its route and the leave that takes (`rights`), room for its body (`gate`). Handlers read it by
//! `extract` and `admission`, ask through `crate::io::api`, and answer by `reply` and `problem`. This room knows
//! neither peers nor threads: a command carries a one-shot reply, and a refusal becomes a problem (RFC 9457).

mod admission;
mod announcements;
mod aside;
mod branding;
mod captions;
mod connections;
mod desk;
mod entrance;
mod expiry;
mod extract;
mod fleet;
mod frames;
mod gate;
mod history;
mod hls;
mod ice;
mod layout;
mod legs;
mod link;
mod moderation;
mod moving;
mod node;
mod openapi;
mod origin;
mod packed;
mod page;
mod participants;
mod playback;
mod poster;
mod problem;
mod pushes;
mod recording;
mod recordings;
mod relays;
mod reply;
mod resource;
mod rights;
mod rooms;
mod server;
mod state;
#[cfg(feature = "fleet")]
mod steward;
#[cfg(test)]
mod tests;
mod transfer;
mod unsent;

pub use admission::Recordings;
pub use aside::Aside;
pub use connections::connections_max;
pub use fleet::Leading;
pub use link::LinkKey;
pub use server::{Guard, HttpDoor, HttpError, HttpSetup, Tls};
pub use state::NodeView;
#[cfg(feature = "fleet")]
pub use steward::{StewardDoor, StewardView, Told};
