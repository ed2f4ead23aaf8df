//! **The question:** under which names do operators see what the node counts?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use bytes::Bytes;

use crate::app::workers::counters::{Counts, NodeCounters, StandingLevels};
use crate::base::limits;
use crate::base::media::Wallclock;
use crate::core::access::TenantId;
use crate::engine::audio::SoundCounters;
use crate::engine::flow::{Counter, Level};
use crate::io::api::{CaptionCounters, CertificateStanding, DoorCounters, Meter, Meters};
use crate::io::fleet::FleetCounters;
use crate::io::live::LiveCounters;
use crate::io::push::PushCounters;
use crate::io::recording::RecordCounters;
use crate::io::rtp::LegCounters;
use crate::io::store::ArchiveCounters;
use crate::io::telemetry::metrics::{Kind, Metrics};
use crate::io::traces::TraceCounters;
use crate::io::transfer::TransferCounters;
use crate::io::webrtc::{NetCounters, RelayCounters};

/// What renders them at each scrape; those who ask at the same moment are given the same page, whoever of them reads
/// it.
pub fn rendering(counts: &Counts) -> Arc<dyn Fn() -> Bytes + Send + Sync> {
    let (metrics, latest) = (metrics(counts), Mutex::new((None, Bytes::new())));
    Arc::new(move || {
        let mut latest = latest.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if latest.0.is_none_or(|at| now.saturating_duration_since(at) >= limits::METRICS_SPACING) {
            *latest = (Some(now), metrics.render().into());
        }
        latest.1.clone()
    })
}

/// The counters under the names of `docs/operating.md`.
#[must_use]
fn metrics(counts: &Counts) -> Metrics {
    let metrics = Metrics::new();
    metrics.process();
    let named = [
        seams(&counts.node),
        door(&counts.http),
        wire(&counts.net),
        legs(&counts.legs),
        sound(&counts.sound),
        live(&counts.live),
        pushes(&counts.push),
        captions(&counts.captions),
        recordings(&counts.record),
        archive(&counts.archive),
        hand_over(&counts.hand_over),
        vec![("tessera_webhook_failures_total", "Tries of webhooks that failed", &counts.webhooks.failures)],
        fleet(&counts.fleet),
        relays(&counts.relay),
        traces(&counts.traces),
    ];
    for (name, help, counter) in named.into_iter().flatten() {
        metrics.counter(name, help, &[], counter);
    }
    let decoders = &counts.node.decoders_replaced;
    let causes = [("ended", &decoders.ended), ("hung", &decoders.hung), ("garbled", &decoders.garbled)];
    for (cause, counter) in causes {
        let help = "Processes of decoders that another one took the place of";
        metrics.counter("tessera_decoders_replaced_total", help, &[("cause", cause)], counter);
    }
    let told = &counts.webhooks;
    let outcomes = [("delivered", &told.delivered), ("given_up", &told.given_up), ("discarded", &told.discarded)];
    for (outcome, counter) in outcomes {
        let help = "Messages of webhooks that wait no more";
        metrics.counter("tessera_webhooks_total", help, &[("outcome", outcome)], counter);
    }
    let webhooks = ("tessera_webhooks_waiting", "Messages of webhooks that wait", told.waiting.clone());
    placements(&metrics, &counts.fleet);
    certificate(&metrics, &counts.http.certificate);
    tenants(&metrics, &counts.meters);
    let failing =
        ("tessera_hand_over_failing", "1 while the last hand-over that ended failed", &counts.hand_over.failing);
    let viewers = ("tessera_hls_viewers", "Viewers by HLS, as requests tell", counts.live.viewers.clone());
    let connections = ("tessera_http_connections", "HTTP connections that stand", counts.http.connections.clone());
    let streams = ("tessera_tcp_streams", "TCP connections that carry media", counts.net.tcp_streams.clone());
    let asked = ("tessera_pushes", "Pushes to other servers that were asked for", counts.push.pushes.clone());
    let live = ("tessera_pushes_live", "Of those, up", counts.push.live.clone());
    let captioners = ("tessera_captioners", "Captioners that listen", counts.captions.captioners.clone());
    let failing = (failing.0, failing.1, failing.2.clone());
    let others = [failing, viewers, connections, streams, asked, live, captioners, webhooks];
    let all = levels(&counts.archive).into_iter().chain(standing(&counts.node.standing)).chain(others);
    let all = all.chain(fleet_levels(&counts.fleet)).chain(relay_levels(&counts.relay));
    for (name, help, level) in all {
        metrics.gauge(name, help, &[], move || level.get() as f64);
    }
    for (side, level) in ["full", "half", "quarter"].into_iter().zip(counts.node.rung_viewers.clone()) {
        let read = move || level.get() as f64;
        metrics.gauge("tessera_rung_viewers", "Viewers by rung", &[("side", side)], read);
    }
    metrics
}

