//! **The question:** which Opus packets does an Ogg file hold (RFC 3533, RFC 7845)? Pages of any number of streams; the
//! first of Opus is heard, and another one that follows it (a chain, as radio streams are saved) goes on behind it.

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits;
use crate::base::media::Pts;
use crate::core::bitstream::opus;
use crate::core::bitstream::opus_head::OpusHead;
use crate::io::demux::stored::{
    Fault, Media, Reader, Sound, Stored, Track, broken, read_bytes, reader, sample_len, span,
};

/// Bytes of a page before its table of lengths (RFC 3533 section 6).
const HEADER_BYTES: usize = 27;
/// Header-type flags: the page begins with the rest of a packet; it is the first of its stream; the last.
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
/// Where the last page lies at the latest, from the end: the longest page.
const PAGE_BYTES: u64 = 65_307;

/// One page.
struct Page {
    flags: u8,
    /// Samples at 48 kHz that its stream holds up to its last whole packet; all ones: none ends here.
    granule: u64,
    stream: u32,
    /// Packets, the last of which may go on.
    packets: Vec<Bytes>,
    is_open: bool,
}

struct Ogg {
    file: Reader,
    stream: Option<u32>,
    /// Header packets that are still to come.
    headers: u8,
    /// The beginning of a packet that goes on.
    open: Vec<u8>,
    waiting: VecDeque<Stored>,
    /// Samples at 48 kHz of the packets so far, and how many before the first are decoded only.
    samples: u64,
    skip: u64,
    /// Samples so far of streams before this one.
    before: u64,
}

pub(super) fn open(path: &Path) -> Result<Media, Fault> {
    let head = first_head(&mut reader(path)?)?;
    let span = last_granule(&mut reader(path)?)?;
    let span = span.map(|granule| samples_span(granule.saturating_sub(head.pre_skip.into())));
    let (file, waiting) = (reader(path)?, VecDeque::new());
    let track = Ogg { file, stream: None, headers: 0, open: Vec::new(), waiting, samples: 0, skip: 0, before: 0 };
    // A saved stream may begin anywhere in its time; then the end says nothing.
    let span = span.filter(|span| *span < Duration::from_secs(24 * 3600));
    Ok(Media { sound: Some(Sound { head, span, track: Box::new(track) }), ..Media::default() })
}

/// The header of the first stream of Opus; what other streams hold if there is none.
fn first_head(file: &mut Reader) -> Result<OpusHead, Fault> {
    let mut other = None;
    // All streams begin before any of them goes on (RFC 3533 section 4).
    while let Some(page) = page(file)?.filter(|page| page.flags & FIRST != 0) {
        let first = page.packets.first().map_or(&[][..], |packet| &packet[..]);
        if first.starts_with(b"OpusHead") {
            return Ok(OpusHead::parse(first)?);
        }
        other = other.or(Some(name_of(first)));
    }
    Err(other.map_or(Fault::Nothing, |codec| Fault::SoundCodec(codec.to_owned())))
}

fn name_of(first: &[u8]) -> &'static str {
    match first {
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => "Vorbis",
        [0x7f, b'F', b'L', b'A', b'C', ..] => "FLAC",
        [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => "Theora",
        [b'S', b'p', b'e', b'e', b'x', ..] => "Speex",
        _ => "another codec",
    }
}

