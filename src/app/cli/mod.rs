//! **The question:** what did the operator type? Each subcommand is a thin file that parses its flags and hands over.
//!
//! Doors: [`main`]. Exit codes: 0 it worked, 1 it failed, 2 what was asked cannot be done (usage, configuration, taken
//! port).

pub mod bench;
mod capacity;
pub mod compose;
mod decoder;
pub mod demo;
pub mod drain;
mod failure;
mod interrupt;
pub mod keeper;
pub mod load;
mod participant;
pub mod recordings;
mod recordings_table;
pub mod serve;
pub mod steward;
pub mod support;
mod terminal;
pub mod token;
mod typed;
mod watched;

pub use failure::Failure;
pub use typed::{Canvas, Span};

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::node::take_small_pages;

/// A media processing node: every camera and voice of a WebRTC call in, one picture and one sound out.
#[derive(Debug, Parser)]
#[command(name = "tessera", version, about, max_term_width = 100, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tessera demo                          a call of simulated people: its picture, sound and recording, then a table
  tessera serve                         a node on HTTP port 8080 and UDP port 3478; open http://localhost:8080
  tessera serve --tls-self-signed       the same for browsers on other machines
  tessera load --participants 8         eight more people for the node on this machine
  tessera bench                         how many people this machine carries, and at what cost
  tessera compose --out o.mp4 *.webm    files into one picture and one sound

Exit codes: 0 it worked, 1 it failed, 2 what was asked cannot be done (usage, configuration, taken port).
The environment variable TESSERA_LOG takes log directives such as 'info,tessera::io::webrtc=debug'.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node until Ctrl-C, or until its rooms have ended after SIGTERM.
    Serve(serve::ServeArgs),
    /// Let a running node come to be without rooms, wait for that, or take it back.
    Drain(drain::DrainArgs),
    /// Run a node with simulated people in it, and say how it went.
    Demo(demo::DemoArgs),
    /// Bring simulated people to a running node, and say what they saw and heard.
    Load(load::LoadArgs),
    /// Find how many people this machine carries, and print the table to size machines by.
    Bench(bench::BenchArgs),
    /// Compose media files into one MP4, as a call of them would look and sound.
    Compose(compose::ComposeArgs),
    /// Look at the recordings of a node, export, hand over, erase or sweep them, and check that what expired is gone.
    Recordings(recordings::RecordingsArgs),
    /// Run a keeper of recordings' keys: three of them, on three machines, and none opens a recording alone.
    Keeper(keeper::KeeperArgs),
    /// Beside a fleet on Kubernetes: mark which nodes' pods are empty, and answer how much is free.
    Steward(steward::StewardArgs),
    /// Make an access token, or a link that leads into a room.
    Token(token::TokenArgs),
    /// Gather in one file what somebody who helps has to know of a node, without a secret or anybody's name.
    Support(support::SupportArgs),
    /// What a node starts for its decoders.
    #[command(hide = true)]
    Decoder(decoder::DecoderArgs),
}

/// Runs the command line of this process and says how it ended. Wrong usage ends the process here, with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    // For single frames of a composed file nobody waits.
    if !matches!(command, Command::Compose(_)) {
        take_small_pages();
    }
    let code = match command {
        Command::Serve(args) => serve::run(args),
        Command::Drain(args) => drain::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Load(args) => load::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Compose(args) => compose::run(args),
        Command::Recordings(args) => recordings::run(args),
        Command::Keeper(args) => keeper::run(args),
        Command::Steward(args) => steward::run(args),
        Command::Token(args) => token::run(args),
        Command::Support(args) => support::run(args),
        // It has no terminal to lose.
        Command::Decoder(args) => return decoder::run(&args),
    };
    if terminal::lost() { ExitCode::FAILURE } else { code }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
