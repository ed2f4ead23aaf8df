//! **The question:** how does a test move a browser? The few WebDriver commands (W3C WebDriver, level 2) it takes, to
//! Debian's chromedriver, with headless Chromium's fake camera and microphone, or to Firefox by
//! [`firefox`](super::firefox).

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::firefox::Firefox;

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
/// In such parts of a second Linux tells processor times (proc(5)).
const USER_HZ: f64 = 100.0;
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
    by: By,
    _profile: TempDir,
}

/// How it is spoken to.
enum By {
    /// Chromium: chromedriver's client, and the session's address.
    Driver(Client, String),
    /// Firefox, by itself.
    Marionette(Mutex<Firefox>),
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
        let browser = Browser { by: By::Driver(self.client.clone(), session), _profile: profile };
        browser.go(url).await;
        browser
    }

    /// Processor time that all its browsers took so far, in seconds.
    pub fn processor_seconds(&self) -> f64 {
        let took = descendants(self.child.id()).into_iter().filter_map(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
            Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
        });
        took.sum::<u64>() as f64 / USER_HZ
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
    /// Firefox at `url`, headless, with a camera and microphone that it makes up.
    pub async fn firefox(url: &str) -> Self {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let firefox = Firefox::start(profile.path()).await;
        let browser = Self { by: By::Marionette(Mutex::new(firefox)), _profile: profile };
        browser.go(url).await;
        browser
    }

    /// Goes to another page.
    pub async fn go(&self, url: &str) {
        self.command(Method::POST, "/url", "Navigate", json!({ "url": url })).await;
    }

    /// Types into the field that a CSS selector finds, in place of what is there.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("/element/{element}/clear"), "ElementClear", json!({ "id": element }))
            .await;
        let typed = json!({ "id": element, "text": text });
        self.command(Method::POST, &format!("/element/{element}/value"), "ElementSendKeys", typed).await;
    }

    /// Clicks what a CSS selector finds.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.command(Method::POST, &format!("/element/{element}/click"), "ElementClick", json!({ "id": element }))
            .await;
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Value {
        let told = json!({ "script": script, "args": [] });
        self.command(Method::POST, "/execute/sync", "ExecuteScript", told).await
    }

    /// What a script gives to its last argument, a function.
    pub async fn script_async(&self, script: &str) -> Value {
        let told = json!({ "script": script, "args": [] });
        self.command(Method::POST, "/execute/async", "ExecuteAsyncScript", told).await
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
        let encoded = self.command(Method::GET, "/screenshot", "TakeScreenshot", json!({ "full": false })).await;
        let bytes = base64(encoded.as_str().expect("a screenshot is text"));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("the build's folder can be written");
        path
    }

    /// Shows the page as a device of that many columns and rows does, in its dark or light colours. Firefox's window is
    /// never as narrow as a phone.
    pub async fn show_as(&self, (width, height): (u32, u32), scheme: &str) {
        if let By::Marionette(firefox) = &self.by {
            return firefox.lock().await.show_as((width, height), scheme).await;
        }
        let of = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.chromium("Emulation.setDeviceMetricsOverride", of).await;
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.chromium("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// What the pages opened from now on ask of such addresses (`*`: anything) fails, as where a network lets nothing
    /// through. Chromium's alone.
    pub async fn block(&self, addresses: &[&str]) {
        self.chromium("Network.enable", json!({})).await;
        self.chromium("Network.setBlockedURLs", json!({ "urls": addresses })).await;
    }

    /// What the page wrote to its console; Firefox does not tell.
    pub async fn console(&self) -> Value {
        match &self.by {
            By::Driver(client, session) => {
                let of = Some(json!({ "type": "browser" }));
                command(client, Method::POST, &format!("{session}/se/log"), of).await
            }
            By::Marionette(_) => Value::Null,
        }
    }

    /// Closes the browser as a person does: the page hears of it.
    pub async fn close(self) {
        match self.by {
            By::Driver(client, session) => {
                command(&client, Method::DELETE, &session, None).await;
            }
            By::Marionette(firefox) => firefox.into_inner().quit().await,
        }
    }

    async fn find(&self, selector: &str) -> String {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.command(Method::POST, "/element", "FindElement", by).await;
        found[ELEMENT].as_str().expect("an element has an id").to_owned()
    }

    /// A command of Chromium's own (Chrome DevTools Protocol).
    async fn chromium(&self, name: &str, parameters: Value) {
        let By::Driver(client, session) = &self.by else { panic!("Firefox has no {name}") };
        let body = json!({ "cmd": name, "params": parameters });
        command(client, Method::POST, &format!("{session}/goog/cdp/execute"), Some(body)).await;
    }

    /// One command of WebDriver: over HTTP by its path, by Marionette by its name, with the same parameters.
    async fn command(&self, method: Method, path: &str, name: &str, parameters: Value) -> Value {
        match &self.by {
            By::Driver(client, session) => {
                let body = (method == Method::POST).then_some(parameters);
                command(client, method, &format!("{session}{path}"), body).await
            }
            By::Marionette(firefox) => firefox.lock().await.command(&format!("WebDriver:{name}"), parameters).await,
        }
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
