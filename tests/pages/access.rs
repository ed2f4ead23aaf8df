//! **The question:** does an invitation lead a person into a locked room by the browser alone, and does the page keep
//! what it was given to itself?

use super::PATIENCE;
use crate::access::{Locked, ROOM};
use crate::browser::driver::Driver;
use crate::browser::enter;

const CONNECTED: &str = "return tessera.connected;";
/// Nothing that the page shows, or keeps in its history, has the token.
const HIDDEN: &str = "return location.hash === '' && !location.href.includes('token') && \
                      !document.documentElement.outerHTML.includes('eyJ');";
const REFUSED: &str = "return document.getElementById('join').disabled && Boolean(tessera.problem);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_leads_in_again_after_a_reload_and_shows_no_token() {
    let mut locked = Locked::start();
    let speaker = locked.token(&["--room", ROOM]);
    let viewer = locked.token(&["--room", ROOM, "--role", "viewer"]);
    let driver = Driver::start().await;
    let url = locked.node.url.clone();

    let browser = driver.open(&format!("{url}r/{ROOM}#token={speaker}")).await;
    browser.wait_for("the token left the address", HIDDEN, PATIENCE).await;
    enter(&browser, "Ada").await;
    browser.wait_for("the call", CONNECTED, PATIENCE).await;
    assert_eq!(browser.script(HIDDEN).await, true);
    browser.script("setTimeout(() => location.reload(), 0);").await;
    browser.wait_for("the lobby again", "return tessera.phase === 'lobby';", PATIENCE).await;
    enter(&browser, "Ada").await;
    browser.wait_for("the call again", CONNECTED, PATIENCE).await;

    let watching = driver.open(&format!("{url}w/{ROOM}#token={viewer}")).await;
    let seen = "return tessera.phase === 'watching' && tessera.way === 'whep';";
    watching.wait_for("the viewer watches", seen, PATIENCE).await;
    assert_eq!(watching.script(HIDDEN).await, true);

    for (page, why) in [
        (format!("r/{ROOM}"), "This takes an access token"),
        (format!("r/{ROOM}#token={}", &speaker[..speaker.len() - 1]), "This token opens nothing"),
        (format!("r/elsewhere#token={speaker}"), "Your token is for another room"),
    ] {
        let stranger = driver.open(&format!("{url}{page}")).await;
        stranger.wait_for("the page says why not", REFUSED, PATIENCE).await;
        let told = stranger.script("return tessera.problem;").await;
        assert!(told.as_str().is_some_and(|told| told.starts_with(why)), "{page}: {told}");
        stranger.close().await;
    }
    let stranger = driver.open(&format!("{url}w/{ROOM}")).await;
    let told = "return tessera.phase === 'waiting' && tessera.problem?.startsWith('This takes an access token');";
    stranger.wait_for("the viewers' page says why not", told, PATIENCE).await;
    locked.node.stop();
}
