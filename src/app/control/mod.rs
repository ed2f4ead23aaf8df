//! **The question:** which room does this concern? The control thread routes: requests of the doors, events from the
//! wire and the workers go to the room they are about, and what a room wants done is carried out. It touches no media
//! and waits for nothing.

mod accounts;
mod calling;
mod commands;
mod draining;
mod ending;
mod entering;
mod following;
mod lobbies;
mod moves;
mod moving;
mod relay;
pub mod report;
mod room;
mod rooms;
mod standing;
mod thread;
mod trickling;
mod waiting;
mod wiring;

pub use thread::{Control, ControlMailbox, ControlParts, Stop, Workers};
