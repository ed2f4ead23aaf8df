//! **The question:** what of a log's line is kept? When, how grave, where in the program; what is said, if the
//! program itself holds these very words, so that they are no client's; and of its fields numbers, switches, a room's
//! alias, and again the program's own words. Whatever else stands there is replaced by `…`, and a line of another form
//! is left out.

use std::collections::HashMap;

use serde_json::Value;

use crate::base::limits;

/// Printable bytes on end in the program that may be words.
const RUN_LEN_MIN: usize = 6;
/// Bytes of a message that is looked for; a shorter one may stand anywhere.
const MESSAGE_LEN_MIN: usize = 6;
/// Fields whose values may be told if the program holds them.
const WORDED: [&str; 7] = ["reason", "why", "error", "encoder", "compositor", "codec", "thread"];
const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];
const LEFT_OUT: &str = "…";

/// Reads lines by what the program holds.
pub struct LogLines {
    program: String,
    known: HashMap<String, bool>,
}

impl LogLines {
    /// With the bytes of the program that wrote them, or of one of the same version.
    #[must_use]
    pub fn new(program: &[u8]) -> Self {
        // Words that are no ASCII are rare in messages; their lines lose them.
        let runs = program
            .split(|byte| !(b' '..=b'~').contains(byte))
            .filter(|run| run.len() >= RUN_LEN_MIN && run.contains(&b' '));
        let words = runs.filter_map(|run| str::from_utf8(run).ok());
        Self { program: words.flat_map(|run| [run, "\n"]).collect(), known: HashMap::new() }
    }

    /// What is kept of a line, of either format; nothing, if it is of neither.
    pub fn kept(&mut self, line: &str) -> Option<String> {
        if line.starts_with('{') { self.kept_of_json(line) } else { self.kept_of_text(line) }
    }

    fn kept_of_text(&mut self, line: &str) -> Option<String> {
        let (time, rest) = line.trim_start().split_once(' ')?;
        let (level, rest) = rest.trim_start().split_once(' ')?;
        let (target, rest) = rest.split_once(": ")?;
        let head = head(time, level, target)?;
        let mut fields = fields(rest);
        let message = self.message(fields.remove(0).1);
        let told: String = fields.into_iter().map(|(key, value)| self.field(key, value.trim_matches('"'))).collect();
        Some(format!("{head}: {message}{told}"))
    }

    fn kept_of_json(&mut self, line: &str) -> Option<String> {
        let Ok(Value::Object(members)) = serde_json::from_str(line) else { return None };
        let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
        let head = head(text("timestamp"), text("level"), text("target"))?;
        let message = self.message(text("message"));
        let others = members.iter().filter(|(key, _)| !["timestamp", "level", "target", "message"].contains(&&***key));
        let told: String = others
            .filter(|(key, _)| is_key(key))
            .map(|(key, value)| match value {
                Value::String(text) => self.field(key, text),
                plain => self.field(key, &plain.to_string()),
            })
            .collect();
        Some(format!("{head}: {message}{told}"))
    }

    fn message(&mut self, message: &str) -> String {
        let message = message.trim();
        let told = message.len() >= MESSAGE_LEN_MIN && message.contains(' ') && self.holds(message);
        if told || message.is_empty() { message.to_owned() } else { LEFT_OUT.to_owned() }
    }

    fn field(&mut self, key: &str, value: &str) -> String {
        let is_number = value.len() <= 20 && value.parse::<f64>().is_ok_and(f64::is_finite);
        let is_alias = key == "room" && value.len() == 16 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_plain = is_number || is_alias || ["true", "false"].contains(&value);
        if is_plain || (WORDED.contains(&key) && value.len() >= 3 && self.holds(value)) {
            return format!(" {key}={value}");
        }
        // What the system says, in its own words, which this program does not hold.
        let number = value.rsplit_once("(os error ").and_then(|(_, number)| number.split_once(')'));
        match number.filter(|(number, _)| number.parse::<u16>().is_ok()) {
            Some((number, _)) => format!(" {key}={LEFT_OUT}(os error {number})"),
            None => format!(" {key}={LEFT_OUT}"),
        }
    }

