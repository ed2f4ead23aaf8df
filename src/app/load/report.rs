//! **The question:** what is told at the end of a load? Plain numbers, the same as JSON and as a table.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::reception::ViewersReport;

/// What the simulated people saw and heard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who came, and who was seen.
    pub participants: ParticipantReport,
    /// Which implementations of WebRTC they had.
    #[serde(default)]
    pub stacks: StackReport,
    /// What the cameras sent in the end, largest first.
    #[serde(default)]
    pub cameras: Vec<CameraReport>,
    /// The picture that came back.
    pub composite: CompositeReport,
    /// What each decoder saw, in the order of their numbers.
    #[serde(default)]
    pub decoders: Vec<DecoderReport>,
    /// How each person's camera was seen, in the order of their numbers; those alone who were.
    #[serde(default)]
    pub faces: Vec<FaceReport>,
    /// From a frame's sending to its being decoded as part of the composite, milliseconds.
    pub latency_ms: LatencyReport,
    /// Standstills of the composite, or of one tile whose sender sends.
    pub freezes: FreezeReport,
    /// The sound that came back.
    pub audio: AudioReport,
    /// Packets of composite and mix, all people together.
    pub packets: PacketReport,
    /// Packets of the composite that did not come at first, all people together.
    #[serde(default)]
    pub repairs: RepairReport,
    /// Those who only watched, by WHEP.
    #[serde(default)]
    pub viewers: Option<ViewersReport>,
    /// Who was told that the room goes on at another node.
    #[serde(default)]
    pub moves: MoveReport,
    /// The bad links, all together.
    #[serde(default)]
    pub links: Option<LinkReport>,
    /// How long it took until all had joined and had what to send, seconds from the start of the load.
    #[serde(default)]
    pub joined_s: f64,
    /// How long was measured, seconds.
    pub measured_s: f64,
    /// What went wrong, in words.
    pub errors: Vec<String>,
}

/// Who came, and who was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantReport {
    /// People asked for.
    pub asked: usize,
    /// People whose connection came up.
    pub connected: usize,
    /// People whose barcode every decoder read.
    pub seen: usize,
}

/// People who connected, by their implementation of WebRTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackReport {
    /// The crate `webrtc`, which shares nothing with the node.
    pub webrtc: usize,
    /// The node's own, all on one thread.
    pub own: usize,
}

/// Moves of a room to another node, of all people together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveReport {
    /// Times that somebody was told so.
    pub told: usize,
    /// Of those, the ones in which they saw the picture there and then left the former node.
    pub followed: usize,
    /// The longest from being told to seeing it, milliseconds.
    pub longest_ms: u64,
}

/// Cameras that sent the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraReport {
    /// How many.
    pub count: usize,
    /// Columns of their pictures.
    pub width: u32,
    /// Rows of their pictures.
    pub height: u32,
    /// Frames a second of each.
    pub fps: u32,
}

/// The picture that came back, as the decoders saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompositeReport {
    /// Columns of the newest picture.
    pub width: u32,
    /// Rows of the newest picture.
    pub height: u32,
    /// Pictures decoded a second, of the slowest decoder.
    pub fps: f64,
    /// What it was coded in, such as `av1`; `av1, h264` where that changed or differed.
    #[serde(default)]
    pub codec: String,
}

/// The picture that came back to one person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DecoderReport {
    /// Who looked.
    pub number: usize,
    /// Columns of the newest picture.
    pub width: u32,
    /// Rows of the newest picture.
    pub height: u32,
    /// People whose barcode was read.
    pub seen: usize,
    /// Pictures decoded.
    pub pictures: u64,
    /// Standstills over half a second, of the composite or of one tile.
    #[serde(default)]
    pub freezes: u64,
    /// The longest time without anything new, in a tile or in all.
    #[serde(default)]
    pub longest_gap_ms: f64,
    /// The longest time without a new composite.
    #[serde(default)]
    pub longest_picture_gap_ms: f64,
    /// The longest from the last composite by a connection to the first by the next, where the room moved.
    #[serde(default)]
    pub longest_move_gap_ms: f64,
    /// The composite's extents, each from when on: a viewer's rung follows their link.
    #[serde(default)]
    pub rungs: Vec<RungReport>,
}

