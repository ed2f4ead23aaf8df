//! **The question:** what do a captioner and the node say to each other? JSON, and sound in messages of bytes with a
//! small head; `docs/captions.md` documents it.

use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::{ParticipantId, Pts, RoomId, TrackId, TrackKind};

/// The layout of [`speech_head`].
const HEAD_VERSION: u8 = 1;
/// Bytes of the head before the samples.
pub const SPEECH_HEAD_BYTES: usize = 20;

/// What somebody said, written down. Times are milliseconds of the room's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionLine {
    /// Who said it.
    pub participant: ParticipantId,
    /// Their name; what a captioner says of it is not read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// When it begins.
    pub from_ms: u64,
    /// When it ends.
    pub to_ms: u64,
    /// Words and nothing else, whatever they look like; one line.
    pub text: String,
    /// Whether it stays so. If not, the next one of this person takes its place.
    #[serde(rename = "final", default)]
    pub is_final: bool,
    /// In which language, a tag of BCP 47.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// What a captioner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromCaptioner {
    /// What somebody said.
    Caption(CaptionLine),
}

/// Somebody whom a captioner hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Speaker {
    /// Who.
    pub id: ParticipantId,
    /// Their name.
    pub name: String,
    /// Whether they do not want to be recorded: what they say stands in no recording, and whoever captions them keeps
    /// nothing of it either.
    pub unrecorded: bool,
}

/// What the node says to a captioner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "the large one is said once, and none is kept")]
pub enum ToCaptioner {
    /// The first message.
    Hello {
        /// The grammar's generation: 1.
        v: u64,
        /// Which room it is.
        room: RoomId,
        /// Samples a second.
        rate: u32,
        /// Channels.
        channels: u8,
        /// Of a sample.
        format: &'static str,
        /// Bytes before the samples of each message.
        head_bytes: usize,
        /// When the room's clock stood at 0, UTC.
        began: String,
        /// Where it stands.
        now_ms: u64,
        /// In which language the operator says that is spoken.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
        /// Who is here.
        people: Vec<Speaker>,
        /// What the node takes.
        takes: CaptionBounds,
        /// What a caption looks like.
        answer: FromCaptioner,
    },
    /// Who is here, after each change.
    People {
        /// All of them.
        people: Vec<Speaker>,
    },
    /// Somebody is heard from now on; sound of them follows.
    Speaks {
        /// Who.
        participant: ParticipantId,
        /// Their name.
        name: String,
        /// `microphone`, or `screen_sound` for the sound of a screen that they share.
        track: TrackKind,
        /// Since when.
        at_ms: u64,
    },
    /// They are heard no longer.
    Pauses {
        /// Who.
        participant: ParticipantId,
        /// As in `speaks`.
        track: TrackKind,
        /// Since when.
        at_ms: u64,
    },
    /// You read too slowly, and this much sound of all voices together was not kept for you.
    Lost {
        /// Milliseconds.
        ms: u64,
    },
    /// Where the room's clock stands, now and then.
    Time {
        /// Milliseconds.
        now_ms: u64,
    },
    /// Something you said was not taken.
    Problem {
        /// Which kind, the end of a URN of `docs/signalling.md`.
        kind: String,
        /// What was wrong, and what to do.
        detail: String,
    },
}

/// How much a captioner may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CaptionBounds {
    /// Characters of a text.
    pub text_chars: usize,
    /// Captions a second, after a burst of `burst`.
    pub per_second: u128,
    /// Captions at once after a pause.
    pub burst: u32,
    /// Seconds that what is captioned may lie back.
    pub age_s: u64,
}

impl CaptionBounds {
    /// As they are.
    pub const BOUNDS: Self = Self {
        text_chars: limits::CAPTION_TEXT_CHARS_MAX,
        per_second: 1000 / limits::CAPTION_SPACING.as_millis(),
        burst: limits::CAPTION_BURST,
        age_s: limits::CAPTION_AGE_MAX.as_secs(),
    };
}

