//! **The question:** what does a cluster have to know of its nodes' pods, and how many of them are wanted? Pure: the
//! caller says what the fleet and the cluster told, and does what follows.
//!
//! Doors: [`plan`] (which marks change on which pods), [`capacity()`] (the numbers that machines are added and taken
//! away by), [`PodSeen`] (a pod, as the cluster tells of it).
//!
//! A wrong "this pod may go" cuts a call, a missing one costs a machine for a while: what is not known for certain is
//! therefore said to be in use.

mod capacity;
mod marks;
mod pod;
#[cfg(test)]
mod tests;

pub use capacity::{Capacity, capacity};
pub use marks::{Change, plan};
pub use pod::{Marks, PodSeen};
