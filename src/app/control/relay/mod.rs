//! **The question:** which rooms of other nodes are watched here, and at which other nodes those of this one? A relay
//! is a viewer of the room's own node, once for each rung that somebody here watches, and hands on what it is sent: to
//! the net threads it looks like a room whose pictures come from the wire instead of from encoders.
//!
//! Doors: [`Relays`]; the control thread's part of it stands in the other files.

mod guests;
mod lines;
mod own;
mod standing;
mod words;

pub(super) use standing::Relays;
