//! **The question:** how does libaom encode a tick in real time? Every `unsafe` block of the encoder stands in this
//! file.

use std::ffi::{CStr, c_int};
use std::mem::MaybeUninit;

use bytes::Bytes;
use libaom_sys as ffi;

use crate::base::media::{Codec, ComposedFrame, Content, Damage, EncodedFrame, Matrix, Pts};
use crate::core::bitstream::av1::StrippedUnit;
use crate::engine::encode::activity::Activity;
use crate::engine::encode::video::{EncodeError, VideoEncoder, VideoEncoderSetup, check_bitrate, check_frame};

const NAME: &str = "aom";

/// The real-time set-up, measured with libaom 3.11 at 1280×720, 2 Mb/s, one thread, mosaics of real video (16 tiles, 5
/// tiles): 66 and 75 frames/s, 36.8 and 42.9 dB. Off is whatever buys less quality than it costs time. cpu-used 11
/// gives the same bits at 720p, 12 is refused.
const CONTROLS: &[(ffi::aome_enc_control_id, c_int)] = &[
    (ffi::AOME_SET_CPUUSED, 10),
    // Cyclic refresh: spreads intra refinement over frames, so no frame stands out in size.
    (ffi::AV1E_SET_AQ_MODE, 3),
    (ffi::AV1E_SET_ROW_MT, 1),
    (ffi::AV1E_SET_ERROR_RESILIENT_MODE, 0),
    (ffi::AV1E_SET_ENABLE_ORDER_HINT, 0),
    (ffi::AV1E_SET_ENABLE_OBMC, 0),
    (ffi::AV1E_SET_ENABLE_GLOBAL_MOTION, 0),
    (ffi::AV1E_SET_ENABLE_WARPED_MOTION, 0),
    (ffi::AV1E_SET_ENABLE_REF_FRAME_MVS, 0),
    (ffi::AV1E_SET_ENABLE_TPL_MODEL, 0),
    (ffi::AV1E_SET_DELTAQ_MODE, 0),
    (ffi::AV1E_SET_ENABLE_CFL_INTRA, 0),
    (ffi::AV1E_SET_ENABLE_SMOOTH_INTRA, 0),
    (ffi::AV1E_SET_ENABLE_FILTER_INTRA, 0),
    (ffi::AV1E_SET_ENABLE_ANGLE_DELTA, 0),
    (ffi::AV1E_SET_INTRA_DEFAULT_TX_ONLY, 1),
    (ffi::AV1E_SET_CDF_UPDATE_MODE, 1),
    // 3: never.
    (ffi::AV1E_SET_COEFF_COST_UPD_FREQ, 3),
    (ffi::AV1E_SET_MODE_COST_UPD_FREQ, 3),
    (ffi::AV1E_SET_MV_COST_UPD_FREQ, 3),
    (ffi::AV1E_SET_DV_COST_UPD_FREQ, 3),
    (ffi::AV1E_SET_ENABLE_SUPERRES, 0),
    // 4 to 15 % faster for 0.1 dB (docs/benchmarks.md), and every decoder is spared it too.
    (ffi::AV1E_SET_ENABLE_CDEF, 0),
    (ffi::AV1E_SET_COLOR_PRIMARIES, 1),
    (ffi::AV1E_SET_TRANSFER_CHARACTERISTICS, 1),
    (ffi::AV1E_SET_MATRIX_COEFFICIENTS, Matrix::CANVAS.coefficients() as c_int),
];

/// What a libaom built for real time alone leaves out unless told (`.cargo/libaom.cmake`), and one built whole does
/// not: with these both write the same bits.
const SPELT_OUT: &[(ffi::aome_enc_control_id, c_int)] = &[
    (ffi::AV1E_SET_ENABLE_DUAL_FILTER, 1),
    (ffi::AV1E_SET_ENABLE_RECT_PARTITIONS, 1),
    (ffi::AV1E_SET_ENABLE_AB_PARTITIONS, 1),
    (ffi::AV1E_SET_ENABLE_1TO4_PARTITIONS, 1),
    (ffi::AV1E_SET_ENABLE_INTRA_EDGE_FILTER, 0),
    (ffi::AV1E_SET_ENABLE_TX64, 1),
    (ffi::AV1E_SET_MAX_REFERENCE_FRAMES, 7),
    (ffi::AV1E_SET_ENABLE_MASKED_COMP, 1),
    (ffi::AV1E_SET_ENABLE_INTERINTRA_COMP, 1),
    (ffi::AV1E_SET_ENABLE_PAETH_INTRA, 1),
    (ffi::AV1E_SET_ENABLE_RESTORATION, 0),
];

