//! **The question:** how are the pictures of an MP4 track to be seen? What the track's and the movie's matrix, the
//! shape of samples (`pasp`), the clean aperture (`clap`) and the colours (`colr`) say (ISO/IEC 14496-12, sections
//! 8.2.2, 8.3.2, 12.1.4 and 12.1.5).

use mp4_atom::{Av01, Colr, Matrix, Mvhd, Tkhd};

use crate::base::media::Orientation;
use crate::base::media::{Matrix as H273, Size};
use crate::engine::decode::{Cut, Reshape};
use crate::io::demux::matroska::ratio;
use crate::io::demux::orientation::Transform;
use crate::io::demux::stored::Fault;

/// Bytes of a visual sample entry before the boxes in it.
const VISUAL_BYTES: usize = 78;

/// What is done to pictures of the track in `trak`, the box as it is stored.
pub(super) fn reshape(mvhd: &Mvhd, tkhd: &Tkhd, av01: &Av01, trak: &[u8]) -> Result<Reshape, Fault> {
    let whole = Size::new(av01.visual.width.into(), av01.visual.height.into());
    let cut = clean_aperture(trak).and_then(|aperture| aperture.cut(whole));
    let matrix = transform(&tkhd.matrix).then(transform(&mvhd.matrix));
    let tilted = || Fault::Kind("pictures turned by no quarter turn".into());
    let (Orientation { mirrored, turns }, scale) = matrix.orientation().ok_or_else(tilted)?;
    let shown = cut.map_or(whole, |cut| cut.size);
    let (width, height) = sample_shape(tkhd, av01, shown);
    // Parts of a thousand: matrices that stretch are rare, and rounded themselves.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive scale, saturating")]
    let scale = (scale * 1000.0).round() as u64;
    let aspect = ratio(width.saturating_mul(scale.max(1)), height.saturating_mul(1000));
    Ok(Reshape { cut, mirrored, turns, aspect })
}

/// 16.16 fixed point. A matrix of zeros is one that nobody filled in.
fn transform(matrix: &Matrix) -> Transform {
    let part = |value: i32| f64::from(value) / 65_536.0;
    let Matrix { a, b, c, d, .. } = matrix;
    if [a, b, c, d].into_iter().all(|value| *value == 0) {
        return Transform { a: 1.0, b: 0.0, c: 0.0, d: 1.0 };
    }
    Transform { a: part(*a), b: part(*b), c: part(*c), d: part(*d) }
}

/// The shape of one sample: as `pasp` says, or so that the track's extent comes out.
fn sample_shape(tkhd: &Tkhd, av01: &Av01, shown: Size) -> (u64, u64) {
    if let Some(pasp) = av01.pasp.as_ref().filter(|pasp| pasp.h_spacing > 0 && pasp.v_spacing > 0) {
        return (pasp.h_spacing.into(), pasp.v_spacing.into());
    }
    let side = |side: mp4_atom::FixedPoint<u16>| u64::from(side.integer()) << 16 | u64::from(side.decimal());
    let (width, height) = (side(tkhd.width), side(tkhd.height));
    if width == 0 || height == 0 {
        return (1, 1);
    }
    (width.saturating_mul(shown.height.into()), height.saturating_mul(shown.width.into()))
}

/// The colours that `colr` states: how samples make them, and whether the range is full if that is said.
pub(super) fn colour(av01: &Av01) -> Option<(H273, Option<bool>)> {
    let (coefficients, range) = match av01.colr.as_ref()? {
        Colr::Nclx { matrix_coefficients, full_range_flag, .. } => (*matrix_coefficients, Some(*full_range_flag)),
        Colr::Nclc { matrix_coefficients, .. } => (*matrix_coefficients, None),
        _ => return None,
    };
    H273::of(coefficients.into()).map(|matrix| (matrix, range))
}

/// `clap`, in fractions of samples; offsets are of the middle.
#[derive(Debug, Clone, Copy)]
struct Aperture {
    width: f64,
    height: f64,
    across: f64,
    down: f64,
}

impl Aperture {
    /// What of `whole` it shows; `None` if that is everything, or nothing that can be.
    fn cut(self, whole: Size) -> Option<Cut> {
        let edge = |whole: u32, extent: f64, offset: f64| {
            let begin = ((f64::from(whole) - extent) / 2.0 + offset).round();
            let is_within = extent >= 1.0 && begin >= 0.0 && begin + extent <= f64::from(whole) + 0.5;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
            is_within.then(|| (begin as u32, extent.floor() as u32))
        };
        let (left, width) = edge(whole.width, self.width, self.across)?;
        let (top, height) = edge(whole.height, self.height, self.down)?;
        let size = Size::new(width, height);
        (size != whole).then_some(Cut { of: whole, left, top, size })
    }
}

