//! **The question:** are recordings listed, played and erased by a person in a browser, and listed on a terminal?

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};
use crate::keepers::process::wait_until;
use crate::retention::deadline::{BINARY, TOKEN, plain_get, wait_until_recorded};

/// What somebody may call themselves who means no good.
const OWNER: &str = "<img src=x onerror=document.title='owned'>\u{202e}";

/// A node that records who asks, with one finished recording of a named owner; its name.
async fn recorded(node: &Node) -> String {
    let load = Load::start(node, "a.b", 2, 600);
    node.wait_for_participants("a.b", 2, PATIENCE).await;
    let client = crate::browser::driver::client();
    let wish = client.post(format!("{}v1/rooms/a.b/recording", node.url)).json(&json!({ "owner": OWNER }));
    assert_eq!(wish.send().await.unwrap().status(), 201);
    let wait = |what: fn(&Node)| tokio::task::block_in_place(|| what(node));
    // A fragment is at most 2 s long, and shorter where somebody asked for a keyframe; the page seeks in more than 5 s.
    wait(|node| wait_until_recorded(node, 14));
    load.stop();
    wait(|node| wait_until("it is final", || list(node)["recordings"][0]["state"] == "final"));
    list(node)["recordings"][0]["recording"].as_str().unwrap().to_owned()
}

fn list(node: &Node) -> Value {
    serde_json::from_slice(&plain_get(node, "recordings").1).unwrap()
}

/// A node that records a room once somebody asks.
pub(super) fn node_that_records(folder: &Path) -> Node {
    let config = folder.join("tessera.toml");
    std::fs::write(&config, "[recording]\nenabled = true\nstart = \"asked\"\nparticipants_may_record = true\n")
        .unwrap();
    let store = folder.join("rec");
    let flags = ["--config", config.to_str().unwrap(), "--recordings", store.to_str().unwrap()];
    Node::start_in(&flags, &[("TESSERA_RECORDINGS_TOKEN", TOKEN)])
}

async fn shows(browser: &Browser, what: &str, script: &str) {
    browser.wait_for(what, script, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_is_listed_played_by_its_chapters_and_erased_in_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_that_records(folder.path());
    let name = recorded(&node).await;
    let driver = Driver::start().await;

    let browser = driver.open(&format!("{}recordings", node.url)).await;
    shows(&browser, "it asks for the token", "return !document.getElementById('token-form').hidden").await;
    assert_fits_a_phone(&browser).await;
    browser.fill("#token", "not the token of this node").await;
    browser.click("#token-form .primary").await;
    let refused = "return document.getElementById('problem').textContent.includes('opens no recordings')";
    shows(&browser, "a wrong one opens nothing", refused).await;
    assert_eq!(browser.script("return sessionStorage.length").await, 0);
    browser.fill("#token", TOKEN).await;
    browser.click("#token-form .primary").await;
    shows(&browser, "one is listed", "return document.querySelectorAll('#list li').length === 1").await;
    let text = browser.script("return document.getElementById('list').textContent").await;
    let text = text.as_str().unwrap();
    assert!(text.contains("a.b") && text.contains(OWNER) && text.contains("gone in 6 d"), "{text}");
    let markup = "return [document.querySelectorAll('#list img').length, document.title, localStorage.length]";
    assert_eq!(browser.script(markup).await, json!([0, "Recordings · Tessera", 0]));

    browser.click("[data-does=play]").await;
    let plays = "const v = document.getElementById('video'); return v.currentTime > 0.5 && v.duration > 5 && \
         Number.isFinite(v.duration) && v.videoWidth > 100";
    shows(&browser, "it plays", plays).await;
    shows(&browser, "its chapters stand beside it", "return !!document.querySelector('#chapters button')").await;
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    // Of a short recording the first chapter may begin at either end: it is led to from the other.
    let far = "const v = document.getElementById('video'); window.place = v.textTracks[0].cues[0].startTime; \
         v.pause(); v.currentTime = place > v.duration / 2 ? 0 : v.duration - 1; return true";
    browser.script(far).await;
    shows(&browser, "it seeks", "const v = document.getElementById('video'); return !v.seeking && v.readyState > 1")
        .await;
    browser.click("#chapters button").await;
    let begins = "const v = document.getElementById('video'); \
         return !v.seeking && Math.abs(v.currentTime - place) < v.duration / 3";
    shows(&browser, "a chapter leads to its place", begins).await;

    browser.click("[data-does=delete]").await;
    shows(&browser, "it asks first", "return document.getElementById('ask').open").await;
    browser.click("#ask .plain").await;
    shows(&browser, "no means no", "return !document.getElementById('ask').open").await;
    assert_eq!(plain_get(&node, &format!("recordings/{name}")).0, 200);
    browser.click("[data-does=delete]").await;
    browser.click("#ask-yes").await;
    shows(&browser, "nothing is left", "return !document.getElementById('empty').hidden").await;
    assert_eq!(browser.script("return document.getElementById('player').hidden").await, true);
    assert_eq!(plain_get(&node, &format!("recordings/{name}")).0, 410);

    // A link that carries the token behind its # leaves none in the address.
    let linked = driver.open(&format!("{}recordings#token={}", node.url, TOKEN.replace(' ', "%20"))).await;
    shows(&linked, "it opened", "return !document.getElementById('empty').hidden && location.hash === ''").await;
    linked.close().await;
    browser.close().await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_are_a_table_on_a_terminal_and_json_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_that_records(folder.path());
    let name = recorded(&node).await;
    let store = folder.path().join("rec");
    let list = [BINARY, "recordings", "list", "--store", store.to_str().unwrap()];
    // Debian's util-linux gives it a terminal.
    let on_terminal = |more: &str| {
        let command = format!("{} {more}", list.join(" "));
        let done = Command::new("script").args(["-qec", &command, "/dev/null"]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let table = on_terminal("");
    let line = table.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains("  a.b  ") && line.contains("  in 6 d ") && line.contains(" s  "), "{table}");
    assert!(table.contains("RECORDING") && !table.contains('\u{202e}'), "{table}");
    let of_pipe = Command::new(list[0]).args(&list[1..]).output().unwrap().stdout;
    for json in [of_pipe, on_terminal("--json").into_bytes()] {
        let text = String::from_utf8(json).unwrap();
        let told: Value = serde_json::from_str(&text[text.find('{').unwrap()..]).unwrap();
        assert_eq!(
            (&told["recordings"][0]["recording"], &told["recordings"][0]["owner"]),
            (&json!(name), &json!(OWNER))
        );
        assert!(told["now"].is_string() && told["recordings"][0]["bytes"].as_u64() > Some(0), "{told}");
    }
    node.stop();
}
