//! **The question:** who is this node in its fleet, and where does etcd answer?

use std::fmt;
use std::sync::Arc;

use crate::core::fleet::MemberSetup;
use crate::io::telemetry::log::Redacted;

/// What a node of a fleet is started with.
#[derive(Debug, Clone)]
pub struct FleetSetup {
    /// Members of etcd, `http://HOST:PORT` or `https://…` each.
    pub endpoints: Vec<String>,
    /// What etcd knows this node by, if it asks.
    pub user: Option<(String, Redacted<String>)>,
    /// Certificates, where etcd is asked by TLS; `None`: plain.
    pub tls: Option<EtcdTls>,
    /// What all keys begin with, such as `/tessera`.
    pub prefix: String,
    /// Who this node is.
    pub member: MemberSetup,
}

/// By what etcd is known, and this node to it; PEM.
#[derive(Clone)]
pub struct EtcdTls {
    /// The authority that signed etcd's certificates.
    pub ca: Arc<[u8]>,
    /// This node's certificate and key, if etcd asks for one.
    pub identity: Option<EtcdIdentity>,
}

/// By what etcd knows this node; PEM.
#[derive(Clone)]
pub struct EtcdIdentity {
    /// The certificate.
    pub cert: Arc<[u8]>,
    /// Its key.
    pub key: Arc<[u8]>,
}

impl fmt::Debug for EtcdTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.identity.is_some() { "EtcdTls(with a certificate)" } else { "EtcdTls" })
    }
}

/// Why a node cannot be of a fleet.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// This program cannot ask etcd.
    #[error(
        "[fleet] etcd is set, and this program was built without the feature `fleet`: build it with --features fleet, \
         or leave etcd empty"
    )]
    NotBuilt,
    /// What is written of etcd cannot be used.
    #[error("etcd at {endpoint}: {why}; check [fleet] etcd, ca, cert and key")]
    Endpoint {
        /// Which member.
        endpoint: String,
        /// What is wrong.
        why: String,
    },
}
