//! **The question:** to which file host may recordings be handed over, and are they all, by themselves?

use serde::{Deserialize, Serialize};

/// `[hand_over]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct HandOver {
    /// `s3://bucket/prefix`, `https://host/folder` or `dropbox:/folder`; `None`: nothing is handed over.
    pub url: Option<String>,
    /// Whether every recording is handed over as soon as it is final, and then erased here.
    pub automatic: bool,
}

/// As it is written.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    url: String,
    automatic: bool,
}

impl TryFrom<Keys> for HandOver {
    type Error = &'static str;

    fn try_from(keys: Keys) -> Result<Self, Self::Error> {
        let url = Some(keys.url).filter(|url| !url.is_empty());
        if keys.automatic && url.is_none() {
            return Err("automatic needs url beside it: where to?");
        }
        Ok(Self { url, automatic: keys.automatic })
    }
}

impl From<HandOver> for Keys {
    fn from(hand_over: HandOver) -> Self {
        Self { url: hand_over.url.unwrap_or_default(), automatic: hand_over.automatic }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::app::config::Config;

    #[test]
    fn nothing_leaves_by_itself_without_a_place_to_go_to() {
        let parse = |text: &str| Config::parse(Path::new("tessera.toml"), text);
        assert_eq!(parse("").unwrap().hand_over.url, None);
        let config = parse("[hand_over]\nurl = \"dropbox:/calls\"\nautomatic = true\n").unwrap();
        assert_eq!((config.hand_over.url.as_deref(), config.hand_over.automatic), (Some("dropbox:/calls"), true));
        assert_eq!(parse(&toml::to_string(&config).unwrap()), Ok(config));
        let error = parse("[hand_over]\nautomatic = true\n").unwrap_err().to_string();
        assert!(error.contains("url"), "{error}");
    }
}
