//! **The question:** how does an AV1 temporal unit become a picture? By dav1d, or by its memory-safe twin rav1d, which
//! has the same API: one thread, no delay, one operating point.

// rav1d wins if both features are on, so that `--features rav1d` alone is enough.
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
use {dav1d as library, dav1d_sys::Dav1dSettings};
#[cfg(feature = "rav1d")]
use {re_rav1d as library, re_rav1d::include::dav1d::dav1d::Dav1dSettings};

#[cfg(not(any(feature = "dav1d", feature = "rav1d")))]
compile_error!("an AV1 decoder is needed: enable the feature `dav1d` (system library) or `rav1d` (built by cargo)");

use std::sync::Arc;
use std::time::Instant;

use library::{PixelLayout, PlanarImageComponent as Component, Plane};

use crate::base::limits;
use crate::base::media::{Codec, CodedFrame, Colour, Picture, PlaneRef, Size, VideoFrame};
use crate::core::bitstream::av1::SequenceHeader;
use crate::engine::decode::arena::Arena;
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
use crate::engine::decode::arena::{ALIGN_BYTES, Block};
use crate::engine::decode::flat::{Covers, Deep, Flattener};
use crate::engine::decode::video::{DecodeError, VideoDecoder, check_coded, check_size};

/// A decoder for one AV1 track, its pictures in `arena` if there is one.
///
/// # Errors
/// [`DecodeError::Open`] if the library refuses (out of memory).
pub(super) fn decoder(arena: Option<&Arc<Arena>>) -> Result<Box<dyn VideoDecoder>, DecodeError> {
    let decoder = open(arena)?;
    Ok(Box::new(Av1Decoder {
        decoder,
        arena: arena.cloned(),
        awaiting_keyframe: true,
        stated: None,
        colour: Colour::default(),
        flattener: Flattener::new(arena),
    }))
}

struct Av1Decoder {
    /// Before the arena, in which its pictures lie.
    decoder: library::Decoder,
    arena: Option<Arc<Arena>>,
    awaiting_keyframe: bool,
    /// What the newest sequence header says of colours.
    stated: Option<Colour>,
    /// What the samples of the unit at hand mean.
    colour: Colour,
    flattener: Flattener,
}

fn open(arena: Option<&Arc<Arena>>) -> Result<library::Decoder, DecodeError> {
    let mut settings = library::Settings::new();
    settings.set_n_threads(1);
    settings.set_max_frame_delay(1);
    settings.set_all_layers(false);
    settings.set_frame_size_limit(limits::INGEST_PIXELS_MAX);
    silence(&mut settings);
    if let Some(arena) = arena {
        place(&mut settings, arena);
    }
    library::Decoder::with_settings(&settings).map_err(|error| DecodeError::Open(error.to_string()))
}

/// Has the library put its pictures into `arena`.
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
fn place(settings: &mut library::Settings, arena: &Arc<Arena>) {
    let inner = std::ptr::from_mut(settings).cast::<Dav1dSettings>();
    let cookie = Arc::as_ptr(arena).cast_mut().cast();
    // SAFETY: as in `silence`; the callbacks keep to what `dav1d/picture.h` asks of them. The library takes pictures
    // while it is open, and `Av1Decoder` keeps the arena for longer; `release` needs none.
    unsafe {
        (*inner).allocator = dav1d_sys::Dav1dPicAllocator {
            cookie,
            alloc_picture_callback: Some(allocate),
            release_picture_callback: Some(release),
        };
    }
}

/// rav1d's pictures stay its own; who shares them copies them.
#[cfg(feature = "rav1d")]
fn place(_settings: &mut library::Settings, _arena: &Arc<Arena>) {}

