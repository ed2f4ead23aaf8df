//! **The question:** is the certificate that a client shows the one of which its offer told (RFC 8122 section 5)? By
//! SHA-256 and SHA-1 str0m compares; what an offer tells by another hash alone is compared here.

use openssl::hash::{MessageDigest, hash};

use crate::io::webrtc::sdp::Description;

/// A hash by its name in SDP, and how to compute it; `None`: str0m does.
type Hash = (&'static str, Option<fn() -> MessageDigest>);

/// The preferred first. MD5 and MD2 must not be used (RFC 8122 section 5).
const HASHES: [Hash; 5] = [
    ("sha-256", None),
    ("sha-512", Some(MessageDigest::sha512)),
    ("sha-384", Some(MessageDigest::sha384)),
    ("sha-224", Some(MessageDigest::sha224)),
    ("sha-1", None),
];

/// What a certificate's hash has to be, where str0m does not see to it.
#[derive(Debug)]
pub(super) struct Expected {
    digest: fn() -> MessageDigest,
    bytes: Vec<u8>,
}

impl Expected {
    /// Of an offer; `None` where str0m compares, or nothing can.
    pub(super) fn of(offer: &str) -> Option<Self> {
        let description = Description::read(offer).ok()?;
        let ((_, digest), text) = best(&description)?;
        let bytes = text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().ok()?;
        digest.map(|digest| Self { digest, bytes })
    }

    /// Whether it is this certificate's (DER).
    pub(super) fn is_of(&self, certificate: &[u8]) -> bool {
        hash((self.digest)(), certificate).is_ok_and(|found| *found == *self.bytes)
    }
}

/// The hash by which an offer's certificate is checked, and its text; `None`: it tells none that can be.
pub(super) fn told<'a>(description: &Description<'a>) -> Option<(&'static str, &'a str)> {
    best(description).map(|((name, _), text)| (name, text))
}

fn best<'a>(description: &Description<'a>) -> Option<(Hash, &'a str)> {
    HASHES.iter().find_map(|wanted| {
        let mut all = description.anywhere("fingerprint").filter_map(|value| value.split_once(' '));
        let (_, text) = all.find(|(name, _)| name.eq_ignore_ascii_case(wanted.0))?;
        Some((*wanted, text.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_compared_by_the_hash_that_the_offer_tells() {
        for (name, digest) in HASHES.iter().filter_map(|(name, digest)| digest.map(|digest| (name, digest))) {
            let bytes: Vec<String> =
                hash(digest(), b"certificate").unwrap().iter().map(|b| format!("{b:02X}")).collect();
            let line = format!("a=fingerprint:{} {}\r\n", name.to_uppercase(), bytes.join(":"));
            let expected = Expected::of(&format!("v=0\r\n{line}")).unwrap();
            assert!(expected.is_of(b"certificate") && !expected.is_of(b"another"), "{name}");
            assert!(Expected::of(&format!("v=0\r\na=fingerprint:sha-256 01\r\n{line}")).is_none(), "str0m compares");
            let cut = Expected::of(&format!("v=0\r\na=fingerprint:{name} {}\r\n", bytes[..4].join(":"))).unwrap();
            assert!(!cut.is_of(b"certificate"), "the beginning alone");
        }
    }

    #[test]
    fn what_cannot_be_computed_is_nothing() {
        for line in ["", "a=fingerprint:md5 01:02\r\n", "a=fingerprint:sha-512 zz\r\n", "a=fingerprint:sha-512\r\n"] {
            assert!(Expected::of(&format!("v=0\r\n{line}")).is_none(), "{line}");
        }
    }
}
