//! **The question:** how much is lost, and for how many bits? Of what crowds and shared screens look like.

use crate::base::media::{Codec, ComposedFrame, Content, EncodedFrame, Size, VideoFrame, pts_from_tick};
use crate::engine::decode::video_decoder;
use crate::engine::encode::page::page;
use crate::engine::encode::{EncoderChoice, VideoEncoderSetup, video_encoder};

const SETUP: VideoEncoderSetup =
    VideoEncoderSetup { codec: Codec::Av1, size: Size::new(640, 360), fps: 30, bitrate: 600_000, threads: 1 };

/// What became of a few frames.
struct Coded {
    units: Vec<EncodedFrame>,
    /// Of all frames' luma together, dB.
    psnr: f64,
}

impl Coded {
    /// Bits a second from unit `from` on.
    fn rate(&self, from: usize) -> f64 {
        let units = &self.units[from..];
        units.iter().map(|unit| unit.data.len() as f64 * 8.0).sum::<f64>() * f64::from(SETUP.fps) / units.len() as f64
    }

    fn keyframes(&self) -> Vec<usize> {
        (0..self.units.len()).filter(|at| self.units[*at].keyframe).collect()
    }
}

/// Encodes with one keyframe and decodes again.
fn coded(setup: VideoEncoderSetup, frames: impl Iterator<Item = ComposedFrame>) -> Coded {
    let mut encoder = video_encoder(EncoderChoice::Aom, setup).unwrap();
    let mut decoder = video_decoder(setup.codec).unwrap();
    let (mut units, mut pictures, mut squares, mut count) = (Vec::new(), Vec::new(), 0_u64, 0_u64);
    for (n, frame) in frames.enumerate() {
        encoder.encode(&frame, n == 0, &mut units).unwrap();
        decoder.decode(units[n].coded(), &mut pictures).unwrap();
        squares += lost(&frame, pictures.last().unwrap());
        count += u64::from(frame.size.width * frame.size.height);
    }
    assert_eq!(pictures.len(), units.len(), "one unit, one picture");
    Coded { units, psnr: 10.0 * (255.0_f64.powi(2) * count as f64 / squares.max(1) as f64).log10() }
}

/// The squared error of the luma.
fn lost(frame: &ComposedFrame, picture: &VideoFrame) -> u64 {
    let (plane, decoded) = (frame.planes()[0], picture.picture.plane(0));
    let rows = plane.data.chunks(plane.stride).zip(decoded.data.chunks(decoded.stride));
    let row = |(row, other): (&[u8], &[u8])| {
        row.iter().zip(other).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum::<u64>()
    };
    rows.map(row).sum()
}

/// A page that rests for a second and scrolls for another.
fn text(content: impl Fn(u64) -> Content) -> impl Iterator<Item = ComposedFrame> {
    let (width, height) = (SETUP.size.width as usize, SETUP.size.height as usize);
    (0..60).map(move |n| {
        let samples = page(width, height, (n as usize).saturating_sub(30) * 3);
        let mut frame = ComposedFrame::new(SETUP.size, pts_from_tick(n, SETUP.fps), samples);
        frame.content = content(n);
        frame
    })
}

#[test]
fn text_is_sharper_for_fewer_bits_once_the_encoder_knows_of_the_screen() {
    let cameras = coded(SETUP, text(|_| Content::Cameras));
    let screen = coded(SETUP, text(|_| Content::Screen));
    assert!(screen.psnr > cameras.psnr + 5.0, "{:.1} dB, {:.1} dB as for cameras", screen.psnr, cameras.psnr);
    assert!(screen.rate(0) < cameras.rate(0), "{:.0} b/s, {:.0} as for cameras", screen.rate(0), cameras.rate(0));
}

#[test]
fn a_screen_that_comes_and_goes_costs_a_keyframe_each_way_and_no_more() {
    let shared = |n| if (20..40).contains(&n) { Content::Screen } else { Content::Cameras };
    assert_eq!(coded(SETUP, text(shared)).keyframes(), [0, 20, 40]);
}

#[cfg(feature = "h264")]
#[test]
fn a_crowd_as_h264_is_as_good_at_the_same_rate_and_neither_bursts_its_bounds() {
    let setup = VideoEncoderSetup { bitrate: 1_500_000, ..SETUP };
    let mosaic = crate::engine::encode::Mosaic::new(setup.size, 7);
    let crowd = |codec| coded(VideoEncoderSetup { codec, ..setup }, (0..90).map(|n| mosaic.frame(n, setup.fps)));
    let (av1, h264) = (crowd(Codec::Av1), crowd(Codec::H264));
    assert!(h264.psnr > av1.psnr - 1.5, "{:.2} dB, {:.2} dB as AV1", h264.psnr, av1.psnr);
    for (coded, name) in [(&av1, "AV1"), (&h264, "H.264")] {
        assert_eq!((coded.keyframes(), coded.units.len()), (vec![0], 90), "{name}: no frame is left out");
        let overshoot = coded.rate(30) / f64::from(setup.bitrate);
        assert!(overshoot < 1.1, "{name}: {overshoot:.2} of its rate once it has settled");
        let keyframe = coded.units[0].data.len() as f64 * 8.0 / f64::from(setup.bitrate);
        assert!(keyframe < 0.7, "{name}: a keyframe of {keyframe:.2} s of its rate");
    }
}