/// `alloc_picture_callback` (`dav1d/picture.h`): planes padded to 128 samples a side, rows and planes aligned to 64
/// bytes, and 64 more behind the last.
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
unsafe extern "C" fn allocate(picture: *mut dav1d_sys::Dav1dPicture, cookie: *mut std::ffi::c_void) -> i32 {
    // SAFETY: the library gives its own picture, and the cookie of `place`, whose arena the decoder keeps.
    let (picture, arena) =
        unsafe { (&mut *picture, std::mem::ManuallyDrop::new(Arc::from_raw(cookie.cast::<Arena>()))) };
    let sides = [picture.p.w, picture.p.h].map(|side| usize::try_from(side).unwrap_or(0).next_multiple_of(128));
    let bytes = if picture.p.bpc > 8 { 2 } else { 1 };
    let (across, down) = match picture.p.layout {
        dav1d_sys::DAV1D_PIXEL_LAYOUT_I400 => (0, 0),
        dav1d_sys::DAV1D_PIXEL_LAYOUT_I420 => (2, 2),
        dav1d_sys::DAV1D_PIXEL_LAYOUT_I422 => (2, 1),
        _ => (1, 1),
    };
    // Rows that lie a multiple of 1024 bytes apart would share few sets of the processor's cache.
    let apart = |row: usize| if row > 0 && row.is_multiple_of(1024) { row + ALIGN_BYTES } else { row };
    let luma = apart(sides[0] * bytes);
    let chroma = (sides[0] * bytes).checked_div(across).map_or(0, apart);
    let lens = [luma * sides[1], (chroma * sides[1]).checked_div(down).unwrap_or(0)];
    let Some(mut block) = Block::new(lens[0] + 2 * lens[1] + ALIGN_BYTES, Some(&arena)) else {
        return dav1d_sys::DAV1D_ERR_NOMEM;
    };
    let start = block.start();
    // SAFETY: all of it is within the block.
    let planes = unsafe { [start, start.add(lens[0]), start.add(lens[0] + lens[1])] };
    let chroma_plane = |plane: *mut u8| if across == 0 { std::ptr::null_mut() } else { plane.cast() };
    picture.data = [planes[0].cast(), chroma_plane(planes[1]), chroma_plane(planes[2])];
    picture.stride = [luma.cast_signed(), chroma.cast_signed()];
    picture.allocator_data = Box::into_raw(Box::new(block)).cast();
    0
}

/// `release_picture_callback`.
#[cfg(all(feature = "dav1d", not(feature = "rav1d")))]
unsafe extern "C" fn release(picture: *mut dav1d_sys::Dav1dPicture, _cookie: *mut std::ffi::c_void) {
    // SAFETY: `allocate` put the block there, and the library releases each picture once.
    drop(unsafe { Box::from_raw((*picture).allocator_data.cast::<Block>()) });
}

/// Takes the logger away: by default the library writes a line on standard error for every broken frame, and anyone who
/// sends broken frames could flood the log.
fn silence(settings: &mut library::Settings) {
    const _: () = assert!(size_of::<library::Settings>() == size_of::<Dav1dSettings>());
    const _: () = assert!(align_of::<library::Settings>() == align_of::<Dav1dSettings>());
    let inner = std::ptr::from_mut(settings).cast::<Dav1dSettings>();
    // SAFETY: `Settings` (both crates, at their pinned versions) has one field, a `Dav1dSettings`; being of the same
    // size, it holds it at offset 0. The logger is a C struct of a cookie and a callback, for which all zeros mean
    // "none".
    unsafe { (&raw mut (*inner).logger).write_bytes(0, 1) };
}

impl VideoDecoder for Av1Decoder {
    fn decode(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        assert_eq!(frame.codec, Codec::Av1, "the caller sorts frames by codec");
        let sequence = SequenceHeader::find(frame.data);
        if self.awaiting_keyframe && !frame.keyframe && sequence.is_none() {
            return Err(DecodeError::AwaitingKeyframe);
        }
        let mut fits = Ok(());
        if let Some(sequence) = sequence {
            self.stated = Some(sequence.colour());
            fits = check_kind(&sequence);
        }
        self.colour = frame.colour.or(self.stated).unwrap_or_default();
        let result = fits.and_then(|()| self.decode_unit(frame, out));
        match result {
            Ok(()) => self.awaiting_keyframe = false,
            Err(_) => self.forget()?,
        }
        result
    }
}

