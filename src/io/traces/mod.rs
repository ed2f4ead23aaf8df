//! **The question:** how do spans reach the operator's collector, and what if it is away? Floor 4: OTLP over HTTP as
//! JSON. Whoever hands spans over goes on at once; what finds no room is lost and counted.
//!
//! Doors: [`Tracer`], [`TraceCounters`].

mod tracer;

pub use tracer::{TraceCounters, Tracer};
