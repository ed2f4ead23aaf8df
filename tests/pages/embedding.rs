//! **The question:** does a call in another page's frame tell that page what goes on, and do what it asks?

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use super::PATIENCE;
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::Node;

/// A page of another origin, at every path; the frame's address stands behind its `?`.
const PORTAL: &str = "<!doctype html><title>Portal</title><iframe id=call width=900 height=600 \
     allow='camera; microphone; autoplay'></iframe><script>window.states = [];\
     addEventListener('message', (event) => { if (event.source === call.contentWindow) states.push(event.data); });\
     call.src = decodeURIComponent(location.search.slice(1));</script>";

/// Serves the portal for as long as the process lives; its origin.
fn portal() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            // One read holds the head of a request of a browser's; what it asks for does not matter.
            let _ = stream.read(&mut [0; 8192]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length:";
            let _ = stream.write_all(format!("{head} {}\r\n\r\n{PORTAL}", PORTAL.len()).as_bytes());
        }
    });
    origin
}

async fn told(browser: &Browser, what: &str, so: &str) {
    let script =
        format!("const last = window.states.at(-1); return Boolean(last && last.tessera === 'state' && ({so}));");
    browser.wait_for(what, &script, PATIENCE).await;
}

async fn say(browser: &Browser, message: &str) {
    let script = format!("document.getElementById('call').contentWindow.postMessage({message}, '*'); return true;");
    assert_eq!(browser.script(&script).await, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listed_page_has_a_call_in_its_frame_and_steers_it() {
    let portal = portal();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tessera.toml");
    std::fs::write(&config, format!("[http]\nembed_origins = [\"{portal}\"]\n")).unwrap();
    let node = Node::start_with(&["--config", config.to_str().unwrap()]);
    let driver = Driver::start().await;
    let frame = format!("{}r/party?name=Ada", node.url).replace(':', "%3A").replace('/', "%2F").replace('?', "%3F");
    let browser = driver.open(&format!("{portal}/?{frame}")).await;
    told(&browser, "the lobby", "last.phase === 'lobby' && last.people === 0 && last.microphone && last.camera").await;
    // What is no message of ours, or asks for what there is not, does nothing.
    for nonsense in ["null", "'join'", "{ tessera: 'constructor' }", "{ tessera: 'microphone', on: 'yes' }"] {
        say(&browser, nonsense).await;
    }
    say(&browser, "{ tessera: 'join' }").await;
    told(&browser, "it joined", "last.phase === 'call' && last.connected && last.people === 1").await;
    node.wait_for_participants("party", 1, PATIENCE).await;
    told(&browser, "its microphone is on", "last.microphone === true").await;
    say(&browser, "{ tessera: 'microphone', on: false }").await;
    told(&browser, "its microphone is off", "last.microphone === false").await;
    say(&browser, "{ tessera: 'leave' }").await;
    told(&browser, "it left", "last.phase === 'lobby' && !last.connected").await;
    // What is asked for on the way in is so in the call.
    told(&browser, "the lobby again", "last.phase === 'lobby' && last.microphone && last.camera").await;
    let at_once = "const frame = document.getElementById('call').contentWindow; \
         const asked = [{ tessera: 'join' }, { tessera: 'microphone', on: false }, { tessera: 'camera', on: false }]; \
         asked.forEach((one) => frame.postMessage(one, '*')); return true;";
    assert_eq!(browser.script(at_once).await, true);
    told(&browser, "it joined", "last.phase === 'call' && last.connected && !last.microphone && !last.camera").await;
    let names = browser.script("return JSON.stringify(window.states)").await;
    assert!(!names.as_str().unwrap().contains("Ada"), "no names are told: {names}");
    assert_eq!(browser.script("return document.title").await, Value::from("Portal"));
    browser.close().await;
    node.stop();
}
