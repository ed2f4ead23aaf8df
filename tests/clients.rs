//! **The question:** do other people's clients take part? Chromium as it is and as others are (H.264 alone as Safari
//! offers it, VP8 alone), Firefox, FFmpeg's WHIP muxer, aiortc, GStreamer: all in one room, each seen by each that
//! watches, and each of those hears the room.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::driver::{Browser, Driver};
use crate::browser::node::Node;

/// How long it may take until all are there and seen, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(150);
pub const ROOM: &str = "clients";
/// Samples of one colour by which somebody counts as seen; a tile of a dozen has some 30 of all 576.
const SEEN: usize = 8;
/// How far a channel may be off: colours of browsers are full or limited, and 4:2:0 bleeds.
const APART: i32 = 60;
/// RMS by which a room counts as heard.
const HEARD: f64 = 0.001;

/// Connections of the one Chromium, by what its list of codecs is filtered to. Chromium knows Main and not Constrained
/// High, which Safari prefers: it says one in the other's place.
fn people() -> Value {
    json!([
        { "name": "Chromium", "colour": "00ffff", "codecs": ["AV1", "VP9", "VP8"] },
        { "name": "H.264, Constrained Baseline", "colour": "ff8000", "codecs": ["42e01f"] },
        { "name": "H.264, Safari's list", "colour": "008040", "codecs": ["4d001f", "42e01f"],
          "disguise": ["4d001f", "640c1f"] },
        { "name": "VP8 alone", "colour": "ff80c0", "codecs": ["VP8"] },
    ])
}

/// A client that is a program: it publishes its colour, and says what it sees unless it only publishes.
pub struct Client {
    name: &'static str,
    colour: &'static str,
    watches: bool,
    child: Child,
    told: Arc<Mutex<Value>>,
    _folder: TempDir,
}

impl Client {
    fn start(name: &'static str, colour: &'static str, program: &Path, arguments: &[&str]) -> Self {
        use std::os::unix::process::CommandExt;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut child = Command::new(program)
            .args(arguments)
            .env("PYTHONPATH", packages())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // What it starts ends with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}, {}: {error}", program.display()));
        let told = Arc::new(Mutex::new(Value::Null));
        let (lines, newest) = (BufReader::new(child.stdout.take().expect("stdout is piped")).lines(), told.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                *newest.lock().unwrap_or_else(PoisonError::into_inner) =
                    serde_json::from_str(&line).unwrap_or_default();
            }
        });
        Self { name, colour, watches: true, child, told, _folder: folder }
    }

    /// One of `tests/clients/`.
    pub fn script(
        name: &'static str,
        colour: &'static str,
        node: &Node,
        python: &str,
        script: &str,
        more: &[&str],
    ) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let script = script.to_str().expect("the path of the sources is UTF-8");
        Self::start(name, colour, Path::new(python), &[&[script, &node.url, ROOM, colour], more].concat())
    }

    /// FFmpeg, which sends H.264 of a profile; it has no WHEP.
    fn ffmpeg(name: &'static str, colour: &'static str, node: &Node, profile: &str) -> Self {
        let picture = format!("color=c=0x{colour}:s=160x120:r=5");
        let url = format!("{}whip/{ROOM}", node.url);
        let inputs = ["-re", "-f", "lavfi", "-i", &picture, "-re", "-f", "lavfi", "-i", "sine=f=880:r=48000"];
        let pictures = ["-c:v", "libx264", "-profile:v", profile, "-preset", "ultrafast", "-bf", "0", "-g", "10"];
        let output = ["-pix_fmt", "yuv420p", "-c:a", "libopus", "-ac", "2", "-f", "whip"];
        // Of a machine that has ten other clients to start.
        let output = [&output[..], &["-handshake_timeout", "60000", &url]].concat();
        let quiet = ["-hide_banner", "-loglevel", "error", "-nostdin"];
        let program = packages().join("imageio_ffmpeg/binaries");
        let program = std::fs::read_dir(program).expect("the package has a program").map_while(Result::ok);
        let program = program.map(|file| file.path()).find(|file| file.to_string_lossy().contains("/ffmpeg-"));
        let arguments = [&quiet[..], &inputs[..], &pictures[..], &output[..]].concat();
        let program = program.expect("imageio-ffmpeg brings FFmpeg");
        let mut client = Self::start(name, colour, &program, &arguments);
        client.watches = false;
        client
    }

    pub fn told(&self) -> Value {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has a positive pid");
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Where the Python packages lie.
pub fn packages() -> PathBuf {
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/clients"))
        .output()
        .expect("a shell runs .ci/clients");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// Which of `colours` are not to be seen in what a client tells; and whether it hears nothing.
pub fn lacks<'a>(told: &Value, colours: &[(&'a str, &str)]) -> Vec<&'a str> {
    let channels = |hex: &str| -> Option<[i32; 3]> {
        let value = u32::from_str_radix(hex, 16).ok()?;
        Some([16, 8, 0].map(|shift| (value >> shift & 0xff) as i32))
    };
    let pixels = told["pixels"].as_array().map(Vec::as_slice).unwrap_or_default();
    let pixels: Vec<[i32; 3]> = pixels.iter().filter_map(|pixel| channels(pixel.as_str()?)).collect();
    let sees = |colour: &str| {
        let wanted = channels(colour).expect("six digits");
        let near = |pixel: &&[i32; 3]| (0..3).all(|channel| (pixel[channel] - wanted[channel]).abs() < APART);
        pixels.iter().filter(near).count() >= SEEN
    };
    let mut lacking: Vec<&str> = colours.iter().filter(|(_, colour)| !sees(colour)).map(|(name, _)| *name).collect();
    if told["loudness"].as_f64().unwrap_or(0.0) < HEARD {
        lacking.push("sound");
    }
    lacking
}

