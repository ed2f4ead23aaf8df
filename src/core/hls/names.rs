//! **The question:** which piece of a rung does a name mean? One writer and one reader of the names in playlists.

use std::fmt;
use std::str::FromStr;

use crate::core::hls::grid::PartId;

/// What a player asks of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// `index.m3u8`
    Playlist,
    /// `init-25.mp4`: what segments from the one with this number on are read with.
    Init(u64),
    /// `25.m4s`
    Segment(u64),
    /// `25.3.m4s`
    Part(PartId),
}

/// A name that no playlist of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPiece;

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Playlist => f.write_str("index.m3u8"),
            Self::Init(msn) => write!(f, "init-{msn}.mp4"),
            Self::Segment(msn) => write!(f, "{msn}.m4s"),
            Self::Part(PartId { msn, part }) => write!(f, "{msn}.{part}.m4s"),
        }
    }
}

impl FromStr for Asked {
    type Err = NoPiece;

    fn from_str(name: &str) -> Result<Self, NoPiece> {
        if name == "index.m3u8" {
            return Ok(Self::Playlist);
        }
        if let Some(msn) = name.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")) {
            return number(msn).map(Self::Init);
        }
        let stem = name.strip_suffix(".m4s").ok_or(NoPiece)?;
        match stem.split_once('.') {
            None => number(stem).map(Self::Segment),
            Some((msn, part)) => Ok(Self::Part(PartId { msn: number(msn)?, part: number(part)? })),
        }
    }
}

/// Digits alone, as they are written: one name a piece, or caches keep it twice.
fn number(text: &str) -> Result<u64, NoPiece> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { text.parse().map_err(|_| NoPiece) } else { Err(NoPiece) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_their_text_form_and_nothing_else_is_one() {
        let part = Asked::Part(PartId { msn: u64::MAX, part: 0 });
        for asked in [Asked::Playlist, Asked::Init(0), Asked::Segment(25), part] {
            assert_eq!(asked.to_string().parse(), Ok(asked));
        }
        for name in [
            "",
            ".m4s",
            "1",
            "+1.m4s",
            "01.m4s",
            "1.01.m4s",
            "1..m4s",
            "1.2.3.m4s",
            "init-.mp4",
            "init-1.m4s",
            "../1.m4s",
            "18446744073709551616.m4s",
            "INDEX.M3U8",
        ] {
            assert_eq!(name.parse::<Asked>(), Err(NoPiece), "{name}");
        }
    }
}
