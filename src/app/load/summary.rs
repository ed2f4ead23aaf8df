//! **The question:** what do the witnesses' testimonies amount to? Pure.

use std::time::Duration;

use super::gauge::Gauge;
use super::link::WayCounts;
use super::report::{
    AudioReport, CompositeReport, DecoderReport, FaceReport, FreezeReport, LatencyReport, LinkReport, MouthToEarReport,
    ParticipantReport, Report, RungReport,
};
use super::viewer::Sights;
use super::witness::Testimony;
use crate::base::media::Size;

/// The report of what `testimonies` say, over the `measured` span; who was asked, who connected and packets are left
/// out.
pub(super) fn summarise(testimonies: &[Testimony], speakers: &[usize], measured: Duration) -> Report {
    let sights: Vec<&Sights> = testimonies.iter().filter_map(|testimony| testimony.sights.as_ref()).collect();
    let seconds = measured.as_secs_f64();
    let broken_pictures: u64 = sights.iter().map(|sights| sights.broken).sum();
    let broken_sounds: u64 = testimonies.iter().map(|testimony| testimony.sounds.broken).sum();
    let mut errors = Vec::new();
    if broken_pictures > 0 {
        errors.push(format!("{broken_pictures} frames of the composite could not be decoded"));
    }
    if broken_sounds > 0 {
        errors.push(format!("{broken_sounds} packets of the mix could not be decoded"));
    }
    Report {
        participants: ParticipantReport { seen: seen_by_all(&sights), ..ParticipantReport::default() },
        composite: composite(&sights, seconds),
        decoders: decoders(testimonies),
        faces: faces(&sights),
        latency_ms: latency(&sights),
        freezes: FreezeReport {
            count: sights.iter().map(|sights| sights.freezes).sum(),
            longest_ms: sights.iter().map(|sights| sights.longest_gap.as_secs_f64() * 1000.0).fold(0.0, f64::max),
        },
        audio: audio(testimonies, speakers),
        measured_s: seconds,
        errors,
        ..Report::default()
    }
}

/// What bad links did, all together; `None` where there is none.
pub(super) fn links(all: impl Iterator<Item = [WayCounts; 2]>) -> Option<LinkReport> {
    let mut report = LinkReport::default();
    for [up, down] in all {
        report.people += 1;
        for (way, counts) in [(&mut report.up, up), (&mut report.down, down)] {
            way.sent += counts.sent;
            way.lost += counts.lost;
            way.overflowed += counts.overflowed;
            way.queue_ms_max = way.queue_ms_max.max(counts.queue_max.as_secs_f64() * 1000.0);
            way.queue_long_ms = way.queue_long_ms.max(counts.queue_long.as_secs_f64() * 1000.0);
        }
    }
    (report.people > 0).then_some(report)
}

fn seen_by_all(sights: &[&Sights]) -> usize {
    let Some((first, others)) = sights.split_first() else { return 0 };
    first.seen.iter().filter(|number| others.iter().all(|sights| sights.seen.contains(number))).count()
}

fn composite(sights: &[&Sights], seconds: f64) -> CompositeReport {
    let size = sights.first().map(|sights| sights.size);
    let mut codecs = Vec::new();
    for codec in sights.iter().flat_map(|sights| &sights.codecs) {
        if !codecs.contains(&codec.name()) {
            codecs.push(codec.name());
        }
    }
    let fewest = sights.iter().map(|sights| sights.pictures).min().unwrap_or(0);
    CompositeReport {
        width: size.map_or(0, |size| size.width),
        height: size.map_or(0, |size| size.height),
        fps: if seconds > 0.0 { fewest as f64 / seconds } else { 0.0 },
        codec: codecs.join(", "),
    }
}

fn decoders(testimonies: &[Testimony]) -> Vec<DecoderReport> {
    let told = |testimony: &Testimony| {
        let (number, sights) = (testimony.number, testimony.sights.as_ref()?);
        let (Size { width, height }, seen) = (sights.size, sights.seen.len());
        let ms = |span: Duration| span.as_secs_f64() * 1000.0;
        let rung = |(at, Size { width, height }): &(Duration, Size)| RungReport {
            at_s: at.as_secs_f64(),
            width: *width,
            height: *height,
        };
        Some(DecoderReport {
            number,
            width,
            height,
            seen,
            pictures: sights.pictures,
            freezes: sights.freezes,
            longest_gap_ms: ms(sights.longest_gap),
            longest_picture_gap_ms: ms(sights.longest_picture_gap),
            longest_move_gap_ms: ms(sights.longest_move_gap),
            rungs: sights.rungs.iter().map(rung).collect(),
        })
    };
    let mut decoders: Vec<_> = testimonies.iter().filter_map(told).collect();
    decoders.sort_by_key(|decoder| decoder.number);
    decoders
}

/// Of each camera that somebody saw what was worst; what its sender was asked for is left out.
fn faces(sights: &[&Sights]) -> Vec<FaceReport> {
    let people = sights.iter().map(|sights| sights.faces.len()).max().unwrap_or(0);
    let face = |number: usize| {
        let seen = || sights.iter().filter_map(|sights| sights.faces.get(number));
        let longest = seen().map(|face| face.longest_gap).max()?;
        Some(FaceReport {
            number,
            frames: seen().map(|face| face.frames).min()?,
            freezes: seen().map(|face| face.freezes).sum(),
            longest_gap_ms: longest.as_secs_f64() * 1000.0,
            keyframes_asked: 0,
        })
    };
    let is_seen = |face: &FaceReport| sights.iter().any(|sights| sights.seen.contains(&face.number));
    (0..people).filter_map(face).filter(is_seen).collect()
}

