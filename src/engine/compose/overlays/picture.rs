//! **The question:** is this file of a stranger a picture, and one of bearable size? Its header answers before anything
//! is decoded.

use std::io::Cursor;

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::engine::compose::overlays::resize::{covering, fitting, stretched};
use crate::engine::compose::overlays::shrink::{Plan, Shrinker};
use crate::engine::compose::overlays::upright::{orientation, upright};

/// Why a file is not taken. Each says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// Too many bytes.
    #[error("the file has {len} bytes; {} are the limit: save it smaller", limits::PICTURE_LEN_MAX)]
    Long {
        /// How many it has.
        len: usize,
    },
    /// Neither PNG nor JPEG.
    #[error("the file is neither PNG nor JPEG: save the picture as one of these")]
    Format,
    /// Too many pixels.
    #[error(
        "the picture has {} x {} pixels; {} million are the limit for its kind, {} a side: scale it down", size.width,
        size.height, pixels_max / 1_000_000, limits::PICTURE_SIDE_MAX
    )]
    Large {
        /// What its header says.
        size: Size,
        /// How many such a file may have.
        pixels_max: u64,
    },
    /// Its format is known, but what follows the header is not right.
    #[error("the file begins as a picture and then breaks off or is damaged: save it anew")]
    Damaged,
}

/// What a picture will be used for, which says how large it need be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureUse {
    /// Fills this canvas; what stands out is cut off.
    Background(Size),
    /// Fits into this room, its shape kept; smaller ones stay as they are.
    Logo(Size),
    /// A square of at most `limits::AVATAR_SIDE_MAX`, cut from the middle.
    Avatar,
}

impl PictureUse {
    /// A logo on `canvas`. A scene gives it a sixth of the canvas at most; a quarter leaves room for another one.
    #[must_use]
    pub fn logo_on(canvas: Size) -> Self {
        Self::Logo(Size::new((canvas.width / 4).max(1), (canvas.height / 4).max(1)))
    }
}

/// Reads a PNG or JPEG, turned upright as its EXIF data say, and scales it down to what `purpose` needs, row by row as
/// it is decoded. Takes tens of milliseconds for large ones: call it where nobody waits.
///
/// # Errors
/// When it is not a picture, or one too large to be decoded; see [`PictureError`].
pub fn read_picture(file: &[u8], purpose: PictureUse) -> Result<Bitmap, PictureError> {
    let (whole, picture) = decode(file, purpose)?;
    Ok(match purpose {
        PictureUse::Background(canvas) => covering(&picture, canvas),
        PictureUse::Logo(room) => stretched(&picture, fitting(whole, room)),
        PictureUse::Avatar => covering(&picture, avatar_of(whole)),
    })
}

fn avatar_of(whole: Size) -> Size {
    let side = whole.width.min(whole.height).min(limits::AVATAR_SIDE_MAX);
    Size::new(side, side)
}

/// The extent of the picture, upright, and what `purpose` needs of it.
fn decode(file: &[u8], purpose: PictureUse) -> Result<(Size, Bitmap), PictureError> {
    if file.len() > limits::PICTURE_LEN_MAX {
        return Err(PictureError::Long { len: file.len() });
    }
    if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(file, purpose)
    } else if file.starts_with(b"\xff\xd8\xff") {
        decode_jpeg(file, purpose)
    } else {
        Err(PictureError::Format)
    }
}

/// A picture on its way from its file to where it is used.
struct Arriving {
    stored: Size,
    /// How its camera was held.
    orientation: u8,
    /// 1 to 4: grey or colour, each without or with alpha.
    channels: usize,
    shrinker: Shrinker,
}

impl Arriving {
    fn new(stored: Size, orientation: u8, channels: usize, purpose: PictureUse) -> Self {
        let turn = |size: Size| if orientation < 5 { size } else { Size::new(size.height, size.width) };
        let (target, fills) = match purpose {
            PictureUse::Background(canvas) => (canvas, true),
            PictureUse::Logo(room) => (room, false),
            PictureUse::Avatar => (avatar_of(stored), true),
        };
        Self { stored, orientation, channels, shrinker: Shrinker::new(Plan::new(stored, turn(target), fills)) }
    }

    /// A row of 8 bits a sample.
    fn row(&mut self, samples: &[u8]) {
        self.shrinker.push(samples.chunks_exact(self.channels).map(|pixel| match *pixel {
            [grey] => [grey, grey, grey, u8::MAX],
            [grey, alpha] => [grey, grey, grey, alpha],
            [red, green, blue] => [red, green, blue, u8::MAX],
            [red, green, blue, alpha, ..] => [red, green, blue, alpha],
            [] => unreachable!("chunks of a picture's channels"),
        }));
    }

