//! **The question:** does a server of live HLS keep the rules? One checker reads every playlist of a rung that a player
//! gets, in order, and holds it and what it changes against the MUSTs of RFC 8216bis, sections 4.4 and 6.2.

use crate::core::hls::grid::PartId;
use crate::core::hls::listed::{Listed, ListedSegment};
use crate::core::hls::reload::Wanted;

/// How much may be cut off from a duration that is written with five digits, microseconds.
const ROUNDING: u64 = 10;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskedPlaylist {
    /// What it is to have.
    pub wanted: Wanted,
    /// Whether it may leave out what the player has.
    pub skips: bool,
}

/// One player's knowledge of one rung.
#[derive(Debug, Clone, Default)]
pub struct PlaylistChecker {
    /// As if it had been sent whole, with every part that was ever named.
    known: Option<Listed>,
}

/// What a playlist brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct News {
    /// Parts that were not named before, in order.
    pub parts: Vec<String>,
    /// EXT-X-MAP of the last one.
    pub map: Option<String>,
    /// The newest part.
    pub last: Option<PartId>,
    /// When it ends, by the playlist's dates: milliseconds of the day, UTC.
    pub ends_ms: Option<u64>,
    /// Whether nothing more comes.
    pub is_over: bool,
}

impl PlaylistChecker {
    /// Takes the next playlist.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn take(&mut self, text: &str, asked: AskedPlaylist) -> Result<News, String> {
        let listed = Listed::parse(text)?;
        check_head(&listed)?;
        listed.segments.iter().try_for_each(|segment| check_segment(&listed, segment))?;
        check_order(&listed)?;
        check_asked(&listed, asked)?;
        let news = match self.known.take() {
            None => first_news(&listed)?,
            Some(known) => {
                let whole = follow(&known, &listed)?;
                let before = known.last();
                let news = news_of(&listed, before);
                self.known = Some(whole);
                return Ok(news);
            }
        };
        self.known = Some(listed);
        Ok(news)
    }

    /// The newest part that was named.
    #[must_use]
    pub fn last(&self) -> Option<PartId> {
        self.known.as_ref().and_then(Listed::last)
    }

    /// What a player asks for next.
    #[must_use]
    pub fn next(&self) -> Wanted {
        let Some((known, last)) = self.known.as_ref().zip(self.last()) else { return Wanted::default() };
        let is_whole = known.segments.last().is_none_or(|segment| segment.uri.is_some());
        let (msn, part) = if is_whole { (last.msn + 1, 0) } else { (last.msn, last.part + 1) };
        Wanted { msn: Some(msn), part: Some(part) }
    }
}

fn rule(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}

fn check_head(listed: &Listed) -> Result<(), String> {
    let Listed { version, target, part_target, .. } = *listed;
    // 4.4.1.2 and 8: EXT-X-SKIP takes version 9, EXT-X-MAP version 6.
    let least = if listed.skipped > 0 { 9 } else { 6 };
    rule(version >= least, || format!("version {version} knows not all of its tags"))?;
    rule(target > 0 && part_target > 0, || "a target duration is missing".into())?;
    // 4.4.3.8
    rule(listed.hold_back >= 3 * target, || "HOLD-BACK is below three target durations".into())?;
    rule(listed.part_hold_back >= 2 * part_target, || "PART-HOLD-BACK is below two parts".into())?;
    rule(listed.skip_until.is_none_or(|until| until >= 6 * target), || "CAN-SKIP-UNTIL is below six targets".into())?;
    rule(listed.skipped == 0 || listed.skip_until.is_some(), || "it skips and says not that it can".into())?;
    if listed.is_over {
        let is_last = listed.segments.last().is_some_and(|last| last.uri.is_some());
        let promises = listed.hint.is_some() || !listed.reports.is_empty();
        return rule(is_last && !promises, || "a playlist that is over is whole and promises nothing".into());
    }
    rule(listed.blocks && listed.hint.is_some(), || "a live playlist at low latency blocks and hints".into())
}