/// What the connections of Chromium tell, by name.
async fn browsers(browser: &Browser) -> Value {
    let script = include_str!("clients/chromium.js");
    browser.script_async(&format!("const room = {:?}; const people = {};\n{script}", ROOM, people())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_all_kinds_see_and_hear_each_other() {
    // Eleven clients and three encodes share the cores of whoever tests: the picture is small and slow.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("tessera.toml");
    std::fs::write(&config, "[video]\nwidth = 640\nheight = 360\nfps = 15\nbitrate = 800000\n").expect("it is ours");
    let node = Node::start_with(&["--config", config.to_str().expect("it is UTF-8")]);
    let driver = Driver::start().await;
    let browser = driver.open(&node.url).await;
    let begun = browsers(&browser).await;
    assert_eq!(begun, Value::Null, "Chromium's connections come up");
    let clients = [
        Client::script("Firefox", "ff00ff", &node, "python3", "fox.py", &[]),
        Client::script("aiortc, VP8", "ff0000", &node, "python3", "peer.py", &["440", "VP8", "VP8"]),
        // And who tells of the certificate by SHA-512 alone.
        Client::script("aiortc, H.264", "00ff00", &node, "python3", "peer.py", &["550", "H264", "H264", "sha-512"]),
        Client::script("GStreamer, VP8", "0000ff", &node, "/usr/bin/python3", "gst.py", &["660", "VP8"]),
        Client::script("GStreamer, H.264", "8000ff", &node, "/usr/bin/python3", "gst.py", &["770", "H264"]),
        Client::ffmpeg("FFmpeg, Baseline", "ffff00", &node, "baseline"),
        Client::ffmpeg("FFmpeg, High", "ffffff", &node, "high"),
    ];
    let people = people();
    let people = people.as_array().expect("a list");
    let word = |person: &Value, key: &str| person[key].as_str().expect("a word").to_owned();
    let people: Vec<(String, String)> =
        people.iter().map(|person| (word(person, "name"), word(person, "colour"))).collect();
    let colours: Vec<(&str, &str)> = clients
        .iter()
        .map(|client| (client.name, client.colour))
        .chain(people.iter().map(|(name, colour)| (&**name, &**colour)))
        .collect();
    let end = Instant::now() + PATIENCE;
    loop {
        let chromium = browsers(&browser).await;
        let watching = clients.iter().filter(|client| client.watches).map(|client| (client.name, client.told()));
        let all = watching.chain(people.iter().map(|(name, _)| (&**name, chromium[name].clone())));
        let missing: Vec<String> = all
            .map(|(name, told)| (name, lacks(&told, &colours)))
            .filter(|(_, lacking)| !lacking.is_empty())
            .map(|(name, lacking)| format!("{name} lacks {}", lacking.join(", ")))
            .collect();
        if missing.is_empty() {
            break;
        }
        let shot = browser.screenshot("clients").await;
        assert!(Instant::now() < end, "never:\n{}\nscreenshot {}", missing.join("\n"), shot.display());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    browser.close().await;
    drop(clients);
    node.stop();
}
