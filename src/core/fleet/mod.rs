//! **The question:** which node of several has a room? One alone, and all agree which: whoever begins a room asks, in
//! one transaction, that the room be nobody's yet and that the node which shall take it be as full as it was thought to
//! be. If it holds, the room is placed and its capacity reserved; if not, what stands there now is read and asked for
//! again. Pure: the caller says what is known, and what was answered.
//!
//! Doors: [`Batch`] places rooms, [`Shift`] moves one that runs, [`Fleet::relay`] finds who shows it to more viewers,
//! [`Member`] keeps what a node told of itself true, [`Fleet`] is what is known of all.

mod batch;
mod label;
mod member;
mod pod;
mod record;
mod relay;
mod shift;
#[cfg(test)]
mod tests;
mod transaction;
mod view;

pub use batch::{Batch, Outcome};
pub use label::{Label, LabelError};
pub use member::{Load, Member, MemberSetup};
pub use pod::{Pod, PodError};
pub use record::{Fence, Known, Need, NodeRecord, RecordError, RoomRecord};
pub use relay::{RelayAnswer, RelayNeed, RelayRung, RelaySeen, RelayTerms, RelayWord};
pub use shift::{Shift, Stays};
pub use transaction::{Answer, NodeWrite, RoomWrite, Transaction};
pub use view::{Fleet, Nowhere, Reserve};
