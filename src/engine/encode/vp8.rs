//! **The question:** how does a tick become VP8, for who takes nothing else? By the system's libvpx in its real-time
//! set-up: one thread, no delay, no frame skipped, a keyframe when asked. Each `unsafe` block that calls it is here.

use std::ffi::{c_int, c_long, c_uint, c_ulong, c_void};
use std::mem::MaybeUninit;
use std::{ptr, slice};

use bytes::Bytes;

use crate::base::media::{Codec, ComposedFrame, EncodedFrame};
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup, check_bitrate, check_frame};

const NAME: &str = "libvpx";

/// `VPX_ENCODER_ABI_VERSION` of libvpx 1.8 to 1.15 lie in here, and what this file reads and writes is the same in all;
/// the library takes its own alone.
const ABI_VERSIONS: std::ops::Range<c_int> = 14..48;
/// `VPX_CODEC_ABI_MISMATCH`.
const MISMATCH: c_int = 3;
/// `VPX_IMG_FMT_I420`.
const I420: c_int = 0x102;
/// `VPX_CBR`, `VPX_KF_DISABLED`, `VPX_EFLAG_FORCE_KF`, `VPX_FRAME_IS_KEY`, `VPX_DL_REALTIME`.
const CONSTANT_RATE: c_int = 1;
const KEYFRAMES_ASKED: c_int = 0;
const FORCE_KEYFRAME: c_long = 1;
const IS_KEYFRAME: u32 = 1;
const REALTIME: c_ulong = 1;
/// `VP8E_SET_CPUUSED`, and the quickest that still looks alike: time falls with its size.
const SPEED: (c_int, c_int) = (13, -10);
/// `VP8E_SET_STATIC_THRESHOLD`: blocks that changed less are left.
const STILL: (c_int, c_int) = (17, 1);
/// Of the time base.
const MICROS: c_int = 1_000_000;

/// `vpx_codec_ctx_t` (`vpx_codec.h`): seven words, of which none is read here.
type Instance = [usize; 8];
/// `vpx_image_t` (`vpx_image.h`), which the library fills, with room to spare.
type Image = [usize; 64];

/// `vpx_fixed_buf_t`.
#[repr(C)]
struct Buffer {
    at: *const c_void,
    length: usize,
}

/// `vpx_codec_enc_cfg_t` (`vpx_encoder.h`), up to what is written here.
#[repr(C)]
struct Configuration {
    usage: c_uint,
    threads: c_uint,
    profile: c_uint,
    size: [c_uint; 2],
    bit_depths: [c_int; 2],
    time_base: [c_int; 2],
    error_resilient: u32,
    pass: c_int,
    lag_frames: c_uint,
    drop_threshold: c_uint,
    resize: [c_uint; 5],
    rate_control: c_int,
    statistics: [Buffer; 2],
    kilobits: c_uint,
    quantizers: [c_uint; 2],
    /// Percent of the target.
    undershoot_overshoot: [c_uint; 2],
    /// The decoder's buffer, how full it is at first and at best, milliseconds.
    buffer: [c_uint; 3],
    two_pass: [c_uint; 4],
    keyframes: c_int,
    keyframe_distances: [c_uint; 2],
    /// Layers, and what later versions add.
    rest: [usize; 256],
}

/// `vpx_codec_cx_pkt_t`, of the kind that holds a frame.
#[repr(C)]
struct Packet {
    kind: c_int,
    data: *const u8,
    length: usize,
    pts: i64,
    duration: c_ulong,
    flags: u32,
}

#[link(name = "vpx")]
#[expect(
    clashing_extern_declarations,
    reason = "the decoder's file has its own view of what the library keeps to itself"
)]
unsafe extern "C" {
    fn vpx_codec_vp8_cx() -> *const c_void;
    fn vpx_codec_enc_config_default(interface: *const c_void, into: *mut Configuration, usage: c_uint) -> c_int;
    fn vpx_codec_enc_init_ver(
        context: *mut Instance,
        interface: *const c_void,
        configuration: *const Configuration,
        flags: c_long,
        version: c_int,
    ) -> c_int;
    fn vpx_codec_enc_config_set(context: *mut Instance, configuration: *const Configuration) -> c_int;
    fn vpx_codec_control_(context: *mut Instance, control: c_int, ...) -> c_int;
    fn vpx_codec_encode(
        context: *mut Instance,
        image: *const Image,
        pts: i64,
        duration: c_ulong,
        flags: c_long,
        deadline: c_ulong,
    ) -> c_int;
    fn vpx_codec_get_cx_data(context: *mut Instance, iterator: *mut *const c_void) -> *const Packet;
    fn vpx_codec_destroy(context: *mut Instance) -> c_int;
    fn vpx_img_wrap(
        image: *mut Image,
        format: c_int,
        width: c_uint,
        height: c_uint,
        alignment: c_uint,
        samples: *const u8,
    ) -> *mut Image;
}

