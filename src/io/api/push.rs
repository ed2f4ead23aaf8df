//! **The question:** what is asked of a push to another server, and what is told of it? Of its URL only where it leads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::media::{Codec, RungName};
use crate::io::telemetry::log::Redacted;

/// What is wished of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushWish {
    /// That of a WHIP endpoint, an RTMP server's stream or an SRT listener. It may hold a key.
    pub url: Redacted<String>,
    /// What a WHIP endpoint wants to see.
    pub token: Option<Redacted<String>>,
    /// The rung that is sent; `None`: the one that the link carries, of a stream the first.
    pub rung: Option<RungName>,
    /// What the pictures are coded in; `None`: whatever the other server takes, as the room sends it, and H.264 in a
    /// stream.
    pub codec: Option<Codec>,
    /// What a stream's sound is; `None`: AAC.
    pub sound: Option<SoundWish>,
}

/// What a stream's sound is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SoundWish {
    /// AAC LC, which every server takes.
    Aac,
    /// Opus, as the room sends it.
    Opus,
    /// None.
    None,
}

/// How a push stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PushShown {
    /// What it is called in its room.
    pub push: String,
    /// Scheme, host and port of where it goes.
    pub target: String,
    /// The rung that was asked for.
    pub rung: Option<String>,
    /// The codec that is sent, once something is.
    pub codec: Option<&'static str>,
    /// The sound that is sent: `aac`, `opus` or `none`.
    pub sound: &'static str,
    /// `waiting` for the next try, `calling`, `connecting` or `live`.
    pub state: &'static str,
    /// For how many seconds it is in that state.
    pub seconds: u64,
    /// How often the other server was asked.
    pub tries: u64,
    /// How often that failed, or what came of it broke.
    pub failures: u64,
    /// Why it did last.
    pub last_error: Option<String>,
    /// Bytes of pictures and sound sent so far.
    pub bytes: u64,
}
