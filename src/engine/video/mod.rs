//! **The question:** what does one room show at this tick?

pub mod masked;
