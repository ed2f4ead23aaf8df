//! **The question:** whose tokens are believed, and how long may they live? Keys are read and checked together with the
//! configuration, so that a wrong one is told with its line before anything runs.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::app::config::file::CheckedFile;
use crate::app::config::value::Within;
use crate::base::limits;
use crate::io::tokens::{AccessKey, Algorithm, KeyError, KeyId, Keyring};

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Access {
    /// Those that sign; none: nobody is asked for a token.
    pub keys: Vec<KeyFile>,
    /// How long a token may live.
    pub longest_hours: Within<1, { limits::ACCESS_HOURS_MAX }>,
}

/// A key, and the file that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WrittenKey", into = "WrittenKey")]
pub struct KeyFile {
    file: String,
    key: AccessKey,
}

impl Access {
    /// Whether somebody who comes in is asked for a token.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        !self.keys.is_empty()
    }

    /// How long a token may live.
    #[must_use]
    pub fn longest(&self) -> Duration {
        Duration::from_secs(u64::from(self.longest_hours.get()) * 3600)
    }

    /// What tokens are read by.
    #[must_use]
    pub fn keyring(&self) -> Keyring {
        self.keyring_beside(None)
    }

    /// The same, and where there are keys one more: what people are let in by whose room moved.
    #[must_use]
    pub fn keyring_beside(&self, passes: Option<AccessKey>) -> Keyring {
        let own = self.keys.iter().map(|key| key.key.clone());
        Keyring::new(own.chain(passes.filter(|_| self.is_locked())).collect(), self.longest())
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { keys: Vec::new(), longest_hours: Within(24) }
    }
}

impl KeyFile {
    /// What it is called.
    #[must_use]
    pub const fn id(&self) -> &KeyId {
        self.key.id()
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.key.algorithm()
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.as_ref()
    }
}

/// Why the keys do not go together.
#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("keys: two of them are called {0}; a token could not say which of them signed it")]
    Twice(KeyId),
    #[error("keys: at most {}", limits::ACCESS_KEYS_MAX)]
    Many,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keys {
    keys: Vec<KeyFile>,
    longest_hours: Within<1, { limits::ACCESS_HOURS_MAX }>,
}

/// One key, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenKey {
    id: KeyId,
    algorithm: Algorithm,
    file: String,
}

impl Default for Keys {
    fn default() -> Self {
        Access::default().into()
    }
}

impl TryFrom<Keys> for Access {
    type Error = KeysError;

    fn try_from(Keys { keys, longest_hours }: Keys) -> Result<Self, KeysError> {
        if keys.len() > limits::ACCESS_KEYS_MAX {
            return Err(KeysError::Many);
        }
        let mut ids = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !ids.insert(key.id().as_str())) {
            return Err(KeysError::Twice(twice.id().clone()));
        }
        Ok(Self { keys, longest_hours })
    }
}

impl From<Access> for Keys {
    fn from(Access { keys, longest_hours }: Access) -> Self {
        Self { keys, longest_hours }
    }
}

impl TryFrom<WrittenKey> for KeyFile {
    type Error = String;

    fn try_from(WrittenKey { id, algorithm, file }: WrittenKey) -> Result<Self, String> {
        let mut key = None;
        CheckedFile::read(&file, limits::ACCESS_KEY_FILE_LEN_MAX, |bytes| {
            key = Some(AccessKey::read(id, algorithm, bytes)?);
            Ok::<_, KeyError>(())
        })?;
        let key = key.ok_or_else(|| format!("{file}: {}", KeyError::Long))?;
        Ok(Self { file, key })
    }
}

impl From<KeyFile> for WrittenKey {
    fn from(KeyFile { file, key }: KeyFile) -> Self {
        Self { id: key.id().clone(), algorithm: key.algorithm(), file }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::app::config::Config;

    const SECRET: &str = "fedcba9876543210fedcba9876543210";

    fn parse(lines: &str) -> Result<Config, String> {
        Config::parse(Path::new("tessera.toml"), &format!("[access]\n{lines}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_read_with_the_configuration_and_printed_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, format!("{SECRET}\n")).unwrap();
        let key = |id: &str| format!("{{ id = \"{id}\", algorithm = \"HS256\", file = \"{}\" }}", file.display());
        let config = parse(&format!("keys = [{}, {}]\nlongest_hours = 2", key("new"), key("old"))).unwrap();
        assert!(config.policy().is_locked && !config.access.keyring().is_empty());
        assert_eq!(config.access.longest(), Duration::from_secs(7200));
        let written = toml::to_string(&config).unwrap();
        assert!(!format!("{config:?}{written}").contains(&SECRET[..8]), "the secret stays where it lies");
        assert_eq!(Config::parse(Path::new("again.toml"), &written), Ok(config));
        let told = parse(&format!("keys = [{}, {}]", key("same"), key("same"))).unwrap_err();
        assert!(told.contains("two of them are called same"), "{told}");
        assert!(!parse("").unwrap().policy().is_locked);
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let short = folder.path().join("short");
        fs::write(&short, "0123456789").unwrap();
        let of = |id: &str, algorithm: &str, file: &str| {
            format!("keys = [{{ id = \"{id}\", algorithm = \"{algorithm}\", file = \"{file}\" }}]")
        };
        for (lines, told) in [
            (of("a", "HS256", short.to_str().unwrap()), "openssl rand -hex 32"),
            (of("a", "EdDSA", short.to_str().unwrap()), "openssl genpkey -algorithm ed25519"),
            (of("a", "HS256", "/nowhere/secret"), "/nowhere/secret: No such file"),
            (of("a", "none", short.to_str().unwrap()), "expected `EdDSA` or `HS256`"),
            (of("a b", "HS256", short.to_str().unwrap()), "a key's id has 1 to 64"),
            ("longest_hours = 721".to_owned(), "1 to 720"),
        ] {
            let error = parse(&lines).unwrap_err();
            assert!(error.starts_with("tessera.toml:2: access.") && error.contains(told), "{lines}: {error}");
        }
    }
}
