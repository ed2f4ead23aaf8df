//! **The question:** how does a room that runs come to another node? In one transaction, if it is still where it was
//! and its new node still as full as it was thought to be: the room's record names the new owner and stands under that
//! one's lease, the capacity is reserved there and free here. Its fence is greater than the one before.

use crate::base::media::RoomId;
use crate::core::fleet::{
    Fence, Fleet, Label, Need, NodeRecord, NodeWrite, Nowhere, RoomRecord, RoomWrite, Transaction,
};

/// A room that is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Which.
    pub room: RoomId,
    /// The node that has it.
    pub from: Label,
    /// The node that is to have it.
    pub to: Label,
    /// It comes back to the node that it went from, whatever that one says of itself.
    pub is_return: bool,
}

/// Why a room stays where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// It is not there, or no longer.
    Lost,
    /// The node does not take it.
    Nowhere(Nowhere),
}

impl Shift {
    /// What is asked of the store, and the fence by which the new owner has the room if that is written.
    ///
    /// # Errors
    /// When it cannot be, by what is known.
    pub fn ask(&self, fleet: &Fleet) -> Result<(Transaction, Fence), Stays> {
        let known = fleet.room(&self.room).filter(|known| known.value.owner == self.from).ok_or(Stays::Lost)?;
        let target = fleet.node(&self.to).ok_or(Stays::Nowhere(Nowhere::Empty))?;
        let units = known.value.units;
        if !self.is_return {
            let need = Need { room: self.room.clone(), units, region: None, prefers: None };
            let why = if target.value.draining { Nowhere::Draining } else { Nowhere::Full };
            target.value.takes(&need, 0).ok_or(Stays::Nowhere(why))?;
        }
        // Greater than that of every owner before, and no greater than the revision at which this is written.
        let fence = Fence(known.changed + 1);
        let new = NodeRecord { reserved: target.value.reserved + units, ..target.value.clone() };
        let record = RoomRecord {
            owner: self.to.clone(),
            url: new.url.clone(),
            region: new.region.clone(),
            units,
            fence: Some(fence.0),
        };
        let lease = new.lease;
        let mut nodes = vec![NodeWrite { id: self.to.clone(), seen: Some(target.changed), record: new }];
        // One that is dead has no record, and nothing reserved.
        if let Some(own) = fleet.node(&self.from) {
            let record = NodeRecord { reserved: own.value.reserved.saturating_sub(units), ..own.value.clone() };
            nodes.push(NodeWrite { id: self.from.clone(), seen: Some(own.changed), record });
        }
        let rooms =
            vec![RoomWrite { room: self.room.clone(), seen: Some(known.changed), record: Some((record, lease)) }];
        Ok((Transaction { nodes, rooms }, fence))
    }
}
