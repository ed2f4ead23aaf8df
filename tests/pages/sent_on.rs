//! **The question:** do people see in the page of their call that it is shown elsewhere? A room that its node sends on,
//! into another room of its own.

use reqwest::Method;
use serde_json::{Value, json};

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Driver, client};
use crate::browser::enter;
use crate::browser::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_where_their_call_is_shown_and_that_it_is_not_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tessera.toml");
    std::fs::write(&config, "[push]\nallow_private = true\n").unwrap();
    let node = Node::start_with(&["--config", config.to_str().unwrap()]);
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}r/stage", node.url)).await;
    enter(&browser, "Ada").await;
    browser.wait_for("the call", "return tessera.connected && tessera.participants.length > 0;", PATIENCE).await;
    let hidden = "return document.getElementById('pushed').hidden;";
    assert_eq!(browser.script(hidden).await, true, "it is shown nowhere");
    // What is said is gone from the page after a while.
    let listen = "window.said = []; const toasts = document.getElementById('toasts'); \
         const hear = (all) => all.forEach((one) => one.addedNodes.forEach((toast) => said.push(toast.textContent))); \
         new MutationObserver(hear).observe(toasts, { childList: true });";
    browser.script(listen).await;

    let there = node.url.replace("localhost", "127.0.0.1");
    let pushes = format!("{}v1/rooms/stage/pushes", node.url);
    let wish = json!({ "url": format!("{there}whip/hall?name=Stage") });
    let asked = client().post(&pushes).json(&wish).send().await.expect("the node answers");
    assert_eq!(asked.status(), 201);
    let place = asked.headers()["location"].to_str().expect("it is text").to_owned();
    let to = there.trim_end_matches('/');
    let told = format!(
        "const badge = document.getElementById('pushed'); return !badge.hidden && badge.textContent === 'Live' \
         && badge.title === 'This call is shown live at {to}.' \
         && said.filter((one) => one === badge.title).length === 1;"
    );
    browser.wait_for("it is said, and stands there", &told, PATIENCE).await;
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    let ended = client().request(Method::DELETE, format!("{}{place}", node.url.trim_end_matches('/')));
    assert_eq!(ended.send().await.expect("the node answers").status(), 204);
    browser.wait_for("it is shown nowhere any more", hidden, PATIENCE).await;
    assert_eq!(browser.script("return tessera.problem;").await, Value::Null);
    browser.close().await;
    node.stop();
}
