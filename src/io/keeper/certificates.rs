//! **The question:** how do three keepers and a node come by certificates? A small authority, made once, on the
//! operator's own machine.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::io::keeper::identity::{KEEPER_NAME, NODE_NAME};

const YEARS: i32 = 10;
const SECONDS_A_YEAR: u64 = 31_556_952;

/// Why certificates could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is there already, or the disk refuses.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// A host's name is none.
    #[error("{host} cannot stand in a certificate: {why}")]
    Host {
        /// As it was typed.
        host: String,
        /// What is wrong.
        why: String,
    },
}

/// Makes an authority and, in folders of their own below `out`, `ca.pem`, `cert.pem` and `key.pem` of a node (`node/`)
/// and of one keeper for each host (`keeper-1/`, …). Good for ten years. The folders, in that order.
///
/// # Errors
/// When a host has no valid name, anything is there already, or the disk refuses.
pub fn make_certificates(out: &Path, hosts: &[String]) -> Result<Vec<PathBuf>, CertificateError> {
    let params = authority();
    let authority_key = KeyPair::generate().map_err(|why| bad("the authority", &why))?;
    let authority = CertifiedIssuer::self_signed(params, authority_key).map_err(|why| bad("the authority", &why))?;
    let mut folders = Vec::new();
    let keepers =
        hosts.iter().enumerate().map(|(n, host)| (format!("keeper-{}", n + 1), vec![host.as_str(), KEEPER_NAME]));
    for (name, names) in [("node".to_owned(), vec![NODE_NAME])].into_iter().chain(keepers) {
        let params = leaf(&name, &names)?;
        let key = KeyPair::generate().map_err(|why| bad(&name, &why))?;
        let certificate = params.signed_by(&key, &authority).map_err(|why| bad(&name, &why))?;
        let folder = out.join(&name);
        make_folder(&folder)?;
        write(&folder.join("ca.pem"), &authority.pem())?;
        write(&folder.join("cert.pem"), &certificate.pem())?;
        write(&folder.join("key.pem"), &key.serialize_pem())?;
        folders.push(folder);
    }
    write(&out.join("ca.key.pem"), &authority.key().serialize_pem())?;
    write(&out.join("ca.pem"), &authority.pem())?;
    Ok(folders)
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "tessera keepers");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    date(&mut params);
    params
}

fn leaf(name: &str, names: &[&str]) -> Result<CertificateParams, CertificateError> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names.clone()).map_err(|why| bad(&names[0], &why))?;
    params.distinguished_name.push(DnType::CommonName, format!("tessera {name}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // A keeper asks other keepers for the time; a node never answers.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if names.iter().any(|name| name == KEEPER_NAME) {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    date(&mut params);
    Ok(params)
}

// From long ago: a machine whose clock is set back is to be refused by the keepers' time, not for its certificate's
// sake.
fn date(params: &mut CertificateParams) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let year = 1970 + i32::try_from(since / SECONDS_A_YEAR).expect("a year of four digits");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year + YEARS, 1, 1);
}

fn bad(host: &str, why: &rcgen::Error) -> CertificateError {
    CertificateError::Host { host: host.to_owned(), why: why.to_string() }
}

fn make_folder(folder: &Path) -> Result<(), CertificateError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| CertificateError::File { path: folder.to_owned(), source })
}

fn write(path: &Path, text: &str) -> Result<(), CertificateError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;
    use crate::io::keeper::identity::{Identity, IdentityFiles, Role};

    #[test]
    fn what_is_made_can_be_used_and_says_whose_it_is() {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("pki");
        let hosts = ["127.0.0.1", "keeper-b.example"].map(String::from);
        let folders = make_certificates(&out, &hosts).unwrap();
        let roles = folders.iter().map(|folder| {
            let files = IdentityFiles::in_folder(folder);
            Identity::load(&files).unwrap();
            Role::of(&CertificateDer::from_pem_file(&files.cert).unwrap())
        });
        assert_eq!(roles.collect::<Vec<_>>(), [Some(Role::Node), Some(Role::Keeper), Some(Role::Keeper)]);
        assert_eq!(Role::of(&CertificateDer::from_pem_file(out.join("ca.pem")).unwrap()), None);
        assert!(make_certificates(&out, &hosts).is_err(), "nothing is overwritten");
        let mut mixed = IdentityFiles::in_folder(&folders[0]);
        mixed.key = folders[1].join("key.pem");
        assert!(Identity::load(&mixed).is_err(), "another's key");
        mixed.key = out.join("nowhere");
        assert!(Identity::load(&mixed).unwrap_err().to_string().contains("nowhere"));
        assert!(make_certificates(&home.path().join("other"), &["ä".to_owned()]).is_err());
    }
}
