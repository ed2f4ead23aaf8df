//! **The question:** which samples does an MP4 file hold (ISO/IEC 14496-12), fragmented or not? The boxes are parsed by
//! mp4-atom; `mp4_index` turns them into places in the file.

use std::collections::VecDeque;
use std::io::{Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use mp4_atom::{Codec, Decode, Dops, Moof, Mvex, Mvhd, Trak};

use crate::base::limits;
use crate::base::media::Size;
use crate::core::bitstream::opus_head::OpusHead;
use crate::core::fmp4::HANDLER_NAME;
use crate::io::demux::mp4_edits::{Edits, Shown};
use crate::io::demux::mp4_index::{Place, fragment, whole};
use crate::io::demux::mp4_picture::{colour, reshape};
use crate::io::demux::stored::{
    Coding, Fault, Media, NOMINAL, Pictures, Reader, Sound, Stored, Track, broken, read_bytes, reader, sample_len,
    span, with_sequence,
};

struct Mp4 {
    file: Reader,
    edits: Edits,
    track_id: u32,
    defaults: mp4_atom::Trex,
    /// Samples known and not read yet.
    places: VecDeque<Place>,
    /// Where to look for the next fragment; `None` when there are none.
    fragments_from: Option<u64>,
    /// Where a fragment begins that does not say.
    next: u64,
    config: Bytes,
    video: bool,
}

/// One box as it lies in the file.
struct Atom {
    kind: [u8; 4],
    at: u64,
    /// Where what it holds begins.
    inner: u64,
    end: u64,
}

/// What `moov` says, track by track, so that one that cannot be read spoils no other.
struct Movie {
    mvhd: Mvhd,
    mvex: Option<Mvex>,
    /// Tracks, and their boxes as they are stored.
    traks: Vec<(Trak, Bytes)>,
    /// Where the box after it begins.
    end: u64,
}

pub(super) fn open(path: &Path) -> Result<Media, Fault> {
    let movie = Movie::read(&mut reader(path)?)?;
    let mut media = Media { keeps_time: movie.is_own_track(), ..Media::default() };
    let (videos, sounds) = (movie.tracks(b"vide"), movie.tracks(b"soun"));
    if let Some((trak, bytes)) = chosen(&videos, |codec| matches!(codec, Codec::Av01(_))) {
        media.note_others(videos.len(), "picture", "shown");
        media.pictures = Some(movie.pictures(path, trak, bytes)?);
    } else if let Some(codec) = videos.first().and_then(|(trak, _)| codec_of(trak)) {
        return Err(Fault::Codec(name_of(codec)));
    }
    if let Some((trak, _)) = chosen(&sounds, |codec| matches!(codec, Codec::Opus(_))) {
        media.note_others(sounds.len(), "sound", "heard");
        media.sound = Some(movie.sound(path, trak)?);
    } else if let Some(codec) = sounds.first().and_then(|(trak, _)| codec_of(trak)) {
        let codec = name_of(codec);
        if media.pictures.is_none() {
            return Err(Fault::SoundCodec(codec));
        }
        media.notes.push(format!("its sound is {codec}, not Opus, and left out"));
    }
    Ok(media)
}

fn codec_of(trak: &Trak) -> Option<&Codec> {
    trak.mdia.minf.stbl.stsd.codecs.first()
}

/// The track that a player would choose unasked, among those that can be read.
fn chosen<'a>(tracks: &[&'a (Trak, Bytes)], reads: impl Fn(&Codec) -> bool) -> Option<(&'a Trak, &'a Bytes)> {
    tracks.iter().find(|(trak, _)| codec_of(trak).is_some_and(&reads)).map(|(trak, bytes)| (trak, bytes))
}

