//! **The question:** is this node one of several, and how do they agree? Files are read and checked together with the
//! configuration, so that a wrong one is told with its line before anything runs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::app::config::value::Within;
use crate::base::limits;
use crate::core::fleet::{Label, MemberSetup, Pod};
use crate::io::api::{Authority, HostName, WebOrigin};
use crate::io::fleet::{EtcdIdentity, EtcdTls, FleetSetup, Trust};
use crate::io::telemetry::log::Redacted;

/// In `advertise`, what this node is called.
const NODE: &str = "{node}";

/// `[fleet]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct FleetConfig {
    written: Keys,
    /// What proves who etcd and this node are: the authority's certificate, then the node's own and its key.
    tls: [Option<CheckedFile>; 3],
    password: Option<CheckedFile>,
    /// The environment says it, and no file: a file is all pods'.
    pod: Option<Pod>,
    /// What nodes know each other by.
    secret: Option<CheckedFile>,
}

/// As it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    etcd: Vec<String>,
    user: String,
    password_file: String,
    ca: String,
    cert: String,
    key: String,
    prefix: String,
    node_id: String,
    advertise: String,
    region: String,
    keep_region: bool,
    room_people: Within<1, 100>,
    viewers_here: Within<0, { limits::VIEWERS_HERE_MAX }>,
    secret_file: String,
}

impl Default for Keys {
    fn default() -> Self {
        let none = String::new;
        Self {
            etcd: Vec::new(),
            user: none(),
            password_file: none(),
            ca: none(),
            cert: none(),
            key: none(),
            prefix: "/tessera".into(),
            node_id: none(),
            advertise: none(),
            region: none(),
            keep_region: false,
            room_people: Within(10),
            viewers_here: Within(limits::VIEWERS_HERE),
            secret_file: none(),
        }
    }
}

impl FleetConfig {
    /// Where this node stands.
    #[must_use]
    pub fn region(&self) -> Option<Label> {
        self.written.region.parse().ok()
    }

    /// Where rooms have to be that somebody begins by this node without saying where.
    #[must_use]
    pub fn region_kept(&self) -> Option<Label> {
        self.region().filter(|_| self.written.keep_region)
    }

    /// The pod that this node runs in.
    pub fn set_pod(&mut self, pod: Pod) {
        self.pod = Some(pod);
    }

    /// What this node and the others know each other by, if the operator gave them a secret.
    #[must_use]
    pub fn trust(&self) -> Option<Trust> {
        let secret = self.secret.as_ref().filter(|_| !self.written.etcd.is_empty())?;
        Trust::new(secret.bytes()).ok()
    }

    /// For how many people room is made when a room begins.
    #[must_use]
    pub fn room_people(&self) -> usize {
        self.written.room_people.get() as usize
    }

    /// How many watch a room at its own node before others show it.
    #[must_use]
    pub fn viewers_here(&self) -> usize {
        self.written.viewers_here.get() as usize
    }

    /// The name under which clients reach this node.
    #[must_use]
    pub fn name(&self, host: &str) -> Option<HostName> {
        let url = self.setup(host)?.member.url;
        let named = Authority::parse(url.split_once("://")?.1)?;
        named.host().parse().ok()
    }

    /// The host of the HTTPS address at which clients and other nodes reach this one.
    #[must_use]
    pub fn secure_host(&self, host: &str) -> Option<String> {
        let url = self.setup(host)?.member.url;
        let named = Authority::parse(url.strip_prefix("https://")?)?;
        Some(named.host().trim_matches(['[', ']']).to_owned())
    }

    /// The file by which etcd knows this node.
    #[must_use]
    pub fn cert(&self) -> Option<&Path> {
        Some(self.written.cert.as_str()).filter(|cert| !cert.is_empty()).map(Path::new)
    }

