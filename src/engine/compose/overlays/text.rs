//! **The question:** how does a line of text in any script become pixels? Shaped by cosmic-text (bidi, ligatures,
//! marks), drawn by swash.

use cosmic_text::{
    Attrs, Buffer, Ellipsize, EllipsizeHeightLimit, Family, FontSystem, LayoutGlyph, Metrics, Shaping, SwashCache,
    SwashContent, Wrap,
};

use crate::base::limits;
use crate::core::scene::Rgb;
use crate::engine::compose::overlays::fonts::Faces;
use crate::engine::compose::overlays::pixmap::Sheet;
use crate::engine::compose::overlays::sanitize::drawable;

/// Shapes and writes; belongs to one thread.
pub(super) struct Pen {
    faces: &'static Faces,
    system: FontSystem,
    // Its maps stay empty: stills are cached whole, so no glyph is asked for often.
    swash: SwashCache,
}

/// A line, shaped and cut to its width.
pub(super) struct TextLine {
    glyphs: Vec<LayoutGlyph>,
    left: f32,
    /// Pixels from the first glyph's left edge to the last one's right edge.
    pub(super) width: f32,
}

impl Pen {
    /// `None` while the fonts are being read.
    pub(super) fn new() -> Option<Self> {
        let faces = Faces::get()?;
        Some(Self { faces, system: faces.system(), swash: SwashCache::new() })
    }

    /// One that knows no font but ours.
    #[cfg(test)]
    pub(super) fn of_own_font() -> Self {
        static OWN: std::sync::OnceLock<Faces> = std::sync::OnceLock::new();
        let faces = OWN.get_or_init(|| Faces::choose(cosmic_text::fontdb::Database::new()));
        Self { faces, system: faces.system(), swash: SwashCache::new() }
    }

    /// `text` in letters of `pixels` an em, ending in '…' where it would be wider than `width_max` pixels.
    pub(super) fn shape(&mut self, text: &str, pixels: f32, width_max: f32) -> TextLine {
        let text = drawable(text, limits::LINE_CHARS_MAX);
        let runs = self.faces.runs(&text);
        let first = self.faces.first();
        let base = Attrs::new().family(Family::Name(&first.family)).weight(first.weight);
        let spans = runs
            .iter()
            .map(|(run, face)| (run.as_str(), base.clone().family(Family::Name(&face.family)).weight(face.weight)));
        let mut buffer = Buffer::new(&mut self.system, Metrics::new(pixels, pixels * 1.25));
        buffer.set_wrap(Wrap::None);
        buffer.set_ellipsize(Ellipsize::End(EllipsizeHeightLimit::Lines(1)));
        buffer.set_size(Some(width_max), None);
        buffer.set_rich_text(spans, &base, Shaping::Advanced, None);
        buffer.shape_until_scroll(&mut self.system, false);
        let glyphs: Vec<LayoutGlyph> = buffer.layout_runs().take(1).flat_map(|run| run.glyphs.to_vec()).collect();
        let left = glyphs.iter().map(|glyph| glyph.x).fold(f32::INFINITY, f32::min);
        let right = glyphs.iter().map(|glyph| glyph.x + glyph.w).fold(0.0, f32::max);
        TextLine { left: if glyphs.is_empty() { 0.0 } else { left }, width: (right - left).max(0.0), glyphs }
    }

    /// Writes `line` onto `sheet`, its left edge at `x` and its baseline at `y`.
    pub(super) fn write(&mut self, line: &TextLine, sheet: &mut Sheet, x: f32, y: f32, colour: Rgb) {
        let colour = [colour.red, colour.green, colour.blue];
        for glyph in &line.glyphs {
            let placed = glyph.physical((x - line.left, y.round()), 1.0);
            let Some(image) = self.swash.get_image_uncached(&mut self.system, placed.cache_key) else { continue };
            let (left, top) = (placed.x + image.placement.left, placed.y - image.placement.top);
            let width = image.placement.width.max(1) as usize;
            let bytes = if image.content == SwashContent::Mask { 1 } else { 4 };
            for (row, pixels) in (top..).zip(image.data.chunks_exact(width * bytes)) {
                for (column, pixel) in (left..).zip(pixels.chunks_exact(bytes)) {
                    match *pixel {
                        [cover] => sheet.put(column, row, colour, cover),
                        [red, green, blue, alpha] => sheet.put(column, row, [red, green, blue], alpha),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Glyphs of `line` for which its font has only the box of the unknown.
    #[cfg(test)]
    pub(super) fn missing(line: &TextLine) -> usize {
        line.glyphs.iter().filter(|glyph| glyph.glyph_id == 0).count()
    }

    /// The fonts it writes with.
    #[cfg(test)]
    pub(super) fn faces(&self) -> &Faces {
        self.faces
    }
}
