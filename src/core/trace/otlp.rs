//! **The question:** how are spans written for a collector? OTLP's JSON (OpenTelemetry Protocol 1, "JSON Protobuf
//! Encoding"): ids as hexadecimal digits, numbers of 64 bits as text.

use serde_json::{Value, json};

use crate::core::trace::span::{Span, TraceValue};

const SERVER: u8 = 2;
const INTERNAL: u8 = 1;
const ERROR: u8 = 2;

/// The body of one request, of these spans; `instance` tells this process from others.
#[must_use]
pub fn body<'a>(spans: impl Iterator<Item = &'a Span>, instance: u64) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    json!({ "resourceSpans": [{
        "resource": { "attributes": [
            text("service.name", "tessera"),
            text("service.version", version),
            text("service.instance.id", &format!("{instance:016x}")),
        ] },
        "scopeSpans": [{
            "scope": { "name": "tessera", "version": version },
            "spans": spans.map(span).collect::<Vec<_>>(),
        }],
    }] })
}

fn span(span: &Span) -> Value {
    let values =
        span.values.iter().map(|(key, value)| json!({ "key": format!("tessera.{key}"), "value": one(*value) }));
    let mut told = json!({
        "traceId": span.trace.to_string(),
        "spanId": span.id.to_string(),
        "name": span.name,
        "kind": if span.is_answer { SERVER } else { INTERNAL },
        "startTimeUnixNano": span.from.0.to_string(),
        "endTimeUnixNano": span.to.0.to_string(),
        "attributes": values.collect::<Vec<_>>(),
        "status": span.failed.map_or_else(|| json!({}), |why| json!({ "code": ERROR, "message": why })),
    });
    if let Some(parent) = span.parent {
        told["parentSpanId"] = json!(parent.to_string());
    }
    told
}

fn one(value: TraceValue) -> Value {
    match value {
        TraceValue::Number(number) => json!({ "intValue": number.to_string() }),
        TraceValue::Flag(flag) => json!({ "boolValue": flag }),
        TraceValue::Word(word) => json!({ "stringValue": word }),
        TraceValue::Alias(alias) => json!({ "stringValue": format!("{alias:016x}") }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::base::media::Wallclock;
    use crate::core::trace::{Trace, TraceSeed, TraceStart};

    #[test]
    fn it_is_what_the_protocol_wants() {
        let now = Instant::now();
        let seed = TraceSeed { trace: 0xabc, spans: 1 };
        let start = TraceStart { at: now, parent: None };
        let mut trace = Trace::begin("join", &start, (now, Wallclock(1_700_000_000_000_000_000)), seed).unwrap();
        trace.says("room", TraceValue::Alias(0x1f));
        trace.says("role", TraceValue::Word("viewer"));
        trace.enter(now, "offer");
        let spans = trace.end(now, Some("refused"));
        let told = body(spans.iter(), 5);
        let [offer, join] = told["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().as_slice() else {
            panic!("{told}")
        };
        assert_eq!(join["traceId"], "00000000000000000000000000000abc");
        assert_eq!((join.get("parentSpanId"), &offer["parentSpanId"]), (None, &join["spanId"]));
        assert_eq!((&join["kind"], &offer["kind"], &join["status"]["code"]), (&json!(2), &json!(1), &json!(2)));
        assert_eq!(join["startTimeUnixNano"], "1700000000000000000");
        assert_eq!(
            join["attributes"][0],
            json!({ "key": "tessera.room", "value": { "stringValue": "000000000000001f" } })
        );
        assert_eq!(told["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"], "tessera");
    }
}
