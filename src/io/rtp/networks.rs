//! **The question:** in which networks may the other ends of legs be? Plain RTP proves nothing of who sends it, so a
//! leg could be made to send to anybody; nobody outside these is sent anything.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Networks as the operator writes them, `ADDRESS/BITS`. Unless written: this machine and private networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct LegNetworks(Arc<[IpNet]>);

/// Why a text names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no network; write ADDRESS/BITS, such as 192.168.0.0/16")]
pub struct NoNetwork(String);

/// Loopback (RFC 1122, RFC 4291), private (RFC 1918) and unique local (RFC 4193) addresses.
const PRIVATE: [&str; 6] = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];

impl LegNetworks {
    /// Whether an address lies in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Default for LegNetworks {
    fn default() -> Self {
        Self(PRIVATE.iter().map(|text| text.parse().expect("each is a network")).collect())
    }
}

impl TryFrom<Vec<String>> for LegNetworks {
    type Error = NoNetwork;

    fn try_from(written: Vec<String>) -> Result<Self, NoNetwork> {
        written.into_iter().map(|text| text.parse().map_err(|_| NoNetwork(text))).collect::<Result<_, _>>().map(Self)
    }
}

impl From<LegNetworks> for Vec<String> {
    fn from(networks: LegNetworks) -> Self {
        networks.0.iter().map(ToString::to_string).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_and_private_networks_unless_others_are_written() {
        let contain = |networks: &LegNetworks, text: &str| networks.contain(text.parse().unwrap());
        let usual = LegNetworks::default();
        for inside in ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.7.7", "::1", "fd00::1", "::ffff:10.0.0.1"] {
            assert!(contain(&usual, inside), "{inside}");
        }
        for outside in ["192.0.2.1", "172.32.0.1", "2001:db8::1", "::ffff:192.0.2.1"] {
            assert!(!contain(&usual, outside), "{outside}");
        }
        let own = LegNetworks::try_from(vec!["192.0.2.0/24".to_owned()]).unwrap();
        assert!(contain(&own, "192.0.2.1") && !contain(&own, "127.0.0.1"));
        assert_eq!(Vec::from(own), ["192.0.2.0/24"]);
        let wrong = LegNetworks::try_from(vec!["here".to_owned()]).unwrap_err();
        assert!(wrong.to_string().contains("here") && wrong.to_string().contains("/16"));
    }
}
