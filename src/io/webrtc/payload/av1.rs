//! **The question:** how does an AV1 temporal unit lie in RTP payloads? Both ways: once per outgoing frame, however
//! many peers read it, and once per incoming one. Source: "RTP Payload Format for AV1" v1.0 (section numbers below are
//! its). Pure; hostile bytes are an error, never a panic.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use rtc_rtp::codec::av1::Av1Payloader;
use rtc_rtp::packetizer::Payloader;

use crate::base::limits;
use crate::base::media::{Size, TemporalLayer};
use crate::core::bitstream::av1::{
    Obu, ObuError, ObuKind, Obus, SequenceHeader, is_reduced_still_picture, is_shown_keyframe, read_leb128,
};
use crate::io::webrtc::payload::unit::{MalformedPayload, Unit};

/// Aggregation header, section 4.4: the first element continues the previous packet's last OBU.
const CONTINUES: u8 = 0b1000_0000;
/// The last element goes on in the next packet.
const GOES_ON: u8 = 0b0100_0000;
/// The packet is the first of a coded video sequence.
const NEW_SEQUENCE: u8 = 0b0000_1000;

/// The payloads of one temporal unit: OBUs lose their size fields (section 5), delimiters, tile lists and padding go,
/// and the N bit stands on a keyframe's first payload only. None if the bytes are no well-formed temporal unit.
pub(super) fn packetise(payloader: &mut Av1Payloader, unit: &Bytes, keyframe: bool) -> Vec<Arc<[u8]>> {
    // The payloader slices by the sizes it reads, unchecked: it only ever sees units that this walk has accepted.
    let cut = if is_well_formed(unit) { payloader.payload(limits::RTP_PAYLOAD_LEN, unit) } else { Ok(Vec::new()) };
    let mut payloads = cut.unwrap_or_default();
    if let Some(first) = payloads.first_mut() {
        *first = with_new_sequence(first, keyframe);
    }
    payloads.iter().map(|payload| Arc::from(&payload[..])).collect()
}

/// Puts together the temporal unit whose payloads, all of them and in order, are `payloads` (section 4.3).
///
/// # Errors
/// Whatever the payload format forbids, a unit that starts or ends inside an OBU among it.
pub(super) fn depacketise<'a>(payloads: impl Iterator<Item = &'a [u8]>) -> Result<Unit, MalformedPayload> {
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
    Ok(unit.finish())
}

/// Whether a keyframe may start with this payload: its first OBU is a sequence header, and no frame that starts in it
/// is anything but a keyframe. With `has_header`, a keyframe may also come without one. Cheap and lenient;
/// [`depacketise`] has the last word.
pub(super) fn may_start_keyframe(payload: &[u8], has_header: bool) -> bool {
    let Ok(elements) = Elements::new(payload) else { return false };
    if elements.header & CONTINUES != 0 {
        return false;
    }
    let mut reduced = None;
    for element in elements {
        let Ok(Ok(obu)) = element.map(Obu::begin) else { return false };
        match obu.kind() {
            ObuKind::TemporalDelimiter => {}
            ObuKind::SequenceHeader => reduced = Some(is_reduced_still_picture(obu.payload)),
            ObuKind::Frame | ObuKind::FrameHeader => {
                let reduced = reduced.or(has_header.then_some(false));
                return reduced.is_some_and(|reduced| is_shown_keyframe(obu.payload, reduced));
            }
            ObuKind::Metadata if has_header => {}
            _ if reduced.is_none() => return false,
            _ => {}
        }
    }
    reduced.is_some()
}

