//! **The question:** what goes over plain RTP? One voice in, the room's mix without it out, for whoever cannot speak WebRTC: a telephone
//! gateway, ffmpeg, a test. Floor 3.
//!
//! Doors: [`LegPorts`] (where legs may listen), [`LegSetup`] (what one leg speaks), [`Leg`] and [`run`] (the loop that the `legs` thread
//! runs). Each leg has a UDP port of its own, so that a datagram's port says whose it is: sources and addresses are anybody's to
//! choose. There is neither encryption nor authentication: the ports are for a trusted network.

mod line;
mod ports;
mod rtp;
mod serve;
mod source;

pub use line::{LegCodec, LegCounters, LegSetup, LegSetupError, Line};
pub use ports::{LegPorts, LegPortsError};
pub use serve::{Leg, LegCommand, LegEvent, LegWatch, run};
