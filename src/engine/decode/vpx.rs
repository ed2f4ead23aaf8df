//! **The question:** how does a VP8 or VP9 frame become a picture? By the system's libvpx: one thread, no delay. Every
//! `unsafe` block that calls it stands in this file.

use std::ffi::{c_char, c_int, c_long, c_uchar, c_uint, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use crate::base::media::{Codec, CodedFrame, Colour, Size, VideoFrame};
use crate::core::bitstream::stated_size;
use crate::engine::decode::arena::Arena;
use crate::engine::decode::flat::{Covers, Deep, Flattener};
use crate::engine::decode::video::{DecodeError, VideoDecoder, check_coded, check_size};

/// `VPX_DECODER_ABI_VERSION` of libvpx 1.8 to 1.15; another one refuses to open, which is then told.
const ABI_VERSION: c_int = 12;

/// `vpx_codec_ctx_t` (`vpx_codec.h`).
#[repr(C)]
struct Instance {
    name: *const c_char,
    interface: *const c_void,
    error: c_int,
    error_detail: *const c_char,
    flags: c_long,
    configuration: *const c_void,
    private: *mut c_void,
}

/// `vpx_codec_dec_cfg_t` (`vpx_decoder.h`).
#[repr(C)]
struct Configuration {
    threads: c_uint,
    width: c_uint,
    height: c_uint,
}

/// `vpx_image_t` (`vpx_image.h`, image ABI 5), up to what is read here.
#[repr(C)]
struct Image {
    format: c_int,
    color_space: c_int,
    range: c_int,
    stored: [c_uint; 2],
    bit_depth: c_uint,
    shown: [c_uint; 2],
    intended: [c_uint; 2],
    chroma_shift: [c_uint; 2],
    planes: [*const c_uchar; 4],
    strides: [c_int; 4],
}

/// `VPX_IMG_FMT_HIGHBITDEPTH`: samples take two bytes.
const TWO_BYTES: c_int = 0x800;
/// `VPX_CS_SRGB`.
const RGB: c_int = 7;

#[link(name = "vpx")]
unsafe extern "C" {
    fn vpx_codec_vp8_dx() -> *const c_void;
    fn vpx_codec_vp9_dx() -> *const c_void;
    fn vpx_codec_dec_init_ver(
        context: *mut Instance,
        interface: *const c_void,
        configuration: *const Configuration,
        flags: c_long,
        version: c_int,
    ) -> c_int;
    fn vpx_codec_decode(
        context: *mut Instance,
        data: *const u8,
        length: c_uint,
        user: *mut c_void,
        deadline: c_long,
    ) -> c_int;
    fn vpx_codec_get_frame(context: *mut Instance, iterator: *mut *const c_void) -> *const Image;
    fn vpx_codec_destroy(context: *mut Instance) -> c_int;
}

/// A decoder for one track of VP8 or VP9, its pictures in `arena` if there is one.
///
/// # Errors
/// [`DecodeError::Open`] if the library refuses.
pub(super) fn decoder(codec: Codec, arena: Option<&Arc<Arena>>) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    let library = Library::open(codec)?;
    Ok(Box::new(VpxDecoder { codec, library, awaiting_keyframe: true, flattener: Flattener::new(arena) }))
}

struct VpxDecoder {
    codec: Codec,
    library: Library,
    awaiting_keyframe: bool,
    /// The library's picture is gone with the next one, so each is copied.
    flattener: Flattener,
}

/// The library's own state of one decoder.
struct Library {
    /// Boxed: the library may keep pointers into it.
    context: Box<Instance>,
}

// SAFETY: the context is used by one thread at a time (`&mut self` everywhere), and libvpx with one thread ties nothing
// to the thread that made it.
unsafe impl Send for Library {}

impl Library {
    fn open(codec: Codec) -> Result<Self, DecodeError> {
        let mut context = Box::new(MaybeUninit::<Instance>::zeroed());
        let configuration = Configuration { threads: 1, width: 0, height: 0 };
        // SAFETY: the interface is libvpx's static; context and configuration are of the types it expects, the latter
        // only read in the call.
        let code = unsafe {
            let interface = if codec == Codec::Vp8 { vpx_codec_vp8_dx() } else { vpx_codec_vp9_dx() };
            vpx_codec_dec_init_ver(context.as_mut_ptr(), interface, &raw const configuration, 0, ABI_VERSION)
        };
        if code != 0 {
            return Err(DecodeError::Open(format!("libvpx refuses (error {code})")));
        }
        // SAFETY: zeroed plain C fields, filled by the call that succeeded. The pointer to the configuration points to
        // the library's own copy by now.
        Ok(Self { context: unsafe { context.assume_init() } })
    }

    fn send(&mut self, data: &[u8]) -> Result<(), DecodeError> {
        let length = c_uint::try_from(data.len()).expect("bounded by `check_coded`");
        // SAFETY: the context is open; the library reads `length` bytes of `data` in the call and keeps none.
        let code = unsafe { vpx_codec_decode(&raw mut *self.context, data.as_ptr(), length, ptr::null_mut(), 0) };
        if code == 0 { Ok(()) } else { Err(DecodeError::Bitstream(format!("libvpx, error {code}"))) }
    }

