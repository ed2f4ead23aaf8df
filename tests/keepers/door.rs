//! **The question:** whom does a keeper refuse, and what does it make of noise?

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tessera::core::retention::{Hour, RecordingId, RecordingName};
use tessera::io::keeper::{Identity, IdentityFiles, KeeperClient, Request, Response, make_certificates};

use crate::keepers::process::{BINARY, Trio};

const FILED: RecordingName = RecordingName { hour: Hour(500_000), recording: RecordingId([1; 16]) };

fn ask(trio: &Trio, certificates: &Path, ask: Request) -> Result<Response, String> {
    let identity = Identity::load(&IdentityFiles::in_folder(certificates)).unwrap();
    let line = KeeperClient::new(&trio.addresses[0], &identity).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = || runtime.block_on(line.try_ask(ask)).map_err(|error| error.to_string());
    // On a busy machine an answer may miss its second; every ask may be repeated.
    asked().or_else(|error| if error.contains("in time") { asked() } else { Err(error) })
}

/// A TLS connection by hand, with or without a certificate of the client's.
fn connect(trio: &Trio, certificates: Option<&Path>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trio.certificates("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match certificates {
        None => config.with_no_client_auth(),
        Some(folder) => {
            let chain = vec![CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()];
            config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap()).unwrap()
        }
    };
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(&trio.addresses[0]).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
}

/// Sends bytes and tells whether the keeper answered any.
fn is_answered(mut stream: StreamOwned<ClientConnection, TcpStream>, bytes: &[u8]) -> bool {
    let _ = stream.write_all(bytes);
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).is_ok()
}

#[test]
fn only_nodes_of_the_same_authority_are_answered_and_keepers_get_the_time_alone() {
    let mut trio = Trio::start();
    let (node, keeper) = (trio.certificates("node"), trio.certificates("keeper-2"));
    assert!(matches!(ask(&trio, &node, Request::Time), Ok(Response::Time(_))));
    assert!(matches!(ask(&trio, &keeper, Request::Time), Ok(Response::Time(_))));
    for forbidden in [Request::Release { recording: FILED, make: true }, Request::Deny { recording: FILED }] {
        assert!(matches!(ask(&trio, &keeper, forbidden), Ok(Response::NotYours)), "{forbidden:?}");
    }
    // Another authority's node, although its certificate looks alike.
    let strangers = trio.folder.path().join("strangers");
    make_certificates(&strangers, &["127.0.0.1".to_owned()]).unwrap();
    assert!(ask(&trio, &strangers.join("node"), Request::Time).is_err(), "it believes no keeper of ours either");
    let time = [&[0, 2][..], &Request::Time.to_bytes()].concat();
    assert!(is_answered(connect(&trio, Some(&node)), &time));
    assert!(!is_answered(connect(&trio, Some(&strangers.join("node"))), &time));
    assert!(!is_answered(connect(&trio, None), &time), "no certificate at all");
    // A refusal is counted just after anyone who was refused learns of it.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let last = trio.stop_one(0);
    assert!(!last.contains(" 0 lines refused") && last.contains("2 asks not theirs"), "{last}");
}

#[test]
fn a_keeper_at_another_address_is_not_believed() {
    let trio = Trio::start();
    let identity = Identity::load(&IdentityFiles::in_folder(&trio.certificates("node"))).unwrap();
    let port = trio.addresses[0].rsplit_once(':').unwrap().1;
    // The keeper of 127.0.0.1 answers under a name that its certificate does not have.
    let line = KeeperClient::new(&format!("localhost:{port}"), &identity).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = runtime.block_on(line.try_ask(Request::Time)).unwrap_err().to_string();
    assert!(told.contains("not valid for name"), "{told}");
}

#[test]
fn who_looks_whether_the_door_is_open_and_says_nothing_is_not_told_of() {
    let mut trio = Trio::start();
    for _ in 0..3 {
        drop(TcpStream::connect(&trio.addresses[0]).unwrap());
    }
    // One who says something behind them is refused, which is counted after all three were let go.
    let mut plain = TcpStream::connect(&trio.addresses[0]).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    let node = trio.certificates("node");
    assert!(matches!(ask(&trio, &node, Request::Time), Ok(Response::Time(_))));
    let last = trio.stop_one(0);
    assert!(last.contains(" 1 lines refused"), "{last}");
}

#[test]
fn noise_is_counted_and_the_keeper_goes_on() {
    let mut trio = Trio::start();
    let node = trio.certificates("node");
    let time = Request::Time.to_bytes();
    let frames: [&[u8]; 7] =
        [&[0, 0], &[0, 1, 1], &[0, 2, 2, 1], &[0, 2, 1, 99], &[0, 3, 1, 1, 0], &[0xff, 0xff, 1, 1], &[0, 43]];
    for frame in frames {
        assert!(!is_answered(connect(&trio, Some(&node)), frame), "{frame:?}");
    }
    // Noise below TLS, and a line that ends in the middle of a frame.
    let mut plain = TcpStream::connect(&trio.addresses[0]).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    let mut cut = connect(&trio, Some(&node));
    cut.write_all(&[0, 22, 1, 2]).unwrap();
    drop(cut);
    assert!(matches!(ask(&trio, &node, Request::Time), Ok(Response::Time(_))), "it goes on");
    let mut many = connect(&trio, Some(&node));
    for _ in 0..100 {
        many.write_all(&[&[0, 2], &time[..]].concat()).unwrap();
        let mut answer = [0; 37];
        many.read_exact(&mut answer).unwrap();
        assert_eq!(answer[..4], [0, 35, 1, 1]);
    }
    let last = trio.stop_one(0);
    assert!(last.contains("7 frames malformed") && !last.contains(" 0 lines refused"), "{last}");
}

#[test]
fn the_operator_is_told_what_to_do() {
    let run = |arguments: &[&str]| Command::new(BINARY).arg("keeper").args(arguments).output().unwrap();
    let home = tempfile::tempdir().unwrap();
    let pki = home.path().join("pki");
    let hosts = ["a.example:7443", "b.example:7443", "192.0.2.7:7443"];
    let made = run(&[&["init", "--out", pki.to_str().unwrap()], &hosts[..]].concat());
    let told = String::from_utf8(made.stdout).unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for wanted in [
        "tessera keeper --certificates keeper-1 --peer b.example:7443 --peer 192.0.2.7:7443",
        "keepers = [\"a.example:7443\", \"b.example:7443\", \"192.0.2.7:7443\"]",
        "cert = \"node/cert.pem\"",
        "ca.key.pem",
    ] {
        assert!(told.contains(wanted), "{told}");
    }
    let again = run(&[&["init", "--out", pki.to_str().unwrap()], &hosts[..]].concat());
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten");
    assert_eq!(run(&["init", "--out", "x", "a:1", "b:1"]).status.code(), Some(2), "three keepers");
    let lost = run(&["--certificates", "/nowhere", "--folder", home.path().to_str().unwrap()]);
    let line = String::from_utf8(lost.stderr).unwrap();
    assert!(lost.status.code() == Some(2) && line.contains("/nowhere/") && line.lines().count() == 1, "{line}");
}