impl Av1Decoder {
    fn decode_unit(&mut self, frame: CodedFrame<'_>, out: &mut Vec<VideoFrame>) -> Result<(), DecodeError> {
        check_coded(frame.data)?;
        // The library shares the bytes until it has read them; nothing is copied.
        let mut sent = self.decoder.send_data(frame.data.clone(), None, None, None);
        for _ in 0..limits::PICTURES_PER_UNIT_MAX {
            let waits = match sent {
                Ok(()) => false,
                Err(library::Error::Again) => true,
                Err(error) => return Err(broken(error)),
            };
            let mut progress = false;
            match self.decoder.get_picture() {
                Ok(picture) => {
                    out.push(self.accept(&picture, frame.arrival)?);
                    progress = true;
                }
                Err(library::Error::Again) => {}
                Err(error) => return Err(broken(error)),
            }
            if waits {
                sent = self.decoder.send_pending_data();
                progress |= sent.is_ok();
            }
            if !progress {
                break;
            }
        }
        match sent {
            Ok(()) => Ok(()),
            Err(_) => Err(DecodeError::Bitstream("a temporal unit that does not end".into())),
        }
    }

    /// Checks a picture's kind and takes its planes over.
    fn accept(&mut self, picture: &library::Picture, arrival: Option<Instant>) -> Result<VideoFrame, DecodeError> {
        let size = Size::new(picture.width(), picture.height());
        check_size(size)?;
        let owner: Arc<dyn Picture> = if picture.bit_depth() == 8 && picture.pixel_layout() == PixelLayout::I420 {
            let planes = [Component::Y, Component::U, Component::V].map(|component| picture.plane(component));
            let strides = [picture.stride(Component::Y), picture.stride(Component::U), picture.stride(Component::V)];
            Arc::new(DecodedPicture { planes, strides: strides.map(|stride| stride as usize) })
        } else {
            self.flatten(size, picture)?
        };
        let Colour { matrix, full_range } = self.colour;
        Ok(VideoFrame { size, full_range, matrix, arrival, picture: owner })
    }

    fn flatten(&mut self, size: Size, picture: &library::Picture) -> Result<Arc<dyn Picture>, DecodeError> {
        let bits = u32::try_from(picture.bit_depth()).expect("8, 10 or 12");
        let covers = match picture.pixel_layout() {
            // The planes of colour differences are not there.
            PixelLayout::I400 => None,
            PixelLayout::I420 => Some(Covers { across: 2, down: 2 }),
            PixelLayout::I422 => Some(Covers { across: 2, down: 1 }),
            PixelLayout::I444 => Some(Covers { across: 1, down: 1 }),
        };
        let luma = picture.plane(Component::Y);
        let luma = Deep { data: &luma, stride: picture.stride(Component::Y) as usize, bits };
        let Some(covers) = covers else { return Ok(self.flattener.flatten(size, luma, None)?) };
        let (blue, red) = (picture.plane(Component::U), picture.plane(Component::V));
        let stride = picture.stride(Component::U) as usize;
        let chroma = [Deep { data: &blue, stride, bits }, Deep { data: &red, stride, bits }];
        Ok(self.flattener.flatten(size, luma, Some((chroma, covers)))?)
    }

    /// After an error: a new decoder, so that nothing of the broken past is left.
    fn forget(&mut self) -> Result<(), DecodeError> {
        self.awaiting_keyframe = true;
        self.decoder = open(self.arena.as_ref())?;
        Ok(())
    }
}

/// Whether pictures of a sequence can be shown.
fn check_kind(sequence: &SequenceHeader) -> Result<(), DecodeError> {
    check_size(sequence.size)?;
    // 0 is the identity: the planes are green, blue and red.
    match sequence.color {
        Some(color) if color.matrix == 0 && !sequence.monochrome => {
            Err(DecodeError::Unsupported("planes of red, green and blue; send luma and colour differences".into()))
        }
        _ => Ok(()),
    }
}

fn broken(error: library::Error) -> DecodeError {
    DecodeError::Bitstream(error.to_string())
}

/// The library's own picture, reference-counted by it.
struct DecodedPicture {
    planes: [Plane; 3],
    strides: [usize; 3],
}

