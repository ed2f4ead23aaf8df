//! **The question:** what do the node and a process of decoders say to each other? Words of a few bytes, many in one
//! message. What the process says is not believed: what is no word ends it.

use crate::base::limits;
use crate::base::media::{Codec, Colour, Matrix, Size};
use crate::engine::decode::DecodeError;

/// What the node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Frames of this track will come.
    Open {
        /// Which, as the node counts them.
        track: u32,
        /// How it is coded.
        codec: Codec,
    },
    /// No more frames of this track will come.
    Close {
        /// Which.
        track: u32,
    },
    /// Decode this.
    Frame(FrameOrder),
    /// Nobody shows this picture any more.
    Return {
        /// Which, as the process counts them.
        picture: u32,
    },
}

/// A coded frame in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameOrder {
    pub(super) track: u32,
    /// Its number, which the answers bear; never 0.
    pub(super) serial: u32,
    /// Where its bytes begin in the ring, and how many they are.
    pub(super) at: u32,
    pub(super) len: u32,
    pub(super) keyframe: bool,
    pub(super) colour: Option<Colour>,
}

/// What the kernel granted a process of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confinement {
    /// It may make few system calls.
    pub seccomp: bool,
    /// It may open no file, and bind and connect nothing.
    pub landlock: bool,
}

/// What the process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It listens.
    Ready(Confinement),
    /// A frame became visible.
    Shown(Shown),
    /// A frame is dealt with.
    Done {
        /// Which.
        serial: u32,
        /// What became of it.
        result: Result<(), DecodeError>,
    },
}

/// A picture in the arena: where its planes begin, and bytes from row to row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) serial: u32,
    pub(super) picture: u32,
    pub(super) size: Size,
    pub(super) at: [u64; 3],
    pub(super) strides: [u32; 3],
    pub(super) colour: Colour,
}

const CODECS: [Codec; 4] = [Codec::Av1, Codec::H264, Codec::Vp8, Codec::Vp9];
/// Bytes of the longest word.
pub(super) const WORD_BYTES: usize = 64 + limits::DECODER_WORD_LEN_MAX;

/// Reads little numbers from the front of a message.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn place(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn colour(&mut self) -> Option<Colour> {
        Some(Colour { matrix: Matrix::of(self.byte()?.into())?, full_range: self.flag()? })
    }

    fn text(&mut self) -> Option<String> {
        let len = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(len).filter(|_| len <= limits::DECODER_WORD_LEN_MAX)?;
        self.0 = rest;
        let plain = |c: &char| !c.is_control();
        Some(String::from_utf8_lossy(text).chars().filter(plain).collect())
    }
}

impl Order {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Open { track, codec } => {
                let codec = CODECS.iter().position(|known| *known == codec).unwrap_or(CODECS.len());
                out.push(1);
                out.extend(track.to_le_bytes());
                out.push(u8::try_from(codec).expect("a few codecs"));
            }
            Self::Close { track } => {
                out.push(2);
                out.extend(track.to_le_bytes());
            }
            Self::Frame(FrameOrder { track, serial, at, len, keyframe, colour }) => {
                out.push(3);
                [track, serial, at, len].iter().for_each(|number| out.extend(number.to_le_bytes()));
                let told = colour.unwrap_or_default();
                let flags = [u8::from(keyframe), u8::from(colour.is_some())];
                out.extend([flags[0], flags[1], told.matrix.coefficients(), u8::from(told.full_range)]);
            }
            Self::Return { picture } => {
                out.push(4);
                out.extend(picture.to_le_bytes());
            }
        }
    }

    /// Takes the first word of a message; `None` if it is none.
    pub(super) fn read(message: &mut &[u8]) -> Option<Self> {
        let mut rest = Rest(message);
        let order = match rest.byte()? {
            1 => Self::Open { track: rest.number()?, codec: *CODECS.get(usize::from(rest.byte()?))? },
            2 => Self::Close { track: rest.number()? },
            3 => {
                let [track, serial, at, len] = [rest.number()?, rest.number()?, rest.number()?, rest.number()?];
                let (keyframe, is_told, colour) = (rest.flag()?, rest.flag()?, rest.colour()?);
                Self::Frame(FrameOrder { track, serial, at, len, keyframe, colour: is_told.then_some(colour) })
            }
            4 => Self::Return { picture: rest.number()? },
            _ => return None,
        };
        *message = rest.0;
        Some(order)
    }
}