/// The door's certificate; nothing of its days where it has none.
fn certificate(metrics: &Metrics, standing: &CertificateStanding) {
    let (help, expires) = ("Days until the certificate of the door is over", standing.expires_s.clone());
    metrics.series("tessera_certificate_days", help, Kind::Gauge, &[], move |samples| {
        let (expires, now) = (expires.get(), Wallclock::from_system_time(SystemTime::now()).unix_seconds());
        if expires > 0 {
            samples.push((expires as f64 - now as f64) / 86_400.0);
        }
    });
    let (help, failing) = ("1 while the last try to get a certificate failed", standing.failing.clone());
    metrics.gauge("tessera_certificate_failing", help, &[], move || failing.get() as f64);
    let obtained = ("tessera_certificates_obtained_total", "Certificates got of an issuer", &standing.obtained);
    let failures = ("tessera_certificate_failures_total", "Tries to get one that failed", &standing.failures);
    for (name, help, counter) in [obtained, failures] {
        metrics.counter(name, help, &[], counter);
    }
}

/// New rooms by what became of them.
fn placements(metrics: &Metrics, fleet: &FleetCounters) {
    let outcomes = [
        ("here", &fleet.placed_here),
        ("elsewhere", &fleet.placed_elsewhere),
        ("found", &fleet.found),
        ("nowhere", &fleet.nowhere),
        ("conflict", &fleet.conflicts),
        ("away", &fleet.away),
    ];
    for (outcome, counter) in outcomes {
        let help = "Rooms that were asked for and not known, by where they went";
        metrics.counter("tessera_fleet_placements_total", help, &[("outcome", outcome)], counter);
    }
    let (help, took) = ("What requests to etcd took together", fleet.request_us.clone());
    metrics.series("tessera_fleet_etcd_seconds_total", help, Kind::Counter, &[], move |samples| {
        samples.push(took.get() as f64 / 1e6);
    });
}

/// One of a meter's sums, microseconds.
type Summed = fn(&Meter) -> &Counter;

/// What tenants' rooms used, by tenant; nothing while there are none.
fn tenants(metrics: &Metrics, meters: &Meters) {
    let all: [(&str, &str, Summed, f64); 5] = [
        ("tessera_tenant_participant_seconds_total", "Time of people in a tenant's rooms", |m| &m.participant_us, 1e6),
        ("tessera_tenant_viewer_seconds_total", "Time of those who watch them by WebRTC", |m| &m.viewer_us, 1e6),
        ("tessera_tenant_hls_viewer_seconds_total", "Time of those who watch them by HLS", |m| &m.hls_viewer_us, 1e6),
        ("tessera_tenant_recorded_seconds_total", "Time in which they were recorded", |m| &m.recorded_us, 1e6),
        ("tessera_tenant_refused_total", "Requests refused because of a tenant's quota", |m| &m.refused, 1.0),
    ];
    for (name, help, of, unit) in all {
        let meters = meters.clone();
        metrics.series(name, help, Kind::Counter, &[], move |samples| {
            for (tenant, meter) in meters.iter() {
                samples.push_with(&[("tenant", tenant.map_or("", TenantId::as_str))], of(meter).get() as f64 / unit);
            }
        });
    }
}

