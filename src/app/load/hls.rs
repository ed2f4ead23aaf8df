//! **The question:** what do viewers by HLS get of a node, or of a cache before it? Each follows one rung as a player
//! at low latency does: the playlist that has the next part, then the part; and holds every playlist against the rules.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::{Client, StatusCode, Url};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::error::LoadError;
use super::gauge::Gauge;
use super::http::{Refused, client_builder, expect_no_link, is_loopback, node_url, told, unreachable};
use crate::base::limits;
use crate::base::media::RoomId;
use crate::core::hls::{AskedPlaylist, News, PlaylistChecker, Wanted};
use crate::io::telemetry::log::Redacted;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// Who is to watch what.
#[derive(Debug, Clone)]
pub struct HlsOptions {
    /// The node's address, or a cache's.
    pub url: String,
    /// The access token that a locked node asks for.
    pub token: Option<Redacted<String>>,
    /// The room.
    pub room: RoomId,
    /// How many watch.
    pub viewers: usize,
    /// For how long, once all have their first part.
    pub duration: Duration,
    /// Which of the playlists that the room's names, by a part of its address, such as `h264-640x360`; `None`: the
    /// first.
    pub rung: Option<String>,
}

/// What they got.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HlsReport {
    /// Viewers asked for.
    pub viewers: usize,
    /// Those who followed to the end.
    pub followed: usize,
    /// Playlists read.
    pub playlists: u64,
    /// Parts read.
    pub parts: u64,
    /// Bytes of parts.
    pub bytes: u64,
    /// From the end of a part, by the playlist's dates, to having it whole, milliseconds.
    pub behind_ms: BehindReport,
    /// How long was measured, seconds.
    pub measured_s: f64,
    /// What went wrong, in words, and how often.
    pub errors: BTreeMap<String, u64>,
}

/// How far behind the room's clock parts came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct BehindReport {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// Has people watch a room by HLS, and tells what they got. Ends early, with a report, on Ctrl-C.
///
/// # Errors
/// When the address is none, or this machine lacks threads.
pub fn watch(options: &HlsOptions) -> Result<HlsReport, LoadError> {
    let node = node_url(&options.url)?;
    expect_no_link(&options.url, &node)?;
    let system = |error: std::io::Error| LoadError::System(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(system)?;
    let report = runtime.block_on(all(options, node));
    runtime.shutdown_timeout(limits::LOAD_PROGRESS_SPACING);
    report
}

async fn all(options: &HlsOptions, node: Url) -> Result<HlsReport, LoadError> {
    let mut viewers = JoinSet::new();
    let begin = Instant::now();
    let until = begin + options.duration;
    for number in 0..options.viewers {
        let viewer = Viewer::new(number, &node, options)?;
        viewers.spawn(viewer.follow(until));
    }
    let mut report = HlsReport { viewers: options.viewers, ..HlsReport::default() };
    let mut behind = Gauge::new();
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let seen = tokio::select! {
            seen = viewers.join_next() => match seen {
                Some(seen) => seen,
                None => break,
            },
            _ = &mut stop => break,
        };
        let Ok(seen) = seen else { continue };
        report.followed += usize::from(seen.error.is_none());
        (report.playlists, report.parts) = (report.playlists + seen.playlists, report.parts + seen.parts);
        report.bytes += seen.bytes;
        behind.merge(&seen.behind);
        if let Some(error) = seen.error {
            *report.errors.entry(error).or_default() += 1;
        }
    }
    report.measured_s = begin.elapsed().as_secs_f64();
    let of = |percent| behind.percentile_ms(percent);
    report.behind_ms = BehindReport { p50: of(50), p95: of(95), p99: of(99), max: behind.max_ms() };
    Ok(report)
}

/// What one viewer got.
struct Seen {
    playlists: u64,
    parts: u64,
    bytes: u64,
    behind: Gauge,
    error: Option<String>,
}

struct Viewer {
    client: Client,
    list: Url,
    rung: Option<String>,
    checker: PlaylistChecker,
    seen: Seen,
}

impl Viewer {
    fn new(number: usize, node: &Url, options: &HlsOptions) -> Result<Self, LoadError> {
        let mut builder = client_builder(node, options.token.as_ref());
        if is_loopback(node) && node.host_str().is_some_and(|host| host != "localhost" && !host.contains(':')) {
            // A node bounds the connections of one address; on loopback each viewer has one of their own.
            let [high, low] = u16::try_from(number % 60_000 + 1).unwrap_or(1).to_be_bytes();
            builder = builder.local_address(IpAddr::V4(Ipv4Addr::new(127, 1, high, low)));
        }
        let client = builder.build().map_err(|error| LoadError::System(told(&error)))?;
        let mut list = node.clone();
        list.set_path(&format!("/hls/{}/index.m3u8", options.room));
        let seen = Seen { playlists: 0, parts: 0, bytes: 0, behind: Gauge::new(), error: None };
        let (rung, checker) = (options.rung.clone(), PlaylistChecker::default());
        Ok(Self { client, list, rung, checker, seen })
    }

