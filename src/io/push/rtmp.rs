//! **The question:** how does a stream go to an RTMP server? Tags over one connection, which is given up once the
//! server takes none for a while.

use bytes::Bytes;
use rand::Rng as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::base::limits;
use crate::base::media::{Codec, EncodedFrame, NANOS_PER_SECOND, Pts, SoundCodec};
use crate::core::bitstream::stored::{StoredUnit, StreamHead};
use crate::core::flv::{FlvHead, Tag};
use crate::core::rtmp::{HANDSHAKE_RANDOM, Place, Publisher};
use crate::io::push::dial::{Pipe, unreachable};
use crate::io::push::error::PushError;

/// Bytes that are read at once.
const READ_BYTES: usize = 4096;

/// How a stream is coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded {
    pub(super) pictures: Codec,
    pub(super) sound: Option<SoundCodec>,
    pub(super) fps: u32,
}

/// One connection.
pub(super) struct RtmpLine {
    pipe: Box<dyn Pipe>,
    publisher: Publisher,
    read: Box<[u8; READ_BYTES]>,
    out: Vec<u8>,
    coded: Coded,
    /// What the pictures so far begin with.
    head: Option<Bytes>,
}

impl RtmpLine {
    /// Asks the server to take the stream.
    pub(super) async fn open(pipe: Box<dyn Pipe>, place: Place, coded: Coded) -> Result<Self, PushError> {
        let (mut random, mut out) = ([0; HANDSHAKE_RANDOM], Vec::new());
        rand::rng().fill(&mut random[..]);
        let publisher = Publisher::new(place, fourccs(coded), &random, &mut out);
        let mut line = Self { pipe, publisher, read: Box::new([0; READ_BYTES]), out, coded, head: None };
        line.flush().await?;
        while !line.publisher.is_up() {
            let heard = line.hear().await?;
            line.answer(heard).await?;
        }
        Ok(line)
    }

    /// Waits for what the server says. Nothing is lost where nobody waits for the end of it.
    pub(super) async fn hear(&mut self) -> Result<usize, PushError> {
        match self.pipe.read(&mut self.read[..]).await {
            Ok(0) => Err(PushError::Gone),
            Ok(count) => Ok(count),
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// Says what follows from it.
    pub(super) async fn answer(&mut self, heard: usize) -> Result<(), PushError> {
        self.publisher.handle(&self.read[..heard], &mut self.out)?;
        self.flush().await
    }

    /// Lays out a picture; one that cannot be sent is left out.
    pub(super) fn picture(&mut self, at: Pts, frame: &EncodedFrame) {
        let time_ms = milliseconds(at);
        if frame.keyframe {
            self.begin(time_ms, frame);
        }
        if self.head.is_some()
            && let Some(tag) = Tag::picture(frame.codec, frame.keyframe, time_ms, &frame.data)
        {
            self.publisher.tag(&tag, &mut self.out);
        }
    }

    /// Lays out a packet of sound.
    pub(super) fn sound(&mut self, at: Pts, packet: &[u8]) {
        if let Some(codec) = self.coded.sound.filter(|_| self.head.is_some()) {
            self.publisher.tag(&Tag::sound(codec, milliseconds(at), packet), &mut self.out);
        }
    }

    /// Sends what was laid out.
    pub(super) async fn flush(&mut self) -> Result<(), PushError> {
        if self.out.is_empty() {
            return Ok(());
        }
        let sent = timeout(limits::PUSH_STALL_SPAN, async {
            self.pipe.write_all(&self.out).await?;
            self.pipe.flush().await
        });
        sent.await.map_err(|_| PushError::Stalled)?.map_err(|error| unreachable(&error))?;
        self.out.clear();
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) async fn goodbye(&mut self) {
        self.publisher.goodbye(&mut self.out);
        let said = async {
            let _ = self.flush().await;
            let _ = self.pipe.shutdown().await;
        };
        let _ = timeout(limits::PUSH_GOODBYE_SPAN, said).await;
    }

    /// What decoders are set up by, where it is other than before.
    fn begin(&mut self, time_ms: u32, frame: &EncodedFrame) {
        let Some(begins) = StoredUnit::parse(frame.codec, &frame.data).and_then(|unit| unit.head) else { return };
        if self.head.as_ref() == Some(&begins) {
            return;
        }
        let Some(pictures) = StreamHead::parse(frame.codec, &begins) else { return };
        let head = FlvHead { pictures, fps: self.coded.fps, sound: self.coded.sound };
        self.publisher.metadata(&head.metadata(), &mut self.out);
        self.publisher.tag(&head.picture_tag(time_ms), &mut self.out);
        // Sound goes on as it was.
        if let Some(tag) = head.sound_tag(time_ms).filter(|_| self.head.is_none()) {
            self.publisher.tag(&tag, &mut self.out);
        }
        self.head = Some(begins);
    }
}

/// What a server has to know of Enhanced RTMP.
fn fourccs(coded: Coded) -> Vec<&'static str> {
    let pictures = (coded.pictures == Codec::Av1).then_some("av01");
    let sound = (coded.sound == Some(SoundCodec::Opus)).then_some("Opus");
    pictures.into_iter().chain(sound).collect()
}

/// They go round after 49 days (RTMP 1.0, section 3).
const fn milliseconds(at: Pts) -> u32 {
    (at.0 / (NANOS_PER_SECOND / 1000)) as u32
}
