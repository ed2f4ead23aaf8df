//! **The question:** does the chart render what a cluster takes, what a linter has nothing against, and what the node
//! takes as its configuration; and does it refuse what cannot be meant?

use std::process::Command;

use super::tools::{EXAMPLES, container, documents, named, ours, python, rendered, template, text, told, tool};
use crate::keepers::process::BINARY;

/// Kinds that an operator brings to the cluster; no schema of Kubernetes has them.
const FOREIGN: [&str; 2] = ["ServiceMonitor", "PrometheusRule"];

/// Values of every kind.
const ODD: [&str; 2] = ["--values", "tests/k8s/odd.yaml"];

#[test]
fn helm_has_nothing_against_the_chart() {
    for example in EXAMPLES {
        let mut lint = tool("helm");
        lint.env("HOME", "/nonexistent").current_dir(ours(".")).args(["lint", "--strict", "k8s/chart"]);
        if let Some(name) = example {
            lint.args(["--values", &format!("k8s/examples/{name}.yaml")]);
        }
        told(lint.output().unwrap());
    }
}

#[test]
fn a_cluster_takes_what_is_rendered_and_a_linter_finds_nothing_unexplained() {
    let folder = tempfile::tempdir().unwrap();
    let all = EXAMPLES.map(|example| (example.unwrap_or("defaults"), rendered(example, &[])));
    let odd = ("odd", rendered(Some("recorded"), &ODD));
    for (name, yaml) in all.into_iter().chain([odd]) {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, yaml).unwrap();
        told(python(&["-m", "kubernetes_validate", "--strict", "--quiet"]).arg(&file).output().unwrap());
    }
    let router = ours("k8s/examples/by-room.yaml");
    told(python(&["-m", "kubernetes_validate", "--strict", "--quiet"]).arg(router).output().unwrap());

    let arguments = ["-m", "checkov.main", "--framework", "kubernetes", "--skip-download", "--output", "json"];
    // By name: it passes over hidden folders, as temporary ones are.
    let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let output = python(&arguments).arg("--file").args(files).output().unwrap();
    let findings: serde_json::Value = serde_json::from_str(&told(output)).expect("checkov prints JSON");
    assert_eq!(findings["summary"]["failed"], 0, "{findings:#}");
    assert!(findings["summary"]["passed"].as_u64().is_some_and(|passed| passed > 300), "{}", findings["summary"]);
    let skipped = findings["results"]["skipped_checks"].as_array().expect("a list of them");
    for one in skipped {
        let why = one["check_result"]["suppress_comment"].as_str().unwrap_or_default();
        assert!(why.split(' ').count() > 4, "{} of {} is not explained: {why:?}", one["check_id"], one["resource"]);
    }
}

#[test]
fn the_node_takes_each_configuration_that_the_chart_writes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tessera.toml");
    let check = |toml: &str| {
        std::fs::write(&file, toml).unwrap();
        Command::new(BINARY).args(["serve", "--check", "--config"]).arg(&file).output().unwrap()
    };
    let all = EXAMPLES.map(|example| (example, &[][..]));
    for (example, flags) in all.into_iter().chain([(Some("recorded"), &ODD[..])]) {
        let documents = documents(&rendered(example, flags));
        let maps: Vec<_> = documents.iter().filter_map(|one| one["data"]["tessera.toml"].as_str()).collect();
        // Nodes, and a steward.
        let has_one = |one: &&serde_json::Value| one["kind"] == "StatefulSet" || one["kind"] == "Deployment";
        let sets = documents.iter().filter(has_one).filter(|one| one["metadata"]["namespace"] == "tessera");
        assert_eq!(
            maps.len(),
            if example == Some("stunner") { 0 } else { sets.count() },
            "a configuration for each pool"
        );
        for toml in maps {
            told(check(toml));
        }
    }
    // As the document for STUNner has it, and what a test like this one is for.
    let gateway = documents(&text("k8s/examples/stunner-gateway.yaml"));
    told(check(named(&gateway, "Secret", "tessera-config")["stringData"]["tessera.toml"].as_str().unwrap()));
    let wrong = documents(&rendered(None, &["--set", "config.video.widht=1280"]));
    let refused = check(named(&wrong, "ConfigMap", "tessera-cpu")["data"]["tessera.toml"].as_str().unwrap());
    let line = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && line.contains("video.widht: unknown field"), "{line}");
}

#[test]
fn what_follows_from_the_values_stands_in_the_configuration() {
    let configuration = |example, pool: &str| -> toml::Table {
        let documents = documents(&rendered(example, &[]));
        named(&documents, "ConfigMap", pool)["data"]["tessera.toml"].as_str().unwrap().parse().unwrap()
    };
    let recorded = configuration(Some("recorded"), "tessera-cpu");
    assert_eq!(recorded["recording"]["path"].as_str(), Some("s3://example-recordings/recordings"));
    assert_eq!(recorded["recording"]["retention_hours"].as_integer(), Some(168));
    let keepers = recorded["retention"]["keepers"].as_array().unwrap();
    let sets = documents(&rendered(Some("recorded"), &[]));
    for (n, keeper) in keepers.iter().enumerate() {
        let name = format!("tessera-keeper-{}", n + 1);
        assert_eq!(keeper.as_str(), Some(format!("{name}.tessera-keepers.svc:7443").as_str()));
        named(&sets, "Service", &name);
        let set = named(&sets, "StatefulSet", &name);
        let peers = container(set)["args"].as_array().unwrap().iter().filter(|word| *word == "--peer").count();
        assert_eq!(peers, 2, "each asks the other two");
        let volumes = &set["spec"]["template"]["spec"]["volumes"];
        assert_eq!(volumes[0]["secret"]["secretName"], name.as_str(), "a certificate of its own, and no other's");
    }
    let gpu = configuration(Some("gpu"), "tessera-gpu");
    assert_eq!(gpu["video"]["compositor"].as_str(), Some("gpu"), "a node that lost its GPU does not start");
    assert_eq!(gpu["threads"]["decode"].as_integer(), Some(4));
    let sets = documents(&rendered(Some("gpu"), &[]));
    let set = named(&sets, "StatefulSet", "tessera-gpu");
    assert_eq!(set["spec"]["template"]["spec"]["runtimeClassName"], "nvidia");
    assert_eq!(container(set)["resources"]["limits"]["nvidia.com/gpu"], "1");
    let variables = container(set)["env"].as_array().unwrap();
    let granted = variables.iter().find(|one| one["name"] == "NVIDIA_DRIVER_CAPABILITIES").expect("on the container");
    assert_eq!(granted["value"], "graphics,video,compute,utility");
}

