//! **The question:** how does the node have frames decoded by another process? It puts them into the ring, says so, and
//! takes answers as they come; nothing here waits. What the process says is compared with what the node knows.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, Picture, PlaneRef, VideoFrame};
use crate::engine::decode::{DecodeError, check_coded, check_size};
use crate::io::apart::memory::NodeMemory;
use crate::io::apart::words::{Answer, Confinement, FrameOrder, Order, Shown, WORD_BYTES};

/// Why a process of decoders is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Its end of the socket is closed.
    #[error("it ended")]
    Ended,
    /// It says what cannot be.
    #[error("it said what cannot be: {0}")]
    Garbled(&'static str),
}

/// What the node hears of a process of decoders.
#[derive(Debug)]
pub enum Heard {
    /// It listens, confined like this.
    Ready(Confinement),
    /// A picture of this track.
    Picture(u32, VideoFrame),
    /// A frame of this track is dealt with.
    Done(u32, Result<(), DecodeError>),
}

/// A frame without its answer.
struct Waiting {
    serial: u32,
    track: u32,
    /// Where it lies in the ring.
    at: usize,
    arrival: Option<Instant>,
    sent: Instant,
    /// Pictures it has shown.
    pictures: usize,
}

/// The node's end of a line to one process of decoders.
pub struct Line {
    socket: OwnedFd,
    memory: Arc<NodeMemory>,
    returns: Arc<ArrayQueue<u32>>,
    /// Words that are still to be said.
    unsaid: Vec<u8>,
    waiting: VecDeque<Waiting>,
    /// Where the next coded frame may begin.
    head: usize,
    serial: u32,
    /// Since when the first of those that wait has been waited for.
    since: Instant,
    /// Until when it is not blamed for saying nothing.
    excused: Instant,
    message: Box<[u8]>,
}

