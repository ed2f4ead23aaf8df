//! **The question:** does the grammar hold, and is its documentation true?

use proptest::prelude::*;
use serde_json::Value;

use super::*;

const DOCUMENT: &str = include_str!("../../../docs/signalling.md");
const SCHEMA: &str = include_str!("../../../docs/signalling.schema.json");

/// The fenced JSON examples under the heading `## {heading}`.
fn examples(heading: &str) -> Vec<String> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading is there");
    let fenced = section.split("```json\n").skip(1);
    fenced.map(|rest| rest.split("```").next().expect("split yields one").trim().to_owned()).collect()
}

fn kind_of(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    value["type"].as_str().unwrap().to_owned()
}

#[test]
fn every_message_of_the_node_is_documented_by_an_example_that_parses() {
    let examples = examples("From the node");
    for example in &examples {
        let message = FromNode::parse(example).unwrap().expect("a known type");
        assert_eq!(FromNode::parse(&message.encode()), Ok(Some(message)), "{example}");
    }
    let kinds: Vec<String> = examples.iter().map(|e| kind_of(e)).collect();
    for kind in FromNode::TYPES {
        assert!(kinds.iter().any(|k| k == kind), "docs/signalling.md has no example of '{kind}'");
    }
}

#[test]
fn every_message_of_a_client_is_documented_by_an_example_that_parses() {
    let examples = examples("From the client");
    for example in &examples {
        let message = FromClient::parse(example).unwrap().expect("a known type");
        assert_eq!(FromClient::parse(&message.encode()), Ok(Some(message)), "{example}");
    }
    let kinds: Vec<String> = examples.iter().map(|e| kind_of(e)).collect();
    for kind in FromClient::TYPES {
        assert!(kinds.iter().any(|k| k == kind), "docs/signalling.md has no example of '{kind}'");
    }
}

/// Each example's encoded form against the schema: its keys are known there, the required ones present, nested ones
/// too.
#[test]
fn the_schema_knows_every_field_the_grammar_writes() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (side, heading) in [("from_node", "From the node"), ("from_client", "From the client")] {
        for example in examples(heading) {
            let encoded = match side {
                "from_node" => FromNode::parse(&example).unwrap().unwrap().encode(),
                _ => FromClient::parse(&example).unwrap().unwrap().encode(),
            };
            let value: Value = serde_json::from_str(&encoded).unwrap();
            let rule = &schema["$defs"][side]["$defs"][kind_of(&encoded).as_str()];
            assert_eq!(rule["properties"]["type"]["const"], value["type"], "{side}");
            conforms(&schema, rule, &value, &encoded);
        }
    }
}

fn conforms(schema: &Value, rule: &Value, value: &Value, at: &str) {
    let rule = match rule["$ref"].as_str() {
        Some(pointer) => {
            schema.pointer(pointer.trim_start_matches('#')).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
        }
        None => rule,
    };
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let inner_rule = &rule["properties"][key.as_str()];
                assert!(!inner_rule.is_null(), "the schema lacks '{key}' of {at}");
                conforms(schema, inner_rule, inner, at);
            }
            for required in rule["required"].as_array().into_iter().flatten() {
                assert!(fields.contains_key(required.as_str().unwrap()), "{at} lacks {required}");
            }
        }
        Value::Array(items) => items.iter().for_each(|item| conforms(schema, &rule["items"], item, at)),
        Value::String(_) => {
            assert!(rule["type"] == "string" || !rule["const"].is_null() || !rule["enum"].is_null(), "{at}");
        }
        Value::Number(_) => assert!(rule["type"] == "integer" || !rule["const"].is_null(), "{at}"),
        Value::Bool(_) => assert_eq!(rule["type"], "boolean", "{at}"),
        Value::Null => panic!("the grammar writes no nulls: {at}"),
    }
}

/// Both ways: what is sent is documented, and what is documented is sent.
#[test]
fn the_documented_kinds_of_problems_are_those_that_are_sent() {
    let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let mut documented: Vec<&str> = rows.filter(|name| name.starts_with(PROBLEM_URN)).collect();
    let messages = ProblemKind::ALL.iter().map(|kind| FromNode::problem(*kind, "title", "detail"));
    let mut sent: Vec<String> = messages
        .map(|message| match message {
            FromNode::Problem { kind, .. } => kind,
            other => panic!("{other:?} is no problem"),
        })
        .collect();
    documented.sort_unstable();
    sent.sort_unstable();
    assert_eq!(documented, sent);
}

#[test]
fn the_kind_of_a_message_is_read_off_its_text() {
    let welcome = FromNode::Welcome { participant: None, room: "daily".parse().unwrap() }.encode();
    assert_eq!(super::kind_of(&welcome), Some("welcome"));
    assert_eq!(super::kind_of(&FromNode::Answer { sdp: "x".into() }.encode()), Some("answer"));
    assert_eq!(super::kind_of(&FromNode::problem(ProblemKind::Busy, "a", "b").encode()), Some("problem"));
    assert_eq!(super::kind_of("hello"), None);
}

#[test]
fn unknown_types_and_fields_are_ignored() {
    assert_eq!(FromClient::parse(r#"{"v":1,"type":"wave","hands":2}"#), Ok(None));
    assert_eq!(FromClient::parse(r#"{"v":1,"type":"leave","because":["late"]}"#), Ok(Some(FromClient::Leave)));
    // A word of the other side is unknown on this one.
    assert_eq!(FromClient::parse(r#"{"v":1,"type":"welcome"}"#), Ok(None));
}

#[test]
fn what_is_no_message_is_a_typed_error() {
    assert!(matches!(FromClient::parse(""), Err(SignalError::Malformed(_))));
    assert!(matches!(FromClient::parse("[1,2]"), Err(SignalError::Malformed(_))));
    assert!(matches!(FromClient::parse(r#"{"v":1}"#), Err(SignalError::Malformed(_))));
    assert!(matches!(FromClient::parse(r#"{"type":"leave"}"#), Err(SignalError::Malformed(_))));
    assert!(matches!(FromClient::parse(r#"{"v":1,"type":"offer","sdp":7}"#), Err(SignalError::Malformed(_))));
    assert_eq!(FromClient::parse(r#"{"v":2,"type":"leave"}"#), Err(SignalError::Version(2)));
    let nested = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(matches!(FromClient::parse(&nested), Err(SignalError::Malformed(_))));
    let long = format!(r#"{{"v":1,"type":"offer","sdp":"{}"}}"#, "a".repeat(limits::SIGNAL_LEN_MAX));
    assert_eq!(FromClient::parse(&long), Err(SignalError::Length(long.len())));
}

#[test]
fn a_full_room_fits_one_message() {
    let person = |n: u64| Person {
        id: ParticipantId(n),
        name: "ö".repeat(limits::DISPLAY_NAME_LEN_MAX / 2),
        camera: true,
        microphone: true,
        screen: false,
        muted: false,
        host_muted: false,
        hand: false,
        unrecorded: true,
        away: false,
    };
    let participants = (0..limits::PARTICIPANTS_MAX as u64).map(person).collect();
    assert!(FromNode::Room { participants }.encode().len() <= limits::SIGNAL_LEN_MAX);
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", sdp in ".{0,50}") {
        let _ = FromNode::parse(&text);
        let _ = FromClient::parse(&format!(r#"{{"v":1,"type":{text}}}"#));
        let offer = FromClient::Offer { sdp };
        prop_assert_eq!(FromClient::parse(&offer.encode()), Ok(Some(offer)));
    }
}