impl Answer {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready(Confinement { seccomp, landlock }) => {
                out.extend([1, u8::from(*seccomp), u8::from(*landlock)]);
            }
            Self::Shown(Shown { serial, picture, size, at, strides, colour }) => {
                out.push(2);
                [*serial, *picture, size.width, size.height].iter().for_each(|n| out.extend(n.to_le_bytes()));
                at.iter().for_each(|at| out.extend(at.to_le_bytes()));
                strides.iter().for_each(|stride| out.extend(stride.to_le_bytes()));
                out.extend([colour.matrix.coefficients(), u8::from(colour.full_range)]);
            }
            Self::Done { serial, result } => {
                out.push(3);
                out.extend(serial.to_le_bytes());
                let (code, text) = match result {
                    Ok(()) => (0, ""),
                    Err(DecodeError::Open(why)) => (1, why.as_str()),
                    Err(DecodeError::Codec(why)) => (1, *why),
                    Err(DecodeError::Bitstream(why)) => (2, why.as_str()),
                    Err(DecodeError::Unsupported(why)) => (3, why.as_str()),
                    Err(DecodeError::NoRoom) => (4, ""),
                    Err(DecodeError::AwaitingKeyframe) => (5, ""),
                };
                let text = &text[..text.floor_char_boundary(limits::DECODER_WORD_LEN_MAX)];
                out.extend([code, u8::try_from(text.len()).expect("shorter than a byte counts")]);
                out.extend(text.as_bytes());
            }
        }
    }

    /// Takes the first word of a message; `None` if it is none.
    pub(super) fn read(message: &mut &[u8]) -> Option<Self> {
        let mut rest = Rest(message);
        let answer = match rest.byte()? {
            1 => Self::Ready(Confinement { seccomp: rest.flag()?, landlock: rest.flag()? }),
            2 => Self::Shown(Shown {
                serial: rest.number()?,
                picture: rest.number()?,
                size: Size::new(rest.number()?, rest.number()?),
                at: [rest.place()?, rest.place()?, rest.place()?],
                strides: [rest.number()?, rest.number()?, rest.number()?],
                colour: rest.colour()?,
            }),
            3 => {
                let (serial, code, text) = (rest.number()?, rest.byte()?, rest.text()?);
                let result = match code {
                    0 => Ok(()),
                    1 => Err(DecodeError::Open(text)),
                    2 => Err(DecodeError::Bitstream(text)),
                    3 => Err(DecodeError::Unsupported(text)),
                    4 => Err(DecodeError::NoRoom),
                    5 => Err(DecodeError::AwaitingKeyframe),
                    _ => return None,
                };
                Self::Done { serial, result }
            }
            _ => return None,
        };
        *message = rest.0;
        Some(answer)
    }
}

const _: () = assert!(limits::DECODER_WORD_LEN_MAX <= 255);
const _: () = assert!(limits::DECODER_MESSAGE_LEN_MAX > 2 * WORD_BYTES);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let colour = Colour { matrix: Matrix::Bt2020, full_range: true };
        let frame = FrameOrder { track: 7, serial: u32::MAX, at: 5, len: 6, keyframe: true, colour: Some(colour) };
        let orders = [
            Order::Open { track: 1, codec: Codec::Vp9 },
            Order::Frame(frame),
            Order::Frame(FrameOrder { colour: None, keyframe: false, ..frame }),
            Order::Return { picture: 9 },
            Order::Close { track: 3 },
        ];
        let mut message = Vec::new();
        orders.iter().for_each(|order| order.write(&mut message));
        let mut rest = &message[..];
        assert_eq!(std::iter::from_fn(|| Order::read(&mut rest)).collect::<Vec<_>>(), orders);
        assert!(rest.is_empty());
        let size = Size::new(3, 4);
        let shown = Shown { serial: 1, picture: 2, size, at: [1, 1 << 40, 3], strides: [64, 32, 32], colour };
        let answers = [
            Answer::Ready(Confinement { seccomp: true, landlock: false }),
            Answer::Shown(shown),
            Answer::Done { serial: 1, result: Ok(()) },
            Answer::Done { serial: 2, result: Err(DecodeError::Unsupported("4100×2200".into())) },
            Answer::Done { serial: 3, result: Err(DecodeError::AwaitingKeyframe) },
        ];
        let mut message = Vec::new();
        answers.iter().for_each(|answer| answer.write(&mut message));
        let mut rest = &message[..];
        assert_eq!(std::iter::from_fn(|| Answer::read(&mut rest)).collect::<Vec<_>>(), answers);
        assert!(rest.is_empty());
    }

    #[test]
    fn what_is_said_of_a_frame_is_short_and_holds_nothing_that_steers_a_terminal() {
        let mut message = Vec::new();
        let why = format!("\u{1b}[2J{}", "é".repeat(limits::DECODER_WORD_LEN_MAX));
        Answer::Done { serial: 1, result: Err(DecodeError::Bitstream(why)) }.write(&mut message);
        let Some(Answer::Done { result: Err(DecodeError::Bitstream(heard)), .. }) = Answer::read(&mut &message[..])
        else {
            panic!("{message:?}")
        };
        assert!(heard.len() <= limits::DECODER_WORD_LEN_MAX && heard.starts_with("[2Jé"), "{heard}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_words_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0_u8..6) {
            let bytes = [&[first], &bytes[..]].concat();
            let mut rest = &bytes[..];
            while let Some(answer) = Answer::read(&mut rest) {
                if let Answer::Done { result: Err(error), .. } = answer {
                    prop_assert!(error.to_string().len() < 3 * limits::DECODER_WORD_LEN_MAX + 100);
                }
            }
            let mut rest = &bytes[..];
            while Order::read(&mut rest).is_some() {}
        }
    }
}
