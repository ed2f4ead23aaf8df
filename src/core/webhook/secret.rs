//! **The question:** how does a receiver know that it was this node, and that nothing was changed on the way? By an
//! HMAC with SHA-256 over id, time and body (Standard Webhooks 1.0.0, "Signature scheme").

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::base::limits;

/// How a secret's text begins.
const PREFIX: &str = "whsec_";

/// What messages are signed by; overwritten when the last clone goes, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Arc<Zeroizing<Vec<u8>>>);

/// Why a text is no secret; repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a webhook's secret is whsec_ and the base64 of {} to {} bytes, such as \
     `echo whsec_$(openssl rand -base64 32)` makes",
    limits::WEBHOOK_SECRET_LEN_MIN,
    limits::WEBHOOK_SECRET_LEN_MAX
)]
pub struct SecretError;

impl FromStr for SigningSecret {
    type Err = SecretError;

    /// White space around it is a file's.
    fn from_str(text: &str) -> Result<Self, SecretError> {
        let coded = text.trim().strip_prefix(PREFIX).ok_or(SecretError)?;
        if coded.len() > limits::WEBHOOK_SECRET_FILE_LEN_MAX {
            return Err(SecretError);
        }
        let bytes = Zeroizing::new(STANDARD.decode(coded).map_err(|_| SecretError)?);
        let fits = (limits::WEBHOOK_SECRET_LEN_MIN..=limits::WEBHOOK_SECRET_LEN_MAX).contains(&bytes.len());
        if fits { Ok(Self(Arc::new(bytes))) } else { Err(SecretError) }
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// The header `webhook-signature`: one signature by each secret, so that a receiver that knows any of them is content.
#[must_use]
pub fn signatures(secrets: &[SigningSecret], id: &str, unix_seconds: u64, body: &str) -> String {
    let signed = format!("{id}.{unix_seconds}.{body}");
    let one = |secret: &SigningSecret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret.0);
        format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the specification's reference libraries, whose tests all have it.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn a_message_is_signed_as_the_specification_has_it() {
        let secret: SigningSecret = SECRET.parse().unwrap();
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signatures(std::slice::from_ref(&secret), id, at, body), SIGNATURE);
        let other = format!("whsec_{}", STANDARD.encode([7; 32])).parse().unwrap();
        let both = signatures(&[other, secret], id, at, body);
        assert_eq!(both.split(' ').count(), 2, "by each, while one follows the other");
        assert_eq!(both.split(' ').nth(1), Some(SIGNATURE));
    }

    #[test]
    fn what_might_be_guessed_is_no_secret_and_no_error_repeats_it() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for (text, fits) in [(of(23), false), (of(24), true), (of(64), true), (of(65), false)] {
            assert_eq!(text.parse::<SigningSecret>().is_ok(), fits, "{text}");
        }
        for text in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64, and long enough to be one"] {
            let told = text.parse::<SigningSecret>().unwrap_err().to_string();
            assert!(told.contains("openssl rand") && !told.contains("MfKQ") && !told.contains("long enough"), "{told}");
        }
        let secret: SigningSecret = format!("{SECRET}\n").parse().unwrap();
        assert!(!format!("{secret:?}").contains("MfKQ"));
    }
}
