//! **The question:** what does the other side read in an answer? What str0m says of the lines it was given, in the
//! terms of the offer: its profiles, its names, nothing that was not offered (RFC 4585 section 4.2, RFC 9429 section
//! 5.3.1).

use crate::io::webrtc::extensions;
use crate::io::webrtc::intake::{Fate, Intake, Line};

impl Intake {
    /// The answer to the offer, from str0m's to what it read.
    pub(super) fn answer(&self, answer: &str) -> String {
        let mut sections = answer.split("\r\nm=");
        let mut text = self.session(sections.next().unwrap_or_default());
        // str0m tells its candidates once, by the first line, which may be one that is refused.
        let mut untold: Vec<&str> = Vec::new();
        for (line, section) in self.lines.iter().zip(sections) {
            if line.fate == Fate::Taken && section.split(' ').nth(1) != Some("0") {
                line.write_taken(section, &mut text);
                untold.drain(..).for_each(|candidate| push(&mut text, &[candidate]));
            } else {
                line.write_refused(&mut text);
                untold.extend(section.lines().filter(|line| line.starts_with("a=candidate:")));
            }
        }
        text
    }

    /// The first m-line that was taken here and refused there, all the same.
    pub(super) fn unanswered(&self, answer: &str) -> Option<usize> {
        let sections = answer.split("\r\nm=").skip(1);
        let mut lines = self.lines.iter().zip(sections);
        lines.position(|(line, section)| line.fate == Fate::Taken && section.split(' ').nth(1) == Some("0"))
    }

    /// Lines before the first m-line.
    fn session(&self, head: &str) -> String {
        let mut text = String::with_capacity(head.len() + 2);
        for line in head.lines() {
            let unasked = (line.starts_with("a=group:BUNDLE") && !self.bundled)
                || (line == "a=extmap-allow-mixed" && !self.mixed_extensions);
            if !unasked {
                push(&mut text, &[line]);
            }
        }
        text
    }
}

impl Line {
    fn write_refused(&self, text: &mut String) {
        let Self { kind, protocol, formats, mid, .. } = self;
        push(text, &["m=", kind, " 0 ", protocol, " ", &formats.join(" ")]);
        push(text, &["c=IN IP4 0.0.0.0"]);
        mid.iter().for_each(|mid| push(text, &["a=mid:", mid]));
        push(text, &["a=inactive"]);
        if let Fate::Refused(why) = &self.fate {
            // For whoever reads the answer; others ignore attributes that they do not know (RFC 8866 section 5.13).
            push(text, &["a=x-tessera-refused:", &why.to_string()]);
        }
    }

    fn write_taken(&self, section: &str, text: &mut String) {
        let is_sent = section.lines().any(|line| matches!(line, "a=sendonly" | "a=sendrecv"));
        let is_received = section.lines().any(|line| matches!(line, "a=recvonly" | "a=sendrecv"));
        let opus = format_of(section, "opus/");
        let av1 = format_of(section, "AV1/");
        for (at, line) in section.lines().enumerate() {
            let (name, value) = line.strip_prefix("a=").and_then(|line| line.split_once(':')).unwrap_or_default();
            let (format, rest) = value.split_once(' ').unwrap_or_default();
            match name {
                _ if at == 0 => {
                    let formats = line.splitn(4, ' ').nth(3).unwrap_or_default();
                    push(text, &["m=", &self.kind, " 9 ", &self.protocol, " ", formats]);
                }
                "mid" => self.mid.iter().for_each(|mid| push(text, &["a=mid:", mid])),
                "msid" | "ssrc" | "ssrc-group" if !is_sent => {}
                "rtcp-fb" if !self.feedback.iter().any(|offered| offered == rest) => {}
                "extmap" => push(text, &[&extensions::answered(line)]),
                "rtpmap" if Some(format) == av1 => {
                    push(text, &[line]);
                    self.parameters.iter().for_each(|all| push(text, &["a=fmtp:", format, " ", all]));
                }
                "fmtp" if Some(format) == av1 => {}
                "fmtp" if Some(format) == opus && self.stereo => {
                    // RFC 7587, section 7.1: without them both sides take the sound for mono.
                    let (heard, sent) =
                        (["", ";stereo=1"][usize::from(is_received)], ["", ";sprop-stereo=1"][usize::from(is_sent)]);
                    push(text, &[line, heard, sent]);
                }
                _ => push(text, &[line]),
            }
        }
    }
}

/// The first format of an encoding, by the start of its name.
fn format_of<'a>(section: &'a str, encoding: &str) -> Option<&'a str> {
    let mut maps = section.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '));
    maps.find(|(_, map)| map.starts_with(encoding)).map(|(format, _)| format)
}

fn push(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push_str("\r\n");
}
