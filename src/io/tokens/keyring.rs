//! **The question:** which key does a token name, and did that key sign it?

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};

use crate::base::limits;
use crate::core::access::{BearerId, Claims, Grant, Scope, TokenFault};
use crate::io::tokens::key::{AccessKey, Algorithm};

/// For whom a token is that says so (RFC 7519 section 4.1.3): one that is for another service is none here.
const AUDIENCE: &str = "tessera";

/// The keys that tokens are read by, several at once while one takes another's place. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: Arc<[(AccessKey, Scope)]>,
    longest: Duration,
}

impl Keyring {
    /// These keys of the operator's, for tokens that live at most `longest`.
    #[must_use]
    pub fn new(keys: Vec<AccessKey>, longest: Duration) -> Self {
        Self::scoped(keys.into_iter().map(|key| (key, Scope::Node)).collect(), longest)
    }

    /// These keys, each with how far it reaches.
    #[must_use]
    pub fn scoped(keys: Vec<(AccessKey, Scope)>, longest: Duration) -> Self {
        Self { keys: keys.into(), longest }
    }

    /// Whether there is no key, and so no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// What a token gives leave to at `now`, seconds since 1970.
    ///
    /// # Errors
    /// [`TokenFault`] when it gives none.
    pub fn read(&self, token: &str, now: u64) -> Result<Grant, TokenFault> {
        if token.len() > limits::ACCESS_TOKEN_LEN_MAX {
            return Err(TokenFault::Unreadable);
        }
        // No algorithm of the name "none" is known to it: such a head cannot be read.
        let head = decode_header(token).map_err(|_| TokenFault::Unreadable)?;
        // What has to be understood and is not (RFC 7515 section 4.1.11).
        if head.crit.is_some() {
            return Err(TokenFault::Unreadable);
        }
        let named = self.keys.iter().find(|(key, _)| head.kid.as_deref() == Some(key.id().as_str()));
        let (key, scope) = named.ok_or(TokenFault::UnknownKey)?;
        let mut rules = Validation::new(signs_by(key.algorithm()));
        rules.set_audience(&[AUDIENCE]);
        // Times are judged with the claims, by the node's own clock.
        (rules.validate_exp, rules.validate_nbf) = (false, false);
        rules.required_spec_claims.clear();
        let read = decode::<Claims>(token, key.key(), &rules).map_err(|error| match error.kind() {
            // What it says cannot be understood, or is for another service.
            ErrorKind::Json(_) | ErrorKind::Base64(_) | ErrorKind::Utf8(_) | ErrorKind::InvalidAudience => {
                TokenFault::Unreadable
            }
            _ => TokenFault::Forged,
        })?;
        let bearer = bearer(&read.claims, scope, token);
        let grant = read.claims.grant(now, self.longest)?;
        if grant.room.as_ref().is_some_and(|room| !scope.covers(room)) {
            return Err(TokenFault::Outside);
        }
        Ok(Grant { scope: scope.clone(), bearer: Some(bearer), ..grant })
    }
}

