//! **The question:** how does a track reach the recorder as it was sent? A fan behind the jitter buffer, where frames
//! are in order and have their time; while nobody reads it costs one look at an empty list.

use std::sync::Arc;
use std::time::Instant;

use crate::base::media::{ReceivedFrame, RoomEpoch, TappedFrame, pts_from_instant};
use crate::engine::flow::Fan;

/// The jitter buffer's end. When it goes, readers are told that nothing more will come.
#[derive(Debug)]
pub struct TrackTap {
    epoch: RoomEpoch,
    fan: Fan<TappedFrame>,
}

impl TrackTap {
    /// A tap of a room with this clock; anyone who records subscribes to a clone of `fan`.
    #[must_use]
    pub fn new(epoch: RoomEpoch, fan: Fan<TappedFrame>) -> Self {
        Self { epoch, fan }
    }

    /// Gives the next frame or packet, which plays at `at`, to anyone who records it. Never waits: a slow reader has a
    /// gap.
    pub fn give(&self, at: Instant, received: &ReceivedFrame) {
        if self.fan.readers() > 0 {
            let pts = pts_from_instant(&self.epoch, at);
            self.fan.publish(&Arc::new(TappedFrame { pts, received: received.clone() }));
        }
    }
}

impl Drop for TrackTap {
    fn drop(&mut self) {
        self.fan.close();
    }
}
