//! **The question:** how is Firefox moved where there is no driver for it? By Marionette, its own protocol, which takes
//! WebDriver's commands by name: a message is `length:[0, id, name, parameters]`, its answer `length:[1, id, error,
//! result]` (Firefox source docs, "Marionette: Protocol").

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Debian's.
const FIREFOX: &str = "firefox-esr";
const PREFERENCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/firefox.json");
const PATIENCE: Duration = Duration::from_secs(60);

/// One Firefox; it ends with this.
pub struct Firefox {
    child: Child,
    stream: TcpStream,
    sent: u64,
}

impl Firefox {
    /// Starts it with a profile in `folder`, and waits until it takes commands.
    pub async fn start(folder: &Path) -> Self {
        let text = std::fs::read_to_string(PREFERENCES).expect("the file stands beside the clients");
        let preferences: serde_json::Map<String, Value> = serde_json::from_str(&text).expect("the file is JSON");
        let lines = preferences.iter().map(|(name, value)| format!("user_pref({name:?}, {value});\n"));
        std::fs::write(folder.join("user.js"), lines.collect::<String>()).expect("the folder is ours");
        let mut child = Command::new(FIREFOX)
            .args(["--headless", "--no-remote", "--marionette", "--profile"])
            .arg(folder)
            .env("HOME", folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{FIREFOX} (Debian package firefox-esr): {error}"));
        let until = Instant::now() + PATIENCE;
        let port = loop {
            let told = std::fs::read_to_string(folder.join("MarionetteActivePort")).ok();
            if let Some(port) = told.and_then(|text| text.trim().parse::<u16>().ok()) {
                break port;
            }
            let ended = child.try_wait().expect("it is ours");
            assert!(ended.is_none() && Instant::now() < until, "Firefox never said its port: {ended:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens where it says");
        let mut firefox = Self { child, stream, sent: 0 };
        firefox.receive().await;
        firefox.command("WebDriver:NewSession", json!({})).await;
        firefox.command("WebDriver:SetTimeouts", json!({ "script": PATIENCE.as_millis() as u64 })).await;
        firefox
    }

    /// What a command gives.
    pub async fn command(&mut self, name: &str, parameters: Value) -> Value {
        self.sent += 1;
        let text = json!([0, self.sent, name, parameters]).to_string();
        let message = format!("{}:{text}", text.len());
        self.stream.write_all(message.as_bytes()).await.expect("Firefox reads");
        let mut answer = self.receive().await;
        assert!(answer[2].is_null(), "{name}: {}", answer[2]);
        match &mut answer[3] {
            Value::Object(fields) if fields.contains_key("value") => fields["value"].take(),
            other => other.take(),
        }
    }

    /// Shows pages in a window of such columns and rows, and of dark or light colours.
    pub async fn show_as(&mut self, (width, height): (u32, u32), scheme: &str) {
        self.command("WebDriver:SetWindowRect", json!({ "width": width, "height": height })).await;
        let script = format!(
            "Services.prefs.setIntPref('layout.css.prefers-color-scheme.content-override', {});",
            u8::from(scheme == "light")
        );
        self.command("Marionette:SetContext", json!({ "value": "chrome" })).await;
        self.command("WebDriver:ExecuteScript", json!({ "script": script, "args": [] })).await;
        self.command("Marionette:SetContext", json!({ "value": "content" })).await;
    }

    /// Ends it as a person does.
    pub async fn quit(mut self) {
        self.command("Marionette:Quit", json!({ "flags": ["eAttemptQuit"] })).await;
        let until = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("it is ours").is_none() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn receive(&mut self) -> Value {
        let mut length = 0_usize;
        loop {
            match self.stream.read_u8().await.expect("Firefox lives") {
                b':' => break,
                digit => length = length * 10 + usize::from(digit - b'0'),
            }
        }
        let mut text = vec![0; length];
        self.stream.read_exact(&mut text).await.expect("a message is whole");
        serde_json::from_slice(&text).expect("Marionette speaks JSON")
    }
}

impl Drop for Firefox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The driver itself, on a page without a node.
#[tokio::test]
async fn firefox_types_clicks_and_looks() {
    // It opens no data: address.
    let browser = super::driver::Browser::firefox("about:blank").await;
    let page = "document.body.innerHTML = '<input id=i value=old><button id=b>go</button>'; \
         document.getElementById('b').onclick = () => (document.title = document.getElementById('i').value);";
    browser.script(page).await;
    browser.fill("#i", "Grüße").await;
    browser.click("#b").await;
    browser.wait_for("the title", "return document.title === 'Grüße';", Duration::from_secs(5)).await;
    assert_eq!(browser.script_async("const done = arguments[0]; setTimeout(() => done(7), 1);").await, 7);
    let shot = std::fs::read(browser.screenshot("firefox").await).unwrap();
    assert!(shot.starts_with(b"\x89PNG\r\n\x1a\n"), "a PNG came through");
    browser.close().await;
}
