//! **The question:** which certificate is shown to whom? To whoever comes the newest there is, and to an issuer that
//! looks whether a name is ours the proof of that (TLS-ALPN-01, RFC 8737).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::certificate::Validity;

/// The protocol by which an issuer looks (RFC 8737, section 6.2).
pub const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// It could not be made.
    #[error("cannot make a certificate: {0}")]
    Made(#[from] rcgen::Error),
    /// It cannot be read, or is another key's.
    #[error("cannot use the certificate: {0}")]
    Unusable(#[from] rustls::Error),
    /// It does not say until when it is good.
    #[error("cannot use the certificate: its dates cannot be read")]
    Dates,
}

/// What the door shows; it changes while the door is open.
pub struct Certificates {
    shown: RwLock<Arc<CertifiedKey>>,
    /// By name, while an issuer may look.
    proofs: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

impl Certificates {
    /// Shows this one.
    #[must_use]
    pub fn new(shown: CertifiedKey) -> Self {
        Self { shown: RwLock::new(Arc::new(shown)), proofs: RwLock::default() }
    }

    /// Shows another one from now on; connections that stand are not touched.
    pub(super) fn show(&self, certificate: CertifiedKey) {
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
    }

    /// Proves to the issuer that `name` is ours.
    pub(super) fn prove(&self, name: &str, digest: &[u8; 32]) -> Result<(), CertificateError> {
        let proof = Arc::new(proof(name, digest)?);
        self.proofs.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_ascii_lowercase(), proof);
        Ok(())
    }

    /// No issuer looks any more.
    pub(super) fn prove_nothing(&self) {
        self.proofs.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn choose(&self, name: Option<&str>, is_challenge: bool) -> Option<Arc<CertifiedKey>> {
        if !is_challenge {
            return Some(self.shown.read().unwrap_or_else(PoisonError::into_inner).clone());
        }
        let name = name?.to_ascii_lowercase();
        self.proofs.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // An issuer offers this protocol and no other (RFC 8737, section 3).
        let is_challenge = hello
            .alpn()
            .is_some_and(|mut offered| offered.next() == Some(CHALLENGE_PROTOCOL) && offered.next().is_none());
        self.choose(hello.server_name(), is_challenge)
    }
}

/// From DER, and its key.
pub(super) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, CertificateError> {
    Ok(CertifiedKey::from_der(chain, key, &rustls::crypto::aws_lc_rs::default_provider())?)
}

/// One of our own for these names, until an issuer's first one comes.
pub(super) fn stand_in(names: &[String]) -> Result<CertifiedKey, CertificateError> {
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    certified(vec![made.cert.der().clone()], key.into())
}

/// What an issuer wants to see (RFC 8737, section 3): the name alone, and the digest in a critical extension.
fn proof(name: &str, digest: &[u8; 32]) -> Result<CertifiedKey, CertificateError> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let key = rustls::crypto::aws_lc_rs::default_provider().key_provider.load_private_key(key)?;
    // Whether key and certificate match is not looked at: rustls reads no certificate with a critical extension that it
    // does not know, as this one has to have.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// From when and until when a certificate is good.
///
/// # Errors
/// When it does not say so, or it is none.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, CertificateError> {
    let read = || {
        let (certificate, epoch) = (X509::from_der(certificate).ok()?, Asn1Time::from_unix(0).ok()?);
        let at = |time: &Asn1TimeRef| {
            let since = epoch.diff(time).ok()?;
            let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
            // Before 1970 is long ago.
            Some(Wallclock(u64::try_from(seconds).unwrap_or(0).saturating_mul(NANOS_PER_SECOND)))
        };
        Some(Validity { from: at(certificate.not_before())?, to: at(certificate.not_after())? })
    };
    read().ok_or(CertificateError::Dates)
}

#[cfg(test)]
mod tests {
    use rcgen::date_time_ymd;

    use super::*;

    #[test]
    fn whoever_looks_for_a_proof_sees_it_and_all_others_the_certificate() {
        let certificates = Certificates::new(stand_in(&["a.example".into()]).unwrap());
        let shown = certificates.choose(Some("a.example"), false).unwrap();
        assert!(certificates.choose(Some("a.example"), true).is_none(), "nobody was asked to look");
        certificates.prove("A.example", &[7; 32]).unwrap();
        let proof = certificates.choose(Some("a.EXAMPLE"), true).unwrap();
        assert!(!Arc::ptr_eq(&proof, &shown));
        assert!(certificates.choose(Some("b.example"), true).is_none() && certificates.choose(None, true).is_none());
        assert!(Arc::ptr_eq(&certificates.choose(None, false).unwrap(), &shown));
        certificates.show(stand_in(&["a.example".into()]).unwrap());
        assert!(!Arc::ptr_eq(&certificates.choose(None, false).unwrap(), &shown));
        certificates.prove_nothing();
        assert!(certificates.choose(Some("a.example"), true).is_none());
    }

    #[test]
    fn a_certificate_says_until_when_it_is_good() {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2026, 11, 27), date_time_ymd(2051, 1, 2));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let validity = validity(certificate.der()).unwrap();
        assert_eq!((validity.from.unix_seconds(), validity.to.unix_seconds()), (1_795_737_600, 2_556_230_400));
        assert!(super::validity(&CertificateDer::from(vec![1, 2, 3])).is_err());
    }
}
