//! **The question:** how is a cluster's API asked for pods, and told how to mark them? Floor 4: what Kubernetes calls
//! an in-cluster client, and no more of it than a steward needs: a list of metadata and a patch of annotations.
//!
//! Doors: [`Cluster`] (asks), [`Account`] (the files by which it is known there), [`ApiServer`] (where),
//! [`ClusterError`] (what it said instead). What it answers is bounded in time and bytes, and checked: a name that
//! would be another path in a URL is left out.

mod account;
mod address;
mod answer;
mod cluster;
mod counters;

pub use account::{Account, AccountError};
pub use address::{ApiServer, ApiServerError};
pub use cluster::{Cluster, ClusterError, ClusterSetup};
pub use counters::StewardCounters;