#[test]
fn no_secret_is_rendered_and_none_of_the_clusters_is_mounted() {
    for example in EXAMPLES {
        for one in documents(&rendered(example, &[])) {
            assert_ne!(one["kind"], "Secret", "secrets are referred to");
            if one["kind"] == "StatefulSet" || one["kind"] == "Deployment" {
                let pod = &one["spec"]["template"]["spec"];
                assert_eq!(pod["automountServiceAccountToken"], false);
                let liveness = container(&one)["livenessProbe"].to_string();
                assert!(
                    liveness.contains("/healthz") || liveness.contains("tcpSocket"),
                    "asks nobody else: {liveness}"
                );
            }
        }
    }
}

#[test]
fn monitoring_is_rendered_where_it_is_asked_for() {
    let count = |flags: &[&str]| {
        let documents = documents(&rendered(None, flags));
        documents.iter().filter(|one| FOREIGN.iter().any(|kind| one["kind"] == *kind)).count()
    };
    assert_eq!((count(&[]), count(&["--set", "monitoring.enabled=true"])), (0, 2));
    let documents = documents(&rendered(None, &["--set", "monitoring.enabled=true"]));
    let rules = &named(&documents, "PrometheusRule", "tessera")["spec"]["groups"][0]["rules"];
    assert!(rules.as_array().is_some_and(|rules| rules.len() > 10));
    let dashboard = named(&documents, "ConfigMap", "tessera-dashboard")["data"]["tessera.json"].as_str().unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(dashboard).is_ok());
    // It finds the one Service that leads to each node by itself.
    let labels = &named(&documents, "ServiceMonitor", "tessera")["spec"]["selector"]["matchLabels"];
    let of = |name: &str| &named(&documents, "Service", name)["metadata"]["labels"];
    let is_found = |name: &str| labels.as_object().unwrap().iter().all(|(key, value)| of(name)[key] == *value);
    assert!(is_found("tessera-nodes") && !is_found("tessera"));
}

#[test]
fn wrong_values_are_refused_with_what_to_do() {
    for (value, expected) in [
        ("pool.cpu.replicas=2", "additional properties 'pool' not allowed"),
        ("pools.cpu.replicas=-1", "/pools/cpu/replicas"),
        ("pools.cpu.expose=nodePort", "/pools/cpu/expose"),
        ("pools.cpu.expose=none", "pools.cpu.advertise: with expose none"),
        ("pools.cpu.expose=loadBalancer", "pools.cpu.advertise: behind a loadBalancer name its addresses"),
        ("graceSeconds=1", "/graceSeconds"),
        ("image.digest=sha256:beef", "/image/digest"),
        ("recording.retentionHours=200", "/recording/retentionHours"),
        ("recording.enabled=true", "recording.store.bucket: name the bucket"),
        ("recording.enabled=true,recording.store.bucket=a", "who holds the keys?"),
        ("recording.store.endpoint=https://me:secret@s3.example", "/recording/store/endpoint"),
        ("keepers.enabled=true,keepers.namespace=tessera", "keepers.namespace: another one"),
        ("config.http.token=0123456789abcdef", "config.http.token: say it by the value token.existingSecret"),
        ("config.media.advertise=203.0.113.7", "config.media.advertise: say it by the value pools.NAME.advertise"),
        ("config.recording.retention_hours=24", "say it by the value recording.retentionHours"),
        ("config.http.ice_servers[0].secret=a", "a secret would stand in a ConfigMap"),
        ("config.video=1280", "/config/video"),
        ("fleet.etcd[0]=http://etcd:2379", "fleet.advertise: where do clients reach each node"),
        ("fleet.etcd[0]=etcd:2379", "/fleet/etcd/0"),
        ("fleet.region=eu,config.fleet.region=eu", "config.fleet.region: say it by the value fleet.region alone"),
        ("steward.enabled=true", "steward.enabled: fleet.etcd names no etcd"),
        ("steward.secrets[0]=etcd", "steward.secrets: etcd is none of files.secrets"),
        ("config.node.drain_seconds=7200", "the pod is killed after graceSeconds, so at most 3540"),
    ] {
        let output = template(&["--set", value]).output().unwrap();
        let line = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && line.contains(expected), "{value}: {line}");
    }
    let two = ["--set", "pools.cpu.replicas=2", "--set-json", "pools.cpu.advertise=[\"203.0.113.7\"]"];
    let output = template(&two).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("addresses are one node's"));
}
