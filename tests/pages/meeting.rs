//! **The question:** does a meeting work from beginning to end for people with different browsers, among many others?
//! Chromium and Firefox, and fourteen simulated people; all that the page offers, done by one and seen by the other.

use std::time::Duration;

use serde_json::json;

use super::PATIENCE;
use super::recordings::node_that_records;
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};
use crate::browser::{enter, sees_and_hears, tiles_move};
use crate::keepers::process::wait_until;
use crate::retention::deadline::{TOKEN, plain_get, wait_until_recorded};

const ROOM: &str = "meeting";
const OTHERS: u32 = 14;

/// How long the seat of somebody is kept who only lost their connection (docs/signalling.md).
const AWAY: Duration = Duration::from_secs(30);

/// Something of one's own among the participants that the page has, by a name.
fn of(name: &str, what: &str) -> String {
    format!("const one = tessera.participants.find((one) => one.name === '{name}'); return Boolean(one && {what});")
}

fn hidden(id: &str, so: bool) -> String {
    format!("return document.getElementById('{id}').hidden === {so};")
}

async fn joins(browser: &Browser, name: &str, people: u32) {
    enter(browser, name).await;
    let all = format!(
        "return tessera.connected && tessera.participants.length === {people} && tessera.tiles.length === {people} \
         && document.getElementById('waiting').hidden;"
    );
    browser.wait_for("everybody is there, each with a tile", &all, PATIENCE).await;
}

async fn writes(from: &Browser, to: &Browser, text: &str) {
    from.click("#chat-toggle").await;
    from.fill("#chat-text", text).await;
    from.click("#chat-send").await;
    let read = format!("return tessera.lines.some((line) => line.text === '{text}');");
    to.wait_for("it is read", &read, PATIENCE).await;
    from.click("#chat-toggle").await;
}

/// What one shows on their screen has a place of its own in the picture of the other, until they stop. Of Chromium
/// alone: Firefox makes up no screen, and where there is no display it has none (`NotFoundError`).
async fn shares(from: &Browser, to: &Browser) {
    let shown = |so: bool| format!("return {so} === tessera.tiles.some((tile) => tile.track === 'screen');");
    from.click("#screen").await;
    to.wait_for("the screen is seen", &shown(true), PATIENCE).await;
    from.click("#screen").await;
    to.wait_for("the screen is gone", &shown(false), PATIENCE).await;
}

/// Takes a face to its double size for oneself, and back.
async fn rearranges(browser: &Browser) {
    // Marionette does not find what lies in an open popover in view.
    let toggle = "document.getElementById('own-toggle').click();";
    browser.script(toggle).await;
    // The screen that was shared may still be in the picture that is shown.
    browser.script("document.querySelector(\"[data-act=big]:not([data-of$='/screen'])\").click();").await;
    let apart = "return document.querySelectorAll('.own-faces canvas').length > 0;";
    browser.wait_for("a face is drawn apart", apart, PATIENCE).await;
    browser.click("#own-reset").await;
    browser
        .wait_for("all is as the room has it", "return !document.querySelector('.own-faces canvas');", PATIENCE)
        .await;
    browser.script(toggle).await;
}

/// What stands in menus, by Firefox: Marionette does not find what lies in an open popover in view.
async fn chooses_in_menus(browser: &Browser, other: &Browser) {
    let press = async |what: &str| {
        // What is of the moment is not said while the connection hangs.
        let script = format!(
            "const one = document.querySelector(\"{what}\"); const can = Boolean(one && tessera.connected); \
             if (can) one.click(); return can;"
        );
        browser.wait_for("what is pressed", &script, PATIENCE).await;
    };
    press("#reactions .emoji").await;
    let floats = "return document.getElementById('announce').textContent.startsWith('Grace:');";
    other.wait_for("a reaction is seen", floats, PATIENCE).await;
    for layout in ["speaker", "grid"] {
        press(&format!("#layout-list [data-layout={layout}]")).await;
        let laid = format!("return tessera.layout === '{layout}';");
        other.wait_for("the room is laid out so", &laid, PATIENCE).await;
    }
    press("#choose-devices").await;
    let lists = "return document.getElementById('devices-dialog').open \
         && document.getElementById('choose-camera').options.length > 0;";
    browser.wait_for("devices are listed", lists, PATIENCE).await;
    press("#devices-dialog .primary").await;
    // On loopback whoever asks is a host.
    browser.click("#people-toggle").await;
    for hushed in [true, false] {
        let opens = "const row = [...document.querySelectorAll('#people-list li')] \
             .find((one) => one.textContent.includes('Ada')); row?.querySelector('button.bare')?.click(); \
             const item = document.querySelector(':popover-open .item'); item?.click(); return Boolean(item);";
        browser.wait_for("what a host may do", opens, PATIENCE).await;
        other.wait_for("a host did it", &of("Ada", &format!("one.hushed === {hushed}")), PATIENCE).await;
        browser.wait_for("and is told", &of("Ada", &format!("one.hushed === {hushed}")), PATIENCE).await;
    }
    browser.click("#people-toggle").await;
}

