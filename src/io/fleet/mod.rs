//! **The question:** which node has a room, and how do all nodes come to know? Floor 4: what `core/fleet` decides is
//! kept in etcd, one record for each node and each room, under a lease that ends with its node.
//!
//! Doors: [`Placement`] is what everybody asks, also on a node that is alone; [`FleetSetup`] is who this node is and
//! where etcd answers; [`Mover`] brings a room that runs to another node, [`Relayer`]
//! asks the node that has a room for those who watch it here, [`Trust`] is what nodes know each other by,
//! and [`Observer`] sees what all tell and is no node.
//!
//! Everything that is known of the fleet is watched, not read when somebody asks: whoever joins a room that runs costs
//! etcd nothing and does not need it, and a node that hears of a newer owner hears it at once. One task speaks with
//! etcd, one thing after the other; what is asked meanwhile goes together in the next transaction.

mod counters;
#[cfg(feature = "fleet")]
mod etcd;
#[cfg(feature = "fleet")]
mod membership;
mod mover;
#[cfg(feature = "fleet")]
mod observer;
mod placement;
mod relayer;
mod setup;
mod state;
mod trust;

pub use counters::FleetCounters;
#[cfg(feature = "fleet")]
pub use membership::Membership;
pub use mover::{Destination, MOVE_PATH, MoveError, MoveWord, Mover, SIGNATURE};
#[cfg(feature = "fleet")]
pub use observer::{Observed, Observer};
pub use placement::{Alone, FleetHandle, Lookup, Placed, Placement, Unmoved, Unplaced, Wish};
pub use relayer::{RELAY_PATH, RelayError, Relayer};
pub use setup::{EtcdIdentity, EtcdTls, FleetError, FleetSetup};
pub use state::{FleetShown, FleetState, NodeShown, RoomShown};
pub use trust::{ShortSecret, Trust};
