//! **The question:** does what `tessera support` gathers help, and does it name anybody? A node that runs, a
//! configuration with a secret in every key, and a log with people in it.

use std::fs;
use std::process::{Command, Output};

use tessera::app::config::Config;
use toml::{Table, Value};

use crate::browser::node::Node;
use crate::keepers::process::BINARY;

const NAME: &str = "Zerubbabel";

/// The defaults, with a secret wherever somebody could type one. No node would start with it.
fn configuration() -> String {
    let mut table = Table::try_from(Config::default()).unwrap();
    for (section, keys) in &mut table {
        let keys = keys.as_table_mut().unwrap();
        if section == "http" {
            for key in ["token", "tls_cert", "tls_key"] {
                keys.insert(key.into(), Value::String(String::new()));
            }
        }
        for (key, value) in keys {
            match value {
                Value::String(text) => *text = format!("s3cret-{section}-{key}"),
                Value::Array(all) => all.push(Value::String(format!("s3cret-{section}-{key}"))),
                _ => {}
            }
        }
    }
    toml::to_string(&table).unwrap()
}

fn support(folder: &std::path::Path, flags: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.arg("support").args(flags).current_dir(folder).env_remove("TESSERA_TOKEN").output().unwrap()
}

#[test]
fn what_is_gathered_tells_how_a_node_stands_and_nobodys_name_address_or_secret() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let log = at("node.log");
    let node = Node::start_logging(&[], &[], fs::File::create(&log).unwrap());
    let host = node.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let lines = format!(
        "2026-11-27T09:30:00.1Z  INFO tessera::app::control::rooms: a room begins room=00ff00ff00ff00ff name={NAME}\n\
         2026-11-27T09:30:00.2Z  WARN tessera::io::http: {NAME} came from 192.0.2.7 rooms=3\n{NAME} says hello\n"
    );
    fs::write(&log, fs::read_to_string(&log).unwrap() + &lines).unwrap();
    fs::write(at("tessera.toml"), configuration()).unwrap();
    let flags = ["--config", "tessera.toml", "--url", &node.url, "--log", "node.log", "--out", "bundle.tar.gz"];
    let gathered = support(folder.path(), &flags);
    let told = String::from_utf8_lossy(&gathered.stdout).into_owned();
    assert!(gathered.status.success(), "{told} {}", String::from_utf8_lossy(&gathered.stderr));
    assert!(told.contains("the bundle is bundle.tar.gz") && told.contains("/readyz of the node: 200"), "{told}");

    fs::create_dir(at("inside")).unwrap();
    let unpacked =
        Command::new("tar").args(["-xzf", "bundle.tar.gz", "-C", "inside"]).current_dir(folder.path()).status();
    assert!(unpacked.unwrap().success());
    let part =
        |name: &str| fs::read_to_string(at("inside").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    for (name, says) in [
        ("configuration.txt", "video.width = 1280"),
        ("configuration.txt", "http.token: set, and left out"),
        ("program.txt", concat!("version ", env!("CARGO_PKG_VERSION"))),
        ("machine.txt", "kernel "),
        ("measured.json", "av1_ms"),
        ("health.txt", "200"),
        ("node.json", "free_room100_slots"),
        ("metrics.txt", "\ntessera_rooms 0"),
        ("log.txt", "tessera::app::control::rooms: a room begins room=00ff00ff00ff00ff name=…"),
        ("log.txt", "encoder chosen"),
    ] {
        assert!(part(name).contains(says), "{name} does not say {says}: {}", part(name));
    }
    for entry in fs::read_dir(at("inside")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for secret in ["s3cret", NAME, "192.0.2.7", &host] {
            assert!(!text.contains(secret), "{secret} is in {}: {text}", path.display());
        }
    }

    let again = support(folder.path(), &flags);
    assert_eq!(again.status.code(), Some(2), "nothing is overwritten");
    node.stop();
}
