//! **The question:** do two people in a browser find in the page of a call what they would do there?

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Browser, Driver, client};
use crate::browser::enter;
use crate::browser::node::Node;

const MARKUP: &str = "<img src=x onerror=\"document.title='run'\"> & <script>document.title = 'run'</script>";

async fn joined(driver: &Driver, node: &Node, name: &str) -> Browser {
    let browser = driver.open(&format!("{}r/talk", node.url)).await;
    enter(&browser, name).await;
    let is_in = "return tessera.connected && tessera.tiles.length > 0 && document.getElementById('waiting').hidden;";
    browser.wait_for("the call", is_in, PATIENCE).await;
    browser
}

async fn says(browser: &Browser, text: &str) {
    browser.fill("#chat-text", text).await;
    browser.click("#chat-send").await;
}

async fn reads(browser: &Browser, texts: &[&str]) {
    let texts = serde_json::to_string(texts).unwrap();
    let script = format!("return JSON.stringify(tessera.lines.map((line) => line.text)) === JSON.stringify({texts});");
    browser.wait_for("the lines of the chat", &script, PATIENCE).await;
}

/// Who holds the key is heard until it is let go, also where the page is not told so.
async fn a_key_that_is_let_go_elsewhere_is_let_go(browser: &Browser) {
    let rule = |on: bool| {
        let headers = "{ 'Content-Type': 'application/json' }";
        let init = format!("{{ method: 'PATCH', headers: {headers}, body: '{{\"push_to_talk\":{on}}}' }}");
        format!("fetch('/v1/rooms/talk/moderation', {init});")
    };
    let hushed = |so: bool| {
        format!("return tessera.participants.find((one) => one.id === tessera.participant)?.hushed === {so};")
    };
    browser.script(&rule(true)).await;
    browser.wait_for("a key is to be held", &hushed(true), PATIENCE).await;
    let elsewhere = "const field = document.getElementById('chat-text'); field.focus(); \
         field.dispatchEvent(new KeyboardEvent('keyup', { key: ' ', bubbles: true }));";
    for let_go in ["window.dispatchEvent(new Event('blur'));", elsewhere] {
        let press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: ' ', bubbles: true }));";
        browser.script(press).await;
        browser.wait_for("it is held", &hushed(false), PATIENCE).await;
        browser.script(let_go).await;
        browser.wait_for("it is let go", &hushed(true), PATIENCE).await;
    }
    browser.script(&rule(false)).await;
    browser.wait_for("no key is to be held", &hushed(false), PATIENCE).await;
}

fn signal(node: &Node, signal: Signal) {
    let pid = Pid::from_raw(node.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("it is ours, and runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_write_raise_hands_and_keep_their_seats_while_the_node_is_away() {
    let node = Node::start();
    let driver = Driver::start().await;
    let (ada, grace) = (joined(&driver, &node, "Ada").await, joined(&driver, &node, "<i>Grace</i>").await);
    for browser in [&ada, &grace] {
        browser.wait_for("two are here", "return tessera.participants.length === 2;", PATIENCE).await;
        browser.click("#chat-toggle").await;
    }
    says(&ada, MARKUP).await;
    reads(&grace, &[MARKUP]).await;
    says(&grace, "seen").await;
    reads(&ada, &[MARKUP, "seen"]).await;
    for browser in [&ada, &grace] {
        let shown = "return document.getElementById('chat-lines').textContent.includes('<script>') && \
             document.querySelectorAll('#chat-lines img, #chat-lines script, #people-list i').length === 0 && \
             document.title !== 'run';";
        assert_eq!(browser.script(shown).await, true, "what looks like markup is text");
    }
    a_key_that_is_let_go_elsewhere_is_let_go(&grace).await;
    grace.click("#hand").await;
    let raised = "return tessera.participants.some((one) => one.hand && one.name === '<i>Grace</i>');";
    ada.wait_for("a hand goes up", raised, PATIENCE).await;
    assert_fits_a_phone(&ada).await;
    assert_accessible(&ada).await;

    let own = "return tessera.participant;";
    let (seat, returns) = (grace.script(own).await, grace.script("return tessera.returns;").await);
    signal(&node, Signal::STOP);
    grace.wait_for("it is missed", "return !tessera.connected;", PATIENCE).await;
    signal(&node, Signal::CONT);
    for browser in [&ada, &grace] {
        browser.wait_for("everybody is back", "return tessera.connected;", PATIENCE).await;
        let here = "return tessera.participants.length === 2 && tessera.participants.every((one) => !one.away);";
        browser.wait_for("nobody is away, or twice", here, PATIENCE).await;
    }
    let came_back = format!("return tessera.returns > {returns};");
    grace.wait_for("it came back", &came_back, PATIENCE).await;
    assert_eq!(grace.script(own).await, seat, "it is the same seat");
    assert_eq!(grace.script(raised).await, Value::Bool(true), "with the hand up");
    says(&ada, "welcome back").await;
    reads(&grace, &[MARKUP, "seen", "welcome back"]).await;

    let removes = "const people = [...document.querySelectorAll('#people-list li')]; \
         people.find((one) => one.textContent.includes('Grace'))?.querySelector('button.bare')?.click(); \
         const remove = document.querySelector(':popover-open .item.red'); \
         remove?.click(); \
         return Boolean(remove);";
    ada.wait_for("a host removes somebody", removes, PATIENCE).await;
    let told = "return !document.getElementById('lobby').hidden && document.body.innerText.includes('removed');";
    grace.wait_for("who is removed is told so", told, PATIENCE).await;
    ada.close().await;
    // Longer than the page waits before it asks to be let in again; the room that forbids it ends meanwhile.
    grace.script("window.since = performance.now();").await;
    grace.wait_for("a while passes", "return performance.now() > window.since + 4000;", PATIENCE).await;
    let until = Instant::now() + PATIENCE;
    loop {
        let rooms = client().get(format!("{}v1/rooms", node.url)).send().await.expect("the node answers");
        let rooms: Value = rooms.json().await.expect("JSON");
        if rooms["rooms"] == json!([]) {
            break;
        }
        assert!(Instant::now() < until, "and does not come back by themselves: {rooms}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    grace.close().await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lobby_is_for_everybody() {
    let node = Node::start();
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}r/talk", node.url)).await;
    browser.wait_for("the camera", "return document.getElementById('preview-off').hidden;", PATIENCE).await;
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    browser.close().await;
    node.stop();
}