/// What the last page of the file says of its end.
fn last_granule(file: &mut Reader) -> Result<Option<u64>, Fault> {
    let len = file.get_ref().metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(PAGE_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let last = end.windows(4).rposition(|window| window == b"OggS");
    let granule = last.and_then(|at| end.get(at + 6..at + 14)).and_then(|bytes| bytes.try_into().ok());
    Ok(granule.map(u64::from_le_bytes).filter(|granule| *granule != u64::MAX))
}

/// The next page; `None` at the end of the file.
fn page(file: &mut Reader) -> Result<Option<Page>, Fault> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Ok(None);
    }
    let header = header.first_chunk::<HEADER_BYTES>().ok_or(Fault::Cut)?;
    if !header.starts_with(b"OggS") {
        return Err(broken("no page begins where the last one ended"));
    }
    let granule = u64::from_le_bytes(header[6..14].try_into().expect("eight bytes"));
    let stream = u32::from_le_bytes(header[14..18].try_into().expect("four bytes"));
    let lengths = read_bytes(file, header[26].into())?;
    let body = read_bytes(file, lengths.iter().map(|length| usize::from(*length)).sum())?;
    let (mut packets, mut from, mut to) = (Vec::new(), 0, 0);
    for length in &lengths {
        to += usize::from(*length);
        if *length < 255 {
            packets.push(body.slice(from..to));
            from = to;
        }
    }
    let is_open = lengths.last() == Some(&255);
    if is_open {
        packets.push(body.slice(from..to));
    }
    Ok(Some(Page { flags: header[5], granule, stream, packets, is_open }))
}

impl Track for Ogg {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        loop {
            if let Some(stored) = self.waiting.pop_front() {
                return Ok(Some(stored));
            }
            let Some(page) = page(&mut self.file)? else { return Ok(None) };
            self.take(page)?;
        }
    }
}

impl Ogg {
    fn take(&mut self, page: Page) -> Result<(), Fault> {
        if page.flags & FIRST != 0 && self.stream.is_none() {
            let head = page.packets.first().filter(|packet| packet.starts_with(b"OpusHead"));
            let Some(head) = head else { return Ok(()) };
            self.skip = OpusHead::parse(head)?.pre_skip.into();
            (self.stream, self.headers, self.samples) = (Some(page.stream), 1, 0);
            return Ok(());
        }
        if self.stream != Some(page.stream) {
            return Ok(());
        }
        let whole = page.packets.len() - usize::from(page.is_open);
        if page.flags & CONTINUED == 0 {
            self.open.clear();
        }
        let begun = self.waiting.len();
        for (number, packet) in page.packets.iter().enumerate() {
            sample_len((self.open.len() + packet.len()) as u64)?;
            if number == whole {
                self.open.extend_from_slice(packet);
            } else if self.open.is_empty() {
                self.packet(packet.clone());
            } else {
                self.open.extend_from_slice(packet);
                let packet = std::mem::take(&mut self.open);
                self.packet(packet.into());
            }
        }
        if page.flags & LAST != 0 {
            self.end(page.granule, begun);
        }
        Ok(())
    }

    fn packet(&mut self, data: Bytes) {
        if self.headers > 0 {
            // The comments (RFC 7845 section 5.2).
            self.headers -= 1;
            return;
        }
        // What is no packet of Opus lasts no time.
        let samples = u64::from(opus::packet_samples(&data).unwrap_or(0));
        let skip = self.skip.saturating_sub(self.samples).min(samples);
        let at = Pts(0) + samples_span(self.before + (self.samples + skip).saturating_sub(self.skip));
        self.samples += samples;
        let span = (samples > 0).then(|| samples_span(samples));
        self.waiting.push_back(Stored {
            at,
            skip: samples_span(skip),
            trim: Duration::ZERO,
            span,
            data,
            keyframe: true,
        });
    }

    /// The last page of the stream: what it says less than its packets hold is padding (RFC 7845 section 4.4).
    fn end(&mut self, granule: u64, begun: usize) {
        let mut padding = self.samples.saturating_sub(granule);
        // A stream that was cut out of another has larger numbers, and one of no use; then nothing is padding.
        if granule == u64::MAX || padding > u64::from(opus::LONGEST_PACKET_SAMPLES) {
            padding = 0;
        }
        self.before += self.samples.saturating_sub(self.skip + padding);
        for stored in self.waiting.iter_mut().skip(begun).rev() {
            let trim = samples_span(padding).min(stored.span.unwrap_or_default());
            stored.trim = trim;
            padding = padding.saturating_sub(trim.as_nanos() as u64 * u64::from(limits::SAMPLE_RATE) / 1_000_000_000);
        }
        self.stream = None;
    }
}

fn samples_span(samples: u64) -> Duration {
    span(samples, limits::SAMPLE_RATE.into())
}
