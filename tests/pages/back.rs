//! **The question:** does a call come back by itself, and with all that a person had in it, after a network that was
//! gone, and after a node that was? Chromium in a network of its own, the node in another; between them nothing
//! arrives for a while, and nothing tells either of them so.
//!
//! Such networks take namespaces, which not every machine lets a test have. Without them the node is held still
//! instead, which looks much the same from the page.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, assert_accessible};
use crate::browser::driver::{Browser, Driver};
use crate::browser::enter;
use crate::browser::node::Node;

const NAME: &str = "pages::back::who_had_no_network_is_back_with_what_was_said_meanwhile";
/// Says that the network is ours.
const INSIDE: &str = "TESSERA_TEST_TWO_NETWORKS";
const BROWSERS: &str = "192.0.2.1";
const NODES: &str = "192.0.2.2";
/// How soon whoever had no network is back once they have it: in a tenth of a second to one, unless a first try fails.
const BACK: Duration = Duration::from_secs(6);
/// How long the node keeps a seat (docs/signalling.md).
const SEAT: Duration = Duration::from_secs(30);
/// Whether the page says that it comes back.
const AWAY: &str = "return !tessera.connected && !document.getElementById('waiting').hidden;";
const SHOWN: &str = "return tessera.connected && document.getElementById('waiting').hidden;";
/// Counts what the page asks over HTTP to come back.
const COUNT: &str = r"
window.asked = 0;
for (const name of ['fetch', 'WebSocket']) {
  const real = window[name];
  window[name] = new Proxy(real, {
    apply: (of, that, all) => { window.asked += 1; return Reflect.apply(of, window, all); },
    construct: (of, all) => { window.asked += 1; return Reflect.construct(of, all); },
  });
}
";

/// On the way back: once the first offer is answered, its person says that they are not to be recorded, and before the
/// next one is made they switch their camera on.
const MEANWHILE: &str = r"
const real = window.fetch;
const camera = document.getElementById('camera');
let said = false, switched = false;
window.fetch = async (...asked) => {
  const joins = asked[1]?.method === 'POST' && String(asked[0]).includes('/participants');
  if (joins && said && !switched) {
    switched = true;
    camera.click();
    while (camera.getAttribute('aria-pressed') !== 'true') await new Promise((done) => setTimeout(done, 20));
  }
  const answer = await real(...asked);
  if (joins && answer.ok && !said) {
    said = true;
    document.getElementById('consent-no').click();
  }
  return answer;
};
";

/// The network of the node, as long as something runs in it.
struct Far {
    holder: Child,
}

impl Far {
    /// A second network, and a cable from this one to it.
    fn lay() -> Option<Self> {
        let mut unshare = Command::new("unshare");
        let unshare = unshare.args(["--net", "sh", "-c", "echo; exec sleep 600"]).stdout(Stdio::piped());
        let mut holder = unshare.spawn().ok()?;
        // It says a line once it is there.
        std::io::Read::read(holder.stdout.as_mut()?, &mut [0]).ok()?;
        let far = Self { holder };
        let pid = far.holder.id();
        let there = format!(
            "ip link set lo up && ip addr add {NODES}/24 dev there && ip link set there up \
             && ip route add default via {BROWSERS}"
        );
        let cable = format!(
            "ip link set lo up && ip link add here type veth peer name there netns {pid} \
             && ip addr add {BROWSERS}/24 dev here && ip link set here up && nsenter -t {pid} -n sh -c '{there}' \
             && ip route add default via {NODES}"
        );
        run(&cable).then_some(far)
    }

    /// A program that becomes the node, over there.
    fn program(&self, folder: &Path) -> PathBuf {
        let path = folder.join("node.sh");
        let binary = env!("CARGO_BIN_EXE_tessera");
        let text = format!("#!/bin/sh\nexec nsenter -t {} -n {binary} \"$@\"\n", self.holder.id());
        std::fs::write(&path, text).expect("the folder is ours");
        assert!(run(&format!("chmod +x {}", path.display())), "the file is ours");
        path
    }

