//! **The question:** how does this node ask another server, and what went wrong on the way?

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};

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
        if first.is::<NotPublic>() { Self::NotPublic } else { Self::Unreachable(first.to_string()) }
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
        Some(pem) => builder.tls_certs_only(Certificate::from_pem_bundle(pem).map_err(why)?),
        None => builder,
    };
    builder.build().map_err(why)
}

/// The first cause.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}
