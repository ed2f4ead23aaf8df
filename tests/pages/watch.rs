//! **The question:** is a room watched by whoever opens its page, by WebRTC and, where that is refused, by HLS?

use serde_json::Value;

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};

/// Whether it shows what is, and not what was.
const IS_LIVE: &str = "const video = document.getElementById('video'); \
     return tessera.phase === 'watching' && tessera.behind < 4 && !video.paused;";
/// Whether the player for HLS was fetched.
const FETCHED: &str = "return performance.getEntriesByType('resource').some((one) => one.name.endsWith('/hls.js'));";

/// Whether there is a past to go back to, and the page shows how far it reaches.
const PAST: &str = "const { seekable } = document.getElementById('video'); \
     return !document.getElementById('dvr').hidden && seekable.length > 0 \
         && seekable.end(0) - seekable.start(0) > 15;";
/// Counts pictures by the way they came. Firefox's own count is of files alone.
const COUNT: &str = r"
window.shown ??= (() => {
  const video = document.getElementById('video');
  const look = () => {
    window.shown[tessera.way] = (window.shown[tessera.way] ?? 0) + 1;
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  return {};
})();
";

async fn watches(browser: &Browser, way: &str) {
    let seen = format!(
        "{COUNT} return tessera.phase === 'watching' && tessera.way === '{way}' && window.shown['{way}'] > 30;"
    );
    browser.wait_for(&format!("pictures by {way}"), &seen, PATIENCE).await;
    // On a busy machine the picture may stand still once more.
    let uncovered = "return document.getElementById('waiting').hidden;";
    browser.wait_for("nothing lies over them", uncovered, PATIENCE).await;
}

/// Moves a control as a person does.
async fn choose(browser: &Browser, id: &str, value: &str, event: &str) {
    let script = format!(
        "const control = document.getElementById('{id}'); control.value = {value}; \
         control.dispatchEvent(new Event('{event}'));"
    );
    browser.script(&script).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_watched_by_webrtc_from_its_beginning_to_its_end() {
    let node = Node::start();
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}w/seen", node.url)).await;
    browser.wait_for("nobody is there", "return tessera.phase === 'waiting';", PATIENCE).await;
    let load = Load::start(&node, "seen", 2, 600);
    watches(&browser, "whep").await;
    let wide = |columns: u32| format!("return document.getElementById('video').videoWidth === {columns};");
    let listed = "return tessera.qualities.some(([rung]) => rung === '320x180');";
    browser.wait_for("qualities are listed", listed, PATIENCE).await;
    // Two in a row: that the first is let go before it stands is no reason to give up the other.
    let looks = "window.since = performance.now(); window.gaveUp = false; \
         setInterval(() => (window.gaveUp ||= !['watching', 'returning'].includes(tessera.phase)), 50);";
    browser.script(looks).await;
    choose(&browser, "quality", "'640x360'", "change").await;
    choose(&browser, "quality", "'320x180'", "change").await;
    browser.wait_for("the chosen quality", &wide(320), PATIENCE).await;
    // Longer than the page waits for a connection to stand.
    browser.wait_for("a while passes", "return performance.now() > window.since + 9000;", PATIENCE).await;
    assert_eq!(browser.script("return window.gaveUp;").await, false);
    browser.wait_for("it is shown so", &wide(320), PATIENCE).await;
    let press = |key: &str| format!("document.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}' }}));");
    browser.script(&press("m")).await;
    browser.wait_for("M mutes", "return document.getElementById('video').muted;", PATIENCE).await;
    assert_eq!(browser.script(FETCHED).await, Value::Bool(false), "nobody needed it");
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    load.stop();
    browser.wait_for("the room has ended", "return tessera.phase === 'waiting';", PATIENCE).await;
    let load = Load::start(&node, "seen", 2, 600);
    watches(&browser, "whep").await;
    browser.wait_for("what was chosen holds when the room begins anew", &wide(320), PATIENCE).await;
    let told = "return document.getElementById('quality').value === '320x180';";
    browser.wait_for("and is told", told, PATIENCE).await;
    load.stop();
    browser.close().await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_watched_by_hls_where_webrtc_is_refused_and_goes_back_in_time() {
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start(&node, "seen", 2, 600);
    node.wait_for_participants("seen", 2, PATIENCE).await;
    let browser = driver.open("data:text/html,").await;
    browser.block(&["*/whep/*"]).await;
    browser.script(&format!("location.href = '{}w/seen';", node.url)).await;
    browser.wait_for("the page", "return Boolean(window.tessera);", PATIENCE).await;
    let player = crate::browser::driver::client().get(format!("{}assets/hls.js", node.url)).send().await.unwrap();
    if player.status() == 404 {
        let says = "return (tessera.problem ?? '').length > 0 && tessera.phase === 'waiting';";
        browser.wait_for("it says that it cannot", says, PATIENCE).await;
        println!("built without hls.js (.ci/pages fetches it): whether it plays was not looked at");
        return;
    }
    watches(&browser, "hls").await;
    assert_eq!(browser.script(FETCHED).await, Value::Bool(true));
    // Some seconds of past, and back to them.
    browser.wait_for("there is a past", PAST, PATIENCE).await;
    choose(&browser, "seek", "Number(control.min) + 1", "input").await;
    browser.wait_for("it plays what was", "return tessera.behind > 6;", PATIENCE).await;
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    browser.click("#live").await;
    browser.wait_for("it plays what is", IS_LIVE, PATIENCE).await;
    firefox_watches_both_ways(&node).await;
    load.stop();
    let ended = "return tessera.phase === 'waiting' && document.getElementById('video').currentTime === 0;";
    browser.wait_for("it is told that the room ended", ended, PATIENCE).await;
    browser.close().await;
    node.stop();
}

/// The same controls in Firefox: by WebRTC first, and by HLS for who goes back in time.
async fn firefox_watches_both_ways(node: &Node) {
    let firefox = Browser::firefox(&format!("{}w/seen", node.url)).await;
    watches(&firefox, "whep").await;
    let listed = "return tessera.qualities.some(([rung]) => rung === '320x180');";
    firefox.wait_for("qualities are listed", listed, PATIENCE).await;
    choose(&firefox, "quality", "'320x180'", "change").await;
    let small = "return document.getElementById('video').videoWidth === 320;";
    firefox.wait_for("the chosen quality", small, PATIENCE).await;
    firefox.click("#mute").await;
    firefox.wait_for("it is mute", "return document.getElementById('video').muted;", PATIENCE).await;
    firefox.click("#way").await;
    watches(&firefox, "hls").await;
    assert_eq!(firefox.script(FETCHED).await, Value::Bool(true));
    firefox.wait_for("there is a past", PAST, PATIENCE).await;
    choose(&firefox, "seek", "Number(control.min) + 1", "input").await;
    firefox.wait_for("it plays what was", "return tessera.behind > 6;", PATIENCE).await;
    firefox.click("#live").await;
    firefox.wait_for("it plays what is", IS_LIVE, PATIENCE).await;
    firefox.click("#play").await;
    firefox.wait_for("it stands still", "return document.getElementById('video').paused;", PATIENCE).await;
    firefox.close().await;
}

/// A browser whose video plays HLS by itself tells by that alone what becomes of it: Safari's, of which Chromium's is
/// made to look like one here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_of_the_browsers_own_is_heard_when_the_stream_ends_or_breaks() {
    const NATIVE: &str = "const video = document.getElementById('video'); \
        video.canPlayType = () => 'maybe'; \
        const loaded = () => video.dispatchEvent(new Event('loadeddata')); \
        Object.defineProperty(video, 'src', { set: () => setTimeout(loaded) });";
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start(&node, "seen", 2, 600);
    node.wait_for_participants("seen", 2, PATIENCE).await;
    let browser = driver.open("data:text/html,").await;
    browser.block(&["*/whep/*", "*/assets/hls.js"]).await;
    browser.script(&format!("location.href = '{}w/seen';", node.url)).await;
    browser.wait_for("the page", "return Boolean(window.tessera);", PATIENCE).await;
    browser.script(NATIVE).await;
    let shown = "return tessera.phase === 'watching' && tessera.way === 'hls';";
    for (event, told) in [("ended", "ended"), ("error", "broke off")] {
        browser.wait_for("it is shown", shown, PATIENCE).await;
        let happens = format!("document.getElementById('video').dispatchEvent(new Event('{event}'));");
        browser.script(&happens).await;
        let heard = format!("return (tessera.problem ?? '').includes('{told}') || tessera.phase !== 'watching';");
        browser.wait_for("it is heard", &heard, PATIENCE).await;
    }
    load.stop();
    browser.close().await;
    node.stop();
}