/// What follows from what the picture shows; palettes make text lossless at a fraction of the bits and cost time and
/// quality on faces. The last bounds a keyframe, in per cent of a frame's bits: more would stand in the way of sound on
/// a thin line, but text has to be read at once.
const fn tuning(content: Content) -> [(ffi::aome_enc_control_id, c_int); 3] {
    let (tune, palette, intra) = match content {
        Content::Cameras => (TUNE_DEFAULT, 0, 200),
        Content::Screen => (TUNE_SCREEN, 1, 300),
    };
    [
        (ffi::AV1E_SET_TUNE_CONTENT, tune),
        (ffi::AV1E_SET_ENABLE_PALETTE, palette),
        (ffi::AOME_SET_MAX_INTRA_BITRATE_PCT, intra),
    ]
}

/// Values of `AV1E_SET_TUNE_CONTENT` (`aom_tune_content`, aomcx.h).
const TUNE_DEFAULT: c_int = ffi::AOM_CONTENT_DEFAULT as c_int;
const TUNE_SCREEN: c_int = ffi::AOM_CONTENT_SCREEN as c_int;

/// The finest quantizer, of 63. A 5-tile mosaic of real video reaches 45 dB with it, where more bits show nobody
/// anything: without this floor an easy picture is refined to the full bitrate (48 dB), at 5 to 15 % more encoding time
/// and 40 % more packets.
const MIN_QUANTIZER: u32 = 24;

/// Makes an encoder; the setup has been checked.
pub(super) fn encoder(setup: VideoEncoderSetup) -> Result<Box<dyn VideoEncoder>, EncodeError> {
    Ok(Box::new(AomEncoder::new(setup)?))
}

struct AomEncoder {
    /// Boxed: libaom keeps a pointer to the configuration inside the context.
    context: Box<ffi::aom_codec_ctx_t>,
    configuration: Box<ffi::aom_codec_enc_cfg_t>,
    setup: VideoEncoderSetup,
    last_micros: Option<i64>,
    activity: Activity,
    /// What it is set up for.
    content: Content,
}

// SAFETY: the context is used by one thread at a time (`&mut self` everywhere), and libaom ties nothing to the thread
// that made it: its worker threads are joined with pthread primitives that any thread may call.
unsafe impl Send for AomEncoder {}

impl AomEncoder {
    fn new(setup: VideoEncoderSetup) -> Result<Self, EncodeError> {
        let configuration = Box::new(configuration(&setup)?);
        let mut context = Box::new(MaybeUninit::<ffi::aom_codec_ctx_t>::zeroed());
        let version = c_int::try_from(ffi::AOM_ENCODER_ABI_VERSION).expect("a small number");
        // SAFETY: the context is writable memory of its type, the interface pointer is libaom's static, and the
        // configuration lives in a box that this struct keeps as long as the context.
        let code = unsafe {
            ffi::aom_codec_enc_init_ver(
                context.as_mut_ptr(),
                ffi::aom_codec_av1_cx(),
                &raw const *configuration,
                0,
                version,
            )
        };
        if code != ffi::AOM_CODEC_OK {
            return Err(library_error("opening", code));
        }
        // SAFETY: `aom_codec_enc_init_ver` returned OK, so it has filled the (zeroed before, all fields plain C)
        // context.
        let context = unsafe { context.assume_init() };
        let activity = Activity::new(setup.size);
        let content = Content::default();
        let mut encoder = Self { context, configuration, setup, last_micros: None, activity, content };
        for &(control, value) in CONTROLS.iter().chain(SPELT_OUT).chain(&tuning(content)) {
            encoder.control(control, value)?;
        }
        // AV1 tiles let threads work in parallel beyond rows; log2, at most one column a thread and 256 pixels a
        // column.
        let columns = setup.threads.min((setup.size.width / 256).max(1) as usize).ilog2();
        encoder.control(ffi::AV1E_SET_TILE_COLUMNS, c_int::try_from(columns).expect("a logarithm"))?;
        Ok(encoder)
    }

