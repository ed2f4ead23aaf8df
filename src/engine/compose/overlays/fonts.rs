//! **The question:** which font draws this character? One face a family, the system's best, and one of our own for a
//! node without any.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use cosmic_text::{FontSystem, Style, Weight, fontdb};

use crate::base::limits;
use crate::engine::compose::overlays::sanitize::{clings, is_emoji};

/// DejaVu Sans Bold, cut down to Latin, Greek and Cyrillic; its licence lies beside it.
static EMBEDDED: &[u8] = include_bytes!("../font/DejaVuSans-Bold-subset.ttf");
/// Stands for characters that no font has.
const UNKNOWN: char = '?';
/// What names show best in; the nearest is taken.
const WEIGHT: u16 = 600;

static FACES: OnceLock<Faces> = OnceLock::new();
static LOADING: AtomicBool = AtomicBool::new(false);

/// Reads the system's fonts, once for the process; takes a few tenths of a second with hundreds of them. A node calls
/// it on a thread of its own at its start; until it is done [`super::Ink`] draws no words, so that no tick waits.
pub fn load_fonts() {
    LOADING.store(true, Ordering::Release);
    let _ = Faces::load();
}

/// The fonts to draw with and what each can draw.
pub(super) struct Faces {
    database: fontdb::Database,
    /// From the most to the least wanted.
    faces: Vec<Face>,
}

/// One font.
#[derive(Debug)]
pub(super) struct Face {
    pub(super) family: String,
    pub(super) weight: Weight,
    emoji: bool,
    /// The code points it has glyphs for; ascending, apart.
    covered: Vec<Range<u32>>,
}

impl Face {
    fn covers(&self, c: char) -> bool {
        let point = u32::from(c);
        let after = self.covered.partition_point(|range| range.start <= point);
        after > 0 && self.covered[after - 1].contains(&point)
    }
}

impl Faces {
    /// The process's fonts; `None` while another thread reads them.
    pub(super) fn get() -> Option<&'static Self> {
        match FACES.get() {
            None if LOADING.load(Ordering::Acquire) => None,
            _ => Some(Self::load()),
        }
    }

    fn load() -> &'static Self {
        FACES.get_or_init(|| {
            let mut database = fontdb::Database::new();
            database.load_system_fonts();
            Self::choose(database)
        })
    }

    /// Keeps what suits a label of `database`, and adds our own font.
    pub(super) fn choose(mut database: fontdb::Database) -> Self {
        thin_out(&mut database);
        database.load_font_data(EMBEDDED.to_vec());
        let mut system = FontSystem::new_with_locale_and_db("en".into(), database);
        let infos: Vec<_> =
            system.db().faces().filter_map(|face| Some((face.id, family(face)?, face.weight))).collect();
        let mut faces: Vec<Face> = infos
            .into_iter()
            .filter_map(|(id, family, weight)| {
                let font = system.get_font(id, weight)?;
                let mut points = Vec::new();
                font.as_swash().charmap().enumerate(|point, glyph| {
                    if glyph != 0 {
                        points.push(point);
                    }
                });
                let emoji = family.contains("Emoji");
                Some(Face { family, weight, emoji, covered: ranges(points) })
            })
            .collect();
        faces.sort_by_cached_key(|face| (rank(&face.family), face.family.clone()));
        Self { database: system.into_locale_and_db().1, faces }
    }

    /// A system to shape and draw with, of these fonts only.
    pub(super) fn system(&self) -> FontSystem {
        FontSystem::new_with_locale_and_db("en".into(), self.database.clone())
    }

    /// Splits `text` into runs of one face each. Runs of characters that no face has become one question mark.
    pub(super) fn runs(&self, text: &str) -> Vec<(String, &Face)> {
        let mut runs: Vec<(String, usize)> = Vec::new();
        let (mut last, mut joined, mut unknown) = (0, false, false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let attached = !runs.is_empty() && (clings(c) || joined);
            let found = if attached { Some(last) } else { self.face_for(c, chars.peek().copied(), last) };
            joined = c == '\u{200d}';
            // A sign that clings or is joined to an unknown character goes with it.
            if unknown && (attached || found.is_none()) {
                continue;
            }
            unknown = found.is_none();
            let (c, face) = match found {
                Some(face) => (c, face),
                None => (UNKNOWN, self.face_for(UNKNOWN, None, last).unwrap_or(last)),
            };
            match runs.last_mut() {
                Some((run, owner)) if *owner == face => run.push(c),
                _ => runs.push((c.into(), face)),
            }
            last = face;
        }
        runs.into_iter().map(|(run, face)| (run, &self.faces[face])).collect()
    }

    /// The face to begin with, for signs of our own.
    pub(super) fn first(&self) -> &Face {
        &self.faces[0]
    }

    /// Whether some face has `c`.
    #[cfg(test)]
    pub(super) fn covers(&self, c: char) -> bool {
        self.faces.iter().any(|face| face.covers(c))
    }

    fn face_for(&self, c: char, next: Option<char>, last: usize) -> Option<usize> {
        if is_emoji(c, next)
            && let Some(found) = self.faces.iter().position(|face| face.emoji && face.covers(c))
        {
            return Some(found);
        }
        // Blanks, digits of other scripts and marks without a letter's property stay with the letter before them.
        if !c.is_alphanumeric() && self.faces[last].covers(c) && !self.faces[last].emoji {
            return Some(last);
        }
        self.faces
            .iter()
            .position(|face| !face.emoji && face.covers(c))
            .or_else(|| self.faces.iter().position(|face| face.covers(c)))
    }
}

