//! **The question:** does an operator who watches what `k8s/` gives them see what there is, and learn of what goes
//! wrong?

use std::collections::BTreeSet;

use super::tools::{text, told, tool};

const ALERTS: &str = "k8s/chart/files/alerts.yaml";

/// Prometheus would rather have seconds; names that people use stay.
const NAMED_BY_THEIR_UNIT: [&str; 2] = ["tessera_lip_sync_skew_microseconds_total", "tessera_record_gap_ms_total"];

/// Every metric that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
    words.filter(|word| word.starts_with("tessera_")).collect()
}

fn alerts() -> Vec<(String, String)> {
    let text = text(ALERTS);
    let value = |line: &str, key: &str| line.trim().strip_prefix(key).map(|value| value.trim().to_owned());
    let names = text.lines().filter_map(|line| value(line, "- alert:"));
    let runbooks = text.lines().filter_map(|line| value(line, "runbook:"));
    names.zip(runbooks).collect()
}

#[test]
fn every_metric_that_is_asked_for_is_one_that_a_node_exports() {
    let document = text("docs/operating.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.filter(|(name, _)| name.starts_with("tessera_")).collect();
    let exported: BTreeSet<&str> = rows.iter().map(|(name, _)| *name).collect();
    let (alerts, dashboard) = (text(ALERTS), text("k8s/chart/files/dashboard.json"));
    let unknown: Vec<_> =
        metrics(&alerts).union(&metrics(&dashboard)).copied().filter(|n| !exported.contains(n)).collect();
    assert_eq!(unknown, [""; 0], "no node exports them");
    // And what the document calls an alarm is one.
    let named = metrics(&alerts);
    let quiet = rows.iter().filter(|(name, rest)| rest.contains("**alarm**") && !named.contains(name));
    assert_eq!(quiet.map(|(name, _)| *name).collect::<Vec<_>>(), [""; 0], "no rule looks at them");
}

#[test]
fn every_alert_has_its_paragraph_in_the_guide() {
    let guide = text("docs/kubernetes.md");
    let headings = guide.lines().filter_map(|line| line.strip_prefix("### "));
    let anchors: BTreeSet<String> = headings.map(|heading| heading.to_ascii_lowercase().replace(' ', "-")).collect();
    let alerts = alerts();
    assert_eq!(alerts.len(), text(ALERTS).matches("- alert:").count(), "each rule has a runbook");
    for (name, runbook) in alerts {
        let anchor = runbook.strip_prefix("docs/kubernetes.md#").unwrap_or_else(|| panic!("{name}: {runbook}"));
        assert!(anchors.contains(anchor), "{name}: docs/kubernetes.md has no ### {anchor}");
    }
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    told(tool("promtool").args(["check", "rules"]).arg(super::tools::ours(ALERTS)).output().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alerts.yaml");
    let cases = text("tests/k8s/alerts.yaml");
    for (name, _) in alerts() {
        assert!(cases.contains(&format!("  - name: {name}\n")), "tests/k8s/alerts.yaml never lets {name} fire");
    }
    let rules = super::tools::ours(ALERTS).display().to_string();
    std::fs::write(&file, cases.replace("rule_files: [RULES]", &format!("rule_files: [{rules}]"))).unwrap();
    told(tool("promtool").args(["test", "rules"]).arg(&file).output().unwrap());
}

#[test]
fn every_query_of_the_dashboard_can_be_asked() {
    let dashboard: serde_json::Value = serde_json::from_str(&text("k8s/chart/files/dashboard.json")).unwrap();
    let list = |value: &serde_json::Value, key: &str| value[key].as_array().cloned().expect(key);
    let panels = list(&dashboard, "panels");
    let targets: Vec<_> = panels.iter().flat_map(|panel| list(panel, "targets")).collect();
    assert!(targets.len() > panels.len(), "each panel shows something");
    // As Grafana fills them in; a query is what a recording rule records.
    let filled =
        |query: &str| query.replace("$__rate_interval", "1m").replace("$namespace", "t").replace("$instance", "a");
    let rule = |(n, target): (usize, &serde_json::Value)| {
        let query = filled(target["expr"].as_str().expect("a query"));
        assert!(!query.contains('$'), "a variable that nobody fills in: {query}");
        serde_json::json!({ "record": format!("panel:{n}"), "expr": query })
    };
    let rules: Vec<_> = targets.iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    std::fs::write(&file, serde_json::json!({ "groups": [{ "name": "a", "rules": rules }] }).to_string()).unwrap();
    told(tool("promtool").args(["check", "rules"]).arg(&file).output().unwrap());
}

#[test]
fn a_nodes_page_of_metrics_is_one_that_prometheus_takes() {
    let node = crate::browser::node::Node::start();
    let url = format!("{}metrics", node.url);
    let script = "curl --silent --fail --noproxy '*' \"$1\" | \"$2\" check metrics";
    let promtool = tool("promtool").get_program().to_owned();
    let mut shell = std::process::Command::new("sh");
    let output = shell.args(["-c", script, "sh", &url]).arg(promtool).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let others =
        told.lines().filter(|line| !line.is_empty() && !NAMED_BY_THEIR_UNIT.iter().any(|name| line.starts_with(name)));
    assert_eq!(others.collect::<Vec<_>>(), [""; 0]);
    assert!(told.lines().count() >= NAMED_BY_THEIR_UNIT.len(), "it read the page: {told}");
}