/// How one person's camera was seen, by all who looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FaceReport {
    /// Whose.
    pub number: usize,
    /// New frames that whoever saw fewest saw.
    pub frames: u64,
    /// Standstills over half a second.
    pub freezes: u64,
    /// The longest time without a new frame.
    pub longest_gap_ms: f64,
    /// How often the node asked for a keyframe: it does whenever it lost a frame.
    pub keyframes_asked: u64,
}

/// From when on a composite had these extents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RungReport {
    /// Seconds since measuring began.
    pub at_s: f64,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Packets of the composite that did not come at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Lost: they had to be sent again, or never came.
    pub lost: u64,
    /// Of those, the ones that came when they were asked for.
    pub repaired: u64,
    /// Not lost: those behind them came sooner.
    pub overtaken: u64,
}

/// What bad links did to datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkReport {
    /// How many people have one.
    pub people: usize,
    /// To the node.
    pub up: WayReport,
    /// From it.
    pub down: WayReport,
}

/// What one way of bad links did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WayReport {
    /// Datagrams given to it.
    pub sent: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost because a queue was full.
    pub overflowed: u64,
    /// The longest that one waited in a queue, milliseconds.
    pub queue_ms_max: f64,
    /// For how long the wait was over 500 ms, on the link where it was longest, milliseconds.
    pub queue_long_ms: f64,
}

/// Glass-to-glass latency of all tiles, milliseconds; each new frame in each tile counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// Standstills longer than half a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FreezeReport {
    /// How many, of the composite as a whole and of single tiles.
    pub count: u64,
    /// The longest time without a new picture in any tile, or of the composite, even if it is no freeze.
    pub longest_ms: f64,
}

/// The sound that came back, as pilot tones tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct AudioReport {
    /// Speaking people, who are to be heard.
    pub expected: usize,
    /// Speaking people heard by every listener (a decoder) but themselves.
    pub heard: usize,
    /// Listeners who heard themselves, which nobody should.
    pub own_heard: usize,
    /// The longest time without a packet of the mix, milliseconds; silence is told each 400.
    #[serde(default)]
    pub longest_gap_ms: f64,
    /// How far sound comes after the picture it belongs to, median, milliseconds; negative when before. Absent if not
    /// measured.
    pub lip_sync_ms: Option<f64>,
    /// From mouth to ear. Absent if not measured.
    pub mouth_to_ear_ms: Option<MouthToEarReport>,
}

