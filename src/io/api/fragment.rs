//! **The question:** what does a trickled fragment say? `application/trickle-ice-sdpfrag` (RFC 8840 section 9),
//! bounded.

use crate::base::limits;

/// What a client trickles: its credentials, and candidates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SdpFragment {
    /// `ice-ufrag`, 4 to 256 characters (RFC 8839 section 5.4).
    pub ufrag: Option<String>,
    /// `ice-pwd`, 22 to 256 characters.
    pub pwd: Option<String>,
    /// At most `limits::FRAGMENT_CANDIDATES_MAX`.
    pub candidates: Vec<FragmentCandidate>,
    /// Whether the client has no more.
    pub end_of_candidates: bool,
}

/// One candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FragmentCandidate {
    /// `mid` of the m-line it stands under.
    pub mid: Option<String>,
    /// The attribute's value without `a=`, from `candidate:` on (RFC 8839 section 5.1).
    pub candidate: String,
}

/// Why a text is no fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// A line that is not `letter=value`.
    #[error("line {0} is not of the form 'letter=value'")]
    Line(usize),
    /// More candidates than allowed.
    #[error("more than {} candidates; send them in several requests", limits::FRAGMENT_CANDIDATES_MAX)]
    Candidates,
    /// Credentials of a forbidden length or with forbidden characters.
    #[error("ice-ufrag has 4 to 256 characters, ice-pwd 22 to 256: letters, digits, '+' and '/'")]
    Credentials,
    /// Neither credentials nor candidates nor their end.
    #[error("it has neither ice-ufrag and ice-pwd nor candidates nor end-of-candidates")]
    Empty,
}

impl SdpFragment {
    /// Reads a fragment. Attributes that a trickled fragment has no use for are ignored.
    ///
    /// # Errors
    /// When a line has no SDP form, credentials are malformed, there are too many candidates, or it says nothing.
    pub fn parse(text: &str) -> Result<Self, FragmentError> {
        let mut fragment = Self::default();
        let mut mid = None;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (letter, value) = line.split_once('=').ok_or(FragmentError::Line(index + 1))?;
            match (letter, value.split_once(':').unwrap_or((value, ""))) {
                ("m", _) => mid = None,
                ("a", ("mid", name)) => mid = Some(name.to_owned()),
                ("a", ("ice-ufrag", ufrag)) => fragment.ufrag = Some(credential(ufrag, 4)?),
                ("a", ("ice-pwd", pwd)) => fragment.pwd = Some(credential(pwd, 22)?),
                ("a", ("candidate", _)) => fragment.push(mid.clone(), value)?,
                ("a", ("end-of-candidates", _)) => fragment.end_of_candidates = true,
                (letter, _) if letter.len() == 1 => {}
                _ => return Err(FragmentError::Line(index + 1)),
            }
        }
        if fragment == Self::default() { Err(FragmentError::Empty) } else { Ok(fragment) }
    }

    fn push(&mut self, mid: Option<String>, candidate: &str) -> Result<(), FragmentError> {
        if self.candidates.len() == limits::FRAGMENT_CANDIDATES_MAX {
            return Err(FragmentError::Candidates);
        }
        self.candidates.push(FragmentCandidate { mid, candidate: candidate.to_owned() });
        Ok(())
    }
}

fn credential(text: &str, len_min: usize) -> Result<String, FragmentError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    if (len_min..=256).contains(&text.len()) && text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(FragmentError::Credentials)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CANDIDATE: &str = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host";

    #[test]
    fn candidates_know_their_mid() {
        let text = format!(
            "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
             a={CANDIDATE}\r\nm=video 9 RTP/AVP 0\r\na=mid:v\r\na={CANDIDATE}\r\na=end-of-candidates\r\n"
        );
        let fragment = SdpFragment::parse(&text).unwrap();
        assert_eq!(fragment.ufrag.as_deref(), Some("EsAw"));
        assert_eq!(fragment.pwd.as_deref(), Some("P2uYro0UCOQ4zxjKXaWCBui1"));
        let mids: Vec<_> = fragment.candidates.iter().map(|c| c.mid.as_deref()).collect();
        assert_eq!(mids, [Some("0"), Some("v")]);
        assert_eq!(fragment.candidates[0].candidate, CANDIDATE);
        assert!(fragment.end_of_candidates);
    }

    #[test]
    fn hostile_fragments_are_typed_errors() {
        assert_eq!(SdpFragment::parse(""), Err(FragmentError::Empty));
        assert_eq!(SdpFragment::parse("a=mid:0\r\nhello\r\n"), Err(FragmentError::Line(2)));
        assert_eq!(SdpFragment::parse("a=ice-ufrag:a b c\r\n"), Err(FragmentError::Credentials));
        assert_eq!(SdpFragment::parse("a=ice-pwd:short\r\n"), Err(FragmentError::Credentials));
        let flood = format!("a={CANDIDATE}\r\n").repeat(limits::FRAGMENT_CANDIDATES_MAX + 1);
        assert_eq!(SdpFragment::parse(&flood), Err(FragmentError::Candidates));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(a=|m=|candidate:|ice-ufrag:|\r\n|\\PC){0,40}") {
            let _ = SdpFragment::parse(&text);
        }
    }
}
