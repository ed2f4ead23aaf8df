//! **The question:** which samples does an MP4 file hold (ISO/IEC 14496-12), fragmented or not? The boxes are parsed by
//! mp4-atom; `mp4_index` turns them into places in the file.

use std::collections::VecDeque;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use bytes::Bytes;
use mp4_atom::{Codec, Decode, Moof, Moov, Trak};

use crate::base::limits;
use crate::base::media::Size;
use crate::io::demux::mp4_index::{Clock, Place, fragment, whole};
use crate::io::demux::stored::{
    Coding, Fault, NOMINAL, Pictures, Reader, Stored, Track, read_bytes, sample_len, span, with_sequence,
};

struct Mp4 {
    file: Reader,
    clock: Clock,
    track_id: u32,
    defaults: mp4_atom::Trex,
    /// Samples known and not read yet.
    places: VecDeque<Place>,
    /// Where to look for the next fragment; `None` when there are none.
    fragments_from: Option<u64>,
    config: Bytes,
    video: bool,
}

/// One box as it lies in the file.
struct Atom {
    kind: [u8; 4],
    at: u64,
    end: u64,
}

pub(super) fn pictures(mut file: Reader) -> Result<Pictures, Fault> {
    let (moov, end) = movie(&mut file)?;
    let trak = moov.trak.iter().find(|trak| trak.mdia.hdlr.handler == b"vide".into()).ok_or(Fault::NoPictures)?;
    let codec = trak.mdia.minf.stbl.stsd.codecs.first().ok_or(Fault::NoPictures)?;
    let Codec::Av01(av01) = codec else { return Err(Fault::Codec(name_of(codec))) };
    let size = Size::new(av01.visual.width.into(), av01.visual.height.into());
    let movie_scale = moov.mvhd.timescale.into();
    let fragmented = moov.mvex.as_ref().and_then(|mvex| mvex.mehd.as_ref()).map(|mehd| mehd.fragment_duration);
    let total = fragmented.filter(|units| *units > 0).or(Some(moov.mvhd.duration)).filter(|units| *units > 0);
    let total = total.map(|units| span(units, movie_scale));
    let config = av01.av1c.config_obus.clone().into();
    let track = Box::new(Mp4::new(file, &moov, trak, end, config, true)?);
    Ok(Pictures { coding: Coding::Av1, size, span: total, nominal: NOMINAL, track })
}

pub(super) fn sound(mut file: Reader) -> Result<Option<Box<dyn Track>>, Fault> {
    let (moov, end) = movie(&mut file)?;
    let is_opus = |trak: &&Trak| matches!(trak.mdia.minf.stbl.stsd.codecs.first(), Some(Codec::Opus(_)));
    let Some(trak) = moov.trak.iter().find(is_opus) else { return Ok(None) };
    Ok(Some(Box::new(Mp4::new(file, &moov, trak, end, Bytes::new(), false)?)))
}

fn name_of(codec: &Codec) -> String {
    match codec {
        Codec::Avc1(_) | Codec::Avc3(_) => "H.264".to_owned(),
        Codec::Hev1(_) | Codec::Hvc1(_) => "HEVC".to_owned(),
        Codec::Vp08(_) => "VP8".to_owned(),
        Codec::Vp09(_) => "VP9".to_owned(),
        Codec::Unknown(kind, ..) => kind.to_string(),
        _ => "another codec".to_owned(),
    }
}

/// Finds and parses `moov`; also where the box after it begins.
fn movie(file: &mut Reader) -> Result<(Moov, u64), Fault> {
    let len = file.get_ref().metadata()?.len();
    let mut at = 0;
    while let Some(atom) = atom(file, at, len)? {
        if &atom.kind == b"moov" {
            return Ok((parse(file, &atom)?, atom.end));
        }
        at = atom.end;
    }
    Err(Fault::Broken("its index (moov) is missing: was it cut off?".into()))
}

