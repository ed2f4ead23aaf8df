//! **The question:** who is wired to whom? Floor 4: the only room that spawns threads, reads clocks and knows everyone.

pub mod config;
pub mod package;
pub mod sound;
