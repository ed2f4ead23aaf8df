//! **The question:** which pictures does a YUV4MPEG2 file hold? A line of parameters, then pictures, each behind a line
//! that begins with `FRAME`. The format has no other specification than mjpegtools' manual page yuv4mpeg(5).

use std::io::{BufRead, Read};
use std::path::Path;
use std::time::Duration;

use crate::base::limits;
use crate::base::media::{Pts, Size};
use crate::engine::decode::Reshape;
use crate::io::demux::stored::{
    Coding, Fault, Media, Pictures, Reader, Stored, Track, check_size, read_bytes, reader, span,
};

struct Y4m {
    file: Reader,
    frame_len: usize,
    /// Frames a second: a fraction.
    rate: u64,
    scale: u64,
    number: u64,
}

pub(super) fn open(path: &Path) -> Result<Media, Fault> {
    let pictures = Some(pictures(reader(path)?)?);
    Ok(Media { pictures, ..Media::default() })
}

/// Two numbers, neither of them 0.
fn pair(value: &str) -> Option<(u32, u32)> {
    let pair = value.split_once(':').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    pair.filter(|(a, b)| *a > 0 && *b > 0)
}

fn pictures(mut file: Reader) -> Result<Pictures, Fault> {
    let line = line(&mut file)?.ok_or(Fault::Cut)?;
    let (mut size, mut rate, mut scale, mut full_range) = (Size::new(0, 0), 30, 1, false);
    let mut reshape = Reshape::default();
    for word in line.split(' ').skip(1) {
        let (name, value) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        let number = || value.parse::<u32>().map_err(|_| Fault::Broken(format!("its header says '{word}'")));
        match name {
            "W" => size.width = number()?,
            "H" => size.height = number()?,
            "F" => (rate, scale) = pair(value).map_or((30, 1), |(rate, scale)| (rate.into(), scale.into())),
            // 0:0 is unknown.
            "A" => reshape.aspect = pair(value).unwrap_or((1, 1)),
            // 420, 420jpeg, 420mpeg2, 420paldv: chroma sited a quarter sample apart; 420p10 and the like are deeper.
            "C" if !value.starts_with("420") || value.starts_with("420p1") => {
                return Err(Fault::Kind(format!("{value} pictures")));
            }
            "X" if value == "COLORRANGE=FULL" => full_range = true,
            _ => {}
        }
    }
    check_size(size)?;
    let pixels = u64::from(size.width) * u64::from(size.height);
    if pixels == 0 {
        return Err(Fault::Broken("its header gives no size".into()));
    }
    let chroma = u64::from(size.width.div_ceil(2)) * u64::from(size.height.div_ceil(2));
    let frame_len = usize::try_from(pixels + 2 * chroma).expect("bounded by limits::INGEST_PIXELS_MAX");
    let bytes = file.get_ref().metadata()?.len();
    let frames = bytes / (frame_len as u64 + 6);
    let nominal = span(scale, rate);
    let track = Box::new(Y4m { file, frame_len, rate, scale, number: 0 });
    let (coding, total) = (Coding::Raw { full_range }, Some(span(frames * scale, rate)));
    Ok(Pictures { coding, size, span: total, nominal, reshape, colour: None, stated: None, track })
}

/// One line without its end; `None` at the end of the file.
fn line(file: &mut Reader) -> Result<Option<String>, Fault> {
    let mut line = Vec::new();
    file.take(limits::Y4M_LINE_LEN_MAX).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    match line.pop() {
        Some(b'\n') => String::from_utf8(line).map(Some).map_err(|_| Fault::Broken("a line that is no text".into())),
        _ if line.len() as u64 + 1 == limits::Y4M_LINE_LEN_MAX => Err(Fault::Broken("a line without an end".into())),
        _ => Err(Fault::Cut),
    }
}

impl Track for Y4m {
    fn next(&mut self) -> Result<Option<Stored>, Fault> {
        let Some(line) = line(&mut self.file)? else { return Ok(None) };
        if !line.starts_with("FRAME") {
            return Err(Fault::Broken(format!("a picture that begins with '{}'", line.escape_default())));
        }
        let data = read_bytes(&mut self.file, self.frame_len)?;
        let at = Pts(0) + span(self.number.saturating_mul(self.scale), self.rate);
        self.number += 1;
        let span = Some(span(self.scale, self.rate));
        Ok(Some(Stored { at, skip: Duration::ZERO, trim: Duration::ZERO, span, data, keyframe: true }))
    }
}
