//! **The question:** how does a room's composite become frames for everyone? An `encode-<rung>` thread owns one
//! encoder; it ends when the compositor's end of its queue does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use crossbeam_channel::Receiver;

use crate::app::workers::counters::NodeCounters;
use crate::app::workers::event::Event;
use crate::app::workers::worker::{Reports, guard};
use crate::base::media::{ComposedFrame, EncodedFrame, Outbox, RoomId, RungId};
use crate::core::ladder::{KeyframeInput, KeyframeOutput, KeyframePacer};
use crate::engine::compose::FramePool;
use crate::engine::encode::VideoEncoder;
use crate::engine::flow::{Counter, Fan, KeyframeRequest};
use crate::io::telemetry::log::alias;

/// One rung's encode.
pub struct RungWork {
    /// Which room.
    pub room: RoomId,
    /// Which of its encodes.
    pub rung: RungId,
    /// The encoder, set up for the rung's life.
    pub encoder: Box<dyn VideoEncoder>,
    /// From the compositor.
    pub composed: Receiver<ComposedFrame>,
    /// Where composed frames return to.
    pub pool: FramePool,
    /// To everyone who reads the rung.
    pub fan: Fan<EncodedFrame>,
    /// Keyframe wishes of viewers.
    pub keyframe_requests: KeyframeRequest,
    /// When keyframes are due.
    pub pacer: KeyframePacer,
    /// Whether a recording or HLS reads the rung.
    pub recorded: Arc<AtomicBool>,
    /// This room's own count of encoded frames.
    pub frames_encoded: Counter,
}

/// Starts the rung's thread; if it panics, it reports `failure`. However it ends, it reports that its last frame is
/// published.
///
/// # Errors
/// When the process is out of threads.
pub fn start_rung(work: RungWork, failure: Event, reports: Reports<Event>, counters: NodeCounters) -> io::Result<()> {
    let thread = thread::Builder::new().name(format!("encode-{}", work.rung.0));
    thread.spawn(move || {
        let (room, id) = (work.room.clone(), work.rung);
        let mut rung = Rung { work, out: Vec::new(), due: Outbox::new(), counters };
        while let Ok(frame) = rung.work.composed.recv() {
            if guard(&room, || rung.encode(&frame)).is_none() {
                reports.send(failure);
                break;
            }
            rung.work.pool.recycle(frame);
        }
        rung.work.fan.close();
        reports.send(Event::RungEnded { room, rung: id });
    })?;
    Ok(())
}

struct Rung {
    work: RungWork,
    out: Vec<EncodedFrame>,
    due: Outbox<KeyframeOutput>,
    counters: NodeCounters,
}

impl Rung {
    fn encode(&mut self, frame: &ComposedFrame) {
        let now = Instant::now();
        let wished = self.work.keyframe_requests.take_keyframe();
        let input = if wished { KeyframeInput::Request } else { KeyframeInput::Due };
        let recorded = self.work.recorded.load(Ordering::Relaxed);
        self.work.pacer.handle(now, KeyframeInput::Recorded(recorded.then_some(frame.pts)), &mut self.due);
        self.work.pacer.handle(now, input, &mut self.due);
        let keyframe = self.due.drain().count() > 0;
        if let Err(error) = self.work.encoder.encode(frame, keyframe, &mut self.out) {
            tracing::warn!(room = %alias(&self.work.room), %error, "a tick could not be encoded");
            self.work.keyframe_requests.request_keyframe();
        }
        if !keyframe && self.out.iter().any(|encoded| encoded.keyframe) {
            // The encoder was set up anew for what is shown.
            self.work.pacer.handle(now, KeyframeInput::Seen, &mut self.due);
        }
        for encoded in self.out.drain(..) {
            self.work.frames_encoded.add(1);
            self.counters.frames_encoded.add(1);
            self.work.fan.publish(&Arc::new(encoded));
        }
    }
}
