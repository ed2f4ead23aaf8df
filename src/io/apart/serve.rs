//! **The question:** what does a process of decoders do when it is asked? It decodes frame after frame in the order in
//! which they came, and says of each where its pictures lie.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, Colour, Picture, VideoFrame};
use crate::engine::decode::{DecodeError, VideoDecoder, copy_into, video_decoder_in};
use crate::io::apart::memory::ProcessMemory;
use crate::io::apart::words::{Answer, Confinement, FrameOrder, Order, Shown, WORD_BYTES};

struct Served<'a> {
    socket: &'a OwnedFd,
    memory: &'a ProcessMemory,
    tracks: HashMap<u32, (Codec, Option<Box<dyn VideoDecoder>>)>,
    /// Pictures that the node has, by their numbers.
    shown: Vec<Option<Arc<dyn Picture>>>,
    /// Numbers that no picture has.
    spare: Vec<u32>,
    unsaid: Vec<u8>,
    pictures: Vec<VideoFrame>,
}

/// Serves until the node closes its end.
///
/// # Errors
/// When the node cannot be heard or told.
pub(super) fn serve(socket: &OwnedFd, memory: &ProcessMemory, confinement: Confinement) -> io::Result<()> {
    let mut served = Served {
        socket,
        memory,
        tracks: HashMap::new(),
        shown: Vec::new(),
        spare: Vec::new(),
        unsaid: Vec::with_capacity(limits::DECODER_MESSAGE_LEN_MAX),
        pictures: Vec::new(),
    };
    Answer::Ready(confinement).write(&mut served.unsaid);
    served.tell()?;
    let mut message = vec![0; limits::DECODER_MESSAGE_LEN_MAX];
    loop {
        let len = match recv(socket, &mut message[..], RecvFlags::empty()) {
            Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(()),
            Ok((_, len)) => len,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut rest = &message[..len];
        let mut gathered = Instant::now();
        while !rest.is_empty() {
            let order = Order::read(&mut rest).ok_or(io::ErrorKind::InvalidData)?;
            served.obey(order)?;
            let is_full = served.unsaid.len() + (limits::PICTURES_PER_UNIT_MAX + 1) * WORD_BYTES
                > limits::DECODER_MESSAGE_LEN_MAX;
            if is_full || gathered.elapsed() >= limits::DECODER_GATHER_SPAN {
                served.tell()?;
                gathered = Instant::now();
            }
        }
        served.tell()?;
    }
}

impl Served<'_> {
    fn tell(&mut self) -> io::Result<()> {
        while !self.unsaid.is_empty() {
            match send(self.socket, &self.unsaid, SendFlags::NOSIGNAL) {
                Ok(_) => self.unsaid.clear(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn obey(&mut self, order: Order) -> io::Result<()> {
        match order {
            Order::Open { track, codec } => {
                self.tracks.insert(track, (codec, None));
            }
            Order::Close { track } => {
                self.tracks.remove(&track);
                self.memory.trim();
            }
            Order::Return { picture } => {
                if self.shown.get_mut(picture as usize).and_then(Option::take).is_some() {
                    self.spare.push(picture);
                }
            }
            Order::Frame(frame) => {
                self.memory.take_in_hand(frame.serial);
                let result = self.decode(&frame)?;
                self.memory.take_in_hand(0);
                Answer::Done { serial: frame.serial, result }.write(&mut self.unsaid);
            }
        }
        Ok(())
    }

    fn decode(&mut self, order: &FrameOrder) -> io::Result<Result<(), DecodeError>> {
        let data = self.memory.coded(order.at as usize, order.len as usize).ok_or(io::ErrorKind::InvalidData)?;
        let (codec, decoder) = self.tracks.get_mut(&order.track).ok_or(io::ErrorKind::InvalidData)?;
        if decoder.is_none() {
            // By its first frame, so that one that cannot be opened is an answer like any other.
            match video_decoder_in(*codec, Some(self.memory.arena())) {
                Ok(opened) => *decoder = Some(opened),
                Err(error) => return Ok(Err(error)),
            }
        }
        let Some(decoder) = decoder else { return Ok(Err(DecodeError::AwaitingKeyframe)) };
        let (keyframe, colour) = (order.keyframe, order.colour);
        let frame = CodedFrame { codec: *codec, data: &data, keyframe, arrival: None, colour };
        let mut pictures = std::mem::take(&mut self.pictures);
        let mut result = decoder.decode(frame, &mut pictures);
        for picture in pictures.drain(..) {
            if !self.show(order.serial, picture) {
                result = result.and(Err(DecodeError::Bitstream("no memory is left for its picture".into())));
            }
        }
        self.pictures = pictures;
        Ok(result)
    }

    /// Tells where a picture lies, and keeps it there until the node returns it; whether there was room.
    fn show(&mut self, serial: u32, frame: VideoFrame) -> bool {
        let arena = self.memory.arena();
        let lies_there = (0..3).all(|index| arena.place_of(frame.picture.plane(index).data).is_some());
        let picture = if lies_there { Some(frame.picture.clone()) } else { copy_into(arena, &frame) };
        let Some(picture) = picture else { return false };
        let planes: [_; 3] = std::array::from_fn(|index| picture.plane(index));
        let at = planes.map(|plane| arena.place_of(plane.data).unwrap_or_default() as u64);
        let strides = planes.map(|plane| u32::try_from(plane.stride).unwrap_or(u32::MAX));
        let number = self.spare.pop().unwrap_or_else(|| {
            self.shown.push(None);
            u32::try_from(self.shown.len() - 1).expect("few pictures are out at once")
        });
        let colour = Colour { matrix: frame.matrix, full_range: frame.full_range };
        let shown = Shown { serial, picture: number, size: frame.size, at, strides, colour };
        Answer::Shown(shown).write(&mut self.unsaid);
        self.shown[number as usize] = Some(picture);
        true
    }
}