/// From the moment a microphone takes in a sound, a packet's length before its packet is sent, to the moment the mix
/// with that sound arrives decoded, milliseconds: both Opus codecs are in it, a jitter buffer of the listener's is not.
/// Told by the pilots of all speakers to all listeners, once a second each, to ±20 ms, and only up to half a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MouthToEarReport {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// Packets of composite and mix.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketReport {
    /// Arrived.
    pub received: u64,
    /// Missing in the sequence numbers and not repaired.
    pub lost: u64,
    /// Keyframes that people who look asked for.
    #[serde(default)]
    pub keyframes_asked: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<14}{text}");
        let people = self.participants;
        for (name, text) in self.viewers.iter().flat_map(ViewersReport::rows) {
            row(name, text)?;
        }
        if people.asked == 0 && self.viewers.is_some() {
            // Of people there is nothing to say.
            return self.errors.iter().try_for_each(|error| row("error", error.clone()));
        }
        let joined = self.joined_s;
        let come = format!("{} asked, {} connected in {joined:.1} s", people.asked, people.connected);
        row("participants", format!("{come}, {} seen", people.seen))?;
        if self.stacks.own > 0 {
            row(
                "stacks",
                format!("{} by the crate webrtc, {} by the node's own", self.stacks.webrtc, self.stacks.own),
            )?;
        }
        let camera = |of: &CameraReport| format!("{} of {} × {} at {}", of.count, of.width, of.height, of.fps);
        if !self.cameras.is_empty() {
            row("cameras", self.cameras.iter().map(camera).collect::<Vec<_>>().join(", "))?;
        }
        // Without anyone who looks there is nothing to say of pictures.
        if self.composite.width > 0 {
            let seconds = self.measured_s;
            let CompositeReport { width, height, fps, codec } = &self.composite;
            row("composite", format!("{width} × {height} at {fps:.1} frames/s in {codec} over {seconds:.1} s"))?;
            let latency = self.latency_ms;
            let (p50, p95, p99, max) = (latency.p50, latency.p95, latency.p99, latency.max);
            row("latency", format!("{p50:.0} ms median, {p95:.0} p95, {p99:.0} p99, {max:.0} at most"))?;
            let freezes = self.freezes;
            row("freezes", format!("{} over 500 ms, longest gap {:.0} ms", freezes.count, freezes.longest_ms))?;
            let switch = |rung: &RungReport| format!("{} × {} at {:.1} s", rung.width, rung.height, rung.at_s);
            for DecoderReport { number, rungs, .. } in self.decoders.iter().filter(|decoder| decoder.rungs.len() > 1) {
                let switches: Vec<_> = rungs.iter().map(switch).collect();
                row("rungs", format!("person {number}: {}", switches.join(", ")))?;
            }
        }
        let audio = self.audio;
        let sync = audio.lip_sync_ms.map_or_else(String::new, |ms| format!(", lip-sync {ms:+.0} ms"));
        let own = if audio.own_heard > 0 { format!(", {} heard themselves", audio.own_heard) } else { String::new() };
        row("voices", format!("{} of {} heard{own}{sync}", audio.heard, audio.expected))?;
        if let Some(MouthToEarReport { p50, p95 }) = audio.mouth_to_ear_ms {
            row("mouth to ear", format!("{p50:.0} ms median, {p95:.0} p95"))?;
        }
        row("packets", format!("{} received, {} lost", self.packets.received, self.packets.lost))?;
        let MoveReport { told, followed, longest_ms } = self.moves;
        if told > 0 {
            row("moves", format!("{followed} of {told} followed to another node, within {longest_ms} ms each"))?;
        }
        let RepairReport { lost, repaired, overtaken } = self.repairs;
        if lost > 0 {
            row("repairs", format!("{repaired} of {lost} lost came again, {overtaken} came late"))?;
        }
        if let Some(LinkReport { people, up, down }) = self.links {
            row("links", format!("{people}; sound stood still for {:.0} ms at most", audio.longest_gap_ms))?;
            for (name, way) in [("  up", up), ("  down", down)] {
                let lost = format!("{} datagrams, {} lost, {} overflowed", way.sent, way.lost, way.overflowed);
                let queue = format!("queue {:.0} ms at most, over 500 for {:.0}", way.queue_ms_max, way.queue_long_ms);
                row(name, format!("{lost}, {queue}"))?;
            }
        }
        self.errors.iter().try_for_each(|error| row("error", error.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_carries_the_names_of_the_contract_and_reads_back() {
        let mut report = Report { errors: vec!["one".to_owned()], ..Report::default() };
        report.participants.seen = 3;
        report.audio.lip_sync_ms = Some(-4.5);
        report.audio.mouth_to_ear_ms = Some(MouthToEarReport { p50: 70.0, p95: 90.0 });
        assert!(report.to_string().contains("mouth to ear  70 ms median, 90 p95"), "{report}");
        report.cameras = vec![CameraReport { count: 100, width: 160, height: 90, fps: 15 }];
        assert!(report.to_string().contains("cameras       100 of 160 × 90 at 15\n"), "{report}");
        assert!(!report.to_string().contains("stacks"), "{report}");
        report.stacks = StackReport { webrtc: 6, own: 94 };
        assert!(report.to_string().contains("stacks        6 by the crate webrtc, 94 by the node's own\n"), "{report}");
        let json = serde_json::to_value(&report).unwrap();
        for path in [
            "participants/asked",
            "stacks/own",
            "composite/fps",
            "composite/codec",
            "latency_ms/p95",
            "freezes/longest_ms",
            "audio/own_heard",
            "audio/mouth_to_ear_ms/p95",
        ] {
            assert!(json.pointer(&format!("/{path}")).is_some(), "{path}");
        }
        assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
    }

    #[test]
    fn who_only_watches_has_rows_and_nothing_is_said_of_people_where_there_are_none() {
        let viewers = ViewersReport { asked: 5, connected: 5, stayed: 5, watched: 5, ..ViewersReport::default() };
        let mut report = Report { viewers: Some(viewers), errors: vec!["one".to_owned()], ..Report::default() };
        let told = report.to_string();
        assert!(told.contains("  viewers       5 asked, 5 connected; first picture"), "{told}");
        assert!(told.contains("error         one") && !told.contains("participants") && !told.contains("voices"));
        report.participants.asked = 2;
        assert!(report.to_string().contains("participants  2 asked"), "{report}");
    }
}
