//! **The question:** why is an offer refused, and what do texts around it look like?

use crate::base::limits;

/// Why an offer is refused. Each says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Longer than `limits::SDP_LEN_MAX`.
    #[error("the offer has {0} bytes; send at most {max}", max = limits::SDP_LEN_MAX)]
    TooLong(usize),
    /// Not SDP, or not an offer of one connection.
    #[error("the offer cannot be read: {0}")]
    Malformed(String),
    /// More m-lines than `limits::OFFER_LINES_MAX`.
    #[error("the offer has {0} m-lines; send at most {max}", max = limits::OFFER_LINES_MAX)]
    ManyLines(usize),
    /// Neither a video nor an audio m-line.
    #[error("the offer has no video or audio m-line; add a track or a transceiver")]
    NoMedia,
    /// A video m-line without a codec that is decoded, or sent.
    #[error(
        "a video m-line offers no codec that this node takes; offer AV1 of profile 0 (RTP payload 'AV1/90000'), \
         H.264 ('H264/90000') or VP8 ('VP8/90000'), or where you only send VP9"
    )]
    NoCodec,
    /// An audio m-line without Opus.
    #[error("an audio m-line offers no Opus (RTP payload 'opus/48000/2'); offer it: this node decodes and sends it")]
    NoOpus,
    /// An m-line that is nothing for this node.
    #[error("{0}")]
    Line(String),
    /// Several m-lines that are not one connection.
    #[error(
        "the m-lines are not all in one a=group:BUNDLE (RFC 9143); this node has one port for all of them: bundle them"
    )]
    NotBundled,
    /// No fingerprint that the other side's certificate can be checked by.
    #[error(
        "there is no a=fingerprint of sha-256, sha-512, sha-384, sha-224 or sha-1 (RFC 8122), by which this node \
         checks certificates: send it"
    )]
    NoFingerprint,
    /// An m-line that cannot be taken, in an offer of which all or nothing is taken (RFC 9725 section 4.4).
    #[error("m-line {0} cannot be taken: {1}; a WHIP offer is taken whole or not at all (RFC 9725 section 4.4)")]
    Partial(usize, String),
}

impl OfferError {
    /// Whether the offer is well formed and lacks only what the node takes.
    #[must_use]
    pub fn is_codec(&self) -> bool {
        matches!(self, Self::NoCodec | Self::NoOpus | Self::Partial(..))
    }
}

/// The offer with other ICE credentials and without candidates: what an ICE restart by PATCH amounts to (RFC 9725
/// section 4.3.3).
#[must_use]
pub fn with_credentials(offer: &str, ufrag: &str, password: &str) -> String {
    let mut restarted = String::with_capacity(offer.len());
    for line in offer.lines() {
        if line.starts_with("a=ice-ufrag:") {
            restarted.push_str("a=ice-ufrag:");
            restarted.push_str(ufrag);
        } else if line.starts_with("a=ice-pwd:") {
            restarted.push_str("a=ice-pwd:");
            restarted.push_str(password);
        } else if line.starts_with("a=candidate:") {
            continue;
        } else {
            restarted.push_str(line);
        }
        restarted.push_str("\r\n");
    }
    restarted
}

/// The stream that picture and sound belong to in answers, and their canonical name.
const STREAM: &str = "composite";

/// The answer with everything this side sends in one media stream (RFC 8830) of one origin (RFC 8834 section 4.9):
/// browsers play picture and sound of one stream in step, and str0m gives each m-line a stream of its own.
#[must_use]
pub fn with_one_stream(answer: &str) -> String {
    let mut joined = String::with_capacity(answer.len() + 64);
    for line in answer.lines().map(str::trim_end) {
        let (head, value) = match line.split_once(' ') {
            Some((ssrc, value)) if ssrc.starts_with("a=ssrc:") => (ssrc, value),
            _ => ("", line),
        };
        // Only lines that this side writes have these: an answer does not repeat the offer's.
        let track = value.strip_prefix("a=msid:").or_else(|| value.strip_prefix("msid:"));
        let track = track.map(|ids| ids.split_once(' ').map_or(ids, |(_, track)| track));
        match (head, track) {
            ("", Some(track)) => joined.extend(["a=msid:", STREAM, " ", track]),
            (ssrc, Some(track)) => joined.extend([ssrc, " msid:", STREAM, " ", track]),
            (ssrc, None) if value.starts_with("cname:") => joined.extend([ssrc, " cname:", STREAM]),
            _ if line.starts_with("a=msid-semantic:") => joined.extend(["a=msid-semantic:WMS ", STREAM]),
            _ => joined.push_str(line),
        }
        joined.push_str("\r\n");
    }
    joined
}

/// The answer with RED (RFC 2198) as the first format of the first sound that this side receives, which is the
/// microphone: a sender uses the first format it can (RFC 3264 section 6.1). Without RED in it, the answer as it was.
#[must_use]
pub fn with_red_first(answer: &str) -> String {
    let mut sections: Vec<String> = answer.split_inclusive("\r\nm=").map(str::to_owned).collect();
    let microphone = sections.iter_mut().find(|section| {
        section.starts_with("audio ") && section.lines().any(|line| line == "a=recvonly" || line == "a=sendrecv")
    });
    if let Some(section) = microphone {
        let red = section.lines().find_map(|line| {
            let (format, encoding) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            encoding.get(..4).filter(|name| name.eq_ignore_ascii_case("red/"))?;
            Some(format.to_owned())
        });
        // The section's first line: audio, port, protocol, and then the formats in the order of preference.
        if let (Some(red), Some((line, rest))) = (red, section.split_once("\r\n")) {
            let words: Vec<&str> = line.split(' ').collect();
            let (head, formats) = words.split_at(words.len().min(3));
            let others = formats.iter().copied().filter(|format| *format != red);
            let line: Vec<&str> = head.iter().copied().chain([&*red]).chain(others).collect();
            *section = format!("{}\r\n{rest}", line.join(" "));
        }
    }
    sections.concat()
}

