//! **The question:** what of a configuration may a stranger know? Keys by a list of those that may be told, of these
//! the numbers, switches and this program's own words; of all others only that they are set. A key that is new is told
//! nowhere until somebody puts it on the list.

use std::collections::BTreeSet;

use toml::{Table, Value};

use crate::app::config::Config;

/// What may be told, by section.
const TOLD: &[(&str, &[&str])] = &[
    ("http", &["tls_self_signed", "connections"]),
    ("access", &["longest_hours"]),
    ("media", &["tcp", "decoders"]),
    (
        "video",
        &[
            "width",
            "height",
            "fps",
            "crowd_fps",
            "bitrate",
            "encoder",
            "codec",
            "encoder_threads",
            "compositor",
            "layout",
            "motion_ms",
            "labels",
            "clock",
        ],
    ),
    ("rooms", &["participants_choose_layout", "lobby"]),
    ("audio", &["voices", "bitrate", "complexity", "levelling", "noise_suppression", "duck_screens", "red"]),
    ("hls", &["enabled", "always", "all_rungs", "window_seconds", "window_mib", "any_origin", "open"]),
    ("push", &["allow_private"]),
    ("webhooks", &["names", "allow_private"]),
    (
        "recording",
        &[
            "enabled",
            "start",
            "participants_may_record",
            "mark",
            "tracks",
            "retention_hours",
            "allow_versions",
            "spool_mib",
        ],
    ),
    ("hand_over", &["automatic"]),
    ("node", &["drain_seconds"]),
    ("threads", &["net", "decode", "compose", "mix", "http"]),
    ("log", &["level", "format"]),
];

/// Words that these keys may have; another one is whatever somebody typed.
const WORDS: &[&str] = &[
    "",
    "media",
    "http",
    "process",
    "thread",
    "auto",
    "aom",
    "rav1e",
    "av1",
    "h264",
    "cpu",
    "gpu",
    "grid",
    "speaker",
    "presentation",
    "pip",
    "single",
    "automatic",
    "asked",
    "error",
    "warn",
    "info",
    "debug",
    "trace",
    "text",
    "json",
];
/// Keys that no default shows.
const WITHOUT_DEFAULT: [(&str, &str); 3] = [("http", "tls_cert"), ("http", "tls_key"), ("http", "token")];
/// Shorter texts are not worth removing: they would take half of a page with them.
const REMOVED_LEN_MIN: usize = 4;

/// What may be told of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ToldConfig {
    /// A line for each key that is set.
    pub lines: Vec<String>,
    /// Keys whose values are left out, unknown ones included.
    pub left_out: usize,
    /// Every text that was left out, the longest first: it is to stand nowhere else either.
    pub removed: Vec<String>,
}

impl ToldConfig {
    /// Of a configuration's text, whether a node could use it or not.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let Ok(table) = text.parse::<Table>() else {
            return Self { lines: vec!["the file is no TOML".into()], ..Self::default() };
        };
        let (known, mut told, mut removed) = (known(), Self::default(), BTreeSet::new());
        for (section, keys) in &table {
            let Value::Table(keys) = keys else {
                told.left_out += 1;
                collect(keys, &mut removed);
                told.lines.push(match matches!(section.as_str(), "tenant" | "partner") {
                    true => format!("{section}: set, and left out"),
                    false => "a key that this version does not know: left out".to_owned(),
                });
                continue;
            };
            for (key, value) in keys {
                let may = TOLD.iter().any(|(of, keys)| of == section && keys.contains(&key.as_str()));
                if may && is_plain(value) {
                    told.lines.push(format!("{section}.{key} = {value}"));
                    continue;
                }
                told.left_out += 1;
                collect(value, &mut removed);
                told.lines.push(match known.contains(&(section.clone(), key.clone())) {
                    true => format!("{section}.{key}: set, and left out"),
                    false => "a key that this version does not know: left out".to_owned(),
                });
            }
        }
        // What the defaults say everybody knows, and much else says it too.
        let mut ours = BTreeSet::new();
        collect(&Value::Table(defaults()), &mut ours);
        // Nor is a short number anybody's secret: a key is often called by the year, and so begins each line of a log.
        let is_short_number = |text: &&String| text.len() < 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        told.removed = removed.difference(&ours).filter(|text| !is_short_number(text)).cloned().collect();
        told.removed.sort_by_key(|text| std::cmp::Reverse(text.len()));
        told
    }

    /// A text without whatever was left out.
    #[must_use]
    pub fn without_removed(&self, text: &str) -> String {
        self.removed.iter().fold(text.to_owned(), |text, removed| text.replace(removed, "[removed]"))
    }
}

