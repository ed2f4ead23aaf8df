//! **The question:** how does a thing cross from thread to thread? Every seam there is, each with a bound in media
//! time, one overflow policy and one counter. Floor 2.
//!
//! Doors: [`track_queue()`] (peer → decode), [`opus_queue`] (peer → mix), [`FrameSlot`] (decode → compose), [`Fan`]
//! (encode or mix → readers), [`TrackTap`] (jitter buffer → recorder), [`speech_feed()`] (mix → captioner),
//! [`KeyframeRequest`] (wishes → peer),
//! [`PlayoutCell`] (camera and microphone share one delay), [`Waker`]; [`Counter`] and [`Level`], numbers that anyone
//! may read.

mod command_sender;
mod counter;
mod fan;
mod keyframe_request;
mod playout;
mod slot;
mod speech;
mod tap;
mod track_queue;
mod waker;

pub use command_sender::CommandSender;
pub use counter::{Counter, Level};
pub use fan::{Fan, FanItem, FanReader, Read};
pub use keyframe_request::KeyframeRequest;
pub use playout::{PlayoutCell, Side};
pub use slot::FrameSlot;
pub use speech::{Heard, SpeechFeed, SpeechReader, speech_feed};
pub use tap::TrackTap;
pub use track_queue::{OpusSender, Pushed, TrackReceiver, TrackSender, opus_queue, track_queue};
pub use waker::Waker;
