//! **The question:** what do captioners and viewers know of captions beforehand?

use serde::{Deserialize, Serialize};

use crate::core::signal::is_language;

/// `[captions]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Captions {
    /// In which language is spoken here; empty: nobody says.
    pub language: Language,
    /// Whether HLS lists captions from a room's start, and not only once a captioner came.
    pub always_listed: bool,
}

/// A tag of BCP 47, or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(Option<String>);

/// A text that is no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no language: give a tag of BCP 47 such as \"en\" or \"de-AT\", or \"\"")]
pub struct NoLanguage(String);

impl Language {
    /// The tag, if there is one.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl TryFrom<String> for Language {
    type Error = NoLanguage;

    fn try_from(text: String) -> Result<Self, NoLanguage> {
        match text {
            text if text.is_empty() => Ok(Self(None)),
            text if is_language(&text) => Ok(Self(Some(text))),
            text => Err(NoLanguage(text)),
        }
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.0.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_tag_or_nothing() {
        let of = |text: &str| Language::try_from(text.to_owned());
        assert_eq!(of("").unwrap().tag(), None);
        assert_eq!(of("de-AT").unwrap().tag(), Some("de-AT"));
        assert!(of("German").unwrap().tag().is_some(), "any name of letters may be one day's tag");
        assert!(of("de_AT").is_err() && of("\"><").is_err());
    }
}
