//! **The question:** how does a test get a real S3 server, and take it away again? SeaweedFS on loopback, in a folder
//! and a process of its own; `.ci/seaweedfs` fetches it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3Builder;
use tempfile::TempDir;
use tessera::io::store::Vault;

pub const KEY: &str = "tessera-tests";
pub const SECRET: &str = "no secret at all";

/// An S3 server that can be killed and started again on the same files and ports.
pub struct Weed {
    folder: TempDir,
    ports: [u16; 9],
    webdav: bool,
    child: Option<Child>,
}

impl Weed {
    /// Starts one and waits until it answers.
    pub fn start() -> Self {
        Self::start_with(false)
    }

    /// Starts one that speaks WebDAV too, over the same files.
    pub fn start_with_webdav() -> Self {
        Self::start_with(true)
    }

    fn start_with(webdav: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identities = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }] });
        std::fs::write(folder.path().join("identities.json"), identities.to_string()).unwrap();
        let mut weed = Self { folder, ports: free_ports(), webdav, child: None };
        weed.up();
        weed
    }

    /// The address of its S3 door.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    /// The address of its WebDAV door.
    pub fn webdav(&self) -> String {
        assert!(self.webdav, "it was started without");
        format!("http://127.0.0.1:{}", self.ports[8])
    }

    /// `bucket` and a prefix in it as a vault, reached at `endpoint` (its own, or a proxy before it).
    pub fn vault_at(&self, endpoint: &str, bucket: &str) -> Vault {
        let builder = AmazonS3Builder::new()
            .with_access_key_id(KEY)
            .with_secret_access_key(SECRET)
            .with_region("us-east-1")
            .with_endpoint(endpoint)
            .with_allow_http(true);
        Vault::bucket(builder, &format!("s3://{bucket}/calls/here")).unwrap()
    }

    pub fn vault(&self, bucket: &str) -> Vault {
        self.vault_at(&self.endpoint(), bucket)
    }

    /// Makes a bucket; `versioned`: one that keeps what is deleted.
    pub fn bucket(&self, name: &str, versioned: bool) {
        self.request("PUT", name, "");
        if versioned {
            let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
            self.request("PUT", &format!("{name}?versioning="), on);
        }
    }

    /// Raw bytes of everything that it keeps on its disk.
    pub fn files(&self) -> Vec<PathBuf> {
        // Not its sockets.
        super::files_under(self.folder.path()).into_iter().filter(|path| path.is_file()).collect()
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts it again.
    pub fn up(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let at = |name: &str| self.folder.path().join(name).to_str().unwrap().to_owned();
        let names = ["master.port", "master.port.grpc", "volume.port", "volume.port.grpc"];
        let names = names.into_iter().chain(["filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"]);
        let webdav =
            [format!("-webdav.port={}", self.ports[8]), format!("-webdav.cacheDir={}", at("webdav")), "-webdav".into()];
        let child = Command::new(program())
            .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .args(names.zip(self.ports).map(|(name, port)| format!("-{name}={port}")))
            .arg(format!("-dir={}", self.folder.path().display()))
            .arg(format!("-s3.config={}", at("identities.json")))
            .arg(format!("-s3.localSocket={}", at("s3.sock")))
            .arg(format!("-filer.localSocket={}", at("filer.sock")))
            .args(["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=16"])
            .args([
                "-s3.iam=false",
                "-s3.autoCreateBucket=false",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-master.volumePreallocate=false",
            ])
            .args(webdav.into_iter().filter(|_| self.webdav))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("SeaweedFS starts");
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        while !self.answers() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "SeaweedFS never answered:\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    // Storing takes a volume server that has told the master of itself, later than the door opens.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.ports[6])) else { return false };
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let runtime = super::runtime();
        let webdav = !self.webdav || TcpStream::connect(("127.0.0.1", self.ports[8])).is_ok();
        webdav && answer.starts_with(b"HTTP") && {
            self.bucket("probe", false);
            runtime.block_on(self.vault("probe").check_residues()).is_ok()
        }
    }

    // `object_store` makes no buckets; curl signs requests.
    fn request(&self, method: &str, path: &str, body: &str) {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10", "--aws-sigv4", "aws:amz:us-east-1:s3", "-X", method, "--data", body])
            .args(["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-w", "%{http_code}"])
            .args(["--user", &format!("{KEY}:{SECRET}"), &format!("{}/{path}", self.endpoint())])
            .output()
            .expect("curl is installed");
        let told = String::from_utf8_lossy(&output.stdout);
        // 409: it is there already.
        assert!(told.ends_with("200") || told.ends_with("409"), "{output:?}");
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A door before the server that can be told to answer 500 to everything.
pub struct Proxy {
    port: u16,
    failing: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub fn before(weed: &Weed) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = weed.ports[6];
        let proxy = Self { port: listener.local_addr().unwrap().port(), failing: Arc::default(), open: Arc::default() };
        let (failing, open) = (proxy.failing.clone(), proxy.open.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                if failing.load(Ordering::SeqCst) {
                    std::thread::spawn(move || refuse(near));
                    continue;
                }
                let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
                let [near2, far2] = [&near, &far].map(|stream| stream.try_clone().unwrap());
                open.lock().unwrap().extend([&near, &far].map(|stream| stream.try_clone().unwrap()));
                std::thread::spawn(move || forward(near, far));
                std::thread::spawn(move || forward(far2, near2));
            }
        });
        proxy
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on everything is answered with 500, or no more; what is under way is cut.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}

fn refuse(mut near: TcpStream) {
    near.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut request = [0; 65_536];
    while near.read(&mut request).is_ok_and(|read| read > 0) {}
    let _ = near.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/// The program.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/seaweedfs");
        let output = Command::new(script).output().expect(".ci/seaweedfs runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

/// Below those that the system gives out by itself: nobody else takes one while the server is down.
fn free_ports() -> [u16; 9] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let sockets: Vec<_> = std::iter::repeat_with(|| {
        let turn = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        TcpListener::bind(("127.0.0.1", 10_000 + u16::try_from(turn % 20_000).unwrap()))
    })
    .take(20_000)
    .flatten()
    .take(9)
    .collect();
    std::array::from_fn(|n| sockets[n].local_addr().unwrap().port())
}
