//! **The question:** what does a media playlist tell a player? Read as strictly as it is written: what is no tag of
//! live HLS at low latency is no playlist.

use std::collections::HashMap;

use crate::core::hls::grid::PartId;

/// A playlist, read. Times are microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// EXT-X-VERSION
    pub version: u64,
    /// EXT-X-TARGETDURATION
    pub target: u64,
    /// PART-TARGET
    pub part_target: u64,
    /// CAN-SKIP-UNTIL, if it can.
    pub skip_until: Option<u64>,
    /// Whether requests may wait.
    pub blocks: bool,
    /// HOLD-BACK
    pub hold_back: u64,
    /// PART-HOLD-BACK
    pub part_hold_back: u64,
    /// EXT-X-MEDIA-SEQUENCE
    pub first: u64,
    /// SKIPPED-SEGMENTS
    pub skipped: u64,
    /// EXT-X-INDEPENDENT-SEGMENTS
    pub independent: bool,
    /// Those that are not skipped; the last one may be in the making.
    pub segments: Vec<ListedSegment>,
    /// The part that comes next.
    pub hint: Option<String>,
    /// How far other rungs are.
    pub reports: Vec<(String, PartId)>,
    /// EXT-X-ENDLIST
    pub is_over: bool,
}

/// One segment of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedSegment {
    /// Media sequence number.
    pub msn: u64,
    /// Where it is, once it is whole.
    pub uri: Option<String>,
    /// How long it lasts, once it is whole.
    pub span: u64,
    /// EXT-X-MAP that holds for it.
    pub map: Option<String>,
    /// EXT-X-PROGRAM-DATE-TIME
    pub date_time: Option<String>,
    /// Its parts, where they are named.
    pub parts: Vec<ListedPart>,
}

/// One part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedPart {
    /// Where it is.
    pub uri: String,
    /// How long it lasts.
    pub span: u64,
    /// Whether it holds a keyframe.
    pub independent: bool,
}

impl Listed {
    /// Reads a playlist.
    ///
    /// # Errors
    /// The line that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.strip_prefix("#EXTM3U\n").ok_or("it does not begin with #EXTM3U")?.lines();
        let (mut listed, mut open, mut map) = (Self::default(), ListedSegment::default(), None);
        let read = lines.try_for_each(|line| {
            listed.line(line, &mut open, &mut map).ok_or_else(|| format!("this is no line of a playlist: {line}"))
        });
        read?;
        if open.date_time.is_some() || !open.parts.is_empty() {
            open.map = map;
            listed.segments.push(open);
        }
        for (at, segment) in (listed.first + listed.skipped..).zip(&mut listed.segments) {
            segment.msn = at;
        }
        Ok(listed)
    }

    /// The newest part that is named.
    #[must_use]
    pub fn last(&self) -> Option<PartId> {
        let segment = self.segments.iter().rev().find(|segment| !segment.parts.is_empty())?;
        Some(PartId { msn: segment.msn, part: segment.parts.len() as u64 - 1 })
    }

    fn line(&mut self, line: &str, open: &mut ListedSegment, map: &mut Option<String>) -> Option<()> {
        let Some(tag) = line.strip_prefix("#EXT") else {
            // An address ends the segment that was described.
            let is_described = open.span > 0 && !line.is_empty() && !line.starts_with('#');
            let whole = ListedSegment { uri: Some(line.to_owned()), map: map.clone(), ..std::mem::take(open) };
            self.segments.push(whole);
            return is_described.then_some(());
        };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name {
            "INF" => open.span = micros(value.strip_suffix(',')?)?,
            "-X-VERSION" => self.version = value.parse().ok()?,
            "-X-TARGETDURATION" => self.target = value.parse::<u64>().ok()? * 1_000_000,
            "-X-MEDIA-SEQUENCE" => self.first = value.parse().ok()?,
            "-X-INDEPENDENT-SEGMENTS" => self.independent = true,
            "-X-ENDLIST" => self.is_over = true,
            "-X-PROGRAM-DATE-TIME" => open.date_time = Some(value.to_owned()),
            _ => return self.attributes(name, &attributes(value)?, open, map),
        }
        Some(())
    }

    fn attributes(
        &mut self,
        name: &str,
        of: &HashMap<&str, &str>,
        open: &mut ListedSegment,
        map: &mut Option<String>,
    ) -> Option<()> {
        let number = |name: &str| of.get(name)?.parse::<u64>().ok();
        let text = |name: &str| Some(of.get(name)?.strip_prefix('"')?.strip_suffix('"')?.to_owned());
        let time = |name: &str| micros(of.get(name)?);
        match name {
            "-X-SERVER-CONTROL" => {
                self.blocks = *of.get("CAN-BLOCK-RELOAD")? == "YES";
                self.skip_until = time("CAN-SKIP-UNTIL");
                (self.hold_back, self.part_hold_back) = (time("HOLD-BACK")?, time("PART-HOLD-BACK")?);
            }
            "-X-PART-INF" => self.part_target = time("PART-TARGET")?,
            "-X-SKIP" if self.segments.is_empty() && self.skipped == 0 => self.skipped = number("SKIPPED-SEGMENTS")?,
            "-X-MAP" => *map = Some(text("URI")?),
            "-X-PART" => {
                let independent = of.get("INDEPENDENT") == Some(&"YES");
                open.parts.push(ListedPart { uri: text("URI")?, span: time("DURATION")?, independent });
            }
            "-X-PRELOAD-HINT" if of.get("TYPE") == Some(&"PART") => self.hint = Some(text("URI")?),
            "-X-RENDITION-REPORT" => {
                let last = PartId { msn: number("LAST-MSN")?, part: number("LAST-PART")? };
                self.reports.push((text("URI")?, last));
            }
            _ => return None,
        }
        Some(())
    }
}

