//! **The question:** what may any door ask of a node, and how does it answer? The vocabulary of control, free of any
//! door: HTTP, data channels, and what may come beside them, are its clients.

mod answers;
mod command;
mod fragment;
mod handle;
mod refusal;
mod token;

pub use answers::{Joined, LayoutShown, LegJoined, LegState, RoomDetail, RoomSummary, RungShown, Trickled};
pub use command::{BrandingChange, Command, Moderation, PersonSound, Reply};
pub use fragment::{FragmentCandidate, FragmentError, SdpFragment};
pub use handle::{ControlHandle, Request};
pub use refusal::Refusal;
pub use token::{NoToken, ResourceToken};
