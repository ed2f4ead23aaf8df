//! **The question:** how does this node ask another server, and what went wrong on the way?

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

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

/// The first cause.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}
