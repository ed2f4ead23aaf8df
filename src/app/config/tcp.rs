//! **The question:** where are those in calls whose network lets no UDP through?

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// `[media] tcp`: `media`, `http`, an address, or nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TcpMedia {
    /// Nowhere.
    Off,
    /// At the media port's number; without it where another program has that port.
    #[default]
    Beside,
    /// At the HTTP port.
    Http,
    /// At an address of its own.
    At(SocketAddr),
}

/// Why a text names no place for media over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither \"media\" (the number of the UDP port), \"http\" (the HTTP port), ADDRESS:PORT nor \"\" (none)")]
pub struct TcpMediaError;

impl TryFrom<String> for TcpMedia {
    type Error = TcpMediaError;

    fn try_from(written: String) -> Result<Self, TcpMediaError> {
        match &*written {
            "" => Ok(Self::Off),
            "media" => Ok(Self::Beside),
            "http" => Ok(Self::Http),
            address => address.parse().map(Self::At).map_err(|_| TcpMediaError),
        }
    }
}

impl From<TcpMedia> for String {
    fn from(place: TcpMedia) -> Self {
        match place {
            TcpMedia::Off => Self::new(),
            TcpMedia::Beside => "media".into(),
            TcpMedia::Http => "http".into(),
            TcpMedia::At(address) => address.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_word_or_an_address() {
        for text in ["", "media", "http", "0.0.0.0:443", "[::]:443"] {
            assert_eq!(String::from(TcpMedia::try_from(text.to_owned()).unwrap()), text);
        }
        for text in ["443", "udp", "0.0.0.0", "Media"] {
            assert!(TcpMedia::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
