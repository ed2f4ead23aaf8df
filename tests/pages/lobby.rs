//! **The question:** do people in browsers see that they wait to be let in, and hosts who waits? A room with a lobby, a
//! host, one whom they let in and one whom they do not.

use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::access::{Locked, ROOM};
use crate::browser::driver::{Browser, Driver};
use crate::browser::enter;

/// What somebody may call themselves who means no good.
const NAME: &str = "<img src=x onerror=document.title='in'>";
const NO_HOST: &str = "No host is in the room now; when one comes, they see your name";
const A_HOST: &str = "A host of the room sees your name and can let you in";
const CONNECTED: &str = "return tessera.connected;";

/// Whether a page says so in its lobby, to somebody who waits and is no fault's victim.
fn waits(words: &str) -> String {
    format!(
        "const note = document.getElementById('lobby-note'); const join = document.getElementById('join'); \
         return !note.hidden && note.textContent === 'You wait to be let in. {words}.' && join.disabled \
         && join.textContent === 'Waiting…' && tessera.phase === 'lobby' && tessera.problem === null;"
    )
}

/// Presses what a host has beside the name of somebody who waits.
async fn decide(host: &Browser, what: &str, name: &str) {
    let script = format!(
        "const button = [...document.querySelectorAll('.lobby-list button')] \
             .find((one) => one.getAttribute('aria-label') === {}); \
         button?.click(); return Boolean(button);",
        json!(format!("{what}: {name}"))
    );
    host.wait_for("who waits is told to the host", &script, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_is_told_so_and_a_host_lets_them_in_or_not() {
    let mut locked = Locked::start_with(|_| "[rooms]\nlobby = true\n".to_owned());
    let mut page = |role: &str| {
        let token = locked.token(&["--room", ROOM, "--role", role]);
        format!("{}r/{ROOM}#token={token}", locked.node.url)
    };
    let (of_host, of_guest, of_other) = (page("host"), page("speaker"), page("speaker"));
    let driver = Driver::start().await;
    let guest = driver.open(&of_guest).await;
    enter(&guest, NAME).await;
    guest.wait_for("there is no host", &waits(NO_HOST), PATIENCE).await;
    // What is asked again and again changes nothing on the page.
    let listen = "window.changes = 0; const card = document.getElementById('join-form'); \
         const all = { subtree: true, characterData: true, childList: true }; \
         new MutationObserver(() => (changes += 1)).observe(card, all);";
    guest.script(listen).await;
    assert_fits_a_phone(&guest).await;
    assert_accessible(&guest).await;
    let asked = "return performance.getEntriesByType('resource') \
         .filter((one) => one.name.includes('/participants')).length >= 2;";
    guest.wait_for("it asks on", asked, PATIENCE).await;
    assert_eq!(guest.script("return changes;").await, 0);

    let host = driver.open(&of_host).await;
    enter(&host, "Ada").await;
    host.wait_for("the host is in", CONNECTED, PATIENCE).await;
    guest.wait_for("a host is there", &waits(A_HOST), PATIENCE).await;
    let other = Browser::firefox(&of_other).await;
    enter(&other, "Eve").await;
    let both = "const list = document.querySelector('.lobby-list'); return Boolean(list && !list.hidden \
         && list.querySelectorAll('li').length === 2 && list.textContent.includes('2 wait to be let in'));";
    host.wait_for("who waits is told to the host", both, PATIENCE).await;
    assert_fits_a_phone(&host).await;
    assert_accessible(&host).await;
    let markup = "return [document.querySelectorAll('.lobby-list img').length, document.title];";
    assert_eq!(host.script(markup).await, json!([0, format!("{ROOM} · Tessera")]));

    decide(&host, "Refuse", "Eve").await;
    decide(&host, "Let in", NAME).await;
    guest.wait_for("who was let in is in the call", CONNECTED, PATIENCE).await;
    let told = "return !document.getElementById('join').disabled && document.getElementById('lobby-note').hidden \
         && document.getElementById('lobby-error').textContent.startsWith('You were not let in');";
    other.wait_for("who was not is told", told, PATIENCE).await;
    let over = "return document.querySelector('.lobby-list').hidden && tessera.participants.length === 2;";
    host.wait_for("nobody waits", over, PATIENCE).await;
    assert_eq!(host.script(markup).await[0], Value::from(0));
    for browser in [other, guest, host] {
        browser.close().await;
    }
    block_in_place(|| locked.node.stop());
}
