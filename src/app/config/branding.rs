//! **The question:** how is every room dressed until somebody dresses it? Logo, background and clock of `[video]`;
//! files are read and checked together with the configuration, so that a wrong one is told with its line before
//! anything runs.

use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::base::limits;
use crate::base::media::{Bitmap, Size};
use crate::core::scene::{Background, Colour, Rgb};
use crate::engine::compose::overlays::{PictureUse, read_picture};

/// Around a background picture there is nothing; this shows while it is being drawn.
pub const BEHIND: Rgb = Rgb::new(0x12, 0x14, 0x18);

/// What lies behind and over the tiles of a room that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branding {
    /// In the upper right corner.
    pub logo: Option<Bitmap>,
    /// Behind the tiles; `None`: the scene's own.
    pub background: Option<Background>,
    /// Whether a clock shows.
    pub clock: bool,
}

/// `video.logo`: the path of a PNG or JPEG; empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Logo {
    written: String,
    file: Option<CheckedFile>,
}

impl Logo {
    /// Scaled down to what a canvas of that size needs.
    pub(super) fn picture(&self, canvas: Size) -> Option<Bitmap> {
        self.file.as_ref().map(|file| picture(file, PictureUse::logo_on(canvas)))
    }
}

impl TryFrom<String> for Logo {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let file = (!written.is_empty()).then(|| read(&written)).transpose()?;
        Ok(Self { written, file })
    }
}

impl From<Logo> for String {
    fn from(logo: Logo) -> Self {
        logo.written
    }
}

/// `video.background`: a colour like `#1e90ff`, or the path of a PNG or JPEG; empty: the node's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Backdrop {
    written: String,
    filling: Filling,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Filling {
    #[default]
    Nothing,
    Colour(Colour),
    Picture(CheckedFile),
}

impl Backdrop {
    /// Scaled down to what a canvas of that size needs; `None`: the scene's own.
    pub(super) fn background(&self, canvas: Size) -> Option<Background> {
        let image = |file| Some(picture(file, PictureUse::Background(canvas)));
        match &self.filling {
            Filling::Nothing => None,
            Filling::Colour(Colour(colour)) => Some(Background { colour: *colour, image: None }),
            Filling::Picture(file) => Some(Background { colour: BEHIND, image: image(file) }),
        }
    }
}

impl TryFrom<String> for Backdrop {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let filling = if written.is_empty() {
            Filling::Nothing
        } else if written.starts_with('#') {
            let colour = Colour::deserialize(StrDeserializer::<Error>::new(&written));
            Filling::Colour(colour.map_err(|error| format!("{written}: {error}, or name a PNG or JPEG"))?)
        } else {
            Filling::Picture(read(&written)?)
        };
        Ok(Self { written, filling })
    }
}

impl From<Backdrop> for String {
    fn from(backdrop: Backdrop) -> Self {
        backdrop.written
    }
}

fn read(path: &str) -> Result<CheckedFile, String> {
    let small = PictureUse::Logo(Size::new(1, 1));
    CheckedFile::read(path, limits::PICTURE_LEN_MAX, |bytes| read_picture(bytes, small).map(|_| ()))
}

fn picture(file: &CheckedFile, purpose: PictureUse) -> Bitmap {
    read_picture(file.bytes(), purpose).expect("it was decoded when the configuration was read")
}
