//! **The question:** how does a person read the list of recordings? As columns that stand under each other, with sizes,
//! spans and the time left in words.

use std::fmt::Write;

use indicatif::HumanBytes;

use crate::base::media::{NANOS_PER_SECOND, Wallclock};
use crate::core::record::RecordingState;
use crate::core::retention::RecordingName;
use crate::io::store::RecordingDetail;

const HEAD: [&str; 8] = ["RECORDING", "ROOM", "STARTED (UTC)", "LENGTH", "SIZE", "LACKS", "EXPIRES", "OWNER"];
/// Columns of figures, which stand at the right.
const FIGURES: [usize; 3] = [3, 4, 5];
/// Letters of an owner that are shown; the JSON has all.
const OWNER_SHOWN: usize = 32;

/// The list as a table, its last line without a line feed; `now` is what the keeper takes for the time.
pub(super) fn table(recordings: &[RecordingDetail], now: Wallclock) -> String {
    if recordings.is_empty() {
        return "There are no recordings that have not expired.".to_owned();
    }
    let rows: Vec<[String; 8]> =
        [HEAD.map(String::from)].into_iter().chain(recordings.iter().map(|detail| row(detail, now))).collect();
    // The last column needs no width, so what an owner is called cannot move the others.
    let width = |n: usize| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len() - 1).map(width).collect();
    let lines = rows.iter().map(|row| {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let written = match FIGURES.contains(&n) {
                true => write!(line, "{cell:>width$}  "),
                false => write!(line, "{cell:<width$}  "),
            };
            written.expect("a string takes what it is given");
        }
        (line + &row[HEAD.len() - 1]).trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn row(detail: &RecordingDetail, now: Wallclock) -> [String; 8] {
    let length = match detail.state {
        RecordingState::Final => two_units(detail.duration_ms / 1000),
        // Its call runs, or a crash left it open.
        RecordingState::Recording => format!("{} so far", two_units(detail.duration_ms / 1000)),
    };
    let started = detail.started.as_deref().map_or("-".into(), |utc| utc.replacen('T', " ", 1).replace('Z', ""));
    let lacks = if detail.gap_ms == 0 { "-".into() } else { two_units(detail.gap_ms.div_ceil(1000)) };
    let size = HumanBytes(detail.bytes).to_string();
    let owner = shown(detail.owner.as_deref().unwrap_or("-"));
    [detail.recording.clone(), detail.room.to_string(), started, length, size, lacks, expires(detail, now), owner]
}

fn expires(detail: &RecordingDetail, now: Wallclock) -> String {
    let Ok(name) = detail.recording.parse::<RecordingName>() else { return detail.expires_at.clone() };
    match name.hour.start().0.saturating_sub(now.0) / NANOS_PER_SECOND {
        0 => "now".to_owned(),
        seconds => format!("in {}", two_units(seconds)),
    }
}

/// The two largest units of a span: `6 d 3 h`, `1 min 5 s`; a unit that is 0 is left out.
fn two_units(seconds: u64) -> String {
    let parts = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let of = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0).map(|(n, unit)| format!("{n} {unit}"));
    let text = of.collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0 s".to_owned() } else { text }
}

/// What somebody typed, as it may stand on a terminal: no control characters, nothing that turns its neighbours round,
/// and not too long.
fn shown(text: &str) -> String {
    let is_plain = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut plain = text.chars().map(|c| if is_plain(c) { c } else { '\u{fffd}' });
    let mut short: String = plain.by_ref().take(OWNER_SHOWN).collect();
    if plain.next().is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(room: &str, owner: Option<&str>, duration_ms: u64, state: RecordingState) -> RecordingDetail {
        RecordingDetail {
            recording: format!("00495727-r{}", "a5".repeat(16)),
            expires_at: "2026-07-21T07:00:00Z".into(),
            room: room.parse().unwrap(),
            fence: None,
            owner: owner.map(String::from),
            state,
            started: Some("2026-07-14T09:30:00Z".into()),
            duration_ms,
            bytes: 562_500_000,
            gap_ms: 0,
            takes: 1,
            captions: 0,
            tracks: Vec::new(),
        }
    }

    #[test]
    fn the_table_stands_in_columns_and_says_how_long_each_is_kept() {
        let expires = 495_727 * 3600;
        let now = Wallclock((expires - 6 * 86_400 - 3 * 3600 - 20) * NANOS_PER_SECOND);
        let list = [
            detail("daily", Some("ada"), 1_802_000, RecordingState::Final),
            detail("all-hands-of-the-house", None, 59_999, RecordingState::Recording),
        ];
        let text = table(&list, now);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let at = |word: &str, line: usize| lines[line].find(word).unwrap_or_else(|| panic!("{word} in {text}"));
        assert_eq!((at("ROOM", 0), at("EXPIRES", 0)), (at("daily", 1), at("in 6 d 3 h", 1)), "{text}");
        assert_eq!(at("EXPIRES", 0), at("in 6 d 3 h", 2), "{text}");
        assert!(lines[1].contains(" 30 min 2 s  ") && lines[1].contains("536.44 MiB"), "{text}");
        assert!(lines[1].contains("2026-07-14 09:30:00") && lines[1].ends_with("  ada"), "{text}");
        assert!(lines[2].contains(" 59 s so far  ") && lines[2].ends_with("  -"), "{text}");
        assert_eq!(table(&[], now), "There are no recordings that have not expired.");
    }

    #[test]
    fn an_owner_cannot_steer_the_terminal() {
        let owner = "\u{1b}[2J<b>Eve\n\u{202e}".to_owned() + &"x".repeat(100);
        let text = table(&[detail("daily", Some(&owner), 1, RecordingState::Final)], Wallclock(0));
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.ends_with("x…"), "{text:?}");
    }

    #[test]
    fn spans_are_told_in_their_two_largest_units() {
        let said =
            [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3600, "1 h"), (3661, "1 h 1 min"), (90_061, "1 d 1 h")];
        for (seconds, words) in said {
            assert_eq!(two_units(seconds), words);
        }
    }
}
