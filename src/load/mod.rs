//! **The question:** what do real participants see and hear of a node? The far side, on its own WebRTC stack. Floor 4.
//!
//! Doors: [`clip`] and [`voice`] (what they send), [`barcode`] and [`pilot`] (how it is recognised again).

pub mod barcode;
pub mod clip;
mod container;
pub mod pilot;
pub mod voice;
