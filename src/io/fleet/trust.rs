//! **The question:** how does one node of a fleet know another, and what does it give people who come from there? By a
//! secret that all nodes share and never send: each request is signed with a key made from it, and so is what lets
//! somebody in whose room moved.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;

use crate::base::hex::{from_hex, hex};
use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::access::{Claims, Role};
use crate::core::fleet::Label;
use crate::io::tokens::{AccessKey, Algorithm, KeyError, SigningKey};

/// How the key is called by which passes are signed.
const PASS_KEY: &str = "tessera-fleet";

/// What nodes of one fleet know each other by; clones are the same.
#[derive(Clone)]
pub struct Trust {
    key: Arc<hmac::Key>,
    passes: Arc<SigningKey>,
    reads: AccessKey,
}

/// What a secret is too short for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret that nodes share has {} bytes or more; `openssl rand -hex 32 > FILE` makes one, the same on each node",
    limits::FLEET_SECRET_LEN_MIN
)]
pub struct ShortSecret;

impl Trust {
    /// By this secret.
    ///
    /// # Errors
    /// When somebody might guess it.
    pub fn new(secret: &[u8]) -> Result<Self, ShortSecret> {
        let secret = secret.trim_ascii();
        if secret.len() < limits::FLEET_SECRET_LEN_MIN {
            return Err(ShortSecret);
        }
        // One key for each purpose: what signs one opens nothing else.
        let whole = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let of = |purpose: &[u8]| hmac::sign(&whole, purpose);
        let key = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, of(b"tessera node to node").as_ref()));
        let pass = hex(of(b"tessera pass").as_ref());
        let id = || PASS_KEY.parse();
        let keys = || -> Result<_, KeyError> {
            let signs = SigningKey::read(id()?, Algorithm::Hs256, pass.as_bytes())?;
            Ok((signs, AccessKey::read(id()?, Algorithm::Hs256, pass.as_bytes())?))
        };
        let (passes, reads) = keys().map_err(|_| ShortSecret)?;
        Ok(Self { key, passes: Arc::new(passes), reads })
    }

    /// What a request with this body is signed with at `now`, seconds since 1970.
    #[must_use]
    pub fn sign(&self, now: u64, body: &[u8]) -> String {
        format!("{now}.{}", hex(hmac::sign(&self.key, &signed(now, body)).as_ref()))
    }

    /// Whether a node of this fleet signed a request with this body a moment ago, by the clock here.
    #[must_use]
    pub fn is_signed(&self, now: u64, body: &[u8], signature: &str) -> bool {
        let Some((at, tag)) = signature.split_once('.') else { return false };
        let (Ok(at), Some(tag)) = (at.parse::<u64>(), from_hex(tag)) else { return false };
        now.abs_diff(at) <= limits::MOVE_CLOCKS_SPAN.as_secs()
            && hmac::verify(&self.key, &signed(at, body), &tag).is_ok()
    }

    /// What leads somebody to `node`, which relays `room`, at `now`, seconds since 1970.
    #[must_use]
    pub fn relay_pass(&self, now: u64, room: &RoomId, node: &Label) -> String {
        self.sign(now, &relayed(room, node))
    }

    /// Whether a node of this fleet sent somebody to `node` a moment ago because of `room`.
    #[must_use]
    pub fn is_relay_pass(&self, now: u64, room: &RoomId, node: &Label, pass: &str) -> bool {
        pass.len() <= limits::RELAY_PASS_LEN_MAX && self.is_signed(now, &relayed(room, node), pass)
    }

    /// What lets somebody into `room` at another node at `now`, seconds since 1970, in the role that they have.
    #[must_use]
    pub fn pass(&self, now: u64, room: &RoomId, role: Role) -> Option<String> {
        let exp = now + limits::MOVE_PASS_SPAN.as_secs();
        let (room, nbf, sub) = (Some(room.clone()), None, None);
        self.passes
            .sign(&Claims { room, role, exp, nbf, iat: Some(now), sub, name: None, jti: None, region: None })
            .ok()
    }

    /// What passes of other nodes are read by.
    #[must_use]
    pub fn pass_key(&self) -> AccessKey {
        self.reads.clone()
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust(…)")
    }
}

/// No request has such a body: those are JSON.
fn relayed(room: &RoomId, node: &Label) -> Vec<u8> {
    format!("relay {node} {room}").into_bytes()
}

fn signed(at: u64, body: &[u8]) -> Vec<u8> {
    [format!("{at}.").as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::access::TokenFault;
    use crate::io::tokens::Keyring;

    const NOW: u64 = 1_800_000_000;

    fn trust(secret: &str) -> Trust {
        Trust::new(secret.as_bytes()).unwrap()
    }

    #[test]
    fn nodes_with_the_same_secret_know_each_other_for_a_moment_and_no_others_do() {
        let (one, other) = (trust(&"a".repeat(32)), trust(&"b".repeat(32)));
        let signature = one.sign(NOW, b"body");
        let same = trust(&format!("{}\n", "a".repeat(32)));
        assert!(same.is_signed(NOW + 59, b"body", &signature) && same.is_signed(NOW - 59, b"body", &signature));
        assert!(!same.is_signed(NOW + 61, b"body", &signature), "later");
        assert!(!same.is_signed(NOW, b"other", &signature) && !other.is_signed(NOW, b"body", &signature));
        for bad in
            ["", ".", "1", &format!("{NOW}."), &format!("{}.{}", NOW + 1, &signature[11..]), "ä.ä", &signature[..70]]
        {
            assert!(!same.is_signed(NOW, b"body", bad), "{bad}");
        }
        assert!(Trust::new(b"too short").is_err());
        assert!(!format!("{one:?}").contains('a'.to_string().repeat(4).as_str()));
    }

    #[test]
    fn a_pass_to_a_relay_leads_there_alone_and_for_a_moment() {
        let (one, other) = (trust(&"a".repeat(32)), trust(&"b".repeat(32)));
        let (room, node): (RoomId, Label) = ("daily".parse().unwrap(), "node-1".parse().unwrap());
        let pass = one.relay_pass(NOW, &room, &node);
        assert!(one.is_relay_pass(NOW + 30, &room, &node, &pass));
        assert!(!one.is_relay_pass(NOW + 61, &room, &node, &pass) && !other.is_relay_pass(NOW, &room, &node, &pass));
        assert!(!one.is_relay_pass(NOW, &"other".parse().unwrap(), &node, &pass));
        assert!(!one.is_relay_pass(NOW, &room, &"node-2".parse().unwrap(), &pass));
        assert!(!one.is_relay_pass(NOW, &room, &node, &format!("{pass}{}", "0".repeat(128))));
        assert!(pass.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "it stands in a query as it is");
    }

    #[test]
    fn a_pass_opens_one_room_for_a_moment() {
        let (one, room) = (trust(&"a".repeat(32)), "daily".parse::<RoomId>().unwrap());
        let pass = one.pass(NOW, &room, Role::Host).unwrap();
        let keys = |trust: &Trust| Keyring::new(vec![trust.pass_key()], Duration::from_secs(3_600));
        let grant = keys(&one).read(&pass, NOW).unwrap();
        assert_eq!((grant.role, grant.room), (Role::Host, Some(room)));
        assert_eq!(keys(&one).read(&pass, NOW + 3_000), Err(TokenFault::Expired));
        assert_eq!(keys(&trust(&"b".repeat(32))).read(&pass, NOW), Err(TokenFault::Forged));
    }
}