fn check_segment(listed: &Listed, segment: &ListedSegment) -> Result<(), String> {
    let ListedSegment { msn, span, parts, .. } = segment;
    rule(segment.map.is_some(), || format!("{msn} has no EXT-X-MAP"))?;
    rule(segment.date_time.is_some(), || format!("{msn} has no date"))?;
    // 4.4.3.1: rounded to the nearest second.
    rule(span + 500_000 < listed.target + 1_000_000, || format!("{msn} is longer than the target: {span}"))?;
    for (n, part) in parts.iter().enumerate() {
        // 4.4.4.9
        let is_last = segment.uri.is_some() && n + 1 == parts.len();
        rule(part.span <= listed.part_target, || format!("{} is longer than its target", part.uri))?;
        let is_long = part.span * 100 >= listed.part_target * 85 || part.independent || is_last;
        rule(is_long, || format!("{} is shorter than 85 % of its target", part.uri))?;
    }
    // Where pictures stand still across a line, a segment begins with sound alone.
    let is_open = segment.uri.is_none() || parts.is_empty();
    rule(!listed.independent || is_open || parts.iter().any(|part| part.independent), || {
        format!("{msn} has no keyframe")
    })?;
    let sum: u64 = parts.iter().map(|part| part.span).sum();
    let whole = segment.uri.is_none() || parts.is_empty() || span.abs_diff(sum) <= ROUNDING * parts.len() as u64;
    rule(whole, || format!("{msn} lasts {span} and its parts {sum}"))
}

fn check_order(listed: &Listed) -> Result<(), String> {
    let segments = &listed.segments;
    rule(!segments.is_empty(), || "it lists nothing".into())?;
    let open = segments.iter().position(|segment| segment.uri.is_none());
    rule(open.is_none_or(|at| at + 1 == segments.len()), || "only the last segment may be open".into())?;
    // 6.2.2: parts are named within three target durations of the end, and only there without a gap.
    let unnamed = segments.iter().rposition(|segment| segment.parts.is_empty());
    let since: u64 = unnamed.map_or(u64::MAX, |at| {
        segments[at + 1..]
            .iter()
            .map(|s| if s.uri.is_some() { s.span } else { s.parts.iter().map(|p| p.span).sum() })
            .sum()
    });
    rule(since >= 3 * listed.target - listed.target, || "parts near the end are not named".into())?;
    for pair in segments.windows(2) {
        let date = |segment: &ListedSegment| segment.date_time.as_deref().and_then(millis_of_day);
        let (Some(from), Some(to)) = (date(&pair[0]), date(&pair[1])) else { return Err("a date is no date".into()) };
        let passed = (to + DAY_MS - from) % DAY_MS * 1000;
        rule(passed.abs_diff(pair[0].span) <= 2_000, || format!("the date of {} does not follow", pair[1].msn))?;
    }
    Ok(())
}

