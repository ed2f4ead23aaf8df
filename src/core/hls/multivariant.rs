//! **The question:** what does a room's multivariant playlist say? Every rung that it offers, best first, with exactly
//! the codecs that its encoder writes.

use std::fmt::Write;

use crate::base::media::Size;
use crate::core::hls::captions::CaptionsRendition;

/// One rung as players choose it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Its playlist, relative to this one.
    pub uri: String,
    /// CODECS; always, for players assume others.
    pub codecs: String,
    /// RESOLUTION.
    pub size: Size,
    /// FRAME-RATE at most.
    pub fps: u32,
    /// Bits a second of its largest segment, or what it may have.
    pub peak: u64,
    /// SCORE: how good it is beside the others, larger is better; each or none has one.
    pub score: Option<u64>,
}

/// The playlist of all of them, and of the captions, if there are any.
#[must_use]
pub fn multivariant_playlist(variants: &[Variant], captions: Option<&CaptionsRendition>) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    if let Some(CaptionsRendition { uri, language }) = captions {
        let language = language.as_ref().map_or_else(String::new, |tag| format!(",LANGUAGE=\"{tag}\""));
        writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"Captions\"{language},DEFAULT=NO,AUTOSELECT=YES,\
             CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog\",URI=\"{uri}\""
        )
        .expect("a string takes what it is given");
    }
    let group = if captions.is_some() { ",SUBTITLES=\"captions\"" } else { "" };
    for Variant { uri, codecs, size, fps, peak, score } in variants {
        let Size { width, height } = size;
        let score = score.map_or_else(String::new, |score| format!(",SCORE={score}.0"));
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={peak},CODECS=\"{codecs}\",RESOLUTION={width}x{height},\
             FRAME-RATE={fps}.000{score}{group}\n\
             {uri}"
        )
        .expect("a string takes what it is given");
    }
    text
}
