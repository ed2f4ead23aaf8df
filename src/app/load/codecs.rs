//! **The question:** in which codecs do simulated people speak, and under which payload types?

use std::fmt;
use std::str::FromStr;

use crate::base::media::Codec;
use crate::engine::{decode, encode};

/// RTP payload type of microphone and mix.
pub(super) const OPUS_PAYLOAD_TYPE: u8 = 111;
/// The codecs of pictures with their payload types, the one that is offered first in front.
const PICTURES: [(Codec, u8); 2] = [(Codec::Av1, 45), (Codec::H264, 102)];

/// The codecs in which people take pictures, in the order of preference: at least one, none twice. They send in the
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codecs(Vec<Codec>);

impl Default for Codecs {
    /// Whatever this program was built for, AV1 first.
    fn default() -> Self {
        Self(PICTURES.into_iter().map(|(codec, _)| codec).filter(|codec| is_built(*codec)).collect())
    }
}

impl Codecs {
    /// In the order of preference.
    pub(super) fn iter(&self) -> impl Iterator<Item = Codec> {
        self.0.iter().copied()
    }
}

impl FromStr for Codecs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut codecs = Vec::new();
        for name in text.split(',') {
            let known = PICTURES.into_iter().map(|(codec, _)| codec).find(|codec| codec.name() == name);
            let codec = known.ok_or_else(|| format!("'{name}' is no codec here; give av1, h264 or av1,h264"))?;
            if !is_built(codec) {
                return Err(format!("this tessera was built without {name}"));
            }
            if codecs.contains(&codec) {
                return Err(format!("{name} is named twice"));
            }
            codecs.push(codec);
        }
        Ok(Self(codecs))
    }
}

impl fmt::Display for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(","))
    }
}

fn is_built(codec: Codec) -> bool {
    encode::encodes(codec) && decode::decodes(codec)
}

/// The payload type of pictures in `codec`.
pub(super) fn payload_type(codec: Codec) -> u8 {
    let known = PICTURES.into_iter().find(|(known, _)| *known == codec);
    known.expect("nobody offers another codec").1
}

/// The payload type of repairs of pictures in `codec`.
pub(super) fn repair_payload_type(codec: Codec) -> u8 {
    payload_type(codec) + 1
}

/// The codec of pictures under `payload_type`.
pub(super) fn codec_of(payload_type: u8) -> Option<Codec> {
    PICTURES.into_iter().find(|(_, known)| *known == payload_type).map(|(codec, _)| codec)
}

/// What an answer (SDP) takes on its first m-line of pictures, which is the camera's: the first of its payload types.
pub(super) fn answered(answer: &str) -> Option<Codec> {
    let line = answer.lines().find(|line| line.starts_with("m=video "))?;
    line.split_whitespace().nth(3)?.parse().ok().and_then(codec_of)
}

/// `answer` with every payload type of pictures on its first m-line of pictures. The crate `rtc` 0.21 takes that line's
/// for all the others' and drops what comes under another: the camera's line has one codec, the composite's may have
/// two.
pub(super) fn with_all_on_the_first(answer: &str) -> String {
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in answer.lines() {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("there is one from the start").push(line);
    }
    let is_video = |section: &Vec<&str>| section.first().is_some_and(|line| line.starts_with("m=video "));
    let (mut types, mut told) = (String::new(), Vec::new());
    let Some(first) = sections.iter().position(is_video) else { return answer.to_owned() };
    for kind in PICTURES.into_iter().flat_map(|(codec, kind)| [kind, repair_payload_type(codec)]) {
        let has = |section: &Vec<&str>| {
            let mut words = section.first().map_or("", |line| line).split_whitespace().skip(3);
            words.any(|word| word.parse() == Ok(kind))
        };
        let Some(other) = sections.iter().filter(|section| is_video(section)).find(|section| has(section)) else {
            continue;
        };
        if !has(&sections[first]) {
            types.push_str(&format!(" {kind}"));
            let says = ["rtpmap", "rtcp-fb", "fmtp"].map(|what| format!("a={what}:{kind} "));
            told.extend(other.iter().copied().filter(|line| says.iter().any(|says| line.starts_with(says))));
        }
    }
    let media = sections[first].first().map_or_else(String::new, |line| format!("{line}{types}"));
    let mut lines: Vec<&str> = Vec::new();
    for (at, section) in sections.iter().enumerate() {
        if at == first {
            lines.push(&media);
            lines.extend(section.iter().skip(1).chain(&told));
        } else {
            lines.extend(section);
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_typed_in_their_order_and_named_once() {
        assert_eq!("av1".parse::<Codecs>().unwrap().iter().collect::<Vec<_>>(), [Codec::Av1]);
        for wrong in ["", "vp8", "av1,av1", "AV1", "av1,"] {
            assert!(wrong.parse::<Codecs>().is_err(), "{wrong}");
        }
        let whole = Codecs::default();
        assert_eq!(whole.iter().next(), Some(Codec::Av1), "AV1 comes first");
        assert_eq!(whole.to_string().parse(), Ok(whole));
    }

    #[test]
    fn the_first_line_of_pictures_takes_along_what_the_others_have() {
        let camera = "m=video 9 UDP/TLS/RTP/SAVPF 45\r\na=recvonly\r\na=rtpmap:45 AV1/90000\r\n";
        let sound = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n";
        let h264 = "a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1\r\n";
        let composite =
            camera.replace("SAVPF 45", "SAVPF 45 102").replace("recvonly", "sendonly") + h264 + "a=ssrc:1 x\r\n";
        let whole = with_all_on_the_first(&format!("v=0\r\n{camera}{sound}{composite}"));
        let widened = camera.replace("SAVPF 45", "SAVPF 45 102");
        assert_eq!(whole, format!("v=0\r\n{widened}{h264}{sound}{composite}"));
        for same in [format!("v=0\r\n{camera}{sound}"), format!("v=0\r\n{sound}"), "v=0\r\n".to_owned()] {
            assert_eq!(with_all_on_the_first(&same), same);
        }
    }

    #[test]
    fn the_answers_first_payload_type_is_what_the_camera_sends() {
        let answer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nm=video 9 UDP/TLS/RTP/SAVPF 102 45\r\na=recvonly\r\n";
        assert_eq!(answered(answer), Some(Codec::H264));
        assert_eq!(answered("m=video 9 UDP/TLS/RTP/SAVPF 45\r\n"), Some(Codec::Av1));
        for none in ["v=0\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "m=video 9\r\n"] {
            assert_eq!(answered(none), None, "{none}");
        }
        assert_eq!(
            [Codec::Av1, Codec::H264].map(|codec| codec_of(payload_type(codec))),
            [Codec::Av1, Codec::H264].map(Some)
        );
    }
}
