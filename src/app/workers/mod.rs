//! **The question:** what does each worker thread do when it wakes? The bodies of `decode-n`, `mix-n`, `compose-n`,
//! `encode-n` and `package`, and the lanes that lead to them. The work itself is done by the engines and the recorder.

pub mod apart;
pub mod compose;
pub mod counters;
pub mod decode;
pub mod encode;
pub mod event;
pub mod live;
pub mod mix;
pub mod package;
pub mod worker;