    /// Whether the program holds these words.
    fn holds(&mut self, words: &str) -> bool {
        if let Some(known) = self.known.get(words) {
            return *known;
        }
        if self.known.len() >= limits::SUPPORT_MESSAGES_MAX {
            return false;
        }
        let holds = self.program.contains(words);
        self.known.insert(words.to_owned(), holds);
        holds
    }
}

/// When, how grave, where in this program or in a library.
fn head(time: &str, level: &str, target: &str) -> Option<String> {
    let is_time = (20..=32).contains(&time.len()) && time.bytes().all(|byte| b"0123456789-:.TZ".contains(&byte));
    let is_target = (1..=80).contains(&target.len())
        && target.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_:".contains(&byte))
        && ["tessera", "str0m", "hyper", "rustls", "wgpu", "naga", "h2", "reqwest", "object_store"]
            .contains(&target.split(':').next().unwrap_or_default());
    (is_time && is_target && LEVELS.contains(&level)).then(|| format!("{time} {level} {target}"))
}

/// What stands before the first `key=`, without a key, and then each key and its value.
fn fields(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let (mut key, mut from) = ("", 0);
    let mut at = 0;
    let mut is_quoted = false;
    while at < text.len() {
        let rest = &text[at..];
        let step = rest.chars().next().map_or(1, char::len_utf8);
        if is_quoted {
            is_quoted = !rest.starts_with('"') || text[..at].ends_with('\\');
        } else if !key.is_empty() && at == from && rest.starts_with('"') {
            is_quoted = true;
        } else if (at == 0 || text[..at].ends_with(' '))
            && let Some((name, _)) = rest.split_once('=')
            && is_key(name)
        {
            found.push((key, text[from..at].trim_end()));
            (key, from) = (name, at + name.len() + 1);
            at = from;
            continue;
        }
        at += step;
    }
    found.push((key, text[from..].trim_end()));
    found
}

fn is_key(name: &str) -> bool {
    let is_of_it = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=32).contains(&name.len()) && name.bytes().all(is_of_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &[u8] =
        b"\x7fELF\0a room begins\0\x01the node drains: no room beginsno socket for a pushrav1e\0libaom\0";
    const AT: &str = "2026-11-27T09:30:00.123456Z";

    fn kept(line: &str) -> Option<String> {
        LogLines::new(PROGRAM).kept(line)
    }

    #[test]
    fn the_programs_own_words_are_kept_and_everything_else_is_not() {
        let at = |rest: &str| format!("{AT} {rest}");
        for (line, told) in [
            (
                "  INFO tessera::app: a room begins room=00ff00ff00ff00ff encoder=\"rav1e\" compositor=\"Ada\"",
                " INFO tessera::app: a room begins room=00ff00ff00ff00ff encoder=rav1e compositor=…",
            ),
            (" WARN tessera::app: Ada joined from 192.0.2.7 rooms=3", " WARN tessera::app: … rooms=3"),
            (
                " WARN tessera::app: no socket for a push error=/home/ada: Too many open files (os error 24) times=2",
                " WARN tessera::app: no socket for a push error=…(os error 24) times=2",
            ),
            (
                " INFO tessera::app: a room begins name=Ada room=ada on=true",
                " INFO tessera::app: a room begins name=… room=… on=true",
            ),
            (
                " INFO tessera::app: a room begins say=\"x=1 \\\" rooms=7\" n=1",
                " INFO tessera::app: a room begins say=… n=1",
            ),
        ] {
            assert_eq!(kept(&at(line)), Some(at(told.trim_start())), "{line}");
        }
        for line in
            ["Ada", "", "{", "INFO a room begins", &at(" INFO ada::app: a room begins"), &at(" NOTE tessera: x")]
        {
            assert_eq!(kept(line), None, "{line}");
        }
    }

    #[test]
    fn lines_for_machines_are_kept_alike() {
        let line = format!(
            "{{\"timestamp\":\"{AT}\",\"level\":\"INFO\",\"message\":\"a room begins\",\"target\":\"tessera::app\",\
             \"rooms\":3,\"name\":\"Ada\",\"Ada\":1,\"list\":[\"Ada\"]}}"
        );
        let told = kept(&line).unwrap();
        assert!(
            told.starts_with(&format!("{AT} INFO tessera::app: a room begins ")) && !told.contains("Ada"),
            "{told}"
        );
        assert!([" list=…", " name=…", " rooms=3"].iter().all(|field| told.contains(field)), "{told}");
    }
}
