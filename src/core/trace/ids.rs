//! **The question:** by which numbers are traces and their spans known (W3C Trace Context, section 3.2.2)?

use std::fmt;

/// Which trace: 16 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub(super) u128);

/// Which span of it: 8 bytes, not all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub(super) u64);

impl TraceId {
    /// `None`: zero names no trace.
    #[must_use]
    pub const fn of(number: u128) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }
}

impl SpanId {
    /// `None`: zero names no span.
    #[must_use]
    pub const fn of(number: u64) -> Option<Self> {
        if number == 0 { None } else { Some(Self(number)) }
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
