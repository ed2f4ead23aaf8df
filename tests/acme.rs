//! **The question:** does the node come by its certificate and renew it by itself, and does it go on with the one that
//! it has whatever becomes of the issuer? Debian's pebble, a whole issuer for tests (RFC 8555), and the real binary.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::browser::node::Node;
use crate::fleet::etcd::free_port;
use crate::keepers::process::wait_until;

/// Debian package pebble: the issuer, and a server that says where names are.
const PEBBLE: &str = "/usr/bin/pebble";
const NAMES: &str = "/usr/bin/pebble-challtestsrv";
const NAME: &str = "call.test";
/// So long a certificate is good, seconds; two thirds of it later the next one is due.
const GOOD_S: u64 = 6;

/// An issuer on this machine, whose own HTTPS is of an authority that no system knows.
struct Issuer {
    folder: TempDir,
    port: u16,
    management: u16,
    children: Vec<Child>,
}

impl Issuer {
    /// It looks for the node at `door`.
    fn start(door: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [port, management, names, steering] = [(); 4].map(|()| free_port());
        let authority = {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
        };
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = params.signed_by(&key, &authority).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        write("ca.pem", &authority.pem());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": write("cert.pem", &own.pem()), "privateKey": write("key.pem", &key.serialize_pem()),
            "httpPort": 1, "tlsPort": door, "certificateValidityPeriod": GOOD_S,
        } });
        let config = write("pebble.json", &config.to_string());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut says_where = Command::new(NAMES);
        says_where.args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""]);
        says_where.args(["-dns01", &at(names), "-management", &at(steering)]);
        let mut pebble = Command::new(PEBBLE);
        pebble.arg("-config").arg(config).args(["-dnsserver", &at(names)]).env("PEBBLE_VA_NOSLEEP", "1");
        let children = [says_where, pebble].map(|mut command| {
            let begun = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            begun.unwrap_or_else(|error| panic!("{command:?} (Debian package pebble): {error}"))
        });
        let issuer = Self { folder, port, management, children: children.into() };
        wait_until("the issuer answers", || issuer.root().is_some());
        issuer
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The root of what it issues.
    fn root(&self) -> Option<Certificate> {
        let ca = Certificate::from_pem(&fs::read(self.ca()).unwrap()).unwrap();
        let (_, text, _) = get(&client(Some(ca), 0), &format!("https://localhost:{}/roots/0", self.management))?;
        Certificate::from_pem(text.as_bytes()).ok()
    }

    fn stop(&mut self) {
        for mut child in self.children.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Trusts this root alone, or everybody; the name leads to this port.
fn client(root: Option<Certificate>, port: u16) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let there = SocketAddr::from(([127, 0, 0, 1], port));
    let builder = Client::builder().timeout(Duration::from_secs(10)).resolve(NAME, there);
    let builder = match root {
        Some(root) => builder.tls_certs_only([root]),
        None => builder.tls_danger_accept_invalid_certs(true),
    };
    builder.tls_info(true).build().unwrap()
}

/// Status, text and the certificate that was shown; `None`: there is no answer that may be trusted.
fn get(client: &Client, url: &str) -> Option<(u16, String, Vec<u8>)> {
    Runtime::new().unwrap().block_on(async {
        let response = client.get(url).send().await.ok()?;
        let shown = response.extensions().get::<TlsInfo>()?.peer_certificate()?.to_vec();
        Some((response.status().as_u16(), response.text().await.ok()?, shown))
    })
}

fn start(door: u16, folder: &Path, issuer: &Issuer) -> Node {
    let config = folder.join("tessera.toml");
    let acme = format!(
        "[http]\nacme = {{ domains = [\"{NAME}\"], contact = [\"mailto:ops@call.test\"], folder = \"{}\", ca_file = \
         \"{}\", directory = \"https://localhost:{}/dir\" }}\n",
        folder.join("kept").display(),
        issuer.ca().display(),
        issuer.port
    );
    fs::write(&config, acme).unwrap();
    let flags = ["--config", config.to_str().unwrap()];
    Node::start_at(&format!("127.0.0.1:{door}"), &flags, &[], Stdio::inherit())
}

#[test]
fn a_certificate_is_got_renewed_and_shown_on_when_the_issuer_is_gone() {
    let (door, folder) = (free_port(), tempfile::tempdir().unwrap());
    let mut issuer = Issuer::start(door);
    let node = start(door, folder.path(), &issuer);
    let (url, root) = (format!("https://{NAME}:{door}"), issuer.root().unwrap());
    // A new client each time: one that comes back by a session of before is shown no certificate.
    let (anyone, trusting) = (|| client(None, door), || client(Some(root.clone()), door));
    let shown = || get(&anyone(), &format!("{url}/healthz")).expect("it answers, whatever it shows").2;
    let told = || {
        let (_, text, _) = get(&anyone(), &format!("{url}/v1/node")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["certificate"].clone()
    };
    let counts = |name: &str| {
        let (_, text, _) = get(&anyone(), &format!("{url}/metrics")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}")).parse::<f64>().unwrap()
    };

    let trusted = || get(&trusting(), &format!("{url}/healthz"));
    wait_until("browsers that trust the issuer trust the node", || trusted().is_some_and(|got| got.0 == 200));
    let first = shown();
    assert_eq!((&told()["source"], &told()["failing"]), (&json!("acme"), &json!(false)), "{}", told());
    for file in ["account.json", "certificate.pem"] {
        let mode = fs::metadata(folder.path().join("kept").join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} is its owner's alone");
    }
    wait_until("it is renewed, and trusted", || trusted().is_some_and(|(_, _, shown)| shown != first));
    assert!(counts("tessera_certificates_obtained_total") >= 2.0);
    let days = counts("tessera_certificate_days");
    assert!(days > -1e-3 && days <= GOOD_S as f64 / 86_400.0, "{days}");

    issuer.stop();
    wait_until("it says that the issuer is gone", || counts("tessera_certificate_failing") > 0.0);
    let last = shown();
    assert_eq!(told()["problem"], "unreachable", "{}", told());
    assert_eq!(shown(), last, "it goes on with what it has");
    node.stop();
    let node = start(door, folder.path(), &issuer);
    assert_eq!(shown(), last, "and a restart too");
    assert_eq!(told()["source"], "acme", "{}", told());
    node.stop();
}