/// Why a captioner's message is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptionFault {
    /// It is too long.
    #[error("a message has at most {max} bytes, this one has {0}", max = limits::CAPTION_MESSAGE_LEN_MAX)]
    Length(usize),
    /// It is no message of this grammar; says where, and repeats nothing of it.
    #[error("not a message at line {0}, column {1}: send {{\"type\":\"caption\",…}} as hello shows it")]
    Malformed(usize, usize),
    /// It is no text.
    #[error("messages to the node are JSON in text, not bytes")]
    Bytes,
    /// There are too many characters in it.
    #[error(
        "a text has at most {max} characters, this one has {0}: say it in parts",
        max = limits::CAPTION_TEXT_CHARS_MAX
    )]
    Long(usize),
    /// There is nothing to read in it.
    #[error("there is nothing to read in 'text'")]
    Empty,
    /// Its language is no tag.
    #[error("'language' is a tag of BCP 47 such as \"en\" or \"de-AT\"")]
    Language,
    /// It ends before it begins, or is about too much.
    #[error("'to_ms' lies at most a minute after 'from_ms', and not before it")]
    Span,
}

impl FromCaptioner {
    /// Reads a message, with its text as others read it: one line without control characters.
    ///
    /// # Errors
    /// When it is none, or says what cannot be.
    pub fn parse(text: &str) -> Result<Self, CaptionFault> {
        if text.len() > limits::CAPTION_MESSAGE_LEN_MAX {
            return Err(CaptionFault::Length(text.len()));
        }
        let read = serde_json::from_str(text);
        let Self::Caption(mut line) = read.map_err(|why| CaptionFault::Malformed(why.line(), why.column()))?;
        let chars = line.text.chars().count();
        if chars > limits::CAPTION_TEXT_CHARS_MAX {
            return Err(CaptionFault::Long(chars));
        }
        line.text = one_line(&line.text);
        line.name.clear();
        if line.text.is_empty() {
            return Err(CaptionFault::Empty);
        }
        if !line.language.as_deref().is_none_or(is_language) {
            return Err(CaptionFault::Language);
        }
        let most = limits::CAPTION_SPAN_MAX.as_millis();
        match line.to_ms.checked_sub(line.from_ms) {
            Some(span) if u128::from(span) <= most => Ok(Self::Caption(line)),
            _ => Err(CaptionFault::Span),
        }
    }

    /// What `hello` shows.
    #[must_use]
    pub fn example() -> Self {
        Self::Caption(CaptionLine {
            participant: ParticipantId(0),
            name: String::new(),
            from_ms: 1200,
            to_ms: 3400,
            text: "What was said.".into(),
            is_final: true,
            language: Some("en".into()),
        })
    }
}

impl ToCaptioner {
    /// The message as one line of JSON.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("messages have string keys and finite numbers")
    }
}

/// Whether a text looks like a tag of BCP 47: subtags of letters and digits, the first of letters.
#[must_use]
pub fn is_language(tag: &str) -> bool {
    let is_subtag = |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
    let begins =
        tag.split('-').next().is_some_and(|first| first.len() >= 2 && !first.bytes().any(|b| b.is_ascii_digit()));
    tag.len() <= limits::CAPTION_LANGUAGE_LEN_MAX && begins && tag.split('-').all(is_subtag)
}

/// What stands before the samples of a message: version, track (0: microphone, 1: a screen's sound), samples, whose,
/// when they begin; all little-endian.
#[must_use]
pub fn speech_head(track: TrackId, from: Pts, samples: u16) -> [u8; SPEECH_HEAD_BYTES] {
    let mut head = [0; SPEECH_HEAD_BYTES];
    head[0] = HEAD_VERSION;
    head[1] = u8::from(track.kind == TrackKind::ScreenSound);
    head[2..4].copy_from_slice(&samples.to_le_bytes());
    head[4..12].copy_from_slice(&track.participant.0.to_le_bytes());
    head[12..].copy_from_slice(&ms(from).to_le_bytes());
    head
}

