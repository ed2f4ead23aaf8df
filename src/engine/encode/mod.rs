//! **The question:** ComposedFrame or PcmBlock → EncodedFrame. Floor 3; codec pointers never leave their codec's file.
//!
//! Doors: [`video_encoder`] makes a [`VideoEncoder`] by name; [`choose_video_encoder`] lets a short calibration decide,
//! by a [`Mosaic`] that is as hard as a crowded canvas.
//! The load generator encodes its clips by the same doors. [`OpusEncoder`] writes voices, [`G711Encoder`] those for the
//! telephone, [`AacEncoder`] mixes for streaming platforms, [`jpeg()`] a still.

mod aac;
mod activity;
mod aom;
mod calibration;
mod g711;
#[cfg(feature = "h264")]
mod h264;
mod jpeg;
mod mosaic;
mod opus;
#[cfg(test)]
mod page;
#[cfg(test)]
mod quality;
#[cfg(feature = "rav1e")]
mod rav1e;
mod video;
#[cfg(feature = "vpx")]
mod vp8;

pub use aac::{AAC_DELAY_SAMPLES, AacEncoder};
pub use calibration::{Chosen, EncoderChoice, Measure, Spent, choose_video_encoder, video_encoder};
pub use g711::G711Encoder;
pub use jpeg::jpeg;
pub use mosaic::Mosaic;
pub use opus::{OPUS_BITRATE, OpusEncodeError, OpusEncoder, OpusEncoderConfig};
pub use video::{EncodeError, VideoEncoder, VideoEncoderSetup, encodes};