    fn finish(self) -> Result<(Size, Bitmap), PictureError> {
        let picture = self.shrinker.finish().ok_or(PictureError::Damaged)?;
        let Size { width, height } = self.stored;
        let whole = if self.orientation < 5 { self.stored } else { Size::new(height, width) };
        Ok((whole, upright(picture, self.orientation)))
    }
}

fn check(width: u32, height: u32, pixels_max: u64) -> Result<Size, PictureError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > pixels_max || width.max(height) > limits::PICTURE_SIDE_MAX {
        return Err(PictureError::Large { size: Size::new(width, height), pixels_max });
    }
    if pixels == 0 { Err(PictureError::Damaged) } else { Ok(Size::new(width, height)) }
}

fn decode_png(file: &[u8], purpose: PictureUse) -> Result<(Size, Bitmap), PictureError> {
    let damaged = |_: png::DecodingError| PictureError::Damaged;
    let limits = png::Limits { bytes: limits::PICTURE_DECODE_LEN_MAX };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    // Palettes and few bits become bytes; 16 bits are rounded below.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let info = reader.info();
    let is_whole = info.interlaced;
    let pixels_max = if is_whole { limits::PICTURE_WHOLE_PIXELS_MAX } else { limits::PICTURE_PIXELS_MAX };
    let size = check(info.width, info.height, pixels_max)?;
    let orientation = info.exif_metadata.as_deref().map_or(1, orientation);
    let (colour, depth) = reader.output_color_type();
    let mut arriving = Arriving::new(size, orientation, colour.samples(), purpose);
    let mut bytes = Vec::new();
    let mut take = |row: &[u8]| {
        if depth == png::BitDepth::Sixteen {
            let rounded = |pair: &[u8]| (u32::from(u16::from_be_bytes([pair[0], pair[1]])) + 128) / 257;
            bytes.clear();
            bytes.extend(row.chunks_exact(2).map(|pair| rounded(pair) as u8));
            arriving.row(&bytes);
        } else {
            arriving.row(row);
        }
    };
    if is_whole {
        let mut samples = vec![0; reader.output_buffer_size().ok_or(PictureError::Damaged)?];
        let shape = reader.next_frame(&mut samples).map_err(damaged)?;
        samples.chunks_exact(shape.line_size).for_each(take);
    } else {
        while let Some(row) = reader.next_row().map_err(damaged)? {
            take(row.data());
        }
    }
    arriving.finish()
}

fn decode_jpeg(file: &[u8], purpose: PictureUse) -> Result<(Size, Bitmap), PictureError> {
    let told = |error: DecodeErrors| match error {
        DecodeErrors::Unsupported(_) => PictureError::Format,
        _ => PictureError::Damaged,
    };
    let any = usize::MAX;
    let options = DecoderOptions::default().set_strict_mode(false).set_max_width(any).set_max_height(any);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(file), options);
    decoder.decode_headers().map_err(told)?;
    let (width, height) = decoder.dimensions().ok_or(PictureError::Damaged)?;
    let side = |extent: usize| u32::try_from(extent).unwrap_or(u32::MAX);
    let size = check(side(width), side(height), jpeg_pixels_max(file))?;
    let orientation = decoder.exif().map_or(1, |exif| orientation(exif));
    let (shown, channels) =
        if decoder.input_colorspace() == Some(ColorSpace::Luma) { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(shown));
    let samples = decoder.decode().map_err(told)?;
    if samples.len() != width * height * channels {
        return Err(PictureError::Damaged);
    }
    let mut arriving = Arriving::new(size, orientation, channels, purpose);
    samples.chunks_exact(width * channels).for_each(|row| arriving.row(row));
    arriving.finish()
}

/// How many pixels this JPEG may have.
fn jpeg_pixels_max(file: &[u8]) -> u64 {
    if is_in_one_scan(file) { limits::PICTURE_JPEG_PIXELS_MAX } else { limits::PICTURE_WHOLE_PIXELS_MAX }
}

