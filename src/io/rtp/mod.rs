//! **The question:** what goes over plain RTP? One voice in, the room's mix without it out, for anyone who cannot speak
//! WebRTC: a telephone gateway, ffmpeg, a test. Floor 4.
//!
//! Doors: [`LegPorts`] (where legs may listen), [`LegNetworks`] (and where
//! their other ends may be), [`LegSetup`] (what one leg speaks), [`Leg`] and [`run`] (the loop that
//! the `legs` thread runs). Each leg has a UDP port of its own, so that a datagram's port says whose it is: sources and
//! addresses are anybody's to choose. There is neither encryption nor authentication: the ports are for a trusted
//! network.

mod leg;
mod networks;
mod packet;
mod ports;
mod serve;
mod source;

pub use leg::{Leg, LegCodec, LegCounters, LegSetup, LegSetupError};
pub use networks::LegNetworks;
pub use ports::{LegPorts, LegPortsError};
pub use serve::{LegCommand, LegEvent, LegRoom, LegWatch, LegWork, run};
