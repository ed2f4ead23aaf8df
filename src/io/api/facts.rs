//! **The question:** what is this node? Settled when it starts.

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::media::CodecPreference;

/// What `GET /v1/node` tells.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NodeFacts {
    /// Of the program.
    pub version: &'static str,
    /// Of the machine, as many as this process may use.
    pub cores: usize,
    /// Who encodes AV1, and why.
    pub encoder: &'static str,
    /// Why.
    pub encoder_reason: String,
    /// Who composes.
    pub compositor: &'static str,
    /// Why.
    pub compositor_reason: String,
    /// Which codec is sent to those who take both.
    pub codec: CodecFacts,
}

/// Which codec is sent to those who take both, and why.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CodecFacts {
    /// As the operator chose.
    pub policy: CodecPreference,
    /// What one tick of a crowded canvas of 1280×720 costs as AV1, milliseconds of processor time.
    pub av1_ms: f64,
    /// As H.264; none where the program has no encoder of it.
    pub h264_ms: Option<f64>,
    /// Why so.
    pub reason: String,
}