impl Line {
    /// A new line; socket and file are the process's.
    ///
    /// # Errors
    /// When the system is out of descriptors, memory or addresses.
    pub fn new(now: Instant) -> io::Result<(Self, OwnedFd, OwnedFd)> {
        let (memory, file) = NodeMemory::create()?;
        let (socket, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let line = Self {
            socket,
            memory: Arc::new(memory),
            returns: Arc::new(ArrayQueue::new(limits::DECODER_RETURNS_LEN)),
            unsaid: Vec::with_capacity(limits::DECODER_MESSAGE_LEN_MAX),
            waiting: VecDeque::with_capacity(limits::DECODER_FRAMES_MAX),
            head: 0,
            serial: 0,
            since: now,
            excused: now,
            message: vec![0; limits::DECODER_MESSAGE_LEN_MAX].into(),
        };
        Ok((line, far, file))
    }

    /// Readable when something is to be heard.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Waits until something is to be heard, but no longer than that.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub fn wait(&self, span: Duration) -> io::Result<()> {
        let nanoseconds = i64::from(span.subsec_nanos());
        let timeout = Timespec { tv_sec: span.as_secs().cast_signed(), tv_nsec: nanoseconds };
        poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&timeout))?;
        Ok(())
    }

    /// Frames of `track` will come.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn open(&mut self, track: u32, codec: Codec) -> Result<(), LineError> {
        self.say(Order::Open { track, codec })
    }

    /// No more frames of `track` will come.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn close(&mut self, track: u32) -> Result<(), LineError> {
        self.say(Order::Close { track })
    }

    /// Has a frame decoded, once [`Line::flush`] is called.
    ///
    /// # Errors
    /// As a decoder's: [`DecodeError::NoRoom`] while too many are on their way.
    pub fn decode(&mut self, now: Instant, track: u32, frame: CodedFrame<'_>) -> Result<(), DecodeError> {
        check_coded(frame.data)?;
        let full = self.waiting.len() >= limits::DECODER_FRAMES_MAX;
        let at = self.place(frame.data.len()).filter(|_| !full).ok_or(DecodeError::NoRoom)?;
        let serial = self.serial.checked_add(1).unwrap_or(1);
        let number = |number: usize| u32::try_from(number).expect("the ring is small");
        let (keyframe, colour) = (frame.keyframe, frame.colour);
        let order = FrameOrder { track, serial, at: number(at), len: number(frame.data.len()), keyframe, colour };
        self.memory.write(at, frame.data);
        // A process that is gone is heard of; until then its frames are lost.
        self.say(Order::Frame(order)).map_err(|_| DecodeError::NoRoom)?;
        if self.waiting.is_empty() {
            self.since = now;
        }
        self.serial = serial;
        self.head = at + frame.data.len();
        self.waiting.push_back(Waiting { serial, track, at, arrival: frame.arrival, sent: now, pictures: 0 });
        Ok(())
    }

    /// Where `len` bytes find room in the ring.
    fn place(&self, len: usize) -> Option<usize> {
        let Some(tail) = self.waiting.front().map(|frame| frame.at) else { return Some(0) };
        if self.head <= tail {
            // The rest of the lap, before the first that waits.
            return (self.head + len < tail).then_some(self.head);
        }
        if self.head + len <= limits::DECODER_RING_LEN {
            return Some(self.head);
        }
        (len < tail).then_some(0)
    }

    fn say(&mut self, order: Order) -> Result<(), LineError> {
        if self.unsaid.len() + WORD_BYTES > limits::DECODER_MESSAGE_LEN_MAX {
            self.flush()?;
            if !self.unsaid.is_empty() {
                // It does not listen; who waits for an answer will notice.
                return Err(LineError::Ended);
            }
        }
        order.write(&mut self.unsaid);
        Ok(())
    }

    /// Says what is unsaid, and which pictures nobody shows any more.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn flush(&mut self) -> Result<(), LineError> {
        while self.unsaid.len() + WORD_BYTES <= limits::DECODER_MESSAGE_LEN_MAX
            && let Some(picture) = self.returns.pop()
        {
            Order::Return { picture }.write(&mut self.unsaid);
        }
        if self.unsaid.is_empty() {
            return Ok(());
        }
        match send(&self.socket, &self.unsaid, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => {
                self.unsaid.clear();
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::NOBUFS) => Ok(()),
            Err(_) => Err(LineError::Ended),
        }
    }

    /// Takes the answers that are there.
    ///
    /// # Errors
    /// When the process is gone, or says what cannot be: it is to be ended.
    pub fn hear(&mut self, now: Instant, mut take: impl FnMut(Heard)) -> Result<(), LineError> {
        for _ in 0..limits::DECODER_MESSAGES_AT_ONCE {
            let len = match recv(&self.socket, &mut self.message[..], RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((_, 0)) => return Err(LineError::Ended),
                Ok((_, len)) => len,
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(_) => return Err(LineError::Ended),
            };
            let message = std::mem::take(&mut self.message);
            let heard = self.read(now, message.get(..len), &mut take);
            self.message = message;
            heard?;
        }
        Ok(())
    }

    fn read(&mut self, now: Instant, message: Option<&[u8]>, take: &mut dyn FnMut(Heard)) -> Result<(), LineError> {
        let mut rest = message.ok_or(LineError::Garbled("a message too long"))?;
        while !rest.is_empty() {
            match Answer::read(&mut rest).ok_or(LineError::Garbled("no word"))? {
                Answer::Ready(confinement) => take(Heard::Ready(confinement)),
                Answer::Shown(shown) => {
                    let (track, frame) = self.picture(&shown)?;
                    take(Heard::Picture(track, frame));
                }
                Answer::Done { serial, result } => {
                    let done = self.waiting.pop_front().filter(|frame| frame.serial == serial);
                    let done = done.ok_or(LineError::Garbled("an answer to nothing"))?;
                    self.since = now;
                    take(Heard::Done(done.track, result));
                }
            }
        }
        Ok(())
    }

    /// A picture that the process says is there, if it can be.
    fn picture(&mut self, shown: &Shown) -> Result<(u32, VideoFrame), LineError> {
        let Shown { serial, picture, size, at, strides, colour } = *shown;
        let frame = self.waiting.front_mut().filter(|frame| frame.serial == serial);
        let frame = frame.ok_or(LineError::Garbled("a picture of nothing"))?;
        frame.pictures += 1;
        if frame.pictures > limits::PICTURES_PER_UNIT_MAX {
            return Err(LineError::Garbled("more pictures than a frame shows"));
        }
        if check_size(size).is_err() || size.width == 0 || size.height == 0 {
            return Err(LineError::Garbled("a picture of a size that is not taken"));
        }
        let halves = |side: u32, index: usize| if index == 0 { side } else { side.div_ceil(2) } as usize;
        let mut planes = [Plane { at: 0, len: 0, stride: 0 }; 3];
        for (index, plane) in planes.iter_mut().enumerate() {
            let (width, height) = (halves(size.width, index), halves(size.height, index));
            let (at, stride) = (usize::try_from(at[index]).unwrap_or(usize::MAX), strides[index] as usize);
            // Far from overflowing: at most 2^32 bytes a row, 2^13 rows.
            let len = stride * (height - 1) + width;
            if stride < width || self.memory.plane(at, len).is_none() {
                return Err(LineError::Garbled("a picture outside of its memory"));
            }
            *plane = Plane { at, len, stride };
        }
        let owner = ApartPicture { memory: self.memory.clone(), planes, picture, returns: self.returns.clone() };
        let (matrix, full_range) = (colour.matrix, colour.full_range);
        let arrival = frame.arrival;
        Ok((frame.track, VideoFrame { size, full_range, matrix, arrival, picture: Arc::new(owner) }))
    }

    /// Whether frames have to wait elsewhere: those that are on their way have been for too long.
    #[must_use]
    pub fn is_behind(&self, now: Instant) -> bool {
        let waits = |frame: &Waiting| now.saturating_duration_since(frame.sent);
        self.waiting.front().map_or(Duration::ZERO, waits) > limits::DECODER_BEHIND_SPAN
    }

    /// When the process is to be looked at, if it says nothing until then.
    #[must_use]
    pub fn patience(&self) -> Option<Instant> {
        self.waiting.front().map(|_| self.excused.max(self.since + limits::DECODER_ANSWER_SPAN))
    }

    /// It is not blamed for its silence until it is looked at again; false if it has been silent for longer than
    /// anybody may be.
    #[must_use]
    pub fn excuse(&mut self, now: Instant) -> bool {
        self.excused = now + limits::DECODER_LOOK_SPAN;
        now.saturating_duration_since(self.since) < limits::DECODER_STARVED_SPAN
    }

    /// Whether the process is silent for too long. Where the node's own thread comes late, nobody is blamed.
    pub fn is_silent(&mut self, now: Instant) -> bool {
        let Some(patience) = self.patience().filter(|patience| *patience <= now) else { return false };
        if now > patience + limits::DECODER_LATE_SPAN {
            self.since = now;
            return false;
        }
        true
    }

    /// Whose frame the process has in hand, by its own word.
    #[must_use]
    pub fn in_hand(&self) -> Option<u32> {
        let serial = self.memory.in_hand();
        self.waiting.iter().find(|frame| frame.serial == serial).map(|frame| frame.track)
    }
}

#[derive(Clone, Copy)]
struct Plane {
    at: usize,
    len: usize,
    stride: usize,
}

/// A picture in the arena; dropped, its place goes back.
struct ApartPicture {
    memory: Arc<NodeMemory>,
    planes: [Plane; 3],
    picture: u32,
    returns: Arc<ArrayQueue<u32>>,
}

impl Picture for ApartPicture {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        let Plane { at, len, stride } = self.planes[index];
        PlaneRef { data: self.memory.plane(at, len).expect("compared with the mapping when it came"), stride }
    }
}

impl Drop for ApartPicture {
    fn drop(&mut self) {
        // No honest process has so many pictures out.
        let _ = self.returns.push(self.picture);
    }
}
