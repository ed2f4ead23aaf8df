//! **The question:** who is at the other end? Certificates of one authority of the operator's own, on both sides of
//! every line.
//!
//! A certificate says whether it is a node's or a keeper's by a name of its own beside those of its machine: a keeper
//! in a stranger's hands cannot pass for a node, and so cannot ask another keeper for more than the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// The name that a node's certificate has beside its others.
pub const NODE_NAME: &str = "node.tessera.internal";
/// The name that a keeper's certificate has beside those of its machine.
pub const KEEPER_NAME: &str = "keeper.tessera.internal";

/// Where a certificate and its key lie, all PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The authority's certificate: anyone who it signed is believed.
    pub ca: PathBuf,
    /// Its own certificate, and what leads from it to the authority.
    pub cert: PathBuf,
    /// Its own private key.
    pub key: PathBuf,
}

impl IdentityFiles {
    /// `ca.pem`, `cert.pem` and `key.pem` in one folder, as [`super::make_certificates`] lays them.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { ca: folder.join("ca.pem"), cert: folder.join("cert.pem"), key: folder.join("key.pem") }
    }
}

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is missing or is no PEM.
    #[error("cannot use {}: {why}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The certificate and its key do not go together, or TLS refuses them.
    #[error("cannot use {} with its key: {why}", cert.display())]
    Unusable {
        /// The certificate.
        cert: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Whose certificate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May ask for everything.
    Node,
    /// May ask for the time.
    Keeper,
}

impl Role {
    /// What a certificate that TLS has verified already says; `None` if it is neither's.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let named = |name| verify_server_name(&parsed, &ServerName::try_from(name).expect("a name")).is_ok();
        // One with both names is no node: the lesser right counts.
        match (named(KEEPER_NAME), named(NODE_NAME)) {
            (true, _) => Some(Self::Keeper),
            (false, true) => Some(Self::Node),
            (false, false) => None,
        }
    }
}

impl Role {
    /// Whose the first certificate of a PEM file says that it is, as [`Role::of`]; outer `None`: it holds none.
    #[must_use]
    pub fn in_file(file: &Path) -> Option<Option<Self>> {
        CertificateDer::from_pem_file(file).ok().as_ref().map(Self::of)
    }
}

/// A certificate with its key, ready for both ends of a line.
#[derive(Debug, Clone)]
pub struct Identity {
    /// As the one who is asked.
    pub server: Arc<ServerConfig>,
    /// As the one who asks.
    pub client: Arc<ClientConfig>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// When one is missing, is no PEM, or they do not go together.
    pub fn load(files: &IdentityFiles) -> Result<Self, IdentityError> {
        let unusable = |why: String| IdentityError::Unusable { cert: files.cert.clone(), why };
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.ca)? {
            roots.add(authority).map_err(|why| pem(&files.ca, &why))?;
        }
        let roots = Arc::new(roots);
        let chain = certificates(&files.cert)?;
        let key = || PrivateKeyDer::from_pem_file(&files.key).map_err(|why| pem(&files.key, &why));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
        let verifier = verifier.map_err(|why| unusable(why.to_string()))?;
        let server = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13]);
        let server = server.map_err(|why| unusable(why.to_string()))?.with_client_cert_verifier(verifier);
        let mut server = server.with_single_cert(chain.clone(), key()?).map_err(|why| unusable(why.to_string()))?;
        // Nothing is resumed: every line shows its certificates.
        server.send_tls13_tickets = 0;
        let client = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]);
        let client = client.map_err(|why| unusable(why.to_string()))?.with_root_certificates(roots);
        let mut client = client.with_client_auth_cert(chain, key()?).map_err(|why| unusable(why.to_string()))?;
        client.resumption = rustls::client::Resumption::disabled();
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|why| pem(path, &why))?;
    if read.is_empty() {
        return Err(pem(path, &"there is no PEM certificate in it"));
    }
    Ok(read)
}

fn pem(path: &Path, why: &dyn std::fmt::Display) -> IdentityError {
    IdentityError::Pem { path: path.to_owned(), why: why.to_string() }
}
