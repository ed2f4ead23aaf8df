//! **The question:** which characters of a stranger's text are drawn?

/// `text` as one harmless line of at most `chars_max` characters: control characters, and those that turn the direction
/// of writing, hide or reorder, are left out; every kind of white space becomes one blank. Joiners and variation
/// selectors stay: Devanagari and emoji need them. No more of a long text is looked at than could be drawn.
pub(super) fn drawable(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    let mut marks = 0;
    for c in text.chars().take(chars_max * 4).filter(|&c| !hidden(c)).map(blank).take(chars_max) {
        marks = if stacks(c) { marks + 1 } else { 0 };
        let doubled = c == ' ' && (line.is_empty() || line.ends_with(' '));
        if marks <= MARKS_A_LETTER && !doubled {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Accents on one letter; more would tower out of the line.
const MARKS_A_LETTER: usize = 3;

fn blank(c: char) -> char {
    if c.is_whitespace() { ' ' } else { c }
}

/// Controls that are no white space, direction marks, overrides and isolates (UAX #9, section 2), and invisible signs.
fn hidden(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}')
        || matches!(c, '\u{ffa0}' | '\u{fff9}'..='\u{fffc}')
}

/// Combining diacritical marks, the blocks that are stacked to make a mess.
fn stacks(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}')
        || matches!(c, '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether `c` belongs to the character before it, whatever that is: joiners, variation selectors, skin tones, the
/// keycap, tags.
pub(super) fn clings(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{20e3}' | '\u{fe00}'..='\u{fe0f}')
        || matches!(c, '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether `c`, followed by `next`, is a picture in colour: Emoji_Presentation of UTS #51, or any that asks for it by
/// U+FE0F.
pub(super) fn is_emoji(c: char, next: Option<char>) -> bool {
    next == Some('\u{fe0f}')
        || c >= '\u{1f000}'
        || matches!(c, '\u{231a}'..='\u{231b}' | '\u{23e9}'..='\u{23ec}' | '\u{23f0}' | '\u{23f3}')
        || matches!(c, '\u{25fd}'..='\u{25fe}' | '\u{2614}'..='\u{2615}' | '\u{2648}'..='\u{2653}' | '\u{267f}')
        || matches!(c, '\u{2693}' | '\u{26a1}' | '\u{26bd}'..='\u{26be}' | '\u{26c4}'..='\u{26c5}' | '\u{26ce}')
        || matches!(c, '\u{26d4}' | '\u{26ea}' | '\u{26f2}'..='\u{26f3}' | '\u{26f5}' | '\u{26fa}' | '\u{26fd}')
        || matches!(c, '\u{2705}' | '\u{270a}'..='\u{270b}' | '\u{2728}' | '\u{274c}' | '\u{274e}')
        || matches!(c, '\u{2753}'..='\u{2755}' | '\u{2757}' | '\u{2795}'..='\u{2797}' | '\u{27b0}' | '\u{27bf}')
        || matches!(c, '\u{2b1b}'..='\u{2b1c}' | '\u{2b50}' | '\u{2b55}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_become_one_harmless_line() {
        assert_eq!(drawable("  Ada\u{7}\u{202e} Love\nlace\t\r\n ", 64), "Ada Love lace");
        assert_eq!(drawable("\u{0}\u{1b}[31m", 64), "[31m");
        assert_eq!(drawable("\u{200b}\u{2066}\u{feff}", 64), "");
        assert_eq!(drawable("नमस्ते 👩‍👩‍👧 ❤\u{fe0f}", 64), "नमस्ते 👩‍👩‍👧 ❤\u{fe0f}");
        assert_eq!(drawable(&"漢".repeat(10_000), 64).chars().count(), 64);
        let tower = format!("Z{}a", "\u{301}".repeat(40));
        assert_eq!(drawable(&tower, 64), "Z\u{301}\u{301}\u{301}a");
    }
}
