//! **The question:** what outlives the process? The account at the issuer, and the newest certificate with its key,
//! each in one file that its owner alone can read, so that a restart asks the issuer for nothing.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::base::limits;
use crate::core::certificate::Validity;
use crate::io::acme::certificates::{CertificateError, certified, validity};

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";

/// A certificate that can be shown.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) certificate: CertifiedKey,
    pub(super) validity: Validity,
}

/// Where account and certificate lie.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    /// The first line of the certificate's file: what it was asked for, and of whom.
    head: String,
}

impl Folder {
    /// Makes it, if need be; what lies there was asked of this issuer for these names, or is not used.
    pub(super) fn open(path: &Path, directory: &str, domains: &[String]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        // Whether it can be written is to be known before an issuer is asked.
        let probe = path.join(".probe");
        write(&probe, b"")?;
        std::fs::remove_file(&probe)?;
        Ok(Self { path: path.to_owned(), head: format!("# {directory} for {}", domains.join(" ")) })
    }

    /// The account, if there is one.
    pub(super) fn account(&self) -> Option<AccountCredentials> {
        let text = read(&self.path.join(ACCOUNT)).ok()?;
        let account = serde_json::from_str(&text);
        if let Err(error) = &account {
            tracing::warn!(%error, file = %self.path.join(ACCOUNT).display(), "not an account: another is made");
        }
        account.ok()
    }

    /// Keeps an account.
    pub(super) fn keep_account(&self, account: &AccountCredentials) -> io::Result<()> {
        let text = serde_json::to_vec(account).map_err(io::Error::other)?;
        self.replace(ACCOUNT, &text)
    }

    /// The issuer knows it no longer.
    pub(super) fn forget_account(&self) {
        let _ = std::fs::remove_file(self.path.join(ACCOUNT));
    }

    /// The certificate, if there is one of this issuer for these names.
    pub(super) fn certificate(&self) -> Option<Kept> {
        let file = self.path.join(CERTIFICATE);
        let text = read(&file).ok()?;
        let (head, pem) = text.split_once('\n')?;
        if head != self.head {
            tracing::info!(file = %file.display(), "the certificate here is for other names, or of another issuer");
            return None;
        }
        let kept = parse(pem);
        if let Err(error) = &kept {
            tracing::warn!(%error, file = %file.display(), "the certificate here cannot be used: another is got");
        }
        kept.ok()
    }

    /// Keeps a certificate and its key, both PEM.
    pub(super) fn keep_certificate(&self, key: &str, chain: &str) -> io::Result<()> {
        self.replace(CERTIFICATE, format!("{}\n{}\n{}", self.head, key.trim_end(), chain).as_bytes())
    }

    /// The whole file or the one before, whatever happens meanwhile.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let aside = self.path.join(format!(".{name}.new"));
        write(&aside, bytes)?;
        std::fs::rename(&aside, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }
}

/// A key and its chain, leaf first, both PEM.
pub(super) fn parse(pem: &str) -> Result<Kept, CertificateError> {
    let unreadable =
        || CertificateError::Unusable(rustls::Error::General("it is no PEM of a key and its chain".into()));
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unreadable())?;
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| unreadable())?;
    let validity = validity(chain.first().ok_or_else(unreadable)?)?;
    Ok(Kept { certificate: certified(chain, key)?, validity })
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(limits::ACME_ANSWER_LEN_MAX as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // One that was left behind may have another mode.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_its_owners_alone_and_used_for_what_it_was_got_for() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("acme");
        let names = ["a.example".to_owned()];
        let folder = Folder::open(&path, "https://issuer.example/dir", &names).unwrap();
        assert!(folder.certificate().is_none() && folder.account().is_none());
        let made = rcgen::generate_simple_self_signed(names.clone()).unwrap();
        folder.keep_certificate(&made.signing_key.serialize_pem(), &made.cert.pem()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&path.join(CERTIFICATE))), (0o700, 0o600));
        let kept = folder.certificate().expect("it was kept");
        assert_eq!(kept.certificate.cert[0], *made.cert.der());
        for (directory, names) in [
            ("https://other.example/dir", &names[..]),
            ("https://issuer.example/dir", &["a.example".to_owned(), "b.example".to_owned()]),
        ] {
            assert!(Folder::open(&path, directory, names).unwrap().certificate().is_none());
        }
        std::fs::write(path.join(CERTIFICATE), format!("{}\nbroken", folder.head)).unwrap();
        assert!(folder.certificate().is_none(), "what is broken is as if it were not there");
        std::fs::write(path.join(ACCOUNT), "{}").unwrap();
        assert!(folder.account().is_none());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let [one, other] = [(); 2].map(|()| rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap());
        assert!(parse(&format!("{}{}", one.signing_key.serialize_pem(), other.cert.pem())).is_err());
        assert!(parse(&one.cert.pem()).is_err() && parse(&one.signing_key.serialize_pem()).is_err());
    }
}
