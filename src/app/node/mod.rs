//! **The question:** how does a node come up and go down? Opens the sockets, starts the threads, wires them, and ends
//! them in order.
//!
//! Door: [`Node`]. A thread is a worker of [`crate::app::workers`]; `control` wires rooms and peers through them.

mod calibration;
mod fleet;
mod history;
mod metrics;
mod notices;
mod outward;
mod pages;
mod precedence;
mod start;
mod tcp;

pub use crate::app::control::report::{RoomCounters, RoomReport};
pub use crate::app::workers::counters::NodeCounters;
pub use calibration::measure;
pub use fleet::machine_name;
pub use pages::take_small_pages;
pub use start::{Node, StartError};