/// `…T04:15:30.125Z`
fn millis_of_day(date_time: &str) -> Option<u64> {
    let time = date_time.split_once('T')?.1.strip_suffix('Z')?;
    let (clock, millis) = time.split_once('.')?;
    let clock: Vec<u64> = clock.split(':').map(|text| text.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = clock[..] else { return None };
    Some(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis.parse::<u64>().ok()?)
}

/// 6.2.5: what was waited for is there, and nothing is left out that was not asked to be.
fn check_asked(listed: &Listed, AskedPlaylist { wanted, skips }: AskedPlaylist) -> Result<(), String> {
    rule(skips || listed.skipped == 0, || "it skips unasked".into())?;
    let Some(msn) = wanted.msn.filter(|_| !listed.is_over) else { return Ok(()) };
    let last = listed.last().ok_or("it has no part")?;
    let is_there = match wanted.part {
        Some(part) => last >= PartId { msn, part },
        None => listed.segments.iter().any(|segment| segment.msn == msn && segment.uri.is_some()) || last.msn > msn,
    };
    rule(is_there, || format!("it ends with {last:?}, and {wanted:?} was asked for"))
}

fn first_news(listed: &Listed) -> Result<News, String> {
    rule(listed.skipped == 0, || "a player that knows nothing is told to keep what it knows".into())?;
    Ok(news_of(listed, None))
}

fn news_of(listed: &Listed, before: Option<PartId>) -> News {
    let mut news = News { last: listed.last(), is_over: listed.is_over, ..News::default() };
    news.ends_ms = listed.segments.iter().rev().find(|segment| !segment.parts.is_empty()).and_then(|segment| {
        let span: u64 = segment.parts.iter().map(|part| part.span).sum();
        Some((millis_of_day(segment.date_time.as_deref()?)? + span / 1000) % DAY_MS)
    });
    for segment in &listed.segments {
        for (part, named) in (0..).zip(&segment.parts) {
            if before.is_none_or(|before| PartId { msn: segment.msn, part } > before) {
                news.parts.push(named.uri.clone());
                news.map.clone_from(&segment.map);
            }
        }
    }
    news
}

/// 6.2.1 and 6.2.2: what a playlist may change of what was known; all of it as it is known from then on.
fn follow(known: &Listed, listed: &Listed) -> Result<Listed, String> {
    let constant = |of: &Listed| (of.target, of.part_target, of.hold_back, of.part_hold_back, of.skip_until);
    rule(constant(known) == constant(listed), || "a target or a control changed".into())?;
    rule(listed.first >= known.first, || "the media sequence number fell".into())?;
    let same = listed.is_over && (listed.first, listed.last()) == (known.first, known.last());
    rule(!known.is_over || same, || "it was over and goes on".into())?;
    rule(listed.last() >= known.last(), || "parts are gone from the end".into())?;
    let end: u64 = listed.segments.iter().map(|s| s.span.max(s.parts.iter().map(|p| p.span).sum())).sum();
    // 4.4.5.2: only what lies before the boundary is skipped, so the rest is at least as long.
    let boundary = listed.skip_until.filter(|_| listed.skipped > 0).unwrap_or(0);
    rule(end >= boundary, || "it skips beyond its boundary".into())?;
    let mut whole = Listed { skipped: 0, segments: Vec::new(), ..listed.clone() };
    for msn in listed.first..listed.first + listed.skipped {
        let kept = known.segments.iter().find(|segment| segment.msn == msn && segment.uri.is_some());
        whole.segments.push(kept.ok_or_else(|| format!("{msn} is skipped and was never listed whole"))?.clone());
    }
    for segment in &listed.segments {
        let before = known.segments.iter().find(|before| before.msn == segment.msn);
        whole.segments.push(before.map_or_else(|| Ok(segment.clone()), |before| changed(before, segment))?);
    }
    if let Some(hint) = &known.hint {
        let after = known.last().map(|last| (last.msn, last.part));
        let next = whole.segments.iter().flat_map(|s| (0..).zip(&s.parts).map(|(n, part)| ((s.msn, n), part)));
        let mut next = next.filter(|(id, _)| after.is_some_and(|after| *id > after));
        // 4.4.5.3
        rule(next.next().is_none_or(|(_, part)| part.uri == *hint), || format!("{hint} was hinted and did not come"))?;
    }
    for (uri, last) in &listed.reports {
        let before = known.reports.iter().find(|(known, _)| known == uri);
        rule(before.is_none_or(|(_, before)| last >= before), || format!("{uri} is reported to fall behind itself"))?;
    }
    Ok(whole)
}

/// A segment that was known: nothing of it changes but that more comes, and that its parts are named no more.
fn changed(before: &ListedSegment, now: &ListedSegment) -> Result<ListedSegment, String> {
    let msn = now.msn;
    let same = (&before.map, &before.date_time) == (&now.map, &now.date_time)
        && (before.uri.is_none() || (&before.uri, before.span) == (&now.uri, now.span));
    rule(same, || format!("{msn} changed"))?;
    let prefix = now.parts.is_empty() || now.parts.starts_with(&before.parts);
    rule(prefix, || format!("parts of {msn} changed"))?;
    rule(before.uri.is_none() || now.parts.len() <= before.parts.len() || before.parts.is_empty(), || {
        format!("{msn} was whole and grew")
    })?;
    let parts = if now.parts.is_empty() { before.parts.clone() } else { now.parts.clone() };
    Ok(ListedSegment { parts, ..now.clone() })
}
