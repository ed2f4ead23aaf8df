//! **The question:** how does the process live that tells a cluster which nodes are empty? It watches the fleet in
//! etcd, asks the cluster's API for the nodes' pods every few seconds, marks those that are marked otherwise than they
//! should be, and tells whoever adds and takes away machines how much is free. It decides nothing about calls: without
//! it they go on, and machines stay.
//!
//! Doors: [`Steward`], which ends when it is told to, [`StewardSetup`], [`StewardError`].

mod metrics;
mod process;
mod rounds;
mod seen;

pub use process::{Steward, StewardError, StewardSetup};
