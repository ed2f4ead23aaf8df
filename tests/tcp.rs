//! **The question:** are two people in the call whose network lets no UDP through? Two of Chromium in a network of
//! their own, in which no datagram goes anywhere.
//!
//! Such a network takes a namespace, which not every machine lets a test have. Without one, they are told not to use
//! UDP; their own statistics say by what they are connected in either case.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::browser::driver::{Driver, client};
use crate::browser::node::Node;
use crate::browser::{enter, sees_and_hears, state_when};

const NAME: &str = "tcp::whoever_has_no_udp_is_in_the_call_by_tcp";
/// Says that the network is ours.
const INSIDE: &str = "TESSERA_TEST_WITHOUT_UDP";
/// An address to be at, for Chromium leaves loopback out; and before the table of local addresses is looked at, a rule
/// that refuses UDP.
const CLOSE: &str = "ip link set lo up && ip link add here type veth peer name there && ip link set there up \
     && ip addr add 192.0.2.1/24 dev here && ip link set here up && ip route add default via 192.0.2.2 \
     && ip rule add pref 1 lookup local && ip rule del pref 0 && ip rule add pref 0 ipproto udp unreachable";
/// Has the page's connections where a test finds them.
const WATCH: &str = r"
const Real = RTCPeerConnection;
globalThis.connections = [];
globalThis.RTCPeerConnection = class extends Real {
  constructor(...all) {
    super(...all);
    connections.push(this);
  }
};
";
/// The protocol of the pair that is in use.
const PROTOCOL: &str = r#"
const done = arguments[0];
connections.at(-1).getStats().then((stats) => {
  const all = [...stats.values()];
  const pair = all.find((one) => one.type === "candidate-pair" && one.nominated && one.state === "succeeded");
  done([pair && stats.get(pair.localCandidateId).protocol, pair && stats.get(pair.remoteCandidateId).protocol]);
});
"#;

/// A shell in a network of its own, which `then` does.
fn namespace(then: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "sh", "-c", &format!("{CLOSE} && {then}")]);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_no_udp_is_in_the_call_by_tcp() {
    let is_inside = std::env::var_os(INSIDE).is_some();
    if !is_inside {
        let quiet = || namespace("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if quiet().is_ok_and(|status| status.success()) {
            let program = std::env::current_exe().expect("this program is a file");
            let mut again = namespace("exec \"$0\" \"$@\"");
            let status = again.arg(program).args([NAME, "--exact", "--nocapture"]).env(INSIDE, "1").status();
            assert!(status.expect("it was there a moment ago").success(), "see above");
            return;
        }
        println!("no namespaces here: Chromium is told to do without UDP");
    }
    let node = Node::start();
    let driver = Driver::start().await;
    let flags = ["--webrtc-ip-handling-policy=disable_non_proxied_udp"];
    let flags = if is_inside { &[][..] } else { &flags };
    let mut browsers = Vec::new();
    for name in ["Ada", "Grace"] {
        let browser = driver.open_with(&format!("{}r/narrow", node.url), flags).await;
        browser.script(WATCH).await;
        enter(&browser, name).await;
        state_when(&browser, "it is connected", |state| state["connected"] == true).await;
        browsers.push(browser);
    }
    for browser in &browsers {
        sees_and_hears(browser).await;
        assert_eq!(browser.script_async(PROTOCOL).await, json!(["tcp", "tcp"]));
    }
    let metrics = client().get(format!("{}metrics", node.url)).send().await.unwrap().text().await.unwrap();
    let streams = metrics.lines().find_map(|line| line.strip_prefix("tessera_tcp_streams ")).unwrap();
    assert!(streams.parse::<f64>().unwrap() >= 2.0, "{streams} connections");
    for browser in browsers {
        browser.close().await;
    }
    node.stop();
}