fn fleet_levels(fleet: &FleetCounters) -> [(&'static str, &'static str, Level); 3] {
    [
        ("tessera_fleet_registered", "1 while this node's records stand in etcd", fleet.registered.clone()),
        ("tessera_fleet_nodes", "Nodes of the fleet that are known", fleet.nodes.clone()),
        ("tessera_fleet_rooms", "Rooms of the fleet that are known", fleet.rooms.clone()),
    ]
}

fn relay_levels(relay: &RelayCounters) -> [(&'static str, &'static str, Level); 3] {
    [
        ("tessera_relays", "Rooms of other nodes that are watched here", relay.relays.clone()),
        ("tessera_relay_viewers", "Those who watch them", relay.viewers.clone()),
        ("tessera_relay_lines", "Connections to rooms' own nodes that stand", relay.lines.clone()),
    ]
}

fn relays(relay: &RelayCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_relay_bytes_total", "Bytes of pictures and sound of rooms of other nodes", &relay.bytes),
        ("tessera_relay_frames_total", "Pictures of them that came whole", &relay.frames),
        ("tessera_relay_frames_left_total", "Of those, left for want of one before them", &relay.frames_left),
        ("tessera_relay_failures_total", "Times that a room's own node was lost or refused", &relay.failures),
        ("tessera_relay_sent_on_total", "Viewers who were sent to a relay", &relay.sent_on),
        ("tessera_relay_refused_total", "Viewers for whom no node could relay", &relay.refused),
    ]
}

fn fleet(fleet: &FleetCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_fleet_redirects_total", "Clients sent on to another node", &fleet.redirects),
        ("tessera_fleet_rooms_lost_total", "Rooms that ended because another node had them", &fleet.rooms_lost),
        ("tessera_fleet_rooms_moved_total", "Rooms that went to another node with their people", &fleet.rooms_moved),
        ("tessera_fleet_rooms_taken_up_total", "Rooms that came from another node so", &fleet.rooms_taken_up),
        ("tessera_fleet_moves_failed_total", "Times that a room was to go and stayed", &fleet.moves_failed),
        ("tessera_fleet_leases_lost_total", "Leases that were over before the node was", &fleet.leases_lost),
        ("tessera_fleet_retries_total", "Placements asked again because others were faster", &fleet.retries),
        ("tessera_fleet_etcd_requests_total", "Requests to etcd", &fleet.requests),
        ("tessera_fleet_etcd_failed_total", "Requests to etcd that had no answer", &fleet.requests_failed),
    ]
}

fn levels(counters: &ArchiveCounters) -> [(&'static str, &'static str, Level); 6] {
    let upload = &counters.upload;
    [
        ("tessera_archive_sweep_failing", "1 while expired objects cannot be deleted", counters.sweep_failing.clone()),
        ("tessera_archive_store_failing", "1 while the store takes no objects", upload.store_failing.clone()),
        ("tessera_archive_spool_bytes", "Sealed bytes that wait for the store", upload.spool_bytes.clone()),
        ("tessera_clock_alarm", "1 while the keeper's or node's clock is not certain", counters.clock_alarm.clone()),
        (
            "tessera_archive_unopened",
            "Recordings that no two keepers opened at the last look",
            counters.unopened.clone(),
        ),
        ("tessera_archive_spool_full", "1 while no more may wait for the store", upload.spool_full.clone()),
    ]
}

fn standing(levels: &StandingLevels) -> [(&'static str, &'static str, Level); 6] {
    [
        ("tessera_rooms", "Rooms that run", levels.rooms.clone()),
        ("tessera_participants", "People in them", levels.people.clone()),
        ("tessera_draining", "1 while no room begins because the node drains", levels.draining.clone()),
        ("tessera_capacity_units", "Media units that this machine has", levels.capacity_units.clone()),
        ("tessera_reserved_units", "Media units that its rooms take", levels.reserved_units.clone()),
        (
            "tessera_free_room100_slots",
            "Rooms of a hundred people that fit beside those that run",
            levels.free_room100_slots.clone(),
        ),
    ]
}

type Named<'a> = (&'static str, &'static str, &'a Counter);

