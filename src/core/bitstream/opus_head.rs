//! **The question:** what does a file say of its Opus packets? How many streams lie in each, and which channel each of
//! them is (RFC 7845 section 5.1): the header of Ogg and Matroska, and the same as fields of MP4's `dOps`.

/// Bytes before the table of channels.
const FIXED_BYTES: usize = 19;
/// A channel that is silent.
const SILENT: u8 = 255;

/// Why a header is none that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpusHeadError {
    /// Not `OpusHead`, cut short, of another major version, or with numbers that contradict each other.
    #[error("the Opus header is malformed")]
    Malformed,
    /// A channel mapping of which nothing is known here.
    #[error("Opus of channel mapping family {0} is not read; make it stereo with ffmpeg's -ac 2")]
    Family(u8),
}

/// How channels are meant (RFC 7845 section 5.1.1, RFC 8486).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpusChannels {
    /// One or two, in one stream.
    Plain,
    /// Loudspeakers in Vorbis' order, one to eight.
    Speakers,
    /// Ambisonics: the first is the sound from everywhere, the second left less right.
    Ambisonics,
    /// Nothing is said.
    Unnamed,
}

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpusHead {
    /// What its channels are.
    pub channels: OpusChannels,
    /// Samples at 48 kHz that a decoder gives before the sound begins.
    pub pre_skip: u16,
    /// How much louder it is to be played, 256ths of a decibel.
    pub gain: i16,
    /// Opus streams in a packet.
    pub streams: u8,
    /// Of these the first ones that are stereo.
    pub coupled: u8,
    /// For each channel the decoded one that it is; 255: silence.
    pub mapping: Vec<u8>,
}

impl OpusHead {
    /// Of one stream in stereo, or mono, which a decoder turns into stereo.
    #[must_use]
    pub fn plain(pre_skip: u16) -> Self {
        Self { channels: OpusChannels::Plain, pre_skip, gain: 0, streams: 1, coupled: 1, mapping: vec![0, 1] }
    }

    /// `OpusHead` of one stream in stereo at 48 kHz (RFC 7845 section 5.1).
    #[must_use]
    pub fn stereo_bytes(pre_skip: u16) -> [u8; FIXED_BYTES] {
        let mut head = *b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
        head[10..12].copy_from_slice(&pre_skip.to_le_bytes());
        head
    }

    /// Reads `OpusHead` as Ogg and Matroska carry it.
    ///
    /// # Errors
    /// [`OpusHeadError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, OpusHeadError> {
        let fixed = bytes.first_chunk::<FIXED_BYTES>().filter(|fixed| fixed.starts_with(b"OpusHead"));
        let fixed = fixed.filter(|fixed| fixed[8] < 16).ok_or(OpusHeadError::Malformed)?;
        let half = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
        let table = match fixed[18] {
            0 => None,
            // Family 3 has a matrix in place of the table; it is refused for what it is.
            family => Some(bytes.get(FIXED_BYTES..).filter(|_| family != 3).unwrap_or_default()),
        };
        Self::of(fixed[9], half(10), i16::from_le_bytes([fixed[16], fixed[17]]), fixed[18], table)
    }

    /// From the fields that every container has; `table`: streams, coupled streams and the mapping, of a family other
    /// than 0.
    ///
    /// # Errors
    /// [`OpusHeadError`].
    pub fn of(count: u8, pre_skip: u16, gain: i16, family: u8, table: Option<&[u8]>) -> Result<Self, OpusHeadError> {
        let channels = match family {
            0 if (1..=2).contains(&count) => return Ok(Self { gain, ..Self::plain(pre_skip) }),
            0 => return Err(OpusHeadError::Malformed),
            1 if (1..=8).contains(&count) => OpusChannels::Speakers,
            1 => return Err(OpusHeadError::Malformed),
            2 => OpusChannels::Ambisonics,
            255 => OpusChannels::Unnamed,
            other => return Err(OpusHeadError::Family(other)),
        };
        let Some([streams, coupled, mapping @ ..]) = table else { return Err(OpusHeadError::Malformed) };
        let mapping = mapping.get(..count.into()).ok_or(OpusHeadError::Malformed)?;
        let decoded = u16::from(*streams) + u16::from(*coupled);
        let is_known = |index: &u8| *index == SILENT || u16::from(*index) < decoded;
        let is_sound = *streams > 0 && coupled <= streams && decoded <= 255 && count > 0;
        if !is_sound || !mapping.iter().all(is_known) {
            return Err(OpusHeadError::Malformed);
        }
        Ok(Self { channels, pre_skip, gain, streams: *streams, coupled: *coupled, mapping: mapping.to_vec() })
    }

    /// How loud each channel is to the left and to the right ear. Loudspeakers as RFC 7845 section 5.1.1.5 mixes them,
    /// ambisonics as RFC 8486 section 4; channels without a name are heard on both sides alike.
    #[must_use]
    pub fn stereo_gains(&self) -> Vec<[f32; 2]> {
        match self.channels {
            OpusChannels::Plain => vec![[1.0, 0.0], [0.0, 1.0]],
            OpusChannels::Speakers => speaker_gains(self.mapping.len()),
            OpusChannels::Ambisonics => {
                let gains = |channel| if channel == 0 { [0.5, 0.5] } else { [0.5, -0.5] };
                (0..self.mapping.len()).map(|channel| if channel < 2 { gains(channel) } else { [0.0; 2] }).collect()
            }
            OpusChannels::Unnamed => match self.mapping.len() {
                2 => vec![[1.0, 0.0], [0.0, 1.0]],
                count => vec![[(count as f32).sqrt().recip(); 2]; count],
            },
        }
    }
}

