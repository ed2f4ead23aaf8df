//! **The question:** which trace does a request belong to (W3C Trace Context, section 3.2)?

use std::time::Instant;

use crate::base::limits;
use crate::core::trace::ids::{SpanId, TraceId};

/// What a request says of the trace that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// Which trace.
    pub trace: TraceId,
    /// Which span of it asks.
    pub span: SpanId,
    /// Whether whoever asks keeps it.
    pub sampled: bool,
}

/// When a request came, and which trace it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct TraceStart {
    /// When.
    pub at: Instant,
    /// Which trace, if it says so.
    pub parent: Option<TraceParent>,
}

impl TraceParent {
    /// Reads a `traceparent`; `None` where it is none, as if there were none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > limits::TRACEPARENT_LEN_MAX {
            return None;
        }
        let mut fields = text.split('-');
        let [version, trace, span, flags] = [(); 4].map(|()| fields.next());
        let (version, flags) = (hex(version?, 2)?, hex(flags?, 2)?);
        // Later versions begin as the first does, and may have more.
        if version == 0xff || (version == 0 && fields.next().is_some()) {
            return None;
        }
        let (trace, span) = (TraceId::of(hex(trace?, 32)?)?, SpanId::of(u64::try_from(hex(span?, 16)?).ok()?)?);
        Some(Self { trace, span, sampled: flags & 1 == 1 })
    }
}

/// Lower-case digits, exactly so many.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_hex = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_hex { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_the_specification_shows_is_read() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceParent::parse(text).unwrap();
        assert_eq!(read.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((read.span.to_string().as_str(), read.sampled), ("00f067aa0ba902b7", true));
        assert!(!TraceParent::parse(&text.replace("-01", "-00")).unwrap().sampled);
        assert_eq!(TraceParent::parse(&text.replace("00-4b", "cc-4b").replace("-01", "-01-more")), Some(read));
    }

    #[test]
    fn what_is_none_is_as_if_there_were_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
        assert_eq!(TraceParent::parse(&format!("cc-{}", "0".repeat(300))), None);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,80}|[0-9a-f-]{0,60}") {
            let _ = TraceParent::parse(&text);
        }
    }
}
