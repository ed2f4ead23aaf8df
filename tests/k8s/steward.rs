//! **The question:** has the steward the rights that it needs and no others, is it the only one with any, and does
//! KEDA ask it what it answers?

use serde_json::{Value, json};

use super::tools::{EXAMPLES, container, documents, named, ours, python, rendered, told};

/// Whether a pod is given a token of the cluster's.
fn has_token(pod: &Value) -> bool {
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    let sources = volumes.flat_map(|volume| volume["projected"]["sources"].as_array().into_iter().flatten());
    pod["automountServiceAccountToken"] != false
        || sources.into_iter().any(|source| !source["serviceAccountToken"].is_null())
}

#[test]
fn the_steward_alone_has_a_token_and_may_list_and_mark_pods_of_its_namespace() {
    let mut with_token = Vec::new();
    for example in EXAMPLES {
        for one in documents(&rendered(example, &[])) {
            let kind = one["kind"].as_str().unwrap().to_owned();
            if !one["spec"]["template"]["spec"].is_null() && has_token(&one["spec"]["template"]["spec"]) {
                with_token.push(one["metadata"]["name"].clone());
            }
            assert!(!kind.starts_with("ClusterRole"), "nobody reaches beyond a namespace");
            assert!(example == Some("fleet") || !kind.starts_with("Role"), "{example:?} needs no rights");
        }
    }
    assert_eq!(with_token, ["tessera-steward"]);
    let all = documents(&rendered(Some("fleet"), &[]));
    let role = named(&all, "Role", "tessera-steward");
    assert_eq!(role["rules"], json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "patch"] }]));
    let bound = &named(&all, "RoleBinding", "tessera-steward")["subjects"];
    assert_eq!(bound, &json!([{ "kind": "ServiceAccount", "name": "tessera-steward", "namespace": "tessera" }]));
    assert_eq!(named(&all, "ServiceAccount", "tessera-steward")["automountServiceAccountToken"], false);
    let deployment = named(&all, "Deployment", "tessera-steward");
    assert_eq!(
        (&deployment["spec"]["replicas"], &deployment["spec"]["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );
    let security = &container(deployment)["securityContext"];
    assert_eq!((&security["readOnlyRootFilesystem"], &security["runAsNonRoot"]), (&json!(true), &json!(true)));
    assert!(container(deployment)["livenessProbe"].to_string().contains("/healthz"));
}

#[test]
fn it_looks_for_the_pods_that_there_are_and_finds_them() {
    let all = documents(&rendered(Some("fleet"), &[]));
    let words = container(named(&all, "Deployment", "tessera-steward"))["args"].as_array().unwrap();
    let at = words.iter().position(|word| word == "--selector").unwrap();
    let set = named(&all, "StatefulSet", "tessera-cpu");
    let labels = &set["spec"]["template"]["metadata"]["labels"];
    for pair in words[at + 1].as_str().unwrap().split(',') {
        let (key, value) = pair.split_once('=').unwrap();
        assert_eq!(labels[key], value, "{pair}");
    }
    let field = |name: &str| {
        let variables = container(set)["env"].as_array().unwrap();
        let found = variables.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}"));
        found["valueFrom"]["fieldRef"]["fieldPath"].clone()
    };
    assert_eq!([field("TESSERA_POD_NAME"), field("TESSERA_POD_NAMESPACE")], ["metadata.name", "metadata.namespace"]);
    // Both look at one fleet, and both may reach its etcd.
    let toml = |name: &str| -> toml::Table {
        named(&all, "ConfigMap", name)["data"]["tessera.toml"].as_str().unwrap().parse().unwrap()
    };
    let (node, steward) = (toml("tessera-cpu"), toml("tessera-steward"));
    assert_eq!((&node["fleet"], &node["log"]), (&steward["fleet"], &steward["log"]));
    assert_eq!(steward.keys().collect::<Vec<_>>(), ["fleet", "log"], "it is told nothing else");
    for policy in ["tessera-nodes", "tessera-steward"] {
        let text = named(&all, "NetworkPolicy", policy)["spec"]["egress"].to_string();
        assert!(text.contains("\"port\":2379"), "{policy}: {text}");
    }
}

#[test]
fn keda_asks_the_steward_for_a_number_that_it_tells() {
    let program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    let output = python(&["-c", program]).arg(ours("k8s/examples/keda.yaml")).output().unwrap();
    let scaled: Value = serde_json::from_str(&told(output)).unwrap();
    let all = documents(&rendered(Some("fleet"), &[]));
    let target = &scaled["spec"]["scaleTargetRef"];
    named(&all, target["kind"].as_str().unwrap(), target["name"].as_str().unwrap());
    let asked = &scaled["spec"]["triggers"][0]["metadata"];
    let service = named(&all, "Service", "tessera-steward");
    let port = &service["spec"]["ports"][0]["port"];
    assert_eq!(asked["url"], format!("http://tessera-steward.tessera.svc:{port}/v1/slots?pool=cpu"));
    let pool = &named(&all, "StatefulSet", "tessera-cpu")["spec"]["template"]["metadata"]["labels"]["tessera/pool"];
    assert_eq!(pool, "cpu");
    // It is one of what is told, by its own name.
    let fleet = tessera::core::fleet::Fleet::default();
    let numbers = tessera::core::steward::capacity(&fleet, "tessera", Some(&[]), Some("cpu"), 1).unwrap();
    let told = serde_json::to_value(numbers).unwrap();
    assert_eq!(told[asked["valueLocation"].as_str().unwrap()], 1);
}
