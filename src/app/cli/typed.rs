//! **The question:** what did the operator mean by this word? Spans of time and the canvas, as typed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::app::config::{Side, ValueError};
use crate::base::media::Size;

/// A span of time as typed: `20`, `20s`, `2m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit_s = match text.chars().last() {
            Some('m') => 60,
            Some('h') => 3600,
            _ => 1,
        };
        let count: u64 = text.trim_end_matches(['s', 'm', 'h']).parse().unwrap_or(0);
        let seconds = count.saturating_mul(unit_s);
        if !(1..=86_400).contains(&seconds) {
            return Err("give 1s to 24h, such as 20s, 2m or 1h".to_owned());
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs())
    }
}

/// The canvas as typed: `1280x720`, both sides even.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canvas {
    /// Columns.
    pub width: Side,
    /// Rows.
    pub height: Side,
}

impl Canvas {
    /// As the media path says it.
    #[must_use]
    pub fn size(self) -> Size {
        Size::new(self.width.get(), self.height.get())
    }
}

impl FromStr for Canvas {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (width, height) = text.split_once('x').ok_or("give WIDTHxHEIGHT, such as 1280x720")?;
        let side = |text: &str| text.parse().map_err(|e: ValueError| format!("{text}: {e}"));
        Ok(Self { width: side(width)?, height: side(height)? })
    }
}

impl fmt::Display for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width.get(), self.height.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_parsed_with_their_unit() {
        for (text, seconds) in [("20", 20), ("20s", 20), ("2m", 120), ("1h", 3600)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "0", "s", "-1", "25h", "1d", "99999999999999999999h"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_canvas_is_even_and_within_bounds() {
        assert_eq!("1280x720".parse::<Canvas>().unwrap().size(), Size::new(1280, 720));
        assert_eq!("1281x720".parse::<Canvas>().unwrap_err(), "1281: 1281 is odd; choose an even number");
        assert!("1280".parse::<Canvas>().is_err() && "10x10".parse::<Canvas>().is_err());
    }
}