    async fn follow(mut self, until: Instant) -> Seen {
        self.seen.error = self.try_follow(until).await.err();
        self.seen
    }

    async fn try_follow(&mut self, until: Instant) -> Result<(), String> {
        let list = self.text(self.list.clone()).await?;
        let mut uris = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let uri = uris.find(|uri| self.rung.as_ref().is_none_or(|rung| uri.contains(rung.as_str())));
        let playlist = self.list.join(uri.ok_or("no such rung is listed")?).map_err(|error| error.to_string())?;
        let (mut asked, mut map) = (AskedPlaylist::default(), None);
        loop {
            let text = self.text(with_directives(&playlist, asked)).await?;
            self.seen.playlists += 1;
            let News { parts, map: newest, ends_ms, is_over, .. } = self.checker.take(&text, asked)?;
            if newest.is_some() && newest != map {
                map = newest;
                let init = map.as_deref().unwrap_or_default();
                self.bytes(playlist.join(init).map_err(|error| error.to_string())?).await?;
            }
            // A player begins near the end.
            let first = parts.len().saturating_sub(if asked.skips { usize::MAX } else { 3 });
            for part in &parts[first..] {
                let bytes = self.bytes(playlist.join(part).map_err(|error| error.to_string())?).await?;
                (self.seen.parts, self.seen.bytes) = (self.seen.parts + 1, self.seen.bytes + bytes);
            }
            if let Some(ends) = ends_ms.filter(|_| !parts.is_empty() && asked.skips) {
                self.seen.behind.add(Duration::from_millis((now_ms() + DAY_MS - ends) % DAY_MS));
            }
            if is_over || Instant::now() >= until {
                return Ok(());
            }
            asked = AskedPlaylist { wanted: self.checker.next(), skips: true };
        }
    }

    async fn text(&self, url: Url) -> Result<String, String> {
        self.get(url).await?.text().await.map_err(|error| told(&error))
    }

    async fn bytes(&self, url: Url) -> Result<u64, String> {
        Ok(self.get(url).await?.bytes().await.map_err(|error| told(&error))?.len() as u64)
    }

    async fn get(&self, url: Url) -> Result<reqwest::Response, String> {
        let sent = self.client.get(url.clone()).send().await;
        let response = sent.map_err(|error| unreachable(&url, &error).to_string())?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let refused = Refused::read(response).await.advised(&url);
        Err(format!("{}: {refused}", url.path().rsplit('/').next().unwrap_or_default()))
    }
}

fn with_directives(playlist: &Url, AskedPlaylist { wanted: Wanted { msn, part }, skips }: AskedPlaylist) -> Url {
    let mut url = playlist.clone();
    // In the order of their names, as the specification wants it for caches.
    for (name, value) in [("_HLS_msn", msn), ("_HLS_part", part)] {
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, &value.to_string());
        }
    }
    if skips {
        url.query_pairs_mut().append_pair("_HLS_skip", "YES");
    }
    url
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now % u128::from(DAY_MS)).unwrap_or_default()
}

impl fmt::Display for HlsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, text: String| writeln!(f, "  {name:<14}{text}");
        row("viewers", format!("{} of {} followed over {:.1} s", self.followed, self.viewers, self.measured_s))?;
        let rate = self.bytes as f64 * 8.0 / 1e6 / self.measured_s.max(0.001);
        row("parts", format!("{} with {} playlists, {rate:.1} Mb/s", self.parts, self.playlists))?;
        let BehindReport { p50, p95, p99, max } = self.behind_ms;
        row("behind", format!("{p50:.0} ms median, {p95:.0} p95, {p99:.0} p99, {max:.0} at most"))?;
        self.errors.iter().try_for_each(|(error, count)| row("error", format!("{count} × {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_in_the_order_of_their_names() {
        let url = Url::parse("http://127.0.0.1:1/hls/a/1f/av1-16x16/index.m3u8").unwrap();
        let wanted = Wanted { msn: Some(7), part: Some(3) };
        let asked = with_directives(&url, AskedPlaylist { wanted, skips: true });
        assert_eq!(asked.query(), Some("_HLS_msn=7&_HLS_part=3&_HLS_skip=YES"));
        assert_eq!(with_directives(&url, AskedPlaylist::default()), url);
    }

    #[test]
    fn the_report_reads_back_and_tells_what_went_wrong() {
        let mut report = HlsReport { viewers: 2, followed: 1, ..HlsReport::default() };
        report.errors.insert("404 Not Found for index.m3u8".into(), 1);
        assert!(report.to_string().contains("1 × 404 Not Found"), "{report}");
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<HlsReport>(&json).unwrap(), report);
    }
}