/// Makes an encoder; the setup has been checked.
pub(super) fn encoder(setup: VideoEncoderSetup) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(Box::new(Vp8Encoder { library: Library::open(&setup)?, setup, last_micros: None }))
}

struct Vp8Encoder {
    library: Library,
    setup: VideoEncoderSetup,
    last_micros: Option<i64>,
}

/// The library's own state of one encoder.
struct Library {
    /// Boxed: the library may keep pointers into them.
    context: Box<Instance>,
    configuration: Box<Configuration>,
}

// SAFETY: context and configuration are used by one thread at a time (`&mut self` everywhere), and libvpx with one
// thread ties nothing to the thread that made it.
unsafe impl Send for Library {}

impl Library {
    fn open(setup: &VideoEncoderSetup) -> Result<Self, EncodeError> {
        let mut configuration = Box::new(MaybeUninit::<Configuration>::zeroed());
        // SAFETY: the interface is libvpx's static; the configuration is at least as large as the library's and plain
        // C fields, all valid as zeroes.
        let (interface, mut configuration) = unsafe {
            let interface = vpx_codec_vp8_cx();
            checked(vpx_codec_enc_config_default(interface, configuration.as_mut_ptr(), 0))?;
            (interface, configuration.assume_init())
        };
        configuration.threads = 1;
        configuration.size = [setup.size.width, setup.size.height];
        configuration.time_base = [1, MICROS];
        (configuration.lag_frames, configuration.drop_threshold) = (0, 0);
        configuration.rate_control = CONSTANT_RATE;
        configuration.kilobits = setup.bitrate / 1000;
        configuration.quantizers = [2, 56];
        configuration.undershoot_overshoot = [100, 15];
        configuration.buffer = [1000, 500, 600];
        configuration.keyframes = KEYFRAMES_ASKED;
        let mut context = Box::new(Instance::default());
        let opened = ABI_VERSIONS.map(|version| {
            // SAFETY: context and configuration are of the types it expects and outlive the encoder; one that is
            // refused is left as it was.
            unsafe { vpx_codec_enc_init_ver(&raw mut *context, interface, &raw const *configuration, 0, version) }
        });
        checked(opened.into_iter().find(|code| *code != MISMATCH).unwrap_or(MISMATCH))?;
        let mut library = Self { context, configuration };
        for (control, value) in [SPEED, STILL] {
            // SAFETY: the context is open, and both controls take one int.
            checked(unsafe { vpx_codec_control_(&raw mut *library.context, control, value) })?;
        }
        Ok(library)
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        self.configuration.kilobits = bitrate / 1000;
        // SAFETY: the context is open; the library copies the configuration.
        checked(unsafe { vpx_codec_enc_config_set(&raw mut *self.context, &raw const *self.configuration) })
    }

    /// The unit of one frame, and whether it is a keyframe.
    fn encode(&mut self, frame: &ComposedFrame, micros: i64, span: c_ulong, key: bool) -> Result<Unit, EncodeError> {
        let (width, height) = (frame.size.width, frame.size.height);
        let mut image = MaybeUninit::<Image>::zeroed();
        let flags = if key { FORCE_KEYFRAME } else { 0 };
        // SAFETY: a ComposedFrame holds three packed planes with even sides (`check_frame`), which is what wrapping
        // without alignment describes; the library reads them in the call alone. The context is open.
        unsafe {
            let image = vpx_img_wrap(image.as_mut_ptr(), I420, width, height, 1, frame.samples.as_ptr());
            checked(if image.is_null() {
                MISMATCH
            } else {
                vpx_codec_encode(&raw mut *self.context, image, micros, span, flags, REALTIME)
            })?;
        }
        let mut iterator = ptr::null();
        loop {
            // SAFETY: the context is open; a packet and its bytes are valid until the next call that encodes.
            let packet = unsafe { vpx_codec_get_cx_data(&raw mut *self.context, &raw mut iterator).as_ref() };
            let Some(packet) = packet else {
                return Err(EncodeError::Library { encoder: NAME, reason: "a frame was left out".into() });
            };
            if packet.kind == 0 && packet.length > 0 {
                // SAFETY: the library says where the frame's bytes lie, and how many.
                let data = Bytes::copy_from_slice(unsafe { slice::from_raw_parts(packet.data, packet.length) });
                return Ok(Unit { data, keyframe: packet.flags & IS_KEYFRAME != 0 });
            }
        }
    }
}

