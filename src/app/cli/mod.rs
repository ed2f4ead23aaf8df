//! **The question:** what did the operator type? Each subcommand is a thin file that parses its flags and hands over.
//!
//! Doors: [`main`]. Exit codes: 0 it worked, 1 it failed, 2 what was asked cannot be done (usage, configuration, taken port).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the one room that speaks to a terminal")]

pub mod compose;
pub mod demo;
pub mod keeper;
pub mod load;
pub mod recordings;
pub mod serve;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::app::config::{Side, ValueError};
use crate::base::media::Size;

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
  tessera demo                          a call of simulated people, its picture, sound and recording, and a table at the end
  tessera serve                         a node on HTTP port 8080 and UDP port 3478; open http://localhost:8080
  tessera serve --tls-self-signed       the same for browsers on other machines
  tessera load --participants 8         eight more people for the node on this machine
  tessera compose --out o.mp4 *.webm    files into one picture and one sound

Exit codes: 0 it worked, 1 it failed, 2 what was asked cannot be done (usage, configuration, taken port).
The environment variable TESSERA_LOG takes log directives such as 'info,tessera::io::webrtc=debug'.";

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node until Ctrl-C.
    Serve(serve::ServeArgs),
    /// Run a node with simulated people in it, and say how it went.
    Demo(demo::DemoArgs),
    /// Bring simulated people to a running node, and say what they saw and heard.
    Load(load::LoadArgs),
    /// Compose media files into one MP4, as a call of them would look and sound.
    Compose(compose::ComposeArgs),
    /// Look at the recordings of a node, export, hand over, erase or sweep them, and check that what expired is gone.
    Recordings(recordings::RecordingsArgs),
    /// Run a keeper of recordings' keys: three of them, on three machines, and none opens a recording alone.
    Keeper(keeper::KeeperArgs),
}

/// Runs the command line of this process and says how it ended. Wrong usage ends the process here, with exit code 2.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Load(args) => load::run(args),
        Command::Compose(args) => compose::run(args),
        Command::Recordings(args) => recordings::run(args),
        Command::Keeper(args) => keeper::run(args),
    }
}

/// Why a subcommand did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What was asked cannot be done: exit code 2.
    Usage(String),
    /// It went wrong: exit code 1.
    Failed(String),
}

impl Failure {
    /// The address `at` cannot be listened on; `flag` is where the operator chooses another.
    #[must_use]
    pub fn listen(flag: &str, at: SocketAddr, error: &io::Error) -> Self {
        Self::Usage(match error.kind() {
            io::ErrorKind::AddrInUse => format!("{at} is taken; stop what uses it, or choose another with {flag}"),
            io::ErrorKind::PermissionDenied => format!("{at} is not allowed; choose a port above 1023 with {flag}"),
            io::ErrorKind::AddrNotAvailable => format!("{at} is no address of this machine; choose one with {flag}"),
            _ => format!("{at} cannot be listened on: {error}; choose another with {flag}"),
        })
    }

    /// Tells the operator in one line on stderr, and gives the exit code.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        eprintln!("tessera: {self}");
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Failed(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Usage(reason) | Self::Failed(reason)) = self;
        f.write_str(reason)
    }
}

impl From<crate::app::config::ConfigError> for Failure {
    fn from(error: crate::app::config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<crate::app::config::TlsError> for Failure {
    fn from(error: crate::app::config::TlsError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// A span of time as typed: `20`, `20s`, `2m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_s = match text.chars().last() {
            Some('m') => 60,
            Some('h') => 3600,
            _ => 1,
        };
        let count: u64 = text.trim_end_matches(['s', 'm', 'h']).parse().unwrap_or(0);
        let seconds = count.saturating_mul(unit_s);
        if !(1..=86_400).contains(&seconds) {
            return Err("give 1s to 24h, such as 20s, 2m or 1h".to_owned());
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

/// The canvas as typed: `1280x720`, both sides even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Columns.
    pub width: Side,
    /// Rows.
    pub height: Side,
}

impl Canvas {
    /// As the media path says it.
    #[must_use]
    pub fn size(self) -> Size {
        Size::new(self.width.get(), self.height.get())
    }
}

impl FromStr for Canvas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once('x').ok_or("give WIDTHxHEIGHT, such as 1280x720")?;
        let side = |text: &str| text.parse().map_err(|e: ValueError| format!("{text}: {e}"));
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

impl fmt::Display for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width.get(), self.height.get())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_taken_port_is_told_with_the_way_out() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let error = std::net::UdpSocket::bind(at).unwrap_err();
        let told = format!("{at} is taken; stop what uses it, or choose another with --media");
        assert_eq!(Failure::listen("--media", at, &error), Failure::Usage(told));
    }

    #[test]
    fn spans_are_parsed_with_their_unit() {
        for (text, seconds) in [("20", 20), ("20s", 20), ("2m", 120), ("1h", 3600)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "0", "s", "-1", "25h", "1d", "99999999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_canvas_is_even_and_within_bounds() {
        assert_eq!("1280x720".parse::<Canvas>().unwrap().size(), Size::new(1280, 720));
        assert_eq!("1281x720".parse::<Canvas>().unwrap_err(), "1281: 1281 is odd; choose an even number");
        assert!("1280".parse::<Canvas>().is_err() && "10x10".parse::<Canvas>().is_err());
    }
}
