//! **The question:** do parser, schema, documentation and examples say the same, and is every wrong field named?

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/layout.md");
const SCHEMA: &str = include_str!("../../../../docs/layout.schema.json");

/// The fenced JSON examples of the documentation.
fn examples() -> Vec<&'static str> {
    let fenced = DOCUMENT.split("```json\n").skip(1);
    fenced.map(|rest| rest.split("```").next().expect("split yields one").trim()).collect()
}

fn told(text: &str) -> String {
    Layout::parse(text).expect_err(text).to_string()
}

/// A custom layout with this first region.
fn with_region(region: &Value) -> String {
    json!({ "layout": "custom", "regions": [region] }).to_string()
}

fn region() -> Value {
    json!({ "show": "speaker", "rect": { "x": 0, "y": 0, "width": 1, "height": 1 } })
}

#[test]
fn the_published_schema_is_made_from_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/layout.schema.json");
    let made = serde_json::to_string_pretty(&Layout::schema()).unwrap() + "\n";
    if std::env::var_os("TESSERA_WRITE_SCHEMA").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    assert!(SCHEMA == made, "docs/layout.schema.json is old: run this test once with TESSERA_WRITE_SCHEMA=1");
}

#[test]
fn every_example_passes_schema_and_parser_and_survives_a_round() {
    let validator = jsonschema::validator_for(&Layout::schema()).unwrap();
    assert!(examples().len() >= 5);
    for example in examples() {
        let value: Value = serde_json::from_str(example).unwrap();
        let faults: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{example}: {faults:?}");
        let layout = Layout::parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
        assert!(validator.is_valid(&layout.to_value()));
        assert_eq!(Layout::from_value(&layout.to_value()), Ok(layout));
    }
}

#[test]
fn every_field_and_name_is_documented() {
    let mut schema = Layout::schema();
    let definitions = schema["$defs"].take();
    let documents = std::iter::once(&schema).chain(definitions.as_object().unwrap().values());
    for rule in documents {
        for field in rule["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            assert!(DOCUMENT.contains(&format!("`{field}`")), "docs/layout.md does not mention `{field}`");
        }
    }
    for name in ["grid", "speaker", "presentation", "pip", "single", "custom"] {
        assert!(DOCUMENT.contains(&format!("`{name}`")), "docs/layout.md does not mention `{name}`");
    }
}