/// `NAME=value,…`; a text between quotes may hold commas.
fn attributes(list: &str) -> Option<HashMap<&str, &str>> {
    let (mut found, mut rest) = (HashMap::new(), list);
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let quoted = behind.strip_prefix('"').map(|inside| inside.find('"').map(|end| end + 2));
        let end = match quoted {
            Some(end) => end?,
            None => behind.find(',').unwrap_or(behind.len()),
        };
        let (value, behind) = behind.split_at(end);
        rest = if behind.is_empty() { behind } else { behind.strip_prefix(',')? };
        // No name stands twice.
        found.insert(name, value).is_none().then_some(())?;
    }
    (!found.is_empty()).then_some(found)
}

/// Seconds as a decimal number.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(part) || part.len() > 6 {
        return None;
    }
    Some(whole.parse::<u64>().ok()?.checked_mul(1_000_000)? + format!("{part:0<6}").parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_playlist_is_told_by_its_line() {
        for text in [
            "",
            "#EXTM3U8\n",
            "#EXTM3U\n1.m4s\n",
            "#EXTM3U\n#EXTINF:4.0\n1.m4s\n",
            "#EXTM3U\n#EXTINF:4.0,\n\n",
            "#EXTM3U\n#EXT-X-PART:DURATION=.4,URI=\"1.0.m4s\"\n",
            "#EXTM3U\n#EXT-X-PART:DURATION=0.4,DURATION=0.4,URI=\"1.0.m4s\"\n",
            "#EXTM3U\n#EXT-X-PART:DURATION=0.4,URI=\"1.0.m4s\n",
            "#EXTM3U\n#EXT-X-SKIP:SKIPPED-SEGMENTS=-1\n",
            "#EXTM3U\n#EXT-X-UNHEARD-OF\n",
            "#EXTM3U\n# a remark\n",
        ] {
            assert!(Listed::parse(text).is_err(), "{text}");
        }
        assert_eq!(attributes("A=1,B=\"x,y\",C=Z"), Some([("A", "1"), ("B", "\"x,y\""), ("C", "Z")].into()));
        assert_eq!((micros("1.2"), micros("0.33334"), micros("1.")), (Some(1_200_000), Some(333_340), None));
    }
}
