//! **The question:** what may whoever helps an operator know of a node, and nobody else's business? Everything by lists
//! of what may be told; what is on none is left out.
//!
//! Doors: [`Bundle`] (the file), [`ToldConfig`] (a configuration), [`LogLines`] (a log), [`kept_of_node`] and
//! [`kept_of_metrics`] (what a node says), [`machine()`] (what it runs on), [`program`] (what it is).

mod bundle;
mod configuration;
mod log_lines;
mod machine;
mod node_answers;

pub use bundle::{BLOCK_BYTES as TAR_BLOCK_BYTES, Bundle, header as tar_header};
pub use configuration::ToldConfig;
pub use log_lines::LogLines;
pub use machine::{machine, program};
pub use node_answers::{kept_of_metrics, kept_of_node};