/// The parser of boxes leaves `clap` out, so it is looked for in the bytes.
fn clean_aperture(trak: &[u8]) -> Option<Aperture> {
    let stsd = [b"mdia", b"minf", b"stbl", b"stsd"].iter().try_fold(trak, |body, kind| child(body, kind))?;
    // Version, flags and the number of entries come first.
    let entry = child(stsd.get(8..)?, b"av01")?;
    let clap = child(entry.get(VISUAL_BYTES..)?, b"clap")?;
    let word = |n: usize| Some(i32::from_be_bytes(clap.get(4 * n..4 * n + 4)?.try_into().ok()?));
    let fraction = |n: usize| {
        let (above, below) = (word(2 * n)?, word(2 * n + 1)?);
        (below != 0).then(|| f64::from(above) / f64::from(below))
    };
    Some(Aperture { width: fraction(0)?, height: fraction(1)?, across: fraction(2)?, down: fraction(3)? })
}

/// The body of the first box of that kind among those in `bytes`.
fn child<'a>(mut bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    loop {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let found = rest.get(..4)?;
        let size = usize::try_from(u32::from_be_bytes(*size)).ok().filter(|size| *size >= 8)?;
        let body = bytes.get(8..size)?;
        if found == kind {
            return Some(body);
        }
        bytes = &bytes[size..];
    }
}

#[cfg(test)]
mod tests {
    use mp4_atom::{Pasp, Visual};

    use super::*;

    fn av01(pasp: Option<Pasp>) -> Av01 {
        Av01 { visual: Visual { width: 720, height: 576, ..Visual::default() }, pasp, ..Av01::default() }
    }

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], kind, body].concat()
    }

    fn is_near((width, height): (u32, u32), expected: f64) -> bool {
        (f64::from(width) / f64::from(height) / expected - 1.0).abs() < 0.002
    }

    #[test]
    fn case_60_colours_are_read_where_they_are_stated() {
        let stated = |matrix_coefficients| {
            let colr = Colr::new(1, 1, matrix_coefficients, true).unwrap();
            colour(&Av01 { colr: Some(colr), ..av01(None) })
        };
        assert_eq!(stated(1), Some((H273::Bt709, Some(true))));
        assert_eq!([stated(2), stated(0), colour(&av01(None))], [None; 3]);
    }

    #[test]
    fn case_33_turns_of_track_and_movie_add_up() {
        let quarter = Matrix { a: 0, b: 65_536, c: -65_536, d: 0, ..Matrix::default() };
        let (mvhd, tkhd) = (Mvhd::default(), Tkhd { matrix: quarter.clone(), ..Tkhd::default() });
        assert_eq!(reshape(&mvhd, &tkhd, &av01(None), &[]).unwrap().turns, 1);
        let both = reshape(&Mvhd { matrix: quarter, ..mvhd.clone() }, &tkhd, &av01(None), &[]).unwrap();
        assert_eq!((both.turns, both.mirrored, both.aspect), (2, false, (1, 1)));
        let tilted = Matrix { a: 46_341, b: 46_341, c: -46_341, d: 46_341, ..Matrix::default() };
        let tkhd = Tkhd { matrix: tilted, ..Tkhd::default() };
        assert!(matches!(reshape(&mvhd, &tkhd, &av01(None), &[]), Err(Fault::Kind(_))));
    }

    #[test]
    fn case_33_samples_that_are_not_square_are_known_by_pasp_or_the_tracks_extent() {
        let (mvhd, tkhd) = (Mvhd::default(), Tkhd { width: 1024.into(), height: 576.into(), ..Tkhd::default() });
        let pasp = Pasp { h_spacing: 16, v_spacing: 15 };
        assert!(is_near(reshape(&mvhd, &tkhd, &av01(Some(pasp)), &[]).unwrap().aspect, 16.0 / 15.0));
        assert!(is_near(reshape(&mvhd, &tkhd, &av01(None), &[]).unwrap().aspect, 64.0 / 45.0));
        assert_eq!(reshape(&mvhd, &Tkhd::default(), &av01(None), &[]).unwrap().aspect, (1, 1));
    }

    #[test]
    fn case_33_the_clean_aperture_is_a_cut() {
        let words = [704_i32, 1, 576, 1, 2, 1, 0, 1].map(i32::to_be_bytes).concat();
        let entry = boxed(b"av01", &[&[0; VISUAL_BYTES][..], &boxed(b"free", &[]), &boxed(b"clap", &words)].concat());
        let stsd = boxed(b"stsd", &[&[0; 8][..], &entry].concat());
        let trak = [b"stbl", b"minf", b"mdia"].iter().fold(stsd, |body, kind| boxed(kind, &body));
        let cut = reshape(&Mvhd::default(), &Tkhd::default(), &av01(None), &trak).unwrap().cut.unwrap();
        assert_eq!((cut.left, cut.top, cut.size), (10, 0, Size::new(704, 576)));
        assert!(Aperture { width: 800.0, height: 576.0, across: 0.0, down: 0.0 }.cut(cut.of).is_none());
        assert!(Aperture { width: 720.0, height: 576.0, across: 0.0, down: 0.0 }.cut(cut.of).is_none());
    }
}
