//! Foreign types stay in their rooms: every crate that `Cargo.toml` names has the places that use it, or is one that
//! any room may use.

use std::collections::BTreeSet;

use super::paths::named;
use super::source::{Source, sources};
use super::{expect_accepted, expect_refused, expect_tidy};

/// Crates whose types stay in their rooms; a file stands without its `.rs`.
const OWNED: &[(&str, &[&str])] = &[
    // The wire: RTP leaves it for the far side only.
    ("if_addrs", &["io/webrtc"]),
    ("ipnet", &["io/rtp"]),
    ("openssl", &["io/acme", "io/webrtc"]),
    ("quinn_udp", &["io/webrtc", "app/load"]),
    ("rtc", &["app/load"]),
    ("rtc_rtp", &["io/webrtc", "app/load"]),
    ("socket2", &["io/webrtc"]),
    ("str0m", &["io/webrtc", "app/load"]),
    ("webrtc", &["app/load"]),
    // Doors.
    ("axum", &["io/http"]),
    ("axum_server", &["io/http"]),
    ("base64", &["core/webhook", "io/api", "io/tokens"]),
    ("etcd_client", &["io/fleet"]),
    ("jsonwebtoken", &["io/tokens"]),
    ("object_store", &["io/store", "io/transfer"]),
    ("http", &["io/acme"]),
    ("instant_acme", &["io/acme"]),
    ("rcgen", &["io/acme", "io/http", "io/keeper"]),
    (
        "reqwest",
        &[
            "io/acme",
            "io/egress",
            "io/fleet",
            "io/push",
            "io/steward",
            "io/traces",
            "io/transfer",
            "io/webhook",
            "app/load",
            "app/cli/drain",
            "app/cli/support",
        ],
    ),
    (
        "rustls",
        &[
            "io/acme",
            "io/egress",
            "io/http",
            "io/keeper",
            "io/push",
            "io/steward",
            "io/tokens",
            "io/transfer",
            "app/load",
        ],
    ),
    ("rustls_platform_verifier", &["io/push"]),
    ("tokio_rustls", &["io/keeper", "io/push"]),
    // Codecs: their pointers never leave the file.
    ("dav1d", &["engine/decode/av1"]),
    ("dav1d_sys", &["engine/decode/av1"]),
    ("re_rav1d", &["engine/decode/av1"]),
    ("libaom_sys", &["engine/encode/aom"]),
    ("openh264", &["engine/decode/h264", "engine/encode/h264"]),
    ("opus", &["engine/decode/opus", "engine/decode/opus_streams", "engine/encode/opus"]),
    ("rav1e", &["engine/encode/rav1e"]),
    // Containers.
    ("mp4_atom", &["core/fmp4", "io/demux"]),
    // Pictures and sound.
    ("bytemuck", &["engine/compose/gpu"]),
    ("cosmic_text", &["engine/compose"]),
    ("nnnoiseless", &["engine/audio"]),
    ("jpeg_encoder", &["engine/encode"]),
    ("flate2", &["app/support", "io/http"]),
    ("png", &["engine/compose", "io/http"]),
    ("pollster", &["engine/compose/gpu"]),
    ("wgpu", &["engine/compose/gpu"]),
    ("zune_jpeg", &["engine/compose", "engine/encode"]),
    // Seams.
    ("arc_swap", &["engine/flow"]),
    ("crossbeam_queue", &["engine/compose", "engine/flow", "io/apart"]),
    ("crossbeam_utils", &["engine/flow"]),
    ("smallvec", &["engine/audio", "io/webrtc"]),
    // Keys.
    (
        "aws_lc_rs",
        &["core/retention", "core/srt", "core/webhook", "io/api", "io/fleet", "io/http", "io/tokens", "io/transfer"],
    ),
    ("libc", &["core/retention", "io/apart", "io/http", "io/store/clock"]),
    ("zeroize", &["core/retention", "core/srt", "core/webhook", "io/keeper", "io/push", "io/store"]),
    // Words that are checked.
    ("serde_path_to_error", &["core/scene"]),
    ("toml", &["app/config", "app/support"]),
    // The house.
    ("async_trait", &["app/load"]),
    ("clap", &["app/cli", "app/config", "io/telemetry"]),
    ("indicatif", &["app/cli"]),
    ("mimalloc", &["main"]),
    ("tracing_subscriber", &["io/telemetry"]),
    // The kernel's own calls.
    ("landlock", &["io/apart"]),
    ("rustix", &["engine/flow", "io/apart", "io/rtp", "io/store", "io/webrtc", "app/load", "app/node"]),
    ("seccompiler", &["io/apart"]),
    // Not called: they settle other crates' features.
    ("hashbrown", &[]),
    ("nom", &[]),
    ("num_rational", &[]),
    ("num_traits", &[]),
    ("profiling", &[]),
    ("zerocopy", &[]),
];

/// Crates that any room may use, as far as its floor goes.
const COMMON: [&str; 10] = [
    "bytes",
    "crossbeam_channel",
    "futures_util",
    "rand",
    "schemars",
    "serde",
    "serde_json",
    "thiserror",
    "tokio",
    "tracing",
];