    /// The newest picture that can be shown; those before it are passed over, for only layers of one picture come
    /// together.
    fn newest(&mut self) -> Option<&Image> {
        let mut iterator = ptr::null();
        let mut newest = None;
        // SAFETY: the context is open. An image is valid until the next call that decodes, which the borrow of `self`
        // forbids.
        while let Some(image) = unsafe { vpx_codec_get_frame(&raw mut *self.context, &raw mut iterator).as_ref() } {
            newest = Some(image);
        }
        newest
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the context was opened, and this is its end.
        unsafe { vpx_codec_destroy(&raw mut *self.context) };
    }
}

impl VideoDecoder for VpxDecoder {
    fn decode(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        assert_eq!(frame.codec, self.codec, "the caller sorts frames by codec");
        if self.awaiting_keyframe && !frame.keyframe {
            return Err(DecodeError::AwaitingKeyframe);
        }
        let result = self.decode_unit(frame, out);
        self.awaiting_keyframe = result.is_err();
        if result.is_err() {
            // Nothing of the broken past is left.
            self.library = Library::open(self.codec)?;
        }
        result
    }
}

impl VpxDecoder {
    fn decode_unit(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        check_coded(frame.data)?;
        // Before the library takes memory for it.
        stated_size(self.codec, frame.data).map_or(Ok(()), check_size)?;
        self.library.send(frame.data)?;
        let Some(image) = self.library.newest() else { return Ok(()) };
        let size = Size::new(image.shown[0], image.shown[1]);
        check_size(size)?;
        if image.color_space == RGB {
            return Err(DecodeError::Unsupported(
                "red, green and blue planes; send luma and colour differences".into(),
            ));
        }
        let stated = Colour::of(matrix(image.color_space), image.range == 1);
        let covers = Covers { across: 1 << image.chroma_shift[0].min(1), down: 1 << image.chroma_shift[1].min(1) };
        let chroma = [plane(image, 1, size), plane(image, 2, size)];
        let picture = self.flattener.flatten(size, plane(image, 0, size), Some((chroma, covers)))?;
        let Colour { matrix, full_range } = frame.colour.unwrap_or(stated);
        out.push(VideoFrame { size, full_range, matrix, arrival: frame.arrival, picture });
        Ok(())
    }
}

/// One plane of the library's picture.
fn plane(image: &Image, index: usize, size: Size) -> Deep<'_> {
    let two_bytes = image.format & TWO_BYTES != 0;
    let shift = if index == 0 { [0; 2] } else { image.chroma_shift };
    let [width, height] =
        [(size.width, shift[0]), (size.height, shift[1])].map(|(side, shift)| side.div_ceil(1 << shift) as usize);
    let stride = usize::try_from(image.strides[index]).expect("rows of decoded pictures go down");
    let length = stride * (height - 1) + width * if two_bytes { 2 } else { 1 };
    // SAFETY: libvpx's planes hold rows of `stride` bytes for the whole shown picture (`vpx_image.h`), and the caller's
    // borrow of the image keeps the library from decoding the next one into them.
    let data = unsafe { std::slice::from_raw_parts(image.planes[index], length) };
    Deep { data, stride, bits: if two_bytes { image.bit_depth } else { 8 } }
}

/// H.273's number of a `vpx_color_space_t`; 2 is "unspecified".
const fn matrix(color_space: c_int) -> u32 {
    match color_space {
        1 => 5,
        2 => 1,
        3 => 6,
        4 => 7,
        5 => 9,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::tests::{decode, expect_healing, expect_red, ivf_frames};

    // FFmpeg's `color=red:size=64x48:rate=10`, three frames, in IVF, by libvpx and libvpx-vp9; and `testsrc2` in
    // 10 bits and 4:4:4 (profile 3).
    const VP8: &[u8] = include_bytes!("clips/red_vp8.ivf");
    const VP9: &[u8] = include_bytes!("clips/red_vp9.ivf");
    const DEEP: &[u8] = include_bytes!("clips/deep_vp9.ivf");

    #[test]
    fn each_frame_of_vp8_and_vp9_is_a_picture_at_once() {
        expect_red(Codec::Vp8, &ivf_frames(VP8));
        expect_red(Codec::Vp9, &ivf_frames(VP9));
    }

    #[test]
    fn ten_bits_and_full_chroma_of_vp9_are_brought_to_what_is_composited() {
        let mut decoder = decoder(Codec::Vp9, None).unwrap();
        let picture = &decode(&mut *decoder, Codec::Vp9, &ivf_frames(DEEP)[0], true).unwrap()[0];
        assert_eq!((picture.size, picture.picture.plane(1).data.len()), (Size::new(64, 48), 32 * 24));
    }

    #[test]
    fn hostile_frames_of_vp8_and_vp9_never_panic_and_the_next_keyframe_heals() {
        expect_healing(Codec::Vp8, &ivf_frames(VP8), 12);
        expect_healing(Codec::Vp9, &ivf_frames(VP9), 13);
    }
}