fn seams(counters: &NodeCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_ingest_discarded_total", "Frames discarded between peer and decoder", &counters.ingest_discarded),
        ("tessera_frames_superseded_total", "Decoded frames replaced before the tick", &counters.frames_superseded),
        ("tessera_opus_discarded_total", "Opus packets discarded before the mixer", &counters.opus_discarded),
        ("tessera_wishes_superseded_total", "Wishes replaced by newer ones", &counters.wishes_superseded),
        ("tessera_ticks_total", "Video ticks", &counters.ticks),
        ("tessera_ticks_skipped_total", "Video ticks not encoded", &counters.ticks_skipped),
        ("tessera_reliefs_total", "Times that a room gave up something to keep up", &counters.reliefs),
        ("tessera_turned_away_total", "Joins refused because this machine carries no more", &counters.turned_away),
        ("tessera_compositors_replaced_total", "Rooms whose GPU failed", &counters.compositors_replaced),
        ("tessera_audio_ticks_total", "Audio ticks", &counters.audio_ticks),
        ("tessera_audio_ticks_skipped_total", "Audio ticks left out", &counters.audio_ticks_skipped),
        ("tessera_frames_decoded_total", "Frames decoded", &counters.frames_decoded),
        ("tessera_frames_broken_total", "Frames no decoder could read", &counters.frames_broken),
        (
            "tessera_frames_unaffordable_total",
            "Frames not decoded: the decoders hold as many pixels as they may",
            &counters.frames_unaffordable,
        ),
        (
            "tessera_decoder_tracks_refused_total",
            "Tracks decoded no more: decoders kept ending over them",
            &counters.decoders_replaced.tracks_refused,
        ),
        (
            "tessera_decoders_unconfined_total",
            "Processes of decoders that the kernel did not confine as asked",
            &counters.decoders_replaced.unconfined,
        ),
        ("tessera_threads_failed_total", "Threads that panicked", &counters.threads_failed),
        ("tessera_frames_encoded_total", "Frames encoded", &counters.frames_encoded),
        ("tessera_codec_switches_total", "Rooms' changes of codec", &counters.codec_switches),
        ("tessera_rung_downs_total", "Viewers who got a smaller rung", &counters.rung_downs),
        ("tessera_rung_ups_total", "Viewers who got a larger rung", &counters.rung_ups),
        ("tessera_rung_holds_total", "Viewers whose pictures waited for a queue", &counters.rung_holds),
        ("tessera_reader_lagged_total", "Frames a slow reader lost", &counters.reader_lagged),
        ("tessera_commands_refused_total", "Commands refused with 503", &counters.commands_refused),
        ("tessera_events_refused_total", "Events lost by the control thread", &counters.events_refused),
        ("tessera_keyframes_requested_total", "Keyframes wished of senders", &counters.keyframes_requested),
        (
            "tessera_lip_sync_pictures_total",
            "Pictures played whose skew against their sound is known",
            &counters.lip_sync.pictures,
        ),
        ("tessera_lip_sync_skew_microseconds_total", "Sum of those skews, either way", &counters.lip_sync.skew_us),
        ("tessera_lip_sync_off_total", "Of those pictures, off by more than 40 ms", &counters.lip_sync.off),
        ("tessera_rooms_failed_total", "Rooms ended by a fault of ours", &counters.rooms_failed),
    ]
}

fn pushes(counters: &PushCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_push_tries_total", "Times that another server was asked to take a room in", &counters.tries),
        ("tessera_push_failures_total", "Of those, failed or broken later", &counters.failures),
    ]
}

fn traces(counters: &TraceCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_trace_spans_total", "Spans that the collector took", &counters.sent),
        ("tessera_trace_spans_dropped_total", "Spans that the collector never saw", &counters.dropped),
        ("tessera_traces_unfollowed_total", "Joins and recordings not followed", &counters.unfollowed),
        ("tessera_trace_failures_total", "Requests to the collector that failed", &counters.failures),
    ]
}

