//! **The question:** is this file of a stranger a picture, and one of bearable size? Its header answers before anything
//! is decoded.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::engine::compose::overlays::resize::{covering, fitting, stretched};

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
    let format = image::guess_format(file).map_err(|_| PictureError::Format)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg) {
        return Err(PictureError::Format);
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut bounds = Limits::default();
    bounds.max_alloc = Some(limits::PICTURE_DECODE_LEN_MAX);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(|error| told(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits::PICTURE_PIXELS_MAX || width.max(height) > limits::PICTURE_SIDE_MAX {
        return Err(PictureError::Large { size: Size::new(width, height) });
    }
    if pixels == 0 {
        return Err(PictureError::Damaged);
    }
    // A picture without or with broken EXIF data stands as it is.
    let turn = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| told(&error))?;
    picture.apply_orientation(turn);
    let rgba = picture.into_rgba8();
    Ok(Bitmap::new(Size::new(rgba.width(), rgba.height()), rgba.into_raw()))
}

fn told(error: &ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(_) => PictureError::Format,
        _ => PictureError::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Rgb, Rgba};

    use super::*;

    fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let shade = |n: u32| u8::try_from(n % 256).unwrap();
        let picture = ImageBuffer::from_fn(width, height, |x, y| Rgb([shade(x), shade(y), 77]));
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
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
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let file = file(format, 900, 700);
            assert_eq!(read_picture(&file, PictureUse::Background(canvas)).unwrap().size(), canvas);
            assert_eq!(read_picture(&file, PictureUse::Logo(Size::new(90, 90))).unwrap().size(), Size::new(90, 70));
            let side = limits::AVATAR_SIDE_MAX;
            assert_eq!(read_picture(&file, PictureUse::Avatar).unwrap().size(), Size::new(side, side));
        }
        let mut clear = Vec::new();
        let picture = ImageBuffer::from_pixel(4, 2, Rgba([9_u8, 8, 7, 6]));
        picture.write_to(&mut Cursor::new(&mut clear), ImageFormat::Png).unwrap();
        let small = read_picture(&clear, PictureUse::Avatar).unwrap();
        assert_eq!((small.size(), &small.rgba()[..4]), (Size::new(2, 2), &[9, 8, 7, 6][..]), "alpha stays");
    }

    #[test]
    fn what_is_no_picture_is_told() {
        for noise in [&b""[..], b"hello", b"GIF89a\x01\0\x01\0", b"<svg xmlns='x'/>", b"RIFF\0\0\0\0WEBPVP8 "] {
            assert_eq!(read_picture(noise, PictureUse::Avatar), Err(PictureError::Format));
        }
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = file(format, 64, 64);
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
