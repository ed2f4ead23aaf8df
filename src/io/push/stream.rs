//! **The question:** how does a room's stream reach a server, from the first word to the last? One task of the runtime
//! for each: it asks, tells that the server takes it, is given what it reads, and sends that until one side has enough.
//! A connection that is too slow loses pictures in its own readers, up to the next keyframe.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, MixTick, Pts, SoundCodec};
use crate::engine::flow::{Counter, FanReader, Read, Waker};
use crate::io::push::carrier::Carrier;
use crate::io::push::error::PushError;
use crate::io::push::pusher::Pusher;
use crate::io::push::rtmp::Coded;
use crate::io::push::sound::Sound;
use crate::io::push::target::PushTarget;

/// A stream that a server is asked to take.
#[derive(Debug, Clone)]
pub struct StreamCall {
    /// Where to.
    pub target: Arc<PushTarget>,
    /// What its pictures are coded in.
    pub pictures: Codec,
    /// What its sound is, if it has any.
    pub sound: Option<SoundCodec>,
    /// Pictures a second.
    pub fps: u32,
    /// Where bytes are counted that are sent.
    pub sent: Counter,
}

/// What a stream is made of.
#[derive(Debug)]
pub struct StreamFeed {
    /// The rung's.
    pub pictures: FanReader<EncodedFrame>,
    /// The mix of those who are not heard in it.
    pub sounds: FanReader<MixTick>,
}

/// A stream that a server takes, and is to be fed. It ends when this is let go of.
pub struct StreamLine {
    /// Of the readers that it is fed by.
    pub waker: Waker,
    feed: oneshot::Sender<StreamFeed>,
    end: StreamEnd,
}

/// Whoever lets go of it ends the stream.
pub struct StreamEnd(#[expect(dead_code, reason = "that it is gone is what it says")] oneshot::Sender<()>);

impl fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamEnd")
    }
}

impl fmt::Debug for StreamLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamLine")
    }
}

/// The task's ends of a line.
struct Ends {
    waker: Waker,
    feed: oneshot::Receiver<StreamFeed>,
    end: oneshot::Receiver<()>,
}

impl StreamLine {
    fn new() -> (Self, Ends) {
        let waker = Waker::of_task();
        let ((feed, fed), (end, ended)) = (oneshot::channel(), oneshot::channel());
        let ends = Ends { waker: waker.clone(), feed: fed, end: ended };
        (Self { waker, feed, end: StreamEnd(end) }, ends)
    }

    /// A line without a server, for tests.
    #[cfg(test)]
    pub fn unfed() -> (Self, oneshot::Receiver<StreamFeed>, oneshot::Receiver<()>) {
        let (line, ends) = Self::new();
        (line, ends.feed, ends.end)
    }

    /// It is fed by these from now on.
    #[must_use]
    pub fn feed(self, feed: StreamFeed) -> StreamEnd {
        // A task that is gone tells so by itself.
        let _ = self.feed.send(feed);
        self.end
    }
}

/// How a stream goes.
#[derive(Debug)]
pub enum StreamTold {
    /// The server takes it.
    Up(StreamLine),
    /// It does not, or does no longer; told once, and nothing after it. Not told of one that was let go of.
    Ended(PushError),
}

impl Pusher {
    /// Asks a server to take a stream; `tell` hears how it goes, on threads of the runtime. The server is waited for
    /// `limits::PUSH_CALL_SPAN` at most.
    pub fn stream(&self, call: StreamCall, tell: impl Fn(StreamTold) + Send + Sync + 'static) {
        let (pusher, tell) = (self.clone(), Arc::new(tell));
        let told = tell.clone();
        let task = self.runtime.spawn(async move { run(&pusher, &call, &*told).await });
        self.runtime.spawn(async move {
            // A task that panicked has ended its stream and no other.
            match task.await.unwrap_or_else(|_| Err(PushError::Broken("it panicked; the log says where".into()))) {
                Ok(()) => {}
                Err(why) => tell(StreamTold::Ended(why)),
            }
        });
    }
}

async fn run(pusher: &Pusher, call: &StreamCall, tell: &(dyn Fn(StreamTold) + Send + Sync)) -> Result<(), PushError> {
    let StreamCall { target, pictures, sound, fps, sent } = call;
    let coded = Coded { pictures: *pictures, sound: *sound, fps: *fps };
    let sound = Sound::new(*sound)?;
    let opened = Carrier::open(target, coded, (pusher.allow_private, &pusher.tls));
    let mut carrier = timeout(limits::PUSH_CALL_SPAN, opened).await.unwrap_or(Err(PushError::Late))?;
    let (line, Ends { waker, feed, mut end }) = StreamLine::new();
    tell(StreamTold::Up(line));
    let Ok(Ok(feed)) = timeout(limits::PUSH_PATIENCE_SPAN, feed).await else {
        carrier.goodbye().await;
        return Ok(());
    };
    let mut stream = Stream { carrier, feed, sound, base: None, sent: sent.clone() };
    let goes = stream.go_on(&waker, &mut end).await;
    // One that broke is told to the server as well, if it still hears.
    stream.carrier.goodbye().await;
    goes
}

struct Stream {
    carrier: Carrier,
    feed: StreamFeed,
    sound: Sound,
    /// The first picture's time, from which the stream counts.
    base: Option<Pts>,
    sent: Counter,
}

impl Stream {
    /// Until somebody lets go of it, which is no error.
    async fn go_on(&mut self, waker: &Waker, end: &mut oneshot::Receiver<()>) -> Result<(), PushError> {
        loop {
            tokio::select! {
                _ = &mut *end => return Ok(()),
                () = waker.woken() => {
                    // Sound is coded here, which takes longer than others of the runtime should wait.
                    let has_more = tokio::task::block_in_place(|| self.take())?;
                    if has_more {
                        waker.wake();
                    }
                    self.carrier.flush().await?;
                }
                heard = self.carrier.hear() => self.carrier.answer(heard?).await?,
            }
        }
    }

    /// Lays out what there is, up to a bound: on a machine that does not keep up there is always more. Whether there
    /// may be.
    fn take(&mut self) -> Result<bool, PushError> {
        let (mut shown, mut heard) = (0, 0);
        while shown < limits::PUSH_TURN_LEN {
            shown += 1;
            match self.feed.pictures.read() {
                Read::Item(frame) | Read::AfterGap(frame) => {
                    let base = *self.base.get_or_insert(frame.pts);
                    self.sent.add(frame.data.len() as u64);
                    self.carrier.picture(Pts(frame.pts.0.saturating_sub(base.0)), &frame);
                }
                Read::Empty => break,
                Read::Closed => return Err(PushError::Broken("the room's encode ended".into())),
            }
        }
        let mut sounded = Vec::new();
        while heard < limits::PUSH_TURN_LEN
            && let Read::Item(tick) | Read::AfterGap(tick) = self.feed.sounds.read()
        {
            heard += 1;
            if self.base.is_some() {
                self.sound.tick(tick.pts, &tick.shared.data, &mut sounded)?;
            }
        }
        for (pts, packet) in sounded {
            // What is before the first picture would be before the stream.
            if let Some(at) = self.base.and_then(|base| pts.0.checked_sub(base.0)) {
                self.sent.add(packet.len() as u64);
                self.carrier.sound(Pts(at), &packet);
            }
        }
        Ok(shown == limits::PUSH_TURN_LEN || heard == limits::PUSH_TURN_LEN)
    }
}
