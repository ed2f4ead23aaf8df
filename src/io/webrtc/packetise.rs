//! **The question:** how does an AV1 temporal unit lie in RTP payloads? Both ways: once per outgoing frame, however many
//! peers read it, and once per incoming one. Source: "RTP Payload Format for AV1" v1.0 (section numbers below are its) and
//! the AV1 bitstream specification, section 5.3 (OBU syntax). Pure; hostile bytes are an error, never a panic.

use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::packetizer::Payloader;

use crate::base::limits;
use crate::base::media::EncodedFrame;

/// Aggregation header, section 4.4: the first element continues the previous packet's last OBU.
const CONTINUES: u8 = 0b1000_0000;
/// The last element goes on in the next packet.
const GOES_ON: u8 = 0b0100_0000;
/// The packet is the first of a coded video sequence.
const NEW_SEQUENCE: u8 = 0b0000_1000;

const HAS_EXTENSION: u8 = 0b0000_0100;
const HAS_SIZE: u8 = 0b0000_0010;
const FORBIDDEN: u8 = 0b1000_0000;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
const PADDING: u8 = 15;

/// One outgoing frame with its RTP payloads, shared by every peer that sends it.
#[derive(Debug, Clone)]
pub struct Packetised {
    /// The frame, for its times and its keyframe flag.
    pub frame: Arc<EncodedFrame>,
    /// Payloads of at most [`limits::RTP_PAYLOAD_LEN`] bytes in sending order; the sender sets the marker on the last.
    /// Empty if the frame's bytes are no well-formed temporal unit, or hold nothing to send.
    pub payloads: Vec<Arc<[u8]>>,
}

/// Cuts AV1 temporal units into RTP payloads.
#[derive(Debug, Default)]
pub struct Packetiser {
    payloader: Av1Payloader,
}

impl Packetiser {
    /// A packetiser; it keeps nothing from frame to frame.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The payloads of one temporal unit: OBUs lose their size fields (section 5), delimiters, tile lists and padding go,
    /// and the N bit stands on a keyframe's first payload only.
    pub fn packetise(&mut self, frame: &Arc<EncodedFrame>) -> Packetised {
        // The payloader slices by the sizes it reads, unchecked: it only ever sees units that this walk has accepted.
        let well_formed = is_well_formed(&frame.data);
        let cut =
            if well_formed { self.payloader.payload(limits::RTP_PAYLOAD_LEN, &frame.data) } else { Ok(Vec::new()) };
        let mut payloads = cut.unwrap_or_default();
        if let Some(first) = payloads.first_mut() {
            *first = with_new_sequence(first, frame.keyframe);
        }
        Packetised {
            frame: Arc::clone(frame),
            payloads: payloads.iter().map(|payload| Arc::from(&payload[..])).collect(),
        }
    }
}

/// A temporal unit put together again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TemporalUnit {
    /// OBUs with size fields, without temporal delimiter, tile lists and padding; may be empty.
    pub data: Vec<u8>,
    /// Whether a sequence header stands before a first frame that is a shown keyframe.
    pub keyframe: bool,
}

/// The payloads do not follow the payload format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed AV1 RTP payload")]
pub(super) struct MalformedPayload;

/// Puts together the temporal unit whose payloads, all of them and in order, are `payloads` (section 4.3).
///
/// # Errors
/// Whatever the payload format forbids, a unit that starts or ends inside an OBU among it.
pub(super) fn depacketise<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<TemporalUnit, MalformedPayload> {
    let mut unit = UnitBuilder::default();
    let mut open: Option<Vec<u8>> = None;
    for payload in payloads {
        let elements = Elements::new(payload)?;
        let (continues, goes_on) = (elements.header & CONTINUES != 0, elements.header & GOES_ON != 0);
        if continues != open.is_some() {
            return Err(MalformedPayload);
        }
        let mut elements = elements.peekable();
        while let Some(element) = elements.next() {
            let element = element?;
            let is_last = elements.peek().is_none();
            match (open.take(), goes_on && is_last) {
                (Some(mut head), true) => {
                    head.extend_from_slice(element);
                    open = Some(head);
                }
                (Some(mut head), false) => {
                    head.extend_from_slice(element);
                    unit.add(&head)?;
                }
                (None, true) => open = Some(element.to_vec()),
                (None, false) => unit.add(element)?,
            }
        }
    }
    if open.is_some() {
        return Err(MalformedPayload);
    }
    Ok(TemporalUnit { data: unit.data, keyframe: unit.keyframe })
}