/// The first `ice-ufrag` of a description: the name of its ICE generation.
#[must_use]
pub fn ufrag_of(description: &str) -> &str {
    description.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap_or_default().trim_end()
}

/// The `ice-pwd` beside that.
#[must_use]
pub(super) fn password_of(description: &str) -> &str {
    description.lines().find_map(|line| line.strip_prefix("a=ice-pwd:")).unwrap_or_default().trim_end()
}

/// The credentials and candidates of an answer as `application/trickle-ice-sdpfrag` (RFC 8840 section 9): those for
/// all, these below the first m-line, which is the bundle's, and its name.
#[must_use]
pub fn fragment_of(answer: &str) -> String {
    let (mut head, mut candidates): (Vec<&str>, Vec<&str>) = Default::default();
    let (mut media, mut mid) = (None, None);
    for line in answer.lines().map(str::trim_end) {
        let list = match line {
            _ if line.starts_with("a=ice-ufrag:") || line.starts_with("a=ice-pwd:") => &mut head,
            _ if line.starts_with("a=candidate:") || line == "a=end-of-candidates" => &mut candidates,
            _ => {
                media = media.or(Some(line).filter(|line| line.starts_with("m=")));
                mid = mid.or(Some(line).filter(|line| line.starts_with("a=mid:")));
                continue;
            }
        };
        if !list.contains(&line) {
            list.push(line);
        }
    }
    let media = media.into_iter().chain(mid).filter(|_| !candidates.is_empty());
    head.iter().copied().chain(media).chain(candidates.iter().copied()).flat_map(|line| [line, "\r\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: &str = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 45\r\na=rtpmap:45 AV1/90000\r\n";

    #[test]
    fn picture_and_sound_are_put_in_one_stream() {
        let answer = "a=msid-semantic:WMS x y\r\na=msid:x t1\r\na=ssrc:1 cname:c1\r\na=ssrc:1 msid:x t1\r\n\
            a=msid:y t2\r\na=ssrc:2 cname:c2\r\na=ssrc:2 msid:y t2\r\na=mid:0\r\n";
        let joined = "a=msid-semantic:WMS composite\r\na=msid:composite t1\r\na=ssrc:1 cname:composite\r\n\
            a=ssrc:1 msid:composite t1\r\na=msid:composite t2\r\na=ssrc:2 cname:composite\r\n\
            a=ssrc:2 msid:composite t2\r\na=mid:0\r\n";
        assert_eq!(with_one_stream(answer), joined);
    }

    #[test]
    fn red_comes_first_where_the_microphone_is_received() {
        let section = |direction: &str| {
            format!(
                "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na={direction}\r\n\
                 a=rtpmap:111 opus/48000/2\r\na=rtpmap:63 red/48000/2\r\n"
            )
        };
        let turned = |direction: &str| section(direction).replace("111 63\r\n", "63 111\r\n");
        let answer = ["v=0\r\n", &section("sendonly"), &section("recvonly"), &section("recvonly")].concat();
        let wanted = ["v=0\r\n", &section("sendonly"), &turned("recvonly"), &section("recvonly")].concat();
        assert_eq!(with_red_first(&answer), wanted);
        assert_eq!(with_red_first(&wanted), wanted, "what stands first stays there");
        for answer in [VIDEO, "", "v=0\r\nm=audio", &answer.replace("red/", "x/")] {
            assert_eq!(with_red_first(answer), answer);
        }
    }

    #[test]
    fn candidates_of_a_fragment_stand_below_the_m_line_of_the_bundle() {
        let section = |kind: &str, mid: &str| {
            format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF 45\r\na=candidate:1 x\r\na=candidate:2 y\r\na=end-of-candidates\r\n\
                 a=ice-ufrag:new\r\na=ice-pwd:newer\r\na=mid:{mid}\r\n"
            )
        };
        let answer = ["v=0\r\n", &section("video", "a"), &section("audio", "b")].concat();
        let fragment = fragment_of(&answer);
        let wanted = "a=ice-ufrag:new\r\na=ice-pwd:newer\r\nm=video 9 UDP/TLS/RTP/SAVPF 45\r\na=mid:a\r\n\
            a=candidate:1 x\r\na=candidate:2 y\r\na=end-of-candidates\r\n";
        assert_eq!(fragment, wanted);
        assert_eq!(fragment_of("a=ice-ufrag:new\r\na=mid:a\r\n"), "a=ice-ufrag:new\r\n");
    }

    #[test]
    fn a_restart_keeps_everything_but_credentials_and_candidates() {
        let offer = "v=0\r\na=ice-ufrag:old\r\na=ice-pwd:older\r\na=candidate:1 x\r\na=mid:0\r\n";
        assert_eq!(with_credentials(offer, "new", "newer"), "v=0\r\na=ice-ufrag:new\r\na=ice-pwd:newer\r\na=mid:0\r\n");
        assert_eq!(ufrag_of(offer), "old");
    }
}
