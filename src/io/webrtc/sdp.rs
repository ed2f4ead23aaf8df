//! **The question:** what does a session description say? Its lines sorted by what they belong to (RFC 8866), and
//! nothing judged yet. Lines that no answer depends on (`b=`, `i=`, `k=`, further `c=`) are read over.

use crate::base::limits;

/// A description, borrowed from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description<'a> {
    /// Attributes before the first m-line, each from behind `a=`.
    pub(super) attributes: Vec<&'a str>,
    /// The m-lines in their order.
    pub(super) sections: Vec<Section<'a>>,
}

/// One m-line with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// `audio`, `video`, `application`, or something else.
    pub(super) kind: &'a str,
    /// The port without a count; 0 is how an m-line is refused.
    pub(super) port: &'a str,
    /// The protocol, such as `UDP/TLS/RTP/SAVPF`.
    pub(super) protocol: &'a str,
    /// Its formats in the order of preference.
    pub(super) formats: Vec<&'a str>,
    /// Its attributes, each from behind `a=`.
    pub(super) attributes: Vec<&'a str>,
}

/// Whether a line may be sent, received, both or neither (RFC 8866 section 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    SendOnly,
    RecvOnly,
    SendRecv,
    Inactive,
}

impl Flow {
    /// By its name in SDP.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "sendrecv" => Some(Self::SendRecv),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }

    /// Whether its offerer sends.
    pub(super) const fn is_sent(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendRecv)
    }

    /// Whether its offerer receives.
    pub(super) const fn is_received(self) -> bool {
        matches!(self, Self::RecvOnly | Self::SendRecv)
    }

    /// Its name in SDP.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::SendRecv => "sendrecv",
            Self::Inactive => "inactive",
        }
    }
}

/// Why a text is no description; said to whoever sent it.
pub(super) type Fault = String;

impl<'a> Description<'a> {
    /// Reads a description whose lines end as the RFC says, or in a line feed alone.
    ///
    /// # Errors
    /// When a line is none, an m-line lacks a part, or there are too many of them.
    pub(super) fn read(text: &'a str) -> Result<Self, Fault> {
        let mut description = Self { attributes: Vec::new(), sections: Vec::new() };
        let lines = text.lines().map(str::trim_end).enumerate().filter(|(_, line)| !line.is_empty());
        for (at, line) in lines {
            let number = at + 1;
            let (letter, value) = line.split_once('=').filter(|(letter, _)| letter.len() == 1).ok_or_else(|| {
                format!("line {number} is none of SDP's, which are a letter, '=' and a value (RFC 8866 section 5)")
            })?;
            match letter {
                "v" if value != "0" => return Err(format!("line {number}: the version is 0 (RFC 8866 section 5.1)")),
                "m" => {
                    let section = Section::read(value).ok_or_else(|| {
                        format!("line {number}: an m-line has a kind, a port, a protocol and formats")
                    })?;
                    if description.sections.len() == limits::SDP_SECTIONS_MAX {
                        return Err(format!("it has more than {} m-lines", limits::SDP_SECTIONS_MAX));
                    }
                    description.sections.push(section);
                }
                "a" => match description.sections.last_mut() {
                    Some(section) => section.attributes.push(value),
                    None => description.attributes.push(value),
                },
                _ => {}
            }
        }
        Ok(description)
    }

    /// The values of an attribute, wherever it stands.
    pub(super) fn anywhere(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let all = self.sections.iter().flat_map(|section| section.attributes.iter());
        values(self.attributes.iter().chain(all), name)
    }

    /// The values of an attribute before the first m-line.
    pub(super) fn of_session(&self, name: &str) -> impl Iterator<Item = &'a str> {
        values(self.attributes.iter(), name)
    }

    /// Which way a section flows: by its own word, else the session's; without either both ways.
    pub(super) fn flow(&self, section: &Section<'_>) -> Flow {
        let own = section.attributes.iter().find_map(|attribute| Flow::of(attribute));
        let session = || self.attributes.iter().find_map(|attribute| Flow::of(attribute));
        own.or_else(session).unwrap_or(Flow::SendRecv)
    }
}

impl<'a> Section<'a> {
    fn read(value: &'a str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let (kind, port, protocol) = (words.next()?, words.next()?, words.next()?);
        let port = port.split_once('/').map_or(port, |(port, _)| port);
        let _: u16 = port.parse().ok()?;
        let mut formats: Vec<&str> = Vec::new();
        // One that is named twice is one.
        for format in words {
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        (!formats.is_empty()).then_some(Self { kind, port, protocol, formats, attributes: Vec::new() })
    }

    /// The values of an attribute.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a str> {
        values(self.attributes.iter(), name)
    }

    /// The first value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Whether it has an attribute that is a name alone.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains(&name)
    }

    /// What an attribute such as `rtpmap` or `fmtp` says of a format.
    pub(super) fn of_format(&self, name: &str, format: &str) -> Option<&'a str> {
        self.values(name)
            .find_map(|value| value.split_once(' ').filter(|(head, _)| *head == format))
            .map(|(_, rest)| rest.trim())
    }

    /// Its encoding's name, clock and channels in lower case, such as `opus/48000/2`.
    pub(super) fn encoding(&self, format: &str) -> Option<String> {
        self.of_format("rtpmap", format).map(str::to_ascii_lowercase)
    }

    /// A parameter of a format (`a=fmtp`).
    pub(super) fn parameter(&self, format: &str, name: &str) -> Option<&'a str> {
        let pairs = self.of_format("fmtp", format)?.split(';');
        pairs.filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    }
}

fn values<'i, 'a: 'i>(attributes: impl Iterator<Item = &'i &'a str>, name: &str) -> impl Iterator<Item = &'a str> {
    attributes.filter_map(move |attribute| {
        let (key, value) = attribute.split_once(':')?;
        (key == name).then_some(value.trim_start())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_no_answer_depends_on_are_read_over() {
        let text = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nb=CT:1000\r\nt=0 0\r\na=sendonly\r\na=ice-lite\r\n\
            m=video 9/2 RTP/SAVPF 45 96 45\r\ni=camera\r\nc=IN IP4 0.0.0.0\r\nc=IN IP4 0.0.0.1\r\n\
            b=AS:1\r\nb=TIAS:1000\r\nk=clear:x\r\na=mid:v\r\n\
            a=rtpmap:45 AV1/90000\r\na=fmtp:45 level-idx=8; profile=0\r\n\n\
            m=audio 9 UDP/TLS/RTP/SAVP 111\na=recvonly\n";
        let description = Description::read(text).unwrap();
        let [video, audio] = &description.sections[..] else { panic!("two m-lines") };
        assert_eq!((video.port, video.protocol, &video.formats[..]), ("9", "RTP/SAVPF", &["45", "96"][..]));
        assert_eq!((video.value("mid"), video.encoding("45").as_deref()), (Some("v"), Some("av1/90000")));
        assert_eq!((video.parameter("45", "profile"), video.parameter("45", "tier")), (Some("0"), None));
        assert_eq!(description.flow(video), Flow::SendOnly, "by the session's word");
        assert_eq!(description.flow(audio), Flow::RecvOnly);
        let silent = Section { attributes: Vec::new(), ..audio.clone() };
        assert_eq!(Description { attributes: Vec::new(), ..description.clone() }.flow(&silent), Flow::SendRecv);
    }

    #[test]
    fn what_is_none_says_which_line() {
        for (text, word) in [("v=0\nhello", "line 2"), ("v=1", "version"), ("v=0\nm=video 9", "line 2")] {
            assert!(Description::read(text).unwrap_err().contains(word), "{text}");
        }
    }
}
