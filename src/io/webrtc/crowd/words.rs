//! **The question:** what does one of a crowd not say in an offer? What they send, they send in one codec and without
//! transport-wide numbers; and nobody is told how fast they may send (REMB).

use str0m::rtp::Extension;

/// The offer as it goes out, in which pictures are sent under the payload types `sent` alone.
pub(super) fn narrowed(offer: &str, sent: &[u8]) -> String {
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in offer.lines() {
        if line.starts_with("m=") {
            sections.push(Vec::new());
        }
        sections.last_mut().expect("there is one from the start").push(line);
    }
    let mut told = String::with_capacity(offer.len());
    for section in &sections {
        let is_sent = section.contains(&"a=sendonly");
        let is_narrow = is_sent && section[0].starts_with("m=video ");
        for line in section {
            let is_of_another = is_narrow && format_of(line).is_some_and(|format| !sent.contains(&format));
            let is_left_out = line.ends_with(" goog-remb") || is_sent && is_of_transport(line) || is_of_another;
            if is_narrow && line.starts_with("m=") {
                let words = line.split(' ').enumerate();
                let kept =
                    words.filter(|(at, word)| *at < 3 || word.parse().is_ok_and(|format| sent.contains(&format)));
                told.push_str(&kept.map(|(_, word)| word).collect::<Vec<_>>().join(" "));
            } else if is_left_out {
                continue;
            } else {
                told.push_str(line);
            }
            told.push_str("\r\n");
        }
    }
    told
}

/// Whether a line speaks of transport-wide numbers.
fn is_of_transport(line: &str) -> bool {
    line.ends_with(" transport-cc")
        || line.starts_with("a=extmap:") && line.contains(Extension::TransportSequenceNumber.as_uri())
}

/// Which payload type a line speaks of.
fn format_of(line: &str) -> Option<u8> {
    let value = ["a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"].into_iter().find_map(|name| line.strip_prefix(name))?;
    value.split(' ').next()?.parse().ok()
}
