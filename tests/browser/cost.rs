//! **The question:** what does a page cost the person who has it open, and how long do they wait for it? Measurements,
//! which `benches/pages.sh` runs; they print, and assert of time nothing.

use std::time::Duration;

use super::driver::{Browser, Driver};
use super::node::{Load, Node};
use super::{PATIENCE, enter, state_when};

const TILES: u32 = 49;
/// How long each way is looked at, and how often by turns.
const SPAN: Duration = Duration::from_secs(10);
const ROUNDS: usize = 3;
const JOINS: usize = 20;

/// Counts frames of the picture as they are shown, and, where a face is drawn apart, how often it was drawn.
const COUNT: &str = r##"
const video = document.getElementById("composite");
window.count = { shown: 0, drawn: 0 };
const look = () => {
  count.shown += 1;
  video.requestVideoFrameCallback(look);
};
video.requestVideoFrameCallback(look);
const real = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...all) {
  count.drawn += 1;
  return real.apply(this, all);
};
return true;
"##;

/// Watches for a while: processor seconds of the browser a second, frames shown a second, faces drawn a second.
async fn look(driver: &Driver, browser: &Browser) -> [f64; 3] {
    let both = "return [performance.now() / 1000, count.shown, count.drawn];";
    let (before, took) = (browser.script(both).await, driver.processor_seconds());
    browser.script(&format!("window.until = performance.now() + {};", SPAN.as_millis())).await;
    browser.wait_for("a while passes", "return performance.now() > window.until;", PATIENCE).await;
    let (after, took_then) = (browser.script(both).await, driver.processor_seconds());
    let by = |at: usize| after[at].as_f64().expect("a number") - before[at].as_f64().expect("a number");
    [(took_then - took) / by(0), by(1) / by(0), by(2) / by(0)]
}

#[ignore = "a measurement of 70 s: benches/pages.sh"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layout_of_ones_own_of_49_tiles() {
    let node = Node::start();
    let driver = Driver::start().await;
    // Whoever only watches is told no scenes, so one of the tiles is one's own.
    let load = Load::start_heeding(&node, "own", TILES - 1, 280);
    node.wait_for_participants("own", TILES as usize - 1, PATIENCE).await;
    let browser = driver.open(&format!("{}r/own", node.url)).await;
    enter(&browser, "Ada").await;
    let all = format!("return tessera.tiles.length === {TILES} && tessera.framesDecoded > 90;");
    browser.wait_for("all are seen", &all, PATIENCE).await;
    browser.script(COUNT).await;
    let mut told = [[[0.0; 3]; ROUNDS]; 2];
    let [rooms, own] = &mut told;
    for (of_room, of_own) in rooms.iter_mut().zip(own) {
        *of_room = look(&driver, &browser).await;
        browser.script("document.getElementById('own-toggle').click();").await;
        browser.script("document.querySelector('[data-act=big]').click();").await;
        let apart = "return document.querySelectorAll('.own-faces canvas').length > 0;";
        browser.wait_for("faces are drawn apart", apart, PATIENCE).await;
        let faces = browser.script("return document.querySelectorAll('.own-faces canvas').length;").await;
        println!("faces drawn apart: {faces}");
        browser.script("document.getElementById('own-toggle').click();").await;
        *of_own = look(&driver, &browser).await;
        browser.script("document.getElementById('own-reset').click();").await;
    }
    let mean = |way: usize, at: usize| told[way].iter().map(|one| one[at]).sum::<f64>() / ROUNDS as f64;
    for (way, name) in [(0, "the room's layout"), (1, "one's own")] {
        let [core, shown, drawn] = [0, 1, 2].map(|at| mean(way, at));
        println!("{name}: {core:.3} core, {shown:.1} pictures and {drawn:.1} faces drawn a second");
    }
    println!("one's own : the room's = {:.3}", mean(1, 0) / mean(0, 0));
    load.stop();
    browser.close().await;
    node.stop();
}

/// From the click to the first frame that is shown.
const FIRST: &str = r##"
const done = arguments[0];
const began = performance.now();
document.getElementById("composite").requestVideoFrameCallback(() => done(performance.now() - began));
document.getElementById("join").click();
"##;

#[ignore = "a measurement of a minute: benches/pages.sh"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_frame_after_joining() {
    let node = Node::start();
    let driver = Driver::start().await;
    let load = Load::start_heeding(&node, "first", 5, 280);
    node.wait_for_participants("first", 5, PATIENCE).await;
    let browser = driver.open(&format!("{}r/first", node.url)).await;
    let mut waited = Vec::new();
    for _ in 0..JOINS {
        browser.wait_for("the camera", "return document.getElementById('preview-off').hidden;", PATIENCE).await;
        browser.fill("#name", "Ada").await;
        waited.push(browser.script_async(FIRST).await.as_f64().expect("milliseconds"));
        state_when(&browser, "it is in", |state| state["connected"] == true).await;
        browser.click("#leave").await;
        state_when(&browser, "the lobby is back", |state| state["phase"] == "lobby").await;
    }
    waited.sort_by(f64::total_cmp);
    let of = |part: usize| waited[(JOINS - 1) * part / 100];
    println!(
        "first frame after {JOINS} joins: median {:.0} ms, p95 {:.0} ms, longest {:.0} ms",
        of(50),
        of(95),
        of(100)
    );
    load.stop();
    browser.close().await;
    node.stop();
}