    /// What one sends goes nowhere, in either direction: to an address that nobody has. Then again to the right one.
    fn cut(&self, cut: bool) {
        let pid = self.holder.id();
        let to = |address: &str, device: &str| match cut {
            true => format!("ip neigh replace {address} lladdr 02:00:00:00:00:99 dev {device} nud permanent"),
            false => format!("ip neigh del {address} dev {device}"),
        };
        let both = format!("{} && nsenter -t {pid} -n {}", to(NODES, "here"), to(BROWSERS, "there"));
        assert!(run(&both), "{both}");
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn run(script: &str) -> bool {
    Command::new("sh").args(["-c", script]).status().is_ok_and(|status| status.success())
}

fn hold(node: &Node, signal: Signal) {
    let pid = Pid::from_raw(node.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("it is ours, and runs");
}

async fn joined(browser: &Browser) {
    enter(browser, "Ada").await;
    browser.wait_for("the call", SHOWN, PATIENCE).await;
    browser.click("#chat-toggle").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_had_no_network_is_back_with_what_was_said_meanwhile() {
    let is_inside = std::env::var_os(INSIDE).is_some();
    let apart = |then: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", then]);
        command
    };
    let probe = "ip link add here type veth peer name there && unshare --net nsenter -t $$ -n true";
    let quiet = || apart(probe).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !is_inside && quiet().is_ok_and(|status| status.success()) {
        let program = std::env::current_exe().expect("this program is a file");
        let mut again = apart("exec \"$0\" \"$@\"");
        let status = again.arg(program).args([NAME, "--exact", "--nocapture"]).env(INSIDE, "1").status();
        assert!(status.expect("it was there a moment ago").success(), "see above");
        return;
    }
    let far = is_inside.then(|| Far::lay().expect("a moment ago there were namespaces"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let node = match &far {
        Some(far) => {
            Node::start_program(&far.program(folder.path()), &format!("{NODES}:0"), &[], &[], Stdio::inherit())
        }
        None => Node::start(),
    };
    if far.is_none() {
        println!("no namespaces here: the node is held still");
    }
    let driver = Driver::start().await;
    let origin = node.url.trim_end_matches('/');
    let flag = format!("--unsafely-treat-insecure-origin-as-secure={origin}");
    let browser = driver.open_with(&format!("{}r/lossy", node.url), &[&flag]).await;
    joined(&browser).await;
    let seat = browser.script("return tessera.participant;").await;
    browser.script(COUNT).await;

    let began = Instant::now();
    far.as_ref().map_or_else(|| hold(&node, Signal::STOP), |far| far.cut(true));
    browser.wait_for("the page says that the connection is lost", AWAY, PATIENCE).await;
    browser.fill("#chat-text", "said while away").await;
    browser.click("#chat-send").await;
    browser.click("#hand").await;
    browser.fill("#chat-text", "not said ye").await;
    // It does not wait for what hangs.
    browser.wait_for("it tries again and again", "return window.asked >= 3;", PATIENCE).await;
    far.as_ref().map_or_else(|| hold(&node, Signal::CONT), |far| far.cut(false));
    let mended = Instant::now();
    browser.wait_for("it is back", SHOWN, PATIENCE).await;
    let back = mended.elapsed();
    println!("gone for {:?}, back {back:?} after", mended - began);
    assert!(back < BACK, "{back:?} after the network was back");
    let said = "return tessera.lines.map((line) => line.text).join() === 'said while away';";
    browser.wait_for("what was written is read", said, PATIENCE).await;
    let raised = "return tessera.participants.some((one) => one.id === tessera.participant && one.hand);";
    browser.wait_for("the hand is up", raised, PATIENCE).await;
    if began.elapsed() < SEAT {
        assert_eq!(browser.script("return tessera.participant;").await, seat, "it is the same seat");
    }
    let field = browser.script("return document.getElementById('chat-text').value;").await;
    assert_eq!(field, "not said ye", "what is being written is left alone");
    let decoded = browser.script("return tessera.framesDecoded;").await.as_u64().unwrap_or(0);
    let more = format!("return tessera.framesDecoded > {} || tessera.framesDecoded < {decoded};", decoded + 10);
    browser.wait_for("pictures go on", &more, PATIENCE).await;
    // Longer than the page waits before it says again what it did not read.
    browser.script("window.since = performance.now();").await;
    browser.wait_for("a while passes", "return performance.now() > window.since + 3000;", PATIENCE).await;
    assert_eq!(browser.script(said).await, true, "what was written was said once");
    browser.close().await;
    node.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_began_anew_finds_the_room_as_it_was() {
    let node = Node::start();
    let http = node.url.trim_start_matches("http://").trim_end_matches('/').replace("localhost", "127.0.0.1");
    let driver = Driver::start().await;
    let browser = driver.open(&format!("{}r/lasting", node.url)).await;
    joined(&browser).await;
    browser.click("#hand").await;
    browser.click("#mic").await;
    browser.click("#camera").await;
    browser.click("#layout").await;
    browser.click("[data-layout=speaker]").await;
    browser.wait_for("the layout", "return tessera.layout === 'speaker';", PATIENCE).await;
    let told = "const me = tessera.participants.find((one) => one.id === tessera.participant); \
         return Boolean(me?.hand && me.muted);";
    browser.wait_for("the hand is up and the microphone off, as the node has it", told, PATIENCE).await;
    browser.fill("#chat-text", "not said yet").await;
    let own = "return tessera.participant;";
    let before = browser.script(own).await;
    browser.script(MEANWHILE).await;
    // Without a word, as a machine dies.
    drop(node);
    browser.wait_for("the page says that the connection is lost", AWAY, PATIENCE).await;
    let offers = "return !document.getElementById('try-now').hidden && \
         /does not answer|network is gone/.test(document.getElementById('waiting-text').textContent);";
    browser.wait_for("it says that nobody answers, and offers to try", offers, PATIENCE).await;
    assert_accessible(&browser).await;
    browser.screenshot("node-away").await;
    browser.click("#try-now").await;
    assert_eq!(browser.script("return tessera.phase;").await, "call", "the call is not given up");

    let node = Node::start_at(&http, &[], &[], Stdio::inherit());
    browser.wait_for("it is back", SHOWN, PATIENCE).await;
    let laid_out = "return fetch('/v1/rooms/lasting/layout').then((answer) => answer.json()) \
         .then(({ layout }) => layout.layout === 'speaker').catch(() => false);";
    browser.wait_for("the layout is as it was", laid_out, PATIENCE).await;
    browser.wait_for("the hand is up and the microphone off", told, PATIENCE).await;
    assert_ne!(browser.script(own).await, before, "the node knows nobody of before");
    let meanwhile = "const me = tessera.participants.find((one) => one.id === tessera.participant); \
         return Boolean(me?.unrecorded && me.camera);";
    browser.wait_for("what was said and switched on the way is so", meanwhile, PATIENCE).await;
    let field = browser.script("return document.getElementById('chat-text').value;").await;
    assert_eq!(field, "not said yet", "what is being written is left alone");
    browser.close().await;
    node.stop();
}