impl Picture for DecodedPicture {
    fn plane(&self, index: usize) -> PlaneRef<'_> {
        PlaneRef { data: &self.planes[index], stride: self.strides[index] }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::base::media::{EncodedFrame, Pts, ReceivedFrame};
    use crate::engine::decode::tests::ivf_frames;

    // FFmpeg's testsrc2 by libaom, in IVF: `ffmpeg -f lavfi -i testsrc2=size=64x48:rate=10 -c:v libaom-av1 -usage
    // realtime` with `-pix_fmt`, `-color_range` and sizes as the names say.
    const LIMITED: &[u8] = include_bytes!("clips/limited.ivf");
    const FULL_ODD: &[u8] = include_bytes!("clips/full_odd.ivf");
    const TEN_BITS: &[u8] = include_bytes!("clips/ten_bits.ivf");
    const NO_SUBSAMPLING: &[u8] = include_bytes!("clips/no_subsampling.ivf");
    const TOO_LARGE: &[u8] = include_bytes!("clips/too_large.ivf");

    fn units(ivf: &'static [u8]) -> Vec<ReceivedFrame> {
        ivf_frames(ivf).into_iter().enumerate().map(|(at, data)| frame(data, at == 0)).collect()
    }

    fn frame(data: Bytes, keyframe: bool) -> ReceivedFrame {
        ReceivedFrame { keyframe, ..ReceivedFrame::of_one_packet(Codec::Av1, data, 0, 0, Instant::now()) }
    }

    fn decode(decoder: &mut dyn VideoDecoder, frame: &ReceivedFrame) -> Result<Vec<VideoFrame>, DecodeError> {
        let mut out = Vec::new();
        decoder.decode(frame.coded(), &mut out).map(|()| out)
    }

    /// Sums of all samples, by plane.
    fn sums(frame: &VideoFrame) -> [u64; 3] {
        std::array::from_fn(|index| {
            let plane = frame.picture.plane(index);
            let half = |extent: u32| if index == 0 { extent } else { extent.div_ceil(2) } as usize;
            let (width, height) = (half(frame.size.width), half(frame.size.height));
            let row = |y: usize| &plane.data[y * plane.stride..y * plane.stride + width];
            (0..height).flat_map(row).map(|&sample| u64::from(sample)).sum()
        })
    }

    #[test]
    fn every_unit_gives_its_picture_bit_by_bit() {
        let mut decoder = decoder(None).unwrap();
        let units = units(LIMITED);
        assert_eq!(units.len(), 8);
        for unit in &units {
            let pictures = decode(&mut *decoder, unit).unwrap();
            assert_eq!(pictures.len(), 1, "no delay: one in, one out");
            assert_eq!((pictures[0].size, pictures[0].full_range), (Size::new(64, 48), false));
            assert_eq!(pictures[0].arrival, Some(unit.arrival));
            if std::ptr::eq(unit, units.last().unwrap()) {
                assert_eq!(sums(&pictures[0]), [220_825, 94_746, 104_527], "as FFmpeg decodes it");
            }
        }
    }

    #[test]
    fn odd_sizes_and_full_range_are_told() {
        let mut decoder = decoder(None).unwrap();
        let pictures: Vec<VideoFrame> =
            units(FULL_ODD).iter().flat_map(|unit| decode(&mut *decoder, unit).unwrap()).collect();
        assert_eq!((pictures[1].size, pictures[1].full_range), (Size::new(65, 47), true));
        assert_eq!(sums(&pictures[1]), [198_414, 97_187, 108_668], "as FFmpeg decodes it");
    }