/// The box at `at`; `None` at the end of the file.
fn atom(file: &mut Reader, at: u64, len: u64) -> Result<Option<Atom>, Fault> {
    if at >= len {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let header = read_bytes(file, 8)?;
    let (size, kind) = header.split_at(4);
    let short = u32::from_be_bytes(size.try_into().expect("split at four"));
    let kind: [u8; 4] = kind.try_into().expect("eight bytes less four");
    let (header_len, size) = match short {
        0 => (8, len - at),
        1 => {
            let large = read_bytes(file, 8)?;
            (16, u64::from_be_bytes(large[..].try_into().expect("eight bytes")))
        }
        short => (8, u64::from(short)),
    };
    let end = at.checked_add(size).filter(|_| size >= header_len);
    let end = end.ok_or_else(|| Fault::Broken(format!("a box of {size} bytes at {at}")))?;
    Ok(Some(Atom { kind, at, end }))
}

fn parse<A: Decode>(file: &mut Reader, atom: &Atom) -> Result<A, Fault> {
    let len = atom.end - atom.at;
    if len > limits::MP4_INDEX_LEN_MAX {
        return Err(Fault::Broken(format!("an index of {len} bytes")));
    }
    file.seek(SeekFrom::Start(atom.at))?;
    let bytes = read_bytes(file, usize::try_from(len).expect("bounded above"))?;
    A::decode(&mut &bytes[..]).map_err(|error| Fault::Broken(error.to_string()))
}

impl Mp4 {
    fn new(file: Reader, moov: &Moov, trak: &Trak, end: u64, config: Bytes, video: bool) -> Result<Self, Fault> {
        let track_id = trak.tkhd.track_id;
        let trex = moov.mvex.as_ref().and_then(|mvex| mvex.trex.iter().find(|trex| trex.track_id == track_id));
        let clock = Clock::of(trak, moov.mvhd.timescale.into());
        let places = whole(&trak.mdia.minf.stbl)?;
        let fragments_from = moov.mvex.is_some().then_some(end);
        let defaults = trex.cloned().unwrap_or_default();
        Ok(Self { file, clock, track_id, defaults, places, fragments_from, config, video })
    }

    /// Reads on until samples are known; false at the end of the file.
    fn find_places(&mut self) -> Result<bool, Fault> {
        let len = self.file.get_ref().metadata()?.len();
        while self.places.is_empty() {
            let Some(at) = self.fragments_from else { return Ok(false) };
            let Some(atom) = atom(&mut self.file, at, len)? else { return Ok(false) };
            self.fragments_from = Some(atom.end);
            if &atom.kind == b"moof" {
                let moof: Moof = parse(&mut self.file, &atom)?;
                for traf in moof.traf.iter().filter(|traf| traf.tfhd.track_id == self.track_id) {
                    fragment(traf, &self.defaults, atom.at, &mut self.clock, &mut self.places)?;
                }
            }
        }
        Ok(true)
    }
}

impl Track for Mp4 {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        if !self.find_places()? {
            return Ok(None);
        }
        let place = self.places.pop_front().expect("just found");
        let len = sample_len(place.len.into())?;
        // A relative seek keeps the buffer where the samples lie side by side.
        let here = self.file.stream_position()?;
        let forth = i64::try_from(i128::from(place.offset) - i128::from(here)).map_err(|_| Fault::Cut)?;
        self.file.seek_relative(forth)?;
        let mut data = Vec::with_capacity(len);
        (&mut self.file).take(len as u64).read_to_end(&mut data)?;
        if data.len() < len {
            return Err(Fault::Cut);
        }
        let (at, skip) = self.clock.heard_at(place.time);
        let span: Duration = self.clock.span(place.units.into());
        let keyframe = !self.video || place.keyframe;
        let data = with_sequence(data.into(), self.video && keyframe, &self.config);
        Ok(Some(Stored { at, skip, span: (place.units > 0).then_some(span), data, keyframe }))
    }
}
