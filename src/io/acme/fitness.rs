//! **The question:** would whoever connects believe a certificate, as far as it says itself, and what is wrong if not?
//! Who signed it is not looked at: that is known by those who connect.

use std::fmt;
use std::path::Path;

use openssl::x509::{X509, X509ExtendedKeyUsage};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use crate::base::media::Wallclock;
use crate::core::record::utc_text;
use crate::io::acme::certificates::validity;

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To prove who is asked.
    Server,
    /// To prove who asks.
    Client,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server (serverAuth)",
            Self::Client => "client (clientAuth)",
        })
    }
}

/// What is wrong with a certificate, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is over.
    #[error("it was good until {0}; put a new one there")]
    Over(String),
    /// It is not good yet.
    #[error(
        "it is good from {0} on, which has not come; look at this machine's clock, or put one there that is good now"
    )]
    Early(String),
    /// It is for something else.
    #[error("its extended key usage is not that of a {0}; put one there that was made for that")]
    Purpose(Purpose),
    /// It is another host's.
    #[error("it does not name {0}, by which this node is reached; put one there that does in its subjectAltName")]
    Name(String),
}

/// What is wrong with the first certificate of a PEM file that is shown for `purpose`, of `host` where that is known.
/// Nothing of one that cannot be read: whoever uses it says so.
#[must_use]
pub fn unfit(file: &Path, purpose: Purpose, host: Option<&str>, now: Wallclock) -> Vec<Unfit> {
    CertificateDer::from_pem_file(file).map(|read| faults(&read, purpose, host, now)).unwrap_or_default()
}

fn faults(read: &CertificateDer<'_>, purpose: Purpose, host: Option<&str>, now: Wallclock) -> Vec<Unfit> {
    let mut faults = Vec::new();
    if let Ok(validity) = validity(read) {
        if validity.to < now {
            faults.push(Unfit::Over(utc_text(validity.to)));
        }
        if validity.from > now {
            faults.push(Unfit::Early(utc_text(validity.from)));
        }
    }
    let wanted = match purpose {
        Purpose::Server => X509ExtendedKeyUsage::SSL_SERVER,
        Purpose::Client => X509ExtendedKeyUsage::SSL_CLIENT,
    };
    // One that names no usage is for any (RFC 5280, section 4.2.1.12).
    let usage = X509::from_der(read).ok().and_then(|read| read.extended_key_usage());
    if usage.is_some_and(|usage| !usage.contains(wanted)) {
        faults.push(Unfit::Purpose(purpose));
    }
    // As rustls judges it, by which nodes ask each other: the common name counts for nothing.
    let named = host.and_then(|host| Some((host, ServerName::try_from(host).ok()?)));
    if let (Some((host, name)), Ok(parsed)) = (named, ParsedCertificate::try_from(read))
        && verify_server_name(&parsed, &name).is_err()
    {
        faults.push(Unfit::Name(host.to_owned()));
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

    use super::*;
    use crate::base::media::NANOS_PER_SECOND;

    /// Noon of 2026-11-28.
    const NOW: Wallclock = Wallclock(1_795_867_200 * NANOS_PER_SECOND);

    /// What is wrong with one that has these names and usages and is good from and until the year's first day.
    fn found(
        names: &[&str],
        usages: &[ExtendedKeyUsagePurpose],
        years: [i32; 2],
        asked: (Purpose, &str),
    ) -> Vec<Unfit> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = usages.to_vec();
        (params.not_before, params.not_after) = (date_time_ymd(years[0], 1, 1), date_time_ymd(years[1], 1, 1));
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cert.pem");
        fs::write(&file, made.pem()).unwrap();
        unfit(&file, asked.0, Some(asked.1), NOW)
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_found_before_anybody_connects() {
        use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        const GOOD: [i32; 2] = [2026, 2027];
        let server = (Purpose::Server, "node-1.example");
        let name = || Unfit::Name("node-1.example".into());
        assert_eq!(found(&["node-1.example"], &[], GOOD, server), [], "without usages it is for any");
        let star = (Purpose::Server, "node-1.calls.example");
        assert_eq!(found(&["*.calls.example"], &[ServerAuth, ClientAuth], GOOD, star), []);
        assert_eq!(found(&["10.0.0.1", "::1"], &[ServerAuth], GOOD, (Purpose::Server, "::1")), []);
        assert_eq!(found(&["node-1.example"], &[ClientAuth], GOOD, server), [Unfit::Purpose(Purpose::Server)]);
        let client = (Purpose::Client, "node-1.example");
        assert_eq!(found(&["node-1.example"], &[ServerAuth], GOOD, client), [Unfit::Purpose(Purpose::Client)]);
        assert_eq!(found(&["node-2.example"], &[ServerAuth], GOOD, server), [name()]);
        assert_eq!(found(&["10.0.0.1"], &[], GOOD, (Purpose::Server, "10.0.0.2")), [Unfit::Name("10.0.0.2".into())]);
        let over = Unfit::Over("2026-01-01T00:00:00Z".into());
        assert_eq!(found(&["node-1.example"], &[], [2020, 2026], server), [over]);
        let early = Unfit::Early("2027-01-01T00:00:00Z".into());
        assert_eq!(
            found(&["x.example"], &[ClientAuth], [2027, 2028], server),
            [early, Unfit::Purpose(Purpose::Server), name()]
        );
    }

    #[test]
    fn what_is_no_certificate_is_left_to_whoever_uses_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cert.pem");
        assert_eq!(unfit(&file, Purpose::Server, None, NOW), []);
        fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert_eq!(unfit(&file, Purpose::Server, Some("a.example"), NOW), []);
    }
}