    /// Where etcd answers and who this node is; `None`: it is alone. `host` is what the machine calls itself.
    #[must_use]
    pub fn setup(&self, host: &str) -> Option<FleetSetup> {
        let Keys { etcd, user, prefix, node_id, advertise, .. } = self.written.clone();
        if etcd.is_empty() {
            return None;
        }
        let id: Label = node_id.parse().ok().or_else(|| host.parse().ok())?;
        let url = advertise.trim_end_matches('/').replace(NODE, id.as_str());
        let pem = |at: usize| self.tls[at].as_ref().map(|file| file.bytes().into());
        let identity = pem(1).zip(pem(2)).map(|(cert, key)| EtcdIdentity { cert, key });
        let password = self.password.as_ref().map(|file| String::from_utf8_lossy(file.bytes()).trim().to_owned());
        Some(FleetSetup {
            endpoints: etcd,
            user: password.map(|password| (user, Redacted::new(password))),
            tls: pem(0).map(|ca| EtcdTls { ca, identity }),
            prefix,
            member: MemberSetup { id, url, region: self.region(), pod: self.pod.clone() },
        })
    }
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
enum FleetKeysError {
    #[error("etcd: {0:?} is no member's address; write http://HOST:2379 or https://HOST:2379")]
    Endpoint(String),
    #[error("etcd: at most {}", limits::FLEET_ENDPOINTS_MAX)]
    Endpoints,
    #[error(
        "advertise says where clients reach this node, such as https://node-1.example.org; the others send them there"
    )]
    Advertise,
    #[error("advertise: {0}")]
    Origin(#[from] crate::io::api::NoWebOrigin),
    #[error("{0}: {1}")]
    Label(&'static str, crate::core::fleet::LabelError),
    #[error("prefix: it begins with / and has letters, digits, '-', '_' and '.' between slashes, such as /tessera")]
    Prefix,
    #[error("user and password_file belong together")]
    User,
    #[error("cert and key belong together, and both beside ca")]
    Identity,
    #[error("https:// of etcd needs ca, the certificate of the authority that signed etcd's (PEM)")]
    Authority,
    #[error("ca is for https:// of etcd alone")]
    PlainAuthority,
    #[error("keep_region needs region beside it: which?")]
    NoRegion,
}

impl Keys {
    fn check(&self) -> Result<(), FleetKeysError> {
        let label = |name, text: &String| match text.is_empty() {
            true => Ok(()),
            false => text.parse::<Label>().map(drop).map_err(|error| FleetKeysError::Label(name, error)),
        };
        label("node_id", &self.node_id)?;
        label("region", &self.region)?;
        if self.keep_region && self.region.is_empty() {
            return Err(FleetKeysError::NoRegion);
        }
        if self.etcd.is_empty() {
            return Ok(());
        }
        if self.etcd.len() > limits::FLEET_ENDPOINTS_MAX {
            return Err(FleetKeysError::Endpoints);
        }
        for endpoint in &self.etcd {
            endpoint.parse::<WebOrigin>().map_err(|_| FleetKeysError::Endpoint(endpoint.clone()))?;
        }
        if self.advertise.is_empty() {
            return Err(FleetKeysError::Advertise);
        }
        self.advertise.trim_end_matches('/').replace(NODE, "node").parse::<WebOrigin>()?;
        let is_of_it = |part: &str| !part.is_empty() && part.parse::<Label>().is_ok();
        if !self.prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_of_it)) {
            return Err(FleetKeysError::Prefix);
        }
        if self.user.is_empty() != self.password_file.is_empty() {
            return Err(FleetKeysError::User);
        }
        if self.cert.is_empty() != self.key.is_empty() || self.ca.is_empty() && !self.cert.is_empty() {
            return Err(FleetKeysError::Identity);
        }
        let is_secure = |endpoint: &String| endpoint.starts_with("https://");
        match (self.etcd.iter().any(is_secure), self.etcd.iter().all(is_secure), self.ca.is_empty()) {
            (true, _, true) => Err(FleetKeysError::Authority),
            (_, false, false) => Err(FleetKeysError::PlainAuthority),
            _ => Ok(()),
        }
    }
}

/// Reads a file, unless none is named.
fn read(path: &str, is_good: impl Fn(&[u8]) -> bool, wanted: &'static str) -> Result<Option<CheckedFile>, String> {
    if path.is_empty() {
        return Ok(None);
    }
    let len_max = limits::FLEET_FILE_LEN_MAX;
    let check = |bytes: &[u8]| if bytes.len() <= len_max && is_good(bytes) { Ok(()) } else { Err(wanted) };
    CheckedFile::read(path, len_max, check).map(Some)
}

impl TryFrom<Keys> for FleetConfig {
    type Error = String;

