//! # Tessera: the map
//!
//! A media processing node. Every camera and voice of a WebRTC call comes in; one picture and one sound go out, to callers,
//! to viewers and to a recorder. Imports point downward only; `tests/tidy.rs` fails on an upward arrow or a cycle.
//!
//! | floor | room | the one question it answers |
//! |---|---|---|
//! | 4 building | [`node`] | who is wired to whom? the only room that spawns threads, reads clocks and knows everyone |
//! | 4 | [`load`] | what do real participants see and hear of a node? the far side, in a process of its own |
//! | 4 | [`recompose`] | what do these files look like as one room? |
//! | 4 | [`cli`] | what did the operator type? |
//! | 3 doors | [`webrtc`] | what goes over the wire? |
//! | 3 | [`leg`] | what goes over plain RTP? |
//! | 3 | [`http`] | WHIP, WHEP, rooms, health, pages |
//! | 3 | [`keeper`] | how is a keeper in another process asked, and by whom? |
//! | 3 | [`store`] | where do sealed bytes and wrapped keys lie? |
//! | 3 | [`handover`] | how does a recording reach its owner's own file host, whole? |
//! | 3 | [`footage`] | what lies in a media file? |
//! | 3 | [`telemetry`] | logs, metrics, processor time by thread |
//! | 2 engines | [`decode`] | EncodedFrame → VideoFrame or PcmBlock |
//! | 2 | [`compose`] | Scene + VideoFrames → ComposedFrame |
//! | 2 | [`encode`] | ComposedFrame or PcmBlock → EncodedFrame |
//! | 2 | [`flow`] | how does a thing cross from thread to thread? every seam there is |
//! | 1 pure cores | [`room`] | who is here, in what role, who speaks? |
//! | 1 | [`scene`] | who is seen where? |
//! | 1 | [`jitter`] | when does a frame play? |
//! | 1 | [`mix`] | what does each one hear? |
//! | 1 | [`ladder`] | what is asked of each sender, and when is a keyframe due? |
//! | 1 | [`fmp4`] | boxes as values |
//! | 1 | [`record`] | a call's frames → the bytes of its recording |
//! | 1 | [`retention`] | until when can a recording be read, and by whose leave? |
//! | 1 | [`signal`] | the message grammar of the data channel |
//! | 0 words | [`media`], [`limits`] | ids, `Pts`, frames; every bound in one file |
//!
//! **The life of a video frame.** datagram → `webrtc/udp.rs` → `webrtc/peer.rs` → `EncodedFrame` → `flow::TrackQueue` →
//! `jitter/` says when → `decode/` → `VideoFrame` → `flow::FrameSlot` → tick: `scene/` gives the `Scene` → `compose/` →
//! `ComposedFrame` → `encode/`, once → `EncodedFrame` → `flow::Fan` → `webrtc/peer.rs` per viewer | `record/` → `store/`.
//!
//! **The life of a word.** Opus packet → `jitter/` → only voices that are heard are decoded → `mix/` → one shared mix for all
//! who are silent, one mix-minus for each who speaks → as many Opus encodes as that, never one per participant.

#![warn(missing_docs, clippy::undocumented_unsafe_blocks)]

pub mod limits;
pub mod media;

pub mod fmp4;
pub mod jitter;
pub mod ladder;
pub mod mix;
pub mod record;
pub mod retention;
pub mod room;
pub mod scene;
pub mod signal;

pub mod compose;
pub mod decode;
pub mod encode;
pub mod flow;

pub mod footage;
pub mod handover;
pub mod http;
pub mod keeper;
pub mod leg;
pub mod store;
pub mod telemetry;
pub mod webrtc;

pub mod cli;
pub mod load;
pub mod node;
pub mod recompose;
