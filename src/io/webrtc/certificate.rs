//! **The question:** how does the node show that it is itself?

/// The node's DTLS certificate: one a process, shown to every peer.
#[derive(Debug, Clone)]
pub struct Certificate(pub(super) str0m::config::DtlsCert);

impl Certificate {
    /// Makes a fresh self-signed certificate; its fingerprint stands in every answer (RFC 8122).
    #[must_use]
    pub fn generate() -> Self {
        let provider = str0m::crypto::from_feature_flags();
        let made = provider.dtls_provider.generate_certificate();
        Self(made.expect("the aws-lc provider can make certificates"))
    }
}