    fn try_from(written: Keys) -> Result<Self, String> {
        written.check().map_err(|error| error.to_string())?;
        let is_pem = |bytes: &[u8]| bytes.windows(11).any(|text| text == b"-----BEGIN ");
        let pem = |path: &str| read(path, is_pem, "there is no PEM in it");
        let is_word = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| !text.trim().is_empty());
        let password = read(&written.password_file, is_word, "there is no password in it, one line of text");
        let tls = [pem(&written.ca)?, pem(&written.cert)?, pem(&written.key)?];
        let is_secret = |bytes: &[u8]| Trust::new(bytes).is_ok();
        let wanted = "nodes share 32 bytes or more; `openssl rand -hex 32` makes them, the same file for each node";
        let secret = read(&written.secret_file, is_secret, wanted)?;
        Ok(Self { tls, password: password?, secret, pod: None, written })
    }
}

impl From<FleetConfig> for Keys {
    fn from(config: FleetConfig) -> Self {
        config.written
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::app::config::Config;

    fn parse(lines: &str) -> Result<Config, String> {
        Config::parse(Path::new("tessera.toml"), &format!("[fleet]\n{lines}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_node_is_alone_until_etcd_is_named() {
        assert!(parse("").unwrap().fleet.setup("host").is_none());
        let config = parse("etcd = [\"http://127.0.0.1:2379\"]\nadvertise = \"https://node-1.example/\"").unwrap();
        let setup = config.fleet.setup("the-machine").unwrap();
        assert_eq!((setup.member.id.as_str(), setup.member.url.as_str()), ("the-machine", "https://node-1.example"));
        assert_eq!((setup.prefix.as_str(), setup.user.is_none(), setup.tls.is_none()), ("/tessera", true, true));
        let several = "etcd = [\"http://127.0.0.1:2379\"]\nadvertise = \"https://{node}.example\"";
        let fleet = parse(several).unwrap().fleet;
        assert_eq!(fleet.setup("pod-3").unwrap().member.url, "https://pod-3.example");
        assert_eq!(fleet.name("pod-3"), "pod-3.example".parse().ok());
        let regional = parse("region = \"eu\"\nkeep_region = true").unwrap().fleet;
        assert_eq!(regional.region_kept(), regional.region());
        assert!(regional.region().is_some());
    }

    #[test]
    fn a_password_is_read_from_its_file_and_printed_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        fs::write(&file, "correct horse\n").unwrap();
        let lines = "etcd = [\"http://127.0.0.1:2379\"]\nadvertise = \"http://127.0.0.1:8080\"\nnode_id = \"a\"";
        let config = parse(&format!("{lines}\nuser = \"node\"\npassword_file = \"{}\"", file.display())).unwrap();
        let setup = config.fleet.setup("host").unwrap();
        assert_eq!(
            setup.user.as_ref().map(|(user, password)| (user.as_str(), password.reveal().as_str())),
            Some(("node", "correct horse"))
        );
        let written = toml::to_string(&config).unwrap();
        assert!(!format!("{config:?}{written}{setup:?}").contains("horse"));
        assert_eq!(Config::parse(Path::new("again.toml"), &written), Ok(config));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_to_do() {
        let etcd = "etcd = [\"http://127.0.0.1:2379\"]\n";
        let named = format!("{etcd}advertise = \"https://a.example\"\n");
        for (lines, told) in [
            (etcd.to_owned(), "where clients reach this node"),
            (format!("{etcd}advertise = \"a.example\""), "an origin is https://HOST"),
            ("etcd = [\"127.0.0.1:2379\"]\nadvertise = \"https://a.example\"".to_owned(), "http://HOST:2379"),
            (format!("{named}prefix = \"tessera\""), "begins with /"),
            (format!("{named}node_id = \"a b\""), "node_id: a name of a node"),
            (format!("{named}user = \"a\""), "belong together"),
            (format!("{named}cert = \"a\"\nkey = \"b\""), "both beside ca"),
            (format!("{named}ca = \"/nowhere\""), "for https://"),
            ("etcd = [\"https://a:2379\"]\nadvertise = \"https://a.example\"".to_owned(), "needs ca"),
            ("keep_region = true".to_owned(), "needs region"),
            ("room_people = 0".to_owned(), "1 to 100"),
            (format!("{named}user = \"a\"\npassword_file = \"/nowhere\""), "/nowhere: No such file"),
            (format!("{named}secret_file = \"/nowhere\""), "/nowhere: No such file"),
            (format!("{named}secret_file = \"/dev/null\""), "32 bytes or more"),
        ] {
            let error = parse(&lines).unwrap_err();
            assert!(error.starts_with("tessera.toml:") && error.contains(told), "{lines}: {error}");
        }
    }
}