fn defaults() -> Table {
    Table::try_from(Config::default()).expect("the defaults can be written")
}

/// All there are, by section and name.
fn known() -> BTreeSet<(String, String)> {
    let keys = defaults().into_iter().filter_map(|(section, keys)| match keys {
        Value::Table(keys) => Some(keys.into_iter().map(move |(key, _)| (section.clone(), key))),
        _ => None,
    });
    let others = WITHOUT_DEFAULT.map(|(section, key)| (section.to_owned(), key.to_owned()));
    keys.flatten().chain(others).collect()
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Integer(_) | Value::Boolean(_) | Value::Float(_) => true,
        Value::String(text) => WORDS.contains(&text.as_str()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => false,
    }
}

/// Every text in a value, however deep.
fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if text.len() >= REMOVED_LEN_MIN && !WORDS.contains(&text.as_str()) {
                found.insert(text.clone());
            }
        }
        Value::Array(all) => all.iter().for_each(|value| collect(value, found)),
        Value::Table(all) => all.values().for_each(|value| collect(value, found)),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every text is a secret, lists have one, and there are keys that nobody knows.
    fn with_secrets() -> Table {
        let mut table = Table::try_from(Config::default()).unwrap();
        for (section, key) in WITHOUT_DEFAULT {
            let keys = table[section].as_table_mut().unwrap();
            keys.insert(key.into(), Value::String(String::new()));
        }
        table["log"].as_table_mut().unwrap().insert("s3cretkey".into(), Value::Integer(1));
        let secret = |value: &mut Value, name: &str| match value {
            Value::String(text) => *text = format!("s3cret-{name}"),
            Value::Array(all) => all.push(Value::String(format!("s3cret-{name}"))),
            _ => {}
        };
        for (section, keys) in &mut table {
            for (key, value) in keys.as_table_mut().unwrap() {
                secret(value, &format!("{section}-{key}"));
            }
        }
        table
    }

    #[test]
    fn nothing_that_somebody_typed_is_told_of_any_key() {
        let text = toml::to_string(&with_secrets()).unwrap();
        let told = ToldConfig::of(&text);
        let all = told.lines.join("\n");
        assert!(!all.contains("s3cret"), "{all}");
        assert!(all.contains("video.width = 1280\n") && all.contains("http.token: set, and left out"), "{all}");
        assert!(all.contains("a key that this version does not know"), "{all}");
        assert!(told.left_out > 20 && told.removed.iter().any(|text| text == "s3cret-http-token"), "{told:?}");
        assert_eq!(told.without_removed("GET s3cret-push-x s3cret-http-token!"), "GET s3cret-push-x [removed]!");
    }

    #[test]
    fn owners_are_told_as_set_and_a_key_called_by_the_year_takes_no_date_out_of_a_log() {
        let text = "[access]\nkeys = [{ id = \"2026\", algorithm = \"HS256\", file = \"a.secret\" }]\n\
                    [[tenant]]\nid = \"acme\"\n[[stranger]]\nid = \"x\"\n";
        let told = ToldConfig::of(text);
        assert!(told.lines.contains(&"tenant: set, and left out".to_owned()), "{told:?}");
        assert!(!told.lines.iter().any(|line| line.contains("stranger")), "{told:?}");
        assert_eq!(told.without_removed("2026-11-28 acme a.secret"), "2026-11-28 [removed] [removed]");
    }

    #[test]
    fn the_list_has_no_key_that_is_none_and_the_programs_own_words_are_told() {
        let known = known();
        for (section, keys) in TOLD {
            for key in *keys {
                assert!(known.contains(&((*section).to_owned(), (*key).to_owned())), "{section}.{key}");
            }
        }
        let told = ToldConfig::of("[video]\nencoder = \"rav1e\"\nadapter = \"x\"\n[log]\nlevel = \"debug\"\n");
        let expected = ["log.level = \"debug\"", "video.adapter: set, and left out", "video.encoder = \"rav1e\""];
        let kept = ToldConfig::of("[recording]\npath = \"recordings\"\nspool = \"/srv/spool\"\n").removed;
        assert_eq!(kept, ["/srv/spool"], "a default is no secret");
        let mut lines = told.lines;
        lines.sort();
        assert_eq!(lines, expected);
        assert_eq!(ToldConfig::of("s3cret").lines, ["the file is no TOML"]);
    }
}
