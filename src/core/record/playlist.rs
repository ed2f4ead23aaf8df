//! **The question:** how does a player that speaks HLS find its way in a finished recording? Playlists (RFC 8216, RFC
//! 8216bis for fragmented MP4) whose segments are byte ranges of the one file, so that each request passes the same
//! door.

use std::fmt::Write;
use std::ops::Range;

use crate::base::media::Size;

/// Fragments that play alone from a keyframe on, or the first piece of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaylistPart {
    /// Bytes of the file.
    pub bytes: Range<u64>,
    /// How long it plays, milliseconds.
    pub ms: u64,
}

/// What a multivariant playlist says of its one rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// CODECS; always, for players assume others.
    pub codecs: String,
    /// RESOLUTION.
    pub size: Size,
    /// Peak bits a second over its parts.
    pub peak: u64,
    /// Bits a second over the whole.
    pub average: u64,
}

/// The playlist that names the playlist at `uri`, and that of captions, if there are any.
#[must_use]
pub fn multivariant_playlist(rendition: &Rendition, uri: &str, captions: Option<&str>) -> String {
    let Rendition { codecs, size, peak, average } = rendition;
    let (media, group) = captions.map_or_else(Default::default, |uri| {
        let media = format!(
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"Captions\",DEFAULT=NO,AUTOSELECT=YES,\
             URI=\"{uri}\"\n"
        );
        (media, ",SUBTITLES=\"captions\"")
    });
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n{media}#EXT-X-STREAM-INF:BANDWIDTH={peak},\
         AVERAGE-BANDWIDTH={average},RESOLUTION={}x{},CODECS=\"{codecs}\"{group}\n{uri}\n",
        size.width, size.height
    )
}

/// The playlist of captions that lie at `uri`, all in one piece, of a file that plays for `ms`.
#[must_use]
pub fn captions_playlist(ms: u64, uri: &str) -> String {
    let (seconds, millis, longest) = (ms / 1000, ms % 1000, ms.div_ceil(1000).max(1));
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXTINF:{seconds}.{millis:03},\n{uri}\n#EXT-X-ENDLIST\n"
    )
}

/// The playlist of one file at `uri`: its init segment, then its parts, each of which begins with a keyframe.
#[must_use]
pub fn media_playlist(init: &Range<u64>, parts: &[PlaylistPart], uri: &str) -> String {
    // Each duration, rounded to the nearest second, is at most this (RFC 8216 section 4.3.3.1).
    let longest = parts.iter().map(|part| (part.ms + 500) / 1000).max().unwrap_or(1).max(1);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{uri}\",BYTERANGE=\"{}@{}\"\n",
        init.end - init.start,
        init.start
    );
    for PlaylistPart { bytes, ms } in parts {
        let (len, seconds, millis) = (bytes.end - bytes.start, ms / 1000, ms % 1000);
        write!(text, "#EXTINF:{seconds}.{millis:03},\n#EXT-X-BYTERANGE:{len}@{}\n{uri}\n", bytes.start)
            .expect("a string takes what it is given");
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn playlists_say_what_players_need() {
        let parts = [PlaylistPart { bytes: 700..9_000, ms: 4_020 }, PlaylistPart { bytes: 9_000..9_500, ms: 980 }];
        let text = media_playlist(&(0..700), &parts, "video.mp4?take=1");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "#EXT-X-TARGETDURATION:4", "to the nearest second");
        assert_eq!(lines[5], "#EXT-X-MAP:URI=\"video.mp4?take=1\",BYTERANGE=\"700@0\"");
        assert_eq!(lines[6..9], ["#EXTINF:4.020,", "#EXT-X-BYTERANGE:8300@700", "video.mp4?take=1"]);
        assert_eq!(lines[9..], ["#EXTINF:0.980,", "#EXT-X-BYTERANGE:500@9000", "video.mp4?take=1", "#EXT-X-ENDLIST"]);
        let rendition =
            Rendition { codecs: "av01.0.08M.08,Opus".into(), size: Size::new(1280, 720), peak: 2_000_000, average: 9 };
        let text = multivariant_playlist(&rendition, "media.m3u8", None);
        assert!(
            text.contains("BANDWIDTH=2000000,AVERAGE-BANDWIDTH=9,RESOLUTION=1280x720,CODECS=\"av01.0.08M.08,Opus\"\n")
        );
        assert!(text.ends_with("\nmedia.m3u8\n"));
        let text = multivariant_playlist(&rendition, "media.m3u8", Some("captions.m3u8?take=0"));
        assert!(
            text.contains("TYPE=SUBTITLES,GROUP-ID=\"captions\"") && text.contains("URI=\"captions.m3u8?take=0\"\n")
        );
        assert!(text.ends_with(",SUBTITLES=\"captions\"\nmedia.m3u8\n"));
        assert!(captions_playlist(61_040, "captions.vtt").contains("TARGETDURATION:62\n"));
        assert!(captions_playlist(61_040, "captions.vtt").ends_with("#EXTINF:61.040,\ncaptions.vtt\n#EXT-X-ENDLIST\n"));
    }
}
