//! **The question:** how does what a room shows and says become live HLS, and who waits for it? A packager for each
//! rung that somebody watches, on the package thread, which never waits; what it made last lies where every request
//! finds it without asking anybody. When the room ends nothing more comes, and what was listed stays for as long again.
//!
//! Doors: [`LiveRooms`] (of the node), [`LiveRoom`] (of one room), [`LivePackager`] (one rung's fans → its window).

mod audience;
mod counters;
mod packager;
mod probe;
mod rooms;
mod rung;
#[cfg(test)]
mod tests;
mod text;
mod waits;

pub use counters::LiveCounters;
pub use packager::LivePackager;
pub use rooms::{LiveRoom, LiveRooms, LiveSetup};
pub use rung::{Edge, LiveRung, Missing};