impl Movie {
    /// Finds and parses `moov`.
    fn read(file: &mut Reader) -> Result<Self, Fault> {
        let len = file.get_ref().metadata()?.len();
        let mut at = 0;
        while let Some(found) = atom(file, at, len)? {
            if &found.kind == b"moov" {
                return Self::parse(file, &found);
            }
            at = found.end;
        }
        Err(broken("its index (moov) is missing: was it cut off?"))
    }

    fn parse(file: &mut Reader, moov: &Atom) -> Result<Self, Fault> {
        let (mut mvhd, mut mvex, mut traks, mut fault) = (None, None, Vec::new(), None);
        let mut at = moov.inner;
        while let Some(found) = atom(file, at, moov.end)? {
            match &found.kind {
                b"mvhd" => mvhd = Some(parse(file, &found)?),
                b"mvex" => mvex = Some(parse(file, &found)?),
                b"trak" => {
                    let bytes = body(file, &found)?;
                    match Trak::decode(&mut &bytes[..]) {
                        Ok(trak) => traks.push((trak, bytes.slice((found.inner - found.at) as usize..))),
                        Err(error) => fault = Some(broken(error.to_string())),
                    }
                }
                _ => {}
            }
            at = found.end;
        }
        match (traks.is_empty(), fault) {
            (true, Some(fault)) => Err(fault),
            _ => {
                let mvhd = mvhd.ok_or_else(|| broken("its index has no head (mvhd)"))?;
                Ok(Self { mvhd, mvex, traks, end: moov.end })
            }
        }
    }

    /// Whether this is one of a recording's own tracks, whose times are those of the recording: they line up with each
    /// other, and must not begin at their first sample.
    fn is_own_track(&self) -> bool {
        matches!(&self.traks[..], [(trak, _)] if self.mvex.is_some() && trak.mdia.hdlr.name == HANDLER_NAME)
    }

    /// The tracks of a kind that are meant to be played: those enabled, or all if none is.
    fn tracks(&self, handler: &[u8; 4]) -> Vec<&(Trak, Bytes)> {
        let all: Vec<_> = self.traks.iter().filter(|(trak, _)| trak.mdia.hdlr.handler == handler.into()).collect();
        let enabled: Vec<_> = all.iter().filter(|(trak, _)| trak.tkhd.enabled).copied().collect();
        if enabled.is_empty() { all } else { enabled }
    }

    /// How long it plays, if it says.
    fn span(&self) -> Option<Duration> {
        let fragmented = self.mvex.as_ref().and_then(|mvex| mvex.mehd.as_ref()).map(|mehd| mehd.fragment_duration);
        let total = fragmented.filter(|units| *units > 0).or((self.mvhd.duration > 0).then_some(self.mvhd.duration));
        // All ones: unknown.
        let total = total.filter(|units| *units < u64::from(u32::MAX));
        total.map(|units| span(units, self.mvhd.timescale.into()))
    }

    fn pictures(&self, path: &Path, trak: &Trak, bytes: &[u8]) -> Result<Pictures, Fault> {
        let Some(Codec::Av01(av01)) = codec_of(trak) else { return Err(Fault::Nothing) };
        let size = Size::new(av01.visual.width.into(), av01.visual.height.into());
        let (reshape, stated) = (reshape(&self.mvhd, &trak.tkhd, av01, bytes)?, colour(av01));
        let config = av01.av1c.config_obus.clone().into();
        let track = Box::new(Mp4::new(reader(path)?, self, trak, config, true)?);
        Ok(Pictures {
            coding: Coding::Av1,
            size,
            span: self.span(),
            nominal: NOMINAL,
            reshape,
            colour: None,
            stated,
            track,
        })
    }

    fn sound(&self, path: &Path, trak: &Trak) -> Result<Sound, Fault> {
        let Some(Codec::Opus(opus)) = codec_of(trak) else { return Err(Fault::Nothing) };
        let head = opus_head(&opus.dops)?;
        let track = Box::new(Mp4::new(reader(path)?, self, trak, Bytes::new(), false)?);
        Ok(Sound { head, span: self.span(), track })
    }
}

