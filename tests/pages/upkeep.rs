//! **The question:** does the page of a call say when the node goes down, and that it does not after all?

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Driver, client};
use crate::browser::enter;
use crate::browser::node::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_read_until_when_their_call_may_last_also_when_they_come_later() {
    let node = Node::start();
    let driver = Driver::start().await;
    let join = async |name: &str| {
        let browser = driver.open(&format!("{}r/talk", node.url)).await;
        enter(&browser, name).await;
        browser.wait_for("the call", "return tessera.connected && tessera.participants.length > 0;", PATIENCE).await;
        browser
    };
    let drain = format!("{}v1/node/drain", node.url);
    let ada = join("Ada").await;
    let hidden = "return document.getElementById('upkeep').hidden && tessera.endsAt === null;";
    assert_eq!(ada.script(hidden).await, true, "nothing is about to end");
    // What is said is gone from the page after a while.
    let listen = "window.said = ''; const toasts = document.getElementById('toasts'); \
         new MutationObserver(() => (window.said += toasts.textContent)).observe(toasts, { childList: true });";
    ada.script(listen).await;

    let asked = client().post(&drain).body(r#"{"within_s":5400}"#).send().await.expect("the node answers");
    assert_eq!(asked.status(), 200);
    let clock = "new Intl.DateTimeFormat(navigator.language, { hour: '2-digit', minute: '2-digit' })";
    let told = format!(
        "const words = {clock}.format(new Date(tessera.endsAt)); const badge = document.getElementById('upkeep'); \
         const minutes = (tessera.endsAt - Date.now()) / 60000; \
         return !badge.hidden && badge.textContent.includes(words) && badge.title.includes('upkeep') && \
             minutes > 85 && minutes < 91;"
    );
    ada.wait_for("the hour on the page", &told, PATIENCE).await;
    ada.wait_for("it is said, too", "return window.said.includes('goes down for upkeep');", PATIENCE).await;
    assert_fits_a_phone(&ada).await;
    assert_accessible(&ada).await;
    let grace = join("Grace").await;
    grace.wait_for("whoever comes later reads it too", &told, PATIENCE).await;

    let revoked = client().delete(&drain).send().await.expect("the node answers");
    assert_eq!(revoked.status(), 200);
    for browser in [&ada, &grace] {
        browser.wait_for("nothing is about to end any more", hidden, PATIENCE).await;
    }
    ada.wait_for("and that is said", "return window.said.includes('stays up');", PATIENCE).await;
    grace.close().await;
    ada.close().await;
    node.stop();
}