/// One records, the other is told and agrees, and ends it.
async fn record(node: &Node, from: &Browser, told: &Browser) {
    from.click("#record").await;
    told.wait_for("they are told, and asked", &hidden("consent", false), PATIENCE).await;
    told.click("#consent-yes").await;
    told.wait_for("it says that it records", &hidden("recording", false), PATIENCE).await;
    // So that there is a chapter, whoever has the floor.
    for layout in ["speaker", "grid"] {
        from.script(&format!("document.querySelector('#layout-list [data-layout={layout}]').click();")).await;
        told.wait_for("it is laid out so", &format!("return tessera.layout === '{layout}';"), PATIENCE).await;
    }
    tokio::task::block_in_place(|| wait_until_recorded(node, 8));
    told.click("#record").await;
    told.wait_for("it says that it does not", &hidden("recording", true), PATIENCE).await;
    let list = || serde_json::from_slice::<serde_json::Value>(&plain_get(node, "recordings").1).expect("JSON");
    tokio::task::block_in_place(|| wait_until("it is final", || list()["recordings"][0]["state"] == "final"));
}

async fn plays(browser: &Browser, node: &Node) {
    browser.go(&format!("{}recordings#token={}", node.url, TOKEN.replace(' ', "%20"))).await;
    let listed = "return document.querySelectorAll('#list li').length === 1;";
    browser.wait_for("the recording is listed", listed, PATIENCE).await;
    browser.click("[data-does=play]").await;
    let plays = "const video = document.getElementById('video'); \
         return video.currentTime > 0.5 && video.duration > 4 && video.videoWidth > 100;";
    browser.wait_for("it plays", plays, PATIENCE).await;
}

/// Back by a chapter, and gone for good.
async fn erases(browser: &Browser) {
    // Of a short recording the first chapter may begin at either end: it is led to from the other.
    let chapter = "const one = document.querySelector('#chapters button'); \
         const v = document.getElementById('video'); const cue = v.textTracks[0]?.cues?.[0]; \
         if (!one || !cue) return false; \
         window.place = cue.startTime; v.pause(); v.currentTime = place > v.duration / 2 ? 0 : v.duration; \
         v.addEventListener('seeked', () => one.click(), { once: true }); return true;";
    browser.wait_for("a chapter", chapter, PATIENCE).await;
    let begins = "const v = document.getElementById('video'); \
         return !v.seeking && Math.abs(v.currentTime - place) < v.duration / 3;";
    browser.wait_for("it leads to its place", begins, PATIENCE).await;
    browser.click("[data-does=delete]").await;
    browser.wait_for("it asks first", "return document.getElementById('ask').open;", PATIENCE).await;
    browser.click("#ask-yes").await;
    browser.wait_for("nothing is left", &hidden("empty", false), PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_browsers_hold_a_meeting_with_fourteen_others() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let node = node_that_records(folder.path());
    let load = Load::start_heeding(&node, ROOM, OTHERS, 600);
    node.wait_for_participants(ROOM, OTHERS as usize, PATIENCE).await;
    let page = format!("{}r/{ROOM}", node.url);
    let driver = Driver::start().await;
    let ada = driver.open(&page).await;
    joins(&ada, "Ada", OTHERS + 1).await;
    let grace = Browser::firefox(&page).await;
    joins(&grace, "Grace", OTHERS + 2).await;
    for browser in [&ada, &grace] {
        sees_and_hears(browser).await;
        browser.wait_for("the own camera is sent", "return tessera.framesSent > 20;", PATIENCE).await;
    }
    // Where no other test had their clips made, they are made beside two browsers.
    let all_send = format!("return tessera.participants.filter((one) => one.camera).length === {};", OTHERS + 2);
    ada.wait_for("everybody sends", &all_send, PATIENCE * 2).await;
    // Firefox's own camera is one colour that changes slowly.
    let moving = tiles_move(&ada, OTHERS as usize + 1).await;
    assert!(moving, "a tile never showed moving video: {}", ada.screenshot("meeting").await.display());
    grace.click("#mic").await;
    ada.wait_for("a microphone is off", &of("Grace", "one.muted"), PATIENCE).await;
    grace.click("#camera").await;
    ada.wait_for("a camera is off", &of("Grace", "!one.camera"), PATIENCE).await;
    grace.click("#camera").await;
    ada.wait_for("it is on again", &of("Grace", "one.camera"), PATIENCE).await;
    grace.click("#hand").await;
    ada.wait_for("a hand goes up", &of("Grace", "one.hand"), PATIENCE).await;
    writes(&ada, &grace, "from Chromium").await;
    writes(&grace, &ada, "from Firefox").await;
    shares(&ada, &grace).await;
    rearranges(&grace).await;
    chooses_in_menus(&grace, &ada).await;
    record(&node, &ada, &grace).await;

    grace.click("#leave").await;
    grace.wait_for("the lobby is back", "return tessera.phase === 'lobby';", PATIENCE).await;
    ada.wait_for("one has left", &of("Ada", "tessera.participants.length === 15"), AWAY / 2).await;
    assert_eq!(ada.script("return tessera.problem;").await, json!(null));
    // Chromium's tab crashed now and then when it was led away in the midst of a call.
    ada.click("#leave").await;
    ada.wait_for("the lobby is back", "return tessera.phase === 'lobby';", PATIENCE).await;
    load.stop();
    for browser in [&ada, &grace] {
        plays(browser, &node).await;
    }
    erases(&grace).await;
    grace.close().await;
    ada.close().await;
    node.stop();
}