/// Who shows a token: its subject, which another token of the same service may name too, or nobody but this token.
fn bearer(claims: &Claims, scope: &Scope, token: &str) -> BearerId {
    // Two services may mean two people by one subject.
    let service = format!("{scope:?}");
    let parts = match &claims.sub {
        Some(subject) => [service.as_str(), "\0", subject],
        None => [token, "", ""],
    };
    let mut hashed = digest::Context::new(&digest::SHA256);
    parts.into_iter().for_each(|part| hashed.update(part.as_bytes()));
    BearerId(hashed.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

pub(super) const fn signs_by(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::{hmac, signature};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::{Value, json};

    use super::*;
    use crate::core::access::Role;
    use crate::io::tokens::SigningKey;

    const NOW: u64 = 1_800_000_000;
    const SECRET: &[u8] = b"a secret of more than thirty-two bytes";
    const DAY: Duration = Duration::from_secs(86_400);
    const PRIVATE: &[u8] =
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                             -----END PRIVATE KEY-----\n";
    /// Of the first test of RFC 8032 section 7.1, as is the private one.
    const PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
                            -----END PUBLIC KEY-----\n";

    fn keyring() -> Keyring {
        let key = |id: &str, algorithm, bytes| AccessKey::read(id.parse().unwrap(), algorithm, bytes).unwrap();
        let keys = vec![
            key("ed", Algorithm::EdDsa, PUBLIC),
            key("hs", Algorithm::Hs256, SECRET),
            key("old", Algorithm::Hs256, b"another secret of thirty-two bytes!!"),
        ];
        Keyring::new(keys, DAY)
    }

    fn claims() -> Value {
        json!({ "room": "daily", "role": "speaker", "exp": NOW + 60, "iat": NOW })
    }

    fn message(head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(head), part(claims))
    }

    fn hs256(secret: &[u8], head: &Value, claims: &Value) -> String {
        let message = message(head, claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn by_hs(head: Value) -> Result<Role, TokenFault> {
        keyring().read(&hs256(SECRET, &head, &claims()), NOW).map(|grant| grant.role)
    }

    fn ed() -> String {
        let key = SigningKey::read("ed".parse().unwrap(), Algorithm::EdDsa, PRIVATE).unwrap();
        let claims: Claims = serde_json::from_value(claims()).unwrap();
        key.sign(&claims).unwrap()
    }

    #[test]
    fn each_key_reads_what_it_signed_and_nothing_that_others_did() {
        assert_eq!(by_hs(json!({ "alg": "HS256", "kid": "hs", "typ": "JWT" })), Ok(Role::Speaker));
        assert_eq!(keyring().read(&ed(), NOW).map(|grant| grant.role), Ok(Role::Speaker));
        assert_eq!(by_hs(json!({ "alg": "HS256", "kid": "old" })), Err(TokenFault::Forged));
        for kid in ["", "HS", "none", "../hs", "hs\u{0}"] {
            assert_eq!(by_hs(json!({ "alg": "HS256", "kid": kid })), Err(TokenFault::UnknownKey), "{kid:?}");
        }
        assert_eq!(by_hs(json!({ "alg": "HS256" })), Err(TokenFault::UnknownKey), "it names no key");
    }

    #[test]
    fn the_algorithm_is_the_keys_and_never_the_tokens() {
        // RFC 8725 section 2.1: the public key, which anyone may know, as the secret of an HMAC.
        for secret in [PUBLIC, &[][..]] {
            let token = hs256(secret, &json!({ "alg": "HS256", "kid": "ed" }), &claims());
            assert_eq!(keyring().read(&token, NOW), Err(TokenFault::Forged));
        }
        for alg in ["none", "None", "NONE", "nOnE", "", "HS1"] {
            for kid in ["hs", "ed"] {
                let message = message(&json!({ "alg": alg, "kid": kid }), &claims());
                for end in [".", "", ".AA"] {
                    assert_eq!(keyring().read(&format!("{message}{end}"), NOW), Err(TokenFault::Unreadable), "{alg}");
                }
            }
        }
        for alg in ["EdDSA", "HS384", "HS512", "RS256", "ES256"] {
            assert_eq!(by_hs(json!({ "alg": alg, "kid": "hs" })), Err(TokenFault::Forged), "{alg}");
        }
        let head = json!({ "alg": "HS256", "kid": "hs", "jwk": { "kty": "oct", "k": "AAAA" } });
        assert!(keyring().read(&hs256(&[0, 0, 0], &head, &claims()), NOW).is_err(), "it brings its own key");
        let crit = json!({ "alg": "HS256", "kid": "hs", "crit": ["b64"], "b64": false });
        assert_eq!(by_hs(crit), Err(TokenFault::Unreadable));
    }

    #[test]
    fn one_bit_that_was_turned_makes_a_token_none() {
        let token = ed();
        for n in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[n] = if bytes[n] == b'A' { b'Q' } else { b'A' };
            let turned = String::from_utf8(bytes).unwrap();
            assert!(turned == token || keyring().read(&turned, NOW).is_err(), "{n}");
        }
        let parts: Vec<&str> = token.split('.').collect();
        for other in [
            parts[..2].join("."),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{token}.{}", parts[2]),
            format!("{token}="),
            format!(" {token}"),
            String::new(),
            "..".into(),
            "a".repeat(limits::ACCESS_TOKEN_LEN_MAX + 1),
        ] {
            assert!(keyring().read(&other, NOW).is_err(), "{other}");
        }
    }

    #[test]
    fn a_token_says_for_whom_it_is_or_is_for_all() {
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            keyring().read(&hs256(SECRET, &json!({ "alg": "HS256", "kid": "hs" }), &claims), NOW).map(drop)
        };
        assert_eq!(with("aud", json!("tessera")), Ok(()));
        assert_eq!(with("aud", json!(["billing", "tessera"])), Ok(()));
        assert_eq!(with("aud", json!("billing")), Err(TokenFault::Unreadable));
        assert_eq!(with("exp", json!(NOW - 60)), Err(TokenFault::Expired));
        assert_eq!(with("nbf", json!(NOW + 60)), Err(TokenFault::NotYet));
        assert_eq!(with("exp", json!(NOW + 2 * 86_400)), Err(TokenFault::LongLived));
        assert_eq!(with("role", json!("root")), Err(TokenFault::Unreadable));
        assert_eq!(with("exp", json!("soon")), Err(TokenFault::Unreadable));
    }

    #[test]
    fn a_tenants_key_signs_for_its_own_rooms_alone() {
        let key = AccessKey::read("hs".parse().unwrap(), Algorithm::Hs256, SECRET).unwrap();
        let keyring = Keyring::scoped(vec![(key, Scope::of("acme".parse().unwrap()))], DAY);
        let read = |room: Option<&str>, sub: Option<&str>, exp: u64| {
            let mut claims = json!({ "role": "host", "exp": exp });
            room.iter().for_each(|room| claims["room"] = json!(room));
            sub.iter().for_each(|sub| claims["sub"] = json!(sub));
            keyring.read(&hs256(SECRET, &json!({ "alg": "HS256", "kid": "hs" }), &claims), NOW)
        };
        for room in [Some("acme~daily"), None] {
            assert_eq!(read(room, None, NOW + 60).unwrap().scope, Scope::of("acme".parse().unwrap()), "{room:?}");
        }
        for room in ["daily", "globex~daily", "acme", "acme~"] {
            assert_eq!(read(Some(room), None, NOW + 60), Err(TokenFault::Outside), "{room}");
        }
        let who = |sub, exp| read(None, sub, exp).unwrap().bearer.unwrap();
        assert_eq!(who(Some("ada"), NOW + 60), who(Some("ada"), NOW + 61), "another token of the same person");
        assert_ne!(who(Some("ada"), NOW + 60), who(Some("bob"), NOW + 60));
        assert_eq!(who(None, NOW + 60), who(None, NOW + 60), "the same token");
        assert_ne!(who(None, NOW + 60), who(None, NOW + 61));
        let of_node = self::keyring().read(&ed(), NOW).unwrap();
        assert_eq!(of_node.scope, Scope::Node);
    }

    #[test]
    fn a_public_key_of_the_standard_reads_what_its_private_one_signs() {
        let key = signature::UnparsedPublicKey::new(
            &signature::ED25519,
            &URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap(),
        )
        .verify(
            ed().rsplit_once('.').unwrap().0.as_bytes(),
            &URL_SAFE_NO_PAD.decode(ed().rsplit_once('.').unwrap().1).unwrap(),
        );
        assert!(key.is_ok());
    }
}
