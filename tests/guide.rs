//! **The question:** does the way from an empty machine to three nodes lead there by its text alone? The commands of
//! `docs/first-fleet.md` are run as they stand there, one after the other, in an empty folder.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::retention::weed;

/// How long it may take, seconds.
const PATIENCE: &str = "300";

/// All that stands between ```` ```sh ```` and ```` ``` ````. Each block says when it begins; what fails ends it.
fn script() -> String {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/first-fleet.md")).unwrap();
    let mut script = String::from("set -eEuo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\"' ERR\n");
    let (mut block, mut is_code) = (0, false);
    for line in text.lines() {
        match line {
            "```sh" => {
                (block, is_code) = (block + 1, true);
                script += &format!("echo \"## block {block}, after $SECONDS s\"\n");
            }
            "```" => is_code = false,
            line if is_code => script += &format!("{line}\n"),
            _ => {}
        }
    }
    assert!(block > 10, "the guide has its commands in blocks of sh: {block}");
    script
}

#[test]
fn the_guides_commands_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guide.sh");
    fs::write(&file, script()).unwrap();
    let output = Command::new("bash").arg("-n").arg(&file).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "two minutes: cargo test --release --test tests the_guide_leads -- --ignored --nocapture"]
fn the_guide_leads_from_an_empty_folder_to_a_recorded_call() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("guide.sh"), script()).unwrap();
    let programs = [Path::new(env!("CARGO_BIN_EXE_tessera")), weed::program()];
    let path = programs.map(|program| program.parent().unwrap().display().to_string()).join(":");
    // In a network of its own, where every port is free, and where nothing is left once it has ended.
    let alone = "ip link set lo up; ip route add default dev lo; exec bash guide.sh";
    let output = Command::new("timeout")
        .args([PATIENCE, "unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", alone])
        .current_dir(folder.path())
        .env("PATH", format!("{path}:{}", std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    let (told, troubles) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{told}");
    assert!(output.status.success(), "{told}\n{troubles}");
    for seen in ["201 after 1 redirect", "1 asked, 1 connected", "the node is empty", "6 of 6 followed", "[2,2,0,0]"] {
        assert!(told.contains(seen), "{seen}: {told}\n{troubles}");
    }
    assert!(told.contains("nothing to worry about"), "{told}");
}