fn captions(counters: &CaptionCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_captions_total", "Captions taken, interim ones too", &counters.taken),
        ("tessera_captions_refused_total", "Messages of captioners that were not taken", &counters.refused),
        (
            "tessera_caption_sound_lost_total",
            "Blocks of 20 ms of one voice that captioners lost by reading too slowly",
            &counters.lost,
        ),
    ]
}

fn door(counters: &DoorCounters) -> Vec<Named<'_>> {
    vec![
        (
            "tessera_http_connections_closed_total",
            "HTTP connections closed because they had no request",
            &counters.connections_closed,
        ),
        ("tessera_http_connections_refused_total", "HTTP connections refused", &counters.connections_refused),
        ("tessera_http_requests_refused_total", "Large HTTP requests refused with 503", &counters.requests_refused),
    ]
}

fn wire(counters: &NetCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_datagrams_in_total", "Datagrams received", &counters.datagrams_in),
        ("tessera_datagrams_out_total", "Datagrams sent", &counters.datagrams_out),
        ("tessera_sends_refused_total", "Sends the kernel refused", &counters.sends_refused),
        ("tessera_datagrams_unknown_total", "Datagrams of no known peer", &counters.datagrams_unknown),
        (
            "tessera_datagrams_strayed_total",
            "Datagrams passed on to the net thread that holds their peer",
            &counters.datagrams_strayed,
        ),
        ("tessera_strays_discarded_total", "Of those, discarded: it was behind", &counters.strays_discarded),
        ("tessera_peers_moved_total", "Peers that moved to the net thread they arrive at", &counters.peers_moved),
        ("tessera_datagrams_malformed_total", "Datagrams no peer could read", &counters.datagrams_malformed),
        ("tessera_frames_in_total", "Frames and Opus packets received", &counters.frames_in),
        ("tessera_frames_out_total", "Frames of composites handed to viewers", &counters.frames_out),
        ("tessera_gaps_skipped_total", "Gaps in incoming pictures no repair filled in time", &counters.gaps_skipped),
        ("tessera_frames_malformed_total", "Incoming frames and packets no one could read", &counters.frames_malformed),
        ("tessera_tracks_over_total", "Times a track sent too much and was not shown", &counters.tracks_over),
        ("tessera_sounds_restored_total", "Lost Opus packets whose copies came (RED)", &counters.sounds_restored),
        ("tessera_keyframe_requests_in_total", "Keyframe requests of viewers", &counters.keyframe_requests_in),
        (
            "tessera_keyframe_requests_refused_total",
            "Keyframe requests of viewers who ask too often",
            &counters.keyframe_requests_refused,
        ),
        ("tessera_keyframe_requests_out_total", "Keyframe requests sent to senders", &counters.keyframe_requests_out),
        (
            "tessera_signals_coalesced_total",
            "Messages to clients that newer ones replaced before they were said",
            &counters.signals_coalesced,
        ),
        (
            "tessera_signals_discarded_total",
            "Messages to clients that could not even wait",
            &counters.signals_discarded,
        ),
        ("tessera_signals_refused_total", "Messages of clients who say too much", &counters.signals_refused),
        (
            "tessera_datagrams_withheld_total",
            "Datagrams not sent: their address had not proved to be the peer's",
            &counters.datagrams_withheld,
        ),
        (
            "tessera_tcp_refused_total",
            "TCP connections of media closed before they belonged to a client",
            &counters.tcp_refused,
        ),
        (
            "tessera_tcp_discarded_total",
            "Datagrams discarded because a client's TCP connection was behind",
            &counters.tcp_discarded,
        ),
        ("tessera_net_rounds_long_total", "Rounds of a net thread over 33 ms", &counters.rounds_long),
        ("tessera_net_events_refused_total", "Events of the wire lost by the control thread", &counters.events_refused),
    ]
}

fn legs(counters: &LegCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_leg_packets_in_total", "Packets of plain-RTP legs' voices", &counters.packets_in),
        ("tessera_leg_packets_out_total", "Packets sent to plain-RTP legs", &counters.packets_out),
        ("tessera_leg_datagrams_refused_total", "Datagrams that were not the leg's", &counters.datagrams_refused),
        ("tessera_leg_events_total", "Packets of telephone events", &counters.events),
    ]
}

