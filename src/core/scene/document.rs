//! **The question:** which layouts can be asked for, and how is one written down? A small JSON document, parsed into
//! types that cannot hold a wrong value; an error names the field by its path. `docs/layout.md` documents it,
//! `docs/layout.schema.json` is its JSON Schema (2020-12), made from these types; tests hold the three together.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::limits;
use crate::base::media::ParticipantId;
use crate::core::scene::Fit;
use crate::core::scene::value::{Colour, Fraction, WHOLE, Whole};

/// How many tiles a layout may have at once.
pub type TileCount = Whole<1, { limits::PARTICIPANTS_MAX as u32 }>;

/// A layout's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LayoutName {
    /// Everyone alike, on stable seats.
    #[default]
    Grid,
    /// Who has the word is large, the others stand in a strip.
    Speaker,
    /// A shared screen is large, people stand in a strip; without a screen it is `speaker`.
    Presentation,
    /// Who has the word, or the shared screen, fills the canvas; one more person lies small in a corner.
    Pip,
    /// Who has the word, or the shared screen, alone.
    Single,
    /// The document's own `regions`.
    Custom,
}

/// A layout as it is asked for: by the API, by a participant, in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "A layout of Tessera", extend("if" = {"properties": {"layout": {"const": "custom"}}}))]
#[schemars(extend("then" = {
    "required": ["regions"],
    "not": {"anyOf": [{"required": ["tiles_max"]}, {"required": ["screens"]}, {"required": ["corner_radius"]}]}
}))]
#[schemars(extend("else" = {"not": {"required": ["regions"]}}))]
pub struct Layout {
    /// Which one.
    layout: LayoutName,
    /// At most so many tiles at once, the large one included; more people come on further pages. Without it `grid`
    /// shows everyone and `speaker` and `presentation` a strip of five. Not for `custom`, whose regions say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tiles_max: Option<TileCount>,
    /// Whether a shared screen is shown: `grid` and `speaker` then turn into `presentation` while it lasts. Without it,
    /// yes. Not for `custom`, which has regions for screens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    screens: Option<bool>,
    /// Radius of every tile's corners as a share of its shorter side; without it they are square, except in the corner
    /// of `pip`. Not for `custom`, whose regions each have their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    corner_radius: Option<CornerRadius>,
    /// Where who is seen; for `custom`, which needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<Region>>", length(min = 1, max = limits::LAYOUT_REGIONS_MAX))]
    #[serde(with = "shared")]
    regions: Option<Arc<[Region]>>,
}

/// Radius of a tile's corners as a share of its shorter side; 0.5 makes a square a disc.
pub type CornerRadius = Fraction<0, 500_000>;
/// Where an edge lies, as a share of the canvas.
pub type Edge = Fraction<0, 990_000>;
/// How far a region reaches, as a share of the canvas.
pub type Extent = Fraction<10_000, WHOLE>;
/// Thickness of a border, as a share of the canvas' height.
pub type Thickness = Fraction<1_000, 50_000>;
/// Nearness to the eye.
pub type Depth = Whole<0, { limits::LAYOUT_Z_MAX }>;

/// One region of a custom layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Who is seen in it. While there is nobody to see, the background shows.
    pub show: Who,
    /// Where it lies.
    pub rect: RegionRect,
    /// Regions with a higher number lie above those with a lower one; equal ones in the document's order.
    #[serde(default)]
    pub z: Depth,
    /// How a picture of another shape meets it; without it, as the node thinks best: cut a little, never a face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<RegionFit>,
    /// Radius of its corners as a share of its shorter side.
    #[serde(default)]
    pub corner_radius: CornerRadius,
    /// A line around it, drawn inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub border: Option<RegionBorder>,
    /// 1 hides what is below, 0 is not seen at all.
    #[serde(default = "opaque")]
    pub opacity: Fraction<0, WHOLE>,
}

/// Who is seen in a region. Nobody is seen twice in a layout: those named by their id first, then the speaker, then the
/// seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// Who has the word.
    Speaker,
    /// The newest shared screen.
    Screen,
    /// This person, by the id of the room's roster.
    Participant(#[schemars(with = "String", regex(pattern = "^p[0-9a-fA-F]{16}$"))] ParticipantId),
    /// The n-th of the others, counted from 1; the highest n of the layout is how many a page has.
    Seat(TileCount),
}

/// A rectangle relative to the canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionRect {
    /// Left edge.
    pub x: Edge,
    /// Upper edge.
    pub y: Edge,
    /// Width; `x + width` is at most 1.
    pub width: Extent,
    /// Height; `y + height` is at most 1.
    pub height: Extent,
}

/// `cover` or `contain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RegionFit {
    /// The region is filled, what stands out is cut off.
    Cover,
    /// All of the picture is seen.
    Contain,
}

impl From<RegionFit> for Fit {
    fn from(fit: RegionFit) -> Self {
        match fit {
            RegionFit::Cover => Self::Cover,
            RegionFit::Contain => Self::Contain,
        }
    }
}

/// A region's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegionBorder {
    /// Thickness as a share of the canvas' height.
    pub width: Thickness,
    /// Its colour.
    pub colour: Colour,
}

/// Why a text is no layout: where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct LayoutError {
    /// The field, for example `regions[3].rect.width`.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl From<LayoutName> for Layout {
    /// The layout of this name without any wish; `custom` without regions is the empty canvas.
    fn from(layout: LayoutName) -> Self {
        Self { layout, ..Self::default() }
    }
}