    fn control(&mut self, control: ffi::aome_enc_control_id, value: c_int) -> Result<(), EncodeError> {
        let id = c_int::try_from(control).expect("control ids are small");
        // SAFETY: the context is initialised; every control used here takes one int (aomcx.h), which is what is passed.
        let code = unsafe { ffi::aom_codec_control(&raw mut *self.context, id, value) };
        if code == ffi::AOM_CODEC_OK { Ok(()) } else { Err(library_error(&format!("control {id}"), code)) }
    }

    /// Sets up for another content; whether that was one, which takes a keyframe: palettes are allowed from there on.
    fn follow(&mut self, content: Content) -> Result<bool, EncodeError> {
        if content == self.content {
            return Ok(false);
        }
        for (control, value) in tuning(content) {
            self.control(control, value)?;
        }
        self.content = content;
        Ok(true)
    }

    /// Tells libaom which blocks to code; it wants to hear it before every frame.
    fn mark_active(&mut self, damage: &Damage, keyframe: bool) -> Result<(), EncodeError> {
        let (columns, rows) = self.activity.extent();
        let mut map = ffi::aom_active_map_t {
            active_map: self.activity.next(damage, keyframe).as_mut_ptr(),
            rows,
            cols: columns,
        };
        let id = c_int::try_from(ffi::AOME_SET_ACTIVEMAP).expect("control ids are small");
        // SAFETY: the context is initialised; this control takes an `aom_active_map_t*` (aomcx.h) whose map holds rows
        // * cols bytes, which libaom copies before it returns.
        let code = unsafe { ffi::aom_codec_control(&raw mut *self.context, id, &raw mut map) };
        if code == ffi::AOM_CODEC_OK { Ok(()) } else { Err(library_error("the active map", code)) }
    }

    fn collect(&mut self, out: &mut Vec<EncodedFrame>, pts: Pts) -> Result<(), EncodeError> {
        let mut iterator: ffi::aom_codec_iter_t = std::ptr::null();
        loop {
            // SAFETY: the context is initialised and the iterator is null at first, then libaom's own.
            let packet = unsafe { ffi::aom_codec_get_cx_data(&raw mut *self.context, &raw mut iterator) };
            if packet.is_null() {
                return Ok(());
            }
            // SAFETY: a non-null packet is valid until the next call on the context; `kind` says which union field is
            // set.
            let frame = unsafe {
                if (*packet).kind != ffi::AOM_CODEC_CX_FRAME_PKT {
                    continue;
                }
                (*packet).data.frame
            };
            // SAFETY: `buf` holds `sz` bytes until the next call on the context; they are copied before.
            let bytes = unsafe { std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz) };
            let unit = StrippedUnit::copy(bytes).map_err(|error| library_failure(&error.to_string()))?;
            let keyframe = frame.flags & ffi::AOM_FRAME_IS_KEY != 0;
            if keyframe && !unit.has_sequence_header {
                return Err(library_failure("a keyframe without a sequence header"));
            }
            out.push(EncodedFrame { codec: Codec::Av1, data: Bytes::from(unit.data), pts, keyframe });
        }
    }
}

