//! **The question:** of which issuer does the node get its certificate, for which names, and where is it kept?

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::base::limits;
use crate::io::acme::AcmeSetup;
use crate::io::api::HostName;
use crate::io::egress;

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// `[http] acme`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Acme {
    keys: Keys,
    ca: Option<CheckedFile>,
}

impl Acme {
    /// What the node does with it.
    #[must_use]
    pub fn setup(&self) -> AcmeSetup {
        let Keys { domains, contact, directory, folder, .. } = self.keys.clone();
        let (domains, ca) = (domains.into_iter().map(String::from).collect(), self.ca.as_ref());
        AcmeSetup { domains, contact, directory, folder, ca: ca.map(|file| Arc::from(file.bytes())) }
    }

    /// Names of the node.
    #[must_use]
    pub fn domains(&self) -> &[HostName] {
        &self.keys.domains
    }
}

/// Why no certificate can be asked for so.
#[derive(Debug, thiserror::Error)]
enum AcmeKeysError {
    #[error("acme.domains: 1 to {} names of this node, such as call.example.org", limits::ACME_DOMAINS_MAX)]
    Domains,
    #[error("acme.domains: an address is no name; issuers prove names")]
    Address,
    #[error("acme.contact: at most {} of the form mailto:ops@example.org", limits::ACME_CONTACTS_MAX)]
    Contact,
    #[error("acme.directory: an https URL, such as {LETS_ENCRYPT}")]
    Directory,
    #[error("acme.ca_file: {0}")]
    CaFile(String),
    #[error("acme.folder: it has no name")]
    Folder,
}

/// As it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    domains: Vec<HostName>,
    #[serde(default)]
    contact: Vec<String>,
    #[serde(default = "lets_encrypt")]
    directory: String,
    #[serde(default = "folder")]
    folder: PathBuf,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ca_file: String,
}

fn lets_encrypt() -> String {
    LETS_ENCRYPT.into()
}

fn folder() -> PathBuf {
    "acme".into()
}

impl TryFrom<Keys> for Acme {
    type Error = AcmeKeysError;

    fn try_from(mut keys: Keys) -> Result<Self, AcmeKeysError> {
        // The same twice would be asked for twice.
        keys.domains.sort_by_key(|name| String::from(name.clone()));
        keys.domains.dedup();
        if keys.domains.is_empty() || keys.domains.len() > limits::ACME_DOMAINS_MAX {
            return Err(AcmeKeysError::Domains);
        }
        if keys.domains.iter().any(|name| String::from(name.clone()).parse::<IpAddr>().is_ok()) {
            return Err(AcmeKeysError::Address);
        }
        let is_contact = |text: &String| {
            let is_plain = text.len() <= limits::ACME_URL_LEN_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
            is_plain && text.strip_prefix("mailto:").is_some_and(|address| address.contains('@'))
        };
        if keys.contact.len() > limits::ACME_CONTACTS_MAX || !keys.contact.iter().all(is_contact) {
            return Err(AcmeKeysError::Contact);
        }
        let is_short = keys.directory.len() <= limits::ACME_URL_LEN_MAX;
        if !is_short || !keys.directory.starts_with("https://") || egress::check_text(&keys.directory, true).is_err() {
            return Err(AcmeKeysError::Directory);
        }
        if keys.folder.as_os_str().is_empty() {
            return Err(AcmeKeysError::Folder);
        }
        let ca = (!keys.ca_file.is_empty()).then(|| read(&keys.ca_file)).transpose();
        Ok(Self { ca: ca.map_err(AcmeKeysError::CaFile)?, keys })
    }
}

fn read(file: &str) -> Result<CheckedFile, String> {
    CheckedFile::read(file, limits::ACME_ANSWER_LEN_MAX, |bytes| {
        let is_pem = bytes.windows(27).any(|window| window == b"-----BEGIN CERTIFICATE-----");
        let is_short = bytes.len() <= limits::ACME_ANSWER_LEN_MAX;
        if is_pem && is_short { Ok(()) } else { Err("there is no PEM certificate in it, or it is too long") }
    })
}

impl From<Acme> for Keys {
    fn from(acme: Acme) -> Self {
        acme.keys
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::app::config::{Config, Tls};

    fn parse(lines: &str) -> Result<Config, String> {
        Config::parse(Path::new("tessera.toml"), &format!("[http]\n{lines}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn names_alone_are_enough() {
        let config = parse("acme = { domains = [\"B.example\", \"a.example\", \"b.example\"] }").unwrap();
        let Tls::Acme(acme) = &config.http.tls else { panic!("it is on") };
        let setup = acme.setup();
        assert_eq!(setup.domains, ["a.example", "b.example"]);
        assert_eq!(
            (setup.directory.as_str(), setup.folder.to_str(), setup.ca),
            (super::LETS_ENCRYPT, Some("acme"), None)
        );
        let written = toml::to_string(&config).unwrap();
        assert_eq!(Config::parse(Path::new("again.toml"), &written), Ok(config));
    }

    #[test]
    fn what_no_issuer_would_take_is_refused_with_what_to_do() {
        for (lines, told) in [
            ("acme = { domains = [] }", "1 to 20 names"),
            ("acme = { domains = [\"192.0.2.1\"] }", "issuers prove names"),
            ("acme = { domains = [\"*.example\"] }", "a name alone"),
            ("acme = { domains = [\"a.example\"], contact = [\"ops@example.org\"] }", "mailto:"),
            ("acme = { domains = [\"a.example\"], directory = \"http://issuer.example/dir\" }", "an https URL"),
            ("acme = { domains = [\"a.example\"], directory = \"https://u:p@issuer.example/dir\" }", "an https URL"),
            ("acme = { domains = [\"a.example\"], folder = \"\" }", "acme.folder"),
            ("acme = { domains = [\"a.example\"], ca_file = \"/nowhere.pem\" }", "/nowhere.pem"),
            ("acme = { domains = [\"a.example\"], kind = 1 }", "unknown field"),
            ("acme = { domains = [\"a.example\"] }\ntls_self_signed = true", "remove acme, or"),
            ("acme = { domains = [\"a.example\"] }\ntls_cert = \"a\"\ntls_key = \"b\"", "remove acme, or"),
        ] {
            let error = parse(lines).unwrap_err();
            assert!(error.starts_with("tessera.toml:") && error.contains(told), "{lines}: {error}");
        }
    }
}