fn latency(sights: &[&Sights]) -> LatencyReport {
    let mut all = Gauge::new();
    sights.iter().for_each(|sights| all.merge(&sights.latency));
    LatencyReport {
        p50: all.percentile_ms(50),
        p95: all.percentile_ms(95),
        p99: all.percentile_ms(99),
        max: all.max_ms(),
    }
}

fn audio(testimonies: &[Testimony], speakers: &[usize]) -> AudioReport {
    let is_heard = |speaker: &&usize| {
        let mut others = testimonies.iter().filter(|testimony| testimony.number != **speaker).peekable();
        others.peek().is_some() && others.all(|testimony| testimony.sounds.heard.contains(speaker))
    };
    let mut syncs: Vec<f64> = testimonies.iter().flat_map(|testimony| &testimony.sounds.syncs_ms).copied().collect();
    syncs.sort_by(f64::total_cmp);
    let mut ways = Gauge::new();
    testimonies.iter().for_each(|testimony| ways.merge(&testimony.sounds.ways));
    let gaps = testimonies.iter().map(|testimony| testimony.sounds.longest_gap.as_secs_f64() * 1000.0);
    let mouth_to_ear = MouthToEarReport { p50: ways.percentile_ms(50), p95: ways.percentile_ms(95) };
    AudioReport {
        expected: speakers.len(),
        heard: speakers.iter().filter(is_heard).count(),
        own_heard: testimonies.iter().filter(|testimony| testimony.sounds.heard.contains(&testimony.number)).count(),
        longest_gap_ms: gaps.fold(0.0, f64::max),
        lip_sync_ms: syncs.get(syncs.len() / 2).copied(),
        mouth_to_ear_ms: (ways.count() > 0).then_some(mouth_to_ear),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::load::listener::Sounds;
    use crate::app::load::viewer::Face;
    use crate::base::media::{Codec, Size};

    fn testimony(number: usize, seen: &[usize], heard: &[usize]) -> Testimony {
        let mut latency = Gauge::new();
        latency.add(Duration::from_millis(100));
        let sights = Sights {
            seen: seen.iter().copied().collect(),
            latency,
            size: Size::new(1280, 720),
            codecs: if number == 0 { vec![Codec::Av1] } else { vec![Codec::Av1, Codec::H264] },
            pictures: 60 + number as u64,
            broken: 0,
            freezes: 1,
            longest_gap: Duration::from_millis(600),
            faces: vec![Face { frames: 9 - number as u64, freezes: 1, longest_gap: Duration::from_millis(600) }; 2],
            longest_picture_gap: Duration::from_millis(90),
            longest_move_gap: Duration::ZERO,
            rungs: vec![(Duration::ZERO, Size::new(1280, 720)), (Duration::from_secs(2), Size::new(640, 360))],
        };
        let heard = heard.iter().copied().collect::<BTreeSet<_>>();
        let mut ways = Gauge::new();
        ways.add(Duration::from_millis(80));
        let longest_gap = Duration::from_millis(20 * (number as u64 + 1));
        let sounds = Sounds { heard, syncs_ms: vec![5.0], ways, broken: 0, longest_gap };
        Testimony { number, sights: Some(sights), sounds }
    }

    #[test]
    fn a_person_counts_as_seen_or_heard_only_if_all_the_others_agree() {
        let testimonies = [testimony(0, &[0, 1, 2], &[1]), testimony(1, &[0, 1], &[0, 1])];
        let report = summarise(&testimonies, &[0, 1, 2], Duration::from_secs(2));
        assert_eq!(report.participants.seen, 2);
        assert_eq!((report.audio.expected, report.audio.heard, report.audio.own_heard), (3, 2, 1));
        assert!((report.composite.fps - 30.0).abs() < 1e-9, "of the slower one");
        assert_eq!((report.freezes.count, report.composite.width), (2, 1280));
        assert_eq!(report.composite.codec, "av1, h264");
        let of_both = |number| FaceReport { number, frames: 8, freezes: 2, longest_gap_ms: 600.0, keyframes_asked: 0 };
        assert_eq!(report.faces, [of_both(0), of_both(1)]);
        let rungs: Vec<_> = report.decoders[1].rungs.iter().map(|rung| (rung.at_s, rung.height)).collect();
        assert_eq!(rungs, [(0.0, 720), (2.0, 360)]);
        assert!((report.audio.longest_gap_ms - 40.0).abs() < 1e-9 && report.decoders[0].freezes == 1);
        assert!(report.to_string().contains("rungs         person 1: 1280 × 720 at 0.0 s, 640 × 360 at 2.0 s"));
        assert_eq!(report.audio.lip_sync_ms, Some(5.0));
        assert!((report.latency_ms.p95 - 100.0).abs() <= 0.25);
        assert!(report.audio.mouth_to_ear_ms.is_some_and(|way| (way.p95 - 80.0).abs() <= 0.25));
    }

    #[test]
    fn without_witnesses_nothing_is_claimed() {
        let report = summarise(&[], &[0], Duration::from_secs(1));
        assert_eq!((report.participants.seen, report.audio.heard, report.audio.lip_sync_ms), (0, 0, None));
        assert_eq!(report.audio.mouth_to_ear_ms, None);
    }
}