impl VideoEncoder for AomEncoder {
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
        let keyframe = self.follow(frame.content)? || keyframe || self.last_micros.is_none();
        // With the tuning for screens, libaom does not look for the modes of small blocks of a keyframe by their true
        // cost in bits: that takes three times as long, four ticks, for nothing that is seen (docs/benchmarks.md).
        let is_hurried = keyframe && self.content == Content::Cameras;
        if is_hurried {
            self.control(ffi::AV1E_SET_TUNE_CONTENT, TUNE_SCREEN)?;
        }
        self.mark_active(&frame.damage, keyframe)?;
        let nominal = i64::from(1_000_000 / self.setup.fps);
        // Rate control reads the spacing of frames from here: after skipped ticks it may spend more.
        let duration = self.last_micros.map_or(nominal, |last| (micros - last).clamp(1, 1_000_000));
        let mut image = MaybeUninit::<ffi::aom_image_t>::zeroed();
        let (width, height) = (self.setup.size.width, self.setup.size.height);
        // SAFETY: `check_frame` has asserted that the samples are width * height * 3 / 2 bytes, which is exactly an
        // I420 image of alignment 1. libaom only reads them, although the C type is not const, and copies them before
        // `aom_codec_encode` returns.
        let wrapped = unsafe {
            let samples = frame.samples.as_ptr().cast_mut();
            ffi::aom_img_wrap(image.as_mut_ptr(), ffi::AOM_IMG_FMT_I420, width, height, 1, samples)
        };
        if wrapped.is_null() {
            return Err(library_failure("the picture could not be wrapped"));
        }
        let flags = if keyframe { i64::from(ffi::AOM_EFLAG_FORCE_KF) } else { 0 };
        let duration = u64::try_from(duration).expect("clamped to be positive");
        // SAFETY: context and image are initialised, and the image's planes outlive the call.
        let code =
            unsafe { ffi::aom_codec_encode(&raw mut *self.context, image.as_ptr(), micros, duration as _, flags as _) };
        if code != ffi::AOM_CODEC_OK {
            return Err(library_error("encoding", code));
        }
        self.last_micros = Some(micros);
        self.collect(out, frame.pts)?;
        if is_hurried { self.control(ffi::AV1E_SET_TUNE_CONTENT, TUNE_DEFAULT) } else { Ok(()) }
    }

    fn finish(&mut self, _out: &mut Vec<EncodedFrame>) -> Result<(), EncodeError> {
        // Lag is 0: every frame came out at once.
        Ok(())
    }

    fn set_bitrate(&mut self, bitrate: u32) -> Result<(), EncodeError> {
        check_bitrate(bitrate)?;
        self.configuration.rc_target_bitrate = bitrate / 1000;
        // SAFETY: the context is initialised and the configuration lives as long as it.
        let code = unsafe { ffi::aom_codec_enc_config_set(&raw mut *self.context, &raw const *self.configuration) };
        if code == ffi::AOM_CODEC_OK { Ok(()) } else { Err(library_error("a new bitrate", code)) }
    }
}

impl Drop for AomEncoder {
    fn drop(&mut self) {
        // SAFETY: the context is initialised and destroyed nowhere else.
        let _ = unsafe { ffi::aom_codec_destroy(&raw mut *self.context) };
    }
}

fn configuration(setup: &VideoEncoderSetup) -> Result<ffi::aom_codec_enc_cfg_t, EncodeError> {
    let mut configuration = MaybeUninit::<ffi::aom_codec_enc_cfg_t>::zeroed();
    // SAFETY: the pointer is writable memory of the type libaom fills.
    let code = unsafe {
        ffi::aom_codec_enc_config_default(ffi::aom_codec_av1_cx(), configuration.as_mut_ptr(), ffi::AOM_USAGE_REALTIME)
    };
    if code != ffi::AOM_CODEC_OK {
        return Err(library_error("its defaults", code));
    }
    // SAFETY: libaom returned OK and has filled it; zeroed before, every field is plain C.
    let mut configuration = unsafe { configuration.assume_init() };
    configuration.g_w = setup.size.width;
    configuration.g_h = setup.size.height;
    configuration.g_threads = u32::try_from(setup.threads).expect("checked: at most 64");
    configuration.g_timebase = ffi::aom_rational { num: 1, den: 1_000_000 };
    configuration.g_lag_in_frames = 0;
    configuration.g_error_resilient = 0;
    configuration.rc_end_usage = ffi::AOM_CBR;
    configuration.rc_target_bitrate = setup.bitrate / 1000;
    configuration.rc_dropframe_thresh = 0;
    configuration.rc_resize_mode = 0;
    configuration.rc_superres_mode = 0;
    configuration.rc_min_quantizer = MIN_QUANTIZER;
    configuration.rc_max_quantizer = 56;
    configuration.rc_undershoot_pct = 50;
    configuration.rc_overshoot_pct = 50;
    // Milliseconds of the target rate that the receiver's buffer is assumed to hold.
    configuration.rc_buf_sz = 1000;
    configuration.rc_buf_initial_sz = 600;
    configuration.rc_buf_optimal_sz = 600;
    configuration.kf_mode = ffi::AOM_KF_DISABLED;
    configuration.kf_min_dist = 0;
    configuration.kf_max_dist = 0x7fff_ffff;
    Ok(configuration)
}

fn library_error(step: &str, code: ffi::aom_codec_err_t) -> EncodeError {
    // SAFETY: libaom returns a static, NUL-terminated text for every code.
    let text = unsafe { CStr::from_ptr(ffi::aom_codec_err_to_string(code)) };
    library_failure(&format!("{step}: {}", text.to_string_lossy()))
}

fn library_failure(reason: &str) -> EncodeError {
    EncodeError::Library { encoder: NAME, reason: reason.into() }
}