/// Where a loudspeaker stands.
#[derive(Clone, Copy, PartialEq)]
enum Speaker {
    Left,
    Right,
    Middle,
    RearLeft,
    RearRight,
    RearMiddle,
    Low,
}

fn speaker_gains(count: usize) -> Vec<[f32; 2]> {
    use Speaker::{Left, Low, Middle, RearLeft, RearMiddle, RearRight, Right};
    let speakers: &[Speaker] = match count {
        1 => return vec![[1.0, 1.0]],
        2 => &[Left, Right],
        3 => &[Left, Middle, Right],
        4 => &[Left, Right, RearLeft, RearRight],
        5 => &[Left, Middle, Right, RearLeft, RearRight],
        6 => &[Left, Middle, Right, RearLeft, RearRight, Low],
        7 => &[Left, Middle, Right, RearLeft, RearRight, RearMiddle, Low],
        _ => &[Left, Middle, Right, RearLeft, RearRight, RearLeft, RearRight, Low],
    };
    let (half, root) = (0.5_f32.sqrt(), 0.75_f32.sqrt());
    let gains = |speaker: &Speaker| match speaker {
        Left => [1.0, 0.0],
        Right => [0.0, 1.0],
        Middle | Low => [half, half],
        RearLeft => [root, 0.5],
        RearRight => [0.5, root],
        RearMiddle => [root * half, root * half],
    };
    let gains: Vec<[f32; 2]> = speakers.iter().map(gains).collect();
    // The RFC lets five and more come out twice as loud as four: most of it is in front most of the time.
    let sum: f32 = gains.iter().map(|[left, _]| left).sum();
    let scale = if count > 4 { 2.0 / sum } else { sum.recip() };
    gains.into_iter().map(|[left, right]| [left * scale, right * scale]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Version 1, pre-skip of 312, 48 kHz, no gain.
    fn head(count: u8, family: u8, table: &[u8]) -> Vec<u8> {
        [b"OpusHead\x01", &[count, 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, family][..], table].concat()
    }

    #[test]
    fn case_39_every_channel_mapping_is_understood_or_named() {
        assert_eq!(OpusHead::parse(&head(1, 0, &[])), Ok(OpusHead::plain(312)));
        let surround = OpusHead::parse(&head(6, 1, &[4, 2, 0, 4, 1, 2, 3, 5])).unwrap();
        assert_eq!((surround.streams, surround.coupled, surround.channels), (4, 2, OpusChannels::Speakers));
        assert_eq!(surround.mapping, [0, 4, 1, 2, 3, 5]);
        assert_eq!(OpusHead::parse(&head(3, 255, &[3, 0, 0, 1, 2])).unwrap().channels, OpusChannels::Unnamed);
        assert_eq!(OpusHead::parse(&head(4, 2, &[4, 0, 0, 1, 2, 3])).unwrap().channels, OpusChannels::Ambisonics);
        assert_eq!(OpusHead::parse(&head(4, 3, &[4, 0, 1, 2, 3, 4])), Err(OpusHeadError::Family(3)));
        for malformed in [
            head(3, 0, &[]),
            head(9, 1, &[9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]),
            head(6, 1, &[4, 2, 0, 4, 1, 2, 3]),
            head(2, 1, &[1, 1, 0, 2]),
            head(2, 1, &[1, 2, 0, 1]),
            b"OpusTags".to_vec(),
        ] {
            assert_eq!(OpusHead::parse(&malformed), Err(OpusHeadError::Malformed), "{malformed:?}");
        }
    }

    #[test]
    fn case_39_loudspeakers_are_mixed_as_the_rfc_says() {
        let gains = |count| speaker_gains(count).iter().map(|[left, _]| (left * 1e6).round() / 1e6).collect::<Vec<_>>();
        assert_eq!(gains(3), [0.585_786, 0.414_214, 0.0]);
        assert_eq!(gains(4), [0.422_65, 0.0, 0.366_025, 0.211_325]);
        assert_eq!(gains(6), [0.529_067, 0.374_107, 0.0, 0.458_186, 0.264_534, 0.374_107]);
        assert_eq!(gains(7), [0.455_31, 0.321_953, 0.0, 0.394_31, 0.227_655, 0.278_819, 0.321_953]);
        assert_eq!(gains(8), [0.388_631, 0.274_804, 0.0, 0.336_565, 0.194_316, 0.336_565, 0.194_316, 0.274_804]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..60), named in any::<bool>()) {
            let bytes = if named { [b"OpusHead", &bytes[..]].concat() } else { bytes };
            if let Ok(head) = OpusHead::parse(&bytes) {
                prop_assert_eq!(head.stereo_gains().len(), head.mapping.len());
            }
        }
    }
}
