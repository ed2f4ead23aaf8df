//! # Tessera: the map
//!
//! A media processing node. Every camera and voice of a WebRTC call comes in; one picture and one sound go out, to
//! callers, to viewers and to a recorder. The path of a file says its floor; imports point downward only, and neither
//! rooms nor files import each other in a circle (`tests/tidy`).
//!
//! | floor | folder | room | the one question it answers |
//! |---|---|---|---|
//! | 5 | [`app`] | [`cli`](app::cli) | what did the operator type? |
//! | 5 | | [`node`](app::node) | how does a node come up and go down? |
//! | 5 | | `control` | which room does this concern, and what follows in it? |
//! | 5 | | `workers` | what does each worker thread do when it wakes? |
//! | 5 | | [`config`](app::config) | what did the operator choose? |
//! | 5 | | [`load`](app::load) | what do real participants see and hear of a node? |
//! | 5 | | [`offline`](app::offline) | what do these files look like as one room? |
//! | 5 | | [`support`](app::support) | what may whoever helps an operator know of a node? |
//! | 5 | | [`keeperd`](app::keeperd) | how does a keeper's own process live? |
//! | 5 | | `steward` | how does the process live that tells a cluster which nodes are empty? |
//! | 4 | [`io`] | [`webrtc`](io::webrtc) | what goes over the wire? |
//! | 4 | | [`acme`](io::acme) | how does the door come by a certificate of an issuer, and keep a good one? |
//! | 4 | | [`rtp`](io::rtp) | what goes over plain RTP? |
//! | 4 | | [`api`](io::api) | what may any door ask of a node, and how does it answer? |
//! | 4 | | [`http`](io::http) | WHIP, WHEP, rooms, health, pages |
//! | 4 | | [`store`](io::store) | where do sealed bytes and wrapped keys lie? |
//! | 4 | | [`keeper`](io::keeper) | how is a keeper in another process asked, and by whom? |
//! | 4 | | [`recording`](io::recording) | how does what a room shows and says become a stored recording? |
//! | 4 | | [`live`](io::live) | how does what a room shows and says become live HLS, and who waits for it? |
//! | 4 | | [`egress`](io::egress) | where does this node go by itself, and where never? |
//! | 4 | | [`push`](io::push) | how is another server asked to take a room in, by WHIP, RTMP or SRT? |
//! | 4 | | [`webhook`](io::webhook) | how does a message reach the operator's server, and what if it does not? |
//! | 4 | | [`fleet`](io::fleet) | which node has a room, and how do all nodes come to know? |
//! | 4 | | `steward` | how is a cluster's API asked for pods, and told how to mark them? |
//! | 4 | | [`tokens`](io::tokens) | did a key of the operator's sign this token, and what does it say? |
//! | 4 | | [`transfer`](io::transfer) | how does a recording reach its owner's own file host, whole? |
//! | 4 | | [`apart`](io::apart) | how are pictures decoded in another process? |
//! | 4 | | [`demux`](io::demux) | what lies in a media file? |
//! | 4 | | [`traces`](io::traces) | how do spans reach the operator's collector, and what if it is away? |
//! | 4 | | [`telemetry`](io::telemetry) | logs, metrics, processor time by thread |
//! | 3 | [`engine`] | [`decode`](engine::decode) | a coded frame → VideoFrame or PcmBlock |
//! | 3 | | [`encode`](engine::encode) | ComposedFrame or PcmBlock → EncodedFrame |
//! | 3 | | [`compose`](engine::compose) | Scene + VideoFrames → ComposedFrame |
//! | 3 | | [`video`](engine::video) | what does one room show at this tick? |
//! | 3 | | [`audio`](engine::audio) | what does one room sound like at this tick? |
//! | 3 | | [`flow`](engine::flow) | how does a thing cross from thread to thread? every seam there is |
//! | 2 | [`core`] | [`room`](core::room) | who is here, in what role, who speaks? |
//! | 2 | | [`scene`](core::scene) | who is seen where? |
//! | 2 | | [`jitter`](core::jitter) | when does a frame play? |
//! | 2 | | [`mix`](core::mix) | what does each one hear? |
//! | 2 | | [`ladder`](core::ladder) | what is asked of each sender, and when is a keyframe due? |
//! | 2 | | [`backoff`](core::backoff) | how long does the next try wait? |
//! | 2 | | [`certificate`](core::certificate) | until when is a certificate good, and when is the next one asked for? |
//! | 2 | | [`trace`](core::trace) | which steps did a join or a recording take, when, and how are they told? |
//! | 2 | | [`webhook`](core::webhook) | what is said to the operator's servers, signed how, tried again when? |
//! | 2 | | [`push`](core::push) | how does a push to another server stand, and when is it tried again? |
//! | 2 | | [`signal`](core::signal) | the message grammar of the data channel |
//! | 2 | | [`access`](core::access) | who may do what? |
//! | 2 | | [`drain`](core::drain) | how does a node come to be without rooms, and how is that taken back? |
//! | 2 | | [`fleet`](core::fleet) | which node of several has a room? |
//! | 2 | | [`steward`](core::steward) | what does a cluster have to know of its nodes' pods, and how many are wanted? |
//! | 2 | | [`handover`](core::handover) | what does a room take along that goes to another node? |
//! | 2 | | [`bitstream`](core::bitstream) | what does a coded frame say of itself? |
//! | 2 | | [`fmp4`](core::fmp4) | boxes as values |
//! | 2 | | [`flv`](core::flv) | which bytes say in FLV what a coded picture or a packet of sound is? |
//! | 2 | | [`mpegts`](core::mpegts) | how do coded pictures and sound lie in an MPEG transport stream? |
//! | 2 | | [`rtmp`](core::rtmp) | what is said to an RTMP server that is to take a stream, and what does it say? |
//! | 2 | | [`srt`](core::srt) | what is said to an SRT listener that is to take a stream, and when? |
//! | 2 | | [`hls`](core::hls) | which parts, segments and playlists does a live stream have? |
//! | 2 | | [`record`](core::record) | a call's frames → the bytes of its recording |
//! | 2 | | [`retention`](core::retention) | until when can a recording be read, and by whose leave? |
//! | 1 | [`base`] | [`media`](base::media), [`limits`](base::limits) | ids, `Pts`, frames; every bound in one place |
//! | 1 | | [`hex`](base::hex) | how are 32 bytes written as text? |
//! | 1 | | `hostile` | of tests: what might somebody send who means no good? |
//! | 1 | | `allocations` | of tests: does this path allocate? |
//!
//! **The life of a video frame.** datagram → `io/webrtc/udp.rs` → `io/webrtc/peer.rs` → `ReceivedFrame`, without room
//! time → `flow::TrackSender` → `core/jitter` says when → `engine/decode` → `VideoFrame` → `flow::FrameSlot` → tick in
//! `engine/video`: `core/scene` gives the `Scene`, each output its view of it → `engine/compose` → `ComposedFrame` →
//! `engine/encode`, once a rung → `EncodedFrame` → `flow::Fan` → `io/webrtc/peer.rs` per viewer | `io/recording` →
//! `core/record` → `io/store`. Of a room that runs at another node and is watched here: datagram → `io/webrtc/peer.rs`
//! → `io/webrtc/relay.rs` → `flow::Fan`, and on as above.
//!
//! **The life of a word.** Opus packet → `ReceivedFrame` → `flow::OpusSender` → `core/jitter` → only voices that are
//! heard are decoded → `core/mix` → one shared mix for all who are silent, one mix-minus for each who speaks → as many
//! Opus encodes as that, never one per participant → `EncodedFrame`s, in a `MixTick` → `flow::Fan`.

#[cfg(feature = "node")]
pub mod app;
pub mod base;
pub mod core;
#[cfg(feature = "node")]
pub mod engine;
#[cfg(feature = "node")]
pub mod io;