#[test]
fn a_wrong_field_is_named_by_its_path() {
    let wide = json!({ "show": "screen", "rect": { "x": 0.5, "y": 0, "width": 0.75, "height": 1 } });
    let seat = json!({ "show": {"seat": 1}, "rect": region()["rect"] });
    let third = json!({ "layout": "custom", "regions": [region(), seat, wide] });
    assert_eq!(told(&third.to_string()), "regions[2].rect.width: reaches over the right edge; x + width is 1.25");
    let edited = |pointer: &str, value: Value| {
        let mut region = region();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        region.pointer_mut(parent).unwrap()[key] = value;
        told(&with_region(&region))
    };
    for (pointer, value, expected) in [
        ("/rect/width", json!(-1), "regions[0].rect.width: -1 is out of range; choose a number from 0.01 to 1"),
        (
            "/rect/width",
            json!("wide"),
            "regions[0].rect.width: invalid type: string \"wide\", expected a number from 0.01 to 1",
        ),
        ("/rect/height", json!(1e300), "regions[0].rect.height: "),
        ("/rect/y", json!(0.5), "regions[0].rect.height: reaches over the lower edge; y + height is 1.5"),
        ("/rect/depth", json!(1), "regions[0].rect.depth: unknown field `depth`, expected one of `x`"),
        ("/show", json!("everyone"), "regions[0].show: unknown variant `everyone`, expected one of `speaker`"),
        ("/show", json!({"participant": "me"}), "regions[0].show.participant: a participant id is 'p' followed by"),
        ("/show", json!({"seat": 0}), "regions[0].show.seat: 0 is out of range; choose a whole number from 1 to 100"),
        ("/z", json!(1.5), "regions[0].z: invalid type: floating point `1.5`, expected a whole number from 0 to 1000"),
        ("/opacity", json!(2), "regions[0].opacity: 2 is out of range; choose a number from 0 to 1"),
        ("/fit", json!("stretch"), "regions[0].fit: unknown variant `stretch`, expected `cover` or `contain`"),
        ("/corner_radius", json!(0.6), "regions[0].corner_radius: 0.6 is out of range"),
        ("/border", json!({"width": 0.01, "colour": "red"}), "regions[0].border.colour: not a colour; write one like"),
        ("/border", json!({"width": 0.01}), "regions[0].border: missing field `colour`"),
        ("/name", json!("x".repeat(10_000)), "regions[0].name: unknown field"),
    ] {
        let told = edited(pointer, value);
        assert!(told.starts_with(expected), "{pointer}: {told}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (text, expected) in [
        (r#"{"layout":"mosaic"}"#, "layout: unknown variant `mosaic`, expected one of `grid`"),
        (r#"{"layout":"grid","tiles":4}"#, "tiles: unknown field `tiles`, expected one of `layout`"),
        (r#"{"layout":"grid","tiles_max":101}"#, "tiles_max: 101 is out of range; choose a whole number from 1 to 100"),
        (r#"{"layout":"grid","regions":[]}"#, "regions: only a custom layout has regions"),
        (r#"{"layout":"custom"}"#, "regions: a custom layout needs regions"),
        (r#"{"layout":"custom","regions":[]}"#, "regions: 0 regions; a layout has 1 to 101"),
        (r#"{"regions":[]}"#, "layout document: missing field `layout`"),
        (r#"["grid"]"#, "layout document: an array; write an object"),
        (
            r#"{"layout":"custom","regions":[{"show":"speaker","rect":[0,0,1,1]}]}"#,
            "regions[0].rect: an array; write an object with named fields",
        ),
        ("grid", "layout document: expected value at line 1"),
        (r#"{"layout":"grid"} {}"#, "layout document: trailing characters"),
        ("", "layout document: EOF while parsing"),
    ] {
        let told = told(text);
        assert!(told.starts_with(expected), "{text}: {told}");
    }
    let twice = json!({ "layout": "custom", "regions": [region(), region()] }).to_string();
    assert_eq!(told(&twice), "regions[1].show: regions[0] shows the same; nobody is seen twice");
    let mut sized = json!({ "layout": "custom", "regions": [region()] });
    sized["tiles_max"] = json!(4);
    assert_eq!(told(&sized.to_string()), "tiles_max: a custom layout has as many tiles as regions");
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let many = |count: usize| json!({ "layout": "custom", "regions": vec![region(); count] }).to_string();
    assert!(told(&many(10_000)).starts_with("layout document: "), "too many bytes");
    let most = many(600);
    assert!(
        most.len() <= limits::LAYOUT_LEN_MAX && told(&most).starts_with("regions: 600 regions; a layout has 1 to 101")
    );
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    assert!(Layout::parse(&deep).is_err());
}

/// Values a document's field may or may not have.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-20_i32..120).prop_map(|n| json!(f64::from(n) / 100.0)),
        (-2_i32..110).prop_map(|n| json!(n)),
        prop::sample::select(vec![
            json!("grid"),
            json!("custom"),
            json!("speaker"),
            json!("cover"),
            json!("#00ff00"),
            json!(null),
            json!(true),
            json!({"seat": 3}),
            json!({"participant": "p00c0ffee00c0ffee"}),
            json!({"width": 0.01, "colour": "#000000"}),
            json!([]),
            json!([0, 0, 1, 1]),
            json!(["grid"]),
        ]),
    ]
}

proptest! {
    /// Whatever one field is changed to: the schema refuses nothing that the parser takes, and what the parser alone
    /// refuses is one of the rules between fields that no schema can say.
    #[test]
    fn schema_and_parser_agree(
        example in prop::sample::select(examples()), field in 0_usize..40, value in any_value(),
        removes in any::<bool>(),
    ) {
        let mut document: Value = serde_json::from_str(example).unwrap();
        let mut paths = Vec::new();
        leaves(&document, String::new(), &mut paths);
        let path = &paths[field % paths.len()];
        let (parent, key) = path.rsplit_once('/').unwrap();
        if let Some(parent) = document.pointer_mut(parent).and_then(Value::as_object_mut) {
            if removes { parent.remove(key); } else { parent.insert(key.to_owned(), value); }
        }
        let valid = jsonschema::validator_for(&Layout::schema()).unwrap().is_valid(&document);
        match Layout::from_value(&document) {
            Ok(_) => prop_assert!(valid, "the schema refuses {document}"),
            Err(error) => {
                let rules = ["reaches over", "shows the same", "needs regions"];
                let between = rules.iter().any(|rule| error.reason.contains(rule));
                prop_assert!(!valid || between, "only the parser refuses {document}: {error}");
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,300}") {
        let _ = Layout::parse(&text);
        let _ = Layout::parse(&format!(r#"{{"layout":"custom","regions":[{text}]}}"#));
    }
}

fn leaves(value: &Value, path: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| {
            found.push(format!("{path}/{key}"));
            leaves(inner, format!("{path}/{key}"), found);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| leaves(item, format!("{path}/{n}"), found));
        }
        _ => {}
    }
}
