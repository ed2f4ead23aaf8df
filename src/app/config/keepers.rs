//! **The question:** which keepers did the operator name? None, and the node has its own; or three, and certificates to
//! ask them with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::limits::KEEPERS;
use crate::io::keeper::IdentityFiles;

/// `[retention]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Retaining {
    /// Who is asked; `None`: the node's own keeper (level 1).
    pub keepers: Option<RemoteKeepers>,
}

/// Three keepers in other processes (levels 2 and 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteKeepers {
    /// `HOST:PORT` of each, as their certificates name the hosts.
    pub addresses: Vec<String>,
    /// The node's certificate.
    pub files: IdentityFiles,
}

/// As it is written.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    keepers: Vec<String>,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

/// Why keepers cannot be asked as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeepersError {
    /// Any two of three agree; with two there is none to lose, with four two pairs could disagree.
    #[error("name three keepers, HOST:PORT each and all different, or none")]
    Count,
    /// Certificates are missing.
    #[error("keepers are asked with certificates; set ca, cert and key")]
    Certificates,
}

impl RemoteKeepers {
    /// Three addresses and the node's certificate.
    ///
    /// # Errors
    /// When they are not three different ones.
    pub fn new(addresses: Vec<String>, files: IdentityFiles) -> Result<Self, KeepersError> {
        let mut different = addresses.clone();
        different.sort();
        different.dedup();
        let three = addresses.len() == KEEPERS && different.len() == KEEPERS;
        three.then_some(Self { addresses, files }).ok_or(KeepersError::Count)
    }
}

impl TryFrom<Keys> for Retaining {
    type Error = KeepersError;

    fn try_from(keys: Keys) -> Result<Self, KeepersError> {
        if keys.keepers.is_empty() {
            return Ok(Self { keepers: None });
        }
        let files = IdentityFiles { ca: keys.ca, cert: keys.cert, key: keys.key };
        if [&files.ca, &files.cert, &files.key].iter().any(|path| path.as_os_str().is_empty()) {
            return Err(KeepersError::Certificates);
        }
        RemoteKeepers::new(keys.keepers, files).map(|keepers| Self { keepers: Some(keepers) })
    }
}

impl From<Retaining> for Keys {
    fn from(retaining: Retaining) -> Self {
        retaining.keepers.map_or_else(Self::default, |keepers| Self {
            keepers: keepers.addresses,
            ca: keepers.files.ca,
            cert: keepers.files.cert,
            key: keepers.files.key,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::app::config::Config;

    fn parse(section: &str) -> Result<Config, String> {
        let text = format!("[retention]\n{section}\n");
        Config::parse(Path::new("tessera.toml"), &text).map_err(|error| error.to_string())
    }

    const FILES: &str = "ca = \"a\"\ncert = \"b\"\nkey = \"c\"";

    #[test]
    fn three_keepers_with_certificates_or_none() {
        assert_eq!(parse("").unwrap().retention.keepers, None);
        let config = parse(&format!("keepers = [\"a:1\", \"b:1\", \"c:1\"]\n{FILES}")).unwrap();
        let keepers = config.retention.keepers.clone().unwrap();
        assert_eq!((keepers.addresses.len(), keepers.files.key.to_str()), (3, Some("c")));
        let written = toml::to_string(&config).unwrap();
        assert_eq!(Config::parse(Path::new("tessera.toml"), &written), Ok(config));
        for few in ["[\"a:1\"]", "[\"a:1\", \"b:1\"]", "[\"a:1\", \"b:1\", \"a:1\"]"] {
            let error = parse(&format!("keepers = {few}\n{FILES}")).unwrap_err();
            assert!(error.contains("three keepers"), "{error}");
        }
        let error = parse("keepers = [\"a:1\", \"b:1\", \"c:1\"]\nca = \"a\"").unwrap_err();
        assert!(error.contains("ca, cert and key"), "{error}");
    }
}
