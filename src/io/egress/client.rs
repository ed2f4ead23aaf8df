//! **The question:** how does this node ask another server, and what went wrong on the way?

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};
use rustls::CertificateError;

use crate::io::egress::addresses::{NotPublic, Resolver};

/// Why a server was not reached, in words that hold no URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It is somewhere where nothing is sent.
    NotPublic,
    /// It is not there, or not who it says.
    Unreachable(String),
}

impl Trouble {
    /// What went wrong on the way. The outer reasons repeat the URL, which holds secrets.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let first = innermost(error);
        if first.is::<NotPublic>() {
            return Self::NotPublic;
        }
        Self::Unreachable(tls_reason(error).map_or_else(|| first.to_string(), str::to_owned))
    }
}

/// A client that goes to addresses that are everybody's, and to others only where that is allowed. It goes by no proxy,
/// which would resolve by itself, and follows nothing unasked.
///
/// # Errors
/// When the system's certificates cannot be read; says why.
pub fn client(allow_private: bool, connect_span: Duration) -> Result<Client, String> {
    // A process has one TLS provider; when another was chosen before, that one serves as well.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let resolver = Arc::new(Resolver { allow_private });
    let builder = Client::builder().redirect(Policy::none()).no_proxy().dns_resolver(resolver);
    builder.connect_timeout(connect_span).build().map_err(|error| innermost(&error).to_string())
}

/// What TLS has against a server, where it is that: its own words repeat names that stand in the certificate, which the
/// other side has written.
#[must_use]
pub fn tls_reason(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        // What an I/O error wraps is not its source, but of its source's making.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        let wrapped = wrapped.map(|error| error as &(dyn Error + 'static));
        if let Some(tls) = error.downcast_ref().or_else(|| wrapped?.downcast_ref::<rustls::Error>()) {
            return Some(match tls {
                rustls::Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ) => "its certificate is for another name",
                rustls::Error::InvalidCertificate(
                    CertificateError::Expired | CertificateError::ExpiredContext { .. },
                ) => "its certificate has expired",
                rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                    "its certificate is of an issuer that this system does not know"
                }
                rustls::Error::InvalidCertificate(_) => "its certificate is not valid",
                _ => "its TLS does not work",
            });
        }
        cause = wrapped.map_or_else(|| error.source(), |wrapped| wrapped.source().or_else(|| error.source()));
    }
    None
}

/// A client for what the operator's own configuration names: it goes there wherever that is, by HTTPS alone, and trusts
/// the authorities in `ca` (PEM) alone where there are some, else the system's.
///
/// # Errors
/// When the system's certificates, or these, cannot be read; says why.
pub fn client_of_operator(ca: Option<&[u8]>, connect_span: Duration) -> Result<Client, String> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let why = |error: reqwest::Error| innermost(&error).to_string();
    let builder = Client::builder().redirect(Policy::none()).no_proxy().https_only(true).connect_timeout(connect_span);
    let builder = match ca {
        Some(pem) => {
            let authorities = Certificate::from_pem_bundle(pem).map_err(why)?;
            if authorities.is_empty() {
                return Err("it holds no certificate (PEM)".into());
            }
            builder.tls_certs_only(authorities)
        }
        None => builder,
    };
    builder.build().map_err(why)
}

/// How long a server wants to be left alone, as it says with a refusal. Seconds; a date, the other form (RFC 9110,
/// section 10.2.3), is as good as none: whoever asks has pauses of their own, which grow, and bounds what is said.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let told = headers.get(RETRY_AFTER)?.to_str().ok()?;
    told.trim().parse().ok().map(Duration::from_secs)
}

/// What an answer says, `len_max` bytes of it at most, and whether that is all.
///
/// # Errors
/// When it breaks off.
pub async fn body(response: &mut Response, len_max: usize) -> Result<(Vec<u8>, bool), reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > len_max {
            bytes.truncate(len_max);
            return Ok((bytes, false));
        }
    }
    Ok((bytes, true))
}

/// The first cause.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_left_alone_for_as_many_seconds_as_it_says() {
        let told = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, reqwest::header::HeaderValue::from_static(value))]))
        };
        assert_eq!((told("120"), told(" 0 ")), (Some(Duration::from_secs(120)), Some(Duration::ZERO)));
        for none in ["", "-1", "1.5", "Fri, 31 Dec 2026 23:59:59 GMT", "99999999999999999999"] {
            assert_eq!(told(none), None, "{none}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