fn opus_head(dops: &Dops) -> Result<OpusHead, Fault> {
    let table = dops.channel_mapping.as_ref().map(|table| {
        let fixed = [table.stream_count, table.coupled_count];
        (table.family, [&fixed[..], &table.channel_mapping].concat())
    });
    let family = table.as_ref().map_or(0, |(family, _)| *family);
    let table = table.as_ref().map(|(_, table)| &table[..]);
    Ok(OpusHead::of(dops.output_channel_count, dops.pre_skip, dops.output_gain, family, table)?)
}

fn name_of(codec: &Codec) -> String {
    match codec {
        Codec::Avc1(_) | Codec::Avc3(_) => "H.264".to_owned(),
        Codec::Hev1(_) | Codec::Hvc1(_) => "HEVC".to_owned(),
        Codec::Vp08(_) => "VP8".to_owned(),
        Codec::Vp09(_) => "VP9".to_owned(),
        Codec::Mp4a(_) => "AAC".to_owned(),
        Codec::Flac(_) => "FLAC".to_owned(),
        Codec::Unknown(kind, ..) if matches!(&<[u8; 4]>::from(*kind), b"encv" | b"enca") => "encrypted samples".into(),
        Codec::Unknown(kind, ..) => kind.to_string(),
        _ => "another codec".to_owned(),
    }
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
    Ok(Some(Atom { kind, at, inner: at + header_len, end }))
}

fn parse<A: Decode>(file: &mut Reader, atom: &Atom) -> Result<A, Fault> {
    let bytes = body(file, atom)?;
    A::decode(&mut &bytes[..]).map_err(|error| broken(error.to_string()))
}

/// A box with its head.
fn body(file: &mut Reader, atom: &Atom) -> Result<Bytes, Fault> {
    let len = atom.end - atom.at;
    let fits = usize::try_from(len).ok().filter(|_| len <= limits::MP4_INDEX_LEN_MAX);
    let len = fits.ok_or_else(|| broken(format!("an index of {len} bytes")))?;
    file.seek(SeekFrom::Start(atom.at))?;
    read_bytes(file, len)
}

impl Mp4 {
    fn new(file: Reader, movie: &Movie, trak: &Trak, config: Bytes, video: bool) -> Result<Self, Fault> {
        let track_id = trak.tkhd.track_id;
        let trex = movie.mvex.as_ref().and_then(|mvex| mvex.trex.iter().find(|trex| trex.track_id == track_id));
        let edits = Edits::of(trak, movie.mvhd.timescale, movie.mvex.is_some())?;
        let places = whole(&trak.mdia.minf.stbl)?;
        // Fragments without a time of their own go on where the movie's own samples end.
        let next = places.back().map_or(0, |last| u64::try_from(last.time + i128::from(last.units)).unwrap_or(0));
        let fragments_from = movie.mvex.is_some().then_some(movie.end);
        let defaults = trex.cloned().unwrap_or_default();
        Ok(Self { file, edits, track_id, defaults, places, fragments_from, next, config, video })
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
                    fragment(traf, &self.defaults, atom.at, &mut self.next, &mut self.places)?;
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
        let Some(Shown { at, skip, trim }) = self.edits.shown(place.time, place.units) else { return Ok(None) };
        let len = sample_len(place.len.into())?;
        // A relative seek keeps the buffer where the samples lie side by side.
        let here = self.file.stream_position()?;
        let forth = i64::try_from(i128::from(place.offset) - i128::from(here)).map_err(|_| Fault::Cut)?;
        self.file.seek_relative(forth)?;
        let data = read_bytes(&mut self.file, len)?;
        let span = (place.units > 0).then(|| self.edits.span(place.units.into()));
        let keyframe = !self.video || place.keyframe;
        let data = with_sequence(data, self.video && keyframe, &self.config);
        Ok(Some(Stored { at, skip, trim, span, data, keyframe }))
    }
}
