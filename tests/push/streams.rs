//! **The question:** do servers that know nothing of WebRTC take a room, and again after they were killed and came
//! back? ffmpeg as an RTMP server, behind TLS, and as an SRT listener, from the same room at once.
//! `TESSERA_PUSH_SECONDS` says for how long each of them takes it.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tessera::io::keeper::make_certificates;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::retention::unrecorded::seen;

/// What no log and no answer may hold.
const KEY: &str = "s3cret-s3cret";
const SECONDS: u64 = 5;

fn seconds() -> u64 {
    std::env::var("TESSERA_PUSH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS)
}

/// A server that keeps what it is sent in a file.
struct Server {
    url: String,
    options: &'static [&'static str],
    listens_at: String,
    ffmpeg: Option<(Child, PathBuf)>,
}

impl Server {
    /// Behind what has a certificate for `localhost` out of that folder.
    fn rtmps(certificates: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("rtmps://localhost:{}/live/{KEY}", unwrap_tls(certificates, port));
        let listens_at = format!("rtmp://127.0.0.1:{port}/live/{KEY}");
        Self { listens_at, url, options: &["-listen", "1", "-f", "flv"], ffmpeg: None }
    }

    fn srt() -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = format!("srt://127.0.0.1:{port}?passphrase={KEY}");
        let listens_at = format!("{at}&mode=listener");
        Self { url: format!("{at}&streamid=stage&latency=200"), listens_at, options: &["-f", "mpegts"], ffmpeg: None }
    }

    fn come(&mut self, file: &Path) {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y"]).args(self.options).args(["-i", &self.listens_at, "-c", "copy"]).arg(file);
        let ffmpeg = ffmpeg.stdin(Stdio::null()).stderr(Stdio::null()).spawn().expect("ffmpeg is installed");
        self.ffmpeg = Some((ffmpeg, file.to_owned()));
    }

    /// Ends without a word.
    fn killed(&mut self) {
        let (mut ffmpeg, _) = self.ffmpeg.take().expect("it runs");
        ffmpeg.kill().unwrap();
        ffmpeg.wait().unwrap();
    }

    /// What it kept, once it was told that nothing more comes.
    fn ended(&mut self) -> PathBuf {
        let (mut ffmpeg, file) = self.ffmpeg.take().expect("it runs");
        patiently("it hears the goodbye", || ffmpeg.try_wait().unwrap().is_some());
        file
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ffmpeg.is_some() {
            self.killed();
        }
    }
}

/// Takes TLS off what comes, and hands it on to that port; at which port of its own.
fn unwrap_tls(certificates: &Path, to: u16) -> u16 {
    make_certificates(certificates, &["localhost".to_owned()]).unwrap();
    let (tells, told) = std::sync::mpsc::sync_channel(1);
    let folder = certificates.join("keeper-1");
    std::thread::spawn(move || {
        let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tells.send(listener.local_addr().unwrap().port()).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let (Ok(mut near), Ok(mut far)) =
                        (acceptor.accept(stream).await, tokio::net::TcpStream::connect(("127.0.0.1", to)).await)
                    else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
    });
    told.recv().unwrap()
}

#[test]
fn servers_of_rtmp_and_srt_take_a_room_and_take_it_again_after_they_were_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (configuration, log) = (folder.path().join("tessera.toml"), folder.path().join("log"));
    std::fs::write(&configuration, "[push]\nallow_private = true\n[log]\nlevel = \"debug\"\n").unwrap();
    let flags = ["--config", configuration.to_str().unwrap()];
    let certificates = folder.path().join("certificates");
    let mut servers = [Server::rtmps(&certificates), Server::srt()];
    let (roots, log_file) = (certificates.join("ca.pem"), std::fs::File::create(&log).unwrap());
    // It trusts nobody else.
    let here = Node::start_logging(&flags, &[("SSL_CERT_FILE", roots.to_str().unwrap())], log_file);
    let load = Load::start(&here, "stage", 2, 600);
    block_on(here.wait_for_participants("stage", 2, PATIENCE));

    let pushes = format!("{}v1/rooms/stage/pushes", here.url);
    let mut places = Vec::new();
    for (n, server) in servers.iter_mut().enumerate() {
        server.come(&folder.path().join(format!("killed-{n}.mkv")));
        let (sound, asked) = [("aac", None), ("opus", Some("opus"))][n];
        let wish = json!({ "url": server.url, "sound": asked });
        let (status, location, begun) = ask(Method::POST, &pushes, Some(&wish));
        assert_eq!((status, begun["sound"].as_str()), (201, Some(sound)), "{begun}");
        assert!(!begun.to_string().contains(KEY), "{begun}");
        places.push(format!("{}{}", here.url.trim_end_matches('/'), location.expect("a place in Location")));
    }
    let state = |n: usize| ask(Method::GET, &pushes, None).2["pushes"][n].clone();
    let bytes = |n: usize| state(n)["bytes"].as_u64().unwrap();
    for (n, server) in servers.iter_mut().enumerate() {
        patiently("it is up and sends", || state(n)["state"] == "live" && bytes(n) > 50_000);
        assert_eq!(state(n)["codec"], "h264", "{}", state(n));
        server.killed();
    }
    for (n, server) in servers.iter_mut().enumerate() {
        patiently("that is noticed and told", || state(n)["failures"].as_u64() > Some(0));
        assert!(state(n)["last_error"].is_string() && !state(n).to_string().contains(KEY), "{}", state(n));
        server.come(&folder.path().join(format!("taken-{n}.mkv")));
        patiently("it resumes", || state(n)["state"] == "live");
    }
    let (begun, before) = (Instant::now(), [bytes(0), bytes(1)]);
    let wanted = Duration::from_secs(seconds());
    patiently("it is sent for long enough", || begun.elapsed() >= wanted.min(PATIENCE / 2));
    // Beyond half of what tests wait at most, nothing is looked at meanwhile.
    std::thread::sleep(wanted.saturating_sub(begun.elapsed()));
    for (n, before) in before.into_iter().enumerate() {
        assert!(state(n)["state"] == "live" && bytes(n) > before + 50_000 * seconds(), "{}", state(n));
    }
    for (server, place) in servers.iter_mut().zip(&places) {
        assert_eq!(ask(Method::DELETE, place, None).0, 204);
        let file = server.ended();
        assert!(decode(&file) > 15 * seconds(), "it has pictures");
        assert!(seen(&file, PEOPLE).is_superset(&BTreeSet::from([0, 1])), "all are seen");
        assert!(heard(&file).is_superset(&BTreeSet::from([0, 1])), "and heard");
    }
    assert_eq!(ask(Method::GET, &pushes, None).2, json!({ "pushes": [] }));
    load.stop();
    here.stop();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("a push fails") && !log.contains(KEY), "no log has a key: {log}");
}
