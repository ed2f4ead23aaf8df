//! **The question:** is an address everybody's? What is not is this machine, a network behind it, or nobody (IANA's
//! special-purpose address registries, RFC 6890). Names are resolved here alone, so that what was looked at is what is
//! connected to: asking twice would let a name lead elsewhere the second time.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name that leads only to where nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it leads to an address that is not public")]
pub struct NotPublic;

/// Whether an address is of this machine, of a network behind it, or of nobody.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        // This network, private, loopback, link-local with clouds' metadata, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, ..) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Carriers' own (RFC 6598), protocols' own, documentation, benchmarks, the former 6to4 anycast.
        (100, 64..=127, _) | (192, 0, 0 | 2) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        (192, 88, 99) => true,
        _ => false,
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address that they hold.
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => embedded(g, h),
        (0x2002, _) => embedded(b, c),
        // Of 2001::/23 protocols' own, Teredo among them, and documentation.
        (0x2001, 0..=0x1ff | 0xdb8) | (0x3fff, 0..=0xfff) => true,
        // Global unicast; all else is nobody's, or not everybody's.
        (0x2000..=0x3fff, _) => false,
        _ => true,
    }
}

/// Resolves names to addresses that may be gone to, and to no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver {
    /// Everywhere.
    pub(super) allow_private: bool,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let allowed = resolve((name.as_str(), 0), allow_private).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a host that may be gone to; nobody asks for them a second time.
///
/// # Errors
/// [`NotPublic`] where none of them may be; the system's where the name leads nowhere.
pub async fn resolve(host: (&str, u16), allow_private: bool) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    allowed(tokio::net::lookup_host(host).await?, allow_private)
}

/// Those of a name's addresses that may be gone to.
fn allowed(
    found: impl Iterator<Item = SocketAddr>,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    let allowed: Vec<SocketAddr> = found.filter(|found| allow_private || !is_private(found.ip())).collect();
    if allowed.is_empty() { Err(NotPublic.into()) } else { Ok(allowed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_everybodys_is_refused_in_every_form() {
        let refused = "0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 127.255.0.9 169.254.169.254 172.16.0.1 172.31.9.9 \
            192.0.0.8 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 \
            255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 fe80::1 fec0::1 \
            fc00::1 fd00:ec2::254 ff02::1 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1 100::1 2002:7f00:1:: \
            2002:a9fe:a9fe::1 2001::1 2001:db8::1 3fff::1 4000::1 5f00::1";
        for text in refused.split_ascii_whitespace() {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        let taken = "1.1.1.1 8.8.8.8 100.63.0.1 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 223.255.255.1 \
            2606:4700::1111 2a00:1450:4001::1 64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8 2001:4860::8888";
        for text in taken.split_ascii_whitespace() {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_name_that_leads_to_both_is_gone_to_where_one_may() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let both = [address("127.0.0.1"), address("1.1.1.1"), address("::1")];
        assert_eq!(allowed(both.into_iter(), false).unwrap(), [address("1.1.1.1")]);
        assert_eq!(allowed(both.into_iter(), true).unwrap(), both);
        let refused = allowed([both[0], both[2]].into_iter(), false).unwrap_err();
        assert!(refused.is::<NotPublic>());
    }
}