#[cfg(test)]
#[cfg(feature = "rav1e")]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::media::{Codec, ComposedFrame, Damage, EncodedFrame, Law, Pts, Size, VideoFrame, pts_from_tick};
    use crate::engine::decode::video_decoder;

    const SETUP: VideoEncoderSetup =
        VideoEncoderSetup { codec: Codec::Av1, size: Size::new(320, 180), fps: 30, bitrate: 400_000, threads: 1 };
    const BOTH: [EncoderChoice; 2] = [EncoderChoice::Aom, EncoderChoice::Rav1e];

    /// Soft shapes that cross a shaded background, with a little grain so that the rate control has work to do.
    fn moving_frame(size: Size, n: u64) -> ComposedFrame {
        let (width, height) = (size.width as usize, size.height as usize);
        let mut grain = 0x2545_f491_4f6c_dd1d_u64.wrapping_mul(n + 1);
        let mut samples = Vec::with_capacity(width * height * 3 / 2);
        let t = n as f32 / 8.0;
        for y in 0..height {
            for x in 0..width {
                let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
                let blob = |a: f32, b: f32| (-80.0 * ((u - a).powi(2) + (v - b).powi(2))).exp();
                let stripes = (40.0 * u + 25.0 * v + 3.0 * t).sin() * 18.0;
                let light = blob(0.5 + 0.4 * t.sin(), 0.5) + blob(0.3, 0.5 + 0.4 * (1.3 * t).cos());
                grain ^= grain << 13;
                grain ^= grain >> 7;
                grain ^= grain << 17;
                let value = 70.0 + 60.0 * v + stripes + 70.0 * light + (grain % 5) as f32;
                samples.push(value.clamp(16.0, 235.0) as u8);
            }
        }
        for plane in 0..2 {
            for y in 0..height / 2 {
                let shade = |x: usize| (110 + plane * 20 + 16 * x / width + 16 * y / height) as u8;
                samples.extend((0..width / 2).map(shade));
            }
        }
        ComposedFrame::new(size, pts_from_tick(n, SETUP.fps), samples)
    }

    fn encode_all(
        encoder: &mut dyn VideoEncoder,
        numbers: std::ops::Range<u64>,
        key: impl Fn(u64) -> bool,
    ) -> Vec<EncodedFrame> {
        let mut out = Vec::new();
        for n in numbers {
            encoder.encode(&moving_frame(SETUP.size, n), key(n), &mut out).unwrap();
        }
        out
    }

    /// Peak signal-to-noise ratio of all three planes together, dB.
    fn psnr(frame: &ComposedFrame, picture: &VideoFrame) -> f64 {
        let (mut squares, mut count) = (0_u64, 0_u64);
        for (index, plane) in frame.planes().into_iter().enumerate() {
            let decoded = picture.picture.plane(index);
            for (row, other) in plane.data.chunks(plane.stride).zip(decoded.data.chunks(decoded.stride)) {
                for (a, b) in row.iter().zip(other) {
                    squares += u64::from(a.abs_diff(*b)).pow(2);
                    count += 1;
                }
            }
        }
        10.0 * (255.0_f64.powi(2) * count as f64 / squares.max(1) as f64).log10()
    }

    fn bits_per_second(units: &[EncodedFrame]) -> f64 {
        units.iter().map(|unit| unit.data.len() as f64 * 8.0).sum::<f64>() * f64::from(SETUP.fps) / units.len() as f64
    }

    #[test]
    fn what_goes_in_comes_out_again() {
        for choice in BOTH {
            let mut encoder = video_encoder(choice, SETUP).unwrap();
            assert_eq!(encoder.name(), choice.to_string());
            let mut units = encode_all(&mut *encoder, 0..24, |n| n == 0);
            encoder.finish(&mut units).unwrap();
            assert_eq!(units.len(), 24, "{choice}");
            let mut decoder = video_decoder(Codec::Av1).unwrap();
            let mut pictures = Vec::new();
            for (unit, n) in units.iter().zip(0_u64..) {
                assert_eq!(unit.pts, pts_from_tick(n, SETUP.fps), "{choice}: each unit carries its frame's time");
                assert_eq!(unit.keyframe, n == 0, "{choice}: keyframes only on request");
                assert_ne!(unit.data[0] >> 3 & 0xf, 2, "{choice}: no temporal delimiter");
                decoder.decode(unit.coded(), &mut pictures).unwrap();
                assert_eq!(pictures.len() as u64, n + 1, "{choice}: one unit, one picture");
            }
            for (picture, n) in pictures.iter().zip(0_u64..) {
                assert_eq!((picture.size, picture.full_range), (SETUP.size, false));
                let quality = psnr(&moving_frame(SETUP.size, n), picture);
                assert!(quality > 30.0, "{choice}: frame {n} has {quality:.1} dB");
            }
        }
    }

    #[test]
    fn a_keyframe_comes_on_request_and_decoding_may_start_there() {
        for choice in BOTH {
            let mut encoder = video_encoder(choice, SETUP).unwrap();
            let mut units = encode_all(&mut *encoder, 0..16, |n| n == 0 || n == 7);
            encoder.finish(&mut units).unwrap();
            let keyframes: Vec<usize> = (0..units.len()).filter(|&n| units[n].keyframe).collect();
            assert_eq!(keyframes, [0, 7], "{choice}");
            let mut decoder = video_decoder(Codec::Av1).unwrap();
            let mut pictures = Vec::new();
            for unit in &units[7..] {
                decoder.decode(unit.coded(), &mut pictures).unwrap();
            }
            assert_eq!(pictures.len(), 9, "{choice}");
            assert!(psnr(&moving_frame(SETUP.size, 15), &pictures[8]) > 30.0, "{choice}");
        }
    }

    #[test]
    fn the_target_is_kept_and_may_change() {
        // Below what the finest quantizer takes for this picture (80 kb/s), so that the target is what binds.
        let setup = VideoEncoderSetup { bitrate: 60_000, ..SETUP };
        let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
        let units = encode_all(&mut *encoder, 0..120, |n| n == 0);
        let rate = bits_per_second(&units[30..]);
        assert!((rate / f64::from(setup.bitrate) - 1.0).abs() < 0.25, "{rate:.0} bits a second");
        encoder.set_bitrate(setup.bitrate / 2).unwrap();
        let units = encode_all(&mut *encoder, 120..240, |_| false);
        assert!(units.iter().all(|unit| !unit.keyframe), "a new target is no reason for a keyframe");
        let rate = bits_per_second(&units[60..]);
        assert!((rate / f64::from(setup.bitrate / 2) - 1.0).abs() < 0.25, "{rate:.0} bits a second after halving");
    }

    /// Encodes a picture whose right half stands still from frame 40 on; what its last frame loses there, and how many
    /// bytes the frames after the 60th took.
    fn frozen_half(damage: impl Fn(u64) -> Damage) -> (f64, usize) {
        let (mut encoder, mut decoder) =
            (video_encoder(EncoderChoice::Aom, SETUP).unwrap(), video_decoder(Codec::Av1).unwrap());
        let (mut units, mut pictures) = (Vec::new(), Vec::new());
        let width = SETUP.size.width as usize;
        let frame = |n: u64| {
            let mut frame = moving_frame(SETUP.size, n);
            let still = moving_frame(SETUP.size, n.min(40));
            // Rows of luma and, after them, of chroma: the right half of each is the still one.
            let luma = width * SETUP.size.height as usize;
            for (index, (sample, other)) in frame.samples.iter_mut().zip(&still.samples).enumerate() {
                let (row, at) = if index < luma { (width, index) } else { (width / 2, index - luma) };
                if at % row >= row / 2 {
                    *sample = *other;
                }
            }
            frame.damage = damage(n);
            frame
        };
        for n in 0..100 {
            encoder.encode(&frame(n), n == 0, &mut units).unwrap();
            decoder.decode(units[units.len() - 1].coded(), &mut pictures).unwrap();
        }
        let (last, shown) = (frame(99), pictures.last().unwrap().picture.plane(0));
        let rows = last.planes()[0].data.chunks(width).zip(shown.data.chunks(shown.stride));
        let squares = |(row, other): (&[u8], &[u8])| -> f64 {
            (width / 2..width).map(|x| f64::from(row[x].abs_diff(other[x])).powi(2)).sum()
        };
        let mean = rows.map(squares).sum::<f64>() / (width / 2) as f64 / f64::from(SETUP.size.height);
        (10.0 * (255.0_f64.powi(2) / mean).log10(), units[60..].iter().map(|unit| unit.data.len()).sum())
    }

    #[test]
    fn a_half_that_freezes_is_as_good_as_if_all_were_coded() {
        let half = |n: u64| {
            let mut damage = Damage::none(SETUP.size);
            damage.mark(0, 0, if n <= 40 { SETUP.size.width } else { SETUP.size.width / 2 }, SETUP.size.height);
            damage
        };
        let (marked, _) = frozen_half(half);
        let (full, _) = frozen_half(|_| Damage::full(SETUP.size));
        assert!(marked > full - 0.5, "{marked:.2} dB, {full:.2} dB if every block is coded");
        // The test can fail: a half that is marked as still before it is leaves the old picture standing.
        let (stale, _) = frozen_half(|n| half(if n > 20 { 41 } else { n }));
        assert!(stale < full - 3.0, "{stale:.2} dB with a lie");
    }

    #[test]
    fn rav1e_takes_a_new_target_at_the_next_keyframe() {
        let mut encoder = video_encoder(EncoderChoice::Rav1e, SETUP).unwrap();
        let mut units = encode_all(&mut *encoder, 0..60, |n| n == 0);
        encoder.set_bitrate(SETUP.bitrate / 4).unwrap();
        let mut out = encode_all(&mut *encoder, 60..120, |n| n == 60);
        units.append(&mut out);
        encoder.finish(&mut units).unwrap();
        assert_eq!(units.len(), 120);
        assert!(units.iter().zip(0..).all(|(unit, n)| unit.pts == pts_from_tick(n, SETUP.fps)));
        assert!(units[60].keyframe);
        let (before, after) = (bits_per_second(&units[1..60]), bits_per_second(&units[61..]));
        assert!(after < before / 2.0, "{before:.0} became {after:.0} bits a second");
    }

    #[test]
    fn impossible_setups_and_foreign_frames_are_refused_in_words() {
        let refused = |setup: VideoEncoderSetup| match video_encoder(EncoderChoice::Auto, setup) {
            Err(EncodeError::Setup(reason)) => reason,
            Err(other) => panic!("{other}"),
            Ok(encoder) => panic!("{} took {setup:?}", encoder.name()),
        };
        assert!(refused(VideoEncoderSetup { size: Size::new(321, 180), ..SETUP }).contains("321x180 has an odd side"));
        assert!(refused(VideoEncoderSetup { size: Size::new(320, 181), ..SETUP }).contains("odd side"));
        assert!(refused(VideoEncoderSetup { codec: Codec::G711(Law::A), ..SETUP }).contains("pictures as pcma"));
        assert!(refused(VideoEncoderSetup { size: Size::new(0, 0), ..SETUP }).contains("sides are 16 to 4096"));
        assert!(refused(VideoEncoderSetup { fps: 0, ..SETUP }).contains("frames a second"));
        assert!(refused(VideoEncoderSetup { threads: 0, ..SETUP }).contains("threads"));
        assert!(refused(VideoEncoderSetup { bitrate: 0, ..SETUP }).contains("bits a second"));
        for choice in BOTH {
            let mut encoder = video_encoder(choice, SETUP).unwrap();
            assert!(matches!(encoder.set_bitrate(0), Err(EncodeError::Setup(_))));
            let mut out = Vec::new();
            let foreign = moving_frame(Size::new(64, 64), 0);
            assert!(matches!(encoder.encode(&foreign, true, &mut out), Err(EncodeError::Frame(_))), "{choice}");
            let frame = moving_frame(SETUP.size, 5);
            encoder.encode(&frame, true, &mut out).unwrap();
            assert!(
                matches!(encoder.encode(&frame, false, &mut out), Err(EncodeError::Frame(_))),
                "{choice}: same pts"
            );
            let later = ComposedFrame { pts: Pts(frame.pts.0 + 5_000_000_000), ..moving_frame(SETUP.size, 6) };
            encoder.encode(&later, false, &mut out).unwrap();
        }
    }

    #[test]
    fn small_and_odd_shaped_rungs_encode() {
        for size in [Size::new(16, 16), Size::new(96, 54), Size::new(54, 96), Size::new(318, 178)] {
            for choice in BOTH {
                let mut encoder = video_encoder(choice, VideoEncoderSetup { size, threads: 2, ..SETUP }).unwrap();
                let mut out = Vec::new();
                for n in 0..6 {
                    encoder.encode(&moving_frame(size, n), n == 0, &mut out).unwrap();
                }
                encoder.finish(&mut out).unwrap();
                assert_eq!(out.len(), 6, "{choice} at {size:?}");
                let (mut decoder, mut pictures) = (video_decoder(Codec::Av1).unwrap(), Vec::new());
                out.iter().for_each(|unit| decoder.decode(unit.coded(), &mut pictures).unwrap());
                assert!(pictures.iter().all(|picture| picture.size == size));
            }
        }
    }

    #[test]
    fn names_are_parsed_and_auto_is_settled_by_measurement() {
        for choice in [EncoderChoice::Auto, EncoderChoice::Aom, EncoderChoice::Rav1e] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
            assert_eq!(serde_json::to_string(&choice).unwrap(), format!("\"{choice}\""));
        }
        assert_eq!("x264".parse::<EncoderChoice>(), Err(EncodeError::UnknownName("x264".into())));
        let settle = |choice, fps, times: &[u64]| {
            let setup = VideoEncoderSetup { size: Size::new(64, 48), fps, ..SETUP };
            let mut times = times.iter().copied().map(Duration::from_millis);
            let mut measure = |work: &mut dyn FnMut()| {
                work();
                let wall = times.next().unwrap();
                Spent { wall, processor: wall / 2 }
            };
            let chosen = choose_video_encoder(choice, setup, &mut measure).unwrap();
            assert!(times.next().is_none(), "nothing is measured for nothing");
            chosen
        };
        // Of 8 frames each: the crowd as AV1 and as H.264.
        let chosen = settle(EncoderChoice::Rav1e, 30, &[160, 48]);
        assert_eq!((chosen.choice, chosen.costs.av1), (EncoderChoice::Rav1e, Duration::from_millis(10)));
        assert_eq!(chosen.costs.h264, Some(Duration::from_millis(3)));
        let chosen = settle(EncoderChoice::Auto, 30, &[2400, 48]);
        assert_eq!((chosen.choice, &*chosen.reason), (EncoderChoice::Aom, "libaom needs 0.5 ms of a 33.3 ms tick"));
        // Where the guess does not fit, it is measured at the canvas' own size, threads and all.
        assert_eq!(settle(EncoderChoice::Auto, 120, &[240_000, 48, 40]).choice, EncoderChoice::Aom);
        assert_eq!(settle(EncoderChoice::Auto, 120, &[240_000, 48, 800, 1600]).choice, EncoderChoice::Aom);
        assert_eq!(settle(EncoderChoice::Auto, 120, &[240_000, 48, 1600, 800]).choice, EncoderChoice::Rav1e);
    }
}