/// Whether a keyframe may start with this payload: its first OBU is a sequence header, and no frame that starts in it is
/// anything but a keyframe. Cheap and lenient; [`depacketise`] has the last word.
pub(super) fn may_start_keyframe(payload: &[u8]) -> bool {
    let Ok(elements) = Elements::new(payload) else { return false };
    if elements.header & CONTINUES != 0 {
        return false;
    }
    let mut reduced = None;
    for element in elements {
        let Ok(Some(obu)) = element.map(Obu::parse_element) else { return false };
        match obu.kind() {
            TEMPORAL_DELIMITER => {}
            SEQUENCE_HEADER => reduced = Some(is_reduced_still_picture(obu.payload)),
            FRAME | FRAME_HEADER => return reduced.is_some_and(|reduced| is_shown_keyframe(obu.payload, reduced)),
            _ if reduced.is_none() => return false,
            _ => {}
        }
    }
    reduced.is_some()
}

/// The OBU elements of one payload, section 4.3; the aggregation header comes first.
struct Elements<'a> {
    header: u8,
    rest: &'a [u8],
    /// Elements still to come if W says how many; `None` if each one carries its size.
    left: Option<u8>,
}

impl<'a> Elements<'a> {
    fn new(payload: &'a [u8]) -> Result<Self, MalformedPayload> {
        let (&header, rest) = payload.split_first().ok_or(MalformedPayload)?;
        if rest.is_empty() {
            return Err(MalformedPayload);
        }
        let count = (header >> 4) & 0b11;
        Ok(Self { header, rest, left: (count > 0).then_some(count) })
    }

    fn take(&mut self) -> Option<&'a [u8]> {
        if self.left == Some(1) {
            return Some(std::mem::take(&mut self.rest));
        }
        let (len, rest) = read_leb128(self.rest)?;
        let (element, rest) = rest.split_at_checked(len)?;
        self.rest = rest;
        Some(element)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<&'a [u8], MalformedPayload>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.left {
            Some(0) => return None,
            None if self.rest.is_empty() => return None,
            _ => {}
        }
        let element = self.take();
        self.left = self.left.map(|left| left - 1);
        if element.is_none() {
            // What follows a broken size cannot be told apart: the error is the last item.
            self.left = Some(0);
        }
        Some(element.ok_or(MalformedPayload))
    }
}

/// One OBU in parts.
#[derive(Clone, Copy)]
struct Obu<'a> {
    header: u8,
    extension: Option<u8>,
    payload: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The OBU at the front of `bytes`, and what follows it; without a size field it takes everything.
    fn parse(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&header, mut rest) = bytes.split_first()?;
        if header & FORBIDDEN != 0 {
            return None;
        }
        let mut extension = None;
        if header & HAS_EXTENSION != 0 {
            let (&byte, after) = rest.split_first()?;
            (extension, rest) = (Some(byte), after);
        }
        if header & HAS_SIZE == 0 {
            return Some((Self { header, extension, payload: rest }, &[]));
        }
        let (len, after) = read_leb128(rest)?;
        let (payload, after) = after.split_at_checked(len)?;
        Some((Self { header, extension, payload }, after))
    }

    /// The OBU that starts in an element which may be cut short, so that a size field need not be kept.
    fn parse_element(bytes: &'a [u8]) -> Option<Self> {
        let (&header, rest) = bytes.split_first()?;
        let rest = if header & HAS_EXTENSION != 0 { rest.get(1..)? } else { rest };
        let rest = if header & HAS_SIZE != 0 { read_leb128(rest)?.1 } else { rest };
        Some(Self { header, extension: None, payload: rest })
    }

    fn kind(&self) -> u8 {
        (self.header >> 3) & 0b1111
    }
}

#[derive(Default)]
struct UnitBuilder {
    data: Vec<u8>,
    keyframe: bool,
    /// `reduced_still_picture_header` of the sequence header, once there was one.
    reduced: Option<bool>,
    seen_frame: bool,
}

impl UnitBuilder {
    fn add(&mut self, bytes: &[u8]) -> Result<(), MalformedPayload> {
        let (obu, rest) = Obu::parse(bytes).ok_or(MalformedPayload)?;
        if !rest.is_empty() {
            return Err(MalformedPayload);
        }
        match obu.kind() {
            TEMPORAL_DELIMITER | TILE_LIST | PADDING => return Ok(()),
            SEQUENCE_HEADER => self.reduced = Some(is_reduced_still_picture(obu.payload)),
            FRAME | FRAME_HEADER if !self.seen_frame => {
                self.seen_frame = true;
                self.keyframe = self.reduced.is_some_and(|reduced| is_shown_keyframe(obu.payload, reduced));
            }
            _ => {}
        }
        self.data.push(obu.header | HAS_SIZE);
        self.data.extend(obu.extension);
        put_leb128(&mut self.data, obu.payload.len());
        self.data.extend_from_slice(obu.payload);
        Ok(())
    }
}

