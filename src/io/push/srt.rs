//! **The question:** how does a stream go to an SRT listener? A transport stream in datagrams, by a socket that hears
//! nobody else, with repairs whenever they are due.

use std::time::Instant;

use rand::Rng as _;
use tokio::net::UdpSocket;
use tokio::time::{timeout, timeout_at};
use zeroize::Zeroizing;

use crate::base::limits;
use crate::base::media::{EncodedFrame, Pts, SoundCodec};
use crate::core::mpegts::TsMuxer;
use crate::core::srt::{Caller, CallerSetup, Secrecy};
use crate::io::push::error::PushError;
use crate::io::push::target::SrtCall;

/// The longest datagram that is read.
const READ_BYTES: usize = 1500;

/// One call.
pub(super) struct SrtLine {
    socket: UdpSocket,
    caller: Caller,
    muxer: TsMuxer,
    read: Box<[u8; READ_BYTES]>,
    stream: Vec<u8>,
    out: Vec<Vec<u8>>,
    /// How often the way back said that nobody is there, since something was heard.
    refused: u32,
}

impl SrtLine {
    /// Asks the listener to take the stream.
    pub(super) async fn open(socket: UdpSocket, call: &SrtCall, sound: Option<SoundCodec>) -> Result<Self, PushError> {
        let mut random = Zeroizing::new([0; 48]);
        rand::rng().fill(&mut random[..]);
        let secrecy = call.passphrase.as_ref().map(|passphrase| {
            let secrecy = Secrecy::new(passphrase.reveal(), call.key, &random);
            secrecy.ok_or_else(|| PushError::Broken("no key could be made".into()))
        });
        let setup = CallerSetup {
            stream_id: call.stream_id.reveal().clone(),
            latency: call.latency,
            secrecy: secrecy.transpose()?,
            random: rand::rng().random(),
        };
        let (caller, muxer) = (Caller::new(Instant::now(), setup), TsMuxer::new(sound));
        let read = Box::new([0; READ_BYTES]);
        let mut line = Self { socket, caller, muxer, read, stream: Vec::new(), out: Vec::new(), refused: 0 };
        while !line.caller.is_up() {
            let heard = line.hear().await?;
            line.answer(heard).await?;
        }
        Ok(line)
    }

    /// Waits for a datagram, or until something is due. Nothing is lost where nobody waits for the end of it.
    pub(super) async fn hear(&mut self) -> Result<usize, PushError> {
        let until = self.caller.deadline().into();
        match timeout_at(until, self.socket.recv(&mut self.read[..])).await {
            Ok(Ok(count)) => {
                self.refused = 0;
                Ok(count)
            }
            Err(_) => Ok(0),
            // A router on the way may say that now and then; a listener that is gone has its machine say so each time.
            Ok(Err(_)) if self.caller.is_up() => is_refused(&mut self.refused).map(|()| 0),
            Ok(Err(error)) => Err(PushError::Unreachable(error.to_string())),
        }
    }

    /// Says what follows from it.
    pub(super) async fn answer(&mut self, heard: usize) -> Result<(), PushError> {
        let now = Instant::now();
        if heard > 0 {
            self.caller.handle(now, &self.read[..heard], &mut self.out)?;
        }
        self.caller.due(now, &mut self.out)?;
        self.send().await
    }

    /// Lays out a picture.
    pub(super) fn picture(&mut self, at: Pts, frame: &EncodedFrame) {
        self.muxer.picture(at, frame.keyframe, &frame.data, &mut self.stream);
    }

    /// Lays out a packet of sound.
    pub(super) fn sound(&mut self, at: Pts, packet: &[u8]) {
        self.muxer.sound(at, packet, &mut self.stream);
    }

    /// Sends what was laid out.
    pub(super) async fn flush(&mut self) -> Result<(), PushError> {
        let sent = self.caller.send(Instant::now(), &self.stream, &mut self.out);
        self.stream.clear();
        sent?;
        self.send().await
    }

    /// Says that nothing more comes, once the listener has played what did: what it holds back is lost with the
    /// connection. Twice, for nobody answers.
    pub(super) async fn goodbye(&mut self) {
        // What it asks for is bounded, whoever it is.
        let lingers = self.caller.lingers().min(limits::PUSH_GOODBYE_SPAN + limits::SRT_LINGER_MAX);
        let linger = async {
            while let Ok(heard) = self.hear().await {
                if self.answer(heard).await.is_err() {
                    break;
                }
            }
        };
        let _ = timeout(lingers, linger).await;
        for _ in 0..2 {
            self.caller.goodbye(Instant::now(), &mut self.out);
        }
        let _ = timeout(limits::PUSH_GOODBYE_SPAN, self.send()).await;
    }

    /// What the kernel has no room for is as good as lost on the way, and repaired as such.
    async fn send(&mut self) -> Result<(), PushError> {
        for datagram in self.out.drain(..) {
            match self.socket.send(&datagram).await {
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    if !self.caller.is_up() {
                        return Err(PushError::Unreachable(error.to_string()));
                    }
                    is_refused(&mut self.refused)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The way back says once more that nobody is there.
fn is_refused(count: &mut u32) -> Result<(), PushError> {
    *count += 1;
    if *count < limits::SRT_REFUSED_MAX { Ok(()) } else { Err(PushError::Gone) }
}