/// Extent of the pictures that a keyframe begins which starts with this payload.
pub(super) fn keyframe_size(payload: &[u8]) -> Option<Size> {
    let elements = Elements::new(payload).ok().filter(|elements| elements.header & CONTINUES == 0)?;
    let obus = elements.map_while(Result::ok).filter_map(|element| Obu::split(element).ok());
    let header = obus.map(|(obu, _)| obu).find(|obu| obu.kind() == ObuKind::SequenceHeader)?;
    let mut sized = Vec::new();
    header.write_sized(&mut sized);
    Some(SequenceHeader::parse(&sized.into()).ok()?.size)
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
        let (length, rest) = read_leb128(self.rest).ok()?;
        let (element, rest) = rest.split_at_checked(length)?;
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

#[derive(Default)]
struct UnitBuilder {
    data: Vec<u8>,
    keyframe: bool,
    /// `reduced_still_picture_header` of the sequence header, once there was one.
    reduced: Option<bool>,
    seen_frame: bool,
    /// Where the sequence header lies in `data`.
    header: Option<Range<usize>>,
    lacks_header: bool,
    temporal: Option<TemporalLayer>,
}

impl UnitBuilder {
    fn add(&mut self, bytes: &[u8]) -> Result<(), MalformedPayload> {
        let (obu, rest) = Obu::split(bytes).map_err(|_: ObuError| MalformedPayload)?;
        if !rest.is_empty() {
            return Err(MalformedPayload);
        }
        let start = self.data.len();
        match obu.kind() {
            ObuKind::TemporalDelimiter | ObuKind::TileList | ObuKind::Padding => return Ok(()),
            ObuKind::SequenceHeader => {
                self.reduced = Some(is_reduced_still_picture(obu.payload));
                obu.write_sized(&mut self.data);
                self.header.get_or_insert(start..self.data.len());
                return Ok(());
            }
            ObuKind::Frame | ObuKind::FrameHeader if !self.seen_frame => {
                self.seen_frame = true;
                // Which pictures let a layer begin stands in another place than the bitstream.
                self.temporal = obu.temporal_id().map(|id| TemporalLayer { id, is_sync: false });
                self.keyframe = self.reduced.is_some_and(|reduced| is_shown_keyframe(obu.payload, reduced));
                self.lacks_header = self.reduced.is_none() && is_shown_keyframe(obu.payload, false);
            }
            _ => {}
        }
        obu.write_sized(&mut self.data);
        Ok(())
    }

    fn finish(self) -> Unit {
        let data = Bytes::from(self.data);
        let header = self.header.map(|range| data.slice(range));
        let Self { keyframe, lacks_header, temporal, .. } = self;
        Unit { data, keyframe, header, lacks_header, temporal }
    }
}

fn is_well_formed(unit: &[u8]) -> bool {
    Obus::of(unit).all(|obu| obu.is_ok())
}

fn with_new_sequence(payload: &Bytes, keyframe: bool) -> Bytes {
    let mut bytes = payload.to_vec();
    if let Some(header) = bytes.first_mut() {
        *header = (*header & !NEW_SEQUENCE) | if keyframe { NEW_SEQUENCE } else { 0 };
    }
    Bytes::from(bytes)
}

#[cfg(test)]
pub(in crate::io::webrtc) mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{Codec, EncodedFrame, Pts};
    use crate::core::bitstream::av1::put_leb128;
    use crate::io::webrtc::payload::{Packetised, Packetiser};

    const SEQUENCE_HEADER: u8 = 1;
    const TEMPORAL_DELIMITER: u8 = 2;
    const FRAME: u8 = 6;
    const PADDING: u8 = 15;
    const HAS_EXTENSION: u8 = 0b0000_0100;
    const HAS_SIZE: u8 = 0b0000_0010;

    /// An OBU with a size field.
    fn obu(kind: u8, extension: Option<u8>, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind << 3 | HAS_SIZE | if extension.is_some() { HAS_EXTENSION } else { 0 }];
        bytes.extend(extension);
        put_leb128(&mut bytes, payload.len());
        bytes.extend_from_slice(payload);
        bytes
    }

    /// A temporal unit with a frame OBU of `len` bytes filled with `fill`, behind a sequence header if it is a
    /// keyframe.
    pub fn unit(keyframe: bool, len: usize, fill: u8) -> Arc<EncodedFrame> {
        let mut data = if keyframe { obu(SEQUENCE_HEADER, None, &[0, 1, 2, 3]) } else { Vec::new() };
        let mut payload = vec![fill; len.max(1)];
        payload[0] = if keyframe { 0b0001_0000 } else { 0b0011_0000 };
        data.extend(obu(FRAME, None, &payload));
        encoded(data, keyframe)
    }

    fn encoded(data: Vec<u8>, keyframe: bool) -> Arc<EncodedFrame> {
        Arc::new(EncodedFrame { codec: Codec::Av1, data: data.into(), pts: Pts(0), keyframe })
    }

    fn round_trip(frame: &Arc<EncodedFrame>) -> (Packetised, Unit) {
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
        assert!(!got.keyframe && !may_start_keyframe(&sent.payloads[0], false));
    }

    #[test]
    fn delimiters_and_padding_are_not_sent_nor_kept() {
        let kept = unit(true, 40, 9);
        let mut data = obu(TEMPORAL_DELIMITER, None, &[]);
        data.extend_from_slice(&kept.data);
        data.extend(obu(PADDING, None, &[0; 30]));
        let (_, got) = round_trip(&encoded(data, true));
        assert_eq!((&got.data, got.keyframe), (&kept.data, true));
        let wire: [&[u8]; 1] = [&[0b0010_0000, 1, TEMPORAL_DELIMITER << 3, FRAME << 3, 0b0011_0000]];
        assert_eq!(depacketise(wire.into_iter()).unwrap().data[..], [FRAME << 3 | HAS_SIZE, 1, 0b0011_0000]);
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
                next = Obu::split(next).unwrap().1;
                end = rest.len() - next.len();
            }
            let (sent, got) = round_trip(&encoded(rest[..end].to_vec(), keyframes.len() % 4 == 0));
            assert_eq!(&got.data[..], &rest[..end]);
            assert_eq!(may_start_keyframe(&sent.payloads[0], false), got.keyframe);
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
        fn hostile_bytes_never_panic(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 1..6),
        ) {
            for payload in &payloads {
                let _ = (may_start_keyframe(payload, false), may_start_keyframe(payload, true));
            }
            if let Ok(unit) = depacketise(payloads.iter().map(|payload| &payload[..])) {
                prop_assert!(is_well_formed(&unit.data));
            }
            Packetiser::new().packetise(&encoded(payloads.concat(), true));
        }
    }
}
