//! **The question:** which steps did a join or a recording take, when, and how are they told? Floor 2. A trace is one
//! span and, within it, a phase after the other; ids are those of W3C Trace Context, the form is OTLP's JSON.
//!
//! Doors: [`TraceParent`] (what a request says), [`Trace`] (follows one thing), [`Span`], [`body`] (as a collector
//! takes them).
//!
//! A span holds no text but this program's own words: what people or operators call anything has no way into it.

mod context;
mod ids;
mod otlp;
mod span;

pub use context::{TraceParent, TraceStart};
pub use ids::{SpanId, TraceId};
pub use otlp::body;
pub use span::{Span, Trace, TraceSeed, TraceValue};