fn sound(counters: &SoundCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_pcm_concealed_total", "Sample pairs concealed in audible voices", &counters.pcm_concealed),
        ("tessera_voices_decoded_total", "Audio ticks times voices decoded", &counters.voices_decoded),
        ("tessera_opus_malformed_total", "Opus packets no decoder could read", &counters.opus_malformed),
        (
            "tessera_pcm_stretched_total",
            "Sample pairs put in or left out to follow networks and clocks",
            &counters.pcm_stretched,
        ),
        (
            "tessera_levels_corrected_total",
            "Ticks of voices whose stated level was not believed",
            &counters.levels_corrected,
        ),
        (
            "tessera_jitter_discarded_total",
            "Opus packets jitter buffers discarded: late, repeated, malformed or surplus",
            &counters.jitter_discarded,
        ),
        ("tessera_shared_encoded_total", "Packets of shared mixes encoded", &counters.shared_encoded),
        ("tessera_minus_encoded_total", "Packets of mixes-minus encoded", &counters.minus_encoded),
        ("tessera_audio_ticks_silent_total", "Audio ticks in which nobody was heard", &counters.silent_ticks),
        ("tessera_announcements_total", "Announcements begun", &counters.announcements),
    ]
}

fn live(counters: &LiveCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_hls_parts_total", "Parts of live HLS made", &counters.parts),
        ("tessera_hls_requests_refused_total", "Requests of HLS refused: too many wait", &counters.refused),
    ]
}

fn recordings(counters: &RecordCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_record_gap_ms_total", "Milliseconds that recordings lack", &counters.gap_ms),
        ("tessera_record_bytes_total", "Bytes of recordings stored", &counters.bytes),
        ("tessera_record_errors_total", "Failed writes of recordings", &counters.errors),
        ("tessera_recordings_refused_total", "Times that keepers let no recording begin", &counters.refused),
        ("tessera_recordings_stalled_total", "Times that a recording could store nothing", &counters.stalled),
        ("tessera_recordings_failed_total", "Recordings ended by a fault of ours", &counters.failed),
    ]
}

fn hand_over(counters: &TransferCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_hand_over_done_total", "Recordings that lie at another host, verified", &counters.done),
        ("tessera_hand_over_failed_total", "Hand-overs given up", &counters.failed),
    ]
}

fn archive(counters: &ArchiveCounters) -> Vec<Named<'_>> {
    vec![
        ("tessera_archive_bytes_total", "Sealed bytes that reached the store", &counters.upload.bytes),
        ("tessera_archive_errors_total", "Failed tries to store a sealed object", &counters.upload.errors),
        ("tessera_archive_lost_total", "Segments lost because no more could wait", &counters.upload.lost),
        ("tessera_archive_spool_errors_total", "Times that the spool's disk refused", &counters.upload.spool_errors),
        (
            "tessera_keeper_errors_total",
            "Failed tries to store a keeper's state or to reach one",
            &counters.keeper_errors,
        ),
        ("tessera_archive_swept_total", "Expired objects deleted", &counters.swept),
        ("tessera_archive_sweep_errors_total", "Expired objects that could not be deleted yet", &counters.sweep_errors),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Both ways, kinds included: what is exported is documented, and what is documented is exported.
    #[test]
    fn the_documented_metrics_are_those_that_a_node_exports() {
        let document = include_str!("../../../docs/operating.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        // A steward has a table of its own, and a test.
        let documented: BTreeSet<(&str, &str)> = rows
            .filter(|(name, _)| name.starts_with("tessera_") && !name.starts_with("tessera_steward_"))
            .map(|(name, rest)| (name, rest.split(' ').next().expect("split yields one")))
            .collect();
        let text = metrics(&Counts::default()).render();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let exported: BTreeSet<(&str, &str)> = types.collect();
        assert_eq!(documented.difference(&exported).collect::<Vec<_>>(), [] as [&_; 0], "documented only");
        assert_eq!(exported.difference(&documented).collect::<Vec<_>>(), [] as [&_; 0], "exported only");
    }
}