/// Whether a JPEG gives its picture once, from above to below, so that a decoder need not keep all of its coefficients:
/// sequential, with all components in the first scan (ITU-T T.81, B.2). What cannot be read does not.
fn is_in_one_scan(file: &[u8]) -> bool {
    let (mut at, mut components) = (2, None);
    loop {
        let Some(&[0xff, marker, high, low, first, ..]) = file.get(at..) else { return false };
        let length = usize::from(u16::from_be_bytes([high, low]));
        match marker {
            // A fill byte.
            0xff => {
                at += 1;
                continue;
            }
            // Start of scan: its first byte says how many components it has.
            0xda => return components == Some(first),
            // Start of frame, sequential; the components are counted behind precision, height and width.
            0xc0 | 0xc1 => components = file.get(at + 9).copied(),
            _ => {}
        }
        at += 2 + length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::encode::jpeg;

    fn png(size: Size, colour: png::ColorType, depth: png::BitDepth, samples: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.width, size.height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == png::ColorType::Indexed {
            encoder.set_palette(&[9, 8, 7, 200, 100, 50]);
            encoder.set_trns(&[255, 128][..]);
        }
        encoder.write_header().unwrap().write_image_data(samples).unwrap();
        file
    }

    /// The same shades as a PNG and as a JPEG.
    fn files(width: u32, height: u32) -> [Vec<u8>; 2] {
        let shade = |n: u32| u8::try_from(n % 256).unwrap();
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb: Vec<u8> = pixels.flat_map(|(x, y)| [shade(x), shade(y), 77]).collect();
        let size = Size::new(width, height);
        [png(size, png::ColorType::Rgb, png::BitDepth::Eight, &rgb), jpeg(size, &rgb)]
    }

    /// A file's picture, at the size that it has.
    fn decoded(file: &[u8]) -> Bitmap {
        decode(file, PictureUse::Logo(Size::new(10_000, 10_000))).unwrap().1
    }

    /// A PNG header that promises `width` by `height` pixels, with a right checksum and nothing behind it.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()).chain([8, 6, 0, 0, 0]));
        let mut sum = u32::MAX;
        for byte in &bytes[12..] {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = (sum >> 1) ^ (0xedb8_8320 * (sum & 1));
            }
        }
        bytes.extend((!sum).to_be_bytes());
        bytes.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
        bytes
    }

    #[test]
    fn png_and_jpeg_arrive_at_the_size_they_are_used_in() {
        let canvas = Size::new(640, 360);
        for file in files(900, 700) {
            assert_eq!(read_picture(&file, PictureUse::Background(canvas)).unwrap().size(), canvas);
            assert_eq!(read_picture(&file, PictureUse::Logo(Size::new(90, 90))).unwrap().size(), Size::new(90, 70));
            let side = limits::AVATAR_SIDE_MAX;
            assert_eq!(read_picture(&file, PictureUse::Avatar).unwrap().size(), Size::new(side, side));
        }
        let clear = png(Size::new(4, 2), png::ColorType::Rgba, png::BitDepth::Eight, &[9, 8, 7, 6].repeat(8));
        let small = read_picture(&clear, PictureUse::Avatar).unwrap();
        assert_eq!((small.size(), &small.rgba()[..4]), (Size::new(2, 2), &[9, 8, 7, 6][..]), "alpha stays");
    }

    #[test]
    fn pixels_arrive_however_they_are_stored() {
        use png::{BitDepth, ColorType};
        let two = Size::new(2, 1);
        let cases: [(ColorType, BitDepth, &[u8], [u8; 8]); 8] = [
            (ColorType::Grayscale, BitDepth::One, &[0b0100_0000], [0, 0, 0, 255, 255, 255, 255, 255]),
            (ColorType::Grayscale, BitDepth::Eight, &[3, 200], [3, 3, 3, 255, 200, 200, 200, 255]),
            (ColorType::Grayscale, BitDepth::Sixteen, &[1, 129, 1, 130], [1, 1, 1, 255, 2, 2, 2, 255]),
            (ColorType::GrayscaleAlpha, BitDepth::Eight, &[3, 9, 200, 8], [3, 3, 3, 9, 200, 200, 200, 8]),
            (ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6], [1, 2, 3, 255, 4, 5, 6, 255]),
            (ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
            (ColorType::Indexed, BitDepth::Eight, &[0, 1], [9, 8, 7, 255, 200, 100, 50, 128]),
            (ColorType::Indexed, BitDepth::Two, &[0b0100_0000], [200, 100, 50, 128, 9, 8, 7, 255]),
        ];
        for (colour, depth, samples, rgba) in cases {
            let picture = decoded(&png(two, colour, depth, samples));
            assert_eq!((picture.size(), picture.rgba()), (two, &rgba[..]), "{colour:?} {depth:?}");
        }
        let [_, file] = files(64, 48);
        let picture = decoded(&file);
        let off =
            |x: usize, y: usize, channel: usize, want: u8| picture.rgba()[(y * 64 + x) * 4 + channel].abs_diff(want);
        assert!(off(40, 20, 0, 40) < 6 && off(40, 20, 1, 20) < 6 && off(40, 20, 2, 77) < 6, "a JPEG's colours");
    }

    #[test]
    fn a_camera_that_was_held_otherwise_is_turned_upright() {
        // One red pixel left of a blue one; turned by a quarter it stands above.
        let mut file = Vec::new();
        let mut info = png::Info::with_size(2, 1);
        info.color_type = png::ColorType::Rgb;
        info.exif_metadata = Some(b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"[..].into());
        let encoder = png::Encoder::with_info(&mut file, info).unwrap();
        encoder.write_header().unwrap().write_image_data(&[255, 0, 0, 0, 0, 255]).unwrap();
        let picture = decoded(&file);
        assert_eq!((picture.size(), picture.rgba()), (Size::new(1, 2), &[255, 0, 0, 255, 0, 0, 255, 255][..]));
        let [_, jpeg] = files(32, 16);
        let exif = b"\xff\xe1\0\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0";
        let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
        assert_eq!(decoded(&turned).size(), Size::new(16, 32));
    }

    #[test]
    fn what_is_no_picture_is_told() {
        for noise in [&b""[..], b"hello", b"GIF89a\x01\0\x01\0", b"<svg xmlns='x'/>", b"RIFF\0\0\0\0WEBPVP8 "] {
            assert_eq!(read_picture(noise, PictureUse::Avatar), Err(PictureError::Format));
        }
        for whole in files(64, 64) {
            assert_eq!(read_picture(&whole[..60], PictureUse::Avatar), Err(PictureError::Damaged));
        }
        let long = vec![0; limits::PICTURE_LEN_MAX + 1];
        let told = read_picture(&long, PictureUse::Avatar).unwrap_err();
        assert_eq!(told, PictureError::Long { len: limits::PICTURE_LEN_MAX + 1 });
        assert!(told.to_string().contains("save it smaller"), "{told}");
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        for (width, height) in [(10_000, 10_000), (100_000, 1_000), (30_000, 2)] {
            let told = read_picture(&bomb(width, height), PictureUse::Avatar).unwrap_err();
            let size = Size::new(width, height);
            assert_eq!(told, PictureError::Large { size, pixels_max: limits::PICTURE_PIXELS_MAX });
        }
        let most = read_picture(&bomb(4_000, 4_000), PictureUse::Avatar).unwrap_err();
        assert_eq!(most, PictureError::Damaged, "16 million pixels are allowed, but none is there");
    }
    #[test]
    fn a_jpeg_that_has_to_be_held_whole_may_be_less_large() {
        let [_, one_scan] = files(64, 48);
        assert!(is_in_one_scan(&one_scan));
        let mut progressive = one_scan.clone();
        let frame = progressive.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        progressive[frame + 1] = 0xc2;
        assert!(!is_in_one_scan(&progressive));
        let mut apart = one_scan.clone();
        let scan = apart.windows(2).position(|pair| pair == [0xff, 0xda]).unwrap();
        apart[scan + 4] = 1;
        assert!(!is_in_one_scan(&apart));
        assert_eq!(jpeg_pixels_max(&one_scan), limits::PICTURE_JPEG_PIXELS_MAX);
        for whole in [&progressive, &apart] {
            assert_eq!(jpeg_pixels_max(whole), limits::PICTURE_WHOLE_PIXELS_MAX);
        }
        // 3549 x 3551 pixels, a few too many.
        let mut large = one_scan.clone();
        large[frame + 5..frame + 9].copy_from_slice(&[0x0d, 0xdf, 0x0d, 0xdd]);
        let told = read_picture(&large, PictureUse::Avatar).unwrap_err();
        let size = Size::new(3549, 3551);
        assert_eq!(told, PictureError::Large { size, pixels_max: limits::PICTURE_JPEG_PIXELS_MAX });
        assert!((0..one_scan.len()).all(|len| !is_in_one_scan(&one_scan[..len]) || len > scan));
    }

    #[test]
    fn a_large_picture_looks_like_a_small_one() {
        let canvas = Size::new(64, 36);
        let shade = |share: f64| (share * 255.0) as u8;
        let at = |size: Size| {
            let pixels = (0..size.height).flat_map(|y| (0..size.width).map(move |x| (x, y)));
            let rgb: Vec<u8> = pixels
                .flat_map(|(x, y)| {
                    let (across, down) = (f64::from(x) / f64::from(size.width), f64::from(y) / f64::from(size.height));
                    [shade(across), shade(down), 77]
                })
                .collect();
            let file = png(size, png::ColorType::Rgb, png::BitDepth::Eight, &rgb);
            read_picture(&file, PictureUse::Background(canvas)).unwrap()
        };
        let (small, large) = (at(Size::new(128, 128)), at(Size::new(1000, 1000)));
        let off = small.rgba().iter().zip(large.rgba()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(off.unwrap() < 6, "{off:?}");
    }
}
