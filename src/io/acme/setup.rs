//! **The question:** of whom are certificates had, for which names, and where are they kept?

use std::path::PathBuf;
use std::sync::Arc;

/// Of whom certificates are had, for which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcmeSetup {
    /// Names of the node, one at least.
    pub domains: Vec<String>,
    /// Where the issuer may reach the operator: `mailto:` and the like.
    pub contact: Vec<String>,
    /// The issuer's directory, an https URL.
    pub directory: String,
    /// Where account and certificate are kept.
    pub folder: PathBuf,
    /// Authorities that the issuer's own certificate is checked by, PEM; `None`: those of the system.
    pub ca: Option<Arc<[u8]>>,
}