/// AV1 section 5.5.1: `seq_profile` (3), `still_picture` (1), `reduced_still_picture_header` (1).
fn is_reduced_still_picture(sequence_header: &[u8]) -> bool {
    sequence_header.first().is_some_and(|byte| byte & 0b0000_1000 != 0)
}

/// AV1 section 5.9.2: `show_existing_frame` (1) = 0, `frame_type` (2) = KEY_FRAME (0), `show_frame` (1) = 1; all of them
/// implied by a reduced still picture header.
fn is_shown_keyframe(frame_header: &[u8], reduced: bool) -> bool {
    reduced || frame_header.first().is_some_and(|byte| byte >> 4 == 0b0001)
}

fn is_well_formed(mut unit: &[u8]) -> bool {
    while !unit.is_empty() {
        let Some((_, rest)) = Obu::parse(unit) else { return false };
        unit = rest;
    }
    true
}

fn with_new_sequence(payload: &Bytes, keyframe: bool) -> Bytes {
    let mut bytes = payload.to_vec();
    if let Some(header) = bytes.first_mut() {
        *header = (*header & !NEW_SEQUENCE) | if keyframe { NEW_SEQUENCE } else { 0 };
    }
    Bytes::from(bytes)
}

/// A leb128 value and what follows it, AV1 section 4.10.5: at most 8 bytes and below 2³².
fn read_leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (n, &byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((value as usize, &bytes[n + 1..]));
        }
    }
    None
}