/// Leaves one upright face a family, of the weight nearest to a label's, and none that labels don't want; at most
/// `limits::FONT_FACES_MAX`.
fn thin_out(database: &mut fontdb::Database) {
    let mut wanted: Vec<(u32, String, u16, fontdb::ID)> = Vec::new();
    let mut unwanted = Vec::new();
    for face in database.faces() {
        // Emoji are all of one width, which makes their font look monospaced.
        let shaped = |family: &String| !face.monospaced || family.contains("Emoji");
        match family(face).filter(|family| face.style == Style::Normal && shaped(family) && suits(family)) {
            Some(family) => wanted.push((rank(&family), family, face.weight.0.abs_diff(WEIGHT), face.id)),
            None => unwanted.push(face.id),
        }
    }
    wanted.sort();
    let mut kept = 0;
    let mut before = None;
    for (_, family, _, id) in wanted {
        if before.as_ref() == Some(&family) || kept == limits::FONT_FACES_MAX {
            unwanted.push(id);
            continue;
        }
        before = Some(family);
        kept += 1;
    }
    for id in unwanted {
        database.remove_face(id);
    }
}

fn family(face: &fontdb::FaceInfo) -> Option<String> {
    face.families.first().map(|(name, _)| name.clone())
}

/// Faces with serifs, narrow ones and special cuts read badly when small.
fn suits(family: &str) -> bool {
    const UNSUITED: [&str; 8] = ["Serif", "Mono", "Condensed", "Narrow", "Looped", "Display", "Math", "Light"];
    !UNSUITED.iter().any(|word| family.contains(word))
}

/// Which family is asked first; lower is sooner.
fn rank(family: &str) -> u32 {
    match family {
        "Noto Sans" => 0,
        "DejaVu Sans" | "Liberation Sans" => 3,
        _ if family.starts_with("Noto Sans CJK") => 2,
        _ if family.starts_with("Noto Sans Symbols") || family.contains("Emoji") => 4,
        _ if family.starts_with("Noto Sans") => 1,
        _ => 5,
    }
}

fn ranges(mut points: Vec<u32>) -> Vec<Range<u32>> {
    points.sort_unstable();
    let mut ranges: Vec<Range<u32>> = Vec::new();
    for point in points {
        match ranges.last_mut() {
            Some(range) if point <= range.end => range.end = range.end.max(point + 1),
            _ => ranges.push(point..point + 1),
        }
    }
    ranges
}
