//! **The question:** how does a test move a browser? The few WebDriver commands (W3C WebDriver, level 2) it takes, to
//! Debian's chromedriver, with headless Chromium's fake camera and microphone.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

const CHROMEDRIVER: &str = "/usr/bin/chromedriver";
const CHROMIUM: &str = "/usr/bin/chromium";
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,800",
];
/// How WebDriver names an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A chromedriver of this test's own, on a free port. Chromium ends with it.
pub struct Driver {
    child: Child,
    base: String,
    client: Client,
}

/// One browser with an empty profile.
pub struct Browser {
    client: Client,
    session: String,
    _profile: TempDir,
}

/// An HTTP client; reqwest wants a provider even for plain HTTP, and another test may have installed it.
pub fn client() -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(60)).build().expect("a client without special wishes")
}

impl Driver {
    /// Starts chromedriver and waits until it says its port.
    pub async fn start() -> Self {
        let mut child = Command::new(CHROMEDRIVER)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{CHROMEDRIVER} (Debian package chromium-driver): {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let rest = line.split("started successfully on port ").nth(1)?;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says its port once it has started");
        std::thread::spawn(move || lines.for_each(|_| {}));
        Self { child, base: format!("http://127.0.0.1:{port}"), client: client() }
    }

    /// Opens a browser at `url`.
    pub async fn open(&self, url: &str) -> Browser {
        self.open_with(url, &[]).await
    }

    /// As `open`, with more flags.
    pub async fn open_with(&self, url: &str, more: &[&str]) -> Browser {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut flags: Vec<String> = FLAGS.map(String::from).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.extend(more.iter().map(|flag| (*flag).to_owned()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": CHROMIUM, "args": flags },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = command(&self.client, Method::POST, &format!("{}/session", self.base), Some(wanted)).await;
        let session = format!("{}/session/{}", self.base, made["sessionId"].as_str().expect("a session has an id"));
        let browser = Browser { client: self.client.clone(), session, _profile: profile };
        browser.command(Method::POST, "/url", Some(json!({ "url": url }))).await;
        browser
    }
}

impl Drop for Driver {
    /// Its browsers too: a test that failed did not close them, and they would weigh on those that follow.
    fn drop(&mut self) {
        for pid in descendants(self.child.id()) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It may have ended by itself.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes that a process started, and those that these started.
fn descendants(of: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = processes
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name stands in brackets and may hold anything; the state and the parent follow it.
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent))
        })
        .collect();
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let children = parents.iter().filter(|(_, parent)| *parent == found[at]).map(|(pid, _)| *pid);
        found.extend(children.collect::<Vec<_>>());
        at += 1;
    }
    found.split_off(1)
}

impl Browser {
    /// Types into the field that a CSS selector finds, in place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("/element/{element}/clear"), Some(json!({}))).await;
        self.command(Method::POST, &format!("/element/{element}/value"), Some(json!({ "text": text }))).await;
    }

    /// Clicks what a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("/element/{element}/click"), Some(json!({}))).await;
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        self.command(Method::POST, "/execute/sync", Some(json!({ "script": script, "args": [] }))).await
    }

    /// What a script gives to its last argument, a function.
    pub async fn script_async(&self, script: &str) -> Value {
        self.command(Method::POST, "/execute/async", Some(json!({ "script": script, "args": [] }))).await
    }

    /// Runs a script until it returns `true`.
    pub async fn wait_for(&self, what: &str, script: &str, patience: Duration) {
        let until = Instant::now() + patience;
        while self.script(script).await != true {
            assert!(Instant::now() < until, "never: {what}; screenshot {}", self.screenshot("gave-up").await.display());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Writes a PNG beside the other build outputs and says where.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let encoded = self.command(Method::GET, "/screenshot", None).await;
        let bytes = base64(encoded.as_str().expect("a screenshot is text"));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("the build's folder can be written");
        path
    }

    /// Shows the page as a device of that many columns and rows does, in its dark or light colours.
    pub async fn show_as(&self, (width, height): (u32, u32), scheme: &str) {
        let of = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        let metrics = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params": of });
        self.command(Method::POST, "/goog/cdp/execute", Some(metrics)).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.command(Method::POST, "/goog/cdp/execute", Some(media)).await;
    }

    /// What the pages opened from now on ask of such addresses (`*`: anything) fails, as where a network lets nothing
    /// through.
    pub async fn block(&self, addresses: &[&str]) {
        for (command, of) in [("Network.enable", json!({})), ("Network.setBlockedURLs", json!({ "urls": addresses }))] {
            let body = json!({ "cmd": command, "params": of });
            self.command(Method::POST, "/goog/cdp/execute", Some(body)).await;
        }
    }

    /// What the page wrote to its console.
    pub async fn console(&self) -> Value {
        self.command(Method::POST, "/se/log", Some(json!({ "type": "browser" }))).await
    }

    /// Closes the browser as a person does: the page hears of it.
    pub async fn close(self) {
        self.command(Method::DELETE, "", None).await;
    }

    async fn find(&self, selector: &str) -> String {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.command(Method::POST, "/element", Some(by)).await;
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    async fn command(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        command(&self.client, method, &format!("{}{path}", self.session), body).await
    }
}

async fn command(client: &Client, method: Method, url: &str, body: Option<Value>) -> Value {
    let request = client.request(method, url);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let response = request.send().await.expect("chromedriver answers");
    let (ok, mut answer) =
        (response.status().is_success(), response.json::<Value>().await.expect("WebDriver speaks JSON"));
    assert!(ok, "{url}: {}", answer["value"]);
    answer["value"].take()
}

/// Decodes base64 (RFC 4648 section 4); what is not in its alphabet is padding.
fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let (mut bytes, mut bits, mut held) = (Vec::with_capacity(text.len() / 4 * 3), 0_u32, 0);
    for value in text.bytes().filter_map(digit) {
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    bytes
}

/// The driver itself, on a page without a node: what the other tests rely on.
#[tokio::test]
async fn the_driver_types_clicks_and_looks() {
    let driver = Driver::start().await;
    let page = "data:text/html,<input id=i value=old><button id=b onclick='document.title=i.value'>go</button>";
    let browser = driver.open(page).await;
    browser.fill("#i", "Grüße").await;
    browser.click("#b").await;
    browser.wait_for("the title", "return document.title === 'Grüße';", Duration::from_secs(5)).await;
    assert_eq!(browser.script_async("const done = arguments[0]; setTimeout(() => done(7), 1);").await, 7);
    let shot = std::fs::read(browser.screenshot("driver").await).unwrap();
    assert!(shot.starts_with(b"\x89PNG\r\n\x1a\n") && shot.ends_with(b"IEND\xaeB`\x82"), "a whole PNG came through");
    browser.close().await;
}
