//! **The question:** how does the door come by a certificate of an issuer, and keep a good one? Floor 4: ACME (RFC
//! 8555) by the crate `instant-acme`, and the issuer's look at the door itself (TLS-ALPN-01, RFC 8737), so that no
//! other port is needed. When the next one is asked for is the business of `core/certificate`.
//!
//! Doors: [`Acme`] (has what is kept, gets the next one), [`Certificates`] (what the door shows), [`validity`],
//! [`unfit`] (what is wrong with one of the operator's).

mod certificates;
mod client;
mod fitness;
mod folder;
mod keeping;
mod order;
mod setup;

pub use certificates::{CHALLENGE_PROTOCOL, CertificateError, Certificates, validity};
pub use fitness::{Purpose, Unfit, unfit};
pub use keeping::{Acme, AcmeError};
pub use setup::AcmeSetup;
