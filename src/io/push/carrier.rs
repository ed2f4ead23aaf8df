//! **The question:** what carries a stream? RTMP or SRT; the stream does not ask which.

use crate::base::media::{EncodedFrame, Pts};
use crate::io::push::dial::{self, Tls};
use crate::io::push::error::PushError;
use crate::io::push::rtmp::{Coded, RtmpLine};
use crate::io::push::srt::SrtLine;
use crate::io::push::target::{PushTarget, Way};

/// A connection that takes pictures and sound.
pub(super) enum Carrier {
    Rtmp(Box<RtmpLine>),
    Srt(Box<SrtLine>),
}

impl Carrier {
    /// Asks the server, and comes back once it takes the stream.
    pub(super) async fn open(
        target: &PushTarget,
        coded: Coded,
        (allow_private, tls): (bool, &Tls),
    ) -> Result<Self, PushError> {
        match target.way() {
            Way::Whip(_) => Err(PushError::Broken("WHIP carries no stream".into())),
            Way::Rtmp { tls: is_tls, host, place } => {
                let pipe = dial::tcp(host, allow_private, is_tls.then_some(tls)).await?;
                RtmpLine::open(pipe, place.clone(), coded).await.map(|line| Self::Rtmp(Box::new(line)))
            }
            Way::Srt { host, call } => {
                let ask = |address| async move { SrtLine::open(dial::udp(address).await?, call, coded.sound).await };
                dial::first(host, allow_private, ask).await.map(|line| Self::Srt(Box::new(line)))
            }
        }
    }

    /// Waits until there is something to answer. It may be given up at any time.
    pub(super) async fn hear(&mut self) -> Result<usize, PushError> {
        match self {
            Self::Rtmp(line) => line.hear().await,
            Self::Srt(line) => line.hear().await,
        }
    }

    /// Answers it.
    pub(super) async fn answer(&mut self, heard: usize) -> Result<(), PushError> {
        match self {
            Self::Rtmp(line) => line.answer(heard).await,
            Self::Srt(line) => line.answer(heard).await,
        }
    }

    /// Lays out a picture, by its time since the stream's beginning.
    pub(super) fn picture(&mut self, at: Pts, frame: &EncodedFrame) {
        match self {
            Self::Rtmp(line) => line.picture(at, frame),
            Self::Srt(line) => line.picture(at, frame),
        }
    }

    /// Lays out a packet of sound.
    pub(super) fn sound(&mut self, at: Pts, packet: &[u8]) {
        match self {
            Self::Rtmp(line) => line.sound(at, packet),
            Self::Srt(line) => line.sound(at, packet),
        }
    }

    /// Sends what was laid out.
    pub(super) async fn flush(&mut self) -> Result<(), PushError> {
        match self {
            Self::Rtmp(line) => line.flush().await,
            Self::Srt(line) => line.flush().await,
        }
    }

    /// Says that nothing more comes.
    pub(super) async fn goodbye(&mut self) {
        match self {
            Self::Rtmp(line) => line.goodbye().await,
            Self::Srt(line) => line.goodbye().await,
        }
    }
}
