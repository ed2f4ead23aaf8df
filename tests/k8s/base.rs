//! **The question:** does who takes Kustomize deploy what who takes Helm does?

use std::collections::BTreeMap;

use serde_json::Value;

use super::tools::{documents, ours, rendered, told, tool};

/// What names an object in a cluster.
type Key = (String, String, String);

/// Objects, without what says that Helm made them or in which order lists without an order stand.
fn objects(yaml: &str) -> BTreeMap<Key, Value> {
    let mut all = BTreeMap::new();
    for mut one in documents(&unhashed(yaml)) {
        for path in ["/metadata/labels", "/spec/template/metadata/annotations"] {
            if let Some(map) = one.pointer_mut(path).and_then(Value::as_object_mut) {
                let helm = ["app.kubernetes.io/managed-by", "helm.sh/chart", "checksum/config"];
                map.retain(|key, _| !helm.contains(&key.as_str()));
            }
        }
        for list in ["containers/0/env", "containers/0/volumeMounts", "volumes"] {
            let list = one.pointer_mut(&format!("/spec/template/spec/{list}")).and_then(Value::as_array_mut);
            list.into_iter().for_each(|list| list.sort_by_key(|entry| entry["name"].to_string()));
        }
        if let Some(toml) = one.pointer_mut("/data/tessera.toml") {
            let table: toml::Table = toml.as_str().unwrap().parse().expect("a configuration is TOML");
            *toml = serde_json::to_value(table).unwrap();
        }
        let text = |pointer: &str| one.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let key = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        assert!(all.insert(key.clone(), one).is_none(), "{key:?} twice");
    }
    all
}

/// The same with the names of ConfigMaps as they were before Kustomize put a hash of their content behind.
fn unhashed(yaml: &str) -> String {
    let mut text = String::new();
    for line in yaml.split_inclusive('\n') {
        let (word, end) = line.trim_end().rsplit_once('-').unwrap_or((line, ""));
        let is_hash = end.len() == 10 && end.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let is_ours = word.ends_with("name: tessera-cpu") || word.ends_with("name: tessera-gpu");
        text.push_str(if is_hash && is_ours { word } else { line.trim_end() });
        text.push('\n');
    }
    text
}

fn expect_equal(folder: &str, example: Option<&str>) {
    let chart = objects(&rendered(example, &[]));
    let mut base = objects(&told(tool("kubectl").arg("kustomize").arg(ours(folder)).output().unwrap()));
    // Helm's is made by --create-namespace.
    let namespace = base.remove(&("Namespace".into(), String::new(), "tessera".into()));
    assert!(namespace.is_some());
    let of = |objects: &BTreeMap<Key, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(of(&base), of(&chart), "{folder} has other objects than the chart");
    for (key, object) in &chart {
        assert_eq!(base[key], *object, "{folder} and the chart part in {key:?}: change both");
    }
}

#[test]
fn the_base_deploys_what_the_chart_does() {
    expect_equal("k8s/base", None);
}

#[test]
fn the_overlays_deploy_what_the_chart_does_with_their_values() {
    expect_equal("k8s/overlays/recorded", Some("recorded"));
    expect_equal("k8s/overlays/gpu", Some("gpu"));
    expect_equal("k8s/overlays/fleet", Some("fleet"));
}
