//! **The question:** how is text written as WebVTT, whatever stands in it? Nothing of it is markup, ends a cue or
//! begins another (W3C WebVTT, section 3.1).

use std::fmt::Write;

/// Appends a cue from `from_ms` to `to_ms`, behind the head or another cue.
pub fn write_cue(vtt: &mut String, from_ms: u64, to_ms: u64, text: &str) {
    write!(vtt, "\n{} --> {}\n", stamp(from_ms), stamp(to_ms)).expect("a string takes what it is given");
    // An empty line ends a cue; `-->` cannot stand where no `>` does.
    for c in text.trim().chars() {
        match c {
            '&' => vtt.push_str("&amp;"),
            '<' => vtt.push_str("&lt;"),
            '>' => vtt.push_str("&gt;"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => vtt.push(' '),
            c => vtt.push(c),
        }
    }
    vtt.push('\n');
}

/// `01:02:03.004`; hours may have more digits.
fn stamp(ms: u64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", ms % 1000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whatever_is_said_stays_inside_its_cue() {
        let mut vtt = "WEBVTT\n".to_owned();
        write_cue(&mut vtt, 3_723_004, 3_724_000, "Ada: <b>a & b</b>\n\n00:00:00.000 --> 99:00:00.000\nNOTE");
        assert_eq!(
            vtt,
            "WEBVTT\n\n01:02:03.004 --> 01:02:04.000\n\
             Ada: &lt;b&gt;a &amp; b&lt;/b&gt;  00:00:00.000 --&gt; 99:00:00.000 NOTE\n"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_more_than_one_line_of_a_cue(text in "\\PC{0,40}|[\\-<>&\\r\\n\\u{2028}a]{0,40}") {
            let mut vtt = String::new();
            write_cue(&mut vtt, 0, 1, &text);
            let lines: Vec<&str> = vtt.split('\n').collect();
            prop_assert_eq!(lines.len(), 4);
            prop_assert_eq!(lines[1], "00:00:00.000 --> 00:00:00.001");
            prop_assert!(!lines[2].contains(['<', '>', '\r']));
        }
    }
}
