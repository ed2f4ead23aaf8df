//! **The question:** what did the operator type after `tessera load`?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::{Failure, Span};
use crate::media::RoomId;
use crate::node::config::{Side, Within};

/// Flags of `tessera load`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct LoadArgs {
    /// The node's address
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// The room's name
    #[arg(long, short, default_value = "load")]
    pub room: RoomId,
    /// Simulated people
    #[arg(long, short, value_name = "COUNT", default_value = "16", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub participants: u32,
    /// How long they stay once everyone is connected, such as 20s or 2m
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    pub duration: Span,
    /// How many of them decode the composite and read its barcodes [default: one in ten, 1 to 4]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub decoders: Option<u32>,
    /// How many of them speak
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub speakers: u32,
    /// Columns of each camera
    #[arg(long, value_name = "PIXELS", default_value = "320")]
    pub width: Side,
    /// Rows of each camera
    #[arg(long, value_name = "PIXELS", default_value = "180")]
    pub height: Side,
    /// Frames a second of each camera
    #[arg(long, default_value = "30")]
    pub fps: Within<1, 60>,
    /// Seed of everything random, so that a run can be repeated
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Write what was measured as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  tessera load                                            16 people for the node on this machine
  tessera load --url https://node.example --room standup  into a room where others are
  tessera load --participants 40 --decoders 2 --json load.json";

/// Brings simulated people to a node and tells what they saw and heard.
#[must_use]
pub fn run(args: LoadArgs) -> ExitCode {
    let _ = args;
    Failure::Failed("load is not wired yet".to_owned()).report()
}
