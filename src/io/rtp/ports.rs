//! **The question:** on which UDP ports may legs listen? A range of one address, as the operator writes it; none unless
//! written.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::base::limits;

/// `address:first-last`, such as `127.0.0.1:40000-40099`; empty: no legs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LegPorts {
    written: String,
    range: Option<(IpAddr, RangeInclusive<u16>)>,
}

/// Why a text names no ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegPortsError {
    /// Not of that form.
    #[error("not of the form ADDRESS:FIRST-LAST, such as 127.0.0.1:40000-40099")]
    Form,
    /// None, or too many.
    #[error("a range has 1 to {} ports, none of them 0", limits::LEGS_MAX)]
    Count,
}

impl LegPorts {
    /// Whether there are legs at all.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.range.is_none()
    }

    /// Binds a free port, looking from the `start`-th on, so that what is late for an ended leg seldom reaches the next
    /// one.
    ///
    /// # Errors
    /// When every port is taken, or the address is not this machine's.
    pub fn bind(&self, start: usize) -> io::Result<UdpSocket> {
        let none = || io::Error::from(io::ErrorKind::AddrNotAvailable);
        let (address, ports) = self.range.as_ref().ok_or_else(none)?;
        let start = start % ports.len();
        let mut result = Err(none());
        for port in ports.clone().chain(ports.clone()).skip(start).take(ports.len()) {
            result = UdpSocket::bind(SocketAddr::new(*address, port));
            if result.is_ok() {
                break;
            }
        }
        let socket = result?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

impl TryFrom<String> for LegPorts {
    type Error = LegPortsError;

    fn try_from(written: String) -> Result<Self, LegPortsError> {
        if written.is_empty() {
            return Ok(Self::default());
        }
        let (first, last) = written.rsplit_once('-').ok_or(LegPortsError::Form)?;
        let first: SocketAddr = first.parse().map_err(|_| LegPortsError::Form)?;
        let last: u16 = last.parse().map_err(|_| LegPortsError::Form)?;
        let ports = first.port()..=last;
        if first.port() == 0 || !(1..=limits::LEGS_MAX).contains(&ports.len()) {
            return Err(LegPortsError::Count);
        }
        Ok(Self { range: Some((first.ip(), ports)), written })
    }
}

impl From<LegPorts> for String {
    fn from(ports: LegPorts) -> Self {
        ports.written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_parsed_not_validated() {
        let parse = |text: &str| LegPorts::try_from(text.to_owned());
        assert!(parse("").unwrap().is_off());
        assert_eq!(String::from(parse("[::1]:40000-40009").unwrap()), "[::1]:40000-40009");
        for text in ["40000-40099", "127.0.0.1:40000", "127.0.0.1-40000", "here:1-2", "127.0.0.1:1-70000"] {
            assert_eq!(parse(text), Err(LegPortsError::Form), "{text}");
        }
        for text in ["127.0.0.1:0-10", "127.0.0.1:40001-40000", "127.0.0.1:40000-40100"] {
            assert_eq!(parse(text), Err(LegPortsError::Count), "{text}");
        }
    }

    #[test]
    fn every_port_is_found_once_and_then_none() {
        // Three ports in a row that are free here now.
        let (first, ports) = (41_000_u16..60_000)
            .step_by(7)
            .find_map(|first| {
                let free = (first..first + 3).all(|port| UdpSocket::bind(("127.0.0.1", port)).is_ok());
                free.then(|| (first, LegPorts::try_from(format!("127.0.0.1:{first}-{}", first + 2)).unwrap()))
            })
            .expect("some ports are free");
        let bound: Vec<_> = (0..3).map(|_| ports.bind(2).unwrap()).collect();
        let numbers: Vec<_> = bound.iter().map(|socket| socket.local_addr().unwrap().port() - first).collect();
        assert_eq!(numbers, [2, 0, 1]);
        assert!(ports.bind(0).is_err());
    }
}