struct Unit {
    data: Bytes,
    keyframe: bool,
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the context was opened, and this is its end.
        unsafe { vpx_codec_destroy(&raw mut *self.context) };
    }
}

fn checked(code: c_int) -> Result<(), EncodeError> {
    if code == 0 { Ok(()) } else { Err(EncodeError::Library { encoder: NAME, reason: format!("error {code}") }) }
}

impl VideoEncoder for Vp8Encoder {
    fn name(&self) -> &'static str {
        NAME
    }

    fn encode(
        &mut self,
        frame: &ComposedFrame,
        keyframe: bool,
        out: &mut Vec<EncodedFrame>,
    ) -> Result<(), EncodeError> {
        let micros = check_frame(&self.setup, frame, self.last_micros)?;
        let span = c_ulong::from(MICROS.unsigned_abs() / self.setup.fps);
        let unit = self.library.encode(frame, micros, span, keyframe)?;
        self.last_micros = Some(micros);
        out.push(EncodedFrame { codec: Codec::Vp8, data: unit.data, pts: frame.pts, keyframe: unit.keyframe });
        Ok(())
    }

    fn finish(&mut self, _out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        // Every frame came out at once.
        Ok(())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        check_bitrate(bitrate)?;
        self.library.set_bitrate(bitrate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::media::{Size, pts_from_tick};
    use crate::core::bitstream::stated_size;
    use crate::engine::decode::video_decoder;

    const SETUP: VideoEncoderSetup =
        VideoEncoderSetup { codec: Codec::Vp8, size: Size::new(322, 182), fps: 30, bitrate: 400_000, threads: 1 };

    /// A grey that grows lighter, with a bar that wanders.
    fn frame(n: u64) -> ComposedFrame {
        let (width, height) = (322, 182);
        let luma = (0..width * height).map(|at| if at % width / 8 == n as usize % 40 { 200 } else { 60 + n as u8 });
        let samples = luma.chain(std::iter::repeat_n(100, width * height / 2)).collect();
        ComposedFrame::new(SETUP.size, pts_from_tick(n, SETUP.fps), samples)
    }

    #[test]
    fn every_tick_is_a_unit_and_keyframes_come_when_asked() {
        let mut encoder = encoder(SETUP).unwrap();
        let (mut units, mut pictures) = (Vec::new(), Vec::new());
        let mut decoder = video_decoder(Codec::Vp8).unwrap();
        for n in 0..60 {
            encoder.encode(&frame(n), n == 20, &mut units).unwrap();
        }
        let keys: Vec<usize> = (0..units.len()).filter(|at| units[*at].keyframe).collect();
        assert_eq!((units.len(), keys), (60, vec![0, 20]));
        assert!((0..60).all(|n| units[n as usize].pts == pts_from_tick(n, 30)));
        assert_eq!(stated_size(Codec::Vp8, &units[20].data), Some(SETUP.size));
        for unit in &units {
            decoder.decode(unit.coded(), &mut pictures).unwrap();
        }
        assert_eq!(pictures.len(), 60);
        let [luma, blue] = [0, 1].map(|plane| pictures[59].picture.plane(plane));
        assert!(luma.data[luma.stride * 90 + 8].abs_diff(60 + 59) < 8, "it looks as it was composed");
        assert!(blue.data[blue.stride * 45 + 4].abs_diff(100) < 4);
    }

    #[test]
    fn a_new_bitrate_holds() {
        // Grain, so that there is something to spend bits on; faint, for of strong grain no bitrate holds.
        let grain = |n: u64| {
            let mut seed = n + 1;
            let mut next = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                112 + (seed >> 56) as u8 % 32
            };
            let samples = (0..322 * 182 * 3 / 2).map(|_| next()).collect();
            ComposedFrame::new(SETUP.size, pts_from_tick(n, SETUP.fps), samples)
        };
        let mut encoder = encoder(SETUP).unwrap();
        let bytes = |encoder: &mut Box<dyn VideoEncoder>, ticks: std::ops::Range<u64>| {
            let mut units = Vec::new();
            ticks.for_each(|n| encoder.encode(&grain(n), false, &mut units).unwrap());
            units.iter().map(|unit| unit.data.len()).sum::<usize>()
        };
        let before = bytes(&mut encoder, 0..60);
        encoder.set_bitrate(2_000_000).unwrap();
        let after = bytes(&mut encoder, 60..120);
        assert!(after > before * 3, "{before} then {after}");
        assert!(encoder.set_bitrate(0).is_err());
        assert!(matches!(encoder.encode(&frame(119), false, &mut Vec::new()), Err(EncodeError::Frame(_))));
    }
}