impl Layout {
    /// Reads a document of at most `limits::LAYOUT_LEN_MAX` bytes.
    ///
    /// # Errors
    /// When it is too long, no JSON, has a field that no layout has, or a value that its field cannot have.
    pub fn parse(text: &str) -> Result<Self, LayoutError> {
        if text.len() > limits::LAYOUT_LEN_MAX {
            let reason = format!("{} bytes are too many; a layout has at most {}", text.len(), limits::LAYOUT_LEN_MAX);
            return Err(LayoutError { path: "layout document".into(), reason });
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let layout: Self = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            let path = if path == "." { "layout document".to_owned() } else { path };
            LayoutError { path, reason: error.into_inner().to_string() }
        })?;
        let trailing = |error: serde_json::Error| wrong("layout document", &error.to_string());
        deserializer.end().map_err(trailing)?;
        only_objects(text)?;
        layout.validated()
    }

    /// As [`Layout::parse`], for a document that is part of another one.
    ///
    /// # Errors
    /// As [`Layout::parse`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self, LayoutError> {
        Self::parse(&value.to_string())
    }

    /// The document.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a layout has string keys and finite numbers")
    }

    /// The JSON Schema of the documents; what cannot be said in it stands in `docs/layout.md`.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
        serde_json::to_value(generator.into_root_schema_for::<Self>()).expect("a schema is JSON")
    }

    /// Which one.
    #[must_use]
    pub fn name(&self) -> LayoutName {
        self.layout
    }

    /// The most tiles at once, if the document says.
    #[must_use]
    pub fn tiles_max(&self) -> Option<usize> {
        self.tiles_max.map(|count| count.get() as usize)
    }

    /// Whether shared screens are shown.
    #[must_use]
    pub fn shows_screens(&self) -> bool {
        self.screens.unwrap_or(true)
    }

    /// Radius of every tile's corners, if the document says.
    #[must_use]
    pub fn corner_radius(&self) -> Option<CornerRadius> {
        self.corner_radius
    }

    /// The regions of a custom layout, in the document's order; none in the others.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        self.regions.as_deref().unwrap_or_default()
    }

    /// What no single field can say.
    fn validated(self) -> Result<Self, LayoutError> {
        let Some(regions) = self.regions.as_deref() else {
            if self.layout == LayoutName::Custom {
                return Err(wrong("regions", "a custom layout needs regions"));
            }
            return Ok(self);
        };
        if self.layout != LayoutName::Custom {
            return Err(wrong("regions", "only a custom layout has regions"));
        }
        let others = [
            (self.tiles_max.is_some(), "tiles_max", "a custom layout has as many tiles as regions"),
            (self.screens.is_some(), "screens", "a custom layout shows screens where a region says so"),
            (self.corner_radius.is_some(), "corner_radius", "give each region of a custom layout its own"),
        ];
        if let Some((_, path, reason)) = others.into_iter().find(|(given, ..)| *given) {
            return Err(wrong(path, reason));
        }
        if regions.is_empty() || regions.len() > limits::LAYOUT_REGIONS_MAX {
            let (count, max) = (regions.len(), limits::LAYOUT_REGIONS_MAX);
            return Err(wrong("regions", &format!("{count} regions; a layout has 1 to {max}")));
        }
        for (index, region) in regions.iter().enumerate() {
            inside(index, &region.rect)?;
            if let Some(first) = regions[..index].iter().position(|other| other.show == region.show) {
                let reason = format!("regions[{first}] shows the same; nobody is seen twice");
                return Err(wrong(&format!("regions[{index}].show"), &reason));
            }
        }
        Ok(self)
    }
}

/// Rounding of both numbers to millionths may add up to this much.
const SLACK: u32 = 1;

fn inside(index: usize, rect: &RegionRect) -> Result<(), LayoutError> {
    let axes = [("x", "width", rect.x, rect.width, "right"), ("y", "height", rect.y, rect.height, "lower")];
    for (start, extent, from, length, edge) in axes {
        let end = from.millionths() + length.millionths();
        if end > WHOLE + SLACK {
            let reason =
                format!("reaches over the {edge} edge; {start} + {extent} is {}", f64::from(end) / f64::from(WHOLE));
            return Err(wrong(&format!("regions[{index}].rect.{extent}"), &reason));
        }
    }
    Ok(())
}

/// serde takes an array for a struct, its values in the fields' order; the schema does not, and nobody could read it.
fn only_objects(text: &str) -> Result<(), LayoutError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| wrong("layout document", &e.to_string()))?;
    let must = |value: &serde_json::Value, path: String| {
        if value.is_array() { Err(wrong(&path, "an array; write an object with named fields")) } else { Ok(()) }
    };
    must(&value, "layout document".into())?;
    for (index, region) in value["regions"].as_array().into_iter().flatten().enumerate() {
        must(region, format!("regions[{index}]"))?;
        must(&region["rect"], format!("regions[{index}].rect"))?;
        must(&region["border"], format!("regions[{index}].border"))?;
    }
    Ok(())
}

fn wrong(path: &str, reason: &str) -> LayoutError {
    LayoutError { path: path.into(), reason: reason.into() }
}

fn opaque() -> Fraction<0, WHOLE> {
    Fraction::from_millionths(WHOLE).expect("a whole is within its range")
}

/// Regions are shared between scenes' owners, never copied.
mod shared {
    use super::{Arc, Deserialize, Region, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(regions: &Option<Arc<[Region]>>, to: S) -> Result<S::Ok, S::Error> {
        regions.as_deref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Arc<[Region]>>, D::Error> {
        Ok(Option::<Vec<Region>>::deserialize(from)?.map(Arc::from))
    }
}

#[cfg(test)]
mod tests;