fn put_leb128(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
pub(super) mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{Codec, Pts};

    /// An OBU with a size field.
    fn obu(kind: u8, extension: Option<u8>, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind << 3 | HAS_SIZE | if extension.is_some() { HAS_EXTENSION } else { 0 }];
        bytes.extend(extension);
        put_leb128(&mut bytes, payload.len());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A temporal unit with a frame OBU of `len` bytes filled with `fill`, behind a sequence header if it is a keyframe.
    pub fn unit(keyframe: bool, len: usize, fill: u8) -> Arc<EncodedFrame> {
        let mut data = if keyframe { obu(SEQUENCE_HEADER, None, &[0, 1, 2, 3]) } else { Vec::new() };
        let mut payload = vec![fill; len.max(1)];
        payload[0] = if keyframe { 0b0001_0000 } else { 0b0011_0000 };
        data.extend(obu(FRAME, None, &payload));
        encoded(data, keyframe)
    }

    fn encoded(data: Vec<u8>, keyframe: bool) -> Arc<EncodedFrame> {
        Arc::new(EncodedFrame { codec: Codec::Av1, data: data.into(), pts: Pts(0), keyframe, ingest: None })
    }

    fn round_trip(frame: &Arc<EncodedFrame>) -> (Packetised, TemporalUnit) {
        let sent = Packetiser::new().packetise(frame);
        assert!(sent.payloads.iter().all(|payload| payload.len() <= limits::RTP_PAYLOAD_LEN));
        let got = depacketise(sent.payloads.iter().map(|payload| &payload[..])).expect("own payloads are well formed");
        (sent, got)
    }

    #[test]
    fn the_aggregation_header_counts_elements_and_marks_new_sequences() {
        let (sent, _) = round_trip(&unit(true, 10, 7));
        assert_eq!(sent.payloads[0][0], 0b0010_1000, "two elements, N");
        assert_eq!(sent.payloads[0][1..3], [5, SEQUENCE_HEADER << 3], "a size before the first, none in the OBU");
        assert_eq!(sent.payloads[0][7], FRAME << 3, "no size before the last");
        let (sent, _) = round_trip(&unit(false, limits::RTP_PAYLOAD_LEN * 2, 7));
        let headers: Vec<u8> = sent.payloads.iter().map(|payload| payload[0]).collect();
        assert_eq!(headers, [0b0101_0000, 0b1101_0000, 0b1001_0000]);
    }

    #[test]
    fn a_sequence_header_before_an_inter_frame_is_no_new_sequence() {
        let mut data = obu(SEQUENCE_HEADER, None, &[0, 1]);
        data.extend(obu(FRAME, None, &[0b0011_0000, 5]));
        let (sent, got) = round_trip(&encoded(data, false));
        assert_eq!(sent.payloads[0][0] & NEW_SEQUENCE, 0);
        assert!(!got.keyframe && !may_start_keyframe(&sent.payloads[0]));
    }

    #[test]
    fn delimiters_and_padding_are_not_sent_nor_kept() {
        let kept = unit(true, 40, 9);
        let mut data = obu(TEMPORAL_DELIMITER, None, &[]);
        data.extend_from_slice(&kept.data);
        data.extend(obu(PADDING, None, &[0; 30]));
        let (_, got) = round_trip(&encoded(data, true));
        assert_eq!(got, TemporalUnit { data: kept.data.to_vec(), keyframe: true });
        let wire: [&[u8]; 1] = [&[0b0010_0000, 1, TEMPORAL_DELIMITER << 3, FRAME << 3, 0b0011_0000]];
        assert_eq!(depacketise(wire.into_iter()).unwrap().data, [FRAME << 3 | HAS_SIZE, 1, 0b0011_0000]);
    }

    #[test]
    fn truncated_units_yield_no_payloads() {
        let whole = unit(true, 300, 1);
        let cut = encoded(whole.data[..whole.data.len() - 1].to_vec(), true);
        assert!(Packetiser::new().packetise(&cut).payloads.is_empty());
    }

    #[test]
    fn units_that_start_or_end_inside_an_obu_are_refused() {
        let (sent, _) = round_trip(&unit(false, 5000, 1));
        let payloads: Vec<&[u8]> = sent.payloads.iter().map(|payload| &payload[..]).collect();
        assert!(depacketise(payloads[1..].iter().copied()).is_err());
        assert!(depacketise(payloads[..payloads.len() - 1].iter().copied()).is_err());
        assert!(depacketise([&[0u8][..]].into_iter()).is_err());
        assert!(depacketise([&[0b0001_0000, FRAME << 3 | HAS_SIZE, 200, 0][..]].into_iter()).is_err());
    }

    #[test]
    fn libaom_output_survives_the_wire() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("units.obu");
        let status = Command::new("ffmpeg")
            .args(
                "-v error -f lavfi -i testsrc=size=320x180:rate=10 -frames:v 6 -c:v libaom-av1 -cpu-used 8".split(' '),
            )
            .args("-usage realtime -b:v 900k -g 4 -f obu".split(' '))
            .arg(&path)
            .status();
        assert!(status.expect("ffmpeg is installed").success());
        let stream = std::fs::read(&path).unwrap();
        let delimiter = obu(TEMPORAL_DELIMITER, None, &[]);
        let mut keyframes = Vec::new();
        let mut rest = stream.strip_prefix(&delimiter[..]).expect("a stream starts with a delimiter");
        while !rest.is_empty() {
            let (mut end, mut next) = (0, rest);
            while !next.is_empty() && !next.starts_with(&delimiter) {
                next = Obu::parse(next).unwrap().1;
                end = rest.len() - next.len();
            }
            let (sent, got) = round_trip(&encoded(rest[..end].to_vec(), keyframes.len() % 4 == 0));
            assert_eq!(got.data, rest[..end]);
            assert_eq!(may_start_keyframe(&sent.payloads[0]), got.keyframe);
            keyframes.push(got.keyframe);
            rest = next.strip_prefix(&delimiter[..]).unwrap_or(next);
        }
        assert_eq!(keyframes, [true, false, false, false, true, false]);
    }

    proptest! {
        #[test]
        fn any_unit_survives_the_wire(
            obus in prop::collection::vec((3u8..=7, prop::option::of(any::<u8>()), 0usize..4000, any::<u8>()), 1..12),
            small in prop::collection::vec(0usize..6, 12),
        ) {
            let mut data = Vec::new();
            for (n, (kind, extension, len, fill)) in obus.iter().enumerate() {
                let len = if small[n] == 0 { *len } else { small[n] };
                data.extend(obu(*kind, *extension, &vec![*fill; len]));
            }
            let (_, got) = round_trip(&encoded(data.clone(), false));
            prop_assert_eq!(got.data, data);
        }

        #[test]
        fn hostile_bytes_never_panic(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..6)) {
            for payload in &payloads {
                may_start_keyframe(payload);
            }
            if let Ok(unit) = depacketise(payloads.iter().map(|payload| &payload[..])) {
                prop_assert!(is_well_formed(&unit.data));
            }
            Packetiser::new().packetise(&encoded(payloads.concat(), true));
        }
    }
}
