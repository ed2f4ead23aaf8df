//! **The question:** what may any door ask of a node, and how does it answer? The vocabulary of control, free of any
//! door: HTTP, data channels, and what may come beside them, are its clients.

mod answers;
mod bearer;
mod captions;
mod certificate;
mod command;
mod counters;
mod facts;
mod fragment;
mod handle;
mod ice;
mod names;
mod push;
mod refusal;
mod standing;
mod token;
mod usage;

pub use answers::{Joined, LayoutShown, LegJoined, LegState, RoomDetail, RoomSummary, RungShown, Trickled};
pub use bearer::{BearerToken, BearerTokenError};
pub use captions::{CaptionCounters, CaptionerSeat};
pub use certificate::{CertificateSource, CertificateStanding, CertificateTold};
pub use command::{BrandingChange, Command, Moderation, PersonSound, Place, Reply};
pub use counters::DoorCounters;
pub use facts::{CodecFacts, NodeFacts};
pub use fragment::{FragmentCandidate, FragmentError, SdpFragment};
pub use handle::{ControlHandle, Pulse, Request};
pub use ice::{IceServer, IceServerError};
pub use names::{Authority, HostName, NoHostName, NoWebOrigin, WebOrigin};
pub use push::{PushShown, PushWish, SoundWish};
pub use refusal::Refusal;
pub use standing::{DrainShown, NodeState, Standing};
pub use token::{NoToken, ResourceToken, SeatWish};
pub use usage::{Meter, Meters, TenantUsage, UsageTold};
