//! **The question:** why did a subcommand not do its work, and with which exit code does the process say so?

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::app::cli::terminal::complain;
use crate::app::config::{ConfigError, TlsError};
use crate::app::node::StartError;

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
        complain!("tessera: {self}");
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

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            // Nothing the operator typed would help against a system without threads.
            StartError::System(_) => Self::Failed(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_with_the_way_out() {
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = taken.local_addr().unwrap();
        let error = std::net::UdpSocket::bind(at).unwrap_err();
        let told = format!("{at} is taken; stop what uses it, or choose another with --media");
        assert_eq!(Failure::listen("--media", at, &error), Failure::Usage(told));
    }
}
