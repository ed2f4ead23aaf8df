//! **The question:** what of a node's own answers is kept? Members and metrics by their names.

use serde_json::Value;

/// Members of `GET /v1/node`, at any depth.
const NODE: &[&str] = &[
    "version",
    "cores",
    "encoder",
    "encoder_reason",
    "compositor",
    "compositor_reason",
    "codec",
    "policy",
    "av1_ms",
    "h264_ms",
    "reason",
    "state",
    "rooms",
    "people",
    "finishing",
    "unsent_bytes",
    "capacity",
    "units",
    "reserved_units",
    "free_room100_slots",
    "drain",
    "since_s",
    "ends_in_s",
];

/// Of what a node says of itself, JSON, those members that are known to name nobody.
#[must_use]
pub fn kept_of_node(text: &str) -> String {
    serde_json::from_str(text)
        .map(kept)
        .map_or_else(|_| "no JSON was answered".to_owned(), |value| format!("{value:#}"))
}

fn kept(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(name, _)| NODE.contains(&name.as_str()));
            Value::Object(members.map(|(name, value)| (name, kept(value))).collect())
        }
        // No list is known.
        Value::Array(_) => Value::Null,
        plain => plain,
    }
}

/// Of metrics in Prometheus' text format this program's own, and what is said of them.
#[must_use]
pub fn kept_of_metrics(text: &str) -> String {
    let name = |line: &str| line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").to_owned();
    let is_own = |line: &&str| ["tessera_", "process_"].iter().any(|start| name(line).starts_with(start));
    text.lines().filter(is_own).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_on_no_list_is_left_out() {
        let told = kept_of_node(
            r#"{"version":"0.1.0","codec":{"av1_ms":18.0,"owner":"Ada"},"names":["Ada"],"rooms":[{"room":"Ada"}]}"#,
        );
        assert!(told.contains("0.1.0") && told.contains("18.0") && !told.contains("Ada"), "{told}");
        assert_eq!(kept_of_node("Ada"), "no JSON was answered");
        let metrics = "# HELP tessera_rooms Rooms\n# TYPE tessera_rooms gauge\ntessera_rooms 1\nada_total 1\n# Ada\n";
        assert_eq!(kept_of_metrics(metrics), metrics.split("ada_total").next().unwrap());
    }
}
