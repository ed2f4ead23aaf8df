//! **The question:** what does the node tell its operator? Floor 4.
//!
//! Doors: [`history`] (the last quarter of an hour), [`log`] (lines, and what must never stand in one), [`metrics`]
//! (numbers for a scraper), [`panics`] (who is gone), [`threads`] (who burns the processor).

pub mod history;
pub mod log;
pub mod metrics;
pub mod panics;
pub mod threads;