/// Whole milliseconds of the room's clock.
#[must_use]
pub fn ms(at: Pts) -> u64 {
    at.as_nanos() / 1_000_000
}

/// Spaces in the place of whatever ends a line or controls anything, none doubled, none at the ends.
fn one_line(text: &str) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHO: &str = "p00c0ffee00c0ffee";

    fn caption(rest: &str) -> Result<FromCaptioner, CaptionFault> {
        FromCaptioner::parse(&format!(r#"{{"type":"caption","participant":"{WHO}",{rest}}}"#))
    }

    #[test]
    fn a_caption_is_one_line_of_words_and_nothing_else() {
        let said =
            r#""from_ms":1,"to_ms":2,"text":" <b>one</b>\r\n--> \u0000two\u001b[2J\t&amp; ","final":true,"name":"Eve""#;
        let FromCaptioner::Caption(line) = caption(said).unwrap();
        assert_eq!(line.text, "<b>one</b> --> two [2J &amp;");
        assert!(line.is_final && line.name.is_empty(), "who it is says the room");
        let FromCaptioner::Caption(line) = caption(r#""from_ms":1,"to_ms":1,"text":"a","language":"de-AT""#).unwrap();
        assert!(!line.is_final && line.language.as_deref() == Some("de-AT"));
        let example = serde_json::to_string(&FromCaptioner::example()).unwrap();
        assert!(FromCaptioner::parse(&example).is_ok(), "hello shows what is taken");
    }

    #[test]
    fn what_cannot_be_is_told_and_not_repeated() {
        let fault = |rest: &str| caption(rest).unwrap_err();
        assert_eq!(fault(r#""from_ms":1,"to_ms":2,"text":" \n""#), CaptionFault::Empty);
        assert_eq!(fault(r#""from_ms":3,"to_ms":2,"text":"a""#), CaptionFault::Span);
        assert_eq!(fault(r#""from_ms":0,"to_ms":18446744073709551615,"text":"a""#), CaptionFault::Span);
        for tag in ["", "e", "en-", "english language", "1e", "en_US", "a-very-long-tag-that-goes-on-for-ever-and-ever"]
        {
            let said = format!(r#""from_ms":1,"to_ms":2,"text":"a","language":"{tag}""#);
            assert_eq!(fault(&said), CaptionFault::Language, "{tag}");
        }
        let long = format!(r#""from_ms":1,"to_ms":2,"text":"{}""#, "ö".repeat(limits::CAPTION_TEXT_CHARS_MAX + 1));
        assert_eq!(fault(&long), CaptionFault::Long(limits::CAPTION_TEXT_CHARS_MAX + 1));
        for wrong in
            [r#""from_ms":-1,"to_ms":2,"text":"a""#, r#""from_ms":1.5,"to_ms":2,"text":"a""#, r#""text":"secret""#]
        {
            let fault = fault(wrong);
            assert!(matches!(fault, CaptionFault::Malformed(..)) && !fault.to_string().contains("secret"), "{fault}");
        }
        let vast = "x".repeat(limits::CAPTION_MESSAGE_LEN_MAX + 1);
        assert_eq!(FromCaptioner::parse(&vast), Err(CaptionFault::Length(vast.len())));
        let nested = "[".repeat(limits::CAPTION_MESSAGE_LEN_MAX);
        assert!(matches!(FromCaptioner::parse(&nested), Err(CaptionFault::Malformed(..))));
    }

    #[test]
    fn the_head_of_sound_says_whose_and_when() {
        let track = TrackId { participant: ParticipantId(0x0102_0304_0506_0708), kind: TrackKind::ScreenSound };
        let head = speech_head(track, Pts(5_020_000_000), 1600);
        assert_eq!(head, [1, 1, 0x40, 6, 8, 7, 6, 5, 4, 3, 2, 1, 0x9c, 0x13, 0, 0, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = FromCaptioner::parse(&text);
            let _ = caption(&text);
        }
    }
}
