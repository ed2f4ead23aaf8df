//! **The question:** does the console show a node's rooms, people and figures to whoever may see them, and to nobody
//! else?

use serde_json::{Value, json};

use super::{PATIENCE, assert_accessible, assert_fits_a_phone};
use crate::browser::driver::{Browser, Driver};
use crate::browser::node::{Load, Node};

const TOKEN: &str = "0123456789abcdef-of-this-test";
/// What somebody may call themselves who means no good.
const NAME: &str = "<img src=x onerror=document.title='owned'>";

/// Publishes from the page itself, by WHIP, under a name.
const PUBLISH: &str = r#"
const done = arguments[0];
(async () => {
  const peer = (window.publisher = new RTCPeerConnection());
  const media = await navigator.mediaDevices.getUserMedia({ video: true, audio: true });
  for (const track of media.getTracks()) peer.addTrack(track, media);
  await peer.setLocalDescription();
  await new Promise((gathered) => {
    peer.onicegatheringstatechange = () => peer.iceGatheringState === "complete" && gathered();
    if (peer.iceGatheringState === "complete") gathered();
  });
  const answer = await fetch("/whip/board?name=" + encodeURIComponent(NAME), {
    method: "POST", headers: { "content-type": "application/sdp" }, body: peer.localDescription.sdp,
  });
  await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  done(answer.status);
})().catch((error) => done(String(error)));
"#;

async fn shows(browser: &Browser, what: &str, script: &str) {
    browser.wait_for(what, script, PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_a_room_its_people_its_picture_and_how_the_node_fares() {
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start(&node, "board", 2, 600);
    node.wait_for_participants("board", 2, PATIENCE).await;
    let browser = driver.open(&format!("{}console", node.url)).await;
    let listed = "return document.getElementById('rooms').textContent.includes('board2 people')";
    shows(&browser, "the room is listed, without a token on loopback", listed).await;
    let publish = PUBLISH.replace("NAME", &json!(NAME).to_string());
    assert_eq!(browser.script_async(&publish).await, 201);
    node.wait_for_participants("board", 3, PATIENCE).await;

    shows_the_room(&browser).await;
    let firefox = Browser::firefox(&format!("{}console", node.url)).await;
    shows(&firefox, "the room in Firefox", "return !!document.querySelector('#rooms button')").await;
    shows_the_room(&firefox).await;
    firefox.close().await;
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    let has_plots = crate::browser::driver::client().get(format!("{}assets/uplot.js", node.url)).send().await.unwrap();
    let says = browser.script("return document.getElementById('no-plots').hidden").await;
    assert_eq!(says, has_plots.status().is_success());

    browser.click("#one-close").await;
    load.stop();
    assert_eq!(browser.script("window.publisher.close(); return 1").await, 1);
    shows(&browser, "the room is over", "return !document.getElementById('no-rooms').hidden").await;
    let history = crate::browser::driver::client().get(format!("{}v1/node/history?after=1", node.url));
    let told: Value = history.send().await.unwrap().json().await.unwrap();
    let (first, next) = (told["first"].as_u64().unwrap(), told["next"].as_u64().unwrap());
    let values = told["charts"][0]["lines"][0]["values"].as_array().unwrap().len() as u64;
    assert!(first == 1 && values == next - first, "{first}..{next}: {values}");
    browser.close().await;
    node.stop();
}

/// Its people, its picture, and how the node fares.
async fn shows_the_room(browser: &Browser) {
    browser.click("#rooms button").await;
    let people = "return document.querySelectorAll('#people li').length === 3";
    shows(browser, "its people", people).await;
    let text = browser.script("return document.getElementById('people').textContent").await;
    assert!(text.as_str().unwrap().contains(NAME), "{text}");
    let markup = "return [document.querySelectorAll('main img').length, document.title]";
    assert_eq!(browser.script(markup).await, json!([0, "Console · Tessera"]));
    shows(browser, "its picture", "return document.getElementById('live').videoWidth > 0").await;

    let figures = "const most = (of) => Math.max(...[...of.querySelectorAll('b')].map((b) => Number(b.textContent))); \
         const charts = [...document.querySelectorAll('.chart')]; \
         const of = charts.map((chart) => [chart.querySelector('h3').textContent, most(chart)]); \
         const now = Object.fromEntries(of); \
         return of.length > 8 && now['Processor cores'] > 0 && now['Packets 1/s'] > 0 && now['Pictures 1/s'] > 0 \
             && now['Memory MiB'] > 10";
    shows(browser, "figures", figures).await;
    // A build without uPlot says so.
    let plots = "return document.getElementById('no-plots').hidden \
         ? document.querySelectorAll('.chart canvas').length > 8 : !document.querySelector('.chart canvas')";
    shows(browser, "plots", plots).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_token_shows_its_console_to_those_who_have_it() {
    let node = Node::start_with(&["--token", TOKEN]);
    let driver = Driver::start().await;
    let url = format!("{}v1/node/history", node.url);
    let client = crate::browser::driver::client();
    assert_eq!(client.get(&url).send().await.unwrap().status(), 401);
    assert_eq!(client.get(&url).bearer_auth(TOKEN).send().await.unwrap().status(), 200);

    let browser = driver.open(&format!("{}console", node.url)).await;
    shows(&browser, "it asks for the token", "return !document.getElementById('token-form').hidden").await;
    assert_eq!(browser.script("return document.getElementById('shown').hidden").await, true);
    assert_fits_a_phone(&browser).await;
    assert_accessible(&browser).await;
    browser.fill("#token", "another token entirely").await;
    browser.click("#token-form .primary").await;
    let refused = "return document.getElementById('problem').textContent.includes('does not open')";
    shows(&browser, "a wrong one opens nothing", refused).await;
    browser.fill("#token", TOKEN).await;
    browser.click("#token-form .primary").await;
    shows(&browser, "the console", "return !document.getElementById('shown').hidden").await;
    let kept = "return [sessionStorage.length, localStorage.length, location.href.includes('0123')]";
    assert_eq!(browser.script(kept).await, json!([1, 0, false]));

    // The API's page needs no token.
    let api = driver.open(&format!("{}api", node.url)).await;
    shows(&api, "the doors", "return document.querySelectorAll('details.door').length > 50").await;
    let open = "for (const door of document.querySelectorAll('details.door')) door.open = true; return true";
    assert_eq!(api.script(open).await, true);
    let whole = "return [...document.querySelectorAll('details.door')].every((door) => door.querySelector('.inside'))";
    shows(&api, "each opens", whole).await;
    assert_fits_a_phone(&api).await;
    assert_accessible(&api).await;
    api.fill("#find", "recordings link").await;
    let found = "return document.querySelectorAll('details.door:not([hidden])').length === 1";
    shows(&api, "what is looked for", found).await;
    api.close().await;
    browser.close().await;
    node.stop();
}
