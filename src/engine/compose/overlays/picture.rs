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
        "the picture has {} x {} pixels; {} million are the limit, {} a side: scale it down", size.width, size.height,
        limits::PICTURE_PIXELS_MAX / 1_000_000, limits::PICTURE_SIDE_MAX
    )]
    Large {
        /// What its header says.
        size: Size,
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

/// Reads a PNG or JPEG, turned upright as its EXIF data say, and scales it down to what `purpose` needs. Takes tens of
/// milliseconds for large ones: call it where nobody waits.
///
/// # Errors
/// When it is not a picture, or one too large to be decoded; see [`PictureError`].
pub fn read_picture(file: &[u8], purpose: PictureUse) -> Result<Bitmap, PictureError> {
    let picture = decode(file)?;
    Ok(match purpose {
        PictureUse::Background(canvas) => covering(&picture, canvas),
        PictureUse::Logo(room) => stretched(&picture, fitting(picture.size(), room)),
        PictureUse::Avatar => {
            let size = picture.size();
            let side = size.width.min(size.height).min(limits::AVATAR_SIDE_MAX);
            covering(&picture, Size::new(side, side))
        }
    })
}

fn decode(file: &[u8]) -> Result<Bitmap, PictureError> {
    if file.len() > limits::PICTURE_LEN_MAX {
        return Err(PictureError::Long { len: file.len() });
    }
    let stored = if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        decode_png(file)?
    } else if file.starts_with(b"\xff\xd8\xff") {
        decode_jpeg(file)?
    } else {
        return Err(PictureError::Format);
    };
    let rgba = stored.samples.chunks_exact(stored.channels).flat_map(|pixel| match *pixel {
        [grey] => [grey, grey, grey, u8::MAX],
        [grey, alpha] => [grey, grey, grey, alpha],
        [red, green, blue] => [red, green, blue, u8::MAX],
        [red, green, blue, alpha, ..] => [red, green, blue, alpha],
        [] => unreachable!("chunks of a picture's channels"),
    });
    Ok(upright(Bitmap::new(stored.size, rgba.collect()), stored.orientation))
}

/// What a file holds, as it is stored.
struct Stored {
    size: Size,
    /// 1 to 4: grey or colour, each without or with alpha.
    channels: usize,
    samples: Vec<u8>,
    orientation: u8,
}

fn check(width: u32, height: u32) -> Result<Size, PictureError> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits::PICTURE_PIXELS_MAX || width.max(height) > limits::PICTURE_SIDE_MAX {
        return Err(PictureError::Large { size: Size::new(width, height) });
    }
    if pixels == 0 { Err(PictureError::Damaged) } else { Ok(Size::new(width, height)) }
}

fn decode_png(file: &[u8]) -> Result<Stored, PictureError> {
    let damaged = |_: png::DecodingError| PictureError::Damaged;
    let bytes = usize::try_from(limits::PICTURE_DECODE_LEN_MAX).expect("a bound on memory");
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes });
    // Palettes and few bits become bytes; 16 bits are rounded below.
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = check(reader.info().width, reader.info().height)?;
    let orientation = reader.info().exif_metadata.as_deref().map_or(1, orientation);
    let mut samples = vec![0; reader.output_buffer_size().ok_or(PictureError::Damaged)?];
    let shape = reader.next_frame(&mut samples).map_err(damaged)?;
    samples.truncate(shape.buffer_size());
    if shape.bit_depth == png::BitDepth::Sixteen {
        let rounded = |pair: &[u8]| (u32::from(u16::from_be_bytes([pair[0], pair[1]])) + 128) / 257;
        samples = samples.chunks_exact(2).map(|pair| rounded(pair) as u8).collect();
    }
    Ok(Stored { size, channels: shape.color_type.samples(), samples, orientation })
}

fn decode_jpeg(file: &[u8]) -> Result<Stored, PictureError> {
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
    let size = check(side(width), side(height))?;
    let orientation = decoder.exif().map_or(1, |exif| orientation(exif));
    let (shown, channels) =
        if decoder.input_colorspace() == Some(ColorSpace::Luma) { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(shown));
    let samples = decoder.decode().map_err(told)?;
    if samples.len() != width * height * channels {
        return Err(PictureError::Damaged);
    }
    Ok(Stored { size, channels, samples, orientation })
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
            (ColorType::Grayscale, BitDepth::Sixteen, &[1, 128, 1, 129], [1, 1, 1, 255, 2, 2, 2, 255]),
            (ColorType::GrayscaleAlpha, BitDepth::Eight, &[3, 9, 200, 8], [3, 3, 3, 9, 200, 200, 200, 8]),
            (ColorType::Rgb, BitDepth::Eight, &[1, 2, 3, 4, 5, 6], [1, 2, 3, 255, 4, 5, 6, 255]),
            (ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
            (ColorType::Indexed, BitDepth::Eight, &[0, 1], [9, 8, 7, 255, 200, 100, 50, 128]),
            (ColorType::Indexed, BitDepth::Two, &[0b0100_0000], [200, 100, 50, 128, 9, 8, 7, 255]),
        ];
        for (colour, depth, samples, rgba) in cases {
            let picture = decode(&png(two, colour, depth, samples)).unwrap();
            assert_eq!((picture.size(), picture.rgba()), (two, &rgba[..]), "{colour:?} {depth:?}");
        }
        let [_, file] = files(64, 48);
        let picture = decode(&file).unwrap();
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
        let picture = decode(&file).unwrap();
        assert_eq!((picture.size(), picture.rgba()), (Size::new(1, 2), &[255, 0, 0, 255, 0, 0, 255, 255][..]));
        let [_, jpeg] = files(32, 16);
        let exif = b"\xff\xe1\0\x22Exif\0\0II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0\0\0\0\0\0\0";
        let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
        assert_eq!(decode(&turned).unwrap().size(), Size::new(16, 32));
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
            assert_eq!(told, PictureError::Large { size: Size::new(width, height) });
        }
        let most = read_picture(&bomb(4_000, 4_000), PictureUse::Avatar).unwrap_err();
        assert_eq!(most, PictureError::Damaged, "16 million pixels are allowed, but none is there");
    }
}
