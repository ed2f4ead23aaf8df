//! Bounds of traces (OpenTelemetry).

use std::time::Duration;

/// Joins and recordings that are followed at once; more are not followed, and counted.
pub const TRACES_OPEN_MAX: usize = 512;
/// Phases of one trace; what comes then belongs to the last one.
pub const TRACE_PHASES_MAX: usize = 64;
/// How long a join is followed whose picture does not come: a microphone alone has none.
pub const TRACE_JOIN_SPAN: Duration = Duration::from_secs(20);
/// Spans that wait for the collector; the oldest make way.
pub const TRACE_SPANS_HELD: usize = 4096;
/// Traces on their way from the control thread to the task that sends them.
pub const TRACE_QUEUE_LEN: usize = 256;
/// Spans of one request.
pub const TRACE_BATCH_LEN: usize = 256;
/// How long spans wait for others, so that requests are few.
pub const TRACE_BATCH_SPAN: Duration = Duration::from_secs(1);
/// How long the collector has for an answer.
pub const TRACE_CALL_SPAN: Duration = Duration::from_secs(5);
/// The first pause after the collector did not take something.
pub const TRACE_PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest.
pub const TRACE_PAUSE_MOST: Duration = Duration::from_secs(60);
/// How long a node that ends waits for the collector.
pub const TRACE_FLUSH_SPAN: Duration = Duration::from_secs(2);
/// Bytes of a `traceparent`: the first version's are 55, later ones may be longer (W3C Trace Context, section 3.2).
pub const TRACEPARENT_LEN_MAX: usize = 256;
/// Bytes of the collector's address.
pub const OTLP_URL_LEN_MAX: usize = 512;

const _: () = assert!(TRACE_BATCH_LEN <= TRACE_SPANS_HELD);
