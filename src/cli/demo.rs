//! **The question:** what did the operator type after `tessera demo`?

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::{Canvas, Failure, Span};
use crate::media::RoomId;
use crate::node::config::{Encoder, Within};

/// Flags of `tessera demo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Simulated people [default: as many as this machine was seen to carry, at least 16]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub participants: Option<u32>,
    /// How long the call lasts once everyone is connected, such as 20s or 2m
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    pub duration: Span,
    /// The room's name
    #[arg(long, short, default_value = "demo")]
    pub room: RoomId,
    /// Where the recording is written, in the clear
    #[arg(long, short, value_name = "FILE", default_value = "recordings/demo.mp4")]
    pub out: PathBuf,
    /// Write the summary as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// TCP address of the node's pages; watch the call there
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub http: SocketAddr,
    /// UDP address of the node's media socket
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3478")]
    pub media: SocketAddr,
    /// The composite's size
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1280x720")]
    pub size: Canvas,
    /// The composite's frames a second
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Who encodes the composite
    #[arg(long, value_enum, default_value = "auto")]
    pub encoder: Encoder,
}

const EXAMPLES: &str = "\
Examples:
  tessera demo                                        16 people or more for 20 seconds
  tessera demo --participants 4 --duration 5m         time enough to join from a browser
  tessera demo --json demo.json --out call.mp4        numbers for a machine, the recording for you";

/// Runs a node and a load process beside it, and tells how it went.
#[must_use]
pub fn run(args: DemoArgs) -> ExitCode {
    let _ = args;
    Failure::Failed("demo is not wired yet".to_owned()).report()
}
