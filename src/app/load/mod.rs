//! **The question:** what do real participants see and hear of a node? Floor 5: the far side, in a process of its own.
//!
//! Doors: [`clip`] and [`voice`] (what they send), [`barcode`] and [`pilot`] (how it is recognised again), and above
//! them [`run()`], which brings simulated people to a node by its URL and answers with a [`Report`]. Whoever looks or
//! listens is a WebRTC participant of the crate `webrtc` (`participant`): another stack than the node's, so that the
//! two check each other. Of many people, the others are on one thread, with the node's own (`crowd`). They all send
//! what the node asks of them (`asked` → `camera` → `library` → `reel`) when it is due (`schedule`), through bad links
//! if wished (`link`, `relay`), and have back what is lost there (`repair`). Who only watches comes by WHEP
//! (`audience`, `spectator`, `reception`) or, by [`watch`], by HLS.

mod asked;
mod audience;
pub mod barcode;
mod camera;
pub mod clip;
mod codecs;
pub(crate) mod container;
mod crowd;
mod departures;
mod error;
mod gauge;
mod hls;
mod http;
mod library;
mod link;
mod listener;
mod participant;
pub mod pilot;
mod places;
mod receiver;
mod reception;
mod reel;
mod relay;
mod repair;
mod report;
mod run;
mod schedule;
mod sender;
mod sendlog;
mod spectator;
mod stack;
mod summary;
mod viewer;
pub mod voice;
mod wants;
mod wish;
mod witness;

pub use codecs::Codecs;
pub use error::LoadError;
pub use hls::{HlsOptions, HlsReport, watch};
pub(crate) use http::{client_builder, node_url, refusal, told, unreachable};
pub use link::{LinkPlan, StagePlan};
pub use reception::{FirstReport, ViewersReport};
pub use report::{
    AudioReport, CameraReport, CompositeReport, DecoderReport, FaceReport, FreezeReport, LatencyReport, LinkReport,
    MouthToEarReport, PacketReport, ParticipantReport, RepairReport, Report, RungReport, StackReport, WayReport,
};
pub use run::{LoadOptions, Stage, run};
pub use stack::Stack;