    #[test]
    fn large_or_deep_pictures_are_shown_and_too_large_ones_refused_with_their_size() {
        let mut decoder = decoder(None).unwrap();
        let plain = sums(&decode(&mut *decoder, &units(LIMITED)[0]).unwrap()[0]);
        for clip in [TEN_BITS, NO_SUBSAMPLING] {
            for unit in units(clip) {
                let pictures = decode(&mut *decoder, &unit).unwrap();
                assert_eq!(pictures[0].size, Size::new(64, 48));
                if unit.keyframe {
                    // The same test picture, coded otherwise: within two levels of it in the mean.
                    for (got, want) in sums(&pictures[0]).into_iter().zip(plain) {
                        assert!(got.abs_diff(want) < want / 50, "{got} is not {want}");
                    }
                }
            }
        }
        let refused = decode(&mut *decoder, &units(TOO_LARGE)[0]).unwrap_err();
        assert!(matches!(&refused, DecodeError::Unsupported(what) if what.contains("4100×2200")), "{refused:?}");
        assert_eq!(decode(&mut *decoder, &units(LIMITED)[0]).unwrap().len(), 1, "the next keyframe is accepted");
    }

    #[test]
    fn a_carriers_word_on_colours_counts_and_what_nobody_says_is_bt_601() {
        use crate::base::media::Matrix;
        let mut decoder = decoder(None).unwrap();
        let mut colour_of = |number: usize, colour: Option<Colour>| {
            let unit = ReceivedFrame { colour, ..units(LIMITED)[number].clone() };
            let picture = decode(&mut *decoder, &unit).unwrap().remove(0);
            (picture.matrix, picture.full_range)
        };
        assert_eq!(colour_of(0, None), (Matrix::Bt601, false));
        let canvas = Colour { matrix: Matrix::Bt709, full_range: true };
        assert_eq!(colour_of(1, Some(canvas)), (Matrix::Bt709, true), "changed in mid-stream");
        assert_eq!(colour_of(2, None), (Matrix::Bt601, false));
    }

    #[test]
    fn decoding_starts_at_a_keyframe_wherever_it_comes_from() {
        let mut decoder = decoder(None).unwrap();
        let units = units(LIMITED);
        assert_eq!(decode(&mut *decoder, &units[1]).unwrap_err(), DecodeError::AwaitingKeyframe);
        let unmarked = ReceivedFrame { keyframe: false, ..units[0].clone() };
        assert_eq!(decode(&mut *decoder, &unmarked).unwrap().len(), 1, "a sequence header is as good as the mark");
        let own = EncodedFrame { codec: Codec::Av1, data: units[0].data.clone(), pts: Pts(0), keyframe: true };
        let mut pictures = Vec::new();
        decoder.decode(own.coded(), &mut pictures).unwrap();
        assert_eq!(pictures[0].arrival, None, "what was made here did not arrive");
    }

    #[test]
    fn truncated_units_are_errors_and_the_next_keyframe_heals() {
        let units = units(LIMITED);
        let whole = &units[0].data;
        let mut errors = 0;
        for length in 0..whole.len() {
            let mut decoder = decoder(None).unwrap();
            if decode(&mut *decoder, &frame(whole.slice(..length), true)).is_err() {
                errors += 1;
                assert_eq!(decode(&mut *decoder, &units[1]).unwrap_err(), DecodeError::AwaitingKeyframe);
            }
            assert_eq!(decode(&mut *decoder, &units[0]).unwrap().len(), 1, "after {length} bytes");
        }
        assert!(errors > whole.len() / 2, "only {errors} of {} cuts were noticed", whole.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn hostile_bytes_never_panic_and_the_next_keyframe_heals(
            noise in prop::collection::vec(any::<u8>(), 0..400),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            which in 0_usize..8,
        ) {
            let units = units(LIMITED);
            let mut decoder = decoder(None).unwrap();
            let _ = decode(&mut *decoder, &frame(Bytes::from(noise), true));
            let _ = decode(&mut *decoder, &units[0]);
            for (number, unit) in units.iter().enumerate() {
                let mut data = unit.data.to_vec();
                if number == which {
                    flips.iter().for_each(|(at, bits)| *at.get_mut(&mut data) ^= bits);
                }
                for picture in decode(&mut *decoder, &frame(Bytes::from(data), unit.keyframe)).unwrap_or_default() {
                    let _ = sums(&picture);
                }
            }
            prop_assert_eq!(decode(&mut *decoder, &units[0]).unwrap().len(), 1);
        }
    }
}
