//! **The question:** how are rooms laid out until somebody chooses? By name, or by a document that is read and checked
//! together with the configuration.

use serde::{Deserialize, Serialize};

use crate::core::scene::Layout;

/// A layout as the operator names it: one of the built-in ones, or the path of a layout document, which ends in
/// `.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DefaultLayout {
    written: String,
    layout: Layout,
}

impl DefaultLayout {
    /// The layout itself.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}

impl Default for DefaultLayout {
    fn default() -> Self {
        Self { written: "grid".into(), layout: Layout::default() }
    }
}

impl TryFrom<String> for DefaultLayout {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let document = if written.ends_with(".json") {
            std::fs::read_to_string(&written).map_err(|error| format!("{written}: {error}"))?
        } else {
            serde_json::json!({ "layout": written }).to_string()
        };
        let layout = Layout::parse(&document).map_err(|error| match written.ends_with(".json") {
            true => format!("{written}: {error}"),
            false => format!("{}; or name a layout document, a file that ends in .json", error.reason),
        })?;
        Ok(Self { written, layout })
    }
}

impl From<DefaultLayout> for String {
    fn from(layout: DefaultLayout) -> Self {
        layout.written
    }
}
