//! **The question:** does the image hold what the program needs, what its licences ask for, and no more rights than the
//! manifests count on? No image is built here: what its recipe says is compared with what is real.

use std::collections::BTreeSet;
use std::process::Command;

use super::tools::{container, documents, named, ours, rendered, text, told};
use crate::keepers::process::BINARY;

/// What the packages that the recipe names bring along without being named.
const BROUGHT: [&str; 2] = ["libc6", "libgcc-s1"];

/// The packages of the `n`th `apt-get install` of the recipe.
fn packages(n: usize) -> BTreeSet<String> {
    let recipe = text("Dockerfile").replace("\\\n", " ");
    let line = recipe.lines().filter_map(|line| line.split_once("--no-install-recommends ")).nth(n);
    let (_, list) = line.expect("the recipe installs packages");
    let list = list.split("&&").next().expect("split yields one");
    list.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn the_image_is_built_with_what_the_makefile_builds_with() {
    let makefile = text("Makefile");
    let needs =
        makefile.lines().find_map(|line| line.strip_prefix("BUILD_NEEDS := ")).expect("the Makefile names them");
    let needs: BTreeSet<String> = needs.split_whitespace().map(str::to_owned).collect();
    assert_eq!(packages(0), needs);
    let version = |text: &str, key: &str| {
        let line =
            text.lines().find_map(|line| line.strip_prefix(key)).map(|rest| rest.trim().trim_matches('"').to_owned());
        line.unwrap_or_else(|| panic!("no {key}"))
    };
    let ours = version(&text("Cargo.toml"), "version = ");
    assert_eq!(version(&text("k8s/chart/Chart.yaml"), "appVersion: "), ours, "the chart deploys this version");
    let rust = version(&text("Cargo.toml"), "rust-version = ");
    assert!(text("Dockerfile").contains(&format!("RUST_IMAGE=rust:{rust}-slim-bookworm")));
}

#[test]
fn the_image_has_every_library_that_the_program_links() {
    let linked = told(Command::new("ldd").arg(BINARY).output().unwrap());
    let mut lacking: BTreeSet<String> = BTreeSet::new();
    for path in linked.lines().filter_map(|line| line.split_once("=> ")?.1.split(' ').next()) {
        // Debian 12 has /lib in /usr, and its database may know a file by either name.
        let other = path.strip_prefix("/usr").map_or_else(|| format!("/usr{path}"), str::to_owned);
        let owner = [path, &other].iter().find_map(|path| {
            let output = Command::new("dpkg").args(["--search", path]).output().ok()?;
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).split(':').next().map(str::to_owned))?
        });
        let Some(owner) = owner else { continue };
        if !packages(1).contains(&owner) && !BROUGHT.contains(&owner.as_str()) {
            lacking.insert(owner);
        }
    }
    assert!(linked.contains("libdav1d"), "{linked}");
    assert!(lacking.is_empty(), "the Dockerfile does not install {lacking:?}");
}

#[test]
fn the_image_runs_as_whom_the_manifests_say() {
    let recipe = text("Dockerfile");
    let user = recipe.lines().find_map(|line| line.strip_prefix("USER ")).expect("not root").to_owned();
    let documents = documents(&rendered(None, &[]));
    let security = &container(named(&documents, "StatefulSet", "tessera-cpu"))["securityContext"];
    assert_eq!(user, format!("{}:{}", security["runAsUser"], security["runAsGroup"]));
    assert!(recipe.lines().all(|line| !line.starts_with("ADD ")), "nothing is fetched but packages");
    assert!(!recipe.contains("curl") && !recipe.contains("wget"));
}

#[test]
fn the_licences_of_what_is_linked_travel() {
    let mut script = Command::new(ours(".ci/licences"));
    let licences = told(script.output().unwrap());
    for wanted in [
        // C libraries inside crates, by what only their own texts say.
        "Alliance for Open Media",
        "Xiph.Org",
        "Cisco Systems",
        "=== aws-lc-sys ",
        "=== tokio ",
        "=== str0m ",
        "DejaVu",
        "Big Buck Bunny",
    ] {
        assert!(licences.contains(wanted), "{wanted} is missing");
    }
    let recipe = text("Dockerfile");
    assert!(recipe.contains(".ci/licences >LICENCES.txt") && recipe.contains("/usr/share/doc/tessera/"));
}

#[test]
fn the_bill_of_materials_has_each_crate_by_the_hash_that_it_is_held_to() {
    let bill = told(Command::new(ours(".ci/sbom")).output().unwrap());
    let bill: serde_json::Value = serde_json::from_str(&bill).expect("it is JSON");
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let components = bill["components"].as_array().unwrap();
    let lock: toml::Table = text("Cargo.lock").parse().unwrap();
    let locked: BTreeSet<(&str, &str, &str)> = lock["package"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| Some((one["name"].as_str()?, one["version"].as_str()?, one.get("checksum")?.as_str()?)))
        .collect();
    let word = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
    let crates: Vec<_> = components.iter().filter(|one| word(one, "purl").starts_with("pkg:cargo/")).collect();
    for one in &crates {
        let (name, version) = (word(one, "name"), word(one, "version"));
        let hash = word(&one["hashes"][0], "content");
        assert!(locked.contains(&(name.as_str(), version.as_str(), hash.as_str())), "{one}");
        assert!(!word(&one["licenses"][0], "expression").is_empty(), "{one}");
    }
    let names: BTreeSet<String> = crates.iter().map(|one| word(one, "name")).collect();
    for wanted in ["tokio", "str0m", "libaom-sys", "aws-lc-sys", "etcd-client"] {
        assert!(names.contains(wanted), "{wanted} is missing");
    }
    assert!(!names.contains("criterion") && !names.contains("cmake"), "what is not in the program");
    // Whatever needs something needs what is listed.
    let listed: BTreeSet<String> = components.iter().map(|one| word(one, "bom-ref")).collect();
    assert_eq!(listed.len(), components.len(), "each once");
    let needed = bill["dependencies"].as_array().unwrap().iter().flat_map(|one| one["dependsOn"].as_array().unwrap());
    assert!(needed.into_iter().all(|one| listed.contains(one.as_str().unwrap())));
    // The program is there, so what it loads is known.
    assert!(components.iter().any(|one| word(one, "purl").starts_with("pkg:deb/debian/libdav1d")));
    let recipe = text("Dockerfile");
    assert!(recipe.contains(".ci/sbom >tessera.cdx.json") && recipe.contains("/src/tessera.cdx.json"));
}
