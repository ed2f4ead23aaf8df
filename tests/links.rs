//! **The question:** what do people behind bad links see and hear? The real binary on both sides, and a seeded relay
//! between a person's socket and the node's (`tessera load --link`).
//!
//! A machine that is full adds standstills of its own, and these tests bound none closely: a picture that stands still
//! for seconds more than its link does is a fault on any machine. What links cost on a quiet one is in
//! `docs/benchmarks.md`.

use std::process::Command;

use tessera::app::load::{LinkReport, Report, RungReport};

use crate::browser::node::Node;

/// What two people told of whom the second one looks and the first speaks, behind links of these stages.
fn told(links: &[&str], line: &[&str]) -> (Report, LinkReport) {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start_with(&["--codec", "h264"]);
    let figures = folder.path().join("load.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command.args(["load", "--url", &node.url, "--participants", "2", "--speakers", "1", "--codecs", "h264"]);
    command.args(["--heedless", "--width", "320", "--height", "180", "--fps", "15"]).args(line);
    for link in links {
        command.args(["--link", link]);
    }
    let told = command.arg("--json").arg(&figures).env("XDG_CACHE_HOME", folder.path()).output();
    let told = told.expect("the binary starts");
    assert!(told.status.success(), "{told:?}");
    node.stop();
    let report: Report = serde_json::from_slice(&std::fs::read(figures).unwrap()).unwrap();
    let links = report.links.expect("there was one");
    assert_eq!((report.participants.connected, report.participants.seen), (2, 2), "{report:?}");
    assert_eq!(report.audio.heard, 1, "{report:?}");
    assert!(!report.errors.iter().any(|error| error.contains("connection")), "{report:?}");
    (report, links)
}

#[test]
fn what_a_link_loses_comes_again_and_the_picture_goes_on() {
    let links = ["delay=30ms,jitter=10ms", "1s:loss=5%"];
    let (report, links) = told(&links, &["--decoders", "2", "--duration", "9s"]);
    assert_eq!(links.people, 2, "{report:?}");
    assert!(links.up.lost > 10 && links.down.lost > 10, "{report:?}");
    let repairs = report.repairs;
    assert!(repairs.lost > 0 && repairs.repaired * 10 >= repairs.lost * 9, "{report:?}");
    // Without repair every other picture would ask for a keyframe, of which a viewer has few, and stand still for long.
    assert!(report.decoders.iter().all(|decoder| decoder.longest_picture_gap_ms < 5_000.0), "{report:?}");
}

#[test]
fn a_link_that_narrows_gets_a_smaller_rung_and_a_larger_one_once_it_is_wide_again() {
    let links = ["delay=10ms", "2s:down-rate=400k", "8s:down-rate=none"];
    let (report, links) = told(&links, &["--decoders", "1", "--linked", "1", "--duration", "17s"]);
    assert_eq!((links.people, links.down.lost), (1, 0), "{report:?}");
    let [looks] = &report.decoders[..] else { panic!("one looks: {report:?}") };
    let smallest = looks.rungs.iter().min_by_key(|rung| rung.width).expect("it saw something");
    let last = looks.rungs[looks.rungs.len() - 1];
    let RungReport { at_s, width, .. } = *smallest;
    // A machine that is full may show the first picture when the link is narrow already.
    assert!(width < 1_280 && at_s >= 2.0, "{report:?}");
    assert!(last.width > width && last.at_s >= 8.0, "{report:?}");
    assert!(report.audio.longest_gap_ms < 5_000.0, "{report:?}");
}

#[test]
fn after_three_seconds_without_a_link_the_picture_comes_back() {
    let links = ["delay=10ms", "3s:loss=100%", "6s:loss=0%"];
    let (report, links) = told(&links, &["--decoders", "1", "--linked", "1", "--duration", "14s"]);
    assert!(links.up.lost > 10 && links.down.lost > 10, "{report:?}");
    let gap = report.decoders[0].longest_picture_gap_ms;
    assert!((2_500.0..8_000.0).contains(&gap), "{report:?}");
}