fn lies_in(path: &str, place: &str) -> bool {
    let below = path.strip_prefix("src/").and_then(|path| path.strip_prefix(place));
    below.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn strays(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in files {
        // Once a line: what is imported in one tree comes from one crate.
        let mut told = BTreeSet::new();
        for found in named(source).into_iter().filter(|found| !found.ours) {
            let Some((name, places)) = OWNED.iter().find(|(name, _)| found.path[0] == *name) else { continue };
            let place = source.place(found.at);
            if !places.iter().any(|place| lies_in(&source.path, place)) && told.insert((place.clone(), name)) {
                let home = if places.is_empty() { "nowhere".to_owned() } else { places.join(", ") };
                broken.push(format!("{place}: {name} is used in {home} only"));
            }
        }
    }
    broken
}

/// What `[dependencies]` names, for every target, as code names it.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            let whole = header.rsplit('.').next().unwrap_or_default();
            inside = whole == "dependencies";
            found.extend(header.strip_prefix("dependencies.").map(|name| name.replace('-', "_")));
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']).filter(|(name, _)| !name.starts_with('#'))
        {
            found.insert(name.trim().replace('-', "_"));
        }
    }
    found
}

fn crates_without_a_place(manifest: &str) -> Vec<String> {
    let named = dependencies(manifest);
    let placed: BTreeSet<&str> = OWNED.iter().map(|(name, _)| *name).chain(COMMON).collect();
    let lost = named.iter().filter(|name| !placed.contains(name.as_str()));
    lost.map(|name| format!("Cargo.toml: {name} has no place in tests/tidy/owners.rs: who may use it?")).collect()
}

fn places_without_a_crate(manifest: &str) -> Vec<String> {
    let named = dependencies(manifest);
    let gone = OWNED.iter().map(|(name, _)| *name).chain(COMMON).filter(|name| !named.contains(*name));
    gone.map(|name| format!("tests/tidy/owners.rs: {name} is no dependency any more")).collect()
}

#[test]
fn foreign_types_stay_in_their_rooms() {
    expect_tidy(&strays(&sources(&["src"])));
}

#[test]
fn a_foreign_type_out_of_its_room_is_refused() {
    let told = "src/app/node/mod.rs:1: str0m is used in io/webrtc, app/load only";
    expect_refused(strays, "src/app/node/mod.rs", "use str0m::Rtc;\n", told);
    expect_refused(strays, "src/app/node/mod.rs", "use {std::fmt, ::str0m as wire};\n", told);
    let told = "mp4_atom is used in core/fmp4, io/demux only";
    expect_refused(strays, "src/core/record/mod.rs", "fn f(b: mp4_atom::Moof) {}\n", told);
    expect_refused(strays, "src/engine/compose/plan.rs", "fn f(b: &wgpu::Buffer) {}\n", "engine/compose/gpu only");
    expect_refused(strays, "src/engine/encode/choice.rs", "use libaom_sys as ffi;\n", "engine/encode/aom only");
    expect_refused(strays, "src/app/control/mod.rs", "#[webrtc::x]\nfn f() {}\n", "webrtc is used in app/load only");
    expect_accepted(strays, "src/io/webrtc/peer.rs", "use str0m::Rtc;\n");
    expect_accepted(strays, "src/engine/decode/opus.rs", "use opus::Decoder;\n");
}

#[test]
fn a_module_of_ours_is_no_crate_of_that_name() {
    expect_accepted(strays, "src/app/node/mod.rs", "use crate::io::webrtc;\nfn f() { webrtc::run() }\n");
    expect_accepted(strays, "src/engine/decode/mod.rs", "mod opus;\npub use opus::OpusDecoder;\n");
    expect_refused(strays, "src/engine/decode/mod.rs", "mod opus;\npub use ::opus::Decoder;\n", "opus is used in");
}

#[test]
fn every_crate_has_its_place() {
    let manifest = include_str!("../../Cargo.toml");
    expect_tidy(&[crates_without_a_place(manifest), places_without_a_crate(manifest)].concat());
}

#[test]
fn a_crate_without_a_place_and_a_place_without_a_crate_are_refused() {
    let manifest = "[package]\nname = \"t\"\n[dependencies]\n# Words\nserde = \"1\"\nnew-crate = \"1\"\n\
                    tokio.workspace = true\n\
                    [dependencies.other]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nthird = \"1\"\n\
                    [dev-dependencies]\nproptest = \"1\"\n";
    let told = crates_without_a_place(manifest);
    let lost = |name| format!("Cargo.toml: {name} has no place in tests/tidy/owners.rs: who may use it?");
    assert_eq!(told, ["new_crate", "other", "third"].map(lost));
    let gone = places_without_a_crate(manifest);
    assert!(gone.contains(&"tests/tidy/owners.rs: str0m is no dependency any more".to_owned()));
    assert!(!gone.iter().any(|line| line.contains("serde is") || line.contains("tokio is")), "{gone:?}");
}
